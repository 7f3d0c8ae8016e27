"""``unrolled describe``: a model's parts, its cost, and a drawing of the unrolled network."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from unrolled.cli.output import Told, comparison, emit, note, verdict

__all__ = ["describe"]


def describe(run: str, /, *, plot: str | None = None, told: Told | None = None) -> None:
    """Show a model's parts, the cost of a step, the network unrolled in time, and its metrics beside the baselines'.

    Args:
        run: The run directory that fit wrote.
        plot: Draw the network to this file too: .svg, .png or .html.
    """
    told = told or Told()
    from unrolled import api
    from unrolled.page.saved import check_picture, save_picture

    if plot is not None:
        check_picture(Path(plot))
    trained = api.load(run)
    description = trained.describe()
    if plot is not None:
        save_picture(Path(plot), description.to_svg(), description.title)
        note(f"picture: {plot}", quiet=told.quiet)
    if told.json:
        results = {"metrics": trained.metrics, "baselines": trained.baselines}
        emit({"run": run, **asdict(description), **results, "findings": trained.findings.to_json()})
        return
    print(description)
    for split, metrics in trained.metrics.items():
        baselines = trained.baselines.get(split, {})
        print(f"\n{split}\n\n{comparison(metrics, baselines)}\n\n{verdict(trained, split)}".rstrip())
