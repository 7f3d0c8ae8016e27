"""Which names IOB2 and BIOES tags mark, and what may follow what."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled.metrics._iob2 import IOB2

LABELS = ["B-loc", "B-per", "I-loc", "I-org", "I-per", "O"]
TAGS = IOB2.of(LABELS)


def counted(prediction: list[list[str]], target: list[list[str]]) -> np.ndarray:
    assert TAGS is not None
    flat = [np.array([LABELS.index(tag) for row in rows for tag in row], np.int64) for rows in (prediction, target)]
    first = np.array([step == 0 for row in target for step in range(len(row))], bool)
    return TAGS.count(flat[0], flat[1], first)


@pytest.mark.parametrize(
    ("prediction", "target", "expected"),
    [
        ("B-loc I-loc O", "B-loc I-loc O", [1, 1, 1]),
        ("B-loc I-loc I-loc", "B-loc I-loc O", [0, 1, 1]),
        ("B-loc B-loc O", "B-loc I-loc O", [0, 2, 1]),
        ("B-per I-per O", "B-loc I-loc O", [0, 1, 1]),
        ("I-loc I-loc O", "B-loc I-loc O", [1, 1, 1]),
        ("B-loc I-per O", "B-loc I-loc O", [0, 2, 1]),
        ("O O O", "O O O", [0, 0, 0]),
        ("O O B-per", "O O B-per", [1, 1, 1]),
    ],
)
def test_a_name_is_right_if_its_ends_and_its_kind_are(prediction: str, target: str, expected: list[int]) -> None:
    assert counted([prediction.split()], [target.split()]).tolist() == expected


def test_no_name_reaches_from_one_row_into_the_next() -> None:
    rows = [["O", "B-loc"], ["I-loc", "I-loc"], ["I-loc"], []]
    assert counted(rows, rows).tolist() == [3, 3, 3]
    assert counted([], []).tolist() == [0, 0, 0]


def test_what_may_follow_what() -> None:
    assert TAGS is not None
    forbidden = {([*LABELS, "start"][i], LABELS[j]) for i, j in zip(*np.nonzero(TAGS.forbidden()), strict=True)}
    goes_on = {"I-loc": {"B-loc", "I-loc"}, "I-per": {"B-per", "I-per"}, "I-org": {"I-org"}}
    expected = {(before, tag) for tag, fine in goes_on.items() for before in {*LABELS, "start"} - fine}
    assert forbidden == expected


@pytest.mark.parametrize(
    "labels", [["noun", "verb"], ["O"], [], ["B-x", "X-x", "O"], ["B-", "O"], ["B-x", 3], [True, False], ["o", "B-x"]]
)  # fmt: skip
def test_other_labels_are_no_such_tags(labels: list[object]) -> None:
    assert IOB2.of(labels) is None


ENDED = ["B-x", "E-x", "I-x", "O", "S-x", "S-y"]


@pytest.mark.parametrize("letters", ["BIES", "BILU", "BMES"])
@pytest.mark.parametrize(
    ("prediction", "target", "expected"),
    [
        ("B-x I-x E-x S-x O S-y", "B-x I-x E-x S-x O S-y", [3, 3, 3]),
        ("B-x E-x E-x O O O", "B-x I-x E-x O O O", [0, 2, 1]),  # after its last step an entity is closed
        ("S-x S-x O O O O", "B-x E-x O O O O", [0, 2, 1]),
        ("I-x E-x O O O O", "B-x E-x O O O O", [1, 1, 1]),  # as the CoNLL script reads it
        ("B-x O O O O O", "S-x O O O O O", [1, 1, 1]),
    ],
)
def test_entities_with_a_last_tag(letters: str, prediction: str, target: str, expected: list[int]) -> None:
    def spelled(texts: list[str]) -> list[str]:
        return [text.translate(str.maketrans("BIES", letters)) if text != "O" else text for text in texts]

    labels = sorted(spelled(ENDED))
    tags = IOB2.of(labels)
    assert tags is not None
    found, there = (np.array([labels.index(one) for one in spelled(row.split())]) for row in (prediction, target))
    assert tags.count(found, there, np.arange(6) == 0).tolist() == expected


def test_an_entity_with_a_last_tag_must_be_ended() -> None:
    tags = IOB2.of(ENDED)
    assert tags is not None
    allowed = {(i, j) for i, j in zip(*np.nonzero(~tags.forbidden()), strict=True)}
    names = [*ENDED, "start"]
    closed, going_on = {"E-x", "O", "S-x", "S-y", "start"}, {"B-x", "I-x"}
    expected = {(a, b) for a in closed for b in ("B-x", "O", "S-x", "S-y")} | {
        (a, b) for a in going_on for b in ("E-x", "I-x")
    }
    assert {(names[i], names[j]) for i, j in allowed} == expected
