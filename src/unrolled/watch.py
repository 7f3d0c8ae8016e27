"""Watch what a layer computes on its way: each gate, state and attention weight is shown, and may come back changed.

Cells and layers call `show` with a value before they use it. Where nobody watches, that costs about 0.1 µs. Under a
watcher the definition runs, step by step, instead of the kernels; but if it only looks, and without gradients, the
kernels of recurrent cells run and what they keep is shown afterwards. A value that takes much memory, such as all
weights of attention, is computed only if it is `wanted`.
Axes: B rows, n steps.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple, Protocol

from torch import Tensor, nn

__all__ = [
    "Owner",
    "Place",
    "Watcher",
    "only_looks",
    "show",
    "show_steps",
    "shows",
    "turned",
    "wanted",
    "watched",
    "watching",
]


class Place(NamedTuple):
    """A part of ``module`` that is not a module itself, such as one direction of a layer; its values are ``name.…``."""

    module: nn.Module
    name: str


Owner = nn.Module | Place | None  # None: a value that belongs to no module and is not shown


class Watcher(Protocol):
    """Who watches: it is given the values that a layer computes, before the layer uses them."""

    @property
    def only_looks(self) -> bool:
        """Whether `saw` returns every value as it came, so that the layer need not wait for it."""

    def wants(self, owner: nn.Module, name: str, size: int) -> bool:
        """Whether to compute a value that the layer can do without; if not, it may be shown or not.

        Args:
            owner, name: as for `saw`.
            size: how many bytes it takes at most while it is computed.
        """

    def saw(self, owner: nn.Module, name: str, value: Tensor, steps: bool) -> Tensor:
        """Take a value, and return it or another one of its shape, which is used instead.

        Args:
            owner: the cell or layer that computes it; ``network.named_modules()`` knows its path.
            name: its name in the owner's equations, such as ``f`` or ``attention``.
            value: (B, …) of one step, in the graph of autograd. Beyond a row's length it has no meaning.
            steps: the value has several steps: (B, n, …).
        """

    def turned(self, owner: nn.Module, prefix: str, lengths: Tensor | None) -> None:
        """Learn that a run was backward: from each row's last real step to its first.

        Args:
            owner: the cell or layer that ran.
            prefix: the run showed the names that begin with it, since they were last turned.
            lengths: (B,) of the rows; ``None``: every step is real.
        """


class _Here(threading.local):
    """A compiler can read the attribute of such a class, but not a context variable."""

    watcher: Watcher | None = None
    inside: bool = False


_here = _Here()


def watched() -> bool:
    """Whether somebody watches in this thread what happens inside the layers."""
    return _here.inside


def only_looks() -> bool:
    """Whether somebody watches in this thread what happens inside the layers, and changes nothing."""
    watcher = _here.watcher
    return watcher is not None and _here.inside and watcher.only_looks


def wanted(owner: Owner, name: str, size: int) -> bool:
    """Whether somebody watches what happens inside the layers, and wants this value.

    Args:
        owner, name: as for `show`.
        size: how many bytes it takes at most while it is computed.
    """
    watcher = _here.watcher
    if watcher is None or owner is None or not _here.inside:
        return False
    module, prefix = _placed(owner)
    return watcher.wants(module, prefix + name, size)


@contextmanager
def watching(watcher: Watcher | None, *, inside: bool = True) -> Iterator[None]:
    """Let ``watcher`` watch every layer that runs in this thread; other threads are neither watched nor slowed.

    A module that `torch.compile` has made is compiled once more for it; a program of torch.export shows nothing.

    Args:
        watcher: whom values are shown to; ``None``: nobody, within an outer ``watching``.
        inside: what happens inside the layers is shown. Otherwise they keep to their kernels, and only what stands
            outside of them is sure to be shown: the embedded steps of a network.

    Example:
        >>> import torch
        >>> from unrolled.layers.recurrent import Recurrent
        >>> class Forget:
        ...     only_looks = False
        ...     def wants(self, owner, name, size):
        ...         return True
        ...     def saw(self, owner, name, value, steps):
        ...         return torch.zeros_like(value) if name == "f" else value
        ...     def turned(self, owner, prefix, lengths):
        ...         pass
        >>> layer, x = Recurrent(3, 8, cell="lstm"), torch.randn(1, 5, 3)
        >>> with watching(Forget()):
        ...     forgetful, _ = layer(x)
        >>> torch.allclose(forgetful[:, 0], layer(x)[0][:, 0]), torch.allclose(forgetful[:, 1], layer(x)[0][:, 1])
        (True, False)
    """
    before = _here.watcher, _here.inside
    _here.watcher, _here.inside = watcher, watcher is not None and inside
    try:
        yield
    finally:
        _here.watcher, _here.inside = before


def show(owner: Owner, names: str, *values: Tensor) -> tuple[Tensor, ...]:
    """The values of one step, each (B, …), as the watcher returns them.

    Args:
        owner: the cell or layer that computes them.
        names: one for each value, with spaces between them.
        values: the values; as keyword arguments they would cost as much again where nobody watches.
    """
    watcher = _here.watcher
    return values if watcher is None else _seen(watcher, owner, names, values, False)


def shows(owner: Owner) -> Callable[..., tuple[Tensor, ...]] | None:
    """`show` of ``owner`` where somebody watches, otherwise ``None``: for a quick step that shows several values.

    Args:
        owner: as for `show`.
    """
    return None if _here.watcher is None else partial(show, owner)


def show_steps(owner: Owner, names: str, *values: Tensor) -> tuple[Tensor, ...]:
    """The values of several steps, each (B, n, …), as the watcher returns them.

    Args:
        owner, names, values: as for `show`.
    """
    watcher = _here.watcher
    return values if watcher is None else _seen(watcher, owner, names, values, True)


def turned(owner: Owner, lengths: Tensor | None) -> None:
    """Say that the run that ends here was backward.

    Args:
        owner: what ran.
        lengths: (B,) of the rows; ``None``: every step is real.
    """
    if _here.watcher is not None and owner is not None:
        module, prefix = _placed(owner)
        _here.watcher.turned(module, prefix, lengths)


def _seen(watcher: Watcher, owner: Owner, names: str, values: tuple[Tensor, ...], steps: bool) -> tuple[Tensor, ...]:
    if owner is None:
        return values
    module, prefix = _placed(owner)
    pairs = zip(names.split(), values, strict=True)
    return tuple(watcher.saw(module, prefix + name, value, steps) for name, value in pairs)


def _placed(owner: nn.Module | Place) -> tuple[nn.Module, str]:
    return (owner.module, f"{owner.name}.") if isinstance(owner, Place) else (owner, "")
