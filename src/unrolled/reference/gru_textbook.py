"""The gated recurrent unit as textbooks write it: reset *before* the product. By hand, forward and back.

Forward, for t = 1 … T, over the column [c_prev; x_t] of the last state and the input::

    Γ_r = σ(W_r [c_prev; x_t] + b_r)                relevance (reset) gate
    Γ_u = σ(W_u [c_prev; x_t] + b_u)                update gate: 1 takes the candidate
    c̃   = tanh(W_c [Γ_r ⊙ c_prev; x_t] + b_c)       candidate
    c_t = Γ_u ⊙ c̃ + (1 - Γ_u) ⊙ c_prev

Back, from the last step (``W_·,c``: the columns of W that read the state)::

    dz_c = dc_t ⊙ Γ_u (1 - c̃²)                      dz_u = dc_t ⊙ (c̃ - c_prev) ⊙ Γ_u (1 - Γ_u)
    dreset = W_c,cᵀ dz_c                            dz_r = dreset ⊙ c_prev ⊙ Γ_r (1 - Γ_r)
    dc_{t-1} = (∂L/∂c_{t-1} directly) + dc_t ⊙ (1 - Γ_u) + dreset ⊙ Γ_r + W_u,cᵀ dz_u + W_r,cᵀ dz_r

The layers of this package, torch and cuDNN compute another function, that of `unrolled.reference.gru`: no choice of
weights makes the two equal in general. Finite differences test this form.

Every example is a column: x_t is (n_x, m), c_t is (n_c, m); x and c are (n, m, T). All is float64.

References:
    Cho et al. 2014, https://arxiv.org/abs/1406.1078
    Chung et al. 2014, https://arxiv.org/abs/1412.3555
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from unrolled.reference.rnn import sigmoid

__all__ = ["Gates", "Gradients", "Weights", "backward", "forward", "step"]

Array = np.ndarray


class Weights(NamedTuple):
    """Each W is (n_c, n_c + n_x) over [c_prev; x_t], each b (n_c, 1)."""

    W_u: Array
    b_u: Array
    W_r: Array
    b_r: Array
    W_c: Array
    b_c: Array


class Gates(NamedTuple):
    """The gates of one step, each (n_c, m): Γ_u, Γ_r and the candidate c̃."""

    Γ_u: Array
    Γ_r: Array
    c_tilde: Array


class Gradients(NamedTuple):
    """The gradients of the weights, the inputs, the initial state and every c_t (n_c, m, T)."""

    weights: Weights
    x: Array
    c_0: Array
    c: Array


def step(x_t: Array, c_prev: Array, weights: Weights) -> tuple[Array, Gates]:
    """Compute ``c_t`` and its gates.

    >>> zeros = Weights(*[np.zeros((1, 2)), np.zeros((1, 1))] * 3)
    >>> step(np.ones((1, 1)), np.ones((1, 1)), zeros)[0]
    array([[0.5]])
    """
    both = np.concatenate([c_prev, x_t])
    Γ_u = sigmoid(weights.W_u @ both + weights.b_u)
    Γ_r = sigmoid(weights.W_r @ both + weights.b_r)
    c_tilde = np.tanh(weights.W_c @ np.concatenate([Γ_r * c_prev, x_t]) + weights.b_c)
    return Γ_u * c_tilde + (1 - Γ_u) * c_prev, Gates(Γ_u, Γ_r, c_tilde)


def forward(x: Array, c_0: Array, weights: Weights) -> tuple[Array, list[Gates]]:
    """Every state c (n_c, m, T) for x (n_x, m, T), from c_0 (n_c, m), and the gates of every step."""
    c_t, c, gates = c_0, [], []
    for t in range(x.shape[2]):
        c_t, gates_t = step(x[:, :, t], c_t, weights)
        c.append(c_t)
        gates.append(gates_t)
    return np.stack(c, axis=2), gates


def backward(dc: Array, x: Array, c_0: Array, c: Array, gates: list[Gates], weights: Weights) -> Gradients:
    """Backpropagation through time.

    Args:
        dc: (n_c, m, T), ∂L/∂c_t *directly*: through the output of step t, not through later states.
        x: the inputs (n_x, m, T) of `forward`.
        c_0: the initial state (n_c, m).
        c: the states (n_c, m, T) that `forward` returned.
        gates: the gates that `forward` returned.
        weights: the weights.
    """
    n_c = len(c_0)
    dW_u, db_u, dW_r, db_r, dW_c, db_c = (np.zeros_like(w) for w in weights)
    dx, dc_total = np.zeros_like(x), np.zeros_like(c)
    dc_from_later = np.zeros_like(c_0)
    for t in reversed(range(x.shape[2])):
        x_t, c_prev = x[:, :, t], c[:, :, t - 1] if t > 0 else c_0
        Γ_u, Γ_r, c_tilde = gates[t]
        dc_t = dc[:, :, t] + dc_from_later
        dc_total[:, :, t] = dc_t

        dz_u = dc_t * (c_tilde - c_prev) * Γ_u * (1 - Γ_u)
        dz_c = dc_t * Γ_u * (1 - c_tilde**2)
        dreset = weights.W_c[:, :n_c].T @ dz_c
        dz_r = dreset * c_prev * Γ_r * (1 - Γ_r)

        both = np.concatenate([c_prev, x_t])
        dW_u += dz_u @ both.T
        dW_r += dz_r @ both.T
        dW_c += dz_c @ np.concatenate([Γ_r * c_prev, x_t]).T
        db_u += dz_u.sum(axis=1, keepdims=True)
        db_r += dz_r.sum(axis=1, keepdims=True)
        db_c += dz_c.sum(axis=1, keepdims=True)

        dboth = weights.W_u.T @ dz_u + weights.W_r.T @ dz_r
        dx[:, :, t] = dboth[n_c:] + weights.W_c[:, n_c:].T @ dz_c
        dc_from_later = dc_t * (1 - Γ_u) + dreset * Γ_r + dboth[:n_c]
    return Gradients(Weights(dW_u, db_u, dW_r, db_r, dW_c, db_c), dx, dc_from_later, dc_total)
