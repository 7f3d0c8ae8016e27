"""Read data for a trained model the way its training data was read."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from unrolled.data.config import DataConfig
from unrolled.data.encodings._alphabets import Name
from unrolled.data.encodings.facets import Letters
from unrolled.data.examples.known_kinds import known_kinds
from unrolled.data.io.addresses import is_address
from unrolled.data.io.folder import holds_files
from unrolled.data.io.line_files import line_files
from unrolled.data.tables.in_memory import from_arrow
from unrolled.data.tables.read import read, read_blocks
from unrolled.data.tables.recognition import meant_instead
from unrolled.data.tables.sequences import Sequences
from unrolled.data.tables.streams import is_stream
from unrolled.errors import DataError
from unrolled.tasks.task import Task

__all__ = ["later_blocks", "read_later"]

_log = logging.getLogger(__name__)


def read_later(data: Any, config: DataConfig, task: Task) -> Sequences:
    """``data`` as sequences for the model of ``task``.

    Args:
        data: a path or a table in memory; where the model reads one column, a list of texts or a single column too.
        config: how the training data was read.
        task: the model's task, with its encodings.

    Raises:
        DataError: there is no such file, or it cannot be read.
        UsageError: it is of no form that can be read.
    """
    asked = _asked(data, config, task)
    sequences = read(asked.source, asked.config, asked.steps, asked.wanted, asked.timed, asked.alphabet)
    for line in sequences.remarks:  # such as files that are left out, which get no answers
        _log.warning("%s: %s", sequences.origin, line)
    return sequences


def later_blocks(data: Any, config: DataConfig, task: Task) -> Iterator[Sequences]:
    """As `read_later`, block by block where a file is read so (see `read_blocks`).

    Args:
        data, config, task: as for `read_later`.

    Raises:
        DataError, UsageError: as in `read_later`.
    """
    asked, said = _asked(data, config, task), set[str]()
    for part in read_blocks(*asked):
        for line in {*part.remarks} - said:
            _log.warning("%s: %s", data if isinstance(data, str) else part.origin, line)
        said |= {*part.remarks}
        yield part


class _Asked(NamedTuple):
    """What `read` is to do."""

    source: Any
    config: DataConfig
    steps: bool
    wanted: tuple[str, ...]
    timed: dict[str, bool]
    alphabet: Name | None


def _asked(data: Any, config: DataConfig, task: Task) -> _Asked:
    path = Path(data) if isinstance(data, str) and data != "-" and not is_address(data) else None
    if path is not None and not (path.exists() or holds_files(path) or line_files(data)):
        hint = meant_instead(path) or "give a path, or a list of texts"
        raise DataError("there is no such file", file=data, hint=hint)
    coder = task.coder
    timed = {name: encoding.spec.time for name, encoding in coder.inputs.items()}
    timed |= {coder.target: coder.answer.spec.time, **dict.fromkeys(coder.joined, True)}
    encodings = {**coder.inputs, coder.target: coder.answer}
    config = config.model_copy(update={"target": (), "ignore": (), "kinds": {**known_kinds(coder), **config.kinds}})
    only = coder.reads[0] if len(coder.reads) == 1 else None
    data = data if is_stream(data) else from_arrow(data, only)
    if only is not None and isinstance(data, list | tuple) and all(isinstance(row, str) for row in data):
        data = {only: list(data)}
    alphabet = next((encoding.alphabet for encoding in encodings.values() if isinstance(encoding, Letters)), None)
    reads = task.reads(task.options.model_dump())
    return _Asked(data, config, reads.steps, tuple(reads.columns), timed, alphabet)
