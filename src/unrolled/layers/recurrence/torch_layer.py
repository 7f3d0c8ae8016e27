"""What our RNN, GRU and LSTM share on top of torch.nn's: sessions, pickles, and answers for torch's own tools."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from unrolled.layers.recurrence.layer_session import LayerSession
from unrolled.layers.recurrence.recomputation import Recompute
from unrolled.layers.recurrence.torch_forms import Lengths, run, session
from unrolled.layers.recurrence.whole_graphs import trace_whole

__all__ = ["CLASSES", "TorchLayer", "without_lists"]

CLASSES: dict[str, type[nn.RNNBase]] = {"RNN_TANH": nn.RNN, "RNN_RELU": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}
_QUANTISED = (
    "torch's quantisation converts torch.nn's layers, not their subclasses, so this {} keeps its weights as they are; "
    "to convert it too, first call unrolled.layers.to_torch(model)"
)


class TorchLayer(nn.RNNBase):
    """The common part of the layers of `torch_compat`."""

    recompute: Recompute = None  # of a layer whose class was set to ours, or that an older version pickled

    @property
    def _flat_weights(self) -> list[Tensor | None]:
        """The weights as they are now; torch.nn's list may be outdated, and keeps replaced weights alive."""
        return [getattr(self, name, None) for name in self._flat_weights_names]

    @_flat_weights.setter
    def _flat_weights(self, weights: list[Tensor | None]) -> None:
        """Ignore the list that torch.nn's constructor makes."""

    def _update_flat_weights(self) -> None:
        """Do nothing: `_flat_weights` is always up to date."""

    def flatten_parameters(self) -> None:
        """Do nothing; programs written for torch.nn call this method."""

    def session(self, batch: int | None = None) -> LayerSession:
        """A live session: ``push(x) -> y`` for one row (I,), or for ``batch`` rows (B, I); it keeps the state."""
        return session(self, batch)

    def trace(
        self,
        input: Tensor | PackedSequence,  # noqa: A002 (torch's name)
        hx: Any = None,
        lengths: Lengths = None,
        mask: Tensor | None = None,
    ) -> tuple[Any, Any, dict[str, Any]]:
        """`forward` that also returns each gate and state of each step: ``output, hx, gates``.

        ``gates["l0.f"]`` are the forget gates of the first layer, ``gates["l0_reverse.c"]`` the cell states of its
        backward direction: the names of torch's weights, then i f g o c h of an LSTM, r z n h of a GRU, h of an RNN.
        It keeps no gradients and cannot be intervened in; for that, run the layer under `unrolled.watch.watching`.

        Args:
            input, hx, lengths, mask: as for ``forward``.

        Shape:
            each of ``gates`` in the form of the output, with H instead of D·H (h of an LSTM with a projection: P), 0 at
            steps that are not real.

        Cost:
            that of ``forward``: the kernels keep these numbers for the backward pass anyway. A step at a time where
            there is no kernel: with a projection, in half precision, on another device than a CPU.

        Example:
            >>> import torch
            >>> from unrolled.layers import LSTM
            >>> layer = LSTM(3, 8, batch_first=True)
            >>> y, (h, c), gates = layer.trace(torch.randn(2, 5, 3), lengths=[5, 2])
            >>> sorted(gates), gates["l0.f"].shape, torch.equal(gates["l0.c"][1, 1], c[0, 1])
            (['l0.c', 'l0.f', 'l0.g', 'l0.h', 'l0.i', 'l0.o'], torch.Size([2, 5, 8]), True)
        """
        found: dict[str, Any] = {}
        several = self.mode == "LSTM"
        with torch.no_grad():
            output, after = run(self, input, hx if several or hx is None else (hx,), lengths, mask, found)
        return output, after if several else after[0], found

    def extra_repr(self) -> str:
        """The arguments, as ``torch.nn`` prints them, and ``recompute``."""
        return super().extra_repr() + ("" if self.recompute is None else f", recompute={self.recompute!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "qconfig":
            warnings.warn(_QUANTISED.format(type(self).__name__), stacklevel=2)
        super().__setattr__(name, value)

    def __getstate__(self) -> dict[str, Any]:
        return without_lists(self.__dict__)

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        if "_all_weights" not in state:  # pickled before these layers were subclasses of torch.nn's
            each = 2 + 2 * state["bias"] + (state["proj_size"] > 0)
            names = list(state["_parameters"])
            state["_all_weights"] = [names[start : start + each] for start in range(0, len(names), each)]
            state["_flat_weights_names"], state["mode"] = names, state.pop("kernel").upper()
        nn.Module.__setstate__(self, state)  # type: ignore[no-untyped-call]

    def __prepare_scriptable__(self) -> nn.RNNBase:
        """torch.nn's layer with these very weights, for `torch.jit.script`, which cannot compile this one."""
        theirs = nn.Module.__new__(CLASSES[self.mode])
        theirs.__dict__.update(self.__dict__)
        theirs._init_flat_weights()
        return theirs


def without_lists(state: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a layer without the lists of weights that torch.nn's layers keep beside the weights."""
    return {name: value for name, value in state.items() if name not in ("_flat_weights", "_flat_weight_refs")}


trace_whole(TorchLayer)
