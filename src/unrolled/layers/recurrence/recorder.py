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

    Values stay in autograd's graph; record under ``torch.no_grad()`` where only the numbers are wanted.

    Args:
        network: the module whose `named_modules` give the paths.
        keep: which paths to keep; ``None``: all.
        change: path and value -> what is used, and kept, instead; ``None``: nothing changes.

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
    ) -> None:
        self._paths = {id(module): f"{path}." if path else "" for path, module in network.named_modules()}
        self._keep, self._change = keep, change
        self.shown: dict[str, list[Tensor]] = {}  # path -> the values in order: (B, …), or (B, n, …) if in `several`
        self.several: set[str] = set()
        self._turned: dict[str, int] = {}

    def saw(self, owner: nn.Module, name: str, value: Tensor, steps: bool) -> Tensor:
        """Keep and perhaps change ``value``."""
        path = self._path(owner) + name
        if self._change is not None:
            value = self._change(path, value)
        if self._keep is None or self._keep(path):
            self.shown.setdefault(path, []).append(value)
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

    def _joined(self, path: str, parts: list[Tensor]) -> Tensor:
        if path not in self.several:
            return torch.stack(parts, 1)
        widest = max(part.shape[-1] for part in parts)
        return torch.cat([pad(part, (0, widest - part.shape[-1])) for part in parts], 1)

    def _path(self, owner: nn.Module) -> str:
        return self._paths.get(id(owner), f"{type(owner).__name__}.")
