"""The losses of a model on rows, and the places where they lie, so that those of two models can be set side by side.

A text is measured in characters, so that models with different vocabularies meet where a token of both ends.
Axes: T steps, N answers, S segments, H units.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from unrolled.batch import MISSING, Batch
from unrolled.data.encodings.encoding import Encoding
from unrolled.data.encodings.facets import Text
from unrolled.errors import DataError, UsageError
from unrolled.inspection.names import in_words
from unrolled.layers.recurrence.recorder import Recorder
from unrolled.models.model import Model
from unrolled.tasks.task import Task
from unrolled.watch import watching

__all__ = ["RowLosses", "Segment", "losses_of_answers", "losses_of_row", "segments", "shared_states"]

_END = "<end>"  # as tasks write it
_UNKNOWN, _NO_WORD = "\N{REPLACEMENT CHARACTER}", "<unknown>"  # as encodings write a character and a word


@dataclass(frozen=True, slots=True)
class RowLosses:
    """The answers of a model on one row, or one for each of several rows.

    Attributes:
        begin: the place behind what is read before the first answer.
        ends: (N,) the place where each target ends: characters of the text, else steps.
        losses: (N,), NaN where a target is not known.
        came: each target in words.
        expected: each answer in words; ``None`` where an answer is no symbol.
        text: what the places count, for a text; else empty.
        reads: (T,) the place where each input ends.
        states: a layer in words -> (T, H), its hidden states.
    """

    begin: int
    ends: np.ndarray
    losses: np.ndarray
    came: list[str]
    expected: list[str] | None
    text: str
    reads: np.ndarray
    states: dict[str, np.ndarray]


class Segment(NamedTuple):
    """The answers of two models between two places where a target of both ends.

    Attributes:
        begin, end: the places.
        ours, theirs: the sum of the losses of each.
        came: what came there.
        expected: the first answer of each there; ``None`` where an answer is no symbol.
    """

    begin: int
    end: int
    ours: float
    theirs: float
    came: str
    expected: tuple[str, str] | None


def losses_of_row(network: Model, task: Task, batch: Batch, text: str | None = None) -> RowLosses:
    """The losses of a batch of one row with an answer for each step.

    Args:
        network, task: the model; dropout is off.
        batch: the row, from its first step on.
        text: the row as it was written, where it is a text: in it there is a place for words that were not learned.

    Raises:
        UsageError: a single step has no loss.
    """
    outputs, losses, states = _run(network, task, batch)
    if losses.ndim != 2 or batch.target is None:
        raise UsageError("a single step has no loss here, so there is no difference from step to step")
    steps, answer = int(batch.lengths[0]), task.coder.answer
    target = batch.target[0, :steps].cpu().numpy()
    found = losses[0, :steps]
    begin, reads, ends, read = 0, 1 + np.arange(steps), 1 + np.arange(steps), ""
    if task.coder.form.predicts_next and isinstance(answer, Text) and _is_written(answer, target):
        ids = np.append(batch.inputs[task.coder.target][0, :1].cpu().numpy(), target)
        pieces = _pieces(answer, ids)
        places, read = _places(pieces, text)
        begin, reads = int(places[0]), places[:-1]
        ends = places[1:] + (ids[1:] == answer.end)
    came = [_word(answer, one) for one in target]
    return RowLosses(begin, ends, found, came, _best(task, outputs, steps), read, reads, states)


def losses_of_answers(network: Model, task: Task, batch: Batch) -> RowLosses:
    """The losses of a batch with one answer for each row; the places are the numbers of the rows, from 1.

    Raises:
        UsageError: a row has no loss.
    """
    outputs, losses, _ = _run(network, task, batch)
    if losses.ndim != 1 or batch.target is None:
        raise UsageError("a row has no loss here, so there is no difference from row to row")
    answers = task.answers(outputs, replace(batch, target=None))
    expected = [str(one) for one in next(iter(answers.values()))]
    came = [_word(task.coder.answer, one) for one in batch.target.cpu().numpy()]
    places = batch.rows.cpu().numpy() + 1
    return RowLosses(0, places, losses, came, expected, "", places, {})


def segments(ours: RowLosses, theirs: RowLosses) -> Iterator[Segment]:
    """What both models answered: the sums of the losses between two places where a target of both ends.

    The losses of all segments add up to those of each model between the first and the last of these places. A segment
    with a target that one of them does not know is left out.

    Raises:
        DataError: the models read different characters, as where one leaves out what it does not know.
    """
    if ours.text or theirs.text:
        _check_text(ours.text, theirs.text)
    places = np.intersect1d(np.append(ours.begin, ours.ends), np.append(theirs.begin, theirs.ends))
    sides = [np.searchsorted(places, one.ends) for one in (ours, theirs)]  # the segment of each answer; 0: before all
    for nth in range(1, len(places)):
        mine, other = (np.flatnonzero(side == nth) for side in sides)
        sums = float(ours.losses[mine].sum()), float(theirs.losses[other].sum())
        if not len(mine) or not len(other) or np.isnan(sums).any():
            continue
        begin, end = int(places[nth - 1]), int(places[nth])
        both = ours.expected is not None and theirs.expected is not None
        came = ours.text[begin:end] or (_END if ours.text else ours.came[mine[0]])
        first = (ours.expected[mine[0]], theirs.expected[other[0]]) if both else None  # type: ignore[index]
        yield Segment(begin, end, *sums, came, first)


def shared_states(ours: RowLosses, theirs: RowLosses) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The states of both models at the places where an input of both ends: layer -> (steps, H)."""
    _, mine, other = np.intersect1d(ours.reads, theirs.reads, return_indices=True)
    return (
        {name: values[mine] for name, values in ours.states.items()},
        {name: values[other] for name, values in theirs.states.items()},
    )


def _run(network: Model, task: Task, batch: Batch) -> tuple[Any, np.ndarray, dict[str, np.ndarray]]:
    """The outputs, the losses as `Task.each` with NaN where a target is not known, and the hidden states of the row."""
    training, batch = network.training, batch.to(str(network.device))
    network.eval()
    try:
        with torch.no_grad(), watching(recorder := Recorder(network, lambda path: path.endswith(".h"))):
            outputs, _ = network.run(batch)
        with torch.no_grad():
            losses, counts = task.each(outputs, replace(batch, scored=None))
    finally:
        network.train(training)
    found = torch.where(counts > 0, losses.double(), torch.nan).cpu().numpy()
    states = {in_words(path): value[0].float().cpu().numpy() for path, value in recorder.values().items()}
    return outputs, found, {name: value for name, value in states.items() if value.ndim == 2}


def _is_written(answer: Encoding, ids: np.ndarray) -> bool:
    """Whether ids are written as one text, and not as a list of items."""
    return ids.ndim == 1 and isinstance(answer.decode(ids[:1]), str)


def _pieces(answer: Text, ids: np.ndarray) -> list[str]:
    """What each id adds to the text; the ends of a row add nothing."""
    add = answer.decode_stream()
    return ["" if one in (answer.begin, answer.end) else add(one) for one in ids.tolist()]


def _places(pieces: list[str], text: str | None) -> tuple[np.ndarray, str]:
    """The place where each piece ends, and the text: as it was written if the pieces fit it, else as they say.

    >>> _places(["the", " <unknown>", " sat"], "The cat sat down")
    (array([ 3,  7, 11]), 'The cat sat')
    >>> _places(["the", " <unknown>"], "the cat")
    (array([3, 7]), 'the cat')
    """
    joined, at, places = "".join(pieces), 0, []
    for nth, piece in enumerate(pieces):
        written = "" if text is None else text[at : at + len(piece)]
        if _alike(piece, written):
            at += len(piece)
        elif text is not None and _NO_WORD in piece:  # it ends where the next piece begins
            following = next((one for one in pieces[nth + 1 :] if one and _NO_WORD not in one), "")
            at = text.casefold().find(following.casefold() or " ", at + 1)
            at = len(text) if at < 0 and not following else at
        else:
            at = -1
        if at < 0:
            return np.cumsum([len(one) for one in pieces]), joined
        places.append(at)
    return np.array(places), "" if text is None else text[:at]


def _alike(one: str, other: str) -> bool:
    """Whether they are the same characters, but for case, and those that one of them does not know."""
    pairs = zip(one, other, strict=False)
    return len(one) == len(other) and all(
        a == b or _UNKNOWN in (a, b) or a.casefold() == b.casefold() for a, b in pairs
    )


def _word(answer: Encoding, value: Any) -> str:
    """A target in words; ``?`` where it is not known."""
    if np.ndim(value) == 0 and value == MISSING:
        return "?"
    if isinstance(answer, Text) and value == answer.end:
        return _END
    return _said(answer.decode(np.asarray(value)[None]))


def _said(value: Any) -> str:
    """A decoded value; a list of one is the one."""
    if isinstance(value, list | tuple):
        return " ".join(_said(one) for one in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _best(task: Task, outputs: Any, steps: int) -> list[str] | None:
    """The likeliest symbol of each step, where the answers are symbols."""
    if not isinstance(outputs, Tensor) or task.mixing != "softmax" or task.chain:
        return None
    return [_word(task.coder.answer, one) for one in outputs[0, :steps].argmax(-1).cpu().numpy()]


def _check_text(ours: str, theirs: str) -> None:
    length = min(len(ours), len(theirs))
    differs = next((at for at in range(length) if not _alike(ours[at], theirs[at])), None)
    if differs is not None or not length:
        at = differs or 0
        raise DataError(
            f"the two models do not read the same characters: {ours[at : at + 10]!r} and {theirs[at : at + 10]!r} at "
            f"character {at}, so their steps cannot be set side by side"
        )
