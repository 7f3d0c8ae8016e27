"""The steps of one session, numbered, so that sending one again is harmless. No network: see `Connect` and `Ask`."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from itertools import islice
from typing import Any

from unrolled.client.faults import Broken, ServerRefused, error_of
from unrolled.client.patience import Patience
from unrolled.client.wire import Ask, Close, Connect, Sleep, decoded, encoded
from unrolled.errors import UnrolledError

__all__ = ["Conversation", "Numbered"]

Conversation = Generator[Connect | Ask | Sleep | Close, Any, Any]  # is sent what each of them brings; returns a result
Answer = dict[str, Any] | UnrolledError


class Numbered:
    """What a client knows of its session.

    A value is sent under the number of its step, and again after a failure. The server takes each number once; to one
    that it has taken it gives the answer that it gave before. Where it saves sessions, it says up to which number it
    has (``saved_n``). Later values are kept here, and sent again to a server that has restarted without them.

    Args:
        session: its id; ``None``: a new one.
        model: name of the model; ``None``: the server's first.
        most_kept: the most values that are kept. When more are not saved, a crash of the server can lose the session.

    Attributes:
        id: its id, once there is one. It changes when a server that never saved the session crashes: all values are
            then sent again to a new one.
        n: the number of the last step that was answered.
        hello: what the server said when it was last connected.

    Example:
        >>> steps = Numbered()
        >>> talk = steps.pushing([2.5])
        >>> talk.send(None)
        Connect(path='/v1/live', query={}, greets=True)
        >>> talk.send('{"session": "a", "n": 0, "limits": {"message_steps": 256, "frame": 262144}}')
        Ask(text='{"n":1,"x":2.5}')
        >>> try:
        ...     talk.send('{"n": 1, "y": {"load": 3.0}}')
        ... except StopIteration as end:
        ...     print(end.value)
        [{'load': 3.0}]
    """

    def __init__(
        self,
        session: str | None = None,
        model: str | None = None,
        patience: Patience | None = None,
        most_kept: int = 100_000,
    ) -> None:
        self.id, self.n = session, 0
        self.hello: dict[str, Any] = {}
        self._model, self._patience = model, patience or Patience(60.0)
        self._connected, self._known = False, False  # known: whether n is that of the server
        self._at = 0  # how many steps the server has taken, as far as it said
        self._most, self._bytes = 256, 1 << 18  # in a message: steps, and what it may be long
        self._waiting: deque[str] = deque()  # values as JSON; the first one is step n + 1
        self._kept: deque[str] = deque(maxlen=most_kept)  # of the steps up to n that the server has not saved
        self._sent = 0  # how many of those that wait are on their way
        self._unsure: list[str] = []  # were on their way when a push was given up

    def connecting(self) -> Conversation:
        """Connect, if it is not connected."""
        while not self._connected:
            yield from self._trying(self._connect())

    def pushing(self, values: Iterable[Any]) -> Conversation:
        """Push values; returns their answers, or the error of a value that was refused.

        Values that were on their way when an earlier push was given up go first: the server may have taken them, or
        take them yet, so that nothing else may be sent under their numbers.
        """
        new = [encoded(value) for value in values]
        first = self._unsure
        self._waiting, self._unsure, self._sent = deque(first + new), [], len(first)
        answers: list[Answer] = []
        try:
            while self._waiting:
                yield from self._trying(self._exchange(answers))
        except GeneratorExit:
            self._unsure = list(islice(self._waiting, max(self._sent, len(first) - len(answers))))
            self._connected = False
            raise
        finally:
            self._waiting.clear()
        return answers[len(first) :]

    def disconnected(self) -> None:
        """The connection was closed: the next push opens another."""
        self._connected = False

    def _trying(self, talk: Conversation) -> Conversation:
        """Some talk; after a failure, wait instead: the caller begins anew."""
        try:
            yield from talk
        except Broken as failure:
            self._connected = False
            yield Close()
            yield Sleep(self._patience.wait(failure))
        except ServerRefused as refused:
            if refused.retry_after_s is None:
                raise
            yield Sleep(self._patience.wait(Broken(str(refused), refused.retry_after_s)))

    def _connect(self) -> Conversation:
        try:
            yield from self._opened()
        except ServerRefused as refused:
            if refused.kind != "NotFound" or not self._known or len(self._kept) < self.n:
                raise
            yield Close()
            self.id = None  # the server crashed before it saved this session; but every value is here
            yield from self._opened()
        self._connected = True

    def _opened(self) -> Conversation:
        given = {"session": self.id, "model": self._model}
        hello = decoded(
            (yield Connect("/v1/live", {name: value for name, value in given.items() if value is not None}))
        )
        if isinstance(hello, dict) and "error" in hello:
            raise error_of(hello["error"])
        try:
            at = int(hello["n"])
            self.id, self._most = str(hello["session"]), int(hello["limits"]["message_steps"])
            self._bytes = int(hello["limits"]["frame"])
        except (TypeError, KeyError, ValueError):
            raise Broken("the server's first message is not one of unrolled serve") from None
        if not self._known:
            self.n = at
        taken = at - self.n
        if taken > len(self._waiting or self._unsure):
            raise ServerRefused("Conflict", f"somebody else has pushed steps {self.n + 1} to {at} of this session")
        if -taken > len(self._kept):
            raise ServerRefused(
                "Lost", f"the server has lost steps {at + 1} to {self.n} of this session: open a new one"
            )
        self.hello, self._known, self._at = hello, True, min(at, self.n)
        self._saved(hello)

    def _exchange(self, answers: list[Answer]) -> Conversation:
        """One message and its answer: steps that a server lost when it crashed, or else those that wait."""
        if not self._connected:
            yield from self._connect()
        again = self._at < self.n
        first = self._at + 1 if again else self.n + 1
        kept = len(self._kept) - (self.n - self._at)
        sent = self._fitting(islice(self._kept, kept, None) if again else self._waiting)
        values = f'"x":{sent[0]}' if len(sent) == 1 else f'"xs":[{",".join(sent)}]'
        self._sent = 0 if again else len(sent)
        message = decoded((yield Ask(f'{{"n":{first},{values}}}')))
        self._sent = 0
        if isinstance(message, dict) and "error" in message and message.get("n") is None:
            raise error_of(message["error"])  # of the message, not of a step
        if not isinstance(message, dict) or message.get("n") != first:
            raise Broken(f"the server answered another message than step {first}")
        found = message["ys"] if "ys" in message else [message["y"]] if "y" in message else []
        if found:
            self._patience.success()
        self._at = max(self._at, first - 1 + len(found))
        if not again:
            answers += found
            self._answered([self._waiting.popleft() for _ in found])
        self._saved(message)
        if "error" in message:
            error = error_of(message["error"])
            if again or isinstance(error, ServerRefused):
                raise error
            answers.append(error)  # of the first value that it did not take; it waits for those after it
            self._waiting.popleft()
        elif not found:
            raise Broken("the server gave no answer")

    def _fitting(self, values: Iterable[str]) -> list[str]:
        """As many values as go into one message, at least one."""
        sent: list[str] = []
        size = 64  # bytes of what stands around them
        for value in values:
            size += len(value.encode()) + 1
            if sent and (len(sent) == self._most or size > self._bytes):
                break
            sent.append(value)
        return sent

    def _answered(self, values: list[str]) -> None:
        self.n += len(values)
        self._kept += values

    def _saved(self, message: dict[str, Any]) -> None:
        """Forget values that the server has saved; or all of them where it does not save."""
        saved = message.get("saved_n")
        keep = 0 if saved is None else max(0, self.n - int(saved))
        if self._at >= self.n:
            while len(self._kept) > keep:
                self._kept.popleft()
