"""Weights of a model whose vocabularies were shorter: the old rows as they are, and a start for the new ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from unrolled.layers.crf import CRF
from unrolled.layers.embed import Embedding
from unrolled.models.model import Model

__all__ = ["grow"]

_HEAD = "head."


def grow(model: Model, known: Mapping[str, Tensor]) -> str | None:
    """Copy the weights ``known`` into ``model``, whose embeddings and head may have more rows at their end.

    A new row of an embedding or of the head's weights is the mean of the old ones. A new number of the head's bias, or
    of the transitions of a `CRF`, stays as `Model.initialise` set it: the frequency of the label in the new training
    data, and the rules of its tags.

    Args:
        model: as it is before training.
        known: name -> tensor of the state of the other model.

    Returns:
        the name of a tensor that does not fit, or ``None`` if all were copied. If one does not fit, none is copied.
    """
    own, chains = model.state_dict(), {name: part for name, part in model.named_modules() if isinstance(part, CRF)}
    rows = {*_growing(model)}
    for name in sorted(own.keys() | known.keys()):
        if name not in own or name not in known or not _fits(own[name], known[name], name in rows):
            return name
    with torch.no_grad():
        for name, tensor in own.items():
            old, owner = known[name], chains.get(name.rpartition(".")[0])
            if owner is not None and name.endswith("bias") and tensor.shape != old.shape:
                _copy_transitions(tensor.view(-1, owner.labels), old)
                continue
            tensor[: len(old)].copy_(old) if tensor.dim() else tensor.copy_(old)
            if tensor.dim() > 1 and len(tensor) > len(old):
                tensor[len(old) :] = old.mean(0)
    return None


def _growing(model: Model) -> Iterator[str]:
    """The tensors whose rows are those of a vocabulary."""
    for name, part in model.named_modules():
        if isinstance(part, Embedding):
            yield f"{name}.weight"
    yield from (f"{_HEAD}{name}" for name in ("weight", "bias"))


def _fits(own: Tensor, old: Tensor, may_grow: bool) -> bool:
    if own.shape == old.shape:
        return True
    return may_grow and own.shape[1:] == old.shape[1:] and len(own) > len(old)


def _copy_transitions(own: Tensor, old: Tensor) -> None:
    """The bias of a CRF with K labels, (K + 1, K); its last row is about the first step."""
    labels = next(k for k in range(1, len(old) + 1) if (k + 1) * k == len(old))
    before = old.view(labels + 1, labels)
    own[:labels, :labels] = before[:labels]
    own[-1, :labels] = before[labels]
