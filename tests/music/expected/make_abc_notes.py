"""Writes abc_notes.json: digests of the notes that music21 reads in some tunes of its corpus, for test_abc.py (which says where they differ).

python tests/music/expected/make_abc_notes.py    (minutes: music21 is thorough)

What the header's ``%abc-2.1`` says is how long an accidental holds: without it music21 holds none to the end of the
bar. What music21 is known to read otherwise is taken out before: signs without time or pitch, as it takes a slur, a
trill or a fermata in the midst of a broken rhythm for its end; a hyphen between two different notes, which is no tie
(it leaves out the second note); the rest that is not printed, and ``::``, before which it leaves out a note.
"""

import hashlib
import json
import re
import sys
import warnings
from fractions import Fraction
from pathlib import Path

from music21 import __version__, converter

sys.path.insert(0, str(Path(__file__).parents[2]))
from tunes import corpus

EACH = {"airdsAirs": 6, "ryansMammoth": 5, "oneills1850": 10, "miscFolk": 1, "essenFolksong": 80}
IDLE = re.compile(r"\((?!\d)|\)|\{[^}]*\}|[~.HLMOPSTuv](?=[\^_=A-Ga-gxz\[(])|![^!|\s]*!|\"[^\"]*\"")
NO_TIE = re.compile(
    r"(?<![A-Ga-g,'\d/])([\^_=]*([A-Ga-g][,']*)[\d/]*)-(?![\s|:\\]*$)(?![\s|:\[\]\d]*[\^_=]*\2(?![,']))"
)


def plain(tune: str) -> str:
    head, key, body = tune.partition("\nK:")
    lines = body.split("\n")
    music = [line if re.match(r"[A-Za-z]:|%", line) else simple(line) for line in lines[1:]]
    return "%abc-2.1\n" + "\n".join([head + key + lines[0], *music])


def simple(line: str) -> str:
    return NO_TIE.sub(r"\1", IDLE.sub("", IDLE.sub("", line))).replace("x", "z").replace("::", ":|:")


def notes(tune: str) -> list[tuple[Fraction, Fraction, int]]:
    """(onset, duration, pitch) in whole notes, tied ones as one."""
    score = converter.parse(plain(tune), format="abc").stripTies()
    found = []
    for part in score.parts or [score]:
        for note in part.flatten().notes:
            length = Fraction(note.quarterLength) / 4
            if length and not note.duration.isGrace:
                found += [(Fraction(note.offset) / 4, length, pitch.midi) for pitch in note.pitches]
    return sorted(found)


def digest(found: list[tuple[Fraction, Fraction, int]]) -> str:
    line = " ".join(f"{onset} {duration} {pitch}" for onset, duration, pitch in found)
    return hashlib.sha256(line.encode()).hexdigest()[:12]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    made: dict[str, dict[str, str]] = {}
    for folder, each in EACH.items():
        made[folder] = {}
        for name, tune in list(corpus(folder).items())[::each]:
            try:
                made[folder][name] = digest(notes(tune))
            except Exception as error:
                made[folder][name] = f"music21 {__version__} stops: {type(error).__name__}"
    Path(__file__).with_name("abc_notes.json").write_text(json.dumps(made, indent=0) + "\n")
