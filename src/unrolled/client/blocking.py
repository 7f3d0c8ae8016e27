"""The blocking client: sessions, many sessions at once, predictions and generated text."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from types import TracebackType
from typing import Any

from unrolled.client.frames import Frames
from unrolled.client.links import Link, Server
from unrolled.client.numbered import Numbered
from unrolled.client.patience import Patience
from unrolled.client.requests import Requests
from unrolled.errors import UnrolledError

__all__ = ["Client", "ManySessions", "RemoteSession"]


class Client:
    """A server, as Python calls.

    Args:
        url: where it is.
        token: one of its tokens, where it has some.
        timeout: seconds without an answer after which a connection counts as broken.
        patience: seconds without success after which a call is given up; until then it connects again, waits as the
            server asks, and repeats what was not answered.

    Example:
        with Client("http://127.0.0.1:8080").session() as live:
            print(live.push({"load": 12.5, "temperature": 3.0}))
    """

    def __init__(self, url: str, token: str | None = None, *, timeout: float = 30.0, patience: float = 60.0) -> None:
        self._server, self._patience = Server(url, token, timeout), patience
        self._requests = Requests(self._server, patience)

    def session(self, id: str | None = None, *, model: str | None = None) -> RemoteSession:  # noqa: A002
        """A live session.

        Args:
            id: of a session that exists, to go on with it; ``None``: a new one.
            model: name of the model of a new one; ``None``: the server's first.
        """
        return RemoteSession(self._server, self._requests, Numbered(id, model, Patience(self._patience)))

    def many(self) -> ManySessions:
        """Many live sessions over one connection: their steps go in one message."""
        return ManySessions(self._server, self._requests, Frames(Patience(self._patience)))

    def predict(self, rows: Iterable[Any], *, model: str | None = None) -> list[dict[str, Any]]:
        """Answer whole rows.

        Args:
            rows: each a {column: value}.
            model: name of the model; ``None``: the server's first.

        Raises:
            DataError: a row does not fit the model.
        """
        answered: list[dict[str, Any]] = self._requests.json("POST", "/v1/predict", {"rows": list(rows)}, model=model)[
            "rows"
        ]
        return answered

    def generate(self, prompt: str = "", **options: Any) -> Generator[str, None, None]:
        """The text after ``prompt``, piece by piece as it is generated.

        Args:
            prompt: how it begins.
            options: as of `Trained.generate`: ``length``, ``temperature``, ``top_k``, ``top_p``, ``seed``, ``stop``;
                and ``model``.

        Raises:
            UsageError: the model cannot generate.
            DataError: it cannot read the prompt.
        """
        for event in self._requests.events("/v1/generate", {"prompt": prompt, **options}):
            if "text" in event:
                yield event["text"]

    def describe(self, model: str | None = None) -> dict[str, Any]:
        """What a model reads and answers."""
        told: dict[str, Any] = self._requests.json("GET", "/v1/model", model=model)
        return told


class RemoteSession:
    """One live session on a server, as `unrolled.streaming.session.Session` is one in this process.

    It connects at the first push, or on entering a ``with`` block. Of a cut connection or a restarted server, whoever
    pushes notices only the time that it takes: steps are numbered, and those that were not answered are sent again.
    It is not to be used by two threads at the same time.
    """

    def __init__(self, server: Server, requests: Requests, steps: Numbered) -> None:
        self._link, self._requests, self._steps = Link(server), requests, steps

    @property
    def id(self) -> str | None:
        """What the server calls it: it can be gone on with under this id, from any client."""
        return self._steps.id

    @property
    def n(self) -> int:
        """How many steps it has taken."""
        return self._steps.n

    @property
    def hello(self) -> dict[str, Any]:
        """What the server said when it was last connected: the model, the last answer, limits."""
        return self._steps.hello

    def push(self, value: Any) -> dict[str, Any]:
        """Push one row and return the answer.

        Args:
            value: a row as {column: value}; with a single input column, only its value.

        Raises:
            DataError: the value does not fit its column; the session is unchanged.
            ServerRefused: the session has expired, or somebody else pushes to it.
            Unreachable: the server cannot be reached.
        """
        (answer,) = self.push_many([value])
        if isinstance(answer, UnrolledError):
            raise answer
        return answer

    def push_many(self, values: Iterable[Any]) -> list[dict[str, Any] | UnrolledError]:
        """Push rows, many in a message; returns the answers in the same order.

        In place of the answer of a value that was refused stands its error; the session goes on without that value.
        """
        answers: list[dict[str, Any] | UnrolledError] = self._link.run(self._steps.pushing(values))
        return answers

    def snapshot(self) -> bytes:
        """Its state, as `Session.snapshot` gives it: `Trained.stream` goes on from it in this process."""
        self._link.run(self._steps.connecting())
        return self._requests.state("GET", f"/v1/sessions/{self.id}/snapshot")

    def end(self) -> None:
        """End the session for good: the server forgets it."""
        self.close()
        if self.id is not None:
            self._requests.json("DELETE", f"/v1/sessions/{self.id}")

    def close(self) -> None:
        """Close the connection; the session can be gone on with."""
        self._link.close()
        self._steps.disconnected()

    def __enter__(self) -> RemoteSession:
        self._link.run(self._steps.connecting())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class ManySessions:
    """Many live sessions over one connection, as `unrolled.streaming.pool.Pool` holds many in this process.

    Steps are numbered and sent again after a cut connection, as those of a `RemoteSession`. Where a server crashes, the
    steps since its last save are lost: the next push of such a session is answered with an error.
    """

    def __init__(self, server: Server, requests: Requests, frames: Frames) -> None:
        self._link, self._requests, self._frames = Link(server), requests, frames

    def open(self, *, model: str | None = None) -> str:
        """A new session; its id."""
        told = self._requests.json("POST", "/v1/sessions", model=model)
        self._frames.n[told["session"]] = told["n"]
        return str(told["session"])

    def push(self, steps: Iterable[tuple[str, Any]]) -> list[dict[str, Any] | UnrolledError]:
        """Push (session, value) pairs; returns the answers in the same order, and the error of a value in its place."""
        answers: list[dict[str, Any] | UnrolledError] = self._link.run(self._frames.pushing(steps))
        return answers

    def end(self, session: str) -> None:
        """End a session for good."""
        self._frames.forget(session)
        self._requests.json("DELETE", f"/v1/sessions/{session}")

    def close(self) -> None:
        """Close the connection."""
        self._link.close()
        self._frames.disconnected()

    def __len__(self) -> int:
        return len(self._frames.n)

    def __enter__(self) -> ManySessions:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
