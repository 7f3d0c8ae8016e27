"""Texts that are written for many clients at once: a token of each in turn, in one thread.

What a client gets depends only on what it asked for: each text has its own state and random numbers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from unrolled.decoding.sampling import Sampling
from unrolled.runs.continuation import Token, check_prompt, tokens_after, until
from unrolled.runs.trained import Trained
from unrolled.serving.refusals import Refused

__all__ = ["Asked", "Generations", "Writing"]

_OVER: Final = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be written.

    Attributes:
        prompt: the text to continue.
        length: the most tokens.
        stops: the text ends before the first of these.
        settings: temperature, top-k, top-p and seed, each as `Sampling` has it.
    """

    prompt: str
    length: int
    stops: Sequence[str] = ()
    settings: dict[str, Any] = field(default_factory=dict)


class Writing:
    """A text that is being written; iterate over its pieces.

    Attributes:
        tokens: those that have been chosen.
    """

    def __init__(self, trained: Trained, asked: Asked) -> None:
        settings = Sampling.check(asked.settings)
        check_prompt(asked.prompt, trained.task)
        self._asked, self.tokens = asked, list[Token]()
        self._found = tokens_after(asked.prompt, trained.task, trained.network, asked.length, settings)
        self._ended = False
        self._pieces = until(asked.stops, self._texts())

    def __iter__(self) -> Iterator[str]:
        return self._pieces

    @property
    def reason(self) -> str:
        """Why it ended: ``stop`` before a stop or at the end that the model wrote, ``length`` after so many tokens."""
        cut = len(self.tokens) == self._asked.length and not self._ended
        written = "".join(token.text for token in self.tokens)
        return "length" if cut and not any(stop in written for stop in self._asked.stops) else "stop"

    def _texts(self) -> Iterator[str]:
        for token in self._found:
            self.tokens.append(token)
            yield token.text
        self._ended = len(self.tokens) < self._asked.length


class Generations:
    """Writes texts, a token of each in turn.

    Args:
        most: how many at the same time.

    Attributes:
        now: how many are being written.
    """

    def __init__(self, most: int) -> None:
        self._most, self.now = most, 0
        self._worker = ThreadPoolExecutor(1, "generate")  # its queue is the turn: who has got a token goes to the end

    async def begin(self, trained: Trained, asked: Asked) -> Writing:
        """A text whose prompt can be read.

        Raises:
            UsageError, DataError: the model does not continue this prompt, or a setting is out of range.
        """
        return await asyncio.get_running_loop().run_in_executor(self._worker, Writing, trained, asked)

    async def pieces(self, writing: Writing) -> AsyncIterator[str]:
        """The pieces of a text, each as soon as it is known; whoever stops to ask gets no further token written.

        Raises:
            Refused: too many texts are being written.
        """
        if self.now >= self._most:
            raise Refused("Overloaded", f"{self._most} texts are being written already: try again later")
        self.now += 1
        loop, found = asyncio.get_running_loop(), iter(writing)
        try:
            while (piece := await loop.run_in_executor(self._worker, next, found, _OVER)) is not _OVER:
                yield piece
        finally:
            self.now -= 1

    def stop(self) -> None:
        """Write nothing more."""
        self._worker.shutdown(wait=False, cancel_futures=True)
