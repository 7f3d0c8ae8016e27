"""Attention and one transformer block, by hand, with the names of the papers.

Each function takes one example. Vectors are rows: queries Q (n_u, d_k), keys K (n_s, d_k), values V (n_s, d_v).
Forward::

    E = Q Kᵀ / √d_k                    or another score of queries and keys
    A = softmax(E), row by row         over the keys that a query may see
    C = A V                            the contexts (n_u, d_v)

Back, from ∂L/∂C, every gradient except that of the softmax is a product of matrices::

    ∂L/∂V = Aᵀ ∂L/∂C          ∂L/∂A = ∂L/∂C Vᵀ
    ∂L/∂E = A ⊙ (∂L/∂A - Σ_s ∂L/∂A ⊙ A)
    ∂L/∂Q = ∂L/∂E K / √d_k    ∂L/∂K = (∂L/∂E)ᵀ Q / √d_k

All is float64.

References:
    Bahdanau, Cho and Bengio 2014 (the additive score), https://arxiv.org/abs/1409.0473
    Vaswani et al. 2017, https://arxiv.org/abs/1706.03762
    Su et al. 2021 (rotary positions), https://arxiv.org/abs/2104.09864
    Press, Smith and Lewis 2022 (ALiBi), https://arxiv.org/abs/2108.12409
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from unrolled.reference.rnn import sigmoid

__all__ = [
    "BlockWeights",
    "HeadWeights",
    "attend",
    "backward",
    "block",
    "gelu",
    "layer_norm",
    "multi_head",
    "rms_norm",
    "rotate",
    "score",
    "sinusoid",
    "softmax_rows",
]

Array = np.ndarray


class HeadWeights(NamedTuple):
    """W_Q (d, d), W_K and W_V (d_memory, h_kv · d / h), W_O (d, d): an input is a row, x W."""

    W_Q: Array
    W_K: Array
    W_V: Array
    W_O: Array


class BlockWeights(NamedTuple):
    """The weights of self-attention, the feed-forward net (W_1, W_2, and W_gate or ``None``) and the norms (γ)."""

    own: HeadWeights
    W_1: Array
    W_gate: Array | None
    W_2: Array
    gamma_1: Array
    gamma_2: Array


def softmax_rows(E: Array) -> Array:
    """Softmax of each row; -∞ hides a key from a query, and a row of only -∞ gets weights of 0.

    >>> softmax_rows(np.array([[0.0, 0.0], [-np.inf, 3.0], [-np.inf, -np.inf]]))
    array([[0.5, 0.5],
           [0. , 1. ],
           [0. , 0. ]])
    """
    A = np.zeros_like(E)
    for u, e in enumerate(E):
        seen = np.isfinite(e)
        if seen.any():
            powers = np.exp(e[seen] - e[seen].max())
            A[u, seen] = powers / powers.sum()
    return A


def score(kind: str, q: Array, k: Array, w: Array | None = None, g: float = 1.0) -> float:
    """The score of one query and one key.

    Args:
        kind: ``additive``, ``dot``, ``scaled_dot`` or ``cosine``.
        q: the query (d_k,).
        k: the key (d_k,).
        w: the vector of the additive score (d_k,).
        g: the factor of the cosine.
    """
    if kind == "additive":
        assert w is not None
        return float(w @ np.tanh(q + k))
    if kind == "cosine":
        little = 1e-6
        return float(g * (q @ k) / np.sqrt((q @ q + little) * (k @ k + little)))
    return float(q @ k / (math.sqrt(len(q)) if kind == "scaled_dot" else 1.0))


def attend(E: Array, V: Array) -> tuple[Array, Array]:
    """The contexts C and the weights A for the scores E (n_u, n_s)."""
    A = softmax_rows(E)
    return A @ V, A


def backward(dC: Array, Q: Array, K: Array, V: Array) -> tuple[Array, Array, Array]:
    """∂L/∂Q, ∂L/∂K and ∂L/∂V of scaled-dot attention in which every query sees every key."""
    d = math.sqrt(Q.shape[1])
    A = softmax_rows(Q @ K.T / d)
    dA = dC @ V.T
    dE = A * (dA - (dA * A).sum(axis=1, keepdims=True))
    return dE @ K / d, dE.T @ Q / d, A.T @ dC


def multi_head(
    X: Array,
    M: Array,
    weights: HeadWeights,
    heads: int,
    visible: Array,
    positions: str = "none",
) -> tuple[Array, Array]:
    """Rows X (n_u, d) attend to rows M (n_s, d_memory), head by head.

    Args:
        X: the rows of the queries.
        M: the rows of the keys and values: X itself, or a memory.
        weights: the weights of all heads, concatenated.
        heads: h. If W_K has fewer heads, consecutive query heads share one.
        visible: (n_u, n_s) bool.
        positions: ``rotary`` or ``alibi``, if X and M are the same steps, or ``none``.

    Returns:
        Y (n_u, d) and the weights (h, n_u, n_s).
    """
    Q, K, V = X @ weights.W_Q, M @ weights.W_K, M @ weights.W_V
    d = Q.shape[1] // heads
    shared_by = heads // (K.shape[1] // d)
    contexts, seen = [], []
    for head in range(heads):
        other = head // shared_by
        q, k, v = Q[:, head * d : (head + 1) * d], *(part[:, other * d : (other + 1) * d] for part in (K, V))
        if positions == "rotary":
            q, k = rotate(q), rotate(k)
        E = np.array([[score("scaled_dot", row, column) for column in k] for row in q])
        if positions == "alibi":
            slope = 2 ** (-8 * (head + 1) / heads)  # of a number of heads that is a power of two
            E = E - slope * np.abs(np.arange(len(X))[:, None] - np.arange(len(M))[None, :])
        C, A = attend(np.where(visible, E, -np.inf), v)
        contexts.append(C)
        seen.append(A)
    return np.concatenate(contexts, axis=1) @ weights.W_O, np.stack(seen)


def rotate(x: Array) -> Array:
    """Row t of x (T, d): the pair (x_i, x_{i + ⌊d/2⌋}), as a complex number, times e^{i t 10000^(-2i/d)}.

    >>> rotate(np.array([[1.0, 0.0], [1.0, 0.0]])).round(2)
    array([[1.  , 0.  ],
           [0.54, 0.84]])
    """
    half, y = x.shape[1] // 2, x.copy()
    for t in range(len(x)):
        for i in range(half):
            turned = complex(x[t, i], x[t, i + half]) * np.exp(1j * t * 10_000 ** (-2 * i / x.shape[1]))
            y[t, i], y[t, i + half] = turned.real, turned.imag
    return y


def sinusoid(t: int, width: int) -> Array:
    """P[t] (width,): alternating sin and cos, with wavelengths from 2π to 20,000π."""
    angles = [t / 10_000 ** (2 * (i // 2) / width) for i in range(width)]
    return np.array([math.cos(a) if i % 2 else math.sin(a) for i, a in enumerate(angles)])


def rms_norm(x: Array, gamma: Array) -> Array:
    """γ ⊙ x / √(mean x² + ε), row by row, ε = 1e-6."""
    return gamma * x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-6)


def layer_norm(x: Array, gamma: Array) -> Array:
    """γ ⊙ (x - mean) / √(variance + ε), row by row, ε = 1e-5; without a bias."""
    centred = x - x.mean(axis=-1, keepdims=True)
    return gamma * centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)


def gelu(x: Array) -> Array:
    """Gaussian error linear unit: x Φ(x), where Φ is the normal distribution function."""
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def block(
    X: Array, weights: BlockWeights, heads: int, visible: Array, positions: str, norm_first: bool = True
) -> Array:
    """One transformer block on X (T, d): attention and feed-forward net, with RMS norms before or layer norms after.

    Args:
        X: one row of a batch.
        weights: the weights of the block; with W_gate the net is W_2ᵀ (silu(gate) ⊙ inner), else W_2ᵀ gelu(inner).
        heads: h.
        visible: (T, T) bool.
        positions: see `multi_head`.
        norm_first: whether the norms come before (RMS) or after (layer norm).
    """

    def net(x: Array) -> Array:
        inner = x @ weights.W_1
        if weights.W_gate is None:
            return gelu(inner) @ weights.W_2
        gate = x @ weights.W_gate
        return (gate * sigmoid(gate) * inner) @ weights.W_2

    if norm_first:
        x = rms_norm(X, weights.gamma_1)
        X = X + multi_head(x, x, weights.own, heads, visible, positions)[0]
        return X + net(rms_norm(X, weights.gamma_2))
    X = layer_norm(X + multi_head(X, X, weights.own, heads, visible, positions)[0], weights.gamma_1)
    return layer_norm(X + net(X), weights.gamma_2)
