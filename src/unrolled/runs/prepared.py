"""Data that is prepared once: what a run read, split and encoded is stored, and the next run on it maps the store.

Where the source and the options that preparing depends on are the same, nothing of the source is read again: by a run
that is resumed, by a second one, or by each trial of a search.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.roles import Roles
from unrolled.data.forms.form import form_of, numbers_of
from unrolled.data.io.addresses import is_address
from unrolled.data.io.folder import name_of
from unrolled.data.store.prepared_store import INDEX, Name, Store, Writer
from unrolled.data.store.sources import Mark, marks_of
from unrolled.data.tables.sequences import Sequences
from unrolled.declarations import owners_of
from unrolled.errors import DataError, ModelError
from unrolled.runs.config import RunConfig
from unrolled.runs.splits import FileSplit, Splits, parse
from unrolled.storage.cache_folder import make_room

__all__ = [
    "OWN",
    "Known",
    "Place",
    "Prepared",
    "about",
    "find",
    "known_of",
    "place_in",
    "place_of_run",
    "place_to_resume",
    "splits_of",
    "store_splits",
]

OWN = "prepared"  # the folder of a run's own store
_LARGE = 64 << 20  # bytes; what is smaller is prepared again sooner than it is stored
_OF_TRAINING = ("seed", "plan", "refit")  # what else preparing depends on
_PARTS, _KINDS = ("data", "task"), ("encoding", "form", "reader", "task")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Known:
    """What a run asks, as it is known once its data was looked at.

    Attributes:
        sequences: the data.
        data, task, roles: how it is read, what is asked of it, and which column plays which part.
        columns, step, workdays, files: as in `RunConfig`.
        assumed: the options that the data suggested.
        said: what the user was told.
        by_blocks: whether ``sequences`` are only the beginning of a table that is prepared block by block.
        whole: that table, where it came from no file.
    """

    sequences: Sequences
    data: DataConfig
    task: str
    roles: Roles
    columns: tuple[str, ...]
    step: float
    workdays: bool
    files: dict[str, dict[str, str | int]]
    assumed: dict[str, Any]
    said: tuple[str, ...]
    by_blocks: bool = False
    whole: pa.Table | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where prepared data is stored.

    Attributes:
        folder: of the store.
        key: what it depends on.
        marks: the files that it is made from, as they are now.
    """

    folder: Path
    key: str
    marks: list[Mark]


@dataclass(frozen=True, slots=True)
class Prepared:
    """The splits of a store, with the training split encoded."""

    splits: Splits
    coder: Preprocessor
    train: Examples
    said: tuple[str, ...]


def place_in(cache: Path, source: Any, asked: Mapping[str, Any]) -> Place | None:
    """The place in the folder ``cache`` for the data of a run.

    Args:
        cache: a folder that several runs share.
        source: the data; what is in memory, or comes from a pipe, is not stored.
        asked: the options that the user gave.
    """
    key = _key(source, asked)
    marks = _marks(source, asked) if key is not None else None
    if key is None or marks is None:
        return None
    return Place(cache / f"{name_of(source) or 'data'}-{key[:16]}", key, marks)


def place_of_run(folder: Path, source: Any, asked: Mapping[str, Any]) -> Place | None:
    """The place in the run directory ``folder`` for its own data, if that is large."""
    key = _key(source, asked)
    marks = _marks(source, asked) if key is not None else None
    if key is None or marks is None or sum(mark.size for mark in marks) < _LARGE:
        return None
    return Place(folder / OWN, key, marks)


def place_to_resume(folder: Path, config: RunConfig) -> Place | None:
    """Where the data of the stopped run in ``folder``, its directory, is stored, if it is."""
    for place in (folder / OWN, Path(config.prepared) if config.prepared else None):
        if place is not None and (place / INDEX).is_file():
            try:
                store = Store.open(place)
            except DataError:
                return None
            about = store.about.get("config", {})
            same = all(about.get(part) == getattr(config, part).model_dump(mode="json") for part in ("data", "task"))
            marks = _marks(config.source, {"valid": config.data.valid, "test": config.data.test})
            return Place(place, store.key, marks) if same and marks is not None else None
    return None


def find(place: Place, say: Say) -> Store | None:
    """The store at ``place``, if it is of these files as they are now; a damaged one is reported and prepared anew."""
    if not (place.folder / INDEX).is_file():
        return None
    try:
        store = Store.open(place.folder)
        if store.key != place.key or store.marks != place.marks:
            return None
        known_of(store)
        splits_of(store)
    except DataError as error:
        say(f"{error}; it is prepared again")
        return None
    with contextlib.suppress(OSError):  # another user's
        os.utime(place.folder / INDEX)  # when it was last used
    say(f"prepared data: {place.folder}")
    return store


def known_of(store: Store) -> Known:
    """What the run that wrote a store found out about its data.

    Raises:
        DataError: the store is damaged.
    """
    try:
        about = store.about
        config = RunConfig.parse(json.dumps(about["config"]), str(store.folder))
        roles = about["roles"]
        form = form_of(roles["form"], roles["numbers"])
        played = Roles(
            tuple(roles["inputs"]),
            str(roles["target"]),
            form,
            dict(roles["kinds"]),
            tuple(roles["joined"]),
            tuple(roles["ahead"]),
            by_window=bool(roles["by_window"]),
            shared=bool(roles["shared"]),
        )
        sequences = store.rows("train")
        if sequences is None:
            raise KeyError("train")
        given = (config.columns, config.step, config.workdays, config.files)
        said = tuple(str(line) for line in about["said"])
        return Known(sequences, config.data, config.task.name, played, *given, dict(about["assumed"]), said)
    except (KeyError, TypeError, ValueError, AttributeError, ModelError) as error:
        raise _damaged(store, error) from None


def splits_of(store: Store) -> Prepared:
    """The splits in a store, mapped.

    Raises:
        DataError: the store is damaged.
    """
    try:
        coder = Preprocessor.from_files(store.encodings())
        train = store.examples("train", coder.examples)
        left, about = store.rows("train"), store.about["splits"]
        if left is None:
            raise KeyError("train")
        notes, by_time = tuple(str(line) for line in about["notes"]), bool(about["by_time"])
        said = tuple(str(line) for line in about["said"])
    except (KeyError, TypeError, ModelError) as error:
        raise _damaged(store, error) from None
    splits = Splits(left, store.rows("valid"), store.rows("test"), notes, store.rows("whole"), by_time)
    return Prepared(splits, coder, train, said)


def store_splits(place: Place, known: Known, config: RunConfig, prepared: Prepared, *, whole: bool) -> Store:
    """Store what a run prepared.

    Args:
        place: where.
        known: what is asked.
        config: of the run.
        prepared: its splits.
        whole: whether the rows from before they were split are kept too.

    Raises:
        SpaceError: they do not fit on the disk.
    """
    splits = prepared.splits
    with Writer(place.folder, place.key, place.marks) as writer:
        writer.append("train", prepared.train)
        writer.keep("train", splits.train, cells=False)
        kept: dict[Name, Sequences | None] = {"valid": splits.valid, "test": splits.test}
        if whole:
            kept["whole"] = splits.whole
        for name, part in kept.items():
            if part is not None:
                writer.keep(name, part)
        told = {"notes": list(splits.notes), "by_time": splits.by_time, "said": list(prepared.said)}
        store = writer.finish({**about(known, config), "splits": told}, prepared.coder.to_files())
    make_room(place.folder)
    return store


def about(known: Known, config: RunConfig) -> dict[str, Any]:
    """What `known_of` reads."""
    roles = {**asdict(known.roles), "form": known.roles.form.name, "numbers": numbers_of(known.roles.form)}
    return {
        "config": config.model_dump(mode="json"),
        "roles": roles,
        "assumed": known.assumed,
        "said": list(known.said),
    }


def _damaged(store: Store, error: Exception) -> DataError:
    return DataError(f"this prepared data is damaged: {error!r}", file=str(store.folder), hint="remove its folder")


def _key(source: Any, asked: Mapping[str, Any]) -> str | None:
    """What preparing depends on, but for the files themselves; ``None`` where it depends on more than can be said."""
    if not isinstance(source, str | Path) or str(source) in ("-", "memory"):
        return None
    if asked.get("init_from") or asked.get("vectors") or asked.get("more"):
        return None
    options = {name: value for name, value in sorted(asked.items()) if _prepares(name)}
    place = str(source) if is_address(source) else str(Path(source).resolve())
    whole = [place, options, version("unrolled")]
    return hashlib.sha256(json.dumps(whole, default=str).encode()).hexdigest()


def _prepares(name: str) -> bool:
    """Whether what is stored depends on an option."""
    return name in _OF_TRAINING or any(
        owner.kind in _KINDS or (owner.kind == "part" and owner.name in _PARTS) for owner in owners_of(name)
    )


def _marks(source: str | Path, asked: Mapping[str, Any]) -> list[Mark] | None:
    held_out = [
        how.path for how in (parse(asked.get(name)) for name in ("valid", "test")) if isinstance(how, FileSplit)
    ]
    try:
        return marks_of([source, *held_out])
    except (OSError, DataError):
        return None  # reading says what is wrong
