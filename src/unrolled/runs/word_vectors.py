"""Pretrained vectors (``vectors``): word vectors from a file, or the folder of a pretrained encoder.

With ``freeze`` the vectors from the file are not trained (the static variant of Kim 2014,
https://arxiv.org/abs/1408.5882); those of words that the file lacks are.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from unrolled.data.encodings._pretrained import Pretrained
from unrolled.data.encodings.encoding import Encoded, Encoding
from unrolled.data.encodings.facets import Words
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.io.fingerprint import fingerprint, verify
from unrolled.data.vectors.alignment import align
from unrolled.data.vectors.reading import VectorFile, open_vectors
from unrolled.errors import DataError, ModelError, UsageError, named
from unrolled.layers.config import ModelConfig
from unrolled.layers.embed import Embedding
from unrolled.layers.pretrained import PretrainedEncoder
from unrolled.models.model import Model, Named
from unrolled.runs.config import RunConfig
from unrolled.training.checkpoint import Checkpoint, section
from unrolled.training.config import TrainingConfig

__all__ = ["check_again", "check_vectors", "encoder_of", "give_vectors", "kept_inputs", "with_width"]

_log = logging.getLogger(__name__)

_BLOCK = 1 << 22  # tokens counted together


def encoder_of(training: TrainingConfig) -> Path | None:
    """The folder of the pretrained encoder that a run uses, if any."""
    return Path(training.vectors) if training.vectors is not None and Path(training.vectors).is_dir() else None


def check_vectors(asked: Mapping[str, Any], training: TrainingConfig) -> VectorFile | None:
    """Open the file of word vectors that a run uses, if any.

    Raises:
        UsageError: ``freeze`` is given without ``vectors``; ``vectors`` together with ``init_from``; or a pretrained
            encoder together with an option that it determines.
        DataError: ``vectors`` is neither a file of word vectors nor the folder of a pretrained encoder.
    """
    if training.vectors is None:
        if training.freeze is not None:
            raise UsageError(f"{named('freeze')} only works with {named('vectors')}: leave it out")
        return None
    if training.init_from is not None:
        raise UsageError(f"{named('vectors')} and {named('init_from')} both set the word vectors: leave one out")
    if (folder := encoder_of(training)) is not None:
        for name in ("tokens", "shared"):
            if asked.get(name):
                raise UsageError(
                    f"{named(name)} does not work with a pretrained encoder ({named('vectors')}), which has its own "
                    "tokens: leave one out"
                )
        Pretrained.open(folder)
        return None
    return open_vectors(training.vectors)


def with_width(model: ModelConfig, file: VectorFile | None) -> ModelConfig:
    """``model`` with embeddings as wide as the vectors of ``file``, if there is one.

    Raises:
        UsageError: ``embedding`` is another width.
    """
    if file is None:
        return model
    if model.embedding not in (None, file.width):
        raise UsageError(
            f"{named('embedding')} = {model.embedding}, but the vectors of {file.path} have {file.width} numbers: "
            f"leave {named('embedding')} out"
        )
    return model.model_copy(update={"embedding": file.width})


def kept_inputs(folder: Path, config: RunConfig, begun: bool) -> dict[str, Encoding]:
    """The saved encodings of a run with vectors that has ``begun``, which needs the vectors no longer; else empty."""
    if config.training.vectors is None or not begun:
        return {}
    files = {path.name: path.read_bytes() for path in (folder / "encodings").glob("*.json") if path.is_file()}
    return Preprocessor.from_files(files).inputs


def check_again(folder: Path, config: RunConfig, begun: bool) -> None:
    """Check that the stopped run in ``folder`` can be resumed: before its first checkpoint it needs its vectors.

    Raises:
        ModelError: there is no checkpoint yet, and the vectors are missing or have changed.
    """
    if config.training.vectors is None or begun:
        return
    try:
        verify(config.files["vectors"], fingerprint(config.training.vectors))
    except (DataError, KeyError) as error:
        raise ModelError(
            f"{folder} has no checkpoint yet, and cannot start again without its vectors: {error}"
        ) from None


def give_vectors(
    network: Model,
    coder: Preprocessor,
    train: Examples,
    config: RunConfig,
    shared: bool,
    saved: Checkpoint | None,
    say: Callable[[str], None],
) -> dict[str, Tensor]:
    """Copy the vectors of a file into the embeddings of all columns of words, and report how many words have one.

    A target of words gets vectors only if it shares a vocabulary with the inputs, or if no input is text; otherwise it
    may be in another language.

    Args:
        network: a new one; words without a vector keep their random initial one.
        coder: its encodings.
        train: the training split, in which occurrences are counted.
        config: of the run; it has the file, and whether its vectors are trained.
        shared: whether inputs and target have one vocabulary.
        saved: a checkpoint; it holds the vectors already, so the file is not read.
        say: receives a line about the coverage.

    Returns:
        name of an embedding's weights -> (symbols,) bool, True for the symbols whose vectors are frozen.

    Raises:
        UsageError: no text is read as words.
        DataError: the file is damaged.
    """
    vectors = config.training.vectors
    if vectors is None:
        return {}
    encoders = [part for part in network.modules() if isinstance(part, PretrainedEncoder)]
    if encoders or encoder_of(config.training) is not None:
        _give_encoder(encoders, config.training, saved, say)
        return {}
    if saved is not None:
        return section(saved.tensors, "frozen")
    texts = [text for text in _texts(network, coder, train) if _takes_vectors(text, coder, shared, say)]
    if not texts:
        raise UsageError(
            f"{named('vectors')} holds vectors of words, but no column is read as words: set {named('tokens')} to "
            f"words, or leave {named('vectors')} out"
        )
    frozen = {}
    for text in texts:
        places, values = align(vectors, text.words, folded=text.folded)
        known = _give(text.vectors.embedding, torch.from_numpy(places + text.first), torch.from_numpy(values))
        if config.training.freeze:
            frozen[text.vectors.name] = known
        say(_coverage(text, places, f" of {text.column}" if len(texts) > 1 else ""))
        if not len(places):
            _log.warning(
                "%s has none of the words of %s, so all of them start from random vectors: is it in another language?",
                vectors,
                text.column,
            )
    return frozen


class _Text(NamedTuple):
    """A column of words, which the model reads or writes."""

    side: str
    column: str
    words: Sequence[str]
    folded: bool
    first: int  # the id of the first word; smaller ids are special
    occurrences: Encoded
    vectors: Named


def _texts(network: Model, coder: Preprocessor, train: Examples) -> Iterator[_Text]:
    """Every column of words that has its own embedding in the model."""
    for (side, column), vectors in network.embeddings().items():
        encoding = coder.inputs[column] if side == "read" else coder.answer
        occurrences = train.inputs[column] if side == "read" else train.target
        if isinstance(encoding, Words) and (words := encoding.words) is not None:
            assert occurrences is not None
            first = vectors.embedding.size - len(words)
            yield _Text(side, column, words, encoding.folded, first, occurrences, vectors)


def _takes_vectors(text: _Text, coder: Preprocessor, shared: bool, say: Callable[[str], None]) -> bool:
    """Whether the column gets vectors from the file: a target may be in another language."""
    if text.side == "read" or shared or not any(isinstance(one, Words) for one in coder.inputs.values()):
        return True
    say(
        f"vectors: none for {text.column}; {named('shared')} gives inputs and target one vocabulary, "
        "and vectors to both"
    )
    return False


def _give(embedding: Embedding, ids: Tensor, values: Tensor) -> Tensor:
    """Copy ``values`` into the rows ``ids`` of an embedding; (symbols,) bool, True for these rows."""
    with torch.no_grad():
        embedding.weight[ids] = values / embedding.gain  # by which the layer multiplies
    known = torch.zeros(embedding.size, dtype=torch.bool)
    known[ids] = True
    return known


def _coverage(text: _Text, places: np.ndarray, of: str) -> str:
    counts = _counts(text.occurrences, text.vectors.embedding.size)[text.first :]
    share = counts[places].sum() / max(int(counts.sum()), 1)
    words = f"{len(counts):,}".replace(",", " ")
    known = 100 * len(places) / max(len(counts), 1)
    return f"vectors: {known:.0f} % of {words} words{of}, {100 * share:.0f} % of their occurrences"


def _give_encoder(
    encoders: list[PretrainedEncoder], training: TrainingConfig, saved: Checkpoint | None, say: Callable[[str], None]
) -> None:
    if not encoders:
        raise UsageError(
            f"the pretrained encoder {training.vectors} reads texts, but no input is text: leave {named('vectors')} out"
        )
    for encoder in encoders:
        if saved is None:
            encoder.load(Path(str(training.vectors)))
        if training.freeze is not False:
            encoder.freeze()
    kept = f"frozen (see {named('freeze')})" if training.freeze is not False else "trained too"
    say(f"vectors: those of a pretrained encoder, {encoders[0].output_size} numbers for each token, {kept}")


def _counts(column: Encoded, size: int) -> np.ndarray:
    counts = np.zeros(size, np.int64)
    for start in range(0, len(column.values), _BLOCK):
        counts += np.bincount(np.asarray(column.values[start : start + _BLOCK]), minlength=size)
    return counts
