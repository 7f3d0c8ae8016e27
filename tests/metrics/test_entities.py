"""Names in tagged sequences, beside seqeval's answers on whatever tags there may be."""

from __future__ import annotations

import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.metrics._iob2 import IOB2
from unrolled.metrics.judged import ChosenTags
from unrolled.metrics.scoring import scores

LABELS = ["B-loc", "B-per", "I-loc", "I-org", "I-per", "O"]
SCHEME = IOB2.of(LABELS)


def found(prediction: list[list[str]], target: list[list[str]]) -> dict[str, float]:
    assert SCHEME is not None
    chosen, right = (torch.tensor([LABELS.index(tag) for row in rows for tag in row]) for rows in (prediction, target))
    first = torch.tensor([step == 0 for row in target for step in range(len(row))])
    return scores([(ChosenTags(chosen, right, first, SCHEME),)])


_rows = st.lists(st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1), min_size=1)


@settings(deadline=None, derandomize=True)
@given(_rows)
def test_as_seqeval_counts(rows: list[list[tuple[str, str]]]) -> None:
    seqeval = pytest.importorskip("seqeval.metrics", reason="seqeval is the oracle of this test")
    prediction, target = ([[pair[side] for pair in row] for row in rows] for side in (0, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # seqeval warns of every score that is 0 by definition
        theirs = [getattr(seqeval, f"{name}_score")(target, prediction) for name in ("precision", "recall", "f1")]
    assert list(found(prediction, target).values()) == pytest.approx(theirs, abs=1e-12)


def test_scores_of_no_name_are_zero() -> None:
    names = ["entity_precision", "entity_recall", "entity_f1"]
    assert found([["O", "O"]], [["O", "O"]]) == dict.fromkeys(names, 0.0)
    assert found([["O", "O"]], [["B-loc", "O"]]) == dict.fromkeys(names, 0.0)
    assert found([["B-loc", "O"]], [["B-loc", "O"]]) == dict.fromkeys(names, 1.0)
