"""Tensors on the disk: to the bit, and refused where they are damaged or something else."""

from __future__ import annotations

import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import warm

from unrolled.errors import ModelError
from unrolled.storage.directories import (
    write_file,
)
from unrolled.storage.tensors import load_tensors, save_tensors


def test_tensors_come_back_to_the_bit() -> None:
    base = torch.randn(4, 6)
    tensors = {
        "plain": base,
        "shared": base[1:],
        "transposed": base.t(),
        "expanded": torch.ones(1, 3).expand(5, 3),
        "nan": torch.tensor([float("nan"), float("-inf"), -0.0]),
        "scalar": torch.tensor(3.0),
        "empty": torch.zeros(0, 3),
        "long": torch.tensor([2**62]),
        "half": torch.randn(3, dtype=torch.bfloat16),
        "flag": torch.tensor([True, False]),
    }
    found = load_tensors(save_tensors(tensors))
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert found[name].shape == tensor.shape
        assert (
            found[name].contiguous().flatten().view(torch.uint8).equal(tensor.contiguous().flatten().view(torch.uint8))
        )


def test_tensors_from_a_path(tmp_path: Path) -> None:
    write_file(tmp_path / "model.safetensors", save_tensors({"w": torch.ones(3)}))
    assert load_tensors(tmp_path / "model.safetensors")["w"].equal(torch.ones(3))
    with pytest.raises(ModelError, match=r"none.safetensors cannot be read: No such file or directory"):
        load_tensors(tmp_path / "none.safetensors")


@pytest.mark.parametrize("names", range(1, 40))
def test_no_length_of_the_header_is_taken_for_another_format(names: int) -> None:
    tensors = {f"{i}": torch.ones(1) for i in range(names)}
    assert load_tensors(save_tensors(tensors)).keys() == tensors.keys()


def header(text: str, size: int | None = None) -> bytes:
    return (len(text) if size is None else size).to_bytes(8, "little") + text.encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"1234567",
        header("{}", 2**62),
        header("{}", 3),
        header('{"w":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,18446744073709551612]}}'),
        header('{"w":{"dtype":"F32","shape":[1000000000,1000000000],"data_offsets":[0,4000000000000000000]}}')
        + bytes(64),
        header('{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}') + bytes(4),
        header('{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}') + bytes(4),
        header('{"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}') + bytes(4),
        header('{"w":{"dtype":"CODE","shape":[1],"data_offsets":[0,4]}}') + bytes(4),
        header("[" * 100_000),
        header('{"__metadata__": 3}'),
    ],
)
def test_impossible_tensors_are_refused_before_they_are_allocated(data: bytes) -> None:
    with pytest.raises(ModelError, match=r"these \d+ bytes: not a safetensors file, or (truncated|damaged)"):
        load_tensors(data)


def test_a_huge_declared_size_allocates_nothing() -> None:
    """Under a limit on memory, in a process of its own: the error is ours, not a MemoryError."""
    program = (
        "import resource, torch, pytest\n"
        "from unrolled.errors import ModelError\n"
        "from unrolled.storage.tensors import load_tensors, save_tensors\n"
        "load_tensors(save_tensors({'w': torch.ones(1)}))\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 2**26, used + 2**26))\n"
        'text = b\'{"w":{"dtype":"F32","shape":[1000000000],"data_offsets":[0,4000000000]}}\'\n'
        "for data in ((2**62).to_bytes(8, 'little') + text, len(text).to_bytes(8, 'little') + text):\n"
        "    with pytest.raises(ModelError):\n"
        "        load_tensors(data)\n"
    )
    if not Path("/proc/self/statm").exists():
        pytest.skip("reads the size of the process from /proc")
    done = warm.run(program)
    assert done.returncode == 0, done.stderr


@pytest.mark.soak
def test_mutated_tensors_are_read_or_refused_but_never_crash(times: Callable[[int, int], int]) -> None:
    whole = save_tensors({"a": torch.randn(3, 2), "b": torch.arange(4), "c": torch.zeros(0)})
    dice = random.Random(5)
    refused = 0
    for _ in range(times(300, 20_000)):
        changed = bytearray(whole)
        for _ in range(dice.randrange(1, 4)):
            changed[dice.randrange(min(len(whole), 220))] = dice.randrange(256)
        try:
            load_tensors(bytes(changed[: dice.choice([len(whole), dice.randrange(len(whole))])]))
        except ModelError:
            refused += 1
    assert refused > 200


class Exploit:
    """Pickled, it would leave a mark when read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.mark,))


def test_pickles_and_archives_are_refused_whatever_they_are_called(tmp_path: Path) -> None:
    mark, file = tmp_path / "ran", tmp_path / "model.safetensors"
    for protocol in range(2, 6):
        file.write_bytes(pickle.dumps(Exploit(mark), protocol))
        with pytest.raises(ModelError, match="a pickle or an archive could run code and is not read"):
            load_tensors(file)
    file.write_bytes(pickle.dumps(Exploit(mark), 0))
    with pytest.raises(ModelError, match="not a safetensors file"):
        load_tensors(file)
    torch.save({"w": Exploit(mark)}, file)
    with pytest.raises(ModelError, match="a pickle or an archive"):
        load_tensors(file)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("data.pkl", pickle.dumps(Exploit(mark)))
    with pytest.raises(ModelError, match="a pickle or an archive"):
        load_tensors(file)
    assert not mark.exists()
