"""The reach of one answer: gradients by step, which are those of finite differences, and of planted truths."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from configs import model_config
from inspection.stubs import NextSymbol, batch_of, network_of
from torch import Tensor

from unrolled.batch import Batch, Continuous, Discrete
from unrolled.errors import DataError, UsageError
from unrolled.inspection.answer import answer_of, input_columns
from unrolled.inspection.reach import reach_of
from unrolled.layers.recurrence.recorder import Recorder
from unrolled.models.encoder_decoder import EncoderDecoder
from unrolled.models.network import Network
from unrolled.watch import watching

TASK = NextSymbol()


class Nudge:
    """Add to one number of one value at one step."""

    def __init__(self, path: str, step: int, at: int, amount: float) -> None:
        self.path, self.step, self.at, self.amount, self.count = path, step, at, amount, -1

    def __call__(self, path: str, value: Tensor) -> Tensor:
        if path != self.path:
            return value
        self.count += 1
        several = path.endswith(".out")
        if not several and self.count != self.step:
            return value
        value = value.clone()
        (value[0, self.step] if several else value[0])[self.at] += self.amount
        return value


@pytest.mark.parametrize(("name", "path"), [("lstm", "layer.layers.0.0.c"), ("gru", "layer.layers.0.0.h")])
@pytest.mark.parametrize("of", ["logit", "loss"])
def test_gradients_equal_finite_differences_by_intervention(name: str, path: str, of: Any) -> None:
    network, batch = network_of(name).double(), batch_of(12)
    found = reach_of(network, TASK, batch, 7, of)
    assert (found.step, len(found.inputs), found.answer) == (7, 8, "the answer at step 7")
    answer = answer_of(network, TASK, batch, 7, of)

    def score(change: Any) -> float:
        with torch.no_grad(), watching(Recorder(network, change=change)):
            return float(answer.score(network.eval().run(answer.batch)[0], answer.batch)[0])

    little = 1e-6
    (column,) = input_columns(network)
    for where, norms, step, width in ((path, found.values[path], 3, 8), (column, found.inputs, 4, 7)):
        slopes = [
            (score(Nudge(where, step, at, little)) - score(Nudge(where, step, at, -little))) / (2 * little)
            for at in range(width)
        ]
        assert norms[step] == pytest.approx(float(torch.tensor(slopes).norm()), abs=1e-8)
    assert found.columns == {"ids": found.inputs}
    assert network.training is False or network.train() is network


def test_a_window_reaches_exactly_as_far_as_it_is_long() -> None:
    found = reach_of(network_of("window", window=16), TASK, batch_of(60), 50)
    assert all(found.inputs[t] == 0 for t in range(51 - 16))
    assert all(found.inputs[t] > 0 for t in range(51 - 16, 51))
    assert found.values == {}
    assert "within" in found.sentence and "step 50" in found.sentence


@pytest.mark.parametrize("name", ["bilstm", "bitransformer"])
def test_a_model_that_reads_both_ways_reaches_both_ways(name: str) -> None:
    found = reach_of(network_of(name), TASK, batch_of(20), 10)
    assert len(found.inputs) == 20 and min(found.inputs) > 0
    assert found.distances[10] == 0 and found.distances[0] == 10 and found.distances[19] == 9
    if name == "bilstm":
        backward, forward = found.values["layer.layers.0.1.h"], found.values["layer.layers.0.0.h"]
        assert all(value == 0 for value in backward[:10]) and all(value > 0 for value in backward[10:])
        assert all(value == 0 for value in forward[11:]) and all(value > 0 for value in forward[:11])


def test_padding_and_company_do_not_matter_and_columns_are_told_apart() -> None:
    torch.manual_seed(0)
    specs = {"word": Discrete(7), "value": Continuous(3), "who": Discrete(4, time=False)}
    network = Network(specs, model_config(name="gru", hidden=4), 7, pooled=True)
    inputs = {"word": torch.tensor([[1, 2, 0, 5]]), "value": torch.randn(1, 4, 3), "who": torch.tensor([3])}
    task = NextSymbol(pooled=True)
    found = reach_of(network, task, Batch(inputs, torch.tensor([4]), torch.tensor([0]), torch.tensor([2])))
    assert found.step is None and found.answer == "the answer of the row"
    assert list(found.columns) == ["word", "value"]
    both = torch.tensor([found.columns["word"], found.columns["value"]], dtype=torch.float64).norm(dim=0)
    torch.testing.assert_close(torch.tensor(found.inputs, dtype=torch.float64), both)
    padded = {
        name: torch.cat([value, value[:, :1] * 0], 1) if value.dim() > 1 else value for name, value in inputs.items()
    }
    longer = reach_of(network, task, Batch(padded, torch.tensor([4]), torch.tensor([0]), torch.tensor([2])))
    assert longer.inputs[4] == 0
    assert longer.inputs[:4] == pytest.approx(found.inputs, rel=1e-5)


def test_an_encoder_decoder_reaches_its_source() -> None:
    from unrolled.tasks.translate import Translate

    torch.manual_seed(0)
    network = EncoderDecoder({"ids": Discrete(7)}, model_config(name="gru", hidden=8), outputs=9)
    batch = Batch(
        {"ids": torch.tensor([[1, 2, 3, 4]])},
        torch.tensor([4]),
        torch.tensor([0]),
        torch.tensor([[1, 5, 6, 2]]),
        torch.tensor([4]),
    )
    task: Any = Translate.__new__(Translate)
    task.chain = False
    found = reach_of(network, task, batch, 1)
    assert found.answer == "the written symbol 1" and len(found.inputs) == 4 and min(found.inputs) > 0
    writer = next(path for path in found.values if path.startswith("decoder"))
    assert len(found.values[writer]) == 3 and found.values[writer][2] == 0
    with pytest.raises(DataError, match="has no target"):
        reach_of(network, task, Batch(batch.inputs, batch.lengths, batch.rows))


def test_what_has_no_reach_is_said() -> None:
    network, batch = network_of("gru"), batch_of(6)
    with pytest.raises(UsageError, match="there is no step 6: the row has the steps 0 to 5"):
        reach_of(network, TASK, batch, 6)
    with pytest.raises(UsageError, match="there is no step 2: this model has one answer for the row"):
        reach_of(network_of("gru", pooled=True), NextSymbol(pooled=True), batch_of(6, pooled=True), 2)
    with pytest.raises(DataError, match="the data has no target"):
        reach_of(network, TASK, Batch(batch.inputs, batch.lengths, batch.rows), of="loss")
    assert reach_of(network, TASK, Batch(batch.inputs, batch.lengths, batch.rows)).step == 5  # the likeliest symbol


def test_outside_of_the_layers_only_embedded_steps_are_shown_and_the_kernels_run() -> None:
    network, batch = network_of("lstm").eval(), batch_of(9)
    with torch.no_grad():
        expected, _ = network.run(batch)
        with watching(recorder := Recorder(network, change=lambda _, value: value), inside=False):
            outputs, _ = network.run(batch)
    assert torch.equal(outputs, expected)
    assert list(recorder.values()) == list(input_columns(network)) == ["columns.embeddings.0.out"]
    assert recorder.values()["columns.embeddings.0.out"].shape == (1, 9, 7)
