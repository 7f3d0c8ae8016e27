"""Continuing prompts, one or many at once: texts token by token, piano rolls step by step.

Axes: T steps, V tokens, K = 88 keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from unrolled.data.encodings.facets import Text
from unrolled.decoding.generate import Row, Rows, advance
from unrolled.decoding.sampling import Sampling, choose_each
from unrolled.decoding.switches import switch_each
from unrolled.errors import DataError, ModelError, UsageError, named
from unrolled.models.model import Model
from unrolled.music.rolls import KEYS, from_text, to_line
from unrolled.runs.continuation import Stops, check_prompt, unseen
from unrolled.state import State
from unrolled.tasks.task import Task

__all__ = ["Asked", "Token", "Writer", "Writing"]

_TOGETHER = 256  # rows of `Writer.together` that are written at the same time


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be written.

    Attributes:
        prompt: the text to continue.
        length: the most tokens, or steps of a roll.
        stops: the text ends before the first of these.
        settings: temperature, top-k, top-p and seed, each as `Sampling` has it.
        likeliest: how many of the likeliest tokens are given for each step, with the chance of the written one;
            ``None``: neither is given.
    """

    prompt: str
    length: int
    stops: Sequence[str] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    likeliest: int | None = None


class Token(NamedTuple):
    """A token that was written: the text that it adds, its log probability, and those of the likeliest ids."""

    text: str
    nats: float
    likeliest: dict[int, float]


Speller = Callable[[Tensor], str | None]  # a step -> what it adds to the text; None at the end that the model wrote


class _Form(Protocol):
    """How a model's answers are drawn, and written as text."""

    def read(self, prompt: str) -> Tensor:
        """(1, T, …), a prompt as the model reads it."""

    def draw(self, scores: Tensor, settings: Sequence[Sampling], generators: Sequence[torch.Generator]) -> Tensor:
        """A step of each row."""

    def speller(self, prompt: str) -> Speller:
        """Writes the steps after a prompt."""


class _Tokens:
    def __init__(self, encoding: Text) -> None:
        self._encoding = encoding

    def read(self, prompt: str) -> Tensor:
        return torch.from_numpy(self._encoding.encode_text(prompt).astype(np.int64))[None]  # begins with <begin>

    def draw(self, scores: Tensor, settings: Sequence[Sampling], generators: Sequence[torch.Generator]) -> Tensor:
        return choose_each(scores, settings, generators, self._encoding.never)

    def speller(self, prompt: str) -> Speller:
        piece, end = self._encoding.decode_stream(prompt), self._encoding.end
        return lambda chosen: None if (id_ := int(chosen)) == end else piece(id_)


class _Keys:
    def read(self, prompt: str) -> Tensor:
        given = from_text(prompt) if prompt.strip() else np.zeros((1, KEYS))
        return torch.from_numpy(given.astype(np.float32))[None]  # a roll needs no encoding

    def draw(self, scores: Tensor, settings: Sequence[Sampling], generators: Sequence[torch.Generator]) -> Tensor:
        return switch_each(scores, settings, generators).float()

    def speller(self, prompt: str) -> Speller:
        begin = iter(["\n"] if prompt and not prompt.endswith("\n") else [])
        return lambda chosen: next(begin, "") + to_line(chosen[0].cpu().numpy())


class Writing:
    """A text that is being written.

    Attributes:
        row: what the model does for it.
        tokens: those that have been written.
        read: how many tokens the prompt has.
        reason: why it ended: ``stop`` before a stop or at the end that the model wrote, ``length`` after as many tokens
            as were asked for; ``None`` while it is written.
    """

    def __init__(self, asked: Asked, speller: Speller, row: Row, read: int) -> None:
        self._asked, self._spell, self._stops = asked, speller, Stops(asked.stops)
        self.row, self.read, self.tokens = row, read, list[Token]()
        self.reason = None if asked.length else "length"

    def take(self) -> str:
        """What the last step of the row adds to the text, as far as that cannot be a part of a stop."""
        assert self.row.chosen is not None
        piece = self._spell(self.row.chosen)
        if piece is None:
            self.reason = "stop"
            return self._stops.rest()
        self.tokens.append(self._token(piece, self.row.chosen))
        ready = self._stops.take(piece)
        if self._stops.found:
            self.reason = "stop"
        elif len(self.tokens) == self._asked.length:
            self.reason = "length"
            ready += self._stops.rest()
        return ready

    def _token(self, piece: str, chosen: Tensor) -> Token:
        if self._asked.likeliest is None:
            return Token(piece, 0.0, {})
        nats = torch.log_softmax(self.row.scores[0].double(), -1)
        best, ids = nats.topk(min(self._asked.likeliest, len(nats)))
        return Token(piece, float(nats[int(chosen)]), dict(zip(ids.tolist(), best.tolist(), strict=True)))


class Writer:
    """Continues prompts with a model of texts or of piano rolls: each as `Trained.generate` does, one or many at once.

    Args:
        task, network: the model.
        most_read: the most tokens of a prompt; ``None``: no limit.
    """

    def __init__(self, task: Task, network: Model, most_read: int | None = None) -> None:
        self._task, self._network, self._most_read = task, network, most_read
        self._rows: Rows | None = None

    def unseen(self, prompt: str) -> list[str]:
        """The characters or words of ``prompt`` that the model never saw in training, each once, in order."""
        return unseen(self._task, prompt)

    def alone(self, asked: Asked) -> Iterator[str]:
        """The pieces of one text, each as soon as it is known; what cannot be written is refused at once.

        Raises:
            UsageError, DataError: as `check_prompt`; or a setting is out of range.
        """
        return self._alone(asked, *self._begun(asked))

    def together(self, asked: Sequence[Asked]) -> Iterator[tuple[int, str]]:
        """The pieces of many texts, each with the number of its text, as soon as they are known.

        Raises:
            UsageError, DataError, ModelError: as `alone`.
        """
        for one in asked:
            self._begun(one)
        return self._together(asked)

    def _together(self, asked: Sequence[Asked]) -> Iterator[tuple[int, str]]:
        for start in range(0, len(asked), _TOGETHER):
            writings = {number: self.begin(asked[number]) for number in range(len(asked))[start : start + _TOGETHER]}
            try:
                while live := [number for number, writing in writings.items() if writing.reason is None]:
                    found = self.advance([writings[number] for number in live])
                    for number, piece in zip(live, found, strict=True):
                        if isinstance(piece, ModelError):
                            raise piece
                        if piece:
                            yield number, piece
            finally:
                for writing in writings.values():
                    self.end(writing)

    def begin(self, asked: Asked) -> Writing:
        """Read a prompt; `advance` writes what comes after it, until `end`.

        Raises:
            UsageError, DataError: as `alone`.
        """
        form, prompt, settings = self._begun(asked)
        state, scores = self._read(prompt)
        if self._rows is None:
            self._rows = Rows(self._network.pool(), self._task.coder.target, form.draw)
        writing = Writing(asked, form.speller(asked.prompt), Row(scores, settings), prompt.shape[1])
        self._rows.open(writing.row, state)
        return writing

    def advance(self, writings: Sequence[Writing]) -> list[str | ModelError]:
        """Write one token of each text: what it adds, or what is wrong with it; an empty text is still held back."""
        assert self._rows is not None
        wrong = self._rows.advance([writing.row for writing in writings])
        return [writing.take() if one is None else one for writing, one in zip(writings, wrong, strict=True)]

    def end(self, writing: Writing) -> None:
        """Give up what a text holds of memory, whether it is complete or not."""
        assert self._rows is not None
        self._rows.close(writing.row)

    def _begun(self, asked: Asked) -> tuple[_Form, Tensor, Sampling]:
        """How the model writes, the prompt as it reads it, and the settings."""
        settings, answer = Sampling.check(asked.settings), self._task.coder.answer
        check_prompt(asked.prompt, self._task)
        form: _Form = _Tokens(answer) if isinstance(answer, Text) else _Keys()
        if settings.top_p is not None and not isinstance(answer, Text):
            raise UsageError(
                f"{named('top_p')} does not work with piano rolls, where a step is 88 separate choices: use "
                f"{named('top_k')}, or neither"
            )
        prompt = form.read(asked.prompt)
        if self._most_read is not None and prompt.shape[1] > self._most_read:
            raise DataError(f"has {prompt.shape[1]} tokens, at most {self._most_read} are read", file="the prompt")
        return form, prompt, settings

    def _alone(self, asked: Asked, form: _Form, prompt: Tensor, settings: Sampling) -> Iterator[str]:
        state, scores = self._read(prompt)
        live = self._network.session()
        live.state = state
        writing = Writing(asked, form.speller(asked.prompt), Row(scores, settings), prompt.shape[1])
        while writing.reason is None:
            advance(writing.row, live, self._task.coder.target, form.draw)
            if piece := writing.take():
                yield piece

    def _read(self, prompt: Tensor) -> tuple[State, Tensor]:
        """The state after a prompt (1, T, …), and the scores (1, O) of the next step."""
        self._network.eval()
        with torch.no_grad():
            prompt = prompt.to(self._network.device)
            length = torch.tensor([prompt.shape[1]], device=prompt.device)
            outputs, state = self._network({self._task.coder.target: prompt}, length)
        return state, outputs[:, -1]
