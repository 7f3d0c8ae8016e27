"""Tunes written as ABC: what our reader, and music21 where it runs, reads back is what was to be written."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from tunes import corpus

from unrolled.music.abc import check_tune, parse_abc
from unrolled.music.abc_writing import to_abc
from unrolled.music.events import PARTS, from_events, to_events
from unrolled.music.tune import Note, Tune, tune_of

SIXTEENTH = Fraction(1, 16)


def body(tune: Tune) -> str:
    return to_abc(tune).split("K:C\n")[1]


def some(seed: int) -> list[Note]:
    """Notes of any key on the grid, several at once, the same key twice at once too."""
    dice = random.Random(seed)
    keys = dice.choice((range(128), range(58, 65)))
    notes = []
    for _ in range(dice.randrange(1, 60)):
        onset = Fraction(dice.randrange(100) * dice.choice((1, 6, 8)), PARTS)
        notes.append(
            Note(onset, Fraction(dice.choice((1, 6, 8, 24, 96, dice.randrange(1, 900))), PARTS), dice.choice(keys))
        )
    return sorted(notes)


def test_notes_of_any_kind_come_back_in_whole_bars() -> None:
    for seed in range(60):
        notes = some(seed)
        text = to_abc(tune_of(notes))
        assert sorted(parse_abc(text).notes) == notes, seed
        assert check_tune(text) == [], seed


@pytest.mark.parametrize("folder", ["airdsAirs", "oneills1850", "miscFolk", "essenFolksong"])
def test_real_tunes_come_back(folder: str) -> None:
    exact = 0
    texts = [text for text in list(corpus(folder).values())[::9][:20] if not check_tune(text)]
    assert len(texts) > 4
    for text in texts:
        tune = parse_abc(text)
        written = to_abc(tune)
        again, played = parse_abc(written), tune.played()
        assert (again.title, again.metre) == (" ".join(tune.title.split()), tune.metre or (4, 4))
        assert abs(again.tempo - tune.tempo) <= Fraction(1, 8)
        assert [note.pitch for note in again.notes] == [note.pitch for note in played.notes]
        for note, known in zip(again.notes, played.notes, strict=True):
            assert abs(note.onset - known.onset) <= Fraction(1, 2 * PARTS)
        exact += again.notes == played.notes
    assert exact >= 0.9 * len(texts)


def test_bars_are_the_tunes_own() -> None:
    tune = parse_abc("T:Air\nM:3/4\nL:1/4\nQ:1/4=90\nK:D\nA | F3- | F2 ||\n")
    assert to_abc(tune) == "X:1\nT:Air\nM:3/4\nL:1/16\nQ:1/4=90\nK:C\nA4 | ^F12- | ^F8 |]\n"
    late = parse_abc("M:3/4\nL:1/4\nK:C\nV:1\nC3 |\nV:2\nz3 | E4 |\n")  # what lies behind the bars of the first voice
    assert body(late) == "C12 | E12- | E4 z8 |]\n"


@pytest.mark.parametrize(
    ("pitches", "line"),
    [
        ([60, 61, 60, 72, 61, 60], "C ^C =C =c ^C =C z10 |]"),
        ([66, 65, 78, 77], "^F =F ^f =f z12 |]"),
        ([0, 127, 59, 84], "C,,,,, g'''' B, c' z12 |]"),
    ],
)
def test_no_accidental_can_be_taken_otherwise(pitches: list[int], line: str) -> None:
    assert body(tune_of(Note(at * SIXTEENTH, SIXTEENTH, pitch) for at, pitch in enumerate(pitches))) == line + "\n"


def test_an_accidental_ends_with_its_bar_and_ties_cross_it() -> None:
    notes = [
        Note(Fraction(0), Fraction(1, 2), 61),
        Note(Fraction(1, 2), Fraction(3, 4), 60),
        Note(Fraction(5, 4), SIXTEENTH, 60),
    ]
    assert body(tune_of(notes)) == "^C8 =C8- | C4 C z11 |]\n"


def test_lengths_are_exact() -> None:
    notes = [Note(Fraction(at, 24), Fraction(1, 24), 60) for at in range(3)]
    notes += [Note(Fraction(1, 8) + Fraction(1, 96), Fraction(1, 48), 62)]
    assert body(tune_of(notes)) == "C2/3 C2/3 C2/3 z/6 D/3 z27/2 |]\n"
    (quintuplet,) = parse_abc(to_abc(tune_of([Note(Fraction(1, 20), Fraction(1, 20), 60)]))).notes
    assert (quintuplet.onset, quintuplet.onset + quintuplet.duration) == (Fraction(5, 96), Fraction(10, 96))


def test_notes_of_other_lengths_stand_in_other_voices() -> None:
    half, whole = Fraction(1, 2), Fraction(1)
    chord = [Note(Fraction(0), half, pitch) for pitch in (60, 64, 67, 61)]  # C and C sharp are no chord
    bass = [Note(Fraction(0), whole, 48)]
    assert body(tune_of([*chord, Note(half, half, 65), *bass])) == ("V:1\n[^CEG]8 F8 |]\nV:2\nC8 z8 |]\nV:3\nC,16 |]\n")


def test_long_notes_and_rests_are_several_signs() -> None:
    tune = parse_abc("M:4/4\nL:1/4\nK:C\nC4 | Z99 | [M:99/4] C99 |\n")
    assert parse_abc(to_abc(tune)).notes == tune.notes
    assert "z64 z64" in to_abc(tune)


def in_one_bar(note: Note) -> Note:
    """Within three octaves, and cut at the bar's end: music21 knows no tie of chords, and no octave below 0."""
    ends = min(note.onset + note.duration, Fraction(note.onset // 1 + 1))
    return Note(note.onset, ends - note.onset, 48 + note.pitch % 36)


def test_music21_reads_the_same() -> None:
    converter = pytest.importorskip("music21.converter", reason="music21 is there as files only", exc_type=ImportError)
    tunes = [tune_of(map(in_one_bar, some(seed))) for seed in range(3)]
    tunes.append(
        tune_of([Note(Fraction(3, 4), Fraction(5, 2), 61), Note(Fraction(4), Fraction(1, 24), 60)])
    )  # with ties
    tunes += [from_events(to_events(parse_abc(text).notes)) for text in list(corpus("oneills1850").values())[:4]]
    for tune in tunes:
        score = converter.parse(f"%abc-2.1\n{to_abc(tune)}", format="abc").stripTies()
        found = [
            Note(Fraction(one.offset) / 4, Fraction(one.quarterLength) / 4, pitch.midi)
            for part in score.parts or [score]
            for one in part.flatten().notes
            for pitch in one.pitches
        ]
        assert sorted(found) == sorted(tune.notes)
