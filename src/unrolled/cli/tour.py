"""``unrolled tour``: train four tiny models, and walk through what they show, on one page."""

from __future__ import annotations

import webbrowser
from pathlib import Path

from unrolled.cli.output import Told, emit, note
from unrolled.errors import UsageError
from unrolled.runs.progress import Progress
from unrolled.storage.directories import write_file

__all__ = ["tour"]


def tour(
    *,
    out: str = "tour.html",
    no_open: bool = False,
    overwrite: bool = False,
    steps: int | None = None,
    seed: int = 0,
    told: Told | None = None,
) -> None:
    """Train an RNN, an LSTM, a transformer and an encoder-decoder within two minutes, and open a page about them.

    The page walks through what a course teaches: recurrence, embeddings, gradients through time, gates, the bottleneck,
    attention, transformers. Each claim is measured on the models that were just trained.

    Args:
        out: The page: one HTML file that works offline. Default: tour.html.
        no_open: Do not open the page in a browser.
        overwrite: Replace the file in --out.
        steps: The most training steps of each model. Default: as many as it takes.
        seed: Random seed of the data and the models. Default: 0.
    """
    told = told or Told()
    page = Path(out)
    if page.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--out writes a page, so its name has to end in .html, not {page.name}")
    if page.exists() and not overwrite:
        raise UsageError(f"{page} exists already: choose another --out, or replace it with --overwrite")
    from unrolled.tour.walk import walk

    with Progress(quiet=told.quiet) as progress:
        found = walk(steps=steps, seed=seed, say=progress.say)
    write_file(page, found.html.encode())
    if told.json:
        emit({"page": str(page), **found.to_json()})
    else:
        for claim in found.claims:
            print(f"{claim.name}: {claim}")
    note(f"wrote {page}", quiet=told.quiet)
    if not (no_open or told.json) and not webbrowser.open(page.resolve().as_uri()):
        note(f"no browser could be opened: open {page} in one", quiet=told.quiet)
