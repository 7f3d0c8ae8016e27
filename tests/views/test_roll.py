from __future__ import annotations

import numpy as np
import torch
from looking import looked_at
from samples import SAMPLES, Sample, sequences

from unrolled.page.document import Grid
from unrolled.views.roll import channel_names, roll


def test_a_roll_shows_what_came_and_how_much_it_was_expected() -> None:
    looked = looked_at("next_step several")
    (section,) = roll(looked)
    row = np.array(SAMPLES["next_step several"].data.column("keys")[4].as_py())
    chances = torch.sigmoid(looked.trace.outputs).numpy()
    assert section.data["names"] == ["c0", "c1", "c2"]
    assert (section.data["came"] == row[1:]).all()
    assert isinstance(section.data["chances"], Grid)
    np.testing.assert_allclose(section.data["chances"].values, chances, rtol=1e-6)
    expected, came = chances > 0.5, row[1:] > 0
    assert f"Of {came.sum()} that came, {(expected & came).sum()} were expected" in section.body
    assert f"{(expected & ~came).sum()} were expected and did not come" in section.body


def test_the_keys_of_a_piano_are_notes_and_others_are_no_roll() -> None:
    rows = [[[int(key == (40 + step) % 88) for key in range(88)] for step in range(4)]] * 2
    sample = Sample("next_step", sequences({"keys": rows}, {"keys": "series"}))
    looked = looked_at(sample, row=0)
    names = channel_names(looked.task.coder.answer, 88)
    assert (names[0], names[39], names[87]) == ("A0", "C4", "C8")
    (section,) = roll(looked)
    assert len(section.data["names"]) == section.data["came"].shape[1]
    assert not [*roll(looked_at("next_step real"))]


def test_where_words_are_hidden_numbers_are_not_drawn() -> None:
    assert not [*roll(looked_at("next_step several", hidden=True))]
