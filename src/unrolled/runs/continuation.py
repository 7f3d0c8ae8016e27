"""Continuing a prompt: a text token by token, or a piano roll step by step. Axes: T steps, K = 88 keys."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from unrolled.data.encodings.encoding import Encoding
from unrolled.data.encodings.facets import Pitches, Text
from unrolled.decoding.generate import generate
from unrolled.decoding.sampling import Sampling
from unrolled.decoding.switches import switch
from unrolled.errors import DataError, UsageError, named
from unrolled.models.model import LiveModel, Model
from unrolled.music.rolls import KEYS, from_text, to_line
from unrolled.tasks.task import Task

__all__ = [
    "Token",
    "as_prompt",
    "check_prompt",
    "check_seen",
    "continued",
    "roll_after",
    "tokens_after",
    "unseen",
    "until",
]


def as_prompt(encoding: Encoding, cell: Any) -> str:
    """A cell of the column that the model continues, as the text of a prompt."""
    if isinstance(encoding, Pitches) and encoding.is_roll:
        return "".join(to_line(np.asarray(step)) for step in cell)
    return cell if isinstance(cell, str) else " ".join(cell)


def continued(prompt: str, task: Task, network: Model, length: int, settings: Sampling) -> Iterator[str]:
    """Continue ``prompt`` with a model of texts or of piano rolls, as `Trained.generate` does.

    Args:
        prompt: the text to continue.
        task, network: the model.
        length: the most tokens or steps to write.
        settings: how they are drawn.

    Raises:
        UsageError: the model does not continue texts or rolls, reads other columns too, or needs a prompt.
        DataError: the model never saw a character, or any word, of the prompt.
    """
    check_prompt(prompt, task)
    if not isinstance(task.coder.answer, Text):
        return roll_after(prompt, task, network, length, settings)
    return (token.text for token in tokens_after(prompt, task, network, length, settings))


def check_prompt(prompt: str, task: Task) -> None:
    """Check that a model can continue ``prompt``.

    Raises:
        UsageError, DataError: as `continued`.
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


class Token(NamedTuple):
    """A token that was chosen: the text that it adds, its id, and the scores (V,) that it was chosen from."""

    text: str
    id: int
    scores: Tensor


def tokens_after(prompt: str, task: Task, network: Model, length: int, settings: Sampling) -> Iterator[Token]:
    """Generate at most ``length`` tokens after ``prompt``.

    Args:
        prompt: a text; it may be empty if the model was trained on the beginnings of sequences.
        task, network: of a next_step model of texts.
        length: ≥ 0.
        settings: how each token is chosen.
    """
    encoding, name = task.coder.answer, task.coder.target
    assert isinstance(encoding, Text)
    ids = torch.from_numpy(encoding.encode_text(prompt).astype(np.int64))[None]  # (1, T), begins with <begin>
    live, scores = _read(network, name, ids)

    def step(chosen: Tensor, _: None) -> tuple[Tensor, None]:
        nonlocal scores
        scores = live.push({name: chosen})
        return scores, None

    tokens = generate(
        step,
        None,
        scores,
        steps=length,
        end=encoding.end,
        settings=settings,
        generator=settings.generator(),
        banned=encoding.never,
    )
    piece = encoding.decode_stream(prompt)
    for token in tokens:
        if int(token) == encoding.end:
            return
        yield Token(piece(int(token)), int(token), scores[0])


def roll_after(prompt: str, task: Task, network: Model, length: int, settings: Sampling) -> Iterator[str]:
    """Generate ``length`` steps after ``prompt``, one line for each.

    Args:
        prompt: lines as `unrolled.music.rolls.to_line` writes them; without any, one step of silence.
        task, network: of a next_step model of rolls.
        length: ≥ 0.
        settings: how each key is switched on.

    Raises:
        UsageError: ``settings`` have a top-p, which is of one choice among many.
        DataError: the prompt is not the text of a roll.
    """
    if settings.top_p is not None:
        raise UsageError(
            f"{named('top_p')} does not work with piano rolls, where a step is 88 separate choices: use "
            f"{named('top_k')}, or neither"
        )
    given = from_text(prompt) if prompt.strip() else np.zeros((1, KEYS))
    return _roll_after(given, prompt, task.coder.target, network, length, settings)


def _roll_after(
    given: np.ndarray, prompt: str, name: str, network: Model, length: int, settings: Sampling
) -> Iterator[str]:
    roll = torch.from_numpy(given.astype(np.float32))[None]  # (1, T, K); a roll needs no encoding
    live, logits = _read(network, name, roll)
    generator = settings.generator()
    begin = "\n" if prompt and not prompt.endswith("\n") else ""
    for left in range(length, 0, -1):
        step = switch(logits, settings, generator)  # (1, K)
        yield begin + to_line(step[0].numpy())
        begin = ""
        if left > 1:
            logits = live.push({name: step.float()})


def _read(network: Model, name: str, prompt: Tensor) -> tuple[LiveModel, Tensor]:
    """A session that has read the ``prompt`` (1, T, …), and the logits of the next step."""
    network.eval()
    with torch.no_grad():
        prompt, length = prompt.to(network.device), torch.tensor([prompt.shape[1]], device=network.device)
        outputs, state = network({name: prompt}, length)
    live = network.session()
    live.state = state
    return live, outputs[:, -1]


def until(stops: Collection[str], pieces: Iterator[str]) -> Iterator[str]:
    """The ``pieces`` before the first of the texts ``stops``, each as soon as it cannot be a part of one.

    Example:
        >>> "".join(until(["abc", "y"], iter(["xa", "b", "ab", "cd"])))
        'xab'
    """
    held = ""
    for piece in pieces:
        held += piece
        if found := [held.index(stop) for stop in stops if stop in held]:
            held = held[: min(found)]
            break
        # The end of the text may be the start of a stop; it is held back until that is known.
        keep = max((_begun(stop, held) for stop in stops), default=0)
        ready, held = held[: len(held) - keep], held[len(held) - keep :]
        if ready:
            yield ready
    if held:
        yield held


def _begun(stop: str, text: str) -> int:
    """How many characters at the end of ``text`` are the start of ``stop``."""
    return next((n for n in range(min(len(stop), len(text)), 0, -1) if stop.startswith(text[-n:])), 0)
