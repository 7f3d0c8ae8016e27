"""The server that `bench/serve.py` sets ours beside: ours, but that it steps one session after another.

    python bench/one_by_one.py RUN

Each step of a tick is a `Session.push`, as in a server that is a loop around a model. It says on which port it listens.
"""

from __future__ import annotations

import sys
from typing import Any

import unrolled
from unrolled.errors import UnrolledError
from unrolled.runs.trained import Trained
from unrolled.serving.serve_options import ServeOptions
from unrolled.serving.server import run

__all__ = ["Sessions"]


class Sessions:
    """What the server asks of a pool, on a session for each handle.

    Args:
        trained: the model.
    """

    def __init__(self, trained: Any) -> None:
        self._trained, self._opened = trained, 0
        self._sessions: dict[int, Any] = {}

    def open(self, snapshot: bytes | None = None) -> int:
        """A new session; its handle."""
        self._opened += 1
        self._sessions[self._opened] = self._trained.stream(snapshot)
        return self._opened

    def close(self, handle: int) -> None:
        """End a session."""
        del self._sessions[handle]

    def push_runs(self, runs: Any) -> list[Any]:
        """Push one value after the other."""
        return [self._run(handle, values) for handle, values in runs]

    def _run(self, handle: int, values: Any) -> tuple[list[Any], Any]:
        answers: list[Any] = []
        try:
            answers.extend(map(self._sessions[handle].push, values))
        except UnrolledError as error:
            return answers, error
        return answers, None

    def snapshot(self, handle: int) -> bytes:
        """The state of a session."""
        found: bytes = self._sessions[handle].snapshot()
        return found

    def steps_of(self, handle: int) -> int:
        """How many values a session took."""
        return int(self._sessions[handle].steps)


if __name__ == "__main__":
    Trained.pool = lambda self, **_: Sessions(self)  # type: ignore[assignment, method-assign]
    sys.exit(
        run(
            {"load": unrolled.load(sys.argv[1])},
            ServeOptions(port=0),
            lambda port: print(f"http://127.0.0.1:{port}", flush=True),
        )
    )
