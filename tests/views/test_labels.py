from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from looking import looked_at
from samples import SAMPLES

from unrolled.page.document import Grid
from unrolled.views.labels import heard, tags


@pytest.mark.parametrize("sample", ["tag", "tag together"])
def test_each_step_has_the_label_of_predict_and_probabilities_that_sum_to_1(sample: str) -> None:
    looked = looked_at(sample)
    (section,) = tags(looked)
    data = section.data
    answers = looked.trace.answers
    assert [data["names"][one] for one in data["chosen"]] == answers["tags_predicted"]
    np.testing.assert_allclose(data["sure"], answers["tags_p"], rtol=1e-5)
    assert isinstance(data["chances"], Grid)
    np.testing.assert_allclose(data["chances"].values.sum(1), 1, rtol=1e-5)
    right = SAMPLES[sample].data.column("tags")[4].as_py()
    assert [data["names"][one] for one in data["right"]] == right
    wrong = sum(one != other for one, other in zip(answers["tags_predicted"], right, strict=True))
    assert f"{wrong} of {len(right)} labels are wrong" in section.body
    assert ("chosen together" in section.body) == (sample == "tag together")


def test_without_right_labels_none_is_wrong() -> None:
    looked = looked_at("tag")
    blind = replace(looked, trace=replace(looked.trace, batch=replace(looked.batch, target=None)))
    (section,) = tags(blind)
    assert (section.data["right"] == -1).all() and np.isnan(section.data["own"]).all() and not section.body
    assert not [*tags(looked_at("classify"))] and not [*tags(looked_at("next_step"))]


def test_symbols_are_heard_or_blank() -> None:
    looked = looked_at("transcribe")
    (section,) = heard(looked)
    chances = torch.softmax(looked.trace.outputs, -1)
    names = section.data["names"]
    assert names[0] == "–" and {"a", "b", "c"} <= set(names)
    assert section.data["chosen"].tolist() == chances.argmax(-1).tolist()
    assert not [*heard(looked_at("tag"))] and not [*heard(looked_at("translate"))]
