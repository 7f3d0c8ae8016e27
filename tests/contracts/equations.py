"""Each cell's equations, from reference/: one row through time and, by hand, back. A new cell adds its line here.

Axes: T steps, I inputs, H hidden units; weights in torch's order and shapes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from unrolled.reference import gru, gru_textbook, lnlstm, lstm, mingru, minlstm, names, rnn
from unrolled.reference.names import TorchWeights

__all__ = ["EQUATIONS", "Ends", "Passed"]

Array = np.ndarray
Ends = tuple[Array, ...]
Back = Callable[[Array, Ends], tuple[Array, list[Array]]]


class Passed(NamedTuple):
    """``y`` (T, H), the parts of the final state (H,), and ``back(dy, dends) -> dx, dweights``."""

    y: Array
    ends: Ends
    back: Back


def _columns(x: Array) -> Array:
    return x.T[:, None, :]  # (T, I) -> (I, 1, T)


def _rows(x: Array) -> Array:
    return x[:, 0, :].T


def _with_end(dy: Array, dh: Array) -> Array:
    """The final h is the last output: its gradient belongs to the last step."""
    dy = dy.copy()
    dy[-1] += dh
    return _columns(dy)


def _both_biases(weights: TorchWeights) -> list[Array]:
    """The gradient of a sum goes to both its parts."""
    return [weights.weight_ih, weights.weight_hh, weights.bias_ih, weights.bias_ih]


def _empty(parts: int, hidden: int, weights: list[Array]) -> Passed:
    zeros = tuple(np.zeros(hidden) for _ in range(parts))
    nothing = [np.zeros_like(w) for w in weights]
    return Passed(np.zeros((0, hidden)), zeros, lambda dy, dends: (np.zeros((0, weights[0].shape[1])), nothing))


def _rnn(nonlinearity: str) -> Callable[[Array, list[Array]], Passed]:
    def run(x: Array, weights: list[Array]) -> Passed:
        hidden = weights[1].shape[1]
        if len(x) == 0:
            return _empty(1, hidden, weights)
        w, x, h_0 = names.rnn_from_torch(TorchWeights(*weights)), _columns(x), np.zeros((hidden, 1))
        h = rnn.forward(x, h_0, w, nonlinearity)

        def back(dy: Array, dends: Ends) -> tuple[Array, list[Array]]:
            found = rnn.backward(_with_end(dy, dends[0]), x, h_0, h, w, nonlinearity)
            return _rows(found.x), _both_biases(names.rnn_to_torch(found.weights))

        return Passed(_rows(h), (h[:, 0, -1],), back)

    return run


def _gru(x: Array, weights: list[Array]) -> Passed:
    hidden = weights[1].shape[1]
    if len(x) == 0:
        return _empty(1, hidden, weights)
    w, x, h_0 = names.gru_from_torch(TorchWeights(*weights)), _columns(x), np.zeros((hidden, 1))
    h, gates = gru.forward(x, h_0, w)

    def back(dy: Array, dends: Ends) -> tuple[Array, list[Array]]:
        found = gru.backward(_with_end(dy, dends[0]), x, h_0, h, gates, w)
        torch = names.gru_to_torch(found.weights)
        dbias_hh = torch.bias_ih.copy()
        dbias_hh[-hidden:] = torch.bias_hh[-hidden:]  # the candidate's two biases are not one sum
        return _rows(found.x), [torch.weight_ih, torch.weight_hh, torch.bias_ih, dbias_hh]

    return Passed(_rows(h), (h[:, 0, -1],), back)


def _gru_textbook(x: Array, weights: list[Array]) -> Passed:
    hidden = weights[1].shape[1]
    if len(x) == 0:
        return _empty(1, hidden, weights)
    w, x, h_0 = names.gru_textbook_from_layer(TorchWeights(*weights)), _columns(x), np.zeros((hidden, 1))
    h, gates = gru_textbook.forward(x, h_0, w)

    def back(dy: Array, dends: Ends) -> tuple[Array, list[Array]]:
        found = gru_textbook.backward(_with_end(dy, dends[0]), x, h_0, h, gates, w)
        return _rows(found.x), _both_biases(names.gru_textbook_to_layer(found.weights))

    return Passed(_rows(h), (h[:, 0, -1],), back)


def _lstm(x: Array, weights: list[Array]) -> Passed:
    hidden = weights[1].shape[1]
    if len(x) == 0:
        return _empty(2, hidden, weights)
    w, x, zeros = names.lstm_from_torch(TorchWeights(*weights)), _columns(x), np.zeros((hidden, 1))
    states = lstm.forward(x, zeros, zeros, w)

    def back(dy: Array, dends: Ends) -> tuple[Array, list[Array]]:
        dh, dc = dends
        found = lstm.backward(_with_end(dy, dh), x, zeros, zeros, states, w, dc[:, None])
        return _rows(found.x), _both_biases(names.lstm_to_torch(found.weights))

    return Passed(_rows(states.a), (states.a[:, 0, -1], states.c[:, 0, -1]), back)


def _lnlstm(x: Array, weights: list[Array]) -> Passed:
    hidden = weights[1].shape[1]
    if len(x) == 0:
        return _empty(2, hidden, weights)
    w, x, zeros = names.lnlstm_from_layer(*weights), _columns(x), np.zeros((hidden, 1))
    states = lnlstm.forward(x, zeros, zeros, w)

    def back(dy: Array, dends: Ends) -> tuple[Array, list[Array]]:
        dh, dc = dends
        found = lnlstm.backward(_with_end(dy, dh), x, zeros, zeros, states, w, dc[:, None])
        return _rows(found.x), names.lnlstm_to_layer(found.weights)

    return Passed(_rows(states.h), (states.h[:, 0, -1], states.c[:, 0, -1]), back)


def _mingru(x: Array, weights: list[Array]) -> Passed:
    hidden = len(weights[1]) // 2
    if len(x) == 0:
        return _empty(1, hidden, weights)
    w, x, h_0 = names.mingru_from_layer(*weights), _columns(x), np.zeros((hidden, 1))
    h = mingru.forward(x, h_0, w)

    def back(dy: Array, dends: Ends) -> tuple[Array, list[Array]]:
        found = mingru.backward(_with_end(dy, dends[0]), x, h_0, h, w)
        return _rows(found.x), list(names.mingru_to_layer(found.weights))

    return Passed(_rows(h), (h[:, 0, -1],), back)


def _minlstm(x: Array, weights: list[Array]) -> Passed:
    hidden = len(weights[1]) // 3
    if len(x) == 0:
        return _empty(1, hidden, weights)
    w, x, h_0 = names.minlstm_from_layer(*weights), _columns(x), np.zeros((hidden, 1))
    h, gates = minlstm.forward(x, h_0, w)

    def back(dy: Array, dends: Ends) -> tuple[Array, list[Array]]:
        found = minlstm.backward(_with_end(dy, dends[0]), x, h_0, h, gates, w)
        return _rows(found.x), list(names.minlstm_to_layer(found.weights))

    return Passed(_rows(h), (h[:, 0, -1],), back)


EQUATIONS = {
    "gru": _gru,
    "gru_textbook": _gru_textbook,
    "irnn": _rnn("relu"),
    "lnlstm": _lnlstm,
    "lstm": _lstm,
    "mingru": _mingru,
    "minlstm": _minlstm,
    "rnn": _rnn("tanh"),
}
