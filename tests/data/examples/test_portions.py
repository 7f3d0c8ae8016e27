from __future__ import annotations

import numpy as np

from unrolled.batch import Continuous, Discrete
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.portions import grouped
from unrolled.data.forms.horizon import Horizon
from unrolled.data.forms.next import Next
from unrolled.data.forms.one import One


def rows(count: int) -> Examples:
    tokens = Encoded(np.arange(2 * count), np.arange(0, 2 * count + 1, 2))
    return Examples({"x": tokens}, {"x": Discrete(2 * count)}, Encoded(np.arange(count), None), Discrete(count), One())


def test_rows_are_dealt_out() -> None:
    groups = grouped(rows(25), most=10)
    assert [part.target.values.tolist() for part in groups.parts][:2] == [[0, 10, 20], [1, 11, 21]]
    assert sorted(value for part in groups.parts for value in part.target.values.tolist()) == list(range(25))
    assert (groups.share, groups.cases) == (1.0, 25)
    assert groups.parts[1].inputs["x"].values.tolist() == [2, 3, 22, 23, 42, 43]


def test_of_very_many_rows_some_are_taken() -> None:
    groups = grouped(rows(100), most=10, steps=50)
    assert sum(len(part.target.values) for part in groups.parts) == 25
    assert (groups.share, groups.cases) == (0.25, 100)


def test_a_long_text_is_cut_into_stretches_that_ask_about_each_step_once() -> None:
    tokens = Encoded(np.arange(1000), np.array([0, 1000]))
    text = Examples({"x": tokens}, {"x": Discrete(1000)}, tokens, Discrete(1000), Next(), np.array([200]))
    groups = grouped(text, most=8)
    asked = [
        int(part.target.values[step])
        for part in groups.parts
        for step in part.form.asked(part.target, part.first, discrete=True)
    ]
    assert asked == list(range(200, 1000))
    assert max(int(part.first[0]) for part in groups.parts) == 64  # what is read before
    short = grouped(text, most=8, steps=80)
    assert sum(int((part.steps() - part.first).sum()) for part in short.parts) == 80
    assert short.share == 0.1


def test_windows_of_a_forecast_are_asked_about_once() -> None:
    series = Encoded(np.arange(100.0)[:, None], np.array([0, 60, 100]))
    wave = Examples({"x": series}, {"x": Continuous(1)}, series, Continuous(1), Horizon(6), np.array([40, 33]))
    groups = grouped(wave)
    ends = [end for part in groups.parts for end in part.window_ends()[1].tolist()]
    assert sorted(ends) == sorted(wave.window_ends()[1].tolist())
    assert groups.cases == 3 + 1
