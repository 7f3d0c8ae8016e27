"""Texts that are written for many clients at once: a token of each in one step of the model.

Nothing waits on purpose. A client whose last piece is sent asks for the next one; while the model takes a step for
some, others gather. What a client gets depends only on what it asked for: each text has its own state and random
numbers.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from unrolled.errors import UnrolledError
from unrolled.runs.writer import Asked, Writer, Writing
from unrolled.serving.refusals import Refused

__all__ = ["Generations", "Text"]

_log = logging.getLogger("unrolled.serving")
_SHORT = 3e-4  # seconds: a step that takes longer does not hold up the loop, but runs in the worker thread


class Text:
    """A text that is written for a client.

    Attributes:
        writing: what is known of it, once its prompt is read.
    """

    def __init__(self, writer: Writer, asked: Asked) -> None:
        self.writer, self.asked = writer, asked
        self.told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.ended = False
        self._writing: Writing | None = None

    @property
    def writing(self) -> Writing:
        """What is known of the text."""
        assert self._writing is not None
        return self._writing

    @property
    def begun(self) -> bool:
        """Whether its prompt is read."""
        return self._writing is not None

    def begin(self) -> str:
        """Read the prompt."""
        self._writing = self.writer.begin(self.asked)
        return ""

    def give_up(self) -> None:
        """Give up what it holds of memory."""
        if self._writing is not None and self._writing.row.slot >= 0:
            self.writer.end(self._writing)


class Generations:
    """Writes texts.

    Args:
        most: how many at the same time.

    Attributes:
        now: how many are being written.
        tokens: how many have been written.
        steps: in how many steps of a model.
    """

    def __init__(self, most: int) -> None:
        self._most, self.now, self.tokens, self.steps = most, 0, 0, 0
        self._worker = ThreadPoolExecutor(1, "generate")
        self._wake = asyncio.Event()
        self._asked: list[Text] = []  # whose next token, or whose prompt, is waited for
        self._ended: list[Text] = []  # that hold memory still
        self._took = 1.0  # seconds of the last step
        self._task: asyncio.Task[None] | None = None
        self._over = False

    def start(self) -> None:
        """Begin to write, in the running loop."""
        self._task = asyncio.create_task(self._run())

    @property
    def alive(self) -> bool:
        """Whether texts are written."""
        return self._task is not None and (self._over or not self._task.done())

    async def begin(self, writer: Writer, asked: Sequence[Asked]) -> list[Text]:
        """Texts whose prompts are read. Each is to be given to `end`.

        Raises:
            UsageError, DataError: the model does not continue a prompt, or a setting is out of range.
            Refused: too many texts are being written, or the server is about to end.
        """
        if self.now + len(asked) > self._most:
            raise Refused("Overloaded", f"{self._most} texts are written at the same time: try again later")
        self.now += len(asked)
        texts = [Text(writer, one) for one in asked]
        try:
            for text in texts:
                await self._next(text)
        except BaseException:
            self.end(texts)
            raise
        return texts

    async def pieces(self, text: Text) -> AsyncIterator[str]:
        """The pieces of a text, each as soon as it is known; whoever stops to ask gets no further token written.

        Raises:
            ModelError: the model is broken.
            Refused: the server is about to end.
        """
        while text.writing.reason is None:
            piece = await self._next(text)
            if text.writing.reason is not None:
                self.end([text])  # before the client knows that it is complete, and asks for another
            if piece:
                yield piece

    def end(self, texts: Sequence[Text]) -> None:
        """Write no more of these texts."""
        for text in texts:
            if not text.ended:
                text.ended = True
                text.told.cancel()
                self.now -= 1
                self._ended.append(text)
        self._wake.set()

    def stop(self) -> None:
        """Write nothing more, and say so to whoever waits."""
        self._over = True
        for text in self._asked:
            self._tell(text, _ending())
        if self._task is not None:
            self._task.cancel()
        self._worker.shutdown(wait=False, cancel_futures=True)

    async def _next(self, text: Text) -> str:
        """The next piece of a text, or an empty one when its prompt is read."""
        if self._over:
            raise _ending()
        text.told = asyncio.get_running_loop().create_future()
        self._asked.append(text)
        self._wake.set()
        return await text.told

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(0)  # in which everybody who has been answered asks again
            waiting = [text for text in self._asked if not text.told.cancelled()]
            new = next((text for text in waiting if not text.begun), None)
            ready = [text for text in waiting if text.begun]
            self._asked = [text for text in waiting if not text.begun and text is not new]
            ended, self._ended = self._ended, []
            if not ready and new is None and not ended:
                self._wake.clear()
                continue
            try:
                await self._step(ready, new, ended)
            except asyncio.CancelledError:
                for text in [*ready, *([] if new is None else [new])]:
                    self._tell(text, _ending())
                raise

    async def _step(self, ready: list[Text], new: Text | None, ended: list[Text]) -> None:
        """A token of each text that is ready, and the prompt of one that is new."""
        if new is None and self._took < _SHORT:
            found = self._written(ready, new, ended)
        else:
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(self._worker, self._written, ready, new, ended)
        for text, told in found:
            self._tell(text, told)

    def _written(
        self, ready: list[Text], new: Text | None, ended: list[Text]
    ) -> list[tuple[Text, str | UnrolledError]]:
        for text in ended:
            text.give_up()
        found: list[tuple[Text, str | UnrolledError]] = []
        begun = time.monotonic()
        for writer in {text.writer for text in ready}:
            self.steps += 1
            own = [text for text in ready if text.writer is writer]
            try:
                pieces = writer.advance([text.writing for text in own])
            except Exception as error:
                _log.exception("a step of %d texts failed", len(own))
                found += [(text, UnrolledError(f"internal error ({type(error).__name__})")) for text in own]
            else:
                found += zip(own, pieces, strict=True)
        if ready:
            self._took, self.tokens = time.monotonic() - begun, self.tokens + len(ready)
        if new is not None:
            try:
                found.append((new, new.begin()))
            except UnrolledError as error:
                found.append((new, error))
            except Exception as error:
                _log.exception("a prompt could not be read")
                found.append((new, UnrolledError(f"internal error ({type(error).__name__})")))
        return found

    def _tell(self, text: Text, told: str | UnrolledError) -> None:
        if text.told.done():
            return
        if isinstance(told, UnrolledError):
            text.told.set_exception(told)
        else:
            text.told.set_result(told)


def _ending() -> Refused:
    return Refused("Draining", "the server is about to end: ask again")
