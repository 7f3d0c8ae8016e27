"""Tokens of a pretrained encoder: those of its Hugging Face tokenizer, including ``[CLS]`` and ``[SEP]``.

A folder holds ``config.json``, ``tokenizer.json`` and ``model.safetensors``. The first two are read here, as JSON, and
stored with the run, which then no longer needs the folder. A tokenizer file cannot run code; the worst that a malicious
one can do is to abort the process.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa

from unrolled.data.encodings._cells import smallest_dtype
from unrolled.data.encodings._level import SPECIALS
from unrolled.data.encodings._tokenizer import incremental, opened
from unrolled.data.io.mapped import map_file
from unrolled.errors import DataError

__all__ = ["Pretrained"]

_LONGEST = 512  # tokens, if the configuration gives no limit
_BEHIND_PADDING = ("roberta", "camembert", "mpnet", "xlm-roberta")  # their positions start after that of padding
_NOT_KEPT = ("auto_map", "custom_pipelines", "quantization_config", "_name_or_path")  # names of code, files and folders


class Pretrained:
    """A tokenizer, and the configuration of the encoder that reads its ids.

    Args:
        tokenizer: the contents of ``tokenizer.json``.
        config: the contents of ``config.json``: names and numbers.

    Raises:
        ValueError: a file is malformed, or the two do not fit together.
    """

    name: ClassVar[str] = "pretrained"

    def __init__(self, tokenizer: str, config: str) -> None:
        values = json.loads(config)
        if not isinstance(values, dict) or not isinstance(values.get("model_type"), str):
            raise ValueError("its config.json has no model_type")
        kept = {name: value for name, value in values.items() if name not in _NOT_KEPT}
        self.config = json.dumps(kept, ensure_ascii=False)
        self._stored = tokenizer
        self._tokenizer = opened(tokenizer)
        size = kept.get("vocab_size")
        if not isinstance(size, int) or size < self._tokenizer.get_vocab_size():
            most = self._tokenizer.get_vocab_size()
            raise ValueError(f"its config.json has vocab_size {size}, but its tokenizer {most} tokens")
        self._size = size
        self.longest = _longest(kept)
        self._tokenizer.enable_truncation(self.longest)
        self._tokenizer.no_padding()

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The tokenizer in a folder.

        Raises:
            DataError: the folder holds no pretrained encoder, or its weights are a pickle, which could run code.
        """
        if not (folder / "model.safetensors").is_file():
            if list(folder.glob("pytorch_model*.bin")):
                message = "stores its weights as a pickle, which could run code"
                raise DataError(message, file=str(folder), hint="save them as model.safetensors")
            message = "has no model.safetensors, so it is not the folder of a pretrained encoder in one file"
            raise DataError(message, file=str(folder))
        texts = []
        for name in ("tokenizer.json", "config.json"):
            data = map_file(folder / name)
            try:
                texts.append(str(memoryview(data), "utf-8"))
            except UnicodeDecodeError:
                raise DataError("is not UTF-8", file=str(folder / name)) from None
        try:
            return cls(*texts)
        except (ValueError, RecursionError) as error:
            raise DataError(f"is not the folder of a pretrained encoder: {error}", file=str(folder)) from None

    @property
    def size(self) -> int:
        """The number of tokens, including the special ones."""
        return self._size + SPECIALS

    def encode(self, texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """The ids of all texts, with the first and last token that the encoder expects, cut to ``longest`` tokens."""
        dtype = smallest_dtype(self.size)
        rows = [np.array(row.ids, dtype) for row in self._tokenizer.encode_batch_fast(texts.to_pylist())]
        counts = np.array([len(row) for row in rows], np.int64)
        return np.concatenate([np.zeros(0, dtype), *rows]) + dtype.type(SPECIALS), counts

    def decode(self, ids: np.ndarray) -> str:
        """The text, as the tokenizer decodes it."""
        return str(self._tokenizer.decode((np.asarray(ids)[ids >= SPECIALS] - SPECIALS).tolist()))

    def pieces(self, before: str) -> Callable[[int], bytes]:
        """What each token adds to the text, as the tokenizer's own decoder says."""
        piece = incremental(self._tokenizer)
        return lambda id_: piece(id_ - SPECIALS) if id_ >= SPECIALS else b""

    def symbols(self) -> list[str]:
        """The contents of the tokenizer and configuration files."""
        return [self._stored, self.config]

    def report(self) -> str:
        """``30522 tokens of a pretrained bert``."""
        return f"{self._size} tokens of a pretrained {json.loads(self.config)['model_type']}"


def _longest(config: dict[str, Any]) -> int:
    positions = config.get("max_position_embeddings")
    if not isinstance(positions, int) or positions < 8:
        return _LONGEST
    return positions - 2 if config["model_type"] in _BEHIND_PADDING else positions
