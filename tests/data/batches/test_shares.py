from __future__ import annotations

import numpy as np
import pytest
from samples import SAMPLES

from unrolled.data.batches.loader import Loader
from unrolled.data.batches.shares import Share, stand_in
from unrolled.data.plans.windows import Lanes, Plan, Rows

LENGTHS = np.array([3, 9, 1, 7, 5, 2, 8])
PLANS: list[Plan] = [Rows(LENGTHS, 3, seed=1), Lanes(LENGTHS, 5, 4, seed=1)]


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("parts", [1, 2, 4, 8])
def test_all_shares_together_are_the_batch(plan: Plan, parts: int) -> None:
    shares = [Share(plan, part, parts) for part in range(parts)]
    for index in range(len(plan)):
        whole, found = plan[index], [share[index] for share in shares]
        seen = [row for one in found for row in zip(one.rows, one.starts, one.stops, strict=True)]
        assert sorted(seen) == sorted(zip(whole.rows, whole.starts, whole.stops, strict=True))
    assert {len(share) for share in shares} == {len(plan)}


def test_a_lane_stays_in_its_share() -> None:
    plan = Lanes(LENGTHS, 5, 4)
    lanes = [Share(plan, part, 2).rows(5).tolist() for part in range(2)]
    assert lanes == [[0, 1, 2], [3, 4]]
    assert all(Share(plan, 0, 2)[index].rows.tolist() == plan[index].rows[:3].tolist() for index in range(len(plan)))


def test_shares_of_rows_that_lie_in_the_order_of_their_length_take_as_long_as_each_other() -> None:
    """Lognormal lengths, eight shares: how much of the slowest share is work that the others have too."""
    lengths = np.random.default_rng(0).lognormal(5, 1.2, 20_000).clip(1, 4000).astype(np.int64)
    plan = Rows(lengths, 256, seed=0)
    work = np.array([[Share(plan, part, 8)[index].lengths.sum() for part in range(8)] for index in range(len(plan))])
    assert (work.mean(1) / work.max(1)).mean() > 0.93


@pytest.mark.parametrize("plan", PLANS)
def test_who_has_no_row_computes_the_first(plan: Plan) -> None:
    assert not isinstance(plan, Share)
    loader = Loader(SAMPLES["classify"].examples(SAMPLES["classify"].ask()), Share(plan, 7, 8))
    found = stand_in(loader)
    assert found.examples is loader.examples and len(found) == len(plan) and found.plan.carries == plan.carries
    for index in range(len(plan)):
        assert len(loader.plan[index].rows) == 0
        assert found.plan[index].rows.tolist() == plan[index].rows[:1].tolist()
