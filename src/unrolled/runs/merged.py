"""Metrics over many files: each process writes its sums, and whoever has all of them adds them up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from unrolled.data.io.folder import root_of
from unrolled.data.io.remote import near
from unrolled.errors import DataError, UsageError, counted
from unrolled.metrics.scoring import summed, values
from unrolled.runs.parts import identity
from unrolled.runs.shards import Shard, sizes_of
from unrolled.runs.trained import Trained
from unrolled.storage.directories import write_file

__all__ = ["merge_sums", "write_sums"]

_FORMAT = 1
_KINDS = {str(kind).removeprefix("torch."): kind for kind in (torch.float32, torch.float64, torch.int64)}


def write_sums(
    trained: Trained, source: str | Path, out: Path, shard: Shard, *, beam: int | None = None, device: str = "auto"
) -> Path:
    """Evaluate on this shard's files, and write the sums of the metrics to a JSON file in ``out``.

    Args:
        trained: the model, from its run directory.
        source: a file or a folder of tables, or its address.
        out: the folder, the same for all shards.
        shard: which files.
        beam, device: as for `Trained.evaluate`.

    Raises:
        DataError, UsageError, SpaceError: as in `Trained.evaluate` and `write_file`.
    """
    with near(source) as here:
        place = Path(here.source)
        root, sizes = root_of(place), sizes_of(place, trained.config.data)
        mine = shard.of(sizes)
        total = summed(trained.sums(str(root / name), beam=beam, device=device) for name in mine)
    said = {
        "format": _FORMAT,
        **identity(trained),
        "beam": beam,
        "shard": [shard.index, shard.count],
        "all": len(sizes),
        "files": {name: sizes[name] for name in mine},
        "sums": {name: _as_json(value) for name, value in total.items()},
    }
    path = out / f"sums-{shard.index}-of-{shard.count}.json"
    write_file(path, json.dumps(said, indent=1).encode())
    return path


def merge_sums(trained: Trained, folder: Path) -> dict[str, float]:
    """The metrics on all files together, from the sums that the shards wrote to ``folder``.

    Raises:
        DataError: there are none, one is missing or damaged, is of another model, or holds a file twice.
    """
    found = [_read(path) for path in sorted(folder.glob("sums-*-of-*.json"))]
    if not found:
        raise DataError("holds no sums of shards", file=str(folder), hint="evaluate with --shard i/n --out it first")
    mine, count = identity(trained)["model"], found[0]["shard"][1]
    for one in found:
        if one["model"] != mine:
            raise DataError(f"shard {one['shard'][0]} was evaluated with another model", file=str(folder))
        if (one["shard"][1], one["beam"], one["all"]) != (count, found[0]["beam"], found[0]["all"]):
            raise DataError("holds sums of two evaluations", file=str(folder), hint="remove the older ones")
    missing = sorted({*range(count)} - {one["shard"][0] for one in found})
    if missing:
        shards = ", ".join(map(str, missing[:5]))
        raise DataError(f"lacks {counted(len(missing), 'shard')} of {count}: {shards}", file=str(folder))
    names = [name for one in found for name in one["files"]]
    if len({*names}) != len(names) or len(names) != found[0]["all"]:
        raise DataError("its shards did not see the same files", file=str(folder), hint="evaluate all of them again")
    return values(summed(dict(_tensors(one)) for one in found), trained.config.training.own)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
        if found["format"] != _FORMAT:
            raise UsageError(f"{path} has the format {found['format']!r}, and this version reads {_FORMAT}")
        wanted = {"model": str, "shard": list, "all": int, "files": dict, "sums": dict}
        if not all(isinstance(found[name], kind) for name, kind in wanted.items()) or len(found["shard"]) != 2:
            raise ValueError("another form")
        dict(_tensors(found))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError):
        raise DataError("is damaged, or holds no sums", file=str(path), hint="evaluate this shard again") from None
    return {"beam": None, **found}


def _as_json(value: torch.Tensor) -> dict[str, Any]:
    kind = str(value.dtype).removeprefix("torch.")
    return {"kind": kind, "shape": [*value.shape], "values": value.flatten().tolist()}


def _tensors(found: dict[str, Any]) -> Iterator[tuple[str, torch.Tensor]]:
    for name, one in found["sums"].items():
        yield name, torch.tensor(one["values"], dtype=_KINDS[one["kind"]]).reshape(one["shape"])
