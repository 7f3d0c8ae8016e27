"""A local Hugging Face encoder as the embedding of a text. Axes: B rows, T steps, W width of the encoder."""

from __future__ import annotations

import importlib
import importlib.util
import json
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from unrolled.errors import DataError, MissingExtra, ModelError, ShapeError, UsageError, reason_of
from unrolled.layers.graph import Value
from unrolled.storage.tensors import load_tensors

__all__ = ["PretrainedEncoder"]

_SPECIALS = 3  # the library's special tokens come before the tokenizer's ids
_DEEPEST = 256  # most layers that a configuration may declare, checked before memory is allocated
_OLD_NAMES = {".gamma": ".weight", ".beta": ".bias"}  # names in old weight files


class PretrainedEncoder(nn.Module):
    """A pretrained encoder: a vector for each token that depends on the whole text.

    ::

        y_1 … y_T = encoder(x_1 … x_T)

    Nothing is downloaded, and no code from the model's folder runs: the configuration must name a model of
    ``transformers``, and the weights are safetensors.

    Args:
        config: the content of a ``config.json``.

    Shape:
        x (B, T) int64, ids of its tokenizer + 3; real (B, T) bool -> y (B, T, W), 0 beyond a row's length.

    Raises:
        UsageError: ``transformers`` cannot build an encoder from the configuration.
        MissingExtra: ``transformers`` is not installed.

    Cost:
        that of the encoder: for BERT 12·W² + 2·T·W multiply-adds per layer and step.

    References:
        Devlin et al. 2019, https://arxiv.org/abs/1810.04805; Wolf et al. 2020, https://arxiv.org/abs/1910.03771

    Example:
        >>> sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
        >>> encoder = PretrainedEncoder(json.dumps({"model_type": "bert", "vocab_size": 20, **sizes}))
        >>> encoder(torch.tensor([[5, 6, 7]]), None).shape
        torch.Size([1, 3, 8])
    """

    def __init__(self, config: str) -> None:
        super().__init__()
        self._config, self.frozen = config, False
        self.model = _build(config)
        self.output_size = int(self.model.config.hidden_size)
        self.size = int(self.model.config.vocab_size) + _SPECIALS

    def forward(self, x: Tensor, real: Tensor | None) -> Tensor:
        """The vectors of the tokens ``x``, which attend to the ``real`` ones (``None``: all)."""
        if x.dim() != 2 or x.is_floating_point():
            raise ShapeError(f"PretrainedEncoder: x is {tuple(x.shape)} {x.dtype}, expected integers (B, T)")
        ids = (x.to(torch.int64) - _SPECIALS).clamp(min=0)
        if bool((ids >= self.size - _SPECIALS).any()):
            raise ShapeError(f"PretrainedEncoder: x has {int(x.max())}, expected 0 … {self.size - 1}")
        if x.numel() == 0:
            return self.model.get_input_embeddings()(ids)
        real = torch.ones_like(ids, dtype=torch.bool) if real is None else real
        seen = real.clone()
        seen[:, 0] = True  # a row without steps needs something to attend to; its output is discarded
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            y = self.model(input_ids=ids, attention_mask=seen.to(torch.int64)).last_hidden_state  # (B, T, W)
        return torch.where(real[..., None], y, 0.0)

    def extra_repr(self) -> str:
        """The size of the vocabulary, and the width of the vectors."""
        return f"{self.size}, {self.output_size}, frozen={self.frozen}"

    def graph(self, x: Value) -> Value:
        """Refuse.

        Raises:
            UsageError: always.
        """
        raise UsageError("a pretrained encoder cannot be exported as a graph: train a model without one")

    def load(self, folder: Path) -> None:
        """Load the weights from ``model.safetensors`` in ``folder``.

        Raises:
            DataError: the file is damaged, a weight is missing, or one has another shape.
        """
        file = folder / "model.safetensors"
        try:
            found = load_tensors(file)
        except ModelError as error:
            raise DataError(f"holds no pretrained encoder: {error}", file=str(folder)) from None
        for old, new in _OLD_NAMES.items():
            found = {name[: -len(old)] + new if name.endswith(old) else name: one for name, one in found.items()}
        head = f"{self.model.base_model_prefix}."
        with torch.no_grad():
            for name, own in self.model.state_dict().items():
                tensor = found.get(name, found.get(head + name))
                if tensor is None and name.startswith("pooler."):  # not used here, and often not saved
                    continue
                if tensor is None or tensor.shape != own.shape:
                    what = "is missing" if tensor is None else f"has shape {tuple(tensor.shape)}"
                    raise DataError(f"the weight {name} {what}, expected shape {tuple(own.shape)}", file=str(file))
                own.copy_(tensor)

    def freeze(self) -> None:
        """Freeze the weights, and switch off dropout even in training."""
        self.frozen = True
        self.model.requires_grad_(False)
        self.model.eval()

    def fill_buffers(self) -> None:
        """Create the buffers of a model on the meta device that no file holds, such as position ids."""
        fresh = dict(_build(self._config).named_buffers())
        for name, buffer in list(self.model.named_buffers()):
            if buffer.is_meta:
                place, _, own = name.rpartition(".")
                self.model.get_submodule(place).register_buffer(own, fresh[name], persistent=False)

    def train(self, mode: bool = True) -> Self:
        """Set the mode; a frozen encoder always stays in evaluation mode."""
        super().train(mode)
        self.model.train(mode and not self.frozen)
        return self


def _build(config: str) -> Any:
    if importlib.util.find_spec("transformers") is None:
        raise MissingExtra("transformers", "hf", "a pretrained encoder")
    transformers = importlib.import_module("transformers")
    values = json.loads(config)
    kind = values.pop("model_type", None)
    try:
        wanted = transformers.AutoConfig.for_model(kind, **{**values, "attn_implementation": "eager"})
        if not 1 <= wanted.num_hidden_layers <= _DEEPEST or wanted.is_encoder_decoder:
            raise ValueError("it must be an encoder with 1 to 256 layers")
        return transformers.AutoModel.from_config(wanted, dtype=torch.float32, trust_remote_code=False)
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError, ImportError, RuntimeError) as error:
        reason = reason_of(error)
        raise UsageError(f"transformers cannot build an encoder of type {kind!r} with these sizes: {reason}") from None
