"""One answer to everything."""

from __future__ import annotations

from baselines.conftest import ragged

from unrolled.baselines.commonest import Commonest
from unrolled.batch import Discrete
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.form import TargetForm
from unrolled.data.forms.free import Free
from unrolled.data.forms.unaligned import Unaligned
from unrolled.metrics.scoring import scores

FREE = Free()


def asked(rows: list[list[int]], form: TargetForm = FREE) -> Examples:
    framed = [[1, *row, 2] if form.writes else row for row in rows]
    inputs = ragged([[0]] * len(rows))
    return Examples({"x": inputs}, {"x": Discrete(1)}, ragged(framed), Discrete(9), form)


def test_the_commonest_target_without_its_frame() -> None:
    baseline = Commonest.fit(asked([[5], [6, 7], [6, 7]]))
    assert baseline.answer == [6, 7]
    assert scores(baseline.judge(asked([[6, 7], [6], []]))) == {"token_error_rate": 3 / 3, "exact_match": 1 / 3}


def test_of_equally_common_ones_the_shortest() -> None:
    assert Commonest.fit(asked([[5, 6], [7]], Unaligned())).answer == [7]
