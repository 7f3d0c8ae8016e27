"""The files of a preprocessor: one for each column, and ``coder.json``, which says what part each column plays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from unrolled.data.encodings._stored import Stored, load
from unrolled.data.encodings.encoding import ENCODINGS, Encoding
from unrolled.data.encodings.facets import Portable
from unrolled.data.forms.form import known_form

__all__ = ["Index", "read_columns", "write_columns"]

_INDEX = "coder.json"


class _Side(Stored):
    axis: str
    ordered: bool


class Index(Stored):
    """``coder.json``."""

    inputs: list[str]
    target: str
    form: Annotated[str, AfterValidator(known_form)]
    horizon: int
    joined: list[str]
    kinds: dict[str, str]
    files: dict[str, str]
    by_window: bool = False
    ahead: list[str] = Field(default_factory=list)
    naive: list[float] = Field(default_factory=list)  # of earlier versions; now each series has its own error
    season: int = 0
    learned: dict[str, float] = Field(default_factory=dict)
    curves: dict[str, list[float]] = Field(default_factory=dict)
    numbers: dict[str, int] = Field(default_factory=dict)  # the form's other fields
    sides: dict[str, _Side] = Field(default_factory=dict)


def write_columns(index: Mapping[str, Any], columns: Mapping[str, Encoding]) -> dict[str, bytes]:
    """One JSON file for each column, and ``coder.json``: ``index``, with the kind and the file of each column.

    Beside the file of a column of byte-pair tokens is its ``…-tokenizer.json``, which only other programs read.
    """
    names = {name: f"column-{number}.json" for number, name in enumerate(columns)}
    files = {}
    for name, encoding in columns.items():
        files[names[name]] = json.dumps(encoding.to_config(), ensure_ascii=False).encode()
        if isinstance(encoding, Portable) and (stored := encoding.tokenizer()) is not None:
            files[names[name].replace(".json", "-tokenizer.json")] = stored.encode()
    kinds = {name: encoding.kind for name, encoding in columns.items()}
    files[_INDEX] = json.dumps({**index, "kinds": kinds, "files": names}, ensure_ascii=False, indent=1).encode()
    return files


def read_columns(files: Mapping[str, bytes]) -> tuple[Index, dict[str, Encoding]]:
    """The index and the encoding of each column; the inverse of `write_columns`.

    Raises:
        KeyError, TypeError, ValueError, RecursionError: a file is missing, or is not JSON.
        ModelError: the index or an encoding is not valid.
    """
    index = load(Index, json.loads(files[_INDEX]), "column")
    columns: dict[str, Encoding] = {}
    for name, kind in index.kinds.items():
        columns[name] = ENCODINGS.get(kind).from_config(json.loads(files[index.files[name]]))
    return index, columns
