from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from looking import looked_at

from unrolled.inspection.trace import Trace, trace
from unrolled.views.attending import attention
from unrolled.views.looked import ROW, Looked, steps_of


def with_weights(looked: Looked, weights: torch.Tensor) -> Looked:
    """The same row, with these weights (T, H, N) as the only traced value."""
    held: Trace = replace(looked.trace, values={"layer.blocks.0.own.attention": weights})
    return replace(looked, trace=held)


def test_the_weights_of_each_head_are_kept_to_a_level_of_their_roots() -> None:
    looked = looked_at("tag", model="transformer")
    (section,) = attention(looked)
    (path,) = looked.trace.values
    weights = looked.trace.values[path][:, 0].numpy()
    data = section.data
    np.testing.assert_allclose(data["maps"][0].values ** 2, weights, atol=1e-6)
    np.testing.assert_allclose((data["maps"][0].values ** 2).sum(1), 1, rtol=1e-5)
    assert data["rows"] == data["columns"] == steps_of(looked) and not data["first"].any()
    assert section.group == ROW and section.title == "Attention"


def test_each_head_comes_with_its_test() -> None:
    looked = looked_at("tag", model="transformer")
    heads = looked.trace.heads()
    (head,) = heads.heads
    (section,) = attention(replace(looked, heads=heads))
    (shown,) = section.data["heads"]
    assert (shown["harm"], shown["error"], shown["matters"]) == (head.worth.harm, head.worth.error, head.matters)
    assert ("It matters here" in section.body) == head.matters and "over 9 answers" in section.body
    (section,) = attention(looked)
    assert "harm" not in section.data["heads"][0] and "uniform" not in section.body


def test_spread_and_distance_are_those_of_known_weights() -> None:
    looked = looked_at("tag", model="transformer")
    steps = looked.trace.steps
    itself, uniform = torch.eye(steps), torch.ones(steps, steps) / steps
    (section,) = attention(with_weights(looked, torch.stack([itself, uniform], 1)))
    first, second = section.data["heads"]
    assert first["bits"] == 0 and first["distance"] == 0
    assert second["bits"] == pytest.approx(math.log2(steps), rel=1e-5)
    apart = np.abs(np.subtract.outer(np.arange(steps), np.arange(steps))).mean()
    assert second["distance"] == pytest.approx(apart, rel=1e-5)


def test_of_long_rows_the_nearest_weights_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = looked_at("tag", model="transformer")
    steps = looked.trace.steps  # 9
    monkeypatch.setattr("unrolled.views.attending._BYTES", 3 * steps)
    causal = torch.tril(torch.ones(steps, steps))
    causal /= causal.sum(1, keepdim=True)
    (section,) = attention(with_weights(looked, causal[:, None]))
    data = section.data
    assert data["first"].tolist() == [0, 0, 0, 1, 2, 3, 4, 5, 6]
    for step, first in enumerate(data["first"]):
        np.testing.assert_allclose(data["maps"][0].values[step] ** 2, causal[step, first : first + 3], atol=1e-6)
    assert "the nearest 3 of 9 weights" in section.body


@pytest.mark.parametrize(
    ("model", "titles"),
    [("gru", ["Alignment"]), ("transformer", ["Attention", "Alignment", "Attention along the answer"])],
)
def test_an_answer_is_aligned_with_what_was_read(model: str, titles: list[str]) -> None:
    looked = looked_at("translate", model=model)
    sections = {each.title: each for each in attention(replace(looked, prefixes=None))}
    assert [*sections] == titles
    data = sections["Alignment"].data
    text = looked.task.coder.answer.decode(looked.batch.target[0, 1:-1].numpy())  # type: ignore[index]
    assert data["rows"] == [*text, "<end>"] and data["columns"] == steps_of(looked)
    np.testing.assert_allclose((data["maps"][0].values ** 2).sum(1), 1, rtol=1e-5)
    assert "distance" not in data["heads"][0]  # between two sequences there is none
    blind = replace(looked, trace=replace(looked.trace, batch=replace(looked.batch, target=None)))
    assert "Alignment" not in {each.title for each in attention(blind)}


def test_the_models_own_answer_has_an_alignment_too_where_it_is_another() -> None:
    looked = looked_at("translate")
    assert looked.prefixes is not None
    (given, own) = attention(looked)
    assert (given.title, own.title) == ("Alignment", "Alignment of its own answer") and own.group != given.group
    written = looked.trace.answers["upper_predicted"]
    assert own.data["rows"] == [*written, "<end>"] and given.data["rows"] != own.data["rows"]
    mine = trace(looked.prefixes.network, looked.task, looked.batch, own_answer=True)
    (again,) = attention(replace(looked, trace=mine))
    assert again.data["rows"] == own.data["rows"]
