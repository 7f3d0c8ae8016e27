"""The output layer: a prediction at each step, its loss, the sum over the steps, and gradient clipping.

At each step::

    yt_pred = softmax(Wy a_t + by)          (n_y, m)            also written  ŷ_t = softmax(W_hy h_t + b_y)
    L_t = -Σ log yt_pred[label]             summed over the m examples, in nats
    L = Σ_t L_t

Softmax and cross-entropy together have a simple gradient: ∂L_t/∂z_t = ŷ_t - onehot(label).

References:
    Goodfellow, Bengio and Courville 2016, sections 6.2.2 and 10.2.2, https://www.deeplearningbook.org
    Pascanu, Mikolov and Bengio 2013 (clipping by norm), https://arxiv.org/abs/1211.5063
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["Output", "OutputGradients", "clip_by_norm", "cross_entropy", "predict", "softmax", "total_loss"]

Array = np.ndarray


class Output(NamedTuple):
    """``Wy`` (n_y, n_a), ``by`` (n_y, 1); also written W_hy and b_y."""

    Wy: Array
    by: Array


class OutputGradients(NamedTuple):
    """The gradients of the output weights, and the direct ∂L/∂a_t (n_a, m, T_x), the input of a cell's ``backward``."""

    weights: Output
    a: Array


def softmax(z: Array) -> Array:
    """``e^z / Σ e^z`` down each column; the largest is subtracted first, so that nothing overflows.

    >>> softmax(np.array([[1000.0], [1000.0]]))
    array([[0.5],
           [0.5]])
    """
    e = np.exp(z - z.max(axis=0, keepdims=True))
    return e / e.sum(axis=0, keepdims=True)


def cross_entropy(y_pred: Array, labels: Array) -> float:
    """``-Σ log y_pred[label]`` over the examples: y_pred (n_y, m), labels (m,) integers; in nats."""
    return float(-np.log(y_pred[labels, np.arange(len(labels))]).sum())


def predict(a: Array, output: Output) -> Array:
    """ŷ (n_y, m, T_x): the predicted distribution at each step, from a (n_a, m, T_x)."""
    return np.stack([softmax(output.Wy @ a[:, :, t] + output.by) for t in range(a.shape[2])], axis=2)


def total_loss(a: Array, labels: Array, output: Output) -> tuple[float, OutputGradients]:
    """The loss L, summed over the steps, and its gradients; labels (m, T_x) integers."""
    y_pred, loss = predict(a, output), 0.0
    dWy, dby = (np.zeros_like(w) for w in output)
    da = np.zeros_like(a)
    for t in range(a.shape[2]):
        loss += cross_entropy(y_pred[:, :, t], labels[:, t])
        dz = y_pred[:, :, t].copy()
        dz[labels[:, t], np.arange(len(labels))] -= 1
        dWy += dz @ a[:, :, t].T
        dby += dz.sum(axis=1, keepdims=True)
        da[:, :, t] = output.Wy.T @ dz
    return loss, OutputGradients(Output(dWy, dby), da)


def clip_by_norm(gradients: Sequence[Array], largest: float) -> tuple[list[Array], float]:
    """Scale the gradients down if their joint norm exceeds ``largest``; returns them and the norm before scaling.

    This keeps their direction, which clipping each number separately would change.

    >>> clip_by_norm([np.array([3.0]), np.array([4.0])], 1.0)
    ([array([0.6]), array([0.8])], 5.0)
    """
    norm = float(np.sqrt(sum((gradient**2).sum() for gradient in gradients)))
    scale = min(1.0, largest / norm) if norm > 0 else 1.0
    return [scale * gradient for gradient in gradients], norm
