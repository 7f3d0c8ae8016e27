"""What is measured of data whose facts are known."""

from __future__ import annotations

import numpy as np

from unrolled.batch import MISSING, Continuous, Discrete, Side
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.horizon import Horizon
from unrolled.data.forms.next import Next
from unrolled.data.forms.one import One
from unrolled.planning.facts import measure

WORDS = Encoded(np.array([0, 1, 2, 1, 0, 2, 5]), np.array([0, 2, 4, 5, 7]))


def test_texts_with_labels() -> None:
    label = Encoded(np.array([1, 1, 1, 0]), None)
    title = Discrete(9, False, side=Side("title"))
    specs = {"x": Discrete(6), "title": title}
    inputs = {"x": WORDS, "title": WORDS}
    found = measure(Examples(inputs, specs, label, Discrete(2, time=False), One()), held_out=3)
    assert (found.form, found.rows, found.steps, found.longest, found.typical) == ("one", 4, 7, 2, 2)
    assert (found.symbols, found.beside, found.classes, found.held_out) == (6, 1, 2, 3)
    assert found.imbalance == 3
    assert list(found.say()) == [
        "facts: 4 rows, 2 to 2 steps each; 3 answers to validate on",
        "facts: 6 symbols, 2 classes, the commonest 3 times as often as the rarest",
        "facts: chance moves a score on the validation data by 25.0%",  # the root of 3/4 · 1/4 / 3
    ]


def test_a_missing_label_counts_for_none() -> None:
    label = Encoded(np.array([1, MISSING, 1, 0]), None)
    found = measure(Examples({"x": WORDS}, {"x": Discrete(6)}, label, Discrete(2, time=False), One()), held_out=0)
    assert found.imbalance == 2


def test_keys_are_on_or_off() -> None:
    for values, switches in (([[0.0], [1.0], [np.nan]], True), ([[0.0], [0.5], [1.0]], False)):
        roll = Encoded(np.array(values, np.float32), np.array([0, 3]))
        found = measure(Examples({"x": roll}, {"x": Continuous(1)}, roll, Continuous(1), Next()), held_out=0)
        assert found.switches is switches


def test_a_forecast_has_a_horizon_and_a_season() -> None:
    series = Encoded(np.zeros((40, 2), np.float32), np.array([0, 40]))
    examples = Examples({"x": series}, {"x": Continuous(2)}, series, Continuous(2), Horizon(6))
    found = measure(examples, held_out=5, season=12)
    assert (found.horizon, found.season, found.numbers, found.classes) == (6, 12, 2, 0)


def test_rows_that_come_twice() -> None:
    words = Encoded(np.array([1, 2, 2, 1, 1, 2, 1, 2, 0]), np.array([0, 2, 4, 6, 8, 8, 9]))  # 12 21 12 12 - 0
    marks = Encoded(np.array([[0.5], [0.5], [0.5], [0.25], [0.5], [0.5]], np.float32), None)
    specs = {"x": Discrete(3), "mark": Continuous(1, time=False)}
    label = Encoded(np.zeros(6, np.int64), None)

    def found(**inputs: Encoded) -> float:
        only = {name: specs[name] for name in inputs}
        return measure(Examples(inputs, only, label, Discrete(2, time=False), One()), held_out=0).duplicates

    assert found(x=words) == 2 / 6
    assert found(x=words, mark=marks) == 1 / 6


def test_a_series_that_drifts_and_lacks_numbers() -> None:
    level = np.concatenate([np.tile([0.0, 2.0], 45), np.full(10, 5.0)])  # 1 ± 1, then 5
    values = np.stack([level, np.zeros(100)], 1).astype(np.float32)
    gaps = np.zeros((100, 2), bool)
    gaps[:3, 0] = True
    series = Encoded(values, np.array([0, 100]), gaps)
    examples = Examples({"x": series}, {"x": Continuous(2)}, Encoded(values, series.offsets), Continuous(2), Horizon(4))
    found = measure(examples, held_out=16)
    assert (found.drift, found.missing, found.noise) == (4.0, 3 / 200, 0.5)  # four horizons: 1 / √4
