"""Long short-term memory with layer normalisation, forward and back through time, by hand.

Forward, for t = 1 … T, with all four gates below each other, in the order i, f, g, o::

    z_t = α_x ⊙ norm(W_x x_t) + α_h ⊙ norm(W_h h_{t-1}) + b
    i, f, o = σ(z_i), σ(z_f), σ(z_o);   g = tanh(z_g)
    c_t = f ⊙ c_{t-1} + i ⊙ g
    h_t = o ⊙ tanh(α_c ⊙ norm(c_t) + b_c)

    norm(v) = (v - mean(v)) / s,   s = √(var(v) + ε),   ε = 10⁻³,   over all entries of the column v

Back, from the last step. With n = norm(v), a gradient dn passes the norm as::

    dv = (dn - mean(dn) - n ⊙ mean(dn ⊙ n)) / s

since every entry of v moves the mean and the deviation of all. So a common shift or scale of v gets no gradient. With
dr_t = ∂L/∂h_t ⊙ o ⊙ (1 - tanh²(α_c ⊙ norm(c_t) + b_c)) at what is read from the memory::

    dc_t = (from c_{t+1}) + through the norm of c_t: α_c ⊙ dr_t
    dz   = the LSTM's;  to W_x x_t, through its norm: α_x ⊙ dz;  to W_h h_{t-1}, through its norm: α_h ⊙ dz
    to c_{t-1}: dc_t ⊙ f;  to h_{t-1}: W_hᵀ (what reaches W_h h_{t-1})

Every example is a column: x_t is (n_x, m), h_t and c_t are (n_h, m); x, h and c are (n, m, T). All is float64.

References:
    Ba, Kiros and Hinton 2016, equations 20 to 22, https://arxiv.org/abs/1607.06450. Their two shifts β of the products
    are one sum with the bias: here all three are b.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from unrolled.reference.rnn import sigmoid

__all__ = ["EPSILON", "Gradients", "States", "Weights", "backward", "forward", "step"]

Array = np.ndarray
EPSILON = 1e-3


class Weights(NamedTuple):
    """W_x (4n_h, n_x), W_h (4n_h, n_h); b, α_x, α_h (4n_h, 1); α_c, b_c (n_h, 1)."""

    W_x: Array
    W_h: Array
    b: Array
    α_x: Array
    α_h: Array
    α_c: Array
    b_c: Array


class States(NamedTuple):
    """The result of `forward`: ``h`` and ``c`` (n_h, m, T)."""

    h: Array
    c: Array


class Gradients(NamedTuple):
    """The gradients of the weights, the inputs and both initial states."""

    weights: Weights
    x: Array
    h_0: Array
    c_0: Array


def step(x_t: Array, h_prev: Array, c_prev: Array, weights: Weights) -> tuple[Array, Array]:
    """Compute ``h_t`` and ``c_t``.

    >>> shut = Weights(np.ones((4, 1)), np.ones((4, 1)), *[np.zeros((4, 1))] * 3, *[np.zeros((1, 1))] * 2)
    >>> step(np.ones((1, 1)), np.zeros((1, 1)), np.ones((1, 1)), shut)[1]
    array([[0.5]])
    """
    w = weights
    i, f, g, o = _gates(x_t, h_prev, w)
    c_t = f * c_prev + i * g
    return o * np.tanh(w.α_c * _norm(c_t)[0] + w.b_c), c_t


def forward(x: Array, h_0: Array, c_0: Array, weights: Weights) -> States:
    """Every state for x (n_x, m, T), from h_0 and c_0 (n_h, m)."""
    h_t, c_t, h, c = h_0, c_0, [], []
    for t in range(x.shape[2]):
        h_t, c_t = step(x[:, :, t], h_t, c_t, weights)
        h.append(h_t)
        c.append(c_t)
    return States(np.stack(h, axis=2), np.stack(c, axis=2))


def backward(
    dh: Array, x: Array, h_0: Array, c_0: Array, states: States, weights: Weights, dc_last: Array | None = None
) -> Gradients:
    """Backpropagation through time.

    Args:
        dh: (n_h, m, T), ∂L/∂h_t *directly*: through the output of step t, not through later states.
        x: the inputs (n_x, m, T) of `forward`.
        h_0: the initial hidden state (n_h, m).
        c_0: the initial memory (n_h, m).
        states: the result of `forward`.
        weights: the weights.
        dc_last: (n_h, m), the direct ∂L/∂c of the last step, if the loss reads the memory.
    """
    w, dw, dx = weights, Weights(*(np.zeros_like(weight) for weight in weights)), np.zeros_like(x)
    dh_from_later, dc_from_later = np.zeros_like(h_0), np.zeros_like(c_0) if dc_last is None else dc_last
    for t in reversed(range(x.shape[2])):
        x_t, h_prev = x[:, :, t], states.h[:, :, t - 1] if t > 0 else h_0
        c_prev, c_t = states.c[:, :, t - 1] if t > 0 else c_0, states.c[:, :, t]
        i, f, g, o = _gates(x_t, h_prev, w)
        n, s = _norm(c_t)
        read = np.tanh(w.α_c * n + w.b_c)
        dh_t = dh[:, :, t] + dh_from_later

        dr = dh_t * o * (1 - read**2)
        dc_t = dc_from_later + _through_norm(w.α_c * dr, n, s)
        di, df, dg, do = dc_t * g, dc_t * c_prev, dc_t * i, dh_t * read
        dz = np.concatenate([di * i * (1 - i), df * f * (1 - f), dg * (1 - g**2), do * o * (1 - o)])

        for total, d in ((dw.b, dz), (dw.α_c, dr * n), (dw.b_c, dr)):
            total += d.sum(axis=1, keepdims=True)
        into = []
        for v, W, α, dW, dα in ((x_t, w.W_x, w.α_x, dw.W_x, dw.α_x), (h_prev, w.W_h, w.α_h, dw.W_h, dw.α_h)):
            n, s = _norm(W @ v)
            d_product = _through_norm(α * dz, n, s)
            dα += (dz * n).sum(axis=1, keepdims=True)
            dW += d_product @ v.T
            into.append(W.T @ d_product)
        dx[:, :, t], dh_from_later = into
        dc_from_later = dc_t * f
    return Gradients(dw, dx, dh_from_later, dc_from_later)


def _gates(x_t: Array, h_prev: Array, w: Weights) -> tuple[Array, Array, Array, Array]:
    z = w.α_x * _norm(w.W_x @ x_t)[0] + w.α_h * _norm(w.W_h @ h_prev)[0] + w.b
    z_i, z_f, z_g, z_o = np.split(z, 4)
    return sigmoid(z_i), sigmoid(z_f), np.tanh(z_g), sigmoid(z_o)


def _norm(v: Array) -> tuple[Array, Array]:
    """norm(v) of each column, and s (1, m)."""
    s = np.sqrt(v.var(axis=0, keepdims=True) + EPSILON)
    return (v - v.mean(axis=0, keepdims=True)) / s, s


def _through_norm(dn: Array, n: Array, s: Array) -> Array:
    """The gradient of v, from that of n = norm(v)."""
    return (dn - dn.mean(axis=0, keepdims=True) - n * (dn * n).mean(axis=0, keepdims=True)) / s
