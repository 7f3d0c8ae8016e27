"""Exporting a trained model: its exporter, and the folder that it is written to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrolled.config import Part
from unrolled.data.examples.examples import Examples
from unrolled.errors import named
from unrolled.export.exporter import EXPORTERS, Exporter, Subject
from unrolled.runs.held_out import held_out_again
from unrolled.storage.directories import write_directory

if TYPE_CHECKING:
    from unrolled.runs.trained import Trained

__all__ = ["export"]


def export(trained: Trained, out: Path, to: str, options: Mapping[str, Any], *, overwrite: bool) -> list[str]:
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
    run = str(trained.folder) if trained.folder is not None else "this model"

    def valid() -> Examples:
        instead = f"leave {named('quantise')} out"
        return trained.encode(held_out_again(trained.config, run, instead)["valid"], target=True)

    subject = Subject(trained.task, trained.network, run, trained.config.training, valid)
    write_directory(out, dict(exporter.files(subject)), overwrite=overwrite)
    return exporter.notes
