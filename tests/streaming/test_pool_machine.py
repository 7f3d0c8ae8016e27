"""S10 of the serving design: no state crosses sessions, whatever is opened, pushed, refused, closed and restored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from live_sessions import PUSHES, alike, live, pool_of

from unrolled.errors import DataError, UsageError
from unrolled.streaming.session import Session

_PICK = st.integers(0, 1000)


class Machine(RuleBasedStateMachine):
    """A pool beside one `Session` for each handle."""

    sample: ClassVar[str] = "next_step"
    model: ClassVar[str] = "gru"

    def __init__(self) -> None:
        super().__init__()
        self.pool = pool_of(self.sample, self.model)
        self.alone: dict[int, Session] = {}
        self.closed: list[int] = []
        self.kept: list[bytes] = []

    def handle(self, pick: int) -> int:
        return list(self.alone)[pick % len(self.alone)]

    @rule()
    def opens(self) -> None:
        handle = self.pool.open()
        assert handle not in self.alone and handle not in self.closed
        self.alone[handle] = live(self.sample, self.model)

    @precondition(lambda self: self.alone)
    @rule(picks=st.lists(st.tuples(_PICK, st.integers(0, 5)), min_size=1, max_size=6))
    def pushes(self, picks: list[tuple[int, int]]) -> None:
        good = PUSHES[self.sample]
        values: list[Any] = [*good[:4], "abc", {"nothing": object()}]
        items = [(self.handle(pick), values[value % len(values)]) for pick, value in picks]
        for (handle, value), found in zip(items, self.pool.push(items), strict=True):
            try:
                assert alike(found, self.alone[handle].push(value))
            except DataError as error:
                assert str(found) == str(error)

    @precondition(lambda self: self.alone)
    @rule(pick=_PICK)
    def closes(self, pick: int) -> None:
        handle = self.handle(pick)
        self.pool.close(handle)
        del self.alone[handle]
        self.closed.append(handle)

    @precondition(lambda self: self.closed)
    @rule(pick=_PICK)
    def is_late(self, pick: int) -> None:
        handle = self.closed[pick % len(self.closed)]
        (found,) = self.pool.push([(handle, PUSHES[self.sample][0])])
        assert isinstance(found, UsageError)

    @precondition(lambda self: self.alone)
    @rule(pick=_PICK)
    def is_kept(self, pick: int) -> None:
        handle = self.handle(pick)
        self.kept.append(self.pool.snapshot(handle))
        assert self.pool.steps_of(handle) == self.alone[handle].steps

    @precondition(lambda self: self.kept)
    @rule(pick=_PICK)
    def is_restored(self, pick: int) -> None:
        snapshot = self.kept[pick % len(self.kept)]
        session = live(self.sample, self.model)
        session.restore(snapshot)
        self.alone[self.pool.open(snapshot)] = session

    @precondition(lambda self: self.alone)
    @rule(picks=st.lists(_PICK, max_size=4, unique=True))
    def moves(self, picks: list[int]) -> None:
        """Some expire together, and come back in another order."""
        handles = list({self.handle(pick): None for pick in picks})
        saved = self.pool.save(handles)
        for handle in handles:
            self.pool.close(handle)
        self.closed += handles
        self.alone |= dict(zip(self.pool.load(saved), [self.alone.pop(handle) for handle in handles], strict=True))

    def teardown(self) -> None:
        assert len(self.pool) == len(self.alone)
        for handle, session in self.alone.items():
            assert alike(self.pool.push([(handle, PUSHES[self.sample][0])]), [session.push(PUSHES[self.sample][0])])


def _machine(sample: str, model: str, examples: int, steps: int) -> Any:
    kind = type(f"{sample} {model}", (Machine,), {"sample": sample, "model": model})
    case = kind.TestCase
    case.settings = settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    return case("runTest")


_MEMBERS = [("forecast", "lstm"), *(("next_step", model) for model in ("gru", "transformer", "window", "deltanet"))]


@pytest.mark.soak
@pytest.mark.parametrize(("sample", "model"), _MEMBERS)
def test_no_state_crosses_sessions(sample: str, model: str, times: Callable[[int, int], int]) -> None:
    _machine(sample, model, times(1, 40), times(15, 50)).runTest()
