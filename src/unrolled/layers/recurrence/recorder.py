"""Keep what a network shows, by path. Axes: B rows, T steps, n steps shown at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from unrolled.layers.lengths import reverse_rows

__all__ = ["Recorder"]


class Recorder:
    """A watcher that keeps each value under its path, such as ``layer.layers.0.0.f``, and may change it.

    Values stay in autograd's graph. Where only the numbers are wanted, record under ``torch.no_grad()``: then recurrent
    cells run in the kernels.

    Args:
        network: the module whose `named_modules` give the paths.
        keep: which paths to keep; ``None``: all.
        change: path and value -> what is used, and kept, instead; ``None``: nothing changes.
        budget: the most bytes that the values may take. Of what would take more, the largest is not kept, first of all
            the weights of attention over long rows, or matrix memories; and not even computed, unless ``change`` may
            change it. ``None``: no limit.

    Example:
        >>> from unrolled.layers.recurrent import Recurrent
        >>> from unrolled.watch import watching
        >>> layer = Recurrent(3, 8, cell="gru")
        >>> with watching(recorder := Recorder(layer)):
        ...     y, _ = layer(torch.randn(2, 5, 3))
        >>> values = recorder.values()
        >>> sorted(values), torch.equal(values["layers.0.0.h"], y)
        (['layers.0.0.h', 'layers.0.0.n', 'layers.0.0.r', 'layers.0.0.z'], True)
    """

    def __init__(
        self,
        network: nn.Module,
        keep: Callable[[str], bool] | None = None,
        change: Callable[[str, Tensor], Tensor] | None = None,
        budget: int | None = None,
    ) -> None:
        self._paths = {id(module): f"{path}." if path else "" for path, module in network.named_modules()}
        self._keep, self._change, self._budget = keep, change, budget
        self._sizes: dict[str, int] = {}  # path -> the bytes of its values
        self.dropped: list[str] = []  # the paths that are not kept, because they take too much
        self.shown: dict[str, list[Tensor]] = {}  # path -> the values in order: (B, …), or (B, n, …) if in `several`
        self.several: set[str] = set()
        self._turned: dict[str, int] = {}

    @property
    def only_looks(self) -> bool:
        """Whether nothing is changed."""
        return self._change is None

    @property
    def backward(self) -> set[str]:
        """The paths of values that were shown from each row's last step to its first; of kernels it is not known."""
        return set(self._turned)

    def wants(self, owner: nn.Module, name: str, size: int) -> bool:
        """Whether the value is to be kept, or changed."""
        path = self._path(owner) + name
        return self._takes(path, size) or self._change is not None

    def saw(self, owner: nn.Module, name: str, value: Tensor, steps: bool) -> Tensor:
        """Keep and perhaps change ``value``."""
        path = self._path(owner) + name
        if self._change is not None:
            value = self._change(path, value)
        if self._takes(path, value.nbytes):
            self.shown.setdefault(path, []).append(value)
            self._sizes[path] = self._sizes.get(path, 0) + value.nbytes
            if steps:
                self.several.add(path)
        return value

    def turned(self, owner: nn.Module, prefix: str, lengths: Tensor | None) -> None:
        """Put the values of a run from the end in the order of the row."""
        start = self._path(owner) + prefix
        for path in [path for path in self.shown if path.startswith(start)]:
            values, before = self.shown[path], self._turned.get(path, 0)
            if lengths is None:
                values[before:] = values[before:][::-1]
            else:
                run = torch.stack(values[before:], 1)
                values[before:] = reverse_rows(run.flatten(2), lengths).view_as(run).unbind(1)
            self._turned[path] = len(values)

    def values(self) -> dict[str, Tensor]:
        """Path -> (B, T, …), over the steps of all runs; attention to more steps from run to run is padded with 0."""
        return {path: self._joined(path, parts) for path, parts in self.shown.items()}

    def take(self) -> dict[str, Tensor]:
        """`values`, which are forgotten here, so that none is in memory twice."""
        return {path: self._joined(path, self.shown.pop(path)) for path in list(self.shown)}

    def _joined(self, path: str, parts: list[Tensor]) -> Tensor:
        if path not in self.several:
            return torch.stack(parts, 1)
        if len(parts) == 1:
            return parts[0]
        widest = max(part.shape[-1] for part in parts)
        return torch.cat([pad(part, (0, widest - part.shape[-1])) for part in parts], 1)

    def _takes(self, path: str, size: int) -> bool:
        """Whether ``size`` more bytes of this value are to be kept; larger ones make room for it."""
        if path in self.dropped or (self._keep is not None and not self._keep(path)):
            return False
        if self._budget is None:
            return True
        while sum(self._sizes.values()) + size > self._budget:
            largest = max(self._sizes, key=self._sizes.__getitem__, default=path)
            drop = largest if self._sizes.get(largest, 0) > self._sizes.get(path, 0) + size else path
            self.dropped.append(drop)
            self.shown.pop(drop, None)
            self._sizes.pop(drop, None)
            if drop == path:
                return False
        return True

    def _path(self, owner: nn.Module) -> str:
        return self._paths.get(id(owner), f"{type(owner).__name__}.")
