from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from unrolled.batch import MISSING, Batch, Continuous, Discrete, Spec
from unrolled.data.batches.loader import Loader
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.aligned import Aligned
from unrolled.data.forms.fill import FillIn
from unrolled.data.forms.form import TargetForm
from unrolled.data.forms.horizon import Horizon
from unrolled.data.forms.next import Next
from unrolled.data.forms.one import One
from unrolled.data.forms.set import Set
from unrolled.data.plans.masking import Masking
from unrolled.data.plans.segments import RawBatch, Segments
from unrolled.data.plans.windows import Lanes, Pieces, Rows, Transformed, Windows

ROWS = [[5, 6, 7], [], [8], [1, 2, 3, 4]]
OFFSETS = np.cumsum([0, *map(len, ROWS)])
IDS = Encoded(np.concatenate([np.array(row, np.uint8) for row in ROWS]), OFFSETS)
VECTORS = Encoded((np.arange(16, dtype=np.float32) / 10).reshape(8, 2), OFFSETS)
AGES = Encoded(np.arange(4, dtype=np.float32)[:, None], None)
CITIES = Encoded(np.array([2, 0, 1, 1], np.uint8), None)


def examples(target: Encoded | None, spec: Spec | None, form: TargetForm) -> Examples:
    inputs = {"ids": IDS, "vectors": VECTORS, "age": AGES, "city": CITIES}
    specs = {"ids": Discrete(9), "vectors": Continuous(2), "age": Continuous(1, False), "city": Discrete(3, False)}
    return Examples(inputs, specs, target, spec, form)


class Fixed:
    """A plan of one batch."""

    transforms = ()

    def __init__(self, rows: list[int], starts: list[int], stops: list[int], carries: bool = False) -> None:
        self.carries = carries
        zeros = np.zeros(len(rows), np.int64)
        self.only = Segments(np.array(rows), np.array(starts), np.array(stops), zeros, np.ones(len(rows), bool))

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Segments:
        return self.only


def batch_of(part: Examples, *segments: list[int]) -> Batch:
    return Loader(part, Fixed(*segments))[0]


def numbers(tensor: Tensor | None) -> list[Any]:
    """Nested lists in which NaN is ``None``."""
    assert tensor is not None
    return [[None if math.isnan(x) else round(x, 4) for x in row] for row in tensor.flatten(1).tolist()]


def test_a_batch_is_padded_right_and_typed() -> None:
    batch = batch_of(examples(None, None, One()), [0, 2, 1], [0, 0, 0], [3, 1, 0])
    assert batch.inputs["ids"].tolist() == [[5, 6, 7], [8, 0, 0], [0, 0, 0]]
    assert batch.inputs["ids"].dtype == torch.int64
    assert numbers(batch.inputs["vectors"]) == [[0, 0.1, 0.2, 0.3, 0.4, 0.5], [0.6, 0.7, 0, 0, 0, 0], [0] * 6]
    assert batch.inputs["vectors"].dtype == torch.float32
    assert batch.inputs["vectors"].shape == (3, 3, 2)
    assert batch.inputs["age"].tolist() == [[0.0], [2.0], [1.0]]
    assert batch.inputs["city"].tolist() == [2, 1, 0]
    assert batch.lengths.tolist() == [3, 1, 0]
    assert batch.rows.tolist() == [0, 2, 1]
    assert batch.target is None
    assert batch.scored is None
    assert batch.fresh is None


def test_a_segment_is_a_part_of_its_row() -> None:
    batch = batch_of(examples(None, None, One()), [3, 0], [1, 2], [4, 3])
    assert batch.inputs["ids"].tolist() == [[2, 3, 4], [7, 0, 0]]


def test_one_target_a_row() -> None:
    labels = batch_of(examples(CITIES, Discrete(3, False), One()), [3, 0], [0, 0], [4, 3])
    assert labels.target is not None
    assert (labels.target.tolist(), labels.target.dtype) == ([1, 2], torch.int64)
    ages = batch_of(examples(AGES, Continuous(1, False), One()), [3, 0], [0, 0], [4, 3])
    assert numbers(ages.target) == [[3], [0]]


def test_a_set_of_labels_is_several_hot() -> None:
    sets = Encoded(np.array([0, 2, 1], np.uint8), np.array([0, 2, 2, 3, 3]))
    batch = batch_of(examples(sets, Discrete(3), Set()), [2, 0, 1], [0, 0, 0], [1, 3, 0])
    assert batch.target is not None
    assert (batch.target.tolist(), batch.target.dtype) == ([[0, 1, 0], [1, 0, 1], [0, 0, 0]], torch.float32)


def test_an_aligned_target_is_missing_beyond_its_row() -> None:
    batch = batch_of(examples(IDS, Discrete(9), Aligned()), [0, 2], [0, 0], [3, 1])
    assert batch.target is not None
    assert batch.target.tolist() == [[5, 6, 7], [8, MISSING, MISSING]]
    real = batch_of(examples(VECTORS, Continuous(2), Aligned()), [2, 0], [0, 0], [1, 2])
    assert numbers(real.target) == [[0.6, 0.7, None, None], [0, 0.1, 0.2, 0.3]]


def test_next_is_the_step_after() -> None:
    batch = batch_of(examples(IDS, Discrete(9), Next()), [0, 3], [0, 1], [2, 3])
    assert batch.target is not None
    assert batch.inputs["ids"].tolist() == [[5, 6], [2, 3]]
    assert batch.target.tolist() == [[6, 7], [3, 4]]


def test_a_horizon_follows_the_last_known_step_of_each_row() -> None:
    batch = batch_of(examples(VECTORS, Continuous(2), Horizon(2)), [0, 3], [0, 1], [1, 2])
    assert numbers(batch.target) == [[0.2, 0.3, 0.4, 0.5], [1.2, 1.3, 1.4, 1.5]]


def test_what_is_hidden_is_asked_for_and_nothing_else() -> None:
    part = Examples({"ids": IDS}, {"ids": Discrete(9)}, IDS, Discrete(9), FillIn())
    masking = Masking(0.5, 3, 1, 9)
    before = IDS.values.copy()
    (batch,) = Loader(part, Pieces(part.steps(), 3, masking, 9))
    assert batch.target is not None
    pieces = zip(batch.rows.tolist(), batch.lengths.tolist(), batch.inputs["ids"], batch.target, strict=True)
    starts = {0: [0], 2: [0], 3: [0, 2]}
    for row, length, read, target in pieces:
        start = starts[row].pop(0)
        ids = np.array([ROWS[row][start : start + length]])
        rows, firsts = np.array([row]), np.array([start])
        instead, hidden = masking.hide(ids, rows, firsts, np.ones_like(ids, bool))
        assert read.tolist() == [*instead[0], *[0] * (len(read) - length)]
        assert target.tolist() == [*np.where(hidden, ids, MISSING)[0], *[MISSING] * (len(read) - length)]
    assert not any(starts.values())
    assert np.array_equal(IDS.values, before)


def test_transforms_run_in_the_order_in_which_they_stand_and_those_of_the_plan_last() -> None:
    part = Examples({"x": VECTORS}, {"x": Continuous(2)}, None, None, One())

    def doubled(raw: RawBatch, segments: Segments) -> RawBatch:
        return replace(raw, inputs={"x": raw.inputs["x"] * 2})

    def by_row(raw: RawBatch, segments: Segments) -> RawBatch:
        return replace(raw, inputs={"x": raw.inputs["x"] + segments.rows[:, None, None].astype(np.float32)})

    plan = Fixed([2, 3], [0, 0], [1, 1])
    for transforms, expected in (((doubled, by_row), [2 * 0.6 + 2, 2 * 0.8 + 3]), ((by_row, doubled), [5.2, 7.6])):
        batch = Loader(part, Transformed(plan, transforms))[0]
        assert batch.inputs["x"][:, 0, 0].tolist() == pytest.approx(expected)
    twice = Transformed(Transformed(plan, (by_row,)), (doubled,))
    assert twice.transforms == (doubled, by_row)


def test_columns_without_any_step_are_all_padding() -> None:
    none = Encoded(np.zeros(0, np.uint8), np.zeros(3, np.int64))
    wide = Encoded(np.zeros((0, 2), np.float32), np.zeros(3, np.int64))
    part = Examples(
        {"ids": none, "wide": wide}, {"ids": Discrete(3), "wide": Continuous(2)}, none, Discrete(3), Aligned()
    )
    batch = Loader(part, Rows(part.steps(), 4, keep_empty=True))[0]
    assert batch.inputs["ids"].tolist() == [[0], [0]]
    assert batch.inputs["wide"].shape == (2, 1, 2)
    assert batch.target is not None
    assert batch.target.tolist() == [[MISSING], [MISSING]]
    assert batch.lengths.tolist() == [0, 0]


def test_a_batch_says_which_steps_are_context_and_which_rows_begin() -> None:
    part = examples(IDS, Discrete(9), Aligned())
    batch = Loader(part, Lanes(part.steps(), 3, 2, context=1))[0]
    assert batch.scored is not None
    assert batch.fresh is not None
    assert batch.inputs["ids"].tolist() == [[5, 6], [6, 7], [1, 2]]
    assert batch.scored.tolist() == [0, 1, 1]
    assert batch.fresh.tolist() == [True, True, True]


def test_a_batch_is_the_same_each_time_and_nobody_elses() -> None:
    part = examples(IDS, Discrete(9), Next())
    loader = Loader(part, Rows(part.steps() - 1, 1, seed=4))
    before = IDS.values.copy()
    first = loader[1]
    for tensor in (*first.inputs.values(), first.target, first.lengths):
        assert tensor is not None
        tensor.fill_(7)
    again = Loader(part, Rows(part.steps() - 1, 1, seed=4))[1]
    assert not torch.equal(first.inputs["ids"], again.inputs["ids"])
    assert np.array_equal(IDS.values, before)


def test_values_may_lie_in_a_file(tmp_path: Path) -> None:
    IDS.values.tofile(tmp_path / "ids")
    mapped = Encoded(np.memmap(tmp_path / "ids", np.uint8, "r"), OFFSETS)
    kinds = {"ids": Discrete(9)}
    plan = Rows(mapped.lengths() - 1, 2)
    inside, outside = (
        list(Loader(Examples({"ids": column}, kinds, column, Discrete(9), Next()), plan)) for column in (IDS, mapped)
    )
    assert [b.inputs["ids"].tolist() for b in inside] == [b.inputs["ids"].tolist() for b in outside]


def test_the_loader_has_as_many_batches_as_its_plan() -> None:
    part = examples(IDS, Discrete(9), Aligned())
    loader = Loader(part, Windows(np.arange(4), part.steps(), 2, 3))
    assert len(loader) == len(list(loader)) == 2


@pytest.mark.parametrize("form", [One(), Aligned(), Next()])
def test_rows_of_a_batch_are_never_mixed(form: TargetForm) -> None:
    """Each row of a batch holds what it holds alone."""
    part = examples(CITIES if form.whole else IDS, Discrete(9, not form.whole), form)
    steps = form.plans.questions(part.steps())
    together = Loader(part, Rows(steps, 4, keep_empty=not form.predicts_next))[0]
    assert together.target is not None
    for place, row in enumerate(together.rows.tolist()):
        alone = batch_of(part, [row], [0], [int(steps[row])])
        assert alone.target is not None
        padded = max(1, int(steps[row]))
        assert torch.equal(alone.inputs["ids"][0], together.inputs["ids"][place, :padded])
        assert torch.equal(alone.inputs["age"][0], together.inputs["age"][place])
        ours = together.target[place] if form.whole else together.target[place, :padded]
        assert torch.equal(alone.target[0], ours)
