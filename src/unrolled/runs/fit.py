"""Training, from the data to a saved model: plan, encode, build the network, train, evaluate, write."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unrolled.data.examples.examples import Examples
from unrolled.errors import DataError, ModelError
from unrolled.models.model import Model
from unrolled.runs.checks import check_idle, check_pieces, check_positions
from unrolled.runs.composition import Composer, with_start
from unrolled.runs.config import RunConfig
from unrolled.runs.directory import alone, choose, claimed, keep_options
from unrolled.runs.encode import Encoded, encode
from unrolled.runs.looks import Looks
from unrolled.runs.opening import build, open_run
from unrolled.runs.outcome import judge, write
from unrolled.runs.plan import RunPlan, Say, plan_from_options, plan_from_run
from unrolled.runs.race import raced
from unrolled.runs.refitting import Ended, all_data, with_weights
from unrolled.runs.rivals import Rivals, rivals_of
from unrolled.runs.run_report import REPORT, held_of, report
from unrolled.runs.trained import Trained
from unrolled.runs.training_log import read_log
from unrolled.runs.word_vectors import give_vectors
from unrolled.storage.directories import space_errors, write_file
from unrolled.training import checkpoint
from unrolled.training.checkpoint import Checkpoint
from unrolled.training.device import device_for
from unrolled.training.hooks import LOG, Hook, log_to, need_tensorboard, tensorboard_to
from unrolled.training.plans import can_be_judged
from unrolled.training.position import Progress
from unrolled.training.schedule import Budget
from unrolled.training.trainer import Trainer

__all__ = ["fit", "resume"]


@dataclass(frozen=True, slots=True)
class Untrained:
    """A network before training, its frozen rows of weights, and the checkpoint that it resumes from, if any."""

    network: Model
    frozen: dict[str, Tensor]
    saved: Checkpoint | None


def fit(
    source: Any,
    options: dict[str, Any],
    *,
    out: Path | None = None,
    overwrite: bool = False,
    tensorboard: bool = False,
    page: bool = False,
    hooks: tuple[Hook, ...] = (),
    say: Say = lambda _: None,
) -> Trained:
    """Train on ``source``, from the data to a saved run.

    Args:
        source: a path, or a table in memory.
        options: the user's, in one flat mapping.
        out: the run directory; by default the next free ``runs/<name>-<n>``.
        overwrite: replace the run in ``out``.
        tensorboard: write TensorBoard files too.
        page: write ``report.html`` too.
        hooks, say: functions that receive training events, and lines about what was inferred and done.

    Raises:
        UsageError: an option is unknown, out of range, or has no effect in this run; or no task fits the target.
        DataError: the data cannot be read, or does not suit the task.
    """
    if tensorboard:
        need_tensorboard()
    plan = plan_from_options(source, options, out, say)
    folder = choose(out, plan.config.source, overwrite)
    with claimed(folder, plan.config):
        say(f"run: {folder}")
        return _run(folder, plan, _with_tensorboard(tensorboard, folder, hooks), say, page=page)


def resume(
    folder: Path,
    options: dict[str, Any],
    *,
    source: Any = None,
    tensorboard: bool = False,
    page: bool = False,
    hooks: tuple[Hook, ...] = (),
    say: Say = lambda _: None,
) -> Trained:
    """Resume a stopped run exactly where it stopped; a finished one is only loaded.

    Args:
        folder: its run directory.
        options: none, or those that the run was started with.
        source: the data, if it was in memory; a path is known from the run.
        tensorboard, page, hooks, say: as for `fit`.

    Raises:
        ModelError: ``folder`` is not a run, or is damaged.
        DataError: the data has changed since the run started.
        UsageError: an option differs from what the run was started with.
    """
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} is not a run: it has no config.json")
    config = RunConfig.parse((folder / "config.json").read_bytes(), str(folder))
    keep_options(folder, config, options)
    if (folder / "manifest.json").is_file():
        say(f"{folder} is finished: nothing is left to train")
        return open_run(folder)
    with alone(folder):
        plan = plan_from_run(folder, config, source, say)
        return _run(folder, plan, _with_tensorboard(tensorboard, folder, hooks), say, page=page)


def _run(folder: Path, plan: RunPlan, hooks: tuple[Hook, ...], say: Say, *, page: bool) -> Trained:
    with space_errors(folder):
        encoded = encode(folder, plan, say)
        task, device = encoded.measured.task, device_for(plan.config.training.device)
        rivals = rivals_of(encoded.config, task, encoded.train, encoded.judged)
        if line := rivals.say(task.chooses):
            say(line)
        config = with_start(encoded.config, task, rivals, say)
        if config is not encoded.config:
            write_file(folder / "config.json", config.model_dump_json(indent=1).encode())

        def contestant(other: RunConfig, place: Path) -> Trainer:
            return _trainer(place, other, encoded, new_network(place, plan, other, encoded, rivals, lambda _: None))

        if config.model.alone is None:
            config = raced(folder, config, encoded, contestant, device, say)
        start = new_network(folder, plan, config, encoded, rivals, say)
        log = log_to(folder / LOG, start.saved.step if start.saved else -1)
        ended = train(folder, config, encoded, start, log, hooks, say)
        network, valid = start.network.eval(), encoded.judged.get("valid")
        if valid is not None:
            # Saved at the end only: a run that is stopped here decides again, from the weights that training kept.
            with with_weights(ended.network, ended.before):
                composer = Composer(task, valid, rivals, device, say)
                config, network = composer.compose(config, network, ended.validated)
        trained = judge(folder, config, encoded, network, ended, rivals)
        for split, values in trained.metrics.items():
            for hook in (log, *hooks):
                hook({"kind": split + "_final", "step": ended.progress.step, **values})
        write(folder, trained, ended.progress, encoded.splits)
        if page:
            write_file(folder / REPORT, report(trained, held_of(encoded), read_log(folder)).encode())
            say(f"report: {folder / REPORT}")
    return trained


def new_network(
    folder: Path, plan: RunPlan, config: RunConfig, encoded: Encoded, rivals: Rivals, say: Say
) -> Untrained:
    """The network before the first step, with its initial weights and those taken from another run or file.

    Args:
        folder: the run directory, for a checkpoint.
        plan: what the user asked for.
        config: everything that was chosen.
        encoded: the splits.
        rivals: the solved models, one of which it may start from.
        say: receives lines about weights that are taken over.
    """
    measured, task = encoded.measured, encoded.measured.task
    torch.manual_seed(config.training.seed)
    network = build(config, task, rivals.solved)
    check_idle(network, encoded.train, config)
    for examples, part in encoded.pairs():
        check_positions(network, task, examples, part)
    network.initialise(measured.prior, measured.longest, measured.candidates)
    saved = checkpoint.newest(folder / "checkpoints")
    if plan.start is not None:
        plan.start.give(network)
    frozen = give_vectors(network, task.coder, encoded.train, config, plan.roles.shared, saved, say)
    check_pieces(network, task, encoded.train, config)
    return Untrained(network, frozen, saved)


def train(
    folder: Path,
    config: RunConfig,
    encoded: Encoded,
    start: Untrained,
    log: Hook,
    hooks: tuple[Hook, ...],
    say: Say,
) -> Ended:
    """Train until the budget is spent; a solved model without a network is trained already.

    Args:
        folder: the run directory, for checkpoints.
        config: the options of the run.
        encoded: its splits.
        start: the network before training, and the checkpoint to resume from, if any.
        log: the hook that writes the run's log; it receives the looks into the network too.
        hooks, say: as for `fit`.

    Raises:
        DataError: no sequence of a held-out split is long enough to be scored.
    """
    task, network, saved = encoded.measured.task, start.network, start.saved
    for split, part in encoded.judged.items():
        if not can_be_judged(part, task.batching, config.training):
            name = {"valid": "validation"}.get(split, split)
            raise DataError(f"no {name} sequence is long enough to be scored", hint="add more or longer sequences")
    everything = all_data(folder, network, task, encoded.splits, encoded.train, config.training, say)
    device, checkpoints = device_for(config.training.device), folder / "checkpoints"
    if config.model.alone is not None:
        say(f"model: the {network.title}, solved; there is no network to train")
        return Ended(network.to(device), Progress(), None, encoded.train, everything, None)
    weights = sum(p.numel() for p in network.parameters())
    say(f"model: {network.title}, {weights:,} weights, on {device}; training: {Budget(config.training).say()}")
    trainer = _trainer(checkpoints, config, encoded, start, (log, *hooks), everything)
    if encoded.splits.valid is not None:
        seen = encoded.judged["valid"], encoded.splits.valid
        trainer.hooks = (*trainer.hooks, Looks(network, task, trainer.averaged, *seen, config.training, log))
    if saved is not None:
        for line in saved.skipped:
            say(f"skipped a damaged checkpoint: {line}")
        trainer.restore(saved)
        say(f"resuming from step {saved.step}")
    else:
        shutil.rmtree(checkpoints, ignore_errors=True)  # the best weights of a run that was killed before it saved
    progress, selection = trainer.run(), trainer.selection
    before = selection.before_refit(progress)
    return Ended(network, progress, selection.best_metrics(), trainer.learned(), everything, before)


def _trainer(
    checkpoints: Path,
    config: RunConfig,
    encoded: Encoded,
    start: Untrained,
    hooks: tuple[Hook, ...] = (),
    everything: Callable[[], Examples | None] | None = None,
) -> Trainer:
    return Trainer(
        start.network,
        encoded.measured.task,
        encoded.train,
        encoded.judged.get("valid"),
        config.training,
        checkpoints,
        hooks,
        device_for(config.training.device),
        start.frozen,
        everything=everything,
        from_start=config.model.origin is not None,
    )


def _with_tensorboard(wanted: bool, folder: Path, hooks: tuple[Hook, ...]) -> tuple[Hook, ...]:
    return (*hooks, tensorboard_to(folder / "tensorboard")) if wanted else hooks
