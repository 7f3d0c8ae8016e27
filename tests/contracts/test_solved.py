"""Every solved model keeps the contracts of models: C1, C2, C3, C8, a pure solution, and the shape of a network.

A new solved model is in without asking, on each of these examples that it can answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from samples import SAMPLES, Sample, network_for, ours, sequences
from torch import Tensor

from unrolled.batch import Batch, Continuous
from unrolled.data.batches.loader import Loader
from unrolled.layers.item_outputs import ItemOutputs
from unrolled.models.encoder_decoder import Written
from unrolled.solved.solved_model import SOLVED, SolvedModel
from unrolled.state import State
from unrolled.tasks.task import Task
from unrolled.training.config import TrainingConfig
from unrolled.training.plans import evaluation_plan

_random = np.random.default_rng(0)
_LONG = [
    (np.sin(np.arange(n) * (0.9 if row % 2 else 0.4)) + 0.2 * _random.normal(size=n)).round(3).tolist()
    for row, n in enumerate([40, 31, 47, 36, 44, 33, 38, 41, 35, 39])
]
_SEASONS = [(np.tile([3.0, 1, 4, 1, 5, 9, 2], 9)[:n] + 0.1 * _random.normal(size=n)).tolist() for n in (63, 50, 57)]
_COUNTS = [_random.poisson(0.4, n).astype(float).tolist() for n in (60, 44)]
_WORDS = [" ".join(_random.choice(["a", "film", "fine", "dull", "of"], n)) for n in (3, 9, 5, 7, 4, 6, 8, 2, 5, 7)]
_SPLIT = [text.split() for text in _WORDS]
_LISTS = [[f"i{n}" for n in _random.zipf(1.6, size) % 30] for size in (3, 14, 1, 7, 12, 2, 9, 21, 5, 4)]
_STRANDS = ["".join(_random.choice(list("ACGT"), n)) for n in [24, 23] * 12]

MADE = {
    "forecast a season": Sample(
        "forecast", sequences({"x": _SEASONS}, {"x": "number"}), ("x",), options={"horizon": 3, "season": 7}
    ),
    "forecast counts": Sample("forecast", sequences({"x": _COUNTS}, {"x": "number"}), ("x",), options={"horizon": 2}),
    "classify a series": Sample(
        "classify",
        sequences({"x": _LONG, "kind": ["u", "v"] * 5}, {"x": "number", "kind": "category"}),
        ("kind",),
    ),
    "regress a series": Sample(
        "regress", sequences({"x": _LONG, "y": np.arange(10.0)}, {"x": "number", "y": "number"}), ("y",)
    ),
    "classify words": Sample(
        "classify",
        sequences({"text": _WORDS, "good": ["fine" in t for t in _WORDS]}, {"text": "tokens", "good": "category"}),
        ("good",),
    ),
    "classify strands": Sample(
        "classify",
        sequences({"dna": _STRANDS, "bound": [s[5] == "A" for s in _STRANDS]}, {"dna": "symbols", "bound": "category"}),
        ("bound",),
    ),
    "tag words": Sample(
        "tag",
        sequences(
            {"words": _SPLIT, "tags": [["B-x" if w == "film" else "O" for w in row] for row in _SPLIT]},
            {"words": "tokens", "tags": "category"},
        ),
        ("tags",),
    ),
    "next item": Sample("next_step", sequences({"item": _LISTS}, {"item": "tokens"})),
}
EXAMPLES = {**SAMPLES, **MADE}


@cache
def _asked(name: str) -> tuple[Task, Any]:
    sample = EXAMPLES[name]
    task = sample.ask()
    train = sample.examples(task)
    return task.measure_training(train).task, train


@cache
def _solved(member: str, name: str) -> SolvedModel:
    task, train = _asked(name)
    found: type[SolvedModel] = SOLVED.get(member)
    return found.solve(task, train, found.Options(), 0).eval()


def _pairs() -> list[Any]:
    return [
        pytest.param(member, name, id=f"{member}-{name}")
        for member in sorted(ours("solved"))
        for name in EXAMPLES
        if SOLVED.get(member).applies(*_asked(name))
    ]


PAIRS = pytest.mark.parametrize(("member", "name"), _pairs())


def _batch(name: str) -> Batch:
    """All rows, or a window of each, as they are judged."""
    task, train = _asked(name)
    plan = evaluation_plan(train, task.batching, TrainingConfig(batch=64), False)
    return Loader(train, plan)[0]


def _timed(name: str, batch: Batch) -> list[str]:
    """The inputs that have a step axis; the letters of words among them."""
    specs = _asked(name)[0].coder.specs
    return [one for one in batch.inputs if one in specs and specs[one].time and specs[one].side is None]


def _steps(name: str, batch: Batch, begin: int, end: int) -> Batch:
    inputs = {one: batch.inputs[one][:, begin:end] for one in _timed(name, batch)}
    lengths = (batch.lengths - begin).clamp(0, end - begin)
    return replace(batch, inputs={**batch.inputs, **inputs}, lengths=lengths)


def _row(name: str, batch: Batch, row: int) -> Batch:
    inputs = {one: tensor[row : row + 1] for one, tensor in batch.inputs.items()}
    scale = None if batch.scale is None else batch.scale[row : row + 1]
    alone = Batch(inputs, batch.lengths[row : row + 1], batch.rows[row : row + 1], scale=scale)
    if _asked(name)[0].coder.form.writes:
        assert batch.target is not None and batch.target_lengths is not None
        sizes = batch.target_lengths[row : row + 1]
        alone = replace(alone, target=batch.target[row : row + 1, : int(sizes)], target_lengths=sizes)
    return _steps(name, alone, 0, int(batch.lengths[row]))


def _longest(name: str) -> Batch:
    batch = _batch(name)
    return _row(name, batch, int(batch.lengths.argmax()))


def _close(found: Tensor, expected: Tensor) -> None:
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-5 * max(1.0, float(expected.abs().max())))


def _outputs(model: SolvedModel, batch: Batch) -> Tensor:
    return _run(model, batch, None)[0]


def _run(model: SolvedModel, batch: Batch, state: State) -> tuple[Tensor, State]:
    """The outputs and the state after them; those over items are computed where a step is real, and 0 elsewhere."""
    with torch.no_grad():
        found, after = model.run(batch, state)
        if isinstance(found, ItemOutputs):
            steps = int(batch.lengths.max())
            real = torch.arange(steps)[None] < batch.lengths[:, None]
            dense = torch.zeros(*real.shape, found.size)
            dense[real] = found.at(slice(None), slice(steps)).at(real).scores()
            found = dense
    return _tensor(found), after


def _tensor(outputs: Any) -> Tensor:
    """What a model that writes gives too: the scores of each symbol of the right answers."""
    found = outputs.logits if isinstance(outputs, Written) else outputs
    found = found.scores() if isinstance(found, ItemOutputs) else found
    assert isinstance(found, Tensor)
    return found


@PAIRS
def test_it_answers_as_a_network_would(member: str, name: str) -> None:
    task, batch = _asked(name)[0], _batch(name)
    found = _outputs(_solved(member, name), batch)
    timed = bool(_timed(name, batch))
    with torch.no_grad():
        expected = _tensor(network_for(task, "gru" if timed else "mlp").eval().run(batch)[0])
    assert found.shape == expected.shape and found.dtype == torch.float32
    assert found.isfinite().all()


@PAIRS
def test_it_is_solved_the_same_again(member: str, name: str) -> None:
    task, train = _asked(name)
    found, again = _solved(member, name), SOLVED.get(member).solve(task, train, SOLVED.get(member).Options(), 0)
    assert again.options == found.options
    for key, tensor in found.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[key]), key


@PAIRS
def test_c8_it_is_rebuilt_from_its_options_and_weights(member: str, name: str) -> None:
    found, batch = _solved(member, name), _batch(name)
    options = type(found.options)(**json.loads(found.options.model_dump_json()))
    with torch.device("meta"):
        again = SOLVED.get(member)(_asked(name)[0], options)
    state = {key: tensor.clone() for key, tensor in found.state_dict().items()}
    assert {tensor.dtype for tensor in state.values()} <= {torch.float32, torch.float64, torch.int64, torch.int32}
    again.load_state_dict(state, assign=True)
    assert not any(buffer.is_meta for buffer in again.buffers())
    assert torch.equal(_outputs(again.eval(), batch), _outputs(found, batch))


@PAIRS
def test_c1_whole_chunked_and_live_agree(member: str, name: str) -> None:
    model, batch = _solved(member, name), _longest(name)
    timed, steps = _timed(name, batch), int(batch.lengths[0])
    if model.cannot_stream is not None or not timed:
        pytest.skip("it reads whole rows")
    whole = _outputs(model, batch)
    with torch.no_grad():
        chunked, state = [], model.initial_state(1)
        for begin, end in ((0, 1), (1, max(2, steps // 2)), (max(2, steps // 2), steps)):
            if begin < end:
                outputs, state = _run(model, _steps(name, batch, begin, end), state)
                chunked.append(outputs)
        live = model.session()
        pushed = [live.push(_pushed(name, batch, step)) for step in range(steps)]
    if whole.dim() == 3:
        _close(torch.cat(chunked, 1), whole)
        _close(torch.stack(pushed, 1), whole)
    else:
        _close(chunked[-1], whole)
        _close(pushed[-1], whole)


@PAIRS
def test_c15_rows_are_stepped_together(member: str, name: str) -> None:
    model, batch = _solved(member, name), _longest(name)
    steps = int(batch.lengths[0])
    if model.cannot_stream is not None or not _timed(name, batch) or steps < 3:
        pytest.skip("it reads whole rows")
    if len(_pushed(name, batch, 0)) > len(_pushed(name, batch, 1)):
        pytest.skip("the first step, which brings whole side sequences, is taken by itself")
    pool, alone, taken = model.pool(), [model.session() for _ in range(3)], [0, 0, 0]
    first = pool.read(np.zeros(1, np.int64))
    pool.grow(3)
    pool.write(np.arange(3), first)
    for slots in ([2], [0, 2], [1, 0, 2], [1, 0]):
        each = [_pushed(name, batch, taken[slot]) for slot in slots]
        together = {column: torch.cat([one[column] for one in each]) for column in each[0]}
        found = pool.run(np.array(slots), together, [np.arange(len(slots))])
        _close(found, torch.cat([alone[slot].push(one) for slot, one in zip(slots, each, strict=True)]))
        for slot in slots:
            taken[slot] += 1


def _pushed(name: str, batch: Batch, step: int) -> dict[str, Tensor]:
    """One step: what is read on its own comes whole with the first."""
    specs, timed = _asked(name)[0].coder.specs, _timed(name, batch)
    once = {one for one in batch.inputs if one not in specs or specs[one].side is not None}
    return {
        one: tensor[:, step] if one in timed else tensor
        for one, tensor in batch.inputs.items()
        if step == 0 or one not in once
    }


@PAIRS
def test_c2_padding_is_never_read(member: str, name: str) -> None:
    model, batch = _solved(member, name), _batch(name)
    specs, timed = _asked(name)[0].coder.specs, _timed(name, batch)
    real = torch.arange(int(batch.lengths.max()))[None] < batch.lengths[:, None]
    if not timed or bool(real.all()):
        pytest.skip("nothing is padded")
    spoilt = dict(batch.inputs)
    for one in timed:
        tensor, spec = batch.inputs[one].clone(), specs[one]
        beyond = float("nan") if isinstance(spec, Continuous) else spec.size - 1
        tensor[~real[:, : tensor.shape[1]]] = beyond
        spoilt[one] = tensor
    expected = _outputs(model, batch)
    assert torch.equal(_outputs(model, replace(batch, inputs=spoilt)), expected)
    if expected.dim() == 3 and expected.shape[1] == real.shape[1]:
        assert not expected[~real].any()


@PAIRS
def test_c3_rows_do_not_influence_each_other(member: str, name: str) -> None:
    model, batch = _solved(member, name), _batch(name)
    together = _outputs(model, batch)
    if model.writes:  # the symbols of all rows, one after another
        assert batch.target_lengths is not None
        ends = (batch.target_lengths - 1).cumsum(0).tolist()
        parts = [together[begin:end] for begin, end in pairwise([0, *ends])]
        for row in (0, len(parts) // 2, len(parts) - 1):
            _close(_outputs(model, _row(name, batch, row)), parts[row])
        return
    for row, expected in _some(together):
        alone = _outputs(model, _row(name, batch, row))[0]
        _close(alone, expected[: len(alone)] if expected.dim() == 2 else expected)


def _some(outputs: Tensor) -> Iterator[tuple[int, Tensor]]:
    for row in sorted({0, len(outputs) // 2, len(outputs) - 1}):
        yield row, outputs[row]


def test_every_solved_model_has_an_example() -> None:
    assert {pair.values[0] for pair in _pairs()} == ours("solved")
