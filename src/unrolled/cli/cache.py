"""``unrolled cache``: the prepared data, and the copies of remote files, that runs share."""

from __future__ import annotations

import time
from pathlib import Path

from unrolled.cli.output import Told, emit, note

__all__ = ["cache"]


def cache(folder: str, /, *, empty: bool = False, limit: str | None = None, told: Told | None = None) -> None:
    """List the prepared data, and the copies of remote files, in the folder that fit was given as --cache, or empty it.

        unrolled cache stores
        unrolled cache stores --limit 50GB
        unrolled cache stores --empty

    Args:
        folder: The folder.
        empty: Remove all of them.
        limit: What the folder may hold from now on, such as 50GB: what was not used for longest is removed.
    """
    told = told or Told()
    from unrolled.storage import cache_folder
    from unrolled.storage.cache_folder import emptied, in_bytes, in_words, listed

    place = Path(folder)
    removed = emptied(place) if empty else []
    if limit is not None:
        removed += emptied(place, in_bytes(limit))
        cache_folder.limit(place, in_bytes(limit))
    found = listed(place)
    if told.json:
        rows = [
            {"folder": str(one.folder), "source": one.source, "bytes": one.bytes, "used": one.used} for one in found
        ]
        emit({"stores": rows, "removed": [str(one.folder) for one in removed]})
        return
    for one in removed:
        note(f"removed {one.folder} ({in_words(one.bytes)})", quiet=told.quiet)
    for one in found:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.used))
        print(f"{in_words(one.bytes):>10}  used {used}  {one.folder.name}  {one.source or 'damaged'}")
    note(f"{in_words(sum(one.bytes for one in found))} in {place}", quiet=told.quiet)
