"""What the tests of the command line share: tiny files, and what a command leaves behind."""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SMALL = ("--steps", "4", "--hidden", "4", "--quiet")


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True)
class Runs:
    """Files and the runs that were trained on them."""

    folder: Path
    reviews: Path
    load: Path
    text: Path
    both: Path

    def file(self, name: str) -> Path:
        return self.folder / name


def write_reviews(path: Path, rows: int = 40) -> Path:
    chance = random.Random(0)
    lines = ["text,stars,sentiment"]
    for _ in range(rows):
        good = chance.random() < 0.5
        filler = chance.choices(
            ["a", "the", "film", "was", "it", "plot", "actor", "scene", "music", "end"], k=chance.randint(2, 6)
        )
        words = [*filler, chance.choice(["great", "lovely"] if good else ["awful", "dull"])]
        lines.append(f"{' '.join(words)},{chance.randint(1, 5)},{'good' if good else 'bad'}")
    path.write_text("\n".join(lines) + "\n")
    return path


def write_load(path: Path, rows: int = 90) -> Path:
    lines = ["day,load,temp"]
    lines += [f"{t},{10 + 3 * math.sin(t / 4):.3f},{5 + math.cos(t / 4):.3f}" for t in range(rows)]
    path.write_text("\n".join(lines) + "\n")
    return path
