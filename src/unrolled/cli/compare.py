"""``unrolled compare``: trained runs side by side on the same held-out data."""

from __future__ import annotations

from pathlib import Path

from unrolled.cli.output import Told, emit, note
from unrolled.runs.progress import Progress

__all__ = ["compare"]


def compare(
    *runs: str, data: str | None = None, plot: str | None = None, device: str = "auto", told: Told | None = None
) -> None:
    """Compare trained models on the same held-out data: metrics with standard errors, differences, and cost.

    The models are judged on the same groups of sequences, so the difference of two models is often much surer than
    their metrics are. Runs with another task, target or training data cannot be compared.

    Args:
        runs: Two or more run directories that fit wrote.
        data: Data to compare them on, with the target. Default: the test split if all runs have the same, otherwise
            their validation split.
        plot: Write a picture to this file too: .svg, .png or .html.
        device: cpu, cuda, or auto: a GPU if there is one. Default: auto.
    """
    told = told or Told()
    from unrolled import api
    from unrolled.page.saved import check_picture, save_picture

    if plot is not None:
        check_picture(Path(plot))

    with Progress(quiet=told.quiet):
        found = api.compare(runs, data, device=device)
    if plot is not None:
        save_picture(Path(plot), found.to_svg(), "Runs side by side")
        note(f"picture: {plot}", quiet=told.quiet)
    if told.json:
        emit(found.to_json())
        return
    print(found)
