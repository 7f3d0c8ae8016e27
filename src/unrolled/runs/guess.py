"""What is asked of data whose target the user does not name: what a person would see in it, or a question back.

A guess must have one likely reading. Where there are two, the user gets the commands for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.encodings._cells import plain
from unrolled.data.encodings.encoding import has_time
from unrolled.data.io.column_names import names_an_identity, words_of
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import UsageError, command, named
from unrolled.tasks._horizon import dated_steps, example_horizon

__all__ = ["guessed_target"]

_SHOWN = 3  # commands that are suggested
_FEW = 50  # most distinct labels of a column that a person would take for a set of classes in any table
_FEW_NUMBERS = 10  # most distinct whole numbers that are labels, such as stars
_ANSWERS = {
    *("label", "labels", "class", "classes", "target", "targets", "y", "outcome", "category", "categories", "topic"),
    *("topics", "sentiment", "emotion", "emotions", "polarity", "stance", "species", "survived", "intent", "spam"),
    *("churn", "churned", "exited", "diagnosis", "toxic", "toxicity", "fraud", "rating", "stars", "quality", "tags"),
    *("genre", "genres", "verdict"),
}
_STATES = {"state", "activity", "behavior", "behaviour"}
_WRITTEN = {
    *("target", "tgt", "translation", "output", "summary", "answer", "response", "pronunciation", "phonemes", "phones"),
    *("transcript", "transcription", "caption"),
}
_LINKS = {"at", "of", "in", "on", "for", "to", "by", "since", "until", "after", "before", "from", "per"}


@dataclass(frozen=True, slots=True)
class _Columns:
    """The columns by what they could be in a question, each in the order of the file.

    Attributes:
        subjects: what a question is asked of: texts, lists, recordings.
        labels: one of few labels for each row, or a set of them.
        numbers: one number for each row.
        items: a label or a word for each step.
        series: a number for each step, or several.
    """

    subjects: list[str]
    labels: list[str]
    numbers: list[str]
    items: list[str]
    series: list[str]

    @classmethod
    def of(cls, sequences: Sequences) -> _Columns:
        found = cls([], [], [], [], [])
        for name in sequences.kinds:
            if not sequences.traits(name).clock and not sequences.annotates(name):
                getattr(found, _part(sequences, name)).append(name)
        return found


def guessed_target(sequences: Sequences, asked: Mapping[str, Any], *, grouped: bool = False) -> tuple[str, str] | None:
    """The column that a person would predict, and why; ``None`` if the sequences are only to be continued.

    Args:
        sequences: the data; the user named no target.
        asked: the options that the user gave, for the commands that are suggested.
        grouped: whether each row of the file was one step of a sequence.

    Raises:
        UsageError: two columns or more are as likely, or none is; the message has a command for each.
    """
    if sequences.answer is not None:
        return sequences.answer
    columns = _Columns.of(sequences)
    by_name = _by_name(sequences, columns)
    if dated_steps(sequences) is not None and columns.series:
        numbers = [{"target": name, "horizon": example_horizon(sequences)} for name in columns.series[-1:]]
        if by_name:
            raise _open(sequences, asked, [*({"target": name} for name in by_name), *numbers])
        return None
    if len(by_name) == 1:
        return by_name[0], "its name says so"
    if len(by_name) > 1:
        raise _open(sequences, asked, [{"target": name} for name in by_name])
    if columns.items or columns.series:
        return _of_steps(columns, sequences, asked, grouped=grouped)
    return _of_rows(columns, sequences, asked)


def _part(sequences: Sequences, name: str) -> str:
    traits, column = sequences.traits(name), sequences.column(name)
    if has_time(column.type):
        if traits.measured:
            return "series"
        return "items"
    if traits.whole or (traits.text and not traits.labels):
        return "subjects"
    if traits.labels or _few_numbers(column):
        return "labels" if 1 < _distinct(column) <= max(_FEW, len(column) // 20) else "subjects"
    return "numbers" if traits.measured else "subjects"


def _by_name(sequences: Sequences, columns: _Columns) -> list[str]:
    """The columns whose names say that they are what is predicted."""
    dated = dated_steps(sequences) is not None  # where a label of a whole series rather describes it
    place = "z" in map(str.lower, sequences.kinds)  # beside z, y is where something is
    words = _ANSWERS - {"y"} if place else _ANSWERS
    found = [] if dated else [name for name in (*columns.labels, *columns.numbers) if _names(name, words)]
    if len(columns.subjects) > 1:
        found += [name for name in columns.subjects if _names(name, _WRITTEN)]
    if columns.series or len(columns.items) > 1:
        found += [name for name in columns.items if _names(name, _ANSWERS | _STATES)]
    return [name for name in sequences.kinds if name in found] if len(sequences.kinds) > 1 else []


def _of_steps(
    columns: _Columns, sequences: Sequences, asked: Mapping[str, Any], *, grouped: bool
) -> tuple[str, str] | None:
    """The target of data with a time axis."""
    rows, timed = [*columns.labels, *columns.numbers], [*columns.series, *columns.items]
    beside = [*(name for name in columns.subjects if not sequences.traits(name).whole), *columns.series]
    if len(columns.items) == len(beside) == 1 and not rows and not grouped:
        return columns.items[0], f"it is the only column beside {beside[0]!r}"
    if not rows and (len(timed) == 1 or not columns.items):
        return None
    if len(timed) == len(rows) == 1 and not grouped:
        return rows[0], f"it is the only value beside {timed[0]!r}"
    if grouped and not columns.labels and (not columns.items or timed == columns.items[:1]):
        return None  # numbers over time, or events; what is constant over a sequence is read beside them
    options: list[dict[str, Any]] = [{"target": name} for name in columns.labels]
    options += [{"target": name} for name in reversed(columns.items)] if len(timed) > 1 else []
    for name in columns.series[-1:]:
        options.append({"target": name, "horizon": example_horizon(sequences)})
    options += [{"task": "next_step", "target": name} for name in columns.items[:1]]
    raise _open(sequences, asked, options)


def _of_rows(columns: _Columns, sequences: Sequences, asked: Mapping[str, Any]) -> tuple[str, str] | None:
    """The target of a table in which each row stands for itself."""
    names, answers = list(sequences.kinds), [*columns.labels, *columns.numbers]
    if len(names) == 1:
        if columns.numbers:
            raise _open(sequences, asked, [{"horizon": example_horizon(sequences)}])
        return None
    if len(columns.subjects) == len(answers) == 1:
        return answers[0], f"it is the only column beside {columns.subjects[0]!r}"
    dated = any(pa.types.is_temporal(field.type) for field in sequences.table.schema)
    if len(columns.labels) == 1 and not dated and _stands_apart(columns.labels[0], sequences):
        return columns.labels[0], "it is the only column with few different values"
    if not answers and all(sequences.traits(name).whole for name in names):
        return None
    answers = [name for name in answers if not names_an_identity(name)] or answers
    likely = dict.fromkeys([names[-1], names[0], *columns.labels, *answers, *names])
    options: list[dict[str, Any]] = [{"target": name} for name in likely if name in answers or not answers]
    prose = [name for name in columns.subjects if not names_an_identity(name)]
    if prose and answers:
        options[_SHOWN - 1 :] = [{"task": "next_step", "target": prose[-1]}]
    elif not columns.subjects and columns.numbers == answers != [] and not dated:
        options.insert(_SHOWN - 1, {"horizon": example_horizon(sequences)})  # they may be the steps of one series
    raise _open(sequences, asked, options)


def _stands_apart(name: str, sequences: Sequences) -> bool:
    """Whether a column is where a table has its answers: the last, or the first if it holds words."""
    first, *_, last = sequences.kinds
    words = sequences.traits(name).labels
    return not names_an_identity(name) and (name == last or (name == first and words))


def _open(sequences: Sequences, asked: Mapping[str, Any], options: list[dict[str, Any]]) -> UsageError:
    """The question back, with a command for each of the likely readings."""
    source = sequences.origin.name
    lines = list(dict.fromkeys(command(source, {**asked, **more}) for more in options))
    what = "which column should be predicted" if len(lines) > 1 else "what should be predicted"
    tried = "try one of these" if len(lines) > 1 else "try"
    more = [one["target"] for one in options[_SHOWN:] if "target" in one]
    others = [f"or another {named('target')}: {', '.join(dict.fromkeys(more))}"] if more else []
    return UsageError("\n  ".join([f"{source} does not show {what}; {tried}:", *lines[:_SHOWN], *others]))


def _names(name: str, words: set[str]) -> bool:
    """Whether the last word of a column's name, or the name, is one of ``words``: not so of the age at diagnosis."""
    *before, last = words_of(name) or [""]
    return name.strip().lower() in words or (len(last) > 1 and last in words and not _LINKS & {*before})


def _few_numbers(column: pa.ChunkedArray) -> bool:
    return pa.types.is_integer(column.type) and len(column) >= 2 * _FEW_NUMBERS and _distinct(column) <= _FEW_NUMBERS


def _distinct(column: pa.ChunkedArray) -> int:
    return int(pc.count_distinct(plain(column)).as_py())
