"""Real tunes for the tests: they lie in the music21 package, which is found as files and never imported."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from unrolled.data.config import DataConfig
from unrolled.data.readers.abc import read_abc

__all__ = ["corpus"]


@cache
def corpus(folder: str) -> dict[str, str]:
    """``file:n`` -> the n-th tune of that file, of a folder of music21's corpus."""
    found = find_spec("music21")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the demo extra is not installed: its tunes are in the music21 package")
    files = sorted((Path(found.submodule_search_locations[0]) / "corpus" / folder).glob("*.abc"))
    return {
        f"{file.name}:{nth}": tune
        for file in files
        for nth, tune in enumerate(read_abc(file, DataConfig())["text"].to_pylist())
    }
