"""Another model on a page: the differences place by place, both curves, disagreements, and nothing that is hidden."""

from __future__ import annotations

import numpy as np

from unrolled.inspection.memory_horizon import Horizon
from unrolled.runs.beside import Beside, Difference, LayerPair
from unrolled.runs.side_by_side import side_by_side

PLACES = (
    Difference(0, 0, 3, 1.0, 0.5, "the", ("the", "the")),
    Difference(0, 3, 7, 0.25, 2.25, " cat", (" cat", " dog")),
)
REACH = Horizon((4.0, 1.0), 1, 0.25, 1, "healthy", 5)
LAYERS = (LayerPair("layer 1", "layer 1", 0.5), LayerPair("layer 1", "layer 2", 0.75))
FOUND = Beside("runs/b", "characters", "nats", PLACES, 7, -1.5, 0.2, REACH, "not measured: why", LAYERS)


def test_what_is_shown_and_in_which_order() -> None:
    sections = list(side_by_side(FOUND, REACH, "not measured: why"))
    assert [one.title.removeprefix("Beside runs/b: ") for one in sections] == [
        *("the difference of the losses", "how far back", "where they disagree", "layers that are alike"),
    ]
    data = sections[0].data
    assert data["tokens"] == ["the", " cat"]
    (quantity,) = data["quantities"]
    np.testing.assert_array_equal(quantity["grid"].values, [[0.5], [-2.0]])
    assert (quantity["grid"].low, quantity["grid"].high) == (-2.0, 2.0)
    assert "loss by context" not in sections[1].body and "gradient by lag" in sections[1].body
    assert " dog" in sections[2].body and ">the<" not in sections[2].body  # only where answers differ
    assert "0.75" in sections[3].body


def test_hidden_words_are_left_out() -> None:
    sections = list(side_by_side(FOUND, REACH, "not measured: why", hide=True))
    assert sections[0].data["tokens"] == ["3", "7"]
    assert not any("cat" in one.body for one in sections)
    assert not [one for one in sections if "disagree" in one.title]


def test_runs_that_cannot_be_set_beside_each_other_show_what_there_is() -> None:
    without = Beside("runs/b", "steps", "nats", (), 0, 0.0, 0.0, "not measured: why", "not measured: why", (), "why")
    assert list(side_by_side(without, REACH, "not measured: why")) == []
