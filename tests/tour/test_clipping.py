"""Two trainings that differ in nothing but clipping."""

from __future__ import annotations

import math

from unrolled.tour.clipping import CLIP, descend


def test_both_start_alike_and_only_the_unclipped_one_explodes() -> None:
    wild, tame = descend(40, 0, math.inf), descend(40, 0, CLIP)
    assert (wild.losses[0], wild.norms[0]) == (tame.losses[0], tame.norms[0])
    assert wild.norms[0] > CLIP
    assert wild.losses[1] != tame.losses[1]
    assert len(tame.losses) == len(tame.norms) == 40 and not tame.broke_off
    assert max(norm for norm in wild.norms if math.isfinite(norm)) > 100 * max(tame.norms)
    assert wild.broke_off == (len(wild.losses) < 40)


def test_it_repeats_to_the_bit() -> None:
    assert descend(3, 5, CLIP) == descend(3, 5, CLIP)
