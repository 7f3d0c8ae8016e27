from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from unrolled.batch import Continuous, Discrete
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
from unrolled.data.plans.windows import Lanes, Pieces, Plan, Rows, Windows
from unrolled.tasks.task import Batching
from unrolled.training.config import TrainingConfig
from unrolled.training.plans import answering_plan, can_be_judged, evaluation_plan, training_plan, window

TAG, FILL, AHEAD = Batching(), Batching(mask=0.4), Batching(lookback=64)


def examples(form: TargetForm, *lengths: int, first: list[int] | None = None) -> Examples:
    offsets = np.cumsum([0, *lengths])
    ids = Encoded(np.zeros(offsets[-1], np.uint8), offsets)
    series = Encoded(np.zeros((offsets[-1], 1), np.float32), offsets)
    column = series if form.horizon else ids
    spec = Continuous(1) if form.horizon else Discrete(3)
    start = None if first is None else np.array(first)
    return Examples({"x": column}, {"x": spec}, column, spec, form, start)


def config(**options: Any) -> TrainingConfig:
    return TrainingConfig(**{"batch": 2, **options})


def asked(plan: Plan) -> list[tuple[int, int]]:
    """(row, step) of each scored step."""
    found = []
    for batch in (plan[index] for index in range(len(plan))):
        for row, start, stop, context in zip(batch.rows, batch.starts, batch.stops, batch.scored, strict=True):
            found += [(int(row), step) for step in range(start + context, stop)]
    return sorted(found)


@pytest.mark.parametrize(
    ("form", "lengths", "options", "expected"),
    [
        (One(), (9, 9000), {"bptt": 4}, None),
        (Set(), (9, 9000), {}, None),
        (Next(), (9, 2048), {}, None),
        (Next(), (9, 2049), {}, 128),
        (Aligned(), (9,), {"bptt": 4}, 4),
        (Aligned(), (9, 9000), {"bptt": 4}, 4),
        (Next(), (), {}, None),
        (Horizon(3), (9000,), {"bptt": 4}, None),
    ],
)
def test_long_sequences_are_trained_in_lanes(
    form: TargetForm, lengths: tuple[int, ...], options: dict[str, Any], expected: int | None
) -> None:
    assert window(examples(form, *lengths), config(**options)) == expected
    plan = training_plan(examples(form, *lengths), AHEAD if form.horizon else TAG, config(**options), 0)
    assert isinstance(plan, Windows if form.horizon else Lanes if expected else Rows)


@pytest.mark.parametrize("options", [{}, {"bptt": 3}])
def test_every_question_is_asked_once(options: dict[str, Any]) -> None:
    aligned = examples(Aligned(), 4, 0, 1, 7)
    following = examples(Next(), 4, 0, 1, 7)
    for make in (
        lambda part: training_plan(part, TAG, config(**options), 5),
        lambda part: evaluation_plan(part, TAG, config(**options)),
    ):
        assert asked(make(aligned)) == [(row, step) for row, n in ((0, 4), (2, 1), (3, 7)) for step in range(n)]
        # The last step of a sequence has no next one.
        assert asked(make(following)) == [(row, step) for row, n in ((0, 3), (3, 6)) for step in range(n)]


def test_a_long_sequence_is_judged_whole_whatever_the_lanes() -> None:
    part = examples(Next(), 5000, 3)
    plan = evaluation_plan(part, TAG, config(batch=4))
    assert isinstance(plan, Lanes)
    assert asked(plan) == [(0, step) for step in range(4999)] + [(1, 0), (1, 1)]


def test_a_row_of_length_0_is_answered_but_not_learned_from() -> None:
    part = examples(One(), 4, 0, 1)
    rows = {int(row) for segments in [evaluation_plan(part, TAG, config())[0]] for row in segments.rows}
    assert len(evaluation_plan(part, TAG, config())) == 2
    assert 1 in rows
    assert len(training_plan(part, TAG, config(), 0)) == 1


def test_a_forecast_is_asked_where_its_whole_horizon_is_known() -> None:
    part = examples(Horizon(3), 6, 3, 4, first=[0, 0, 2])
    plan = evaluation_plan(part, AHEAD, config())
    windows = [(int(r), int(s)) for i in range(len(plan)) for r, s in zip(plan[i].rows, plan[i].stops, strict=True)]
    assert windows == [(0, 1), (0, 2), (0, 3)]


def test_the_order_of_training_depends_on_the_epoch_and_that_of_judging_on_nothing() -> None:
    part = examples(One(), *range(1, 40))

    def order(plan: Plan) -> list[list[int]]:
        return [plan[index].rows.tolist() for index in range(len(plan))]

    assert order(training_plan(part, TAG, config(seed=1), 0)) != order(training_plan(part, TAG, config(seed=1), 1))
    assert order(evaluation_plan(part, TAG, config(seed=1))) == order(evaluation_plan(part, TAG, config(seed=2)))


# --- fill ----------------------------------------------------------------------------------------------------------


def rows_to_fill(*rows: list[int]) -> Examples:
    ids = Encoded(np.array([token for row in rows for token in row], np.uint8), np.cumsum([0, *map(len, rows)]))
    return Examples({"x": ids}, {"x": Discrete(9)}, ids, Discrete(9), FillIn())


@pytest.mark.parametrize(
    ("lengths", "options", "expected"),
    [((9, 2048), {}, [9, 2048]), ((9, 2049), {}, [9, *[409] * 1, *[410] * 4]), ((9, 3), {"bptt": 4}, [3, 3, 3, 3])],
)
def test_long_rows_are_filled_in_by_pieces(
    lengths: tuple[int, ...], options: dict[str, Any], expected: list[int]
) -> None:
    part = rows_to_fill(*([5] * n for n in lengths))
    for plan in (training_plan(part, FILL, config(**options), 0), evaluation_plan(part, FILL, config(**options))):
        assert isinstance(plan, Pieces)
        sizes = [int(n) for i in range(len(plan)) for n in plan[i].stops - plan[i].starts]
        assert sorted(sizes) == sorted(expected)
    assert window(part, config(**options)) is None  # they carry no state


def test_a_row_of_which_nothing_is_known_asks_nothing() -> None:
    part = rows_to_fill([0, 0], [], [0, 5], [0], [6])
    for plan in (training_plan(part, FILL, config(), 0), evaluation_plan(part, FILL, config())):
        assert {int(row) for i in range(len(plan)) for row in plan[i].rows} == {2, 4}
    assert not can_be_judged(rows_to_fill([0], []), FILL, config())
    assert not can_be_judged(rows_to_fill(), FILL, config())


def test_what_is_hidden_depends_on_seed_and_epoch_and_is_fixed_where_it_is_judged() -> None:
    part = rows_to_fill([5] * 9)
    assert training_plan(part, FILL, config(seed=3), 7).transforms == (Masking(0.4, 3, 7, 9),)
    assert training_plan(part, FILL, config(seed=3), 8).transforms == (Masking(0.4, 3, 8, 9),)
    judged = [evaluation_plan(part, FILL, config(seed=seed)).transforms for seed in (3, 4)]
    assert judged == [(Masking(0.4, 0, 0, 9),)] * 2


@pytest.mark.parametrize(
    ("form", "lengths", "width", "rows"),
    [
        (One(), [9] * 600, 8, [256, 256, 88]),
        (Horizon(3), [9] * 600, 8, [256, 256, 88]),
        (One(), [9] * 600, 20_000, [46] * 13 + [2]),  # as many numbers at a time as fit
        (One(), [9] * 5 + [100_000], 8, [2, 2, 2]),  # as in training
    ],
)
def test_many_short_rows_are_predicted_at_once(
    form: TargetForm, lengths: list[int], width: int, rows: list[int]
) -> None:
    part = examples(form, *lengths)
    plan = answering_plan(part, np.array(lengths), AHEAD, config(), width)
    assert [len(plan[index].rows) for index in range(len(plan))] == rows
