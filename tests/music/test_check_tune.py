from __future__ import annotations

from collections.abc import Callable

import pytest
from tunes import corpus

from unrolled.data.readers.abc import split_tunes
from unrolled.music.abc import check_tune


def problems(body: str, metre: str = "3/4", unit: str = "1/4") -> list[str]:
    return check_tune(f"X:1\nT:a tune\nM:{metre}\nL:{unit}\nK:G\n{body}\n")


VALID = {
    "pickup, and a short end": "C | CDE | c2 |]",
    "no bar line at the end of a line": "CDE | CDE\nCDE | c2",
    "a bar over two lines": "C | CDE | CD\nE | c2 |]",
    "lengths": "C/D/ E// F3/4 G2/2 | A3/2B/2 c | d3 | z2 x |",
    "chords": '"Am"[CEG]2 [CE/] | [C2E2]G | [CE]3/2[DF]/ [^F_A] |',
    "broken rhythm": "C>D E | C<D E | C>>D E | C3/2<D/2 E |",
    "tuplets": "(3CDE F | (3:2:3CDE F | (2CD | (5:4:3ccc z3/5 |]",
    "grace notes and marks": "{AB}C !trill!D ~E | .C TD {/g}vE | (C-C) D |",
    "accidentals and octaves": "^C, _D' =E'' | ^^c __d e | C`D`E |",
    "repeats and endings": "|: C | CDE | CD :| E | CDE |1 CD :|2 CD |]",
    "an ending after a bar line": "CDE | CD | [1 E | CDE :| [2 E | CD |]",
    "all repeat signs": "CDE :: CDE :|: CDE || CDE |: CDE :| CDE [| CDE |]",
    "metre changes": "CDE | [M:2/4] CD | CD |\nM:3/4\nCDE |",
    "unit changes": "CDE | [L:1/8] CDEFGA |\nL:1/4\nCDE |",
    "voices": "V:1\nCDE | CDE |\nV:2\nC3 |\n[V:1] CDE |]",
    "overlay": "CDE & c3 | CDE |",
    "bars of rest": "Z4 | CDE | z3 |",
    "remarks, words and directives": "CDE | % one\n%%text C\nw: la la la la la\nN: CDEF | CDEF |\nCDE |",
    "old line breaks": "CDE | CDE |!\nCDE |!",
    "continued lines": "CDE | C\\\nDE | CDE |",
}


@pytest.mark.parametrize("name", VALID)
def test_valid_tunes(name: str) -> None:
    assert problems(VALID[name]) == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("CDE | CD | CDE |", ["bar 2 is 1/2 long, not 3/4"]),
        ("CDE | CDEF | CDE |", ["bar 2 is 1 long, not 3/4"]),
        ("CDEF |", ["bar 1 is 1 long, not 3/4"]),
        ("CDE | CDE | C>D | CDE :|", ["bar 3 is 1/2 long, not 3/4"]),
        ("CDE | (3CDE C | (3CDE FG | CDE |", ["bar 3 is 1 long, not 3/4"]),
        ("CDE | hello | CDE |", ["bar 2: 'h' is not ABC", "bar 2: 'l' is not ABC"]),
        ("", ["the tune has no notes"]),
        ("w: only words", ["the tune has no notes"]),
        ("[M:0/4] CDE |", ["M:0/4 is not a metre"]),
        ("[M:3/0] CDE |", ["M:3/0 is not a metre"]),
        ("[L:1/0] CDE |", ["L:1/0 is not a length"]),
        ("(0CDE |", ["bar 1: '(0' is not a tuplet"]),
    ],
)
def test_faults_are_named(body: str, expected: list[str]) -> None:
    found = problems(body)
    assert found[: len(expected)] == expected


def test_headers() -> None:
    assert check_tune("") == ["the tune does not start with X:", "the header has no K: field"]
    assert check_tune("T:x\nX:1\nM:4/4\nL:1/4\nK:C\nc4|") == ["the tune does not start with X:"]
    assert check_tune("X:1\nM:4/4\nCDEF|") == ["the header has no K: field"]
    assert check_tune("X:1\nK:C\nCDEF|") == ["the header has no M: field"]
    assert check_tune("X:1\nM:none\nK:C\nCDEFGABcdefg | C |") == []
    assert check_tune("X:1\nM:2+3/8\nK:C\nL:1/8\nCDEFG | CDEFG |") == []
    assert check_tune("X:1\nM:C|\nL:1/4\nK:C\nCDEF | CDEF |") == []


def test_the_unit_depends_on_the_metre() -> None:
    assert check_tune("X:1\nM:2/4\nK:C\n" + "CDEFGABc | " * 2) == []  # 1/16
    assert check_tune("X:1\nM:4/4\nK:C\n" + "CDEFGABc | " * 2) == []  # 1/8


@pytest.mark.parametrize(
    "text", ["X:1\nM:4/4\nK:C\n" + "[" * 50_000, "X:1\nM:4/4\nK:C\nC" + "9" * 50_000, "X:" + " " * 100_000]
)
def test_bombs_are_harmless(text: str) -> None:
    assert check_tune(text)
    split_tunes(text)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("folder", "tunes", "share"), [("airdsAirs", 1000, 0.98), ("oneills1850", 1900, 0.90), ("ryansMammoth", 1000, 0.92)]
)
def test_real_tunes(folder: str, tunes: int, share: float, times: Callable[[int, int], int]) -> None:
    """What is called invalid here has been looked at by hand: the faults are the transcriptions' own."""
    found = list(corpus(folder).values())
    assert len(found) >= tunes
    some = found[:: times(3, 1)]
    assert sum(not check_tune(tune) for tune in some) >= share * len(some)


def test_damage_to_real_tunes_is_noticed() -> None:
    whole = [tune for tune in corpus("airdsAirs").values() if not check_tune(tune)][:300]
    bodies = [tune.rpartition("\nK:") for tune in whole]
    longer = ["".join((header, key, body.replace("|", "c|", 3))) for header, key, body in bodies]
    assert sum(bool(check_tune(tune)) for tune in longer) > 0.97 * len(longer)
