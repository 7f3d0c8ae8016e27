"""Exporting a trained model: its exporter, and the folder that it is written to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, cast

import pyarrow as pa

from unrolled.config import Part
from unrolled.data.examples.examples import Examples
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import named
from unrolled.export.exporter import EXPORTERS, Exporter, Subject
from unrolled.models.model import Model
from unrolled.runs.config import RunConfig
from unrolled.runs.held_out import held_out_again
from unrolled.storage.directories import write_directory
from unrolled.streaming.session import Session
from unrolled.tasks.task import Task

__all__ = ["export"]


class _Trained(Protocol):
    """What is used of a trained model."""

    @property
    def task(self) -> Task: ...

    @property
    def network(self) -> Model: ...

    @property
    def config(self) -> RunConfig: ...

    @property
    def folder(self) -> Path | None: ...

    def predict(self, data: Any) -> pa.Table: ...

    def stream(self) -> Session: ...

    def encode(self, part: Sequences, *, target: bool) -> Examples: ...


def export(trained: _Trained, out: Path, to: str, options: Mapping[str, Any], *, overwrite: bool) -> list[str]:
    """Write ``trained`` to the folder ``out`` with the exporter ``to``.

    Args:
        trained: the model.
        out: the folder.
        to: the name of an exporter.
        options: its own.
        overwrite: whether a folder that is there is replaced.

    Returns:
        What there is to say about it.

    Raises:
        UsageError: there is no such exporter, the model has no such form, or an option is unknown.
    """
    member: type[Exporter] = EXPORTERS.get(to)
    chosen: type[Part] = member.Options
    exporter = member(chosen.check(options))
    write_directory(out, dict(exporter.files(_subject(trained))), overwrite=overwrite)
    return exporter.notes


def _subject(trained: _Trained) -> Subject:
    run = str(trained.folder) if trained.folder is not None else "this model"

    def valid(option: str) -> Examples:
        instead = f"leave {named(option)} out"
        return trained.encode(held_out_again(trained.config, run, instead)["valid"], target=True)

    def predict(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        names = list(rows[0])
        table = trained.predict({name: [row[name] for row in rows] for name in names})
        given = trained.task.recipe.get("columns") or [name for name in table.column_names if name not in names]
        return table.select(list(given)).to_pylist()

    def stream(values: list[Any]) -> list[dict[str, Any]]:
        live = trained.stream()
        return [live.push(value) for value in values]

    def with_network(network: Model) -> Subject:
        return _subject(replace(cast(Any, trained), network=network))

    calls = valid, predict, stream, with_network
    name = "model" if trained.folder is None else trained.folder.name  # not its path, which says where it was made
    return Subject(trained.task, trained.network, name, trained.config.training, *calls)
