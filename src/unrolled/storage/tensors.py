"""Tensors written to and read from safetensors files; damage is found before memory is allocated."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from unrolled.errors import ModelError

if TYPE_CHECKING:  # importing torch is slow, so it waits until there are tensors
    from torch import Tensor

__all__ = ["load_tensors", "save_tensors"]

_LARGEST_HEADER = 100_000_000  # bytes; the limit of safetensors


def save_tensors(tensors: dict[str, Tensor], about: dict[str, str] | None = None) -> bytes:
    """Convert ``tensors`` to the bytes of a safetensors file; any device, strides and shared memory are allowed.

    Args:
        tensors: by name.
        about: texts for the header of the file.

    Example:
        >>> import torch
        >>> load_tensors(save_tensors({"h": torch.ones(2)}))
        {'h': tensor([1., 1.])}
    """
    from safetensors.torch import save

    return save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}, about)


def load_tensors(source: bytes | Path) -> dict[str, Tensor]:
    """Read the tensors of a safetensors file.

    Raises:
        ModelError: the file is missing, truncated or damaged, declares more than it holds (found before memory is
            allocated), or has another format, such as a pickle, which could run code.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    name = str(source) if isinstance(source, Path) else f"these {len(source)} bytes"
    try:
        data = source.read_bytes() if isinstance(source, Path) else source
    except OSError as error:
        raise ModelError(f"{name} cannot be read: {error.strerror}") from None
    declared = int.from_bytes(data[:8], "little")
    if len(data) < 8 or declared > min(len(data) - 8, _LARGEST_HEADER):
        if data[:2] in (b"PK", b"\x1f\x8b") or data[:1] == b"\x80":
            raise ModelError(
                f"{name}: a pickle or an archive could run code and is not read; save the tensors as safetensors"
            )
        raise ModelError(f"{name}: not a safetensors file, or truncated: its header would take {declared} bytes")
    try:
        return load(data)  # compares every declared size with the real one before it allocates
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError, OverflowError) as error:
        raise ModelError(f"{name}: not a safetensors file, or damaged: {error}") from None
