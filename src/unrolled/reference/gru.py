"""The gated recurrent unit as torch, cuDNN and the layers of this package compute it: reset *after* the product.

Forward, for t = 1 … T::

    r_t = σ(W_xr x_t + W_hr h_{t-1} + b_r)                       reset gate
    z_t = σ(W_xz x_t + W_hz h_{t-1} + b_z)                       update gate: 1 keeps the old state
    n_t = tanh(W_xn x_t + b_xn + r_t ⊙ (W_hn h_{t-1} + b_hn))    candidate
    h_t = (1 - z_t) ⊙ n_t + z_t ⊙ h_{t-1}

The candidate has two biases, since r_t scales only one of them. z_t is 1 - Γ_u of `unrolled.reference.gru_textbook`.

Back, from the last step, with ∂L/∂h_t = (directly) + (from h_{t+1})::

    dn = ∂L/∂h_t ⊙ (1 - z_t) ⊙ (1 - n_t²)
    dz = ∂L/∂h_t ⊙ (h_{t-1} - n_t) ⊙ z_t (1 - z_t)
    dr = dn ⊙ (W_hn h_{t-1} + b_hn) ⊙ r_t (1 - r_t)
    to h_{t-1}:  ∂L/∂h_t ⊙ z_t + W_hrᵀ dr + W_hzᵀ dz + W_hnᵀ (dn ⊙ r_t)

Every example is a column: x_t is (n_x, m), h_t is (n_h, m); x and h are (n, m, T). All is float64.

References:
    Cho et al. 2014, https://arxiv.org/abs/1406.1078
    https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html, which describes the difference
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from unrolled.reference.rnn import sigmoid

__all__ = ["Gates", "Gradients", "Weights", "backward", "forward", "step"]

Array = np.ndarray


class Weights(NamedTuple):
    """Each W_x is (n_h, n_x), each W_h (n_h, n_h), each b (n_h, 1)."""

    W_xr: Array
    W_hr: Array
    b_r: Array
    W_xz: Array
    W_hz: Array
    b_z: Array
    W_xn: Array
    W_hn: Array
    b_xn: Array
    b_hn: Array


class Gates(NamedTuple):
    """The gates of one step, each (n_h, m)."""

    r: Array
    z: Array
    n: Array


class Gradients(NamedTuple):
    """The gradients of the weights, the inputs, the initial state and every h_t (n_h, m, T)."""

    weights: Weights
    x: Array
    h_0: Array
    h: Array


def step(x_t: Array, h_prev: Array, weights: Weights) -> tuple[Array, Gates]:
    """Compute ``h_t`` and its gates.

    >>> zeros = Weights(*[np.zeros((1, 1))] * 10)
    >>> step(np.ones((1, 1)), np.ones((1, 1)), zeros)[0]
    array([[0.5]])
    """
    w = weights
    r = sigmoid(w.W_xr @ x_t + w.W_hr @ h_prev + w.b_r)
    z = sigmoid(w.W_xz @ x_t + w.W_hz @ h_prev + w.b_z)
    n = np.tanh(w.W_xn @ x_t + w.b_xn + r * (w.W_hn @ h_prev + w.b_hn))
    return (1 - z) * n + z * h_prev, Gates(r, z, n)


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
        r, z, n = gates[t]
        dh_t = dh[:, :, t] + dh_from_later
        dh_total[:, :, t] = dh_t

        dn = dh_t * (1 - z) * (1 - n**2)
        dz = dh_t * (h_prev - n) * z * (1 - z)
        dr = dn * (w.W_hn @ h_prev + w.b_hn) * r * (1 - r)

        for dw_x, d in ((dw.W_xr, dr), (dw.W_xz, dz), (dw.W_xn, dn)):
            dw_x += d @ x_t.T
        for dw_h, d in ((dw.W_hr, dr), (dw.W_hz, dz), (dw.W_hn, dn * r)):
            dw_h += d @ h_prev.T
        for db, d in ((dw.b_r, dr), (dw.b_z, dz), (dw.b_xn, dn), (dw.b_hn, dn * r)):
            db += d.sum(axis=1, keepdims=True)

        dx[:, :, t] = w.W_xr.T @ dr + w.W_xz.T @ dz + w.W_xn.T @ dn
        dh_from_later = dh_t * z + w.W_hr.T @ dr + w.W_hz.T @ dz + w.W_hn.T @ (dn * r)
    return Gradients(dw, dx, dh_from_later, dh_total)
