"""The network of a run before its first step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from unrolled.models.model import Model
from unrolled.runs.checks import check_idle, check_pieces, check_positions, check_shards
from unrolled.runs.config import RunConfig
from unrolled.runs.encode import Encoded
from unrolled.runs.on_ranks import alike
from unrolled.runs.opening import build
from unrolled.runs.plan import RunPlan, Say
from unrolled.runs.rivals import Rivals
from unrolled.runs.word_vectors import give_vectors
from unrolled.training.checkpoint import Checkpoint
from unrolled.training.saving import Checkpoints, step_seed
from unrolled.training.together import ALONE, Together

__all__ = ["Untrained", "new_network"]


@dataclass(frozen=True, slots=True)
class Untrained:
    """A network before training.

    Attributes:
        network: on the CPU.
        frozen: its rows of weights that must not change.
        checkpoints: the folder of its checkpoints.
        saved: the one that it resumes from, if any.
    """

    network: Model
    frozen: dict[str, Tensor]
    checkpoints: Path
    saved: Checkpoint | None


def new_network(
    folder: Path,
    plan: RunPlan,
    config: RunConfig,
    encoded: Encoded,
    rivals: Rivals,
    say: Say,
    together: Together = ALONE,
) -> Untrained:
    """The network before the first step, with its initial weights and those taken from another run or file.

    Args:
        folder: the run directory, for a checkpoint.
        plan: what the user asked for.
        config: everything that was chosen.
        encoded: the splits.
        rivals: the solved models, one of which it may start from.
        say: receives lines about weights that are taken over.
        together: the ranks of the run.

    Raises:
        UsageError: an option has no effect on these data, or does not go with another.
    """
    measured, task = encoded.measured, encoded.measured.task
    torch.manual_seed(config.training.seed)
    network = build(config, task, rivals.solved)
    check_idle(network, encoded.train, config)
    for examples, part in encoded.pairs():
        check_positions(network, task, examples, part)
    network.initialise(measured.prior, measured.longest, measured.candidates)
    checkpoints = Checkpoints(folder / "checkpoints", together, config.training.shard_weights)
    saved = checkpoints.newest()
    plan.give(network)
    frozen = give_vectors(network, task.coder, encoded.train, config, plan.roles.shared, saved, say)
    check_pieces(network, task, encoded.train, config)
    check_shards(network, frozen, config.training)
    alike(together, network)
    if not together.alone:  # else all ranks would leave out the same units
        torch.manual_seed(step_seed(config.training.seed, 0, together.rank))
    return Untrained(network, frozen, checkpoints.folder, saved)
