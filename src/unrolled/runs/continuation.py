"""Prompts: which ones a model can continue, and where the text after one ends."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from unrolled.data.encodings.encoding import Encoding
from unrolled.data.encodings.facets import Pitches, Text
from unrolled.errors import DataError, UsageError, named
from unrolled.music.rolls import to_line
from unrolled.tasks.task import Task

__all__ = [
    "Stops",
    "as_prompt",
    "check_prompt",
    "check_seen",
    "unseen",
]


def as_prompt(encoding: Encoding, cell: Any) -> str:
    """A cell of the column that the model continues, as the text of a prompt."""
    if isinstance(encoding, Pitches) and encoding.is_roll:
        return "".join(to_line(np.asarray(step)) for step in cell)
    return cell if isinstance(cell, str) else " ".join(cell)


def check_prompt(prompt: str, task: Task) -> None:
    """Check that a model can continue ``prompt``.

    Raises:
        UsageError: the model does not continue texts or rolls, reads other columns too, or needs a prompt.
        DataError: the model never saw a character, or any word, of the prompt.
    """
    coder, answer = task.coder, task.coder.answer
    text = answer if isinstance(answer, Text) else None
    roll = isinstance(answer, Pitches) and answer.is_roll
    if not coder.form.predicts_next or not (text or roll):
        raise UsageError(
            "generate only works with the task 'next_step' on texts or piano rolls; "
            f"this model's task is {task.name!r} on {answer.kind}"
        )
    if len(coder.inputs) > 1:
        others = ", ".join(name for name in coder.inputs if name != coder.target)
        more = f"this model also reads {others}, which a prompt cannot hold"
        raise UsageError(f"{more}: use stream, which takes every column")
    if text is None:
        return
    if not (text.framed or prompt.split()):
        begun = "this model was not trained on the beginnings of sequences"
        raise UsageError(f"{begun}: give it a {named('prompt')} to continue")
    check_seen(text, prompt, "the prompt")


def check_seen(encoding: Text, text: str, where: str) -> None:
    """Refuse a text that a model cannot read; ``where`` it stands is said.

    Raises:
        DataError: the model never saw a character, or any word, of the text.
    """
    unknown = encoding.unseen(text)
    # A model of characters never met <unknown> in training, so it cannot continue from it.
    if unknown and (encoding.unit == "character" or len(unknown) == len({*text.split()})):
        listed = ", ".join(repr(token) for token in unknown[:10]) + (", …" if len(unknown) > 10 else "")
        raise DataError(f"the model never saw {listed} in training", file=where, hint=f"leave it out of {where}")


def unseen(task: Task, prompt: str) -> list[str]:
    """The characters or words of ``prompt`` that were never seen in training, each once, in order."""
    answer = task.coder.answer
    return answer.unseen(prompt) if isinstance(answer, Text) else []


class Stops:
    """Cuts a text that comes in pieces before the first of some texts.

    A piece is held back as long as it may be the start of a stop.

    Args:
        stops: the texts.

    Attributes:
        found: whether one of them came.

    Example:
        >>> stops = Stops(["abc", "y"])
        >>> [stops.take(piece) for piece in ["xa", "b", "ab", "cd"]], stops.found
        (['x', '', 'ab', ''], True)
    """

    def __init__(self, stops: Collection[str]) -> None:
        self._stops, self._held, self.found = [stop for stop in stops if stop], "", False

    def take(self, piece: str) -> str:
        """What is now known to stand before every stop."""
        held = self._held + piece
        if places := [held.index(stop) for stop in self._stops if stop in held]:
            self.found, self._held = True, ""
            return held[: min(places)]
        # The end of the text may be the start of a stop; it is held back until that is known.
        ready = len(held) - max((_begun(stop, held) for stop in self._stops), default=0)
        self._held = held[ready:]
        return held[:ready]

    def rest(self) -> str:
        """What is held back, where the text ends."""
        return self._held


def _begun(stop: str, text: str) -> int:
    """How many characters at the end of ``text`` are the start of ``stop``."""
    return next((n for n in range(min(len(stop), len(text)), 0, -1) if stop.startswith(text[-n:])), 0)
