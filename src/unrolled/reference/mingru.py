"""The minimal gated recurrent unit, forward and back through time, by hand.

Forward, for t = 1 … T::

    z_t = σ(W_z x_t + b_z)                      update gate: 1 takes the new state
    h̃_t = W_h x_t + b_h                         candidate
    h_t = (1 - z_t) ⊙ h_{t-1} + z_t ⊙ h̃_t

Neither z_t nor h̃_t reads the state, so each state is linear in the previous one. Back, from the last step, with
∂L/∂h_t = (directly) + (from h_{t+1}), the gradient passes only through the gate::

    dz = ∂L/∂h_t ⊙ (h̃_t - h_{t-1}) ⊙ z_t (1 - z_t)
    dh̃ = ∂L/∂h_t ⊙ z_t
    to h_{t-1}:  ∂L/∂h_t ⊙ (1 - z_t)

Every example is a column: x_t is (n_x, m), h_t is (n_h, m); x and h are (n, m, T). All is float64.

References:
    Feng et al. 2024, Were RNNs all we needed?, https://arxiv.org/abs/2410.01201
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from unrolled.reference.rnn import sigmoid

__all__ = ["Gradients", "Weights", "backward", "forward", "step"]

Array = np.ndarray


class Weights(NamedTuple):
    """Each W is (n_h, n_x), each b (n_h, 1)."""

    W_z: Array
    b_z: Array
    W_h: Array
    b_h: Array


class Gradients(NamedTuple):
    """The gradients of the weights, the inputs, the initial state and every h_t (n_h, m, T)."""

    weights: Weights
    x: Array
    h_0: Array
    h: Array


def step(x_t: Array, h_prev: Array, weights: Weights) -> Array:
    """Compute ``h_t``.

    >>> step(np.ones((1, 1)), np.ones((1, 1)), Weights(*[np.zeros((1, 1))] * 4))
    array([[0.5]])
    """
    w = weights
    z = sigmoid(w.W_z @ x_t + w.b_z)
    return (1 - z) * h_prev + z * (w.W_h @ x_t + w.b_h)


def forward(x: Array, h_0: Array, weights: Weights) -> Array:
    """Every state h (n_h, m, T) for x (n_x, m, T), from h_0 (n_h, m)."""
    h_t, h = h_0, []
    for t in range(x.shape[2]):
        h_t = step(x[:, :, t], h_t, weights)
        h.append(h_t)
    return np.stack(h, axis=2)


def backward(dh: Array, x: Array, h_0: Array, h: Array, weights: Weights) -> Gradients:
    """Backpropagation through time.

    Args:
        dh: (n_h, m, T), ∂L/∂h_t *directly*: through the output of step t, not through later states.
        x: the inputs (n_x, m, T) of `forward`.
        h_0: the initial state (n_h, m).
        h: the states (n_h, m, T) that `forward` returned.
        weights: the weights.
    """
    w, dw = weights, Weights(*(np.zeros_like(weight) for weight in weights))
    dx, dh_total = np.zeros_like(x), np.zeros_like(h)
    dh_from_later = np.zeros_like(h_0)
    for t in reversed(range(x.shape[2])):
        x_t, h_prev = x[:, :, t], h[:, :, t - 1] if t > 0 else h_0
        z, candidate = sigmoid(w.W_z @ x_t + w.b_z), w.W_h @ x_t + w.b_h
        dh_t = dh[:, :, t] + dh_from_later
        dh_total[:, :, t] = dh_t

        dz = dh_t * (candidate - h_prev) * z * (1 - z)
        dcandidate = dh_t * z

        for dW, db, d in ((dw.W_z, dw.b_z, dz), (dw.W_h, dw.b_h, dcandidate)):
            dW += d @ x_t.T
            db += d.sum(axis=1, keepdims=True)
        dx[:, :, t] = w.W_z.T @ dz + w.W_h.T @ dcandidate
        dh_from_later = dh_t * (1 - z)
    return Gradients(dw, dx, dh_from_later, dh_total)
