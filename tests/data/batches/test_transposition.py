from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal

from unrolled.data.batches.loader import Loader
from unrolled.data.batches.transposition import Transposition
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.roles import Roles
from unrolled.data.forms.next import Next
from unrolled.data.plans.windows import Lanes, Rows, Transformed
from unrolled.data.tables.read import read

ROWS = 30
MOST = 5


def rolls() -> Examples:
    """Rows of two keys each; the first row reaches from the lowest key to the highest."""
    dice = np.random.default_rng(0)
    pieces = [np.zeros((int(n), 88), np.uint8) for n in dice.integers(3, 9, ROWS)]
    for piece in pieces:
        piece[:, dice.integers(20, 60, 2)] = dice.integers(0, 2, (len(piece), 2))
    pieces[0][0, [0, 87]] = 1
    pieces[1][0, 86] = 1
    return encoded({"keys": [piece.tolist() for piece in pieces]}, "keys")


def words() -> Examples:
    dice = np.random.default_rng(0)
    rows = [[w for p in dice.integers(40, 60, 6) for w in ("t2", f"p{p}", "d4")] for _ in range(ROWS)]
    return encoded({"events": pa.array(rows), "other": [["x"] * 18] * ROWS}, "events")


def encoded(columns: dict[str, object], target: str) -> Examples:
    sequences = read(columns)
    kinds = {"events": "tokens"} if target == "events" else {}
    coder = Preprocessor.fit(sequences, Roles((target,), target, Next(), kinds), Preparation(), {})
    return coder.encode(sequences)


def batches(
    examples: Examples, epoch: int | None, batch: int = 4, seed: int = 3
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Row -> its inputs and target, of an epoch, or as they are."""
    lengths = np.maximum(examples.steps() - 1, 0)
    plan = Rows(lengths, batch, seed)
    loader = Loader(
        examples, plan if epoch is None else Transformed(plan, (Transposition(examples, MOST, seed, epoch),))
    )
    (name,) = examples.inputs
    found = {}
    for one in loader:
        assert one.target is not None
        for place, (row, length) in enumerate(zip(one.rows.tolist(), one.lengths.tolist(), strict=True)):
            found[row] = (one.inputs[name][place, :length].numpy(), one.target[place, :length].numpy())
    return found


def test_a_roll_and_what_is_asked_of_it_are_shifted_alike_and_stay_on_the_piano() -> None:
    examples = rolls()
    plain = batches(examples, None)
    seen = set()
    for epoch in range(40):
        for row, (read_, asked) in batches(examples, epoch).items():
            both, moved = np.concatenate([plain[row][0], plain[row][1][-1:]]), np.concatenate([read_, asked[-1:]])
            assert_array_equal(read_[1:], asked[:-1])
            assert both.sum() == moved.sum()
            found = [
                s for s in range(-MOST, MOST + 1) if (np.roll(both, s, 1) == moved).all()
            ]  # several where no key sounds
            assert found
            seen |= set(found) if row > 1 and both.sum() and len(found) == 1 else set()
            assert row != 0 or 0 in found
            assert row != 1 or min(found) <= 1
    assert seen == set(range(-MOST, MOST + 1))


def test_events_are_shifted_within_the_vocabulary_and_times_stay() -> None:
    examples = words()
    keys = examples.keys["events"]
    known = set(keys[keys >= 0].tolist())
    plain = batches(examples, None)
    shifts = set()
    for epoch in range(20):
        for row, (read_, asked) in batches(examples, epoch).items():
            assert_array_equal(read_[1:], asked[:-1])
            is_key = keys[plain[row][0]] >= 0
            assert_array_equal(read_[~is_key], plain[row][0][~is_key])
            shift = set((keys[read_] - keys[plain[row][0]])[is_key].tolist())
            assert len(shift) == 1
            assert set(keys[read_[is_key]].tolist()) <= known
            shifts |= shift
    assert shifts == set(range(-MOST, MOST + 1))


def test_events_of_few_words_and_unequal_rows_are_shifted() -> None:
    """What is asked beyond a row's end is -100, which is no id, however few there are."""
    rows = [[f"p{60 + n % 3}" for n in range(length)] for length in (2, 9, 5)]
    examples = encoded({"events": pa.array(rows), "other": [["x"] * len(row) for row in rows]}, "events")
    (plain,) = Loader(examples, Rows(examples.steps() - 1, 3))
    transposed = Transposition(examples, MOST, seed=3, epoch=0)
    assert plain.target is not None
    moved = transposed.move("events", plain.target.numpy(), plain.rows.numpy())
    assert (plain.target.numpy() == -100).any()
    assert_array_equal(moved == -100, plain.target.numpy() == -100)


def test_the_shift_depends_on_seed_epoch_and_row_alone() -> None:
    examples = rolls()
    rows = np.arange(ROWS)
    whole = Transposition(examples, MOST, 3, 1).shifts(rows)
    assert_array_equal(Transposition(examples, MOST, 3, 1).shifts(rows[::-1]), whole[::-1])
    assert whole[0] == 0
    for seed, epoch in ((4, 1), (3, 2)):
        assert (Transposition(examples, MOST, seed, epoch).shifts(rows) != whole).any()


def test_all_windows_of_a_row_are_shifted_alike() -> None:
    examples = rolls()
    plan = Lanes(np.maximum(examples.steps() - 1, 0), 2, 2, seed=1)
    transposition = Transposition(examples, MOST, 3, 1)
    plain, moved = Loader(examples, plan), Loader(examples, Transformed(plan, (transposition,)))
    assert moved.plan.carries
    for one, other in zip(plain, moved, strict=True):
        for values, again, shift in zip(
            one.inputs["keys"].numpy(),
            other.inputs["keys"].numpy(),
            transposition.shifts(one.rows.numpy()),
            strict=True,
        ):
            assert_array_equal(np.roll(values, shift, 1), again)


def test_what_has_no_keys_is_left_alone() -> None:
    assert encoded({"x": [[[0.5] * 88], [[1.5] * 88]]}, "x").keys == {}
    assert encoded({"x": [[[0, 1] * 40], [[1, 0] * 40]]}, "x").keys == {}
    assert encoded({"events": [["p60", "d4"], ["hello", "p61"]]}, "events").keys == {}
    assert words().own == "events"


@pytest.mark.parametrize("make", [rolls, words])
def test_the_data_itself_stays_as_it_is(make: object) -> None:
    examples = make()  # type: ignore[operator]
    (column,) = examples.inputs.values()
    before = column.values.copy()
    batches(examples, 1)
    assert_array_equal(column.values, before)


def test_a_roll_with_gaps_has_no_keys() -> None:
    """Behind its 88 keys stands what tells of missing ones, which no shift may reach."""
    whole = [[[0] * 88, [1] * 88]] * 3
    gaps = [[[0] * 88, [None, *[1] * 87]]] * 3
    assert encoded({"keys": whole}, "keys").keys.keys() == {"keys"}
    assert not encoded({"keys": gaps}, "keys").keys
