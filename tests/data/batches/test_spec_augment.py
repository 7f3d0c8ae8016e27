from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from unrolled.batch import Continuous
from unrolled.data.batches.loader import Loader
from unrolled.data.batches.spec_augment import SpecAugment
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.one import One
from unrolled.data.plans.windows import Rows, Transformed

B, T, W = 6, 60, 40
ROWS, STARTS, LENGTHS = np.arange(B), np.zeros(B, np.int64), np.array([60, 60, 50, 30, 5, 1])


def hidden(seed: int = 0, epoch: int = 0, rows: np.ndarray = ROWS) -> np.ndarray:
    """(B, T, W) bool."""
    values = np.ones((len(rows), T, W), np.float32)
    found = SpecAugment(seed, epoch).hide(values, rows, STARTS[rows], LENGTHS[rows])
    assert (values == 1).all()
    return found == 0


def test_whole_steps_and_whole_bands_are_hidden_and_no_more_than_two_of_a_fifth_each() -> None:
    share = np.zeros(2)
    for epoch in range(200):
        for row, gone in enumerate(hidden(epoch=epoch)):
            steps, bands = gone.all(1), gone.all(0)
            assert_array_equal(gone, steps[:, None] | bands[None])
            assert steps.sum() <= 2 * (LENGTHS[row] // 5)
            assert bands.sum() <= 2 * (W // 5)
            assert not steps[LENGTHS[row] :].any()  # the padding is not worth hiding
            runs = (
                (np.diff(steps.astype(int), prepend=0) == 1).sum(),
                (np.diff(bands.astype(int), prepend=0) == 1).sum(),
            )
            assert max(runs) <= 2
            share += np.array([steps[: LENGTHS[0]].mean(), bands.mean()]) * (row == 0) / 200
    assert np.abs(share - 0.19).max() < 0.03  # two masks of a tenth on average, which overlap now and then


def test_it_is_a_pure_function_of_seed_epoch_and_row() -> None:
    whole = hidden(3, 1)
    assert_array_equal(hidden(3, 1, ROWS[::-1]), whole[::-1])
    assert_array_equal(hidden(3, 1, ROWS[2:3]), whole[2:3])
    for other in (hidden(4, 1), hidden(3, 2), whole[[1, 0, 2, 3, 4, 5]]):
        assert (other[:2] != whole[:2]).any()


@pytest.mark.parametrize("batch", [2, 3])
def test_a_batch_has_its_frames_hidden_and_its_lengths_and_target_as_they_are(batch: int) -> None:
    offsets = np.concatenate([[0], np.cumsum(LENGTHS)])
    frames = Encoded(np.ones((int(offsets[-1]), W), np.float32), offsets)
    target = Encoded(np.arange(B, dtype=np.float32)[:, None], None)
    examples = Examples({"x": frames}, {"x": Continuous(W)}, target, Continuous(1, False), One())
    plain = Loader(examples, Rows(LENGTHS, batch, seed=1))
    found = Loader(examples, Transformed(Rows(LENGTHS, batch, seed=1), (SpecAugment(5, 0),)))
    assert len(found) == len(plain)
    for one, other in zip(found, plain, strict=True):
        assert_array_equal(one.rows, other.rows)
        assert_array_equal(one.lengths, other.lengths)
        assert_array_equal(one.target, other.target)
        for row, length, values in zip(one.rows, one.lengths, one.inputs["x"].numpy(), strict=True):
            wanted = ~hidden(5, 0, np.array([int(row)]))[0, :length]
            assert_array_equal(values[:length], wanted.astype(np.float32))
