"""Learning the validation data too, while the learning rate falls: for which runs, and how they are judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from unrolled.data.examples.examples import Examples
from unrolled.errors import DataError
from unrolled.models.model import Model
from unrolled.runs.checks import check_positions
from unrolled.runs.splits import Splits
from unrolled.tasks.task import Task
from unrolled.training.config import TrainingConfig
from unrolled.training.position import Progress

__all__ = ["Ended", "all_data", "learns_all", "with_weights"]

Say = Callable[[str], None]

_FEW = 20_000  # answers; of more, a tenth adds little


@dataclass(frozen=True, slots=True)
class Ended:
    """How a training ended.

    Attributes:
        network: the network that was trained, with the weights that are kept; or the solved model in its place.
        progress: where; at step 0 if nothing was trained.
        validated: the metrics of the best validation, if anything was held out.
        learned: what was learned from at the end: the training split, or with it the validation split.
        everything: gives both splits together; ``None`` if the validation split is not learned from.
        before: the weights that ``validated`` is of, if the validation split was learned after that.
    """

    network: Model
    progress: Progress
    validated: dict[str, float] | None
    learned: Examples
    everything: Callable[[], Examples | None] | None
    before: dict[str, Tensor] | None


def all_data(
    folder: Path, network: Model, task: Task, splits: Splits, train: Examples, config: TrainingConfig, say: Say
) -> Callable[[], Examples | None] | None:
    """What gives the training and validation data together, encoded; ``None`` if the run should not learn from it.

    Args:
        folder: the run directory, for encodings too large for memory.
        network, task: the model.
        splits: the splits before encoding.
        train: the training split after it.
        config: whether the user asked for it.
        say: receives a line if the data cannot be learned.
    """
    whole = splits.whole
    if whole is None or not learns_all(splits, train, config):
        return None

    def encoded() -> Examples | None:
        try:
            examples = task.coder.encode(whole, cache=folder / "cache" / "all")
            check_positions(network, task, examples, whole)
        except DataError as error:  # a sequence is too long once it is whole again
            say(f"the validation data is not learned from: {error}")
            return None
        return examples

    return encoded


def learns_all(splits: Splits, train: Examples, config: TrainingConfig) -> bool:
    """Whether a run learns from its validation data too, as the user asked or as there is little to learn from."""
    answers = len(train.steps()) if train.form.whole else int(train.steps().sum())
    return config.refit == "yes" or (config.refit == "auto" and (splits.by_time or answers < _FEW))


@contextmanager
def with_weights(network: Model, weights: Mapping[str, Tensor] | None) -> Iterator[None]:
    """``network`` has other ``weights`` while this is open; ``None``: its own."""
    if weights is None:
        yield
        return
    own = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.load_state_dict(weights)
    try:
        yield
    finally:
        network.load_state_dict(own)
