"""The numbered steps of a client: whatever fails, each value is taken once, and each answer is the right one."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest
from client.peer import Peer, refused

from unrolled.client.faults import ServerRefused, Unreachable
from unrolled.client.frames import Frames
from unrolled.client.numbered import Numbered
from unrolled.client.patience import Patience
from unrolled.client.wire import Ask, Connect
from unrolled.errors import DataError, UnrolledError, UsageError


def sums(values: list[float], start: float = 0.0) -> list[dict[str, float]]:
    return [{"sum": total} for total in list(itertools.accumulate(values, initial=start))[1:]]


def numbered(**options: object) -> Numbered:
    return Numbered(patience=Patience(1e9), **options)  # type: ignore[arg-type]


@pytest.mark.soak
@pytest.mark.parametrize("saves", [False, True])
def test_each_value_is_taken_once_whatever_fails(saves: bool, times: Callable[[int, int], int]) -> None:
    failures = 0
    for seed in range(times(150, 5000)):
        peer, steps, chance = Peer(seed, 0.25, saves=saves), numbered(), random.Random(seed)
        values = [float(chance.randrange(100)) for _ in range(20)]
        answers: list[object] = []
        while len(answers) < len(values):
            size = chance.randrange(1, 7)
            answers += peer.run(steps.pushing(values[len(answers) : len(answers) + size]))
        assert answers == sums(values)
        peer.rate = 0
        peer.run(steps.connecting())
        assert steps.n == len(values)
        assert steps.id is not None
        assert peer.live[steps.id] == values or saves  # the last ones are sent again with the next push
        assert peer.run(steps.pushing([1.0])) == sums([1.0], sum(values))
        assert peer.live[steps.id] == [*values, 1.0]
        failures += peer.failures
    assert failures > 100


@pytest.mark.parametrize("saves", [False, True])
def test_a_push_that_was_given_up_counts_as_pushed(saves: bool) -> None:
    for seed in range(100):
        peer, steps, chance = Peer(seed, 0.2, saves=saves), numbered(), random.Random(seed)
        pushed: list[float] = []
        for _ in range(10):
            values = [float(chance.randrange(100)) for _ in range(chance.randrange(1, 6))]
            answers = peer.run(steps.pushing(values), most=chance.choice([1, 2, 3, 4, 5, 10_000]))
            assert answers in (None, sums(values, sum(pushed)))
            pushed = [*pushed, *values][: steps.n + len(steps._unsure)]
        peer.rate = 0.0
        assert peer.run(steps.pushing([1.0])) == sums([1.0], sum(pushed))
        assert peer.live[str(steps.id)] == [*pushed, 1.0]


def test_a_bad_value_is_an_error_in_its_place_and_the_others_are_taken() -> None:
    peer, steps = Peer(), numbered()
    one, bad, two, worse = peer.run(steps.pushing([1.0, "bad", 2.0, "bad"]))
    assert (one, two) == ({"sum": 1.0}, {"sum": 3.0})
    assert isinstance(bad, DataError)
    assert (str(bad), bad.column) == ("column 'x': is bad", "x")
    assert isinstance(worse, DataError)
    assert steps.n == 2


def test_a_new_client_goes_on_where_the_session_is() -> None:
    peer, steps = Peer(), numbered()
    peer.run(steps.pushing([1.0, 2.0]))
    other = numbered(session=steps.id)
    assert peer.run(other.pushing([3.0])) == [{"sum": 6.0}]
    assert other.n == 3


def test_what_somebody_else_pushed_is_noticed() -> None:
    peer, steps = Peer(), numbered()
    peer.run(steps.pushing([1.0]))
    peer.run(numbered(session=steps.id).pushing([2.0, 3.0]))
    steps.disconnected()
    with pytest.raises(ServerRefused, match="somebody else has pushed steps 2 to 3 of this session"):
        peer.run(steps.pushing([4.0]))


def test_what_a_server_without_a_store_has_lost_is_said() -> None:
    peer, steps = Peer(), numbered()
    peer.run(steps.pushing([1.0]))
    peer.crash()
    steps.disconnected()
    with pytest.raises(ServerRefused, match="there is no such session") as caught:
        peer.run(steps.pushing([2.0]))
    assert caught.value.kind == "NotFound"


def test_what_was_never_saved_goes_to_a_new_session() -> None:
    peer, steps = Peer(saves=True), numbered()
    peer.rate = -1  # neither fails nor saves by itself
    peer.save, saved = (lambda: None), peer.save  # type: ignore[method-assign]
    peer.run(steps.pushing([1.0, 2.0]))
    first = steps.id
    peer.crash()
    steps.disconnected()
    assert peer.run(steps.pushing([3.0])) == [{"sum": 6.0}]
    assert steps.id != first
    saved()
    assert peer.run(steps.pushing([4.0])) == [{"sum": 10.0}]
    assert not steps._kept or len(steps._kept) == 1


def test_more_than_is_kept_cannot_be_sent_again() -> None:
    peer, steps = Peer(saves=True), numbered(most_kept=2)
    peer.save = lambda: None  # type: ignore[method-assign]
    peer.run(steps.pushing([1.0]))
    peer.stored = {str(steps.id): ([1.0], [{"sum": 1.0}])}
    peer.run(steps.pushing([2.0, 3.0, 4.0]))
    peer.crash()
    steps.disconnected()
    with pytest.raises(ServerRefused, match="has lost steps 2 to 4 of this session: open a new one"):
        peer.run(steps.pushing([5.0]))


def test_a_message_is_no_longer_than_the_server_takes() -> None:
    peer, steps = Peer(), numbered()
    peer.run(steps.connecting())
    list(peer.run(steps.pushing([1.0] * 7)))
    assert [ask.text for ask in peer.asked if isinstance(ask, Ask)][-1] == '{"n":7,"x":1.0}'
    assert len(steps._fitting(["x" * 400] * 3)) == 2
    assert len(steps._fitting(["x" * 5000] * 3)) == 1


def test_it_gives_up_when_its_patience_ends() -> None:
    clock = itertools.count(0.0, 0.3)
    peer, steps = Peer(0, 1.0), Numbered(patience=Patience(3.0, lambda: next(clock), lambda: 1.0))
    with pytest.raises(Unreachable, match="the server was tried for 3 seconds; at last: cut"):
        peer.run(steps.pushing([1.0]))


def test_a_refusal_that_is_final_is_raised() -> None:
    talk = numbered().pushing([1.0])
    assert talk.send(None) == Connect("/v1/live", {})
    with pytest.raises(ServerRefused, match="Unauthorized"):
        talk.throw(refused("Unauthorized"))


@pytest.mark.parametrize("seed", range(50))
def test_frames_take_each_value_once(seed: int) -> None:
    peer, frames, chance = Peer(seed, 0.0), Frames(Patience(1e9)), random.Random(seed)
    names = [peer.open() for _ in range(5)]
    frames.n.update(dict.fromkeys(names, 0))
    peer.rate, totals = 0.2, dict.fromkeys(names, 0.0)
    for _ in range(6):
        pushed = [(chance.choice(names), float(chance.randrange(100))) for _ in range(8)]
        answers = peer.run(frames.pushing(pushed))
        for (name, value), answer in zip(pushed, answers, strict=True):
            totals[name] += value
            assert answer == {"sum": totals[name]}


def test_in_a_frame_a_bad_value_harms_no_other() -> None:
    peer, frames = Peer(), Frames(Patience(1e9))
    a, b = peer.open(), peer.open()
    frames.n.update({a: 0, b: 0})
    one, bad, two, three = peer.run(frames.pushing([(a, 1.0), (b, "bad"), (b, 2.0), (a, 2.0)]))
    assert (one, two, three) == ({"sum": 1.0}, {"sum": 2.0}, {"sum": 3.0})
    assert isinstance(bad, UnrolledError)
    assert frames.n == {a: 2, b: 1}
    with pytest.raises(UsageError, match="there is no open session 'c' here"):
        peer.run(frames.pushing([("c", 1.0)]))


def test_a_frame_that_was_given_up_goes_first() -> None:
    peer, frames = Peer(), Frames(Patience(1e9))
    a = peer.open()
    frames.n[a] = 0
    talk = frames.pushing([(a, 1.0)])
    peer.do(talk.send(None))
    peer.do(talk.send(None))  # taken, but its answer is never read
    talk.close()
    assert peer.run(frames.pushing([(a, 2.0)])) == [{"sum": 3.0}]
