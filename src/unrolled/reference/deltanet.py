"""The gated delta rule, forward and back through time, and the blocks around it, forward, by hand.

The rule, for t = 1 … T, with a matrix S (n_v, n_k) as memory::

    r_t = v_t - a_t S_{t-1} k_t                 the error of the decayed memory for this key
    u_t = b_t r_t                               the share of it that is corrected
    S_t = a_t S_{t-1} + u_t k_tᵀ
    o_t = S_t q_t

which is S_t = a_t S_{t-1} (I - b_t k_t k_tᵀ) + b_t v_t k_tᵀ. Back, with ∂L/∂S_t = (∂L/∂o_t) q_tᵀ + (from S_{t+1})::

    dq = S_tᵀ ∂L/∂o_t
    du = ∂L/∂S_t k_t    db = du · r_t    dr = b_t du    dv = dr
    dk = ∂L/∂S_tᵀ u_t - a_t S_{t-1}ᵀ dr
    da = ⟨∂L/∂S_t, S_{t-1}⟩ - dr · S_{t-1} k_t
    to S_{t-1}:  a_t (∂L/∂S_t - dr k_tᵀ)

A block, for each step of a row, x_t (n_h,)::

    p_t = norm(x_t)     q̃_t, k̃_t, ṽ_t = silu(Σ_j w_j ⊙ (W p_{t-j} + b)), each with its own W, b and w_0 … w_3
    each head: q_t = q̃_t / ‖q̃_t‖, k_t = k̃_t / ‖k̃_t‖, v_t = ṽ_t, and a_t, b_t = σ(W_a p_t + c_a), σ(W_b p_t + c_b)
    x'_t = x_t + W_o (norm(o_t) ⊙ silu(W_g p_t + b_g))
    y_t = x'_t + W_3 (silu(W_1 norm(x'_t) + b_1) ⊙ (W_2 norm(x'_t) + b_2)) + b_3

All is float64, one row at a time.

References:
    Yang, Kautz and Hatamizadeh 2024, Gated delta networks, https://arxiv.org/abs/2412.06464
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from unrolled.reference.rnn import sigmoid

__all__ = ["Block", "Gradients", "Inputs", "backward", "block", "forward", "rms_norm"]

Array = np.ndarray


class Inputs(NamedTuple):
    """q and k (n_k, T), v (n_v, T), a and b (T,)."""

    q: Array
    k: Array
    v: Array
    a: Array
    b: Array


class Gradients(NamedTuple):
    """The gradients of the inputs and the initial memory."""

    inputs: Inputs
    S_0: Array


class Block(NamedTuple):
    """Each W of q, k, v, g, o is (n_h, n_h), each w (4, n_h), oldest step first, W_a and W_b (heads, n_h)."""

    norm_1: Array
    W_q: Array
    W_k: Array
    W_v: Array
    W_g: Array
    W_a: Array
    W_b: Array
    b_q: Array
    b_k: Array
    b_v: Array
    b_g: Array
    c_a: Array
    c_b: Array
    w_q: Array
    w_k: Array
    w_v: Array
    norm_o: Array
    W_o: Array
    norm_2: Array
    W_1: Array
    W_2: Array
    b_1: Array
    b_2: Array
    W_3: Array
    b_3: Array


def forward(x: Inputs, S_0: Array) -> tuple[Array, Array]:
    """Compute every output o (n_v, T) and every memory S (n_v, n_k, T).

    >>> one = np.ones((1, 2))
    >>> o, S = forward(Inputs(one, one, np.array([[3.0, 5.0]]), np.ones(2), np.ones(2)), np.zeros((1, 1)))
    >>> o.tolist()
    [[3.0, 5.0]]
    """
    S_t, S, o = S_0, [], []
    for t in range(len(x.a)):
        k_t, v_t = x.k[:, t], x.v[:, t]
        u_t = x.b[t] * (v_t - x.a[t] * S_t @ k_t)
        S_t = x.a[t] * S_t + np.outer(u_t, k_t)
        S.append(S_t)
        o.append(S_t @ x.q[:, t])
    return np.stack(o, axis=1), np.stack(S, axis=2)


def backward(do: Array, dS_T: Array, x: Inputs, S_0: Array, S: Array) -> Gradients:
    """Backpropagation through time.

    Args:
        do: (n_v, T), ∂L/∂o_t.
        dS_T: (n_v, n_k), the direct ∂L/∂S_T, in addition to the part through o_T.
        x: the inputs of `forward`.
        S_0: the initial memory.
        S: the memories (n_v, n_k, T) that `forward` returned.
    """
    d, dS = Inputs(*(np.zeros_like(part) for part in x)), dS_T
    for t in reversed(range(len(x.a))):
        S_prev, q_t, k_t = S[:, :, t - 1] if t > 0 else S_0, x.q[:, t], x.k[:, t]
        a_t, b_t, r_t = x.a[t], x.b[t], x.v[:, t] - x.a[t] * S_prev @ k_t
        dS = dS + np.outer(do[:, t], q_t)
        d.q[:, t] = S[:, :, t].T @ do[:, t]
        du = dS @ k_t
        dr = b_t * du
        d.b[t] = du @ r_t
        d.v[:, t] = dr
        d.k[:, t] = dS.T @ (b_t * r_t) - a_t * S_prev.T @ dr
        d.a[t] = (dS * S_prev).sum() - dr @ S_prev @ k_t
        dS = a_t * (dS - np.outer(dr, k_t))
    return Gradients(d, dS)


def rms_norm(x: Array, scale: Array, eps: float) -> Array:
    """Each column of x (n, T) divided by its root mean square, and each row multiplied by its scale (n,)."""
    return scale[:, None] * x / np.sqrt((x**2).mean(axis=0) + eps)


def block(x: Array, w: Block, eps: float, eps_o: float) -> tuple[Array, Array]:
    """Run one block from an empty memory: x (n_h, T) -> y (n_h, T) and the last memory of each head (heads, n, n).

    Args:
        x: the input.
        w: the weights.
        eps: added to the mean square in both norms of the block.
        eps_o: added to the mean square in the norm of the memory's output.
    """
    heads, p = len(w.c_a), rms_norm(x, w.norm_1, eps)
    q, k, v = (
        _silu(_convolution(W @ p + b[:, None], taps))
        for W, b, taps in ((w.W_q, w.b_q, w.w_q), (w.W_k, w.b_k, w.w_k), (w.W_v, w.b_v, w.w_v))
    )
    a, b = sigmoid(w.W_a @ p + w.c_a[:, None]), sigmoid(w.W_b @ p + w.c_b[:, None])  # (heads, T)
    answers, memories = [], []
    for h, (q_h, k_h, v_h) in enumerate(zip(*(np.split(part, heads) for part in (q, k, v)), strict=True)):
        o, S = forward(Inputs(_unit(q_h), _unit(k_h), v_h, a[h], b[h]), np.zeros((len(v_h), len(k_h))))
        answers.append(rms_norm(o, w.norm_o, eps_o))
        memories.append(S[:, :, -1])
    x = x + w.W_o @ (np.concatenate(answers) * _silu(w.W_g @ p + w.b_g[:, None]))
    p = rms_norm(x, w.norm_2, eps)
    gated = _silu(w.W_1 @ p + w.b_1[:, None]) * (w.W_2 @ p + w.b_2[:, None])
    return x + w.W_3 @ gated + w.b_3[:, None], np.stack(memories)


def _convolution(x: Array, taps: Array) -> Array:
    y = np.zeros_like(x)
    for t in range(x.shape[1]):
        for j, tap in enumerate(reversed(taps)):
            if t - j >= 0:
                y[:, t] += tap * x[:, t - j]
    return y


def _silu(z: Array) -> Array:
    return z * sigmoid(z)


def _unit(x: Array) -> Array:
    return x / np.sqrt((x**2).sum(axis=0) + 1e-6)
