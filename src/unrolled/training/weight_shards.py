"""Tensors that are sharded by rows over the ranks of a training, and the files in which each rank saves its rows.

A checkpoint of R ranks has ``shard-00000.safetensors`` and so on, one for each rank. The header of a file says which
rows of which tensors it holds, so that any number of ranks can read them, each only its own. Axes: N rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from unrolled.errors import ModelError
from unrolled.models.model import Model
from unrolled.storage.tensors import save_tensors

__all__ = ["is_sharded", "like", "load_weights", "packed_shard", "read_shards", "rows_of", "shard_name", "whole"]

_HEADER = "rows"


def rows_of(count: int, rank: int, ranks: int) -> range:
    """The rows of a tensor of ``count`` rows that a rank holds, as FSDP2 deals them out.

    Example:
        >>> [list(rows_of(5, rank, 4)) for rank in range(4)]
        [[0, 1], [2, 3], [4], []]
    """
    each = -(-count // ranks)
    return range(min(count, rank * each), min(count, (rank + 1) * each))


def whole(tensor: Tensor) -> Tensor:
    """``tensor`` itself, or all rows of one that is sharded over the ranks, which all call this."""
    return cast(Any, tensor).full_tensor() if _is_sharded(tensor) else tensor


def like(target: Tensor, values: Tensor) -> Tensor:
    """``values`` sharded over the ranks as ``target`` is, if it is.

    Args:
        target: whole or sharded.
        values: whole, or the rows of this rank.
    """
    if not _is_sharded(target):
        return values
    from torch.distributed.tensor import DTensor

    one = cast(Any, target)
    if values.shape == target.shape:
        own = rows_of(len(values), one.device_mesh.get_local_rank(), one.device_mesh.size())
        values = values[own.start : own.stop]
    if values.shape != one.to_local().shape:
        return values
    local = values.to(one.to_local().device).contiguous()
    return DTensor.from_local(
        local, one.device_mesh, one.placements, run_check=False, shape=target.shape, stride=target.stride()
    )


def load_weights(network: Model, weights: Mapping[str, Tensor]) -> None:
    """Give ``network`` its ``weights``, whole or the rows of this rank.

    Raises:
        RuntimeError: they are of another network.
    """
    own = network.state_dict()
    network.load_state_dict({name: like(own.get(name, values), values) for name, values in weights.items()})


def shard_name(rank: int) -> str:
    """The name of a rank's file."""
    return f"shard-{rank:05d}.safetensors"


def is_sharded(checkpoint: Path) -> bool:
    """Whether the directory was saved by ranks of which each had its rows."""
    return (checkpoint / shard_name(0)).is_file()


def packed_shard(tensors: Mapping[str, Tensor], own: Mapping[str, Tensor], rank: int, ranks: int) -> bytes:
    """The contents of a rank's file: its rows of the tensors that are sharded, and those that only it has.

    Args:
        tensors: of the training; of those that are not sharded, rank 0 saves all.
        own: those of this rank.
        rank, ranks: its number, and how many there are.
    """
    kept, rows = dict(own), {}
    for name, tensor in tensors.items():
        if _is_sharded(tensor):
            kept[name] = cast(Any, tensor).to_local()
            rows[name] = [len(tensor), rows_of(len(tensor), rank, ranks).start]
        elif rank == 0:
            kept[name] = tensor
    return save_tensors(kept, {_HEADER: json.dumps(rows)})


def read_shards(checkpoint: Path, rank: int = 0, ranks: int = 1) -> dict[str, Tensor]:
    """The tensors of a checkpoint that was saved in shards; of those that are sharded, the rows of ``rank``.

    Args:
        checkpoint: its directory, whose manifest was verified.
        rank, ranks: who reads; all rows by default.

    Raises:
        ModelError: a file is missing or has another format.
    """
    from safetensors import SafetensorError, safe_open

    tensors: dict[str, Tensor] = {}
    parts: dict[str, list[Tensor]] = {}
    try:
        for path in sorted(checkpoint.glob("shard-*.safetensors")):
            with safe_open(path, framework="pt") as file:
                rows = json.loads(file.metadata()[_HEADER])
                for name in file.keys():  # noqa: SIM118 - the file is no mapping
                    if name not in rows:
                        tensors[name] = file.get_tensor(name)
                        continue
                    (count, first), here = rows[name], file.get_slice(name)
                    wanted, size = rows_of(count, rank, ranks), here.get_shape()[0]
                    start, stop = (min(max(at - first, 0), size) for at in (wanted.start, wanted.stop))
                    parts.setdefault(name, []).append(here[start:stop])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{checkpoint}: its shards cannot be read: {error}") from None
    return tensors | {name: torch.cat(found) for name, found in parts.items()}


def _is_sharded(tensor: Tensor) -> bool:
    return hasattr(tensor, "full_tensor")
