"""Checkpoints: save and restore everything that a run needs to resume exactly.

A checkpoint is a directory ``step-00000123/`` with ``tensors.safetensors``, ``meta.json`` and ``manifest.json``. It is
written whole or not at all. If one is damaged later, the one before it is used.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from unrolled.errors import ModelError
from unrolled.storage.atomic import sweep
from unrolled.storage.directories import read_directory, remove_directory, verify, write_directory
from unrolled.storage.tensors import load_tensors, save_tensors
from unrolled.training.weight_shards import is_sharded, like, read_shards

__all__ = [
    "META",
    "Checkpoint",
    "best",
    "described",
    "newest",
    "newest_place",
    "optimizer_tensors",
    "place_of",
    "remove_others",
    "restore_optimizer",
    "restore_rng",
    "rng_state",
    "save",
    "save_best",
    "section",
    "with_meta",
]

T = TypeVar("T")

_TENSORS, META, _BEST = "tensors.safetensors", "meta.json", "best"
_NAME = re.compile(r"step-(\d{8,})")
_FLAGS = {None: -1, False: 0, True: 1}
_VALUES = {code: flag for flag, code in _FLAGS.items()}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The contents of a checkpoint, with a note about each newer one that is damaged.

    Attributes:
        step: the training steps taken before it was saved.
        tensors: name -> tensor on the CPU, bit-identical to what was saved.
        meta: the JSON values saved with the tensors.
        skipped: one message for each newer checkpoint that is damaged.
    """

    step: int
    tensors: dict[str, Tensor]
    meta: dict[str, Any]
    skipped: tuple[str, ...] = ()


def save(folder: Path, step: int, tensors: dict[str, Tensor], meta: dict[str, Any], keep: int = 2) -> Path:
    """Save a checkpoint, then remove all but the newest ``keep``.

    Args:
        folder: the run's ``checkpoints/``; made if absent.
        step: at least 0. Checkpoints of later steps belong to an abandoned run and are removed.
        tensors: every tensor of the run, on any device.
        meta: JSON values.
        keep: at least 1; the one just saved always stays.

    Returns:
        The checkpoint's directory.

    Raises:
        SpaceError: the disk is full; earlier checkpoints are unchanged.
    """
    path = place_of(folder, step)
    sweep(folder)  # removes what a run that was killed while saving left under another step's name
    _write(path, step, tensors, meta)
    remove_others(folder, step, keep)
    return path


def place_of(folder: Path, step: int) -> Path:
    """The directory of the checkpoint of a step."""
    return folder / f"step-{step:08d}"


def remove_others(folder: Path, step: int, keep: int = 2) -> None:
    """Remove all checkpoints but the newest ``keep`` up to ``step``.

    Args:
        folder, step, keep: as for `save`.

    Raises:
        SpaceError: a checkpoint may not be removed.
    """
    earlier = [old for old_step, old in _listed(folder) if old_step < step]
    later = [old for old_step, old in _listed(folder) if old_step > step]
    for old in later + earlier[max(1, keep) - 1 :]:
        remove_directory(old)


def newest(folder: Path) -> Checkpoint | None:
    """The newest undamaged checkpoint; ``None`` if none was saved.

    Raises:
        ModelError: every checkpoint is damaged.
    """
    return _newest(folder, _read)


def newest_place(folder: Path) -> tuple[Path, tuple[str, ...]] | None:
    """The directory of the newest undamaged checkpoint, and a note about each newer one; ``None`` if none was saved.

    Raises:
        ModelError: every checkpoint is damaged.
    """

    def checked(path: Path, skipped: tuple[str, ...]) -> tuple[Path, tuple[str, ...]]:
        verify(path)
        return path, skipped

    return _newest(folder, checked)


def _newest(folder: Path, read: Callable[[Path, tuple[str, ...]], T]) -> T | None:
    skipped: list[str] = []
    for _, path in _listed(folder):
        try:
            return read(path, tuple(skipped))
        except ModelError as error:
            skipped.append(str(error))
    if skipped:
        raise ModelError(f"{folder}: every checkpoint is damaged: {'; '.join(skipped)}")
    return None


def save_best(folder: Path, tensors: dict[str, Tensor], meta: dict[str, Any], name: str = _BEST) -> None:
    """Replace the contents of ``folder/best/`` with ``tensors`` and ``meta``, all or nothing.

    Args:
        folder: the run's ``checkpoints/``.
        tensors, meta: as for `save`.
        name: of another directory than ``best``.

    Raises:
        SpaceError: the disk is full; the earlier best checkpoint is unchanged.
    """
    _write(folder / name, int(meta.get("step", 0)), tensors, meta)


def best(folder: Path, name: str = _BEST) -> Checkpoint | None:
    """The checkpoint saved by `save_best` under ``name``; ``None`` if there is none.

    Raises:
        ModelError: it is damaged.
    """
    path = folder / name
    return _read(path, ()) if path.exists() else None


def section(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """The tensors whose names start with ``name.``, with that prefix removed.

    Example:
        >>> import torch
        >>> section({"model.w": torch.ones(1), "rng.torch": torch.zeros(1)}, "model")
        {'w': tensor([1.])}
    """
    return {key.removeprefix(f"{name}."): tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}


def rng_state() -> dict[str, Tensor]:
    """The state of Python's and torch's global random generators (CPU, and CUDA if it is used), as tensors."""
    version, words, gauss = random.getstate()
    states = {
        "rng.python": torch.tensor([version, *words], dtype=torch.int64),
        "rng.python_gauss": torch.tensor([] if gauss is None else [gauss], dtype=torch.float64),
        "rng.torch": torch.get_rng_state(),
    }
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        states |= {f"rng.cuda.{i}": state for i, state in enumerate(torch.cuda.get_rng_state_all())}
    return states


def restore_rng(tensors: dict[str, Tensor]) -> None:
    """Restore the generators to the state saved by `rng_state`; other names in ``tensors`` are ignored.

    Raises:
        ModelError: a state is missing or invalid.
    """
    try:
        version, *words = tensors["rng.python"].tolist()
        gauss = tensors["rng.python_gauss"].tolist()
        random.setstate((version, tuple(words), gauss[0] if gauss else None))
        torch.set_rng_state(tensors["rng.torch"])
    except (KeyError, ValueError, TypeError, IndexError, RuntimeError, OverflowError) as error:
        raise ModelError(f"the checkpoint's random generator states are missing or invalid: {error}") from None
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            if f"rng.cuda.{i}" in tensors:
                torch.cuda.set_rng_state(tensors[f"rng.cuda.{i}"], i)


def optimizer_tensors(optimizer: torch.optim.Optimizer, names: Iterable[tuple[str, nn.Parameter]]) -> dict[str, Tensor]:
    """The state and options of ``optimizer`` as tensors, named after the parameters.

    Args:
        optimizer: an optimiser whose state is tensors and whose options are numbers and flags, such as AdamW.
        names: the model's ``named_parameters()``.

    Returns:
        ``optimizer.state.<parameter>.<key>``, such as the counter ``step`` and both moments, and
        ``optimizer.group.<i>.<option>``, such as ``lr`` and ``fused``.
    """
    called = {id(parameter): name for name, parameter in names}
    tensors = {}
    for i, group in enumerate(optimizer.param_groups):
        for option, value in group.items():
            if option != "params":
                tensors[f"optimizer.group.{i}.{option}"] = _packed(value)
    for parameter, state in optimizer.state.items():
        for key, value in state.items():
            tensors[f"optimizer.state.{called[id(parameter)]}.{key}"] = value
    return tensors


def restore_optimizer(
    optimizer: torch.optim.Optimizer, names: Iterable[tuple[str, nn.Parameter]], tensors: dict[str, Tensor]
) -> None:
    """Restore the state saved by `optimizer_tensors`; other names in ``tensors`` are ignored.

    Raises:
        ModelError: a state fits no parameter of this model, or has another shape.
    """
    called = {id(parameter): name for name, parameter in names}
    frozen = optimizer.state_dict()
    indices = {}
    for group, packed in zip(optimizer.param_groups, frozen["param_groups"], strict=True):
        for parameter, index in zip(group["params"], packed["params"], strict=True):
            indices[called[id(parameter)]] = (index, parameter)
    frozen["state"] = {}
    for path, tensor in tensors.items():
        if path.startswith("optimizer.state."):
            name, _, key = path.removeprefix("optimizer.state.").rpartition(".")
            index, parameter = indices.get(name, (None, tensor))
            fitting = like(parameter, tensor) if tensor.dim() else tensor
            if index is None or fitting.shape not in (parameter.shape, torch.Size([])):
                raise ModelError(f"this checkpoint belongs to another model: parameter {name!r} differs")
            frozen["state"].setdefault(index, {})[key] = fitting.clone()  # the optimiser updates it in place
        elif path.startswith("optimizer.group."):
            position, _, option = path.removeprefix("optimizer.group.").partition(".")
            if not position.isdecimal() or int(position) >= len(frozen["param_groups"]):
                raise ModelError(f"this checkpoint belongs to another optimiser: it has a parameter group {position!r}")
            frozen["param_groups"][int(position)][option] = _unpacked(tensor)
    optimizer.load_state_dict(frozen)


def described(step: int, meta: dict[str, Any]) -> bytes:
    """The contents of ``meta.json``."""
    return json.dumps({"step": step, "meta": meta}, indent=1).encode()


def with_meta(path: Path, text: bytes, tensors: dict[str, Tensor], skipped: tuple[str, ...]) -> Checkpoint:
    """The checkpoint in ``path``.

    Args:
        path: for the message.
        text: what `described` gave.
        tensors, skipped: as for `Checkpoint`.

    Raises:
        ModelError: the text is of no checkpoint.
    """
    try:
        values = json.loads(text)
        return Checkpoint(values["step"], tensors, values["meta"], skipped)
    except (KeyError, ValueError, TypeError, RecursionError):
        raise ModelError(f"{path}: this is not a checkpoint of Unrolled") from None


def _write(path: Path, step: int, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
    write_directory(path, {_TENSORS: save_tensors(tensors), META: described(step, meta)}, overwrite=True)


def _read(path: Path, skipped: tuple[str, ...]) -> Checkpoint:
    if is_sharded(path):
        verify(path)
        return with_meta(path, (path / META).read_bytes(), read_shards(path), skipped)
    files = read_directory(path)
    if missing := {META, _TENSORS} - files.keys():
        raise ModelError(f"{path}: this is not a checkpoint of Unrolled: it has no {min(missing)}")
    return with_meta(path, files[META], load_tensors(files[_TENSORS]), skipped)


def _listed(folder: Path) -> list[tuple[int, Path]]:
    """(step, directory) of every checkpoint, newest first."""
    found = [(_NAME.fullmatch(path.name), path) for path in folder.iterdir()] if folder.is_dir() else []
    return sorted(((int(match[1]), path) for match, path in found if match), reverse=True)


def _packed(value: Any) -> Tensor:
    """An option as a tensor whose dtype encodes its type: int8 for a flag or None, int64 for an int, else float64."""
    if value is None or isinstance(value, bool):
        return torch.tensor(_FLAGS[value], dtype=torch.int8)
    return torch.tensor(value, dtype=torch.int64 if isinstance(value, int) else torch.float64)


def _unpacked(tensor: Tensor) -> Any:
    if tensor.dtype == torch.int8:
        return _VALUES[int(tensor)]
    return tuple(tensor.tolist()) if tensor.dim() else tensor.item()
