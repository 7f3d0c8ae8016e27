"""Every hand-written gradient of reference/ against central differences of its own forward pass."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from unrolled.reference import gru, gru_textbook, lnlstm, lstm, mingru, minlstm, rnn, tcn
from unrolled.reference.losses import Output, clip_by_norm, cross_entropy, predict, softmax, total_loss
from unrolled.reference.truncated import truncated_bptt

N_X, N_H, M, T = 3, 4, 2, 5


def differences(loss: Callable[[], float], array: np.ndarray) -> np.ndarray:
    """∂loss/∂array, by moving each number a little both ways."""
    gradient, little = np.zeros_like(array), 1e-6
    for place in np.ndindex(array.shape):
        kept = array[place]
        array[place] = kept + little
        above = loss()
        array[place] = kept - little
        gradient[place] = (above - loss()) / (2 * little)
        array[place] = kept
    return gradient


def assert_gradients(loss: Callable[[], float], pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    for array, gradient in pairs:
        np.testing.assert_allclose(gradient, differences(loss, array), atol=1e-7)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu", "sigmoid"])
def test_rnn(random: np.random.Generator, nonlinearity: str) -> None:
    weights = rnn.Weights(random.normal(size=(N_H, N_X)), random.normal(size=(N_H, N_H)), random.normal(size=(N_H, 1)))
    x, h_0, toward = random.normal(size=(N_X, M, T)), random.normal(size=(N_H, M)), random.normal(size=(N_H, M, T))

    def loss() -> float:
        return float((toward * rnn.forward(x, h_0, weights, nonlinearity)).sum())

    h = rnn.forward(x, h_0, weights, nonlinearity)
    found = rnn.backward(toward, x, h_0, h, weights, nonlinearity)
    assert_gradients(loss, [*zip(weights, found.weights, strict=True), (x, found.x), (h_0, found.h_0)])


def test_lstm_also_where_the_loss_reads_the_memory(random: np.random.Generator) -> None:
    weights = lstm.Weights(*(random.normal(size=(N_H, n)) for _ in range(4) for n in (N_H + N_X, 1)))
    x, a_0, c_0 = random.normal(size=(N_X, M, T)), random.normal(size=(N_H, M)), random.normal(size=(N_H, M))
    toward, toward_c = random.normal(size=(N_H, M, T)), random.normal(size=(N_H, M))

    def loss() -> float:
        states = lstm.forward(x, a_0, c_0, weights)
        return float((toward * states.a).sum() + (toward_c * states.c[:, :, -1]).sum())

    found = lstm.backward(toward, x, a_0, c_0, lstm.forward(x, a_0, c_0, weights), weights, toward_c)
    pairs = [*zip(weights, found.weights, strict=True), (x, found.x), (a_0, found.a_0), (c_0, found.c_0)]
    assert_gradients(loss, pairs)


def test_lnlstm_also_where_the_loss_reads_the_memory(random: np.random.Generator) -> None:
    shapes = [(4 * N_H, N_X), (4 * N_H, N_H), *[(4 * N_H, 1)] * 3, *[(N_H, 1)] * 2]
    weights = lnlstm.Weights(*(random.normal(size=shape) for shape in shapes))
    x, h_0, c_0 = random.normal(size=(N_X, M, T)), random.normal(size=(N_H, M)), random.normal(size=(N_H, M))
    toward, toward_c = random.normal(size=(N_H, M, T)), random.normal(size=(N_H, M))

    def loss() -> float:
        states = lnlstm.forward(x, h_0, c_0, weights)
        return float((toward * states.h).sum() + (toward_c * states.c[:, :, -1]).sum())

    found = lnlstm.backward(toward, x, h_0, c_0, lnlstm.forward(x, h_0, c_0, weights), weights, toward_c)
    pairs = [*zip(weights, found.weights, strict=True), (x, found.x), (h_0, found.h_0), (c_0, found.c_0)]
    assert_gradients(loss, pairs)


def test_gru_textbook(random: np.random.Generator) -> None:
    weights = gru_textbook.Weights(*(random.normal(size=(N_H, n)) for _ in range(3) for n in (N_H + N_X, 1)))
    x, c_0, toward = random.normal(size=(N_X, M, T)), random.normal(size=(N_H, M)), random.normal(size=(N_H, M, T))

    def loss() -> float:
        return float((toward * gru_textbook.forward(x, c_0, weights)[0]).sum())

    c, gates = gru_textbook.forward(x, c_0, weights)
    found = gru_textbook.backward(toward, x, c_0, c, gates, weights)
    assert_gradients(loss, [*zip(weights, found.weights, strict=True), (x, found.x), (c_0, found.c_0)])


def test_gru(random: np.random.Generator) -> None:
    widths = (N_X, N_H, 1, N_X, N_H, 1, N_X, N_H, 1, 1)
    weights = gru.Weights(*(random.normal(size=(N_H, n)) for n in widths))
    x, h_0, toward = random.normal(size=(N_X, M, T)), random.normal(size=(N_H, M)), random.normal(size=(N_H, M, T))

    def loss() -> float:
        return float((toward * gru.forward(x, h_0, weights)[0]).sum())

    h, gates = gru.forward(x, h_0, weights)
    found = gru.backward(toward, x, h_0, h, gates, weights)
    assert_gradients(loss, [*zip(weights, found.weights, strict=True), (x, found.x), (h_0, found.h_0)])


def test_mingru(random: np.random.Generator) -> None:
    weights = mingru.Weights(*(random.normal(size=(N_H, n)) for _ in range(2) for n in (N_X, 1)))
    x, h_0, toward = random.normal(size=(N_X, M, T)), random.normal(size=(N_H, M)), random.normal(size=(N_H, M, T))

    def loss() -> float:
        return float((toward * mingru.forward(x, h_0, weights)).sum())

    found = mingru.backward(toward, x, h_0, mingru.forward(x, h_0, weights), weights)
    assert_gradients(loss, [*zip(weights, found.weights, strict=True), (x, found.x), (h_0, found.h_0)])


def test_minlstm(random: np.random.Generator) -> None:
    weights = minlstm.Weights(*(random.normal(size=(N_H, n)) for _ in range(3) for n in (N_X, 1)))
    x, h_0, toward = random.normal(size=(N_X, M, T)), random.normal(size=(N_H, M)), random.normal(size=(N_H, M, T))

    def loss() -> float:
        return float((toward * minlstm.forward(x, h_0, weights)[0]).sum())

    h, gates = minlstm.forward(x, h_0, weights)
    found = minlstm.backward(toward, x, h_0, h, gates, weights)
    assert_gradients(loss, [*zip(weights, found.weights, strict=True), (x, found.x), (h_0, found.h_0)])


def test_tcn(random: np.random.Generator) -> None:
    shapes = ((3, N_H, N_X), (N_H, 1), (3, N_H, N_H), (N_H, 1), (N_H, N_X))
    weights = tcn.Weights(*(random.normal(size=shape) for shape in shapes))
    x, toward = random.normal(size=(N_X, M, T)), random.normal(size=(N_H, M, T))

    def loss() -> float:
        return float((toward * tcn.forward(x, weights, 2).y).sum())

    found = tcn.backward(toward, x, tcn.forward(x, weights, 2), weights, 2)
    assert_gradients(loss, [*zip(weights, found.weights, strict=True), (x, found.x)])


def test_the_two_grus_are_one_where_nothing_is_reset(random: np.random.Generator) -> None:
    """With Γ_r = r = 1 the forms agree, z = 1 - Γ_u; with a reset between they do not."""
    W_u, W_c = random.normal(size=(N_H, N_H + N_X)), random.normal(size=(N_H, N_H + N_X))
    W_r = random.normal(size=(N_H, N_H + N_X))
    b = np.zeros((N_H, 1))
    x, c_0 = random.normal(size=(N_X, M, T)), random.normal(size=(N_H, M))

    def both(b_r: float) -> tuple[np.ndarray, np.ndarray]:
        textbook = gru_textbook.Weights(W_u, b, W_r, b + b_r, W_c, b)
        cells = [(W[:, N_H:], W[:, :N_H]) for W in (W_r, -W_u, W_c)]
        torch_form = gru.Weights(*cells[0], b + b_r, *cells[1], b, *cells[2], b, b)
        return gru_textbook.forward(x, c_0, textbook)[0], gru.forward(x, c_0, torch_form)[0]

    np.testing.assert_allclose(*both(b_r=60.0), atol=1e-12)
    open_form, torch_form = both(b_r=0.0)
    assert np.abs(open_form - torch_form).max() > 1e-2


def test_every_state_s_gradient_is_kept(random: np.random.Generator) -> None:
    """With a loss at the last step alone, ∂L/∂h_t is the product of the Jacobians from t to T."""
    weights = rnn.Weights(random.normal(size=(N_H, N_X)), random.normal(size=(N_H, N_H)), np.zeros((N_H, 1)))
    x, h_0 = random.normal(size=(N_X, 1, T)), np.zeros((N_H, 1))
    h = rnn.forward(x, h_0, weights)
    toward = np.zeros_like(h)
    toward[:, :, -1] = 1
    expected = toward[:, :, -1]
    found = rnn.backward(toward, x, h_0, h, weights).h
    for t in reversed(range(T)):
        np.testing.assert_allclose(found[:, :, t], expected, atol=1e-12)
        expected = weights.W_hh.T @ ((1 - h[:, :, t] ** 2) * expected)


@pytest.fixture
def language(random: np.random.Generator) -> tuple[rnn.Weights, Output, np.ndarray, np.ndarray, np.ndarray]:
    weights = rnn.Weights(random.normal(size=(N_H, N_X)), random.normal(size=(N_H, N_H)), random.normal(size=(N_H, 1)))
    output = Output(random.normal(size=(6, N_H)), random.normal(size=(6, 1)))
    return weights, output, random.normal(size=(N_X, M, T)), np.zeros((N_H, M)), random.integers(0, 6, size=(M, T))


def test_the_loss_is_the_sum_over_the_steps(language: tuple) -> None:
    weights, output, x, h_0, labels = language
    h = rnn.forward(x, h_0, weights)
    y_pred = predict(h, output)
    np.testing.assert_allclose(y_pred.sum(axis=0), 1)
    by_step = sum(cross_entropy(y_pred[:, :, t], labels[:, t]) for t in range(T))
    loss, found = total_loss(h, labels, output)
    assert loss == pytest.approx(by_step)
    assert_gradients(lambda: total_loss(h, labels, output)[0], [*zip(output, found.weights, strict=True), (h, found.a)])


@pytest.mark.parametrize("k1", [1, 2, T])
def test_truncated_bptt_that_reaches_back_to_the_start_is_exact(language: tuple, k1: int) -> None:
    weights, output, x, h_0, labels = language
    loss, dweights, doutput = truncated_bptt(x, h_0, labels, weights, output, k1=k1, k2=T)

    def whole() -> float:
        return total_loss(rnn.forward(x, h_0, weights), labels, output)[0]

    assert loss == pytest.approx(whole())
    assert_gradients(whole, [*zip(weights, dweights, strict=True), *zip(output, doutput, strict=True)])


def test_truncated_bptt_in_chunks_takes_the_state_before_as_given(language: tuple) -> None:
    weights, output, x, h_0, labels = language
    x, labels = x[:, :, :4], labels[:, :4]
    before = rnn.forward(x, h_0, weights)[:, :, 1]

    def chunks() -> float:
        first = total_loss(rnn.forward(x[:, :, :2], h_0, weights), labels[:, :2], output)[0]
        return first + total_loss(rnn.forward(x[:, :, 2:], before, weights), labels[:, 2:], output)[0]

    _, dweights, _ = truncated_bptt(x, h_0, labels, weights, output, k1=2, k2=2)
    assert_gradients(chunks, list(zip(weights, dweights, strict=True)))


def test_truncated_bptt_refuses_a_pass_shorter_than_what_it_must_send_back(language: tuple) -> None:
    weights, output, x, h_0, labels = language
    with pytest.raises(ValueError, match=r"needs 1 ≤ k1 ≤ k2, got k1 = 3, k2 = 2"):
        truncated_bptt(x, h_0, labels, weights, output, k1=3, k2=2)


def test_softmax_and_sigmoid_take_large_numbers() -> None:
    with np.errstate(over="raise", invalid="raise"):
        np.testing.assert_array_equal(rnn.sigmoid(np.array([800.0, -800.0])), [1, 0])
        np.testing.assert_array_equal(softmax(np.array([[800.0], [-800.0]])), [[1], [0]])


def test_clipping_keeps_the_direction_and_leaves_small_gradients_alone() -> None:
    gradients = [np.array([[3.0, 0.0]]), np.array([4.0])]
    clipped, norm = clip_by_norm(gradients, 2.5)
    assert norm == 5
    np.testing.assert_allclose(np.concatenate([g.ravel() for g in clipped]), [1.5, 0, 2])
    np.testing.assert_array_equal(clip_by_norm(gradients, 9.0)[0][0], gradients[0])
    np.testing.assert_array_equal(clip_by_norm([np.zeros(2)], 1.0)[0][0], np.zeros(2))
