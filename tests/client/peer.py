"""A server of sessions without a network, as serving.md describes it, that fails wherever it is told to."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from unrolled.client.faults import Broken, error_of
from unrolled.client.numbered import Conversation
from unrolled.client.wire import Ask, Close, Connect, Sleep

MOST = 3  # steps in a message


class Peer:
    """Its model adds up: the answer to a step is the sum of all values so far. ``"bad"`` is refused.

    Args:
        seed: of the failures.
        rate: how probable each of them is.
        saves: whether it has a store.
    """

    def __init__(self, seed: int = 0, rate: float = 0.0, *, saves: bool = False) -> None:
        self.random, self.rate, self.saves = random.Random(seed), rate, saves
        self.live: dict[str, list[float]] = {}  # session -> its values
        self.last: dict[str, list[dict[str, float]]] = {}
        self.stored: dict[str, tuple[list[float], list[dict[str, float]]]] = {}
        self.asked: list[Any] = []
        self.failures, self.slept = 0, 0.0
        self._session: str | None = None
        self._opened = 0

    def run(self, talk: Conversation, most: int = 10_000) -> Any:
        """What the conversation returns; ``None`` if it was given up after it asked for ``most`` things."""
        step: Callable[[Any], Any] = talk.send
        given: Any = None
        for _ in range(most):
            try:
                asked = step(given)
            except StopIteration as end:
                return end.value
            try:
                step, given = talk.send, self.do(asked)
            except Exception as error:
                step, given = talk.throw, error
        assert most < 10_000, "it never ends"
        talk.close()
        self._session = None
        return None

    def do(self, asked: Any) -> Any:
        self.asked.append(asked)
        match asked:
            case Connect("/v1/live", query):
                self._fail()
                return self._hello(query.get("session"))
            case Connect():
                self._session = ""
            case Ask(text):
                assert self._session is not None, "nothing is connected"
                self._fail()
                told = json.loads(text)
                answer = self._one(self._session, told) if isinstance(told, dict) else self._several(told)
                self._fail()
                return json.dumps(answer)
            case Close():
                self._session = None
            case Sleep(seconds):
                self.slept += seconds
        return None

    def save(self) -> None:
        self.stored = {name: (list(values), list(self.last[name])) for name, values in self.live.items()}

    def crash(self) -> None:
        """Only what the store has is left."""
        kept = self.stored if self.saves else {}
        self.live = {name: list(values) for name, (values, _) in kept.items()}
        self.last = {name: list(last) for name, (_, last) in kept.items()}
        self._session = None

    def _fail(self) -> None:
        if self.random.random() < self.rate:
            self.failures += 1
            if self.saves and self.random.random() < 0.5:
                self.crash()
            self._session = None
            raise Broken("cut")
        if self.saves and self.random.random() < 0.3:
            self.save()

    def open(self) -> str:
        self._opened += 1
        name = f"s{self._opened}"
        self.live[name], self.last[name] = [], []
        return name

    def _hello(self, session: str | None) -> str:
        name = self.open() if session is None else session
        if name not in self.live:
            return json.dumps({"error": {"type": "NotFound", "message": "there is no such session"}})
        self._session = name
        told = {"session": name, "n": len(self.live[name]), "limits": {"message_steps": MOST, "frame": 1000}}
        return json.dumps(told | self._saved(name))

    def _saved(self, name: str) -> dict[str, int]:
        return {"saved_n": len(self.stored.get(name, ([],))[0])} if self.saves else {}

    def _one(self, name: str, told: dict[str, Any]) -> dict[str, Any]:
        values, first = told["xs"] if "xs" in told else [told["x"]], told["n"]
        assert len(values) <= MOST
        taken, last = self.live[name], self.last[name]
        answer: dict[str, Any] = {"n": first, **self._saved(name)}
        before = len(taken) + 1 - first
        if not 0 <= before <= len(last):
            return answer | {"error": {"type": "Conflict", "message": f"the next step is {len(taken) + 1}"}}
        ys = last[len(last) - before :][: len(values)]
        for value in values[len(ys) :]:
            if self.rate and self.random.random() < self.rate:
                answer["error"] = {"type": "Overloaded", "message": "too much", "retry_after_s": 0.01}
                break
            if value == "bad":
                answer["error"] = {"type": "DataError", "message": "column 'x': is bad", "column": "x"}
                break
            taken.append(value)
            ys.append({"sum": sum(taken)})
            self.last[name] = list(ys)
        return answer | {"ys": ys}

    def _several(self, told: list[Any]) -> list[Any]:
        found = []
        for session, n, value in told:
            answer = self._one(session, {"n": n, "x": value})
            error = {"error": answer["error"]} if "error" in answer else None
            found.append([session, n, error or answer["ys"][0]])
        return found


def refused(kind: str, **fields: Any) -> Exception:
    return error_of({"type": kind, "message": kind, **fields})
