from __future__ import annotations

import numpy as np
import pytest
import torch
from looking import looked_at
from samples import SAMPLES

from unrolled.batch import Batch
from unrolled.data.encodings._level import SPECIALS, UNKNOWN
from unrolled.views.hidden import hidden_steps


def test_each_step_is_predicted_from_a_row_in_which_it_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = looked_at("fill", model="bigru")
    assert looked.prefixes is not None
    (section,) = hidden_steps(looked)
    data, text = section.data, SAMPLES["fill"].data.column("text")[4].as_py()
    assert data["tokens"] == [*text] and [data["names"][one] for one in data["right"]] == [*text]
    np.testing.assert_allclose(data["chances"].values.sum(1), 1, rtol=1e-5)  # all symbols are shown here
    for step in range(len(text)):
        ids = looked.batch.inputs["text"].clone()
        ids[0, step] = UNKNOWN
        with torch.no_grad():
            outputs, _ = looked.prefixes.network.run(Batch({"text": ids}, looked.batch.lengths, looked.batch.rows))
        chances = torch.softmax(outputs[0, step, SPECIALS:], -1)
        assert data["sure"][step] == pytest.approx(float(chances.max()), rel=1e-4)
        right = int(looked.batch.inputs["text"][0, step]) - SPECIALS
        assert data["own"][step] == pytest.approx(float(chances[right]), rel=1e-4)
    monkeypatch.setattr("unrolled.views.hidden._NUMBERS", 1)  # one step at a time
    (again,) = hidden_steps(looked)
    np.testing.assert_allclose(again.data["chances"].values, data["chances"].values, rtol=1e-4)


def test_of_a_long_row_the_first_steps_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unrolled.views.hidden._STEPS", 3)
    (section,) = hidden_steps(looked_at("fill"))
    assert len(section.data["chosen"]) == len(section.data["tokens"]) == 3 and "the first 3" in section.body
    assert not [*hidden_steps(looked_at("next_step"))] and not [*hidden_steps(looked_at("forecast"))]
