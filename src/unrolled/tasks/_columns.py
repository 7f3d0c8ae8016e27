"""Choosing and checking input and target columns, shared by all tasks."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.encodings._cells import is_text, plain
from unrolled.data.encodings.encoding import Encoding, has_time
from unrolled.data.encodings.facets import Letters
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError, UsageError, counted, named
from unrolled.tasks.task import Question

__all__ = [
    "check_aligned",
    "check_classes",
    "check_letters",
    "distinct",
    "holds_repeats",
    "is_measured",
    "is_name",
    "is_number",
    "is_written",
    "join",
    "one_target",
    "other_columns",
    "step_aligned",
]

_DESCRIBES = 4  # words that a text has on average, where it is not a name
_NEARLY = 0.9  # if at least this share of rows has one label per step, the other rows count as errors in the data


def one_target(question: Question) -> str:
    """The single target column.

    Raises:
        UsageError: no target, or more than one, was named.
    """
    if len(question.target) != 1:
        known = ", ".join(question.sequences.kinds)
        raise UsageError(f"{named('target')} must name one column, not {len(question.target)}; columns: {known}")
    question.sequences.column(question.target[0])
    return question.target[0]


def other_columns(question: Question) -> tuple[str, ...]:
    """The input columns: the named ones, or else every column except the target and annotations like it.

    Raises:
        DataError: the target is the only column.
        UsageError: an input is also the target.
    """
    sequences = question.sequences
    chosen = question.inputs or tuple(
        name for name in sequences.kinds if name not in question.target and not sequences.annotates(name)
    )
    for name in chosen:
        sequences.column(name)
        if name in question.target:
            raise UsageError(f"{name!r} is the target, so it cannot be an input as well")
    if not chosen:
        raise DataError(
            "the target is the only column", file=sequences.origin, hint="add an input column to learn from"
        )
    return chosen


def check_classes(sequences: Sequences, target: str) -> None:
    """Check that a target of labels, one for each row or step or a set of them, has two or more.

    Raises:
        DataError: it has fewer.
    """
    if distinct(sequences.column(target)) < 2:
        raise DataError(
            "has only one class, so there is nothing to learn",
            file=sequences.origin,
            column=target,
            hint="use data with at least two classes",
        )


def distinct(array: pa.ChunkedArray) -> int:
    """How many values there are in the cells, or in the lists in them."""
    values = plain(array)  # of a categorical column Arrow counts none
    return int(pc.count_distinct(pc.list_flatten(values) if has_time(values.type) else values).as_py())


def is_written(sequences: Sequences, target: str) -> bool:
    """True if a target is a separate sequence, such as a text, or phonemes whose order and repetitions count."""
    return sequences.traits(target).text or holds_repeats(sequences.column(target))


def holds_repeats(array: pa.ChunkedArray) -> bool:
    """True if the cells are lists of texts or whole numbers, and a list holds one of them twice: it is no set.

    Cost: O(items).
    """
    if not has_time(array.type):
        return False
    lists = plain(array)
    items = pc.list_flatten(lists)
    if not (is_text(items.type) or pa.types.is_integer(items.type)):
        return False
    pairs = pa.table({"row": pc.list_parent_indices(lists), "item": items}).group_by(["row", "item"]).aggregate([])
    return int(pairs.num_rows) < len(items)


def is_measured(sequences: Sequences, name: str) -> bool:
    """True if a column has numbers for each step, such as the frames of a recording."""
    traits = sequences.traits(name)
    return traits.measured and (traits.whole or has_time(sequences.column(name).type))


def is_number(sequences: Sequences, name: str) -> bool:
    """True if a column has a single number per row or per step."""
    traits = sequences.traits(name)
    return traits.measured and not traits.channels and not traits.whole


def is_name(sequences: Sequences, name: str) -> bool:
    """True if a column has one text per row that names it; several texts of many words are descriptions."""
    column = sequences.column(name)
    if not sequences.traits(name).verbatim or has_time(column.type):
        return False
    words = pc.mean(pc.count_substring_regex(plain(column), r"\S+")).as_py() or 0
    return len(column) == 1 or words < _DESCRIBES


def step_aligned(sequences: Sequences, target: str, inputs: tuple[str, ...]) -> bool:
    """True if, in nearly every row, the target has one value for each step of an input that is a list."""
    steps = _steps(sequences, target, inputs)
    if steps is None:
        return False
    own, theirs = steps
    return int((own == theirs).sum()) >= _NEARLY * int((own >= 0).sum())


def check_aligned(sequences: Sequences, target: str, inputs: tuple[str, ...]) -> None:
    """Check that every row has one label for each step of the inputs.

    Raises:
        DataError: a row has more or fewer labels than steps, or the target or all inputs are not lists.
    """
    steps = _steps(sequences, target, inputs)
    if steps is None:
        raise DataError("does not have one label for each step of the inputs", file=sequences.origin, column=target)
    own, theirs = steps
    wrong = np.flatnonzero((own >= 0) & (own != theirs))
    if len(wrong):
        row, place = int(wrong[0]), sequences.where(target)
        raise DataError(
            f"{counted(own[row], 'label')} for {counted(theirs[row], 'step')}",
            file=place.file,
            row=place.row(row),
            column=target,
            hint=f"give each step one label, remove the row, or choose another {named('task')}",
        )


def _steps(sequences: Sequences, target: str, inputs: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray] | None:
    """(R,) lengths of the target (-1 if missing) and (R,) lengths of the list input that agrees with it most often."""
    array = sequences.column(target)
    lists = [other for other in map(sequences.column, inputs) if has_time(other.type)]
    if not has_time(array.type) or not lists:
        return None
    own = pc.fill_null(pc.list_value_length(array), -1).to_numpy()
    lengths = [pc.fill_null(pc.list_value_length(other), 0).to_numpy() for other in lists]
    return own, max(lengths, key=lambda theirs: int((own == theirs).sum()))


def join(sequences: Sequences, names: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """The columns to join as channels of one series (none if one column holds them all), and the series' name.

    Raises:
        DataError: a column does not hold a number for each step.
    """
    for name in names:
        sequences.column(name)
        if sequences.traits(name).channels and len(names) == 1:
            return (), name
        if not is_number(sequences, name) or not has_time(sequences.column(name).type):
            steps = f"if each row is one step, give {named('order')} or {named('by')}"
            numbers = f"if its labels are numbers, give {named('kinds')} {name}=number"
            raise DataError(
                f"is {sequences.kinds[name]}, not a number for each step",
                file=sequences.origin,
                column=name,
                hint=f"{numbers if has_time(sequences.column(name).type) else steps}; "
                f"to leave a column out, use {named('ignore')}",
            )
    return names, names[0] if len(names) == 1 else "series"


def check_letters(answer: Encoding, task: str) -> None:
    """Refuse overlapping k-mers as a target: each one gives away all but one letter of the next.

    Raises:
        UsageError: a step has more than one letter.
    """
    if isinstance(answer, Letters) and answer.per_step > 1:
        raise UsageError(
            f"{named('kmer')} = {answer.per_step} does not work with the task {task!r}: neighbouring k-mers overlap "
            f"and give away most of the answer; leave {named('kmer')} out"
        )
