"""Biological sequences as what a task continues, letter by letter, or writes, where they are tokens."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest
from configs import data_config

import unrolled as ur
from unrolled.cli.main import main
from unrolled.data.examples.roles import Roles
from unrolled.data.forms.free import Free
from unrolled.data.forms.next import Next
from unrolled.data.tables.read import read
from unrolled.errors import DataError, UsageError
from unrolled.tasks.next_step import NextStep
from unrolled.tasks.task import Question
from unrolled.tasks.transcribe import Transcribe
from unrolled.tasks.translate import Translate

DICE = random.Random(0)
DNA = ["".join(DICE.choices("ACGT", k=60)) for _ in range(8)]
PROTEIN = ["".join(DICE.choices("ACDEFGHIKLMNPQRSTVWY", k=40)) for _ in range(8)]


def question(columns: dict[str, list[Any]], *target: str) -> Question:
    return Question(read(columns), target, ())


def test_a_sequence_is_what_is_continued() -> None:
    asked = question({"dna": DNA, "grade": [1.5] * 8})
    assert asked.sequences.kinds["dna"] == "symbols"
    assert NextStep.roles(asked) == Roles(("dna",), "dna", Next())


def test_a_named_kind_is_kept_and_another_too() -> None:
    short = {"dna": ["ACGT", "ACGT", "GG"]}  # these look like labels
    asked = Question(read(short, data_config(kinds={"dna": "symbols"})), (), ())
    assert NextStep.roles(asked) == Roles(("dna",), "dna", Next())
    assert NextStep.roles(Question(asked.sequences, ("dna",), ())) == Roles(("dna",), "dna", Next())
    texts = Question(read({"dna": DNA}, data_config(kinds={"dna": "tokens"})), (), ())
    assert texts.sequences.kinds == {"dna": "tokens"}
    assert NextStep.roles(texts) == Roles(("dna",), "dna", Next())


@pytest.fixture
def reads(tmp_path: Path) -> Path:
    """Reads of ACG again and again, from any of its letters on, and one N."""
    path, records = tmp_path / "reads.fastq", []
    for number in range(40):
        letters = ("ACG" * 12)[number % 3 :] + "N" * (number == 0)
        records.append(f"@r{number}\n{letters}\n+\n{'I' * len(letters)}\n")
    path.write_text("".join(records))
    return path


def test_a_fastq_is_continued_letter_by_letter(reads: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    trained = ur.fit(str(reads), steps=60, hidden=16, lr=0.02, out=tmp_path / "run", say=lines.append)
    assert "unused columns: quality; inputs adds columns" in lines
    assert "input sequence: DNA, 4 of its 16 letters" in lines
    bits = trained.metrics["valid"]["bits_per_character"]
    assert bits == pytest.approx(trained.metrics["valid"]["loss_nats_per_token"] / math.log(2)) and bits < 0.5
    assert "bits_per_character" in trained.baselines["valid"]["5-gram"]
    again = ur.load(tmp_path / "run")
    assert "".join(again.generate("acgac", length=4, temperature=0)) == "GACG"
    assert set("".join(again.generate(length=200, temperature=5))) <= set("ACGN")  # letters that training held
    assert again.predict({"sequence": ["ACGA"]}).column("sequence_predicted").to_pylist() == ["C"]
    live = again.stream()
    assert [live.push({"sequence": letter})["sequence_predicted"] for letter in "ACG"] == ["C", "G", "A"]
    with pytest.raises(DataError, match="the prompt: the model never saw 'T', 'J' in training"):
        again.generate("ATTJ")
    with pytest.raises(DataError, match="row 1, column 'sequence': letter 2 is 'J', which is not DNA"):
        again.evaluate({"sequence": ["AJ"]})


def test_a_single_genome_is_split_by_place(tmp_path: Path) -> None:
    path = tmp_path / "one.fa"
    path.write_text(">chromosome\n" + "ACGGT" * 60 + "\n")
    lines: list[str] = []
    trained = ur.fit(str(path), steps=2, hidden=4, out=tmp_path / "run", say=lines.append)
    assert "valid: the last 10 % of each sequence" in lines
    assert trained.metrics["valid"]["loss_nats_per_token"] > 0


def test_a_bad_letter_stops_what_is_continued_too(tmp_path: Path) -> None:
    path = tmp_path / "bad.fa"
    path.write_text(">a\nACGTACGTACGT\n>b\nACGTJ\n")
    with pytest.raises(DataError, match=r"bad\.fa, row 2, column 'sequence': letter 5 of 'b' is 'J', which is not DNA"):
        ur.fit(str(path), steps=1, out=tmp_path / "run")


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (
            "next_step",
            "kmer = 6 does not work with the task .*: neighbouring k-mers overlap and give away most of the answer",
        ),
        ("fill", "kmer only works with columns of kind 'symbols'; this run has columns of kind 'tokens'"),
    ],
)
def test_kmers_are_none_to_continue(reads: Path, tmp_path: Path, task: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ur.fit(str(reads), task=task, kmer=6, steps=1, out=tmp_path / "run")
    ur.fit(str(reads), task=task, kmer=None, steps=1, hidden=2, out=tmp_path / "other")  # type: ignore[typeddict-item]
    assert not (tmp_path / "run").exists()


def test_the_command_says_how_to_generate(reads: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "run")
    assert main(["fit", str(reads), "--steps", "1", "--hidden", "4", "--out", out]) == 0
    assert f"unrolled generate {out} --length" in capsys.readouterr().err
    assert main(["generate", out, "--prompt", "ACG", "--length", "5"]) == 0
    assert set(capsys.readouterr().out.strip()) <= set("ACGN")


def test_dna_becomes_protein_by_translate() -> None:
    asked = question({"dna": DNA, "protein": PROTEIN}, "protein")
    assert asked.sequences.kinds == {"dna": "symbols", "protein": "symbols"}
    assert Transcribe.recognises(asked) is None
    assert Translate.recognises(asked) == (40, "'protein' is a text with its own length")
    assert Translate.roles(asked) == Roles(("dna",), "protein", Free(), {"protein": "tokens"})


def test_a_measured_current_becomes_dna_by_transcribe() -> None:
    asked = question({"current": [[0.5, 1.5, 2.5] * 80] * 8, "dna": DNA}, "dna")
    assert Transcribe.recognises(asked) == (50, "'dna' is a text and 'current' has numbers for each step")
    assert Translate.recognises(asked) is None
