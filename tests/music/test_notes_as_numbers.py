"""Events and rolls: there and back, on real tunes and on notes of any kind."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
from tunes import corpus

from unrolled.errors import DataError
from unrolled.music import events, rolls
from unrolled.music.abc import parse_abc
from unrolled.music.events import from_events, to_events
from unrolled.music.rolls import KEYS, LOWEST, from_roll, from_text, to_line, to_roll
from unrolled.music.tune import Note


def some(dice: random.Random, parts: int) -> list[Note]:
    """Notes on a grid, no key twice at once or struck again as it ends."""
    notes = []
    for pitch in dice.sample(range(LOWEST, LOWEST + KEYS), 5):
        now = dice.randrange(300)
        for _ in range(dice.randrange(1, 6)):
            length = dice.randrange(1, 60)
            notes.append(Note(Fraction(now, parts), Fraction(length, parts), pitch))
            now += length + dice.randrange(1, 40)
    return sorted(notes, key=lambda note: (note.onset, note.pitch))


def test_notes_on_the_grid_come_back() -> None:
    for seed in range(50):
        notes = some(random.Random(seed), events.PARTS)
        assert list(from_events(to_events(notes)).notes) == notes
        notes = some(random.Random(seed), rolls.PARTS)
        assert list(from_roll(to_roll(notes)).notes) == notes


def test_real_tunes_come_back_to_the_grid() -> None:
    exact = 0
    tunes = [parse_abc(text) for text in list(corpus("oneills1850").values())[:100]]
    for tune in tunes:
        found = from_events(to_events(tune.notes)).notes
        assert sorted(note.pitch for note in found) == sorted(note.pitch for note in tune.notes)
        for note, again in zip(tune.notes, found, strict=True):  # in the order of onsets, both
            assert abs(note.onset - again.onset) <= Fraction(1, 2 * events.PARTS)
        exact += found == tune.notes
    assert exact > 90


def test_long_times_are_several_events_and_long_notes_are_cut() -> None:
    assert to_events([Note(Fraction(5), Fraction(9), 60)]) == ["t192", "t192", "t96", "p60", "d384"]


def test_a_roll_by_hand() -> None:
    sixteenth = Fraction(1, 16)
    notes = [
        Note(0 * sixteenth, 3 * sixteenth, 21),
        Note(2 * sixteenth, Fraction(1, 99), 108),
        Note(sixteenth, sixteenth, 20),
    ]
    expected = np.zeros((3, 88), np.uint8)
    expected[:, 0] = expected[2, 87] = 1
    assert (to_roll(notes) == expected).all()
    assert to_roll([]).shape == (0, 88)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("p60 t1", "event 2 is 't1', but dN, the duration of the note, is expected"),
        ("t1 d4", "event 2 is 'd4', but tN or pN is expected"),
        ("p128 d1", "event 1 is 'p128', but t1 or more, p0 to p127, or d1 or more is expected"),
        ("p60 d0", "event 2 is 'd0', but t1 or more"),
        ("p60 d1 hello", "event 3 is 'hello', but t1 or more"),
        ("t1 p60", "has no notes"),
    ],
)
def test_what_is_no_event_is_named(words: str, message: str) -> None:
    with pytest.raises(DataError, match=f"^the events: {message}"):
        from_events(words.split())


def test_rolls_are_text_and_back() -> None:
    dice = np.random.default_rng(0)
    roll = (dice.random((40, KEYS)) < 0.03).astype(np.uint8)
    text = "".join(map(to_line, roll))
    assert text.count("\n") == 40
    assert (from_text(text) == roll).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("60\n\n20", "line 3: expected keys from 21 to 108, or a single '.', not '20'"),
        ("60 109", "line 1: expected keys.*not '109'"),
        ("60 . 62", r"line 1: expected keys.*not '\.'"),
        ("60\nC", "line 2: expected keys.*not 'C'"),
        ("٣٣", "line 1: expected keys.*not '٣٣'"),
        ("9999999999", "line 1: expected keys.*not '9999999999'"),
    ],
)
def test_what_is_no_key_is_named(text: str, message: str) -> None:
    with pytest.raises(DataError, match=f"^the roll: {message}"):
        from_text(text)


def test_a_roll_is_bounded_before_it_is_made() -> None:
    with pytest.raises(DataError, match=r"has 160000000016 steps of 1/16; at most 100000 can be read"):
        to_roll([Note(Fraction(10**10), Fraction(1), 60)])
    with pytest.raises(DataError, match="^the roll: has no notes$"):
        from_roll(np.zeros((3, 88)))
