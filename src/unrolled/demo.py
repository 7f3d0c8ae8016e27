"""The demo: trains a model on the folk tunes of an installed package and writes new ones, in minutes.

The tunes are read as files; the package that contains them is never imported.
"""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

from unrolled import api
from unrolled.data.readers.abc import split_tunes
from unrolled.errors import DataError, MissingExtra
from unrolled.music.abc import check_tune
from unrolled.runs.keywords import Keywords
from unrolled.runs.plan import Say
from unrolled.runs.trained import Trained
from unrolled.runs.writer import Asked
from unrolled.storage.directories import write_file
from unrolled.training.hooks import Hook

__all__ = ["OPTIONS", "TEMPERATURE", "Demo", "collect", "run", "simplify"]

# Dance tunes of the British Isles, alike enough that two minutes teach something: O'Neill, Ryan and Aird.
_COLLECTIONS = ("airdsAirs", "oneills1850", "ryansMammoth")
_FIELDS = ("T", "M", "L", "K")  # other fields, such as the collector, say nothing about the music
_HEADER = re.compile(r"([A-Za-z]):\s*(.*)")
_ANNOTATION = re.compile(r'"[^"]*"|![^!|\s]*!')  # chords, fingerings and remarks above the notes
_BOW = re.compile(r"[uvT](?=[\"(\[^_=]*[A-Ga-g])")  # strokes and trills before a note
_LONGEST = 700  # characters; the few longer tunes are medleys and variations

OPTIONS: Keywords = {"model": "lstm", "hidden": 256, "batch": 32, "bptt": 64, "lr": 4e-3}
TEMPERATURE = 0.7
_GENERATED = 20
_BEGIN, _WRITTEN = "X:1\n", 1000  # how a new tune begins, and its most characters


@dataclass(frozen=True, slots=True)
class Demo:
    """The result of the demo.

    Attributes:
        trained: the model, with its metrics beside the baselines.
        tunes: the generated tunes, valid ones first.
        valid: how many of them have a complete header and bars as long as their metre says.
        copies: how many of them are in the training data.
    """

    trained: Trained
    tunes: list[str]
    valid: int
    copies: int


def run(
    *,
    minutes: float = 2.0,
    seed: int = 0,
    out: Path | None = None,
    hooks: tuple[Hook, ...] = (),
    say: Say = lambda _: None,
) -> Demo:
    """Collect the tunes, train for ``minutes``, write a run, and generate from it.

    Args:
        minutes: training time, > 0.
        seed: random seed of training and generation.
        out: the run directory; by default the next free ``runs/tunes-<n>``. ``tunes.abc`` is written beside it.
        hooks, say: see `unrolled.api.fit`.

    Raises:
        MissingExtra: the package with the tunes is not installed.
    """
    tunes = collect(_corpus())
    source = (out.parent if out else Path("runs")) / "tunes.abc"
    book = "\n".join(tunes).encode()
    if not source.is_file() or source.read_bytes() != book:
        write_file(source, book)
    say(f"{len(tunes):,} tunes, {len(book):,} characters, from {', '.join(_COLLECTIONS)}: {source}")
    options: Keywords = {**OPTIONS, "minutes": minutes, "seed": seed}
    trained = api.fit(source, out=out, hooks=hooks, say=say, **options)
    say(f"writing {_GENERATED} tunes at temperature {TEMPERATURE}")
    settings = {"temperature": TEMPERATURE}
    asked = [Asked(_BEGIN, _WRITTEN, settings={**settings, "seed": seed + n}) for n in range(_GENERATED)]
    new = [_BEGIN] * _GENERATED
    for number, piece in trained.writer().together(asked):
        new[number] += piece
    ordered = sorted(new, key=lambda tune: len(check_tune(tune)) > 0)
    return Demo(trained, ordered, sum(not check_tune(tune) for tune in new), len(set(new) & set(tunes)))


def collect(corpus: Path) -> list[str]:
    """The distinct, simplified tunes of three collections in ``corpus`` whose bars are as long as their metre says.

    Raises:
        DataError: ``corpus`` does not have them.
    """
    tunes: dict[str, None] = {}  # a set that keeps its order
    for name in _COLLECTIONS:
        for file in sorted((corpus / name).glob("*.abc")):
            text = file.read_text("utf-8", errors="replace").replace("\r\n", "\n")
            tunes |= dict.fromkeys(simplify(tune) for tune in split_tunes(text))
    kept = [
        tune
        for tune in tunes
        if len(tune) <= _LONGEST and "\N{REPLACEMENT CHARACTER}" not in tune and not check_tune(tune)
    ]
    if not kept:
        raise DataError(f"holds no tunes of {', '.join(_COLLECTIONS)}", file=str(corpus), hint="reinstall music21")
    return kept


def simplify(tune: str) -> str:
    r"""Reduce a tune to its title, metre, unit length, key and notes.

    Example:
        >>> simplify('X: 7\nT: A Jig\nZ: me\nM: 6/8\nL: 1/8\nK: D\n"D"vA>B c |\\\n')
        'X:1\nT:A Jig\nM:6/8\nL:1/8\nK:D\nA>B c |\n'
    """
    fields: dict[str, str] = {}
    lines = tune.split("\n")
    music: list[str] = []
    for line in lines[1:]:
        header = _HEADER.match(line)
        if header and header[1] in _FIELDS and not music:
            fields.setdefault(header[1], header[2].split("%")[0].strip())
        elif not header and not line.startswith("%"):
            plain = _BOW.sub("", _ANNOTATION.sub("", line)).split("%")[0].rstrip(" \\")
            music += [re.sub(r"\s+", " ", plain).strip()] if plain.strip() else []
        elif header and header[1] in "MLK" and music:
            music.append(f"{header[1]}:{header[2].strip()}")
    head = [f"{name}:{fields[name]}" for name in _FIELDS if name in fields]
    return "\n".join(["X:1", *head, *music]) + "\n"


def _corpus() -> Path:
    found = importlib.util.find_spec("music21")  # finds the package without running it
    if found is None or found.origin is None:
        raise MissingExtra("music21", "demo", "the demo")
    return Path(found.origin).parent / "corpus"
