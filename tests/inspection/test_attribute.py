"""Why one answer: exact differences, gradients, and integrated gradients that are refused where they say nothing."""

from __future__ import annotations

import math
from typing import Any, get_args

import pytest
import torch
from configs import model_config
from inspection.stubs import NextSymbol, batch_of, network_of
from torch import Tensor

from unrolled.batch import Batch, Continuous, Discrete, Spelled, letters_of
from unrolled.errors import DataError, UsageError
from unrolled.inspection.answer import answer_of, input_columns
from unrolled.inspection.attribute import Method, attribute
from unrolled.layers.item_logits import LazyLogits
from unrolled.layers.recurrence.recorder import Recorder
from unrolled.models.combined import Combined
from unrolled.models.model import Model
from unrolled.models.network import Network
from unrolled.synthetic.memory_tasks import problem
from unrolled.watch import watching

TASK = NextSymbol()


def by_hand(network: Model, task: Any, batch: Batch, step: int, places: list[int]) -> float:
    """The score of an answer with the mean embedding at some steps, in one plain run of the row."""
    answer = answer_of(network, task, batch, step)
    (column,) = input_columns(network)

    def change(path: str, value: Tensor) -> Tensor:
        if path != column:
            return value
        value = value.clone()
        value[:, places] = value.mean(1, keepdim=True)
        return value

    with torch.no_grad(), watching(Recorder(network.eval(), change=change), inside=False):
        outputs, _ = network.run(answer.batch)
    return float(answer.score(outputs, answer.batch)[0])


@pytest.mark.parametrize("name", ["lstm", "deltanet", "transformer", "bigru"])
@pytest.mark.parametrize("window", [100, 6])
def test_occlusion_is_the_exact_difference(name: str, window: int) -> None:
    network, batch = network_of(name), batch_of(20)
    found = attribute(network, TASK, batch, 14, window=window)
    steps = 20 if name == "bigru" else 15
    first = {100: 0, 6: 11 if name == "bigru" else 9}[window]
    assert (found.first, len(found.values), found.step) == (first, min(window, steps), 14)
    whole = by_hand(network, TASK, batch, 14, [])
    assert found.score == pytest.approx(whole, abs=1e-6)
    for at, value in enumerate(found.values):
        assert value == pytest.approx(whole - by_hand(network, TASK, batch, 14, [first + at]), abs=1e-6)
    every = list(range(first, first + len(found.values)))
    assert found.without == pytest.approx(by_hand(network, TASK, batch, 14, every), abs=1e-6)
    assert found.total == pytest.approx(sum(found.values))
    assert found.gap == pytest.approx(found.total - (found.score - found.without))
    assert "rests most on the steps" in found.sentence and "a gap of" in found.sentence
    assert "the mean of the row's embedded steps" in found.sentence


def test_a_window_model_rests_on_nothing_beyond_its_window() -> None:
    found = attribute(network_of("window", window=16), TASK, batch_of(60), 50)
    values = dict(zip(range(found.first, 51), found.values, strict=True))
    assert all(abs(values[t]) < 1e-6 for t in range(51 - 16))
    assert all(abs(values[t]) > 1e-6 for t in range(51 - 16, 51))


def test_a_model_that_copies_rests_on_the_symbol_that_it_copies() -> None:
    """The copy problem at T = 3: each of ten symbols is asked for again 13 steps later."""
    asked = problem("copy")
    torch.manual_seed(0)
    assert isinstance(asked.spec, Discrete)
    network = Network(
        {"ids": asked.spec}, model_config(name="window", hidden=32, window=16, embedding=0), asked.outputs, pooled=False
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=0.03)
    lengths = torch.full((16,), asked.questions(0, 3, 1).input.shape[1])
    for seed in range(80):
        questions = asked.questions(seed, 3, 16)
        optimizer.zero_grad()
        asked.losses(network({"ids": questions.input}, lengths)[0], questions).mean().backward()
        optimizer.step()
    questions = asked.questions(999, 3, 1)
    assert asked.solved(asked.score(network({"ids": questions.input}, lengths[:1])[0], questions))
    batch = Batch({"ids": questions.input}, lengths[:1], torch.tensor([0]), questions.target)
    scored = questions.scored[0].nonzero()[:, 0].tolist()
    peaks = [attribute(network, TASK, batch, step).top(1)[0][0] for step in scored]
    assert peaks == [step - 13 for step in scored]


def linear() -> Network:
    """h_t = 0.5 h_{t-1} + x_t, whose gradients are the same everywhere."""
    network = network_of("irnn", hidden=7)
    cell: Any = network.layer.layers[0][0]  # type: ignore[attr-defined]
    weight_ih, weight_hh, bias_ih, bias_hh = (weight.data for weight in cell.weights())
    weight_ih.copy_(torch.eye(7))
    weight_hh.copy_(0.5 * torch.eye(7))
    bias_ih.zero_(), bias_hh.zero_()
    embedding: Any = network.columns.embeddings[0]
    embedding.weight.data.abs_()  # no unit is ever below 0
    return network


def test_in_a_linear_model_all_three_agree_and_sum_to_the_difference() -> None:
    network, batch = linear(), batch_of(9)
    found = {method: attribute(network, TASK, batch, 8, method) for method in get_args(Method)}
    assert [one.method for one in found.values()] == list(found)
    for one in found.values():
        assert abs(one.gap) < 1e-5 and not one.note
    assert found["integrated_gradients"].values == pytest.approx(found["occlusion"].values, abs=1e-5)
    embedding: Any = network.columns.embeddings[0]
    x = embedding(batch.inputs["ids"])[0].detach()
    assert batch.target is not None
    weight = network.head_weight[int(batch.target[0, 8])].detach()
    wanted = [0.5 ** (8 - t) * float(weight @ x[t]) for t in range(9)]
    assert found["input_x_gradient"].values == pytest.approx(wanted, abs=1e-5)


def test_integrated_gradients_with_a_gap_are_never_shown() -> None:
    """An LSTM whose recurrence amplifies: on the way from the mean to the row its gradient explodes."""
    network, batch = network_of("lstm", hidden=16), batch_of(200)
    cell: Any = network.layer.layers[0][0]  # type: ignore[attr-defined]
    network.columns.embeddings[0].weight.data.mul_(20)
    cell.weight_hh.data.mul_(8)
    found = attribute(network, TASK, batch, -1, "integrated_gradients", window=200)
    assert found.method == "occlusion"
    assert "integrated gradients are not shown, as their sum misses the difference of" in found.note
    assert found.note in found.sentence
    plain = attribute(network, TASK, batch, -1, "occlusion", window=200)
    assert plain.values == found.values
    if "over a window of" in found.note:
        window = int(found.note.split("over a window of ")[1].split()[0])
        assert window < 200
        assert attribute(network, TASK, batch, -1, "integrated_gradients", window).method == "integrated_gradients"


def test_integrated_gradients_with_a_small_gap_are_shown() -> None:
    network, batch = network_of("lstm", hidden=16), batch_of(200)
    found = attribute(network, TASK, batch, -1, "integrated_gradients", window=200)
    assert found.method == "integrated_gradients" and not found.note
    assert abs(found.gap) <= 0.05 * abs(found.score - found.without)


def test_several_columns_letters_and_a_row_with_one_answer() -> None:
    torch.manual_seed(0)
    letters = letters_of("word")
    specs = {"word": Discrete(7), letters: Spelled(9, 4, "word"), "x": Continuous(2), "who": Discrete(3, time=False)}
    network = Network(specs, model_config(name="lstm", hidden=8), 7, pooled=True)
    inputs = {
        "word": torch.randint(7, (1, 6)),
        letters: torch.randint(1, 9, (1, 6, 4)),
        "x": torch.randn(1, 6, 2),
        "who": torch.tensor([1]),
    }
    task, batch = NextSymbol(pooled=True), Batch(inputs, torch.tensor([6]), torch.tensor([0]), torch.tensor([3]))
    found = attribute(network, task, batch)
    assert (found.step, list(found.columns), found.answer) == (None, ["word", "x"], "the answer of the row")
    assert len(found.values) == len(found.columns["word"]) == 6
    gradients = attribute(network, task, batch, method="input_x_gradient")
    sums = [sum(pair) for pair in zip(*gradients.columns.values(), strict=True)]
    assert gradients.values == pytest.approx(sums, abs=1e-9)
    longer = {name: torch.cat([value, value[:, :2]], 1) if value.dim() > 1 else value for name, value in inputs.items()}
    padded = attribute(network, task, Batch(longer, batch.lengths, batch.rows, batch.target))
    assert padded.values == pytest.approx(found.values, abs=1e-6)


def test_very_many_items_are_scored_only_at_the_answer() -> None:
    torch.manual_seed(0)
    network = Network({"ids": Discrete(50)}, model_config(name="gru", hidden=8), 50, pooled=False, chosen="ids")
    most = 0

    class Items(NextSymbol):
        def each(self, outputs: Any, batch: Batch) -> tuple[Tensor, Tensor]:
            nonlocal most
            assert isinstance(outputs, LazyLogits) and batch.target is not None and batch.scored is not None
            mask = torch.arange(outputs.hidden.shape[1]) >= batch.scored[:, None]
            most = max(most, int(mask.sum(1).max()))
            nats = torch.cat([chances.nats for _, chances in outputs.at(mask).pieces(batch.target[mask])])
            return nats.new_zeros(mask.shape).masked_scatter(mask, nats), mask

    found = attribute(network, Items(), batch_of(12, symbols=50), 7)
    assert len(found.values) == 8 and most == 1
    assert found.score < 0  # the log probability
    with pytest.raises(DataError, match="has no target"):
        attribute(
            network, Items(), Batch({"ids": torch.zeros(1, 3, dtype=torch.int64)}, torch.tensor([3]), torch.zeros(1))
        )


def test_of_a_blend_only_the_network_is_explained_and_that_is_said() -> None:
    blend, batch = Combined(network_of("gru"), network_of("rnn"), "softmax"), batch_of(9)
    found = attribute(blend, TASK, batch, 6)
    assert found.note == "only the network in gru and rnn is asked: the rest of it reads the steps as they are"
    assert found.score - found.values[6] == pytest.approx(by_hand(blend, TASK, batch, 6, [6]), abs=1e-6)
    blend.share.fill_(1)
    assert all(abs(value) < 1e-6 for value in attribute(blend, TASK, batch, 6).values)


def test_what_cannot_be_attributed_is_said() -> None:
    network, batch = network_of("gru"), batch_of(6)
    with pytest.raises(UsageError, match=r"unknown method 'occlusions'. Did you mean 'occlusion'\?"):
        attribute(network, TASK, batch, method="occlusions")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="window must be at least 1, got 0"):
        attribute(network, TASK, batch, window=0)
    with pytest.raises(UsageError, match="there is no step -7"):
        attribute(network, TASK, batch, -7)
    assert math.isfinite(attribute(network, TASK, batch, 0).gap)


def test_steps_are_numbered_as_in_the_row_and_said_by_name() -> None:
    found = attribute(network_of("gru"), TASK, batch_of(9), 6, window=3)
    read = [f"word {at}" for at in range(9)]
    within = found.within(500, read)
    assert (within.step, within.first, within.read) == (506, 504, ("word 4", "word 5", "word 6"))
    assert within.answer == "the answer at step 506"
    (step, value), *_ = within.top(1)
    assert f"rests most on the steps {step} 'word {step - 500}' ({value:+.3g})" in within.sentence
    assert "the steps 504 to 506 are worth" in within.sentence
