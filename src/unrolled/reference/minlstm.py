"""The minimal long short-term memory, forward and back through time, by hand.

Forward, for t = 1 … T::

    f_t = σ(W_f x_t + b_f)                      forget gate
    i_t = σ(W_i x_t + b_i)                      input gate
    h̃_t = W_h x_t + b_h                         candidate
    f'_t = f_t / (f_t + i_t)    i'_t = i_t / (f_t + i_t)
    h_t = f'_t ⊙ h_{t-1} + i'_t ⊙ h̃_t

f' and i' add up to 1. Back, from the last step, with ∂L/∂h_t = (directly) + (from h_{t+1})::

    df' = ∂L/∂h_t ⊙ (h_{t-1} - h̃_t)            since i' = 1 - f'
    df  = df' ⊙ f'_t i'_t (1 - f_t)             to W_f x_t + b_f: f' = σ(log f - log i), and (log f)' = 1 - f
    di  = - df' ⊙ f'_t i'_t (1 - i_t)
    dh̃  = ∂L/∂h_t ⊙ i'_t
    to h_{t-1}:  ∂L/∂h_t ⊙ f'_t

Every example is a column: x_t is (n_x, m), h_t is (n_h, m); x and h are (n, m, T). All is float64.

References:
    Feng et al. 2024, Were RNNs all we needed?, https://arxiv.org/abs/2410.01201
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from unrolled.reference.rnn import sigmoid

__all__ = ["Gates", "Gradients", "Weights", "backward", "forward", "step"]

Array = np.ndarray


class Weights(NamedTuple):
    """Each W is (n_h, n_x), each b (n_h, 1)."""

    W_f: Array
    b_f: Array
    W_i: Array
    b_i: Array
    W_h: Array
    b_h: Array


class Gates(NamedTuple):
    """The gates of one step, each (n_h, m): f, i, and the candidate h̃."""

    f: Array
    i: Array
    candidate: Array


class Gradients(NamedTuple):
    """The gradients of the weights, the inputs, the initial state and every h_t (n_h, m, T)."""

    weights: Weights
    x: Array
    h_0: Array
    h: Array


def step(x_t: Array, h_prev: Array, weights: Weights) -> tuple[Array, Gates]:
    """Compute ``h_t`` and its gates.

    >>> step(np.ones((1, 1)), np.ones((1, 1)), Weights(*[np.zeros((1, 1))] * 6))[0]
    array([[0.5]])
    """
    w = weights
    f = sigmoid(w.W_f @ x_t + w.b_f)
    i = sigmoid(w.W_i @ x_t + w.b_i)
    candidate = w.W_h @ x_t + w.b_h
    return f / (f + i) * h_prev + i / (f + i) * candidate, Gates(f, i, candidate)


def forward(x: Array, h_0: Array, weights: Weights) -> tuple[Array, list[Gates]]:
    """Every state h (n_h, m, T) for x (n_x, m, T), from h_0 (n_h, m), and the gates of every step."""
    h_t, h, gates = h_0, [], []
    for t in range(x.shape[2]):
        h_t, gates_t = step(x[:, :, t], h_t, weights)
        h.append(h_t)
        gates.append(gates_t)
    return np.stack(h, axis=2), gates


def backward(dh: Array, x: Array, h_0: Array, h: Array, gates: list[Gates], weights: Weights) -> Gradients:
    """Backpropagation through time.

    Args:
        dh: (n_h, m, T), ∂L/∂h_t *directly*: through the output of step t, not through later states.
        x: the inputs (n_x, m, T) of `forward`.
        h_0: the initial state (n_h, m).
        h: the states (n_h, m, T) that `forward` returned.
        gates: the gates that `forward` returned.
        weights: the weights.
    """
    w, dw = weights, Weights(*(np.zeros_like(weight) for weight in weights))
    dx, dh_total = np.zeros_like(x), np.zeros_like(h)
    dh_from_later = np.zeros_like(h_0)
    for t in reversed(range(x.shape[2])):
        x_t, h_prev = x[:, :, t], h[:, :, t - 1] if t > 0 else h_0
        f, i, candidate = gates[t]
        kept, taken = f / (f + i), i / (f + i)
        dh_t = dh[:, :, t] + dh_from_later
        dh_total[:, :, t] = dh_t

        dkept = dh_t * (h_prev - candidate)
        df = dkept * kept * taken * (1 - f)
        di = -dkept * kept * taken * (1 - i)
        dcandidate = dh_t * taken

        for dW, db, d in ((dw.W_f, dw.b_f, df), (dw.W_i, dw.b_i, di), (dw.W_h, dw.b_h, dcandidate)):
            dW += d @ x_t.T
            db += d.sum(axis=1, keepdims=True)
        dx[:, :, t] = w.W_f.T @ df + w.W_i.T @ di + w.W_h.T @ dcandidate
        dh_from_later = dh_t * kept
    return Gradients(dw, dx, dh_from_later, dh_total)
