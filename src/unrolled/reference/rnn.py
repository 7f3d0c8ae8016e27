"""The simple recurrent network, forward and back through time, by hand.

Forward, for t = 1 … T::

    h_t = φ(W_xh x_t + W_hh h_{t-1} + b_h)

The loss L is a sum over the steps. A state h_t affects it in two ways: directly, through the output of step t, and
through h_{t+1}, which is computed from it. So its gradient has two parts, computed from the last step to the first::

    ∂L/∂h_t = (∂L/∂h_t directly) + W_hhᵀ dz_{t+1}           dz_t = φ'(z_t) ⊙ ∂L/∂h_t

All steps use the same weights, so each step adds to their gradient::

    ∂L/∂W_xh = Σ_t dz_t x_tᵀ      ∂L/∂W_hh = Σ_t dz_t h_{t-1}ᵀ      ∂L/∂b_h = Σ_t dz_t

Going back over k steps multiplies by W_hhᵀ and φ' k times: this is where gradients vanish or explode.

Every example is a column: x_t is (n_x, m) and h_t (n_h, m) for m examples; x is (n_x, m, T), h is (n_h, m, T). All is
float64. `unrolled.reference.names` lists the names in other notations.

References:
    Werbos 1990, Backpropagation through time, https://doi.org/10.1109/5.58337
    Goodfellow, Bengio and Courville 2016, chapter 10, https://www.deeplearningbook.org/contents/rnn.html
    Pascanu, Mikolov and Bengio 2013, https://arxiv.org/abs/1211.5063
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

__all__ = ["NONLINEARITIES", "Gradients", "Weights", "backward", "forward", "sigmoid", "step"]

Array = np.ndarray


class Weights(NamedTuple):
    """``W_xh`` (n_h, n_x), ``W_hh`` (n_h, n_h), ``b_h`` (n_h, 1)."""

    W_xh: Array
    W_hh: Array
    b_h: Array


class Gradients(NamedTuple):
    """The gradients of the loss with respect to the weights, the inputs, h_0 and every state.

    ``h`` (n_h, m, T) holds both parts of ∂L/∂h_t for t = 1 … T. Its norm over t shows how far back the loss reaches.
    """

    weights: Weights
    x: Array
    h_0: Array
    h: Array


def sigmoid(z: Array) -> Array:
    """``1 / (1 + e^{-z})``, written so that no z overflows."""
    return 0.5 * (1 + np.tanh(0.5 * z))


# name -> (φ, φ' as a function of h = φ(z))
NONLINEARITIES: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "tanh": (np.tanh, lambda h: 1 - h**2),
    "relu": (lambda z: np.maximum(z, 0), lambda h: (h > 0).astype(h.dtype)),
    "sigmoid": (sigmoid, lambda h: h * (1 - h)),
}


def step(x_t: Array, h_prev: Array, weights: Weights, nonlinearity: str = "tanh") -> Array:
    """``h_t = φ(W_xh x_t + W_hh h_{t-1} + b_h)``.

    >>> step(np.ones((1, 1)), np.zeros((1, 1)), Weights(np.ones((1, 1)), np.ones((1, 1)), np.zeros((1, 1)))).round(4)
    array([[0.7616]])
    """
    φ, _ = NONLINEARITIES[nonlinearity]
    return φ(weights.W_xh @ x_t + weights.W_hh @ h_prev + weights.b_h)


def forward(x: Array, h_0: Array, weights: Weights, nonlinearity: str = "tanh") -> Array:
    """Every state h (n_h, m, T) for x (n_x, m, T), from h_0 (n_h, m)."""
    h_t, states = h_0, []
    for t in range(x.shape[2]):
        h_t = step(x[:, :, t], h_t, weights, nonlinearity)
        states.append(h_t)
    return np.stack(states, axis=2)


def backward(dh: Array, x: Array, h_0: Array, h: Array, weights: Weights, nonlinearity: str = "tanh") -> Gradients:
    """Backpropagation through time.

    Args:
        dh: (n_h, m, T), ∂L/∂h_t *directly*: through the output of step t, not through later states.
        x: the inputs (n_x, m, T) of `forward`.
        h_0: the initial state (n_h, m).
        h: the states (n_h, m, T) that `forward` returned.
        weights: the weights.
        nonlinearity: the name of φ.
    """
    _, slope = NONLINEARITIES[nonlinearity]
    dW_xh, dW_hh, db_h = (np.zeros_like(w) for w in weights)
    dx, dh_total = np.zeros_like(x), np.zeros_like(h)
    dh_from_later = np.zeros_like(h_0)
    for t in reversed(range(x.shape[2])):
        h_prev = h[:, :, t - 1] if t > 0 else h_0
        dh_total[:, :, t] = dh[:, :, t] + dh_from_later
        dz = slope(h[:, :, t]) * dh_total[:, :, t]
        dW_xh += dz @ x[:, :, t].T
        dW_hh += dz @ h_prev.T
        db_h += dz.sum(axis=1, keepdims=True)
        dx[:, :, t] = weights.W_xh.T @ dz
        dh_from_later = weights.W_hh.T @ dz
    return Gradients(Weights(dW_xh, dW_hh, db_h), dx, dh_from_later, dh_total)
