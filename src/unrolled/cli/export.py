"""``unrolled export``: write a trained model in a form that runs without this package."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from unrolled.cli.flags import class_of_flags, flags_of
from unrolled.cli.output import Told, emit, note
from unrolled.declarations import declared_by
from unrolled.runs.choices import exporter_names

__all__ = ["ExportFlags", "export"]


if TYPE_CHECKING:
    ExportFlags = Any
else:
    ExportFlags = Parameter(name="*")(
        class_of_flags("ExportFlags", flags_of(declared_by("exporter"), Group("Forms", sort_key=1)), __name__)
    )


def export(
    run: str,
    /,
    *,
    out: str,
    to: Annotated[
        str, Parameter(help=f"The form of the files: {', '.join(exporter_names())}. Default: onnx.")
    ] = "onnx",
    overwrite: bool = False,
    flags: ExportFlags | None = None,
    told: Told | None = None,
) -> None:
    """Write a trained model to a folder, in a form that runs without this package.

    Args:
        run: The run directory that fit wrote.
        out: The folder to write.
        to: The form of the files.
        overwrite: Replace the folder in --out.
    """
    told = told or Told()
    from unrolled import api

    options = {} if flags is None else {name: one for name, one in asdict(flags).items() if one is not None}
    notes = api.load(run).export(out, to, overwrite=overwrite, **options)
    if told.json:
        emit({"run": run, "out": out, "to": to, "notes": notes})
    for line in (*notes, f"written: {out}"):
        note(line, quiet=told.quiet)
