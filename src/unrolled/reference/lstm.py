"""Long short-term memory, forward and back through time, by hand.

Forward, for t = 1 … T, over the column [a_prev; x_t] of the last hidden state and the input::

    ft  = σ(Wf [a_prev; x_t] + bf)          forget gate
    it  = σ(Wi [a_prev; x_t] + bi)          update (input) gate
    cct = tanh(Wc [a_prev; x_t] + bc)       candidate, c̃
    ot  = σ(Wo [a_prev; x_t] + bo)          output gate
    c_next = ft ⊙ c_prev + it ⊙ cct
    a_next = ot ⊙ tanh(c_next)

Back, from the last step. The hidden state and the memory each pass a gradient to the previous step::

    da_t = (∂L/∂a_t directly) + Σ over the gates of W_aᵀ dz_{t+1}        W_a: the columns of W that read a_prev
    dc_t = dc_{t+1} ⊙ f_{t+1} + da_t ⊙ ot ⊙ (1 - tanh²(c_t))

    dz_o = da_t ⊙ tanh(c_t) ⊙ ot (1 - ot)           dz_f = dc_t ⊙ c_prev ⊙ ft (1 - ft)
    dz_c = dc_t ⊙ it ⊙ (1 - cct²)                   dz_i = dc_t ⊙ cct ⊙ it (1 - it)

Along the memory a gradient is only multiplied by f: where the forget gate is 1 it neither vanishes nor explodes.

Every example is a column: x_t is (n_x, m), a_t and c_t are (n_a, m); x, a and c are (n, m, T_x). All is float64.
`unrolled.reference.names` lists the names in other notations.

References:
    Hochreiter and Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735
    Gers, Schmidhuber and Cummins 2000 (the forget gate), https://doi.org/10.1162/089976600300015015
    Greff et al. 2017, whose appendix has these gradients, https://arxiv.org/abs/1503.04069
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from unrolled.reference.rnn import sigmoid

__all__ = ["Gates", "Gradients", "States", "Weights", "backward", "forward", "step"]

Array = np.ndarray


class Weights(NamedTuple):
    """Each W is (n_a, n_a + n_x) over [a_prev; x_t], each b (n_a, 1)."""

    Wf: Array
    bf: Array
    Wi: Array
    bi: Array
    Wc: Array
    bc: Array
    Wo: Array
    bo: Array


class Gates(NamedTuple):
    """The gates of one step, each (n_a, m)."""

    ft: Array
    it: Array
    cct: Array
    ot: Array


class States(NamedTuple):
    """The result of `forward`: ``a`` and ``c`` (n_a, m, T_x), and the gates of every step."""

    a: Array
    c: Array
    gates: list[Gates]


class Gradients(NamedTuple):
    """The gradients of the weights, the inputs, both initial states, and every a_t and c_t (n_a, m, T_x)."""

    weights: Weights
    x: Array
    a_0: Array
    c_0: Array
    a: Array
    c: Array


def step(x_t: Array, a_prev: Array, c_prev: Array, weights: Weights) -> tuple[Array, Array, Gates]:
    """Compute ``a_next``, ``c_next`` and the gates.

    >>> shut = Weights(*[np.zeros((1, 2)), np.zeros((1, 1))] * 4)
    >>> a_next, c_next, gates = step(np.ones((1, 1)), np.zeros((1, 1)), np.ones((1, 1)), shut)
    >>> c_next, gates.ft
    (array([[0.5]]), array([[0.5]]))
    """
    both = np.concatenate([a_prev, x_t])
    ft = sigmoid(weights.Wf @ both + weights.bf)
    it = sigmoid(weights.Wi @ both + weights.bi)
    cct = np.tanh(weights.Wc @ both + weights.bc)
    ot = sigmoid(weights.Wo @ both + weights.bo)
    c_next = ft * c_prev + it * cct
    a_next = ot * np.tanh(c_next)
    return a_next, c_next, Gates(ft, it, cct, ot)


def forward(x: Array, a_0: Array, c_0: Array, weights: Weights) -> States:
    """Every state for x (n_x, m, T_x), from a_0 and c_0 (n_a, m)."""
    a_t, c_t = a_0, c_0
    a, c, gates = [], [], []
    for t in range(x.shape[2]):
        a_t, c_t, gates_t = step(x[:, :, t], a_t, c_t, weights)
        a.append(a_t)
        c.append(c_t)
        gates.append(gates_t)
    return States(np.stack(a, axis=2), np.stack(c, axis=2), gates)


def backward(
    da: Array, x: Array, a_0: Array, c_0: Array, states: States, weights: Weights, dc_last: Array | None = None
) -> Gradients:
    """Backpropagation through time.

    Args:
        da: (n_a, m, T_x), ∂L/∂a_t *directly*: through the output of step t, not through later states.
        x: the inputs (n_x, m, T_x) of `forward`.
        a_0: the initial hidden state (n_a, m).
        c_0: the initial memory (n_a, m).
        states: the result of `forward`.
        weights: the weights.
        dc_last: (n_a, m), the direct ∂L/∂c of the last step, if the loss reads the memory.
    """
    n_a = len(a_0)
    dW = {name: np.zeros_like(w) for name, w in weights._asdict().items()}
    dx, da_total, dc_total = np.zeros_like(x), np.zeros_like(states.a), np.zeros_like(states.c)
    da_from_later = np.zeros_like(a_0)
    dc_from_later = np.zeros_like(c_0) if dc_last is None else dc_last
    for t in reversed(range(x.shape[2])):
        a_prev = states.a[:, :, t - 1] if t > 0 else a_0
        c_prev = states.c[:, :, t - 1] if t > 0 else c_0
        ft, it, cct, ot = states.gates[t]
        tanh_c = np.tanh(states.c[:, :, t])
        da_t = da[:, :, t] + da_from_later
        dc_t = dc_from_later + da_t * ot * (1 - tanh_c**2)
        da_total[:, :, t], dc_total[:, :, t] = da_t, dc_t
        dz = {
            "f": dc_t * c_prev * ft * (1 - ft),
            "i": dc_t * cct * it * (1 - it),
            "c": dc_t * it * (1 - cct**2),
            "o": da_t * tanh_c * ot * (1 - ot),
        }
        both = np.concatenate([a_prev, x[:, :, t]])
        dboth = np.zeros_like(both)
        for gate, dz_gate in dz.items():
            dW[f"W{gate}"] += dz_gate @ both.T
            dW[f"b{gate}"] += dz_gate.sum(axis=1, keepdims=True)
            dboth += getattr(weights, f"W{gate}").T @ dz_gate
        da_from_later, dx[:, :, t] = dboth[:n_a], dboth[n_a:]
        dc_from_later = dc_t * ft
    return Gradients(Weights(**dW), dx, da_from_later, dc_from_later, da_total, dc_total)
