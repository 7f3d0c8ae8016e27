from __future__ import annotations

import numpy as np
import pytest
from looking import looked_at
from samples import SAMPLES

from unrolled.views.developing import developing


@pytest.mark.parametrize("model", ["gru", "bilstm", "transformer"])
def test_the_last_answer_is_that_of_the_row_and_each_sums_to_1(model: str) -> None:
    looked = looked_at("classify", model=model)
    (section,) = developing(looked)
    data, answers = section.data, looked.trace.answers
    text = SAMPLES["classify"].data.column("text")[4].as_py()
    assert data["ends"].tolist() == list(range(1, len(text) + 1)) and data["names"] == ["no", "yes"]
    np.testing.assert_allclose(data["values"].sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(data["values"][-1], [answers["label_p_no"], answers["label_p_yes"]], rtol=1e-4)
    assert data["right"] == [False, True] and "Right, by the data: yes" in section.body


def test_several_labels_each_have_their_own_probability() -> None:
    (section,) = developing(looked_at("classify several"))
    assert section.data["names"] == ["a", "b", "c"] and section.data["shares"]
    text = set(SAMPLES["classify several"].data.column("text")[4].as_py())
    assert section.data["right"] == [label in text for label in "abc"]


def test_a_number_develops_in_the_units_of_the_data() -> None:
    looked = looked_at("regress")
    (section,) = developing(looked)
    right = SAMPLES["regress"].data.column("size")[4].as_py()
    assert section.data["values"][-1, 0] == pytest.approx(looked.trace.answers["size_predicted"], rel=1e-4)
    assert section.data["known"] == pytest.approx(right, rel=1e-4) and not section.data["shares"]


def test_answers_of_single_steps_and_plain_rows_do_not_develop() -> None:
    for sample in ("tag", "forecast", "classify a plain row", "next_step"):
        assert not [*developing(looked_at(sample))]


def test_where_words_are_hidden_the_right_number_is_not_told() -> None:
    (section,) = developing(looked_at("regress", hidden=True))
    assert "known" not in section.data and not section.body
