"""A model that is served: its name, its weights, and the sessions that step through them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from unrolled.data.encodings.facets import Text
from unrolled.errors import UsageError
from unrolled.models._copies import Copies
from unrolled.runs.trained import Trained
from unrolled.runs.writer import Writer
from unrolled.serving.batcher import Batcher, Watch
from unrolled.serving.long_values import LongValues
from unrolled.serving.refusals import Refused
from unrolled.serving.serve_options import ServeOptions
from unrolled.streaming.pool import Pool

__all__ = ["Served", "Watch"]


class Served:
    """One model of a server.

    Args:
        name: what requests call it.
        trained: the model.
        options: of the server.
        watch: is called after each tick.

    Attributes:
        identity: the fingerprint of its weights.
        retired: whether newer weights have taken its place.
        writer: continues texts; it is for one thread at a time.
        cannot_stream: why it has no sessions, as a sentence; ``None`` if it has.
    """

    def __init__(self, name: str, trained: Trained, options: ServeOptions, watch: Watch) -> None:
        self.name, self.trained, self._options = name, trained, options
        self.identity = Copies(trained.network).identity()
        self.retired = False
        self.writer = Writer(trained.task, trained.network, options.tokens)
        self.cannot_stream: str | None = None
        self._batcher: Batcher | None = None
        described = trained.describe()
        texts = any(isinstance(one, Text) for one in trained.task.coder.inputs.values())
        grows = described.state_bytes_per_step > 0 and described.attention_window is None
        try:
            self._batcher = Batcher(
                self._pool(), options, watch, grows=grows, long=LongValues(self._pool) if texts else None
            )
        except UsageError as error:
            self.cannot_stream = str(error)

    def _pool(self) -> Pool:
        return self.trained.pool(device="cpu", most_steps=self._options.value_steps)

    @property
    def batcher(self) -> Batcher:
        """What steps its sessions.

        Raises:
            Refused: it cannot stream.
        """
        if self._batcher is None:
            raise Refused("CannotStream", str(self.cannot_stream))
        return self._batcher

    def start(self) -> None:
        """Begin to answer, in the running loop."""
        if self._batcher is not None:
            self._batcher.start()

    async def stop(self) -> None:
        """Take no further steps."""
        if self._batcher is not None:
            await self._batcher.stop()

    @property
    def waiting(self) -> int:
        """The steps that wait."""
        return 0 if self._batcher is None else self._batcher.waiting

    @property
    def steps(self) -> int:
        """How many steps its sessions have taken."""
        return 0 if self._batcher is None else self._batcher.steps

    @property
    def errors(self) -> Mapping[str, int]:
        """Type of an error -> how many steps were refused with it."""
        return {} if self._batcher is None else self._batcher.errors

    def warm(self) -> None:
        """Open a session and end it, so that the first client does not wait for what is made once."""
        if self._batcher is not None:
            self._batcher.pool.close(self._batcher.pool.open())

    @property
    def version(self) -> str:
        """The beginning of its fingerprint."""
        return self.identity[:12]

    @property
    def alive(self) -> bool:
        """Whether it answers."""
        return self._batcher is None or self._batcher.alive

    @cached_property
    def about(self) -> dict[str, object]:
        """The model in words and numbers, for ``/v1/model``."""
        described = self.trained.describe()
        coder = self.trained.task.coder
        return {
            "model": self.name,
            "title": described.title,
            "task": self.trained.task.name,
            "version": self.version,
            "columns": described.columns,
            "reads": list(coder.reads),
            "writes": self.trained.continues_text and len(coder.inputs) == 1,
            "by": coder.answer.unit if isinstance(coder.answer, Text) else None,
            "parameters": described.parameters,
            "state_bytes": described.state_bytes,
            "streams": self.cannot_stream is None,
            "cannot_stream": self.cannot_stream,
            "metrics": self.trained.metrics,
        }
