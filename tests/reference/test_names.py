"""Each naming scheme into the next and back."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled.reference import names
from unrolled.reference.names import TorchWeights


def torch_weights(gates: int) -> TorchWeights:
    random = np.random.default_rng(gates)
    return TorchWeights(
        random.normal(size=(gates * 4, 3)),
        random.normal(size=(gates * 4, 4)),
        random.normal(size=gates * 4),
        random.normal(size=gates * 4),
    )


@pytest.mark.parametrize(
    ("gates", "there", "back"),
    [
        (1, names.rnn_from_torch, names.rnn_to_torch),
        (3, names.gru_from_torch, names.gru_to_torch),
        (3, names.gru_textbook_from_layer, names.gru_textbook_to_layer),
        (4, names.lstm_from_torch, names.lstm_to_torch),
    ],
)
def test_there_and_back(gates, there, back) -> None:
    given = torch_weights(gates)
    found = back(there(given))
    np.testing.assert_array_equal(found.weight_ih, given.weight_ih)
    np.testing.assert_array_equal(found.weight_hh, given.weight_hh)
    np.testing.assert_array_equal(found.bias_ih + found.bias_hh, given.bias_ih + given.bias_hh)
    for again, first in zip(there(found), there(given), strict=True):
        np.testing.assert_array_equal(again, first)


@pytest.mark.parametrize(
    ("gates", "there", "back"),
    [
        (2, names.mingru_from_layer, names.mingru_to_layer),
        (3, names.minlstm_from_layer, names.minlstm_to_layer),
    ],
)
def test_there_and_back_without_weights_for_the_state(gates, there, back) -> None:
    given = torch_weights(gates)
    found = back(there(given.weight_ih, given.bias_ih))
    np.testing.assert_array_equal(found[0], given.weight_ih)
    np.testing.assert_array_equal(found[1], given.bias_ih)
    assert there(given.weight_ih, given.bias_ih).W_h.shape == (4, 3)


def test_there_and_back_with_norms() -> None:
    given = [np.full(shape, number) for number, shape in enumerate([(16, 3), (16, 4), 16, 16, 16, 4, 4])]
    weights = names.lnlstm_from_layer(*given)
    assert [weight.shape for weight in weights] == [(16, 3), (16, 4), *[(16, 1)] * 3, *[(4, 1)] * 2]
    for again, first in zip(names.lnlstm_to_layer(weights), given, strict=True):
        np.testing.assert_array_equal(again, first)


def test_an_lstm_s_gates_are_torch_s_rows() -> None:
    given = torch_weights(4)
    weights = names.lstm_from_torch(given)
    for rows, W in zip(range(4), (weights.Wi, weights.Wf, weights.Wc, weights.Wo), strict=True):
        W_h, W_x = names.split(W)
        np.testing.assert_array_equal(W_h, given.weight_hh[rows * 4 : rows * 4 + 4])
        np.testing.assert_array_equal(W_x, given.weight_ih[rows * 4 : rows * 4 + 4])


def test_columns() -> None:
    x = np.arange(24.0).reshape(2, 4, 3)  # (B, T, I)
    assert names.to_columns(x)[2, 1, 3] == x[1, 3, 2]
    np.testing.assert_array_equal(names.from_columns(names.to_columns(x)), x)
