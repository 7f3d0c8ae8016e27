"""Training, from the data to a saved model: plan, encode, build the network, train, evaluate, write."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unrolled.baselines.baseline import fit_baselines
from unrolled.data.encodings.facets import Reusable
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.tables.sequences import JOINED, Sequences
from unrolled.errors import DataError, ModelError, named
from unrolled.models.model import Model
from unrolled.runs.advice import Course, about_data, about_training
from unrolled.runs.card import card
from unrolled.runs.checks import check_idle, check_pieces, check_positions
from unrolled.runs.config import RunConfig
from unrolled.runs.directory import alone, choose, claimed, keep_options
from unrolled.runs.findings import Findings
from unrolled.runs.judging import Judged, judge_split
from unrolled.runs.opening import build, open_run
from unrolled.runs.plan import RunPlan, Say, plan_from_options, plan_from_run
from unrolled.runs.splits import LastStep, Splits, parse, split_up
from unrolled.runs.trained import Trained
from unrolled.runs.word_vectors import encoder_of, give_vectors, kept_inputs
from unrolled.storage.directories import space_errors, write_file, write_manifest
from unrolled.tasks.task import TASKS, Measured, Task, make_task
from unrolled.training import checkpoint
from unrolled.training.checkpoint import Checkpoint
from unrolled.training.device import device_for
from unrolled.training.evaluate import evaluate, outputs_over
from unrolled.training.hooks import Hook, log_to, need_tensorboard, tensorboard_to
from unrolled.training.plans import can_be_judged
from unrolled.training.schedule import Budget
from unrolled.training.trainer import Progress, Trainer

__all__ = ["fit", "resume"]


@dataclass(frozen=True, slots=True)
class Encoded:
    """The splits of a run as numbers.

    Attributes:
        measured: the task, and what it learned from the training split.
        train: what is trained on.
        judged: ``valid`` and ``test``, if the run has them.
        splits: the splits before encoding, and how they were made.
    """

    measured: Measured
    train: Examples
    judged: dict[str, Examples]
    splits: Splits

    def pairs(self) -> Iterator[tuple[Examples, Sequences]]:
        """Each split after and before encoding."""
        yield self.train, self.splits.train
        for role, part in self.splits.held_out().items():
            yield self.judged[role], part


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
        return _run(folder, plan, _with_tensorboard(tensorboard, folder, hooks), say)


def resume(
    folder: Path,
    options: dict[str, Any],
    *,
    source: Any = None,
    tensorboard: bool = False,
    hooks: tuple[Hook, ...] = (),
    say: Say = lambda _: None,
) -> Trained:
    """Resume a stopped run exactly where it stopped; a finished one is only loaded.

    Args:
        folder: its run directory.
        options: none, or those that the run was started with.
        source: the data, if it was in memory; a path is known from the run.
        tensorboard, hooks, say: as for `fit`.

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
        return _run(folder, plan, _with_tensorboard(tensorboard, folder, hooks), say)


def _run(folder: Path, plan: RunPlan, hooks: tuple[Hook, ...], say: Say) -> Trained:
    with space_errors(folder):
        encoded = encode(folder, plan, say)
        start = new_network(folder, plan, encoded, say)
        log = log_to(folder / "metrics.jsonl", start.saved.step if start.saved else -1)
        progress, validated = train(folder, plan.config, encoded, start, (log, *hooks), say)
        trained = judge(folder, plan.config, encoded, start.network, validated, progress)
        for split, values in trained.metrics.items():
            for hook in (log, *hooks):
                hook({"kind": split + "_final", "step": progress.step, **values})
        write(folder, trained, progress, encoded.splits)
    return trained


def encode(folder: Path, plan: RunPlan, say: Say) -> Encoded:
    """Split the data, fit the encodings on the training split only, and encode each split."""
    config = plan.config
    sequences = replace(plan.sequences, kinds={**plan.sequences.kinds, **plan.roles.kinds})
    splits = split_up(sequences, config, plan.roles, say)
    coder = _fitted(folder, plan, splits)
    for line in (*coder.reports(), *_chosen_tokens(plan, coder)):
        say(line)
    shutil.rmtree(folder / "cache", ignore_errors=True)
    train = coder.encode(splits.train, cache=folder / "cache" / "train")
    measured = make_task(config.task, coder).measure_training(train)
    coder = measured.task.coder
    for line in measured.notes:
        say(line)
    (folder / "encodings").mkdir(exist_ok=True)
    for name, content in coder.to_files().items():
        write_file(folder / "encodings" / name, content)
    if coder.first_item is not None:  # how much a minimum count or a limited vocabulary leaves out
        for line in coder.notes(splits.train, train):
            say(f"train, {line}")
    judged: dict[str, Examples] = {}
    for role, part in splits.held_out().items():  # test too, so that errors in it are found before hours of training
        judged[role] = coder.encode(part, cache=folder / "cache" / role)
        for line in coder.notes(part, judged[role]):
            say(f"{role}, {line}")
    return Encoded(measured, train, judged, splits)


def _fitted(folder: Path, plan: RunPlan, splits: Splits) -> Preprocessor:
    config = plan.config
    kinds = {**splits.train.kinds, **plan.roles.kinds, **({"": JOINED} if plan.roles.joined else {})}
    task: type[Task] = TASKS.get(config.task.name)
    options = {kind: config.data.of("encoding", kind) for kind in set(kinds.values())}
    if config.training.vectors is not None and (texts := options.get("tokens")) is not None:
        options["tokens"] = texts.model_copy(update={"tokens": texts.tokens or "words"})  # vectors are of words
    preparation = Preparation(
        options,
        tokens=task.tokens,
        encoder=encoder_of(config.training),
        cut=any(isinstance(parse(how), LastStep) for how in (config.data.valid, config.data.test)),
        shared=plan.roles.shared,
        by_window=plan.roles.by_window,
    )
    before = plan.start.inputs if plan.start else kept_inputs(folder, config)
    return Preprocessor.fit(splits.train, plan.roles, preparation, before)


def _chosen_tokens(plan: RunPlan, coder: Preprocessor) -> Iterator[str]:
    """Lines about texts that are not split as is the default of the task, because there would be too many words."""
    encodings = {**coder.inputs, coder.target: coder.answer}
    task: type[Task] = TASKS.get(plan.config.task.name)
    if plan.start is not None or plan.config.data.of("encoding", "tokens").tokens is not None:
        return
    reasons = {
        "bpe": "subwords (bpe) for {}, which has more words than a vocabulary should hold",
        "characters": "characters for {}, which has no blanks between words, or single words that seldom come again",
    }
    for level, reason in reasons.items():
        names = [n for n, e in encodings.items() if isinstance(e, Reusable) and e.settled.get("tokens") == level]
        if names and task.tokens != level:
            yield f"tokens: {reason.format(', '.join(names))}; {named('tokens')} words overrides this"


def new_network(folder: Path, plan: RunPlan, encoded: Encoded, say: Say) -> Untrained:
    """The network before the first step, with its initial weights and those taken from another run or file."""
    config, measured, task = plan.config, encoded.measured, encoded.measured.task
    torch.manual_seed(config.training.seed)
    network = build(config, task)
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
    folder: Path, config: RunConfig, encoded: Encoded, start: Untrained, hooks: tuple[Hook, ...], say: Say
) -> tuple[Progress, dict[str, float] | None]:
    """Train until the budget is spent; return where training ended, and the validation metrics of the best weights.

    Args:
        folder: the run directory, for checkpoints.
        config: the options of the run.
        encoded: its splits.
        start: the network before training, and the checkpoint to resume from, if any.
        hooks, say: as for `fit`.

    Raises:
        DataError: no test sequence is long enough to be scored.
    """
    task, network, saved = encoded.measured.task, start.network, start.saved
    device = device_for(config.training.device)
    weights = sum(p.numel() for p in network.parameters())
    say(f"model: {network.title}, {weights:,} weights, on {device}; training: {Budget(config.training).say()}")
    if "test" in encoded.judged and not can_be_judged(encoded.judged["test"], task.batching, config.training):
        raise DataError("no test sequence is long enough to be scored", hint="give more or longer test sequences")
    checkpoints, valid = folder / "checkpoints", encoded.judged.get("valid")
    trainer = Trainer(network, task, encoded.train, valid, config.training, checkpoints, hooks, device, start.frozen)
    if saved is not None:
        for line in saved.skipped:
            say(f"skipped a damaged checkpoint: {line}")
        trainer.restore(saved)
        say(f"resuming from step {saved.step}")
    elif (checkpoints / "best").exists():
        shutil.rmtree(checkpoints / "best")
    return trainer.run(), trainer.best_metrics()


def judge(
    folder: Path,
    config: RunConfig,
    encoded: Encoded,
    network: Model,
    validated: dict[str, float] | None,
    progress: Progress,
) -> Trained:
    """The trained model with its metrics on each held-out split, and those of the baselines.

    Args:
        folder: the run directory.
        config: the options of the run.
        encoded: its splits.
        network: the network with the best weights.
        validated: its metrics on the validation split, if there is one.
        progress: where training ended.
    """
    before, device = encoded.measured.task, device_for(config.training.device)
    network.eval()
    task = before
    if "valid" in encoded.judged:
        task = before.measure_validation(
            outputs_over(network, before, encoded.judged["valid"], config.training, device)
        )
    known = {"valid": validated} if task is before else {}  # measured when these weights were validated
    metrics = {
        split: known.get(split) or evaluate(network, task, part, config.training, device)
        for split, part in encoded.judged.items()
    }
    fitted = fit_baselines(encoded.train, config.training.own) if encoded.judged else {}
    judged = {
        split: judge_split(network, task, part, metrics[split], fitted, config.training, device)
        for split, part in encoded.judged.items()
    }
    baselines = {split: found.baselines for split, found in judged.items()}
    learned = {name: value for name, value in task.coder.learned.items() if before.coder.learned.get(name) != value}
    found = _findings(folder, config, task, judged, progress, learned)
    return Trained(config, task, network.to("cpu"), metrics, baselines, folder, found)


def _findings(
    folder: Path,
    config: RunConfig,
    task: Task,
    judged: dict[str, Judged],
    progress: Progress,
    learned: dict[str, float],
) -> Findings:
    verdicts = {split: found.verdict for split, found in judged.items() if found.verdict is not None}
    if "valid" not in judged:
        return Findings(verdicts)
    best = checkpoint.best(folder / "checkpoints")
    kept = None if best is None else int(best.meta["step"])
    course = Course.read(folder / "metrics.jsonl", task.watch, kept, progress.step)
    advice: list[str] = []
    verdict = verdicts.get("valid")
    if verdict is None or not (verdict.outcome == "better" or verdict.perfect):
        advice += about_training(course, config.model, config.training)
    advice += about_data(judged["valid"].held, task.for_rare)
    if learned:
        advice.append(f"Set on the validation data: {', '.join(f'{n} {v:.3g}' for n, v in learned.items())}.")
    return Findings(verdicts, tuple(advice), None if kept is None else (kept, progress.step))


def write(folder: Path, trained: Trained, progress: Progress, splits: Splits) -> None:
    """Write the run directory; its manifest, which comes last, marks the run as finished."""
    files = {**trained.files(), "README.md": card(trained, progress, splits.notes).encode()}
    for name, content in files.items():
        write_file(folder / name, content)
    write_manifest(folder, files)


def _with_tensorboard(wanted: bool, folder: Path, hooks: tuple[Hook, ...]) -> tuple[Hook, ...]:
    return (*hooks, tensorboard_to(folder / "tensorboard")) if wanted else hooks
