"""Biological sequences as what a task continues or writes: they are tokens there, with a begin and an end."""

from __future__ import annotations

import random
from typing import Any

from unrolled.data.read import read
from unrolled.data.roles import Roles
from unrolled.tasks.next_step import NextStep
from unrolled.tasks.task import Question
from unrolled.tasks.transcribe import Transcribe
from unrolled.tasks.translate import Translate

DICE = random.Random(0)
DNA = ["".join(DICE.choices("ACGT", k=60)) for _ in range(8)]
PROTEIN = ["".join(DICE.choices("ACDEFGHIKLMNPQRSTVWY", k=40)) for _ in range(8)]


def question(columns: dict[str, list[Any]], *target: str) -> Question:
    return Question(read(columns), target, (), None)


def test_a_sequence_is_what_is_continued() -> None:
    asked = question({"dna": DNA, "grade": [1.5] * 8})
    assert asked.sequences.kinds["dna"] == "symbols"
    assert NextStep.roles(asked) == Roles(("dna",), "dna", "next", {"dna": "tokens"})


def test_dna_becomes_protein_by_translate() -> None:
    asked = question({"dna": DNA, "protein": PROTEIN}, "protein")
    assert asked.sequences.kinds == {"dna": "symbols", "protein": "symbols"}
    assert Transcribe.recognises(asked) is None
    assert Translate.recognises(asked) == "'protein' is a text of its own"
    assert Translate.roles(asked) == Roles(("dna",), "protein", "free", {"protein": "tokens"})


def test_a_measured_current_becomes_dna_by_transcribe() -> None:
    asked = question({"current": [[0.5, 1.5, 2.5] * 80] * 8, "dna": DNA}, "dna")
    assert Transcribe.recognises(asked) == "'dna' is a text, and 'current' has numbers for each step"
    assert Translate.recognises(asked) is None
