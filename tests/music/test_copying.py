"""The longest common run, against trying all."""

from __future__ import annotations

import random
from fractions import Fraction

from unrolled.music.copying import Heard
from unrolled.music.tune import Note, Tune


def tune(pitches: list[int]) -> Tune:
    notes = tuple(Note(Fraction(n), Fraction(1), pitch) for n, pitch in enumerate(pitches))
    return Tune("", None, Fraction(1), "C", Fraction(30), notes, ())


def longest(own: list[int], others: list[list[int]]) -> int:
    """By trying every pair of places."""
    found = 1
    for other in others:
        for i in range(len(own)):
            for j in range(len(other)):
                run = 0
                shift = other[j] - own[i]
                while i + run < len(own) and j + run < len(other) and other[j + run] - own[i + run] == shift:
                    run += 1
                found = max(found, run)
    return found


def test_the_longest_run_is_found_in_any_key() -> None:
    dice = random.Random(1)
    lengths = set()
    for _ in range(60):
        others = [[60 + dice.randrange(3) for _ in range(dice.randrange(1, 30))] for _ in range(3)]
        own = [60 + dice.randrange(3) for _ in range(20)]
        if dice.random() < 0.5:
            copied = dice.choice(others)
            own[5:5] = [pitch + 7 for pitch in copied]
        expected = longest(own, others)
        lengths.add(expected)
        assert Heard(map(tune, others)).longest_run(tune(own)) == expected
    assert len(lengths) > 8


def test_runs_do_not_go_from_one_tune_into_the_next() -> None:
    heard = Heard([tune([60, 62]), tune([64, 65])])
    assert heard.longest_run(tune([60, 62, 64, 65])) == 2
    assert heard.longest_run(tune([0, 127, 0])) == 1
