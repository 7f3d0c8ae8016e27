"""Rows of tensors, and the files of a checkpoint that hold them; what ranks do with them is in tests/distributed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from unrolled.errors import ModelError
from unrolled.storage.directories import write_directory
from unrolled.storage.tensors import save_tensors
from unrolled.training import checkpoint
from unrolled.training.weight_shards import is_sharded, like, packed_shard, read_shards, rows_of, shard_name, whole


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 11, 12])
@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 7])
def test_rows_are_dealt_out_as_torch_chunks_them(count: int, ranks: int) -> None:
    chunks = [chunk.tolist() for chunk in torch.arange(count).chunk(ranks) if len(chunk)]
    found = [list(rows_of(count, rank, ranks)) for rank in range(ranks)]
    assert found == chunks + [[]] * (ranks - len(chunks))


def saved(folder: Path, tensor: Tensor, ranks: int) -> Path:
    """A checkpoint of step 3 that so many ranks have written."""
    files: dict[str, bytes] = {"meta.json": checkpoint.described(3, {"ranks": ranks})}
    for rank in range(ranks):
        own = rows_of(len(tensor), rank, ranks)
        about = {"rows": json.dumps({"model.w": [len(tensor), own.start]})}
        mine = {"model.w": tensor[own.start : own.stop], f"rank.{rank}.rng": torch.tensor([rank])}
        files[shard_name(rank)] = save_tensors(mine | ({"step": torch.tensor(3.0)} if rank == 0 else {}), about)
    write_directory(folder / "step-00000003", files)  # type: ignore[arg-type]
    return folder / "step-00000003"


@pytest.mark.parametrize("count", [1, 2, 7, 12])
@pytest.mark.parametrize("ranks", [1, 3])
def test_any_number_of_ranks_reads_what_others_have_written(count: int, ranks: int, tmp_path: Path) -> None:
    tensor = torch.randn(count, 2)
    place = saved(tmp_path, tensor, ranks)
    assert is_sharded(place)
    for readers in (1, 2, 4, 16):
        parts = [read_shards(place, rank, readers) for rank in range(readers)]
        assert all(len(part["model.w"]) == len(rows_of(count, rank, readers)) for rank, part in enumerate(parts))
        assert torch.equal(torch.cat([part["model.w"] for part in parts]), tensor)
        assert {f"rank.{rank}.rng" for rank in range(ranks)} | {"step", "model.w"} == parts[-1].keys()


def test_who_reads_a_run_needs_to_know_nothing_of_its_ranks(tmp_path: Path) -> None:
    tensor = torch.randn(5, 2)
    saved(tmp_path, tensor, 2)
    found = checkpoint.newest(tmp_path)
    assert found is not None and found.step == 3 and found.meta == {"ranks": 2}
    assert torch.equal(found.tensors["model.w"], tensor)
    assert checkpoint.newest_place(tmp_path) == (tmp_path / "step-00000003", ())


def test_a_damaged_file_of_a_rank_is_a_damaged_checkpoint(tmp_path: Path) -> None:
    place = saved(tmp_path, torch.randn(5, 2), 2)
    with (place / shard_name(1)).open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"?")
    for read in (checkpoint.newest, checkpoint.newest_place):
        with pytest.raises(ModelError, match="shard-00001.safetensors' is damaged"):
            read(tmp_path)


@pytest.mark.parametrize("content", [b"", save_tensors({}), save_tensors({}, {"rows": "["})])
def test_a_file_of_another_kind_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / shard_name(0)).write_bytes(content)
    with pytest.raises(ModelError, match="its shards cannot be read"):
        read_shards(tmp_path)


def test_what_is_whole_stays_as_it_is(tmp_path: Path) -> None:
    weight = nn.Linear(2, 3).weight
    assert whole(weight) is weight and like(weight, values := torch.zeros(5)) is values
    for rank, names in ((0, {"w", "own"}), (1, {"own"})):
        (tmp_path / shard_name(0)).write_bytes(packed_shard({"w": weight}, {"own": torch.ones(1)}, rank, 2))
        assert read_shards(tmp_path).keys() == names
