"""``unrolled plan``: what ``fit`` would choose for a file, and why."""

from __future__ import annotations

from unrolled.cli.flags import Flags, options_of
from unrolled.cli.output import Told, emit, note

__all__ = ["plan"]


def plan(source: str, /, *, options: Flags | None = None, told: Told | None = None) -> None:
    """Show the facts about a file, what ``fit`` would choose for it, and why; nothing is trained or written.

        unrolled plan reviews.csv --target sentiment

    Args:
        source: What fit reads: a file, a folder, or - for stdin.
    """
    told = told or Told()
    from unrolled import api

    found = api.plan(
        source, say=lambda line: note(line, quiet=told.quiet or told.json), **options_of(options or Flags())
    )
    if told.json:
        emit(found.to_json())
    else:
        print(found)
