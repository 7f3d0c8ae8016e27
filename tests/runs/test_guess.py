"""What is asked of a table whose target is not named: the likely column, a sequence to continue, or a question back."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

import unrolled as ur
from unrolled.data.config import DataConfig
from unrolled.data.tables.read import read
from unrolled.errors import UsageError, as_flags
from unrolled.runs.guess import guessed_target

_random = random.Random(0)
ROWS = 60


def draw(*values: Any) -> list[Any]:
    return [_random.choice(values) for _ in range(ROWS)]


def numbers() -> list[float]:
    return [round(_random.uniform(1, 50), 2) for _ in range(ROWS)]


def texts(*words: str) -> list[str]:
    return [" ".join(_random.choices(words, k=6)) + f" {n}" for n in range(ROWS)]


ENGLISH, FRENCH = texts("the", "cat", "saw", "a", "dog"), texts("le", "chat", "voit", "un", "chien")
LISTS = [[_random.choice("abc") for _ in range(5)] for _ in range(ROWS)]
WAVES = [[_random.random() for _ in range(5)] for _ in range(ROWS)]

GUESSED = {
    "a text and a label": ({"text": ENGLISH, "mood": draw("joy", "anger", "fear")}, "mood", "it is the only column beside 'text'"),
    "a label before its text": ({"mood": draw("joy", "anger"), "text": ENGLISH}, "mood", "it is the only column beside 'text'"),
    "a text and stars": ({"review": ENGLISH, "given": draw(1, 2, 3, 4, 5)}, "given", "it is the only column beside 'review'"),
    "a text and a number": ({"essay": ENGLISH, "mark": numbers()}, "mark", "it is the only column beside 'essay'"),
    "a name among several": ({"title": FRENCH, "body": ENGLISH, "shop": draw("a", "b"), "sentiment": draw("pos", "neg")}, "sentiment", "its name says so"),
    "the last word of a name": ({"text": ENGLISH, "airline": draw("a", "b"), "airline_sentiment": draw("pos", "neg")}, "airline_sentiment", "its name says so"),
    "Iris": ({"a": numbers(), "b": numbers(), "species": draw("setosa", "virginica")}, "species", "its name says so"),
    "Penguins": ({"species": draw("Adelie", "Gentoo"), "island": draw("Dream", "Biscoe"), "bill": numbers()}, "species", "its name says so"),
    "Titanic": ({"Survived": draw(0, 1), "Name": ENGLISH, "Sex": draw("male", "female"), "Age": numbers()}, "Survived", "its name says so"),
    "the only labels": ({"a": numbers(), "b": numbers(), "kind": draw("x", "y")}, "kind", "it is the only column with few different values"),
    "a number with a name": ({"acid": numbers(), "sugar": numbers(), "quality": numbers()}, "quality", "its name says so"),
    "a translation": ({"source": ENGLISH, "target": FRENCH}, "target", "its name says so"),
    "an answer": ({"question": ENGLISH, "context": FRENCH, "answer": texts("yes", "no")}, "answer", "its name says so"),
    "words and tags": ({"tokens": LISTS, "ner_tags": [[letter == "a" for letter in row] for row in LISTS]}, "ner_tags", "its name says so"),
    "series and a class": ({"wave": WAVES, "speaker": draw("Ann", "Bob")}, "speaker", "it is the only value beside 'wave'"),
    "a word and its sounds": ({"word": [f"word{n}" for n in range(ROWS)], "sounds": LISTS}, "sounds", "it is the only column beside 'word'"),
}  # fmt: skip
CONTINUED = {
    "a text": {"text": ENGLISH},
    "short texts that come again": {"text": draw("one two", "two three", "three one")},
    "lists of items": {"items": LISTS},
    "series": {"wave": WAVES},
}
ASKED = {
    "tips": (
        {"bill": numbers(), "tip": numbers(), "sex": draw("m", "f"), "day": draw("Sun", "Sat"), "size": numbers()},
        ["target='size'", "target='bill'", "target='sex'"],
    ),
    "numbers": ({"height": numbers(), "weight": numbers()}, ["target='weight'", "target='height'", "horizon=12"]),
    "numbers, the first of them few": ({"dose": draw(1, 2, 3), "weight": numbers()}, ["target='weight'", "target='dose'"]),
    "a place": ({"x": numbers(), "y": numbers(), "z": numbers()}, ["target='z'", "target='x'", "horizon=12"]),
    "an axis": ({"motion-x": numbers(), "motion-y": numbers()}, ["target='motion-y'", "target='motion-x'", "horizon=12"]),
    "at a diagnosis": ({"age_at_diagnosis": numbers(), "years": numbers()}, ["target='years'", "target='age_at_diagnosis'", "horizon=12"]),
    "an identity": ({"owner_id": draw("a", "b", "c"), "stop": numbers(), "weight": numbers()}, ["target='weight'", "target='stop'", "horizon=12"]),
    "one column of numbers": ({"load": numbers()}, ["horizon=12"]),
    "two names": ({"text": ENGLISH, "category": draw("a", "b"), "label": draw("c", "d")}, ["target='category'", "target='label'"]),
    "a text and two labels": (
        {"shop": draw("a", "b"), "text": ENGLISH, "verified": draw("yes", "no")},
        ["target='verified'", "target='shop'", "task='next_step', target='text'"],
    ),
    "two texts": ({"en": ENGLISH, "fr": FRENCH}, ["target='fr'", "target='en'"]),
    "two lists": ({"left": LISTS, "right": LISTS}, ["target='right'", "target='left'", "task='next_step', target='left'"]),
}  # fmt: skip


@pytest.mark.parametrize("name", GUESSED)
def test_the_likely_target_is_found_and_said(name: str) -> None:
    table, target, why = GUESSED[name]
    assert guessed_target(read(table), {}) == (target, why)


@pytest.mark.parametrize("name", CONTINUED)
def test_sequences_alone_are_continued(name: str) -> None:
    assert guessed_target(read(CONTINUED[name]), {}) is None


@pytest.mark.parametrize("name", ASKED)
def test_where_two_readings_are_likely_the_user_is_asked(name: str) -> None:
    table, wanted = ASKED[name]
    with pytest.raises(UsageError) as asked:
        guessed_target(read(table), {})
    first, *lines = str(asked.value).splitlines()
    assert first.startswith("your data does not show w")
    assert [line.strip() for line in lines if "another" not in line] == [f"fit(data, {options})" for options in wanted]


def dated(tmp_path: Path, *columns: str, **options: Any) -> Any:
    """A week of hours, with the named columns."""
    cells = {
        "load": [f"{n % 24 + 0.5}" for n in range(168)],
        "weather": ["rain" if n % 3 else "sun" for n in range(168)],
        "state": ["on" if n % 5 else "off" for n in range(168)],
    }
    lines = [
        f"2024-01-0{1 + n // 24} {n % 24:02}:00,{','.join(cells[name][n] for name in columns)}" for n in range(168)
    ]
    path = tmp_path / "steps.csv"
    path.write_text("\n".join([",".join(["when", *columns]), *lines]))
    return guessed_target(read(path, DataConfig(order="when", **options)), {"order": "when"}, grouped=True)


def test_numbers_over_dates_are_forecast(tmp_path: Path) -> None:
    assert dated(tmp_path, "load") is None
    assert dated(tmp_path, "load", "weather") is None  # read beside the numbers
    with pytest.raises(UsageError, match=r"(?s)does not show.*order='when', target='state'.*target='load', horizon=12"):
        dated(tmp_path, "load", "state")


def test_the_suggested_commands_are_complete_and_work(tmp_path: Path) -> None:
    (tmp_path / "my tips.csv").write_text("\n".join(["bill,tip", *(f"{n}.5,{n / 7:.2f}" for n in range(40))]))
    source = str(tmp_path / "my tips.csv")
    with pytest.raises(UsageError) as asked, as_flags():
        ur.fit(source, hidden=4, steps=1, out=tmp_path / "run")
    lines = str(asked.value).splitlines()
    plain = f"  unrolled fit '{source}' --hidden 4 --steps 1"
    assert lines[1:] == [f"{plain} {flags}" for flags in ("--target tip", "--target bill", "--horizon 12")]
    trained = ur.fit(source, hidden=4, steps=1, target="tip", out=tmp_path / "run")
    assert trained.task.name == "regress"


@pytest.mark.parametrize(
    ("options", "task", "target"),
    [
        ({}, "classify", "mood"),
        ({"task": "next_step", "inputs": ["text"]}, "next_step", "text"),
        ({"inputs": ["text"]}, "next_step", "text"),
        ({"task": "fill"}, "fill", "text"),
        ({"target": ["text"]}, "translate", "text"),
    ],
)
def test_what_the_user_says_is_not_guessed(options: dict[str, Any], task: str, target: str, tmp_path: Path) -> None:
    table, *_ = GUESSED["a text and a label"]
    trained = ur.fit(table, steps=1, hidden=4, plan="fixed", out=tmp_path / "run", **options)
    assert (trained.task.name, trained.task.coder.target) == (task, target)
