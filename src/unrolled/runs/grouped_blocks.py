"""Large tables whose rows are steps (``--by``) are prepared block by block, so that memory does not grow with them.

The rows are dealt to files by their key, and the sequences of one file at a time are gathered, divided and encoded as
those of data that is read at once. What is asked, the beginning shows. Which sequences are held out follows from the
seed and their keys.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.config import DataConfig
from unrolled.data.encodings.encoding import Encoding, Role, has_time, traits_of
from unrolled.data.encodings.facets import Statistics
from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.roles import Roles
from unrolled.data.io.timestamps import duration
from unrolled.data.store.prepared_store import Name, Store, Writer
from unrolled.data.tables.file_names import FILE
from unrolled.data.tables.grouping import group_steps
from unrolled.data.tables.partitions import Partitions
from unrolled.data.tables.read import read_blocks
from unrolled.data.tables.sequences import Sequences, merge
from unrolled.errors import DataError, Origin, named
from unrolled.runs.blockwise import BLOCK, HEAD, as_written, learned, placed, statistics_of, told
from unrolled.runs.config import RunConfig
from unrolled.runs.grouped_split import Counts, Sides
from unrolled.runs.prepared import Known, Place, about
from unrolled.runs.splits import FileSplit, parse
from unrolled.storage.directories import space_errors

__all__ = ["PART", "prepare_steps", "suits_steps"]

PART = 64 << 20  # bytes of the rows of a file, which are in memory while its sequences are gathered
_SHOWN = 256  # sequences that show which columns have a value for each step of the target

_NAMES: dict[str, Name] = {"train": "train", "valid": "valid", "test": "test"}

Say = Callable[[str], None]


def suits_steps(head: Sequences, data: DataConfig, roles: Roles, preparation: Preparation) -> bool:
    """Whether data with such a beginning can be prepared block by block: its rows are the steps of sequences.

    Args:
        head: its beginning.
        data: how it is read.
        roles: which column plays which part.
        preparation: how the columns are encoded.
    """
    names, form = _columns(roles), roles.form
    if not data.by or data.by == FILE or data.fields or data.file_columns or form.writes or form.own_length:
        return False
    if roles.shared or any(isinstance(parse(how), FileSplit) for how in (data.valid, data.test)):
        return False
    if not {*names, data.by, *([data.order] if data.order else [])} <= {*head.table.column_names}:
        return False
    if not any(has_time(head.table.column(name).type) for name in names):
        return False  # no sequence of the beginning shows what changes from step to step
    return all(one is not None for one in _collectors(head, roles, preparation).values())


def _columns(roles: Roles) -> tuple[str, ...]:
    """The columns of the data that are used."""
    inputs = [name for name in roles.inputs if not (roles.joined and name == roles.target)]
    return tuple(dict.fromkeys((*inputs, *roles.joined, *([] if roles.joined else [roles.target]))))


def _collectors(part: Sequences, roles: Roles, preparation: Preparation) -> dict[str, Statistics | None]:
    """What collects each encoding."""
    found = {}
    for name in dict.fromkeys((*roles.inputs, roles.target)):
        if name == roles.target and roles.joined:
            joined = merge(part.slice(0, 1), roles.joined, name)
            found[name] = statistics_of(joined, name, roles, preparation, Role(channels=roles.joined))
        else:
            found[name] = statistics_of(part, name, roles, preparation)
    return found


@dataclass(frozen=True, slots=True)
class Steps:
    """The rows of a large table, and the sequences that they make.

    Attributes:
        source, name: the data, and what it is called.
        known: what is asked.
        kinds: column -> kind, of those that are used.
        schema: the columns of the rows.
        gathered: how many ``rows`` of sequences there are, and how many of them are ``unanswered`` and left out.
    """

    source: str | pa.Table
    name: str
    known: Known
    kinds: Mapping[str, str]
    schema: pa.Schema
    gathered: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, known: Known, source: str | pa.Table, name: str) -> Steps:
        """Those of ``source``, whose beginning is ``known``."""
        head, data = known.sequences, known.data
        kinds = {column: known.roles.kinds.get(column, head.kinds[column]) for column in _columns(known.roles)}
        used = dict.fromkeys((data.by, *([data.order] if data.order else []), *kinds))
        fields = [pa.field(str(column), _row_type(head.table, str(column), kinds)) for column in used]
        return cls(source, name, known, kinds, pa.schema(fields))

    def rows(self) -> Iterator[pa.Table]:
        """The rows, block by block."""
        data = self.known.data
        read_as = {name: kind for name, kind in self.kinds.items() if as_written(self.schema.field(name).type, kind)}
        given = {"kinds": {**read_as, **data.kinds}, "target": (), "inputs": (), "ignore": ()}
        later, timed = data.model_copy(update=given), dict.fromkeys(self.kinds, False)
        source: Any = self.source
        if isinstance(source, pa.Table):
            source = source.to_reader(max_chunksize=max(1, BLOCK * source.num_rows // source.nbytes))
        for part in read_blocks(source, later, False, (), timed, size=BLOCK, apart=True):
            yield self._checked(part)
            del part  # else two blocks would be in memory while the next is read

    def _checked(self, part: Sequences) -> pa.Table:
        """The columns of a block, of the types that the beginning has."""
        columns = []
        for one in self.schema:
            column, where = part.table.column(one.name), part.where(one.name)
            if one.name not in self.kinds and (at := pc.index(pc.is_null(column, nan_is_null=True), True).as_py()) >= 0:
                message = "is empty, but it must say where the step belongs"
                raise DataError(message, file=where.file, row=where.row(at), column=one.name)
            try:
                columns.append(column.cast(one.type, safe=not pa.types.is_floating(one.type)))
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                raise DataError(
                    f"holds {column.type}, but {one.type} in the beginning of the data",
                    file=where.file,
                    row=where.row(0),
                    column=one.name,
                    hint=f"write it in one way in all rows, or say what it is with {named('kinds')}",
                ) from None
        return pa.Table.from_arrays([column.combine_chunks() for column in columns], schema=self.schema)

    def group(self, rows: pa.Table) -> pa.Table:
        """The sequences of some rows.

        Raises:
            DataError: the rows cannot be grouped, or a column changes that did not in the beginning.
        """
        data, head = self.known.data, self.known.sequences.table
        timed = {name: True for name in self.kinds if has_time(head.column(name).type)}
        gap = duration(data.gap) if data.gap else None
        table = group_steps(rows, data.by, data.order, Origin(self.name), timed, gap)
        for name in self.kinds:
            if has_time(table.column(name).type) and name not in timed:
                message = "changes within a sequence, but not in the beginning of the data, which shows what is asked"
                raise DataError(message, file=self.name, column=name)
        table = table.select([str(data.by), *self.kinds])
        if not self.known.roles.form.continues:
            answered = table.filter(pc.is_valid(table.column(self.known.roles.target)))
            self.gathered.update(rows=table.num_rows, unanswered=table.num_rows - answered.num_rows)
            return answered
        return table

    def notes(self) -> list[str]:
        """A line about what was left out, if anything was."""
        rows, missing = self.gathered["rows"], self.gathered["unanswered"]
        return [f"{missing} of {rows} rows have no {self.known.roles.target} and are left out"] if missing else []

    def sequences(self, table: pa.Table, before: int) -> Sequences:
        """Sequences that follow so many others."""
        head, rows = self.known.sequences, np.arange(before, before + table.num_rows)
        part = Sequences(table, dict(self.kinds), Origin(self.name), rows=rows, reader=head.reader)
        return replace(part, dropped=head.dropped, remarks=head.remarks)


def _row_type(head: pa.Table, name: str, kinds: Mapping[str, str]) -> pa.DataType:
    """The type of a column's cells in each row: one to which all blocks can be brought."""
    kind = head.column(name).type
    kind = kind.value_type if has_time(kind) else kind
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    traits = traits_of(kinds[name]) if name in kinds else None
    if pa.types.is_nested(kind):
        return kind
    if traits is not None and (traits.measured or traits.verbatim):
        return pa.float64() if traits.measured else pa.large_string()
    if pa.types.is_string(kind):
        return pa.large_string()
    if pa.types.is_date(kind) or (pa.types.is_timestamp(kind) and kind.unit != "ns"):
        return pa.timestamp("us", getattr(kind, "tz", None))
    return kind


def prepare_steps(place: Place, known: Known, config: RunConfig, preparation: Preparation, say: Say) -> Store:
    """Prepare a large table whose rows are steps block by block.

    Args:
        place: where it is stored.
        known: what is asked, as its beginning shows.
        config: of the run.
        preparation: how the columns are encoded.
        say: receives lines about what was done.

    Raises:
        DataError: the data cannot be read, grouped or encoded.
        UsageError: nothing would end training.
        SpaceError: it does not fit on the disk.
    """
    said = list[str]()

    def tell(line: str) -> None:
        said.append(line)
        say(line)

    source, name, _, size = placed(known, config)
    steps = Steps.of(known, source, name)
    with Writer(place.folder, place.key, place.marks) as writer:
        with space_errors(place.folder):
            writer.scratch.mkdir()
            count = _count(known.sequences.table, size)
            with Partitions(writer.scratch, str(known.data.by), count) as parts:
                for rows in steps.rows():
                    parts.add(rows)
                    del rows
                parts.gather(steps.group)
        sides = _sides(steps, parts, config)
        coder = _fitted(steps, parts, sides, known.roles, preparation)
        for line in coder.reports():
            tell(line)
        notes = [*steps.notes(), *_written(steps, parts, sides, coder, writer)]
        for line in notes:
            tell(line)
        splits = {"notes": notes, "by_time": False, "said": said}
        return writer.finish({**about(known, config), "splits": splits}, coder.to_files())


def _count(head: pa.Table, size: int) -> int:
    """How many files the rows are dealt to."""
    return max(1, -(-int(head.nbytes * max(1.0, size / HEAD)) // PART))


def _parts(steps: Steps, parts: Partitions) -> Iterator[Sequences]:
    before = 0
    for table in parts:
        if table.num_rows:
            yield steps.sequences(table, before)
        before += table.num_rows
        del table


def _sides(steps: Steps, parts: Partitions, config: RunConfig) -> Sides:
    """How the sequences are divided."""
    counts = Counts(str(steps.known.data.by), steps.known.roles, config.training.seed)
    for part in _parts(steps, parts):
        counts.add(part)
    return Sides.of(config, counts, Origin(steps.name))


def _fitted(steps: Steps, parts: Partitions, sides: Sides, roles: Roles, preparation: Preparation) -> Preprocessor:
    first = next(_parts(steps, parts)).slice(0, _SHOWN)
    found = _collectors(first, roles, preparation)
    collecting = {name: one for name, one in found.items() if one is not None}
    fitted: dict[str, Encoding] = {}
    while collecting:
        for part in _parts(steps, parts):
            train = sides.divide(part)["train"]
            if train is None or not len(train):
                continue
            for name, one in collecting.items():
                read = merge(train, roles.joined, name) if roles.joined and name == roles.target else train
                one.add(read.table.column(name), read.where(name))
            del part, train
        collecting = told(collecting, fitted)
    inputs = {name: fitted[name] for name in roles.inputs}
    answer, form = fitted[roles.target], roles.form
    if not form.continues:
        return Preprocessor(inputs, roles.target, answer, form).with_sides(first)
    coder = Preprocessor(inputs, roles.target, answer, form, roles.joined, preparation.by_window, roles.ahead)
    return coder.with_sides(first)


def _written(steps: Steps, parts: Partitions, sides: Sides, coder: Preprocessor, writer: Writer) -> list[str]:
    """Encode all sequences, and keep those that are held out; returns lines about the splits."""
    counts, unlearned = Counter[str](), 0
    for part in _parts(steps, parts):
        for split, some in sides.divide(part).items():
            if some is not None and split != "train":
                answered = learned(some, coder)
                unlearned += int((~answered).sum())
                some = some if answered.all() else some.take(np.flatnonzero(answered))
            if some is None or not len(some):
                continue
            counts[split] += len(some)
            if split == "train":
                writer.append("train", coder.encode(some))
            writer.keep(_NAMES[split], some, cells=split != "train")
        del part, some
    notes = sides.notes(counts)
    left_out = f"{unlearned} held-out sequences are left out, as no training sequence has their answers"
    return [*notes, left_out] if unlearned else notes
