"""A block of a temporal convolutional network, forward and back, by hand.

Forward, for t = 1 … T, with the dilation d and kernels of k steps; what lies before the start is 0::

    u_t = Σ_{j<k} U_j x_{t-jd} + b     z_t = relu(u_t)
    v_t = Σ_{j<k} V_j z_{t-jd} + c     f_t = relu(v_t)
    s_t = P x_t + f_t                  y_t = relu(s_t)

Back, from t = T to 1; a step is read by those j·d steps after it, so its gradient comes from there::

    ds_t = [s_t > 0] ⊙ ∂L/∂y_t         dP = Σ_t ds_t x_tᵀ
    dv_t = [v_t > 0] ⊙ ds_t            dV_j = Σ_t dv_t z_{t-jd}ᵀ    dc = Σ_t dv_t
    dz_t = Σ_j V_jᵀ dv_{t+jd}
    du_t = [u_t > 0] ⊙ dz_t            dU_j = Σ_t du_t x_{t-jd}ᵀ    db = Σ_t du_t
    dx_t = Pᵀ ds_t + Σ_j U_jᵀ du_{t+jd}

Axes are (n, m, T): n entries, m rows, T steps; all is float64.

References:
    Bai, Kolter and Koltun 2018, https://arxiv.org/abs/1803.01271
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Gradients", "States", "Weights", "backward", "forward"]

Array = np.ndarray


class Weights(NamedTuple):
    """U (k, n_h, n_x), V (k, n_h, n_h), the newest step first; P (n_h, n_x); b and c (n_h, 1)."""

    U: Array
    b: Array
    V: Array
    c: Array
    P: Array


class States(NamedTuple):
    """z, f and y of every step, each (n_h, m, T)."""

    z: Array
    f: Array
    y: Array


class Gradients(NamedTuple):
    """The gradients of the weights and the input."""

    weights: Weights
    x: Array


def forward(x: Array, weights: Weights, dilation: int) -> States:
    """Run the block over x (n_x, m, T).

    >>> one, zero = np.ones((2, 1, 1)), np.zeros((1, 1))
    >>> weights = Weights(U=one, b=zero, V=one, c=zero, P=zero)
    >>> forward(np.array([[[1.0, 0.0, 0.0, 0.0]]]), weights, dilation=1).y.tolist()
    [[[1.0, 2.0, 1.0, 0.0]]]
    """
    z = np.maximum(_convolution(x, weights.U, dilation) + weights.b[:, :, None], 0)
    f = np.maximum(_convolution(z, weights.V, dilation) + weights.c[:, :, None], 0)
    return States(z, f, np.maximum(np.einsum("hx,xmt->hmt", weights.P, x) + f, 0))


def backward(dy: Array, x: Array, states: States, weights: Weights, dilation: int) -> Gradients:
    """Backpropagation through the block.

    Args:
        dy: (n_h, m, T), ∂L/∂y_t.
        x: the input of `forward`.
        states: what `forward` returned.
        weights: the weights.
        dilation: d ≥ 1.
    """
    ds = (states.y > 0) * dy
    dv = (states.f > 0) * ds
    dz, dV = _convolution_back(dv, states.z, weights.V, dilation)
    du = (states.z > 0) * dz
    dx, dU = _convolution_back(du, x, weights.U, dilation)
    b, c = (d.sum(axis=(1, 2))[:, None] for d in (du, dv))
    dx += np.einsum("hx,hmt->xmt", weights.P, ds)
    return Gradients(Weights(dU, b, dV, c, np.einsum("hmt,xmt->hx", ds, x)), dx)


def _convolution(x: Array, W: Array, dilation: int) -> Array:
    y = np.zeros((W.shape[1], *x.shape[1:]))
    for t in range(x.shape[2]):
        for j, W_j in enumerate(W):
            if t - j * dilation >= 0:
                y[:, :, t] += W_j @ x[:, :, t - j * dilation]
    return y


def _convolution_back(dy: Array, x: Array, W: Array, dilation: int) -> tuple[Array, Array]:
    dx, dW = np.zeros(x.shape), np.zeros(W.shape)
    for t in range(x.shape[2]):
        for j, W_j in enumerate(W):
            if (before := t - j * dilation) >= 0:
                dx[:, :, before] += W_j.T @ dy[:, :, t]
                dW[j] += dy[:, :, t] @ x[:, :, before].T
    return dx, dW
