"""Beginning with vectors of words from a file (``--vectors``): their width, their place in the network, their coverage.

With ``--freeze`` the vectors of the file stay as they are (the static variant of Kim 2014,
https://arxiv.org/abs/1408.5882); those of words that it lacks are trained.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from unrolled.config import ModelConfig, RunConfig, TrainingConfig
from unrolled.data.coder import Coder
from unrolled.data.encoded import Encoded
from unrolled.data.encodings._level import SPECIALS
from unrolled.data.encodings._words import Words
from unrolled.data.encodings.tokens import Tokens
from unrolled.data.examples import Examples
from unrolled.data.fingerprint import fingerprint, verify
from unrolled.data.vectors.aligned import align
from unrolled.data.vectors.reading import VectorFile, open_vectors
from unrolled.errors import DataError, ModelError, UsageError
from unrolled.models.encoder_decoder import EncoderDecoder
from unrolled.models.model import Model
from unrolled.training import checkpoint
from unrolled.training.checkpoint import Checkpoint, section

__all__ = ["check_again", "check_vectors", "give_vectors", "with_width"]

_BLOCK = 1 << 22  # tokens counted together


def check_vectors(training: TrainingConfig) -> VectorFile | None:
    """The file of vectors that a run begins with, if it does.

    Raises:
        UsageError: ``freeze`` without vectors, or vectors beside the weights of another run.
        DataError: it is not a file of vectors.
    """
    if training.vectors is None:
        if training.freeze:
            raise UsageError("--freeze keeps the words' vectors as they begin: it needs --vectors")
        return None
    if training.start is not None:
        raise UsageError("--vectors and --from both say what the words begin with: leave one out")
    return open_vectors(training.vectors)


def with_width(model: ModelConfig, file: VectorFile | None) -> ModelConfig:
    """``model`` with embeddings as wide as the vectors, if there are any.

    Raises:
        UsageError: another width was asked for.
    """
    if file is None:
        return model
    if model.embedding not in (None, file.width):
        raise UsageError(
            f"--embedding {model.embedding}, but the vectors of {file.path} have {file.width} numbers: leave it out"
        )
    return model.model_copy(update={"embedding": file.width})


def check_again(folder: Path, config: RunConfig) -> None:
    """Check that the run in ``folder``, which was stopped, can go on: after its first checkpoint it needs no vectors.

    Raises:
        ModelError: there is none yet, and the file of vectors is gone or has changed.
    """
    if config.training.vectors is None or checkpoint.newest(folder / "checkpoints") is not None:
        return
    try:
        verify(config.files["vectors"], fingerprint(config.training.vectors))
    except (DataError, KeyError) as error:
        raise ModelError(
            f"{folder} has no checkpoint yet, and cannot begin again without its vectors: {error}"
        ) from None


def give_vectors(
    network: Model,
    coder: Coder,
    train: Examples,
    config: RunConfig,
    saved: Checkpoint | None,
    say: Callable[[str], None],
) -> dict[str, Tensor]:
    """Put the vectors of a file into the embeddings of all texts that are read as words, and say how many there are.

    Those that are written have them where they have one vocabulary with those that are read, or where no text is read:
    else they may be of another language.

    Args:
        network: a new one; words without a vector keep their first one, which is random.
        coder: its encodings.
        train: the training split, in which occurrences are counted.
        config: names the file, and whether its vectors are trained.
        saved: a checkpoint, which holds the vectors already: the file is not read.
        say: told of the coverage.

    Returns:
        name of an embedding's weights -> (its symbols,) bool, True of those that are not trained.

    Raises:
        UsageError: no text is read as words.
        DataError: the file is damaged.
    """
    if config.training.vectors is None:
        return {}
    if saved is not None:
        return section(saved.tensors, "frozen")
    columns = [
        (f"columns.embeddings.{place}", name, encoding) for place, (name, encoding) in enumerate(coder.inputs.items())
    ]
    if isinstance(network, EncoderDecoder):
        if config.data.shared or not any(isinstance(encoding, Tokens) for encoding in coder.inputs.values()):
            columns.append(("symbols", coder.target, coder.answer))
        else:
            say(f"vectors: the words of {coder.target} begin without; --shared gives both sides one vocabulary")
    texts = [
        (place, name, encoding.level, not encoding.items)
        for place, name, encoding in columns
        if isinstance(encoding, Tokens) and isinstance(encoding.level, Words)
    ]
    if not texts:
        raise UsageError("--vectors are of words, and no column is read as words: give --tokens words, or leave it out")
    frozen = {}
    for place, name, level, lowered in texts:
        weight = network.get_parameter(f"{place}.weight")
        places, vectors = align(config.training.vectors, level.symbols(), lowered=lowered)
        with torch.no_grad():
            weight[torch.from_numpy(places + SPECIALS)] = torch.from_numpy(vectors)
        if config.training.freeze:
            known = torch.zeros(len(weight), dtype=torch.bool)
            known[torch.from_numpy(places + SPECIALS)] = True
            frozen[f"{place}.weight"] = known
        column = train.target if place == "symbols" else train.inputs[name]
        assert column is not None
        counts = _counts(column, level.size)[SPECIALS:]
        share = counts[places].sum() / max(int(counts.sum()), 1)
        of = f" of {name}" if len(texts) > 1 else ""
        words = f"{len(counts):,}".replace(",", " ")
        known_share = 100 * len(places) / max(len(counts), 1)
        say(f"vectors: {known_share:.0f} % of {words} words{of}, {100 * share:.0f} % of their occurrences")
    return frozen


def _counts(column: Encoded, size: int) -> np.ndarray:
    counts = np.zeros(size, np.int64)
    for start in range(0, len(column.values), _BLOCK):
        counts += np.bincount(np.asarray(column.values[start : start + _BLOCK]), minlength=size)
    return counts
