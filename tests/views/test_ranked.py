from __future__ import annotations

import numpy as np
import torch
from looking import CLICKS, looked_at

from unrolled.layers.item_outputs import ItemOutputs
from unrolled.views.ranked import ranked


def test_the_place_of_the_item_that_came_is_its_place_among_all() -> None:
    looked = looked_at(CLICKS, row=2)
    outputs, first = looked.trace.outputs, looked.task.coder.first_item
    assert isinstance(outputs, ItemOutputs) and first is not None and looked.batch.target is not None
    (section,) = ranked(looked)
    data, steps = section.data, looked.trace.steps
    chances = torch.softmax(outputs.scores()[0], -1)[:, first:].detach().numpy()
    assert data["count"] == 4 and data["chances"].shape == (steps, 4)
    np.testing.assert_allclose(data["chances"].sum(1), chances.sum(1), rtol=1e-5)
    for step, right in enumerate(looked.batch.target[0].tolist()):
        if right < first:  # the end of the row
            assert data["came"][step] == -1 and data["ranks"][step] == 0
            continue
        own = chances[step, right - first]
        assert data["ranks"][step] == 1 + (chances[step] > own).sum()
        np.testing.assert_allclose(data["own"][step], own, rtol=1e-5)
    assert looked.trace.loss is not None
    known = data["ranks"] > 0
    # Of the symbols that may follow, among them the end of the row.
    nats = -np.log(data["own"][known])
    np.testing.assert_allclose(looked.trace.loss.numpy()[known], nats, rtol=1e-4)
    came = [data["names"][one] for one in data["came"] if one >= 0]
    assert came == [*CLICKS.data.column("clicks")[2].as_py()][-len(came) :]
    best = [data["names"][one] for one in data["ids"][0]]
    assert sorted(best) == ["bread", "jam", "milk", "tea"]
    places = data["ranks"][data["ranks"] > 0]
    assert f"reciprocal rank is {(1 / places).mean():.3f}" in section.body and "All 4 items" in section.body


def test_a_text_has_no_items_and_names_can_be_hidden() -> None:
    assert not [*ranked(looked_at("next_step"))]
    (section,) = ranked(looked_at(CLICKS, 0, hidden=True))
    assert set(section.data["names"]) <= {"xxxx", "xxxxx", "xxx", "<end>"}
