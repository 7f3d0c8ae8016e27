"""What comes after a prompt: a text token by token, or a piano roll step by step. Axes: T steps, K = 88 keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unrolled.data.encodings.base import Encoding
from unrolled.data.encodings.facets import Pitches, Text
from unrolled.decoding.generate import generate
from unrolled.decoding.sampling import Sampling
from unrolled.decoding.switches import switch
from unrolled.errors import UsageError
from unrolled.models.model import LiveModel, Model
from unrolled.music.rolls import KEYS, from_text, to_line
from unrolled.tasks.task import Task

__all__ = ["as_prompt", "roll_after", "text_after", "until"]


def as_prompt(encoding: Encoding, cell: Any) -> str:
    """A cell of the column that is gone on with, as the text that stands for it in a prompt."""
    if isinstance(encoding, Pitches) and encoding.is_roll:
        return "".join(to_line(np.asarray(step)) for step in cell)
    return cell if isinstance(cell, str) else " ".join(cell)


def text_after(prompt: str, task: Task, network: Model, length: int, settings: Sampling) -> Iterator[str]:
    """At most ``length`` tokens behind ``prompt``, as pieces of text.

    Args:
        prompt: a text; where a sequence begins was seen in training, it may be empty.
        task, network: of a next_step model of texts.
        length: ≥ 0.
        settings: how each token is chosen.
    """
    encoding, name = task.coder.answer, task.coder.target
    assert isinstance(encoding, Text)
    ids = torch.from_numpy(encoding.encode_text(prompt).astype(np.int64))[None]  # (1, T), begins with <begin>
    live, logits = _begun(network, name, ids)
    tokens = generate(
        lambda chosen, _: (live.push({name: chosen}), None),
        None,
        logits,
        steps=length,
        end=encoding.end,
        settings=settings,
        generator=settings.generator(),
        banned=encoding.never,
    )
    piece = encoding.decode_stream(begun=bool(prompt) and not prompt[-1].isspace())
    for token in tokens:
        if int(token) == encoding.end:
            return
        yield piece(int(token))


def roll_after(prompt: str, task: Task, network: Model, length: int, settings: Sampling) -> Iterator[str]:
    """``length`` steps behind ``prompt``, a line each.

    Args:
        prompt: lines as `unrolled.music.rolls.to_line` writes them; where there are none, one step of silence.
        task, network: of a next_step model of rolls.
        length: ≥ 0.
        settings: how each key is switched on.

    Raises:
        UsageError: ``settings`` have a top-p, which is of one choice among many.
        DataError: the prompt is not the text of a roll.
    """
    if settings.top_p is not None:
        raise UsageError("top_p cuts one choice among many, but a step of a roll is 88: use top_k, or neither")
    given = from_text(prompt) if prompt.strip() else np.zeros((1, KEYS))
    return _roll_after(given, prompt, task.coder.target, network, length, settings)


def _roll_after(
    given: np.ndarray, prompt: str, name: str, network: Model, length: int, settings: Sampling
) -> Iterator[str]:
    roll = torch.from_numpy(given.astype(np.float32))[None]  # (1, T, K), which no encoding changes
    live, logits = _begun(network, name, roll)
    generator = settings.generator()
    begin = "\n" if prompt and not prompt.endswith("\n") else ""
    for left in range(length, 0, -1):
        step = switch(logits, settings, generator)  # (1, K)
        yield begin + to_line(step[0].numpy())
        begin = ""
        if left > 1:
            logits = live.push({name: step.float()})


def _begun(network: Model, name: str, prompt: Tensor) -> tuple[LiveModel, Tensor]:
    """A session that has read the ``prompt`` (1, T, …), and the scores of what comes next."""
    network.eval()
    with torch.no_grad():
        outputs, state = network({name: prompt}, torch.tensor([prompt.shape[1]]))
    live = network.session()
    live.state = state
    return live, outputs[:, -1]


def until(stop: str | None, pieces: Iterator[str]) -> Iterator[str]:
    """The ``pieces`` before the text ``stop``, each as soon as it is certain that it does not belong to it.

    Example:
        >>> "".join(until("abc", iter(["xa", "b", "ab", "cd"])))
        'xab'
    """
    held = ""
    for piece in pieces:
        held += piece
        if stop and stop in held:
            held = held[: held.index(stop)]
            break
        # What may be the beginning of the stop text is kept back until it is decided.
        keep = next((n for n in range(min(len(stop or ""), len(held)), 0, -1) if (stop or "").startswith(held[-n:])), 0)
        ready, held = held[: len(held) - keep], held[len(held) - keep :]
        if ready:
            yield ready
    if held:
        yield held
