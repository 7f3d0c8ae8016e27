"""Steps of many sessions over one connection, numbered. No network: see `unrolled.client.wire`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from unrolled.client.faults import Broken, ServerRefused, error_of
from unrolled.client.numbered import Conversation
from unrolled.client.patience import Patience
from unrolled.client.wire import Ask, Close, Connect, Sleep, decoded, encoded
from unrolled.errors import UnrolledError, UsageError

__all__ = ["Frames"]

_MOST = 256  # steps in a message
_BYTES = 200_000  # of a message, below the frame that a server takes by default

Answer = dict[str, Any] | UnrolledError


class Frames:
    """The sessions of one connection, and the number of the last step of each that was answered.

    Args:
        patience: see there.
    """

    def __init__(self, patience: Patience) -> None:
        self.n: dict[str, int] = {}
        self._patience, self._connected = patience, False
        self._sent: list[tuple[str, str]] = []  # is on its way, or was when a push was given up: it goes first again

    def pushing(self, steps: Iterable[tuple[str, Any]]) -> Conversation:
        """Push (session, value) pairs; returns their answers in the same order, or the errors of those refused.

        Raises:
            UsageError: a session is not one that was opened here.
        """
        asked = [(session, encoded(value)) for session, value in steps]
        for session, _ in asked:
            if session not in self.n:
                raise UsageError(f"there is no open session {session!r} here: open() makes one")
        given_up = self._sent
        asked = given_up + asked
        answers: dict[int, Answer] = {}
        while len(answers) < len(asked):
            try:
                yield from self._exchange(asked, self._frame(asked, answers), answers)
            except Broken as failure:
                self._connected = False
                yield Close()
                yield Sleep(self._patience.wait(failure))
            except GeneratorExit:
                self._connected = False
                raise
        return [answers[place] for place in range(len(given_up), len(asked))]

    def disconnected(self) -> None:
        """The connection was closed: the next push opens another."""
        self._connected = False

    def forget(self, session: str) -> None:
        """Push no more steps of a session."""
        self.n.pop(session, None)
        self._sent = [step for step in self._sent if step[0] != session]

    def _frame(self, asked: Sequence[tuple[str, str]], answers: dict[int, Answer]) -> list[int]:
        """The places of the steps that go next: at most one of each session, since an error shifts the numbers."""
        frame: list[int] = []
        size, sessions = 0, set()
        for place, (session, value) in enumerate(asked):
            if place in answers or session in sessions:
                continue
            size += len(session) + len(value.encode()) + 24
            if frame and (len(frame) == _MOST or size > _BYTES):
                break
            frame.append(place)
            sessions.add(session)
        return frame

    def _exchange(self, asked: Sequence[tuple[str, str]], frame: list[int], answers: dict[int, Answer]) -> Conversation:
        if not self._connected:
            yield Connect("/v1/live/many", {}, greets=False)
            self._connected = True
        self._sent = [asked[place] for place in frame]
        steps = (f"[{encoded(session)},{self.n[session] + 1},{value}]" for session, value in self._sent)
        message = decoded((yield Ask(f"[{','.join(steps)}]")))
        if isinstance(message, dict) and "error" in message:
            raise error_of(message["error"])
        if not isinstance(message, list) or len(message) != len(frame):
            raise Broken("the server answered another message")
        later, self._sent = 0.0, []
        for place, (session, n, answer, *_) in zip(frame, message, strict=True):
            error = error_of(answer["error"]) if set(answer) == {"error"} else None
            if isinstance(error, ServerRefused) and error.retry_after_s is not None:
                later = max(later, error.retry_after_s)  # it is not answered, and goes into the next frame
                continue
            answers[place] = answer if error is None else error
            if error is None:
                self.n[session] = n
        if later:
            yield Sleep(self._patience.wait(Broken("the server asks to wait", later)))
        else:
            self._patience.success()
