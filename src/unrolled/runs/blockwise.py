"""Large tables are prepared block by block, so that memory does not grow with them.

What the first block shows decides the question: kinds, target and task. Then all blocks are read as later data of a
trained model is, once to collect what the encodings are made of (twice where a vocabulary needs it), and once more to
encode each row. Which rows are held out is a pure function of the seed and the number of a row.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.config import DataConfig
from unrolled.data.encodings._cells import is_text
from unrolled.data.encodings.encoding import ENCODINGS, Encoding, Role, has_time, traits_of
from unrolled.data.encodings.facets import Labels, Statistics, Streamed
from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.roles import Roles
from unrolled.data.io.folder import bytes_of, holds_files, root_of
from unrolled.data.io.hashed import hashed
from unrolled.data.io.remote import near
from unrolled.data.store.prepared_store import Store, Writer
from unrolled.data.tables.read import read_blocks
from unrolled.data.tables.sequences import Sequences
from unrolled.data.tables.split import list_lengths
from unrolled.errors import IN_MEMORY, Origin
from unrolled.runs.config import RunConfig
from unrolled.runs.prepared import Known, Place, about
from unrolled.runs.splits import Share, parse

__all__ = [
    "BLOCK",
    "HEAD",
    "LARGE",
    "as_written",
    "large",
    "learned",
    "placed",
    "prepare",
    "statistics_of",
    "suits",
    "told",
]

BLOCK = 32 << 20  # bytes that are read together
HEAD = 32 << 20  # bytes of the beginning, which show what is asked
LARGE = 256 << 20  # bytes of a file from which on it is prepared block by block
_HELD_OUT, _ENOUGH = 0.1, 50_000  # the share of rows that is held out for validation, and how many tell enough
_TEST, _VALID = 1, 2  # keys: a row is drawn for one split whatever it is drawn for in another

Say = Callable[[str], None]


def large(source: Any) -> bool:
    """Whether ``source`` is a file, a folder or a table of Arrow that is prepared block by block if it can be."""
    if isinstance(source, pa.Table):
        return source.nbytes >= LARGE
    if not isinstance(source, str | Path) or str(source) == "-":
        return False
    with near(source) as here:
        path = Path(here.source)
        return (path.is_file() or holds_files(path)) and bytes_of(path) >= LARGE


def suits(head: Sequences, data: DataConfig, roles: Roles, preparation: Preparation) -> bool:
    """Whether data with such a beginning can be prepared block by block: each row is one example.

    Args:
        head: its beginning.
        data: how it is read.
        roles: which column plays which part.
        preparation: how the columns are encoded.
    """
    form, names = roles.form, [*roles.inputs, roles.target]
    in_steps = data.by or data.order or data.fields or data.gap or data.file_columns or data.sets
    others = roles.joined or roles.ahead or roles.shared or form.continues or form.writes or not form.whole
    shares = all(isinstance(parse(how), Share) for how in (data.valid, data.test))
    if in_steps or others or not shares or not {*names} <= {*head.table.column_names}:
        return False
    if any(has_time(head.table.column(name).type) for name in names):
        return False
    return all(statistics_of(head, name, roles, preparation) is not None for name in names)


def statistics_of(
    part: Sequences, name: str, roles: Roles, preparation: Preparation, role: Role | None = None
) -> Statistics | None:
    """What collects the encoding of the column ``name`` part by part; ``None`` if it must be seen whole.

    Args:
        part: some rows.
        name: the column.
        roles: which column plays which part.
        preparation: how the columns are encoded.
        role: the part of this column, if ``roles`` do not tell.
    """
    kind = roles.kinds.get(name, part.kinds[name])
    member = ENCODINGS.get(kind)
    if not isinstance(member, Streamed):
        return None
    time = has_time(part.table.column(name).type)
    role = role or preparation.role_of(name, roles)
    return member.statistics(preparation.of(kind), role, part.where(name), time=time)


@dataclass(frozen=True, slots=True)
class Draw:
    """Which rows are held out.

    Attributes:
        seed: which choice.
        test, valid: the shares.
    """

    seed: int
    test: float
    valid: float

    def __call__(self, file: str, rows: np.ndarray) -> dict[str, np.ndarray]:
        """The name of each split -> (N,) bool: which of ``rows`` are in it.

        The choice depends on the name of the file too, so that a file more changes no row's side.
        """
        test = self._drawn(file, _TEST, rows) < self.test
        valid = ~test & (self._drawn(file, _VALID, rows) < self.valid)
        return {"train": ~test & ~valid, "valid": valid, "test": test}

    def _drawn(self, file: str, use: int, rows: np.ndarray) -> np.ndarray:
        name = np.frombuffer(file.encode(), np.uint8)
        keys = (np.array([self.seed]), *(letter[None] for letter in name), np.array([use]))
        drawn: np.ndarray = hashed(*keys, rows) * 2.0**-64
        return drawn


@dataclass(frozen=True, slots=True)
class Blocks:
    """A large table, to be gone over several times.

    Attributes:
        source: its file or folder, or a table that is mapped.
        name: what it is called.
        root: the folder below which its files have their names.
        config: how it is read.
        names: the columns that are used.
        kinds: column -> kind.
        read_as: the kinds of those that are read as texts or numbers however they are written, as in the beginning.
        target: the column to predict; rows without it are left out.
        sizes: file -> its rows, once they have been gone over.
    """

    source: str | pa.Table
    name: str
    root: Path
    config: DataConfig
    names: tuple[str, ...]
    kinds: Mapping[str, str]
    read_as: Mapping[str, str]
    target: str
    sizes: dict[str, int] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Sequences]:
        given = {"kinds": dict(self.read_as), "target": (), "inputs": (), "ignore": ()}
        later, timed = self.config.model_copy(update=given), dict.fromkeys(self.names, False)
        source: Any = self.source
        if isinstance(source, pa.Table):
            source = source.to_reader(max_chunksize=max(1, BLOCK * source.num_rows // source.nbytes))
        for part in read_blocks(source, later, False, (), timed, size=BLOCK):
            rows = np.arange(len(part)) if part.rows is None else part.rows
            self.sizes[part.origin.name] = max(self.sizes.get(part.origin.name, 0), int(rows[-1]) + 1)
            known = pc.is_valid(part.table.column(self.target)).to_numpy()
            part = Sequences(part.table.select(self.names), dict(self.kinds), part.origin, rows=rows)
            part = part if known.all() else part.take(np.flatnonzero(known))
            yield part
            del part  # else two blocks would be in memory while the next is read

    def sides(self, part: Sequences, draw: Draw) -> dict[str, np.ndarray]:
        """The name of each split -> which rows of a part are in it."""
        assert part.rows is not None
        return draw(Path(part.origin.name).relative_to(self.root).as_posix(), part.rows)

    def placed(self, part: Sequences) -> Sequences:
        """A part of one of several files, with its rows numbered through all of them."""
        if part.origin.name == self.name:
            return part
        assert part.rows is not None
        before = itertools.takewhile(lambda name: name != part.origin.name, self.sizes)
        rows = part.rows + sum(self.sizes[name] for name in before)
        return replace(part, rows=rows, origin=Origin(self.name, tuple(self.sizes.items())))


def prepare(place: Place, known: Known, config: RunConfig, preparation: Preparation, say: Say) -> Store:
    """Prepare a large table block by block.

    Args:
        place: where it is stored.
        known: what is asked, as its beginning shows.
        config: of the run.
        preparation: how the columns are encoded.
        say: receives lines about what was done.

    Raises:
        DataError: the data cannot be read or encoded; the error names the row.
        SpaceError: it does not fit on the disk.
    """
    roles, head, said = known.roles, known.sequences, list[str]()
    names = tuple(dict.fromkeys((*roles.inputs, roles.target)))
    kinds = {name: roles.kinds.get(name, head.kinds[name]) for name in names}
    read_as = {name: kind for name, kind in kinds.items() if as_written(head.table.column(name).type, kind)}
    source, name, root, size = placed(known, config)
    draw = Draw(config.training.seed, *_shares(known.data, head, size))
    blocks = Blocks(source, name, root, known.data, names, kinds, {**read_as, **known.data.kinds}, roles.target)

    def tell(line: str) -> None:
        said.append(line)
        say(line)

    coder = _fitted(blocks, draw, roles, preparation)
    for line in coder.reports():
        tell(line)
    with Writer(place.folder, place.key, place.marks) as writer:
        counts = _written(blocks, draw, coder, writer, known)
        notes = _notes(counts)
        for line in notes:
            tell(line)
        splits = {"notes": notes, "by_time": False, "said": said}
        return writer.finish({**about(known, config), "splits": splits}, coder.to_files())


def placed(known: Known, config: RunConfig) -> tuple[str | pa.Table, str, Path, int]:
    """The data, what it is called, the folder below which its files have their names, and its size in bytes."""
    if known.whole is not None:
        return known.whole, IN_MEMORY.name, Path(), known.whole.nbytes
    with near(config.source) as here:
        path = Path(here.source)
        return config.source, config.source, Path(here.text(str(root_of(path)))), bytes_of(path)


def as_written(type_: pa.DataType, kind: str) -> bool:
    """Whether a column of texts or numbers is one wherever its cells stand; labels may be of any type."""
    return is_text(type_) or traits_of(kind).measured


def _shares(data: DataConfig, head: Sequences, size: int) -> tuple[float, float]:
    """The shares of the rows for testing and validation: of very many rows, few tell enough."""
    rows = max(1.0, len(head) * size / HEAD)
    test = parse(data.test)
    valid = Share(min(_HELD_OUT, _ENOUGH / rows)) if data.valid is None else parse(data.valid)
    assert isinstance(test, Share)
    assert isinstance(valid, Share)
    return test.share, valid.share


def _fitted(blocks: Blocks, draw: Draw, roles: Roles, preparation: Preparation) -> Preprocessor:
    first: Sequences | None = None
    collecting: dict[str, Statistics] = {}
    fitted: dict[str, Encoding] = {}
    while len(fitted) < len(blocks.names):
        for part in blocks:
            train = part.take(np.flatnonzero(blocks.sides(part, draw)["train"]))
            if first is None:
                first = train
                found = {name: statistics_of(part, name, roles, preparation) for name in blocks.names}
                collecting = {name: one for name, one in found.items() if one is not None}
            for name, one in collecting.items():
                one.add(train.table.column(name), train.where(name))
            del part, train
        collecting = told(collecting, fitted)
    assert first is not None
    inputs = {name: fitted[name] for name in roles.inputs}
    return Preprocessor(inputs, roles.target, fitted[roles.target], roles.form).with_sides(first)


def told(collecting: Mapping[str, Statistics], fitted: dict[str, Encoding]) -> dict[str, Statistics]:
    """Add the encodings that were collected to ``fitted``; returns what takes another pass."""
    again: dict[str, Statistics] = {}
    for name, one in collecting.items():
        made: Any = one.fitted()
        if hasattr(made, "fitted"):
            again[name] = made
        else:
            fitted[name] = made
    return again


def _written(blocks: Blocks, draw: Draw, coder: Preprocessor, writer: Writer, known: Known) -> dict[str, int]:
    """Encode all rows, and keep those that are held out; returns how many of each split there are."""
    counts = {"train": 0, "valid": 0, "test": 0, "unlearned": 0}
    for part in blocks:
        sides = blocks.sides(part, draw)
        part = replace(blocks.placed(part), dropped=known.sequences.dropped, remarks=known.sequences.remarks)
        part = replace(part, reader=known.sequences.reader)
        for split, chosen in sides.items():
            rows = np.flatnonzero(chosen)
            if split != "train":
                answered = learned(part, coder)
                counts["unlearned"] += int((chosen & ~answered).sum())
                rows = np.flatnonzero(chosen & answered)
            some = part.take(rows)
            counts[split] += len(some)
            if split == "train":
                writer.append("train", coder.encode(some))
                writer.keep("train", some, cells=False)
            elif len(some):
                writer.keep("valid" if split == "valid" else "test", some)
        del part, some
    return counts


def learned(part: Sequences, coder: Preprocessor) -> np.ndarray:
    """(N,) bool: whether the answers of a row are among those that the training rows have."""
    if not isinstance(coder.answer, Labels) or coder.continues:
        return np.ones(len(part), bool)
    column = part.table.column(coder.target)
    steps = list_lengths(column) if has_time(column.type) else np.ones(len(part), np.int64)
    answers = pc.list_flatten(column) if has_time(column.type) else column
    known = pc.is_in(answers, value_set=pa.array(list(coder.answer.labels), answers.type))
    known = pc.or_(known, pc.is_null(answers)).to_numpy()  # an empty answer is refused where it is encoded
    return np.bincount(np.repeat(np.arange(len(part)), steps)[~known], minlength=len(part)) == 0


def _notes(counts: Mapping[str, int]) -> list[str]:
    rows = sum(counts.values())
    notes = [f"{split}: {counts[split]} of {rows} rows, drawn by their numbers" for split in ("valid", "test")]
    notes = [note for note in notes if not note.startswith("test: 0 ")]
    if counts["unlearned"]:
        notes.append(f"{counts['unlearned']} held-out rows are left out, as no training row has their answer")
    return notes
