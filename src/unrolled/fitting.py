"""Fit: from data to a trained, saved model. The way of the data, from top to bottom."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch

from unrolled.asked import (
    advice,
    as_read,
    check_items,
    check_kmer,
    check_model,
    check_owned,
    check_pieces,
    check_positions,
    check_read,
    default_target,
    default_tokens,
    drawn_items,
    task_name,
    told_tokens,
    told_unread,
)
from unrolled.baselines.baseline import score_baselines
from unrolled.card import card
from unrolled.config import DataConfig, ModelConfig, RunConfig, TaskConfig, TrainingConfig, spread
from unrolled.data.coder import Preprocessor
from unrolled.data.examples import Examples
from unrolled.data.fingerprint import MEMORY, fingerprint, fingerprint_table, verify
from unrolled.data.preparation import Preparation, kind_options
from unrolled.data.read import read
from unrolled.data.roles import Roles
from unrolled.data.sequences import Sequences
from unrolled.errors import DataError, ModelError, UsageError
from unrolled.files import space_errors, write_file, write_manifest
from unrolled.layers.build import build_layer, member_of
from unrolled.loading import build, open_run
from unrolled.models.build import layer_configs
from unrolled.pretrained import Start, open_start, start_again
from unrolled.registry import outside_members
from unrolled.rundir import alone, choose, claimed, keep_options
from unrolled.splits import FileSplit, LastStep, parse, split_up
from unrolled.tasks.task import TASKS, Question, make_task
from unrolled.trained import Trained
from unrolled.training import checkpoint
from unrolled.training.device import device_for
from unrolled.training.evaluate import evaluate
from unrolled.training.hooks import Hook, log_to, need_tensorboard, tensorboard_to
from unrolled.training.plans import can_be_judged
from unrolled.training.schedule import Budget
from unrolled.training.trainer import Trainer
from unrolled.wordvectors import check_again, check_vectors, encoder_of, give_vectors, kept_inputs, with_width

__all__ = ["fit", "resume"]

Say = Callable[[str], None]


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
        options: a user's, flat (see `unrolled.config.spread`).
        out: the run directory; by default the next free ``runs/<name>-<n>``.
        overwrite: replace the run in ``out``.
        tensorboard: write TensorBoard's files too.
        hooks, say: who is told of events, and of what was inferred and done.

    Raises:
        UsageError: an option is unknown, out of range, or of another task; no task answers the question.
        DataError: the data cannot be read, or cannot be asked this.
    """
    if tensorboard:
        need_tensorboard()
    given = spread(options)
    data = DataConfig.check({**given["data"], "source": str(source) if isinstance(source, str | Path) else "memory"})
    given["task"].setdefault("name", None)
    start = open_start(given["training"]["start"], out) if "start" in given["training"] else None
    training = TrainingConfig.check({"device": "auto", **given["training"]})
    device_for(training.device)  # a wrong one is refused before anything is read
    vectors = check_vectors(data, training)
    sequences = read(source, as_read(data, given["task"]["name"]), steps=given["task"].get("horizon") is not None)
    for line in _describe(sequences):
        say(line)
    if (target := default_target(sequences, data, given["task"]["name"])) != data.target:
        say(f"target: {target[0]}, the folders that the files lie in; --target overrules it")
        data = data.model_copy(update={"target": target})
    question = Question(sequences, data.target, data.inputs, given["task"].get("horizon"), data.ahead)
    name, reason = task_name(question, given["task"]["name"])
    say(f"task: {name} ({reason}); --task overrules it")
    task_class = TASKS.get(name)
    check_owned(options, name)
    check_kmer(data.kmer, name)
    roles: Roles = task_class.roles(question)
    kinds = {**sequences.kinds, **roles.kinds}
    used = {kinds[column] for column in {*roles.inputs, *roles.joined, roles.target} & set(kinds)}
    check_read(options, used)
    for line in told_unread(question, roles):
        say(line)
    model = with_width(ModelConfig.check(given["model"]) if start is None else start.model(given["model"]), vectors)
    if start is not None:
        roles, start = start.take_over(roles, sequences, data)
        data = data.model_copy(update={"vocabulary": start.config.data.vocabulary})  # a run that goes on is held to it
        say(f"from {start.place}: {model.name}, its encodings, and all its weights but the head's")
    for line in advice(name, model):
        say(line)
    parts = layer_configs(model, roles.form.writes)
    with torch.device("meta"):  # takes no memory, and an unknown name is found before anything is written
        for part in parts:
            build_layer(part, 1)
    check_model(options, [part.name for part in parts])
    config = RunConfig(
        task=TaskConfig.check({**given["task"], "name": name}),
        data=data,
        model=model,
        training=training,
        files=_fingerprints(source, data, training, start, sequences.table),
        columns=tuple(sequences.table.column_names),
        members=outside_members(
            [
                ("task", name),
                ("form", roles.form.name),
                *(("encoding", kind) for kind in used),
                *(member_of(part.name) for part in parts),
            ]
        ),
    )
    folder = choose(out, data.source, overwrite)
    with claimed(folder, config):
        say(f"run: {folder}")
        return _train(folder, config, sequences, roles, start, _with_tensorboard(tensorboard, folder, hooks), say)


def resume(
    folder: Path,
    options: dict[str, Any],
    *,
    source: Any = None,
    tensorboard: bool = False,
    hooks: tuple[Hook, ...] = (),
    say: Say = lambda _: None,
) -> Trained:
    """Go on with a run that was stopped, exactly where it was; a finished one is loaded and said to be finished.

    Args:
        folder: its run directory.
        options: none, or those that the run began with.
        source: the data, where it was in memory; a path is taken from the run.

    Raises:
        ModelError: ``folder`` is not a run of ours, or is damaged.
        DataError: the data is not what the run began with.
        UsageError: an option differs from what the run began with.
    """
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} is not a run of ours: it has no config.json")
    config = RunConfig.parse((folder / "config.json").read_bytes(), str(folder))
    keep_options(folder, config, options)
    if (folder / "manifest.json").is_file():
        say(f"{folder} is finished: nothing is left to train")
        return open_run(folder)
    if config.data.source == "memory" and source is None:
        raise UsageError(f"{folder} was trained on data in memory: give the same data again to resume it")
    training = _same_source(folder, config, source)
    for role, saved in config.files.items():
        place = str(source) if role == "training" and source is not None else str(saved["path"])
        if saved["path"] != MEMORY and role not in ("start", "vectors"):  # may be gone by now
            verify(saved, fingerprint(place))
            say(f"{role} data unchanged: {place}")
    if Budget(config.training).by_clock:
        say("the clock steers this run's schedule, so it goes on, but not to the last bit as if it had never stopped")
    sequences = read(
        source if source is not None else config.data.source,
        as_read(config.data, config.task.name),
        steps=config.task.horizon is not None,
    )
    if training["path"] == MEMORY:
        verify(training, fingerprint_table(sequences.table))
    question = Question(sequences, config.data.target, config.data.inputs, config.task.horizon, config.data.ahead)
    roles: Roles = TASKS.get(config.task.name).roles(question)
    with alone(folder):
        check_again(folder, config)
        start = start_again(folder, config)
        if start is not None:
            roles, start = start.take_over(roles, sequences, config.data)
        return _train(folder, config, sequences, roles, start, _with_tensorboard(tensorboard, folder, hooks), say)


def _train(
    folder: Path,
    config: RunConfig,
    sequences: Sequences,
    roles: Roles,
    start: Start | None,
    hooks: tuple[Hook, ...],
    say: Say,
) -> Trained:
    sequences = replace(sequences, kinds={**sequences.kinds, **roles.kinds})
    splits = split_up(sequences, config, roles, say)
    before = start.inputs if start else kept_inputs(folder, config)
    coder = Preprocessor.fit(splits.train, roles, _preparation(config), before)
    task = make_task(config.task, coder)  # before anything is encoded: it refuses a target that it cannot answer
    check_items(coder, config)
    for name in coder.inputs:
        say(f"input {name}: {coder.report(name)}")
    if not coder.continues:
        say(f"target {coder.target}: {coder.answer.report()}")
    for line in told_tokens(config, coder):
        say(line)
    with space_errors(folder):
        shutil.rmtree(folder / "cache", ignore_errors=True)
        train = coder.encode(splits.train, cache=folder / "cache" / "train")
        measured = task.measure_training(train)
        task, coder = measured.task, measured.task.coder
        for line in measured.notes:
            say(line)
        (folder / "encodings").mkdir(exist_ok=True)
        for name, content in coder.to_files().items():
            write_file(folder / "encodings" / name, content)
        if coder.first_item is not None:  # how much a floor or a largest vocabulary costs
            for line in coder.notes(splits.train, train):
                say(f"train, {line}")
        if config.data.strands == "both" and train.strands is None:
            raise UsageError("--strands both: no input is of kind symbols and holds DNA or RNA, which alone have two")
        judged: dict[str, Examples] = {}
        for role, part in (("valid", splits.valid), ("test", splits.test)):
            if part is not None:  # the test split too: what is wrong with it is found before hours of training
                judged[role] = coder.encode(part, cache=folder / "cache" / role)
                for line in coder.notes(part, judged[role]):
                    say(f"{role}, {line}")
        device = device_for(config.training.device)
        torch.manual_seed(config.training.seed)
        network = build(config, task)
        for role, examples in {"train": train, **judged}.items():
            check_positions(network, task, examples, getattr(splits, role))
        drawn = drawn_items(config.training.softmax, task.outputs) if coder.first_item is not None else 0
        if drawn:
            say(f"softmax: each step learns from {drawn:,} of {task.outputs:,} items, drawn by how often they come")
        network.initialise(measured.prior, measured.longest, drawn)
        saved = checkpoint.newest(folder / "checkpoints")
        if start is not None:
            start.give(network)
        frozen = give_vectors(network, coder, train, config, saved, say)
        check_pieces(network, train, config)
        weights = sum(p.numel() for p in network.parameters())
        say(f"model: {network.title}, {weights:,} weights, on {device}; training: {Budget(config.training).say()}")
        log = log_to(folder / "metrics.jsonl", saved.step if saved else -1)
        if "test" in judged and not can_be_judged(judged["test"], config.task, config.training):
            raise DataError("no test sequence is long enough to be judged by", hint="give more or longer ones")
        checkpoints, valid = folder / "checkpoints", judged.get("valid")
        trainer = Trainer(network, task, train, valid, config.training, checkpoints, (log, *hooks), device, frozen)
        if saved is not None:
            for line in saved.skipped:
                say(f"skipped a damaged checkpoint: {line}")
            trainer.restore(saved)
            say(f"going on from step {saved.step}")
        elif (checkpoints / "best").exists():
            shutil.rmtree(checkpoints / "best")
        progress = trainer.run()
        known = {"valid": trainer.best_metrics()}  # of these weights, when they were validated
        metrics = {
            s: known.get(s) or evaluate(network, task, part, config.training, device) for s, part in judged.items()
        }
        network = network.to("cpu").eval()
        for split, values in metrics.items():
            for hook in (log, *hooks):
                hook({"kind": split + "_final", "step": progress.step, **values})
        baselines = {split: _baselines(train, part, metrics[split]) for split, part in judged.items()}
        trained = Trained(config, task, network, metrics, baselines, folder)
        files = {**trained.files(), "README.md": card(trained, progress, splits.notes).encode()}
        for name, content in files.items():
            write_file(folder / name, content)
        write_manifest(folder, files)
    return trained


def _preparation(config: RunConfig) -> Preparation:
    """How the columns of a run are prepared."""
    data, tokens, encoder = config.data, default_tokens(config), encoder_of(config.training)
    cut, by_window = any(isinstance(parse(how), LastStep) for how in (data.valid, data.test)), data.scale == "window"
    return Preparation(kind_options(data), tokens, encoder, cut=cut, shared=data.shared, by_window=by_window)


def _baselines(train: Examples, part: Examples, own: dict[str, float]) -> dict[str, dict[str, float]]:
    """Their scores in the measures that the model has too."""
    scores = score_baselines(train, part)
    return {name: {key: value for key, value in values.items() if key in own} for name, values in scores.items()}


def _describe(sequences: Sequences) -> list[str]:
    kinds = ", ".join(f"{name} ({kind})" for name, kind in sequences.kinds.items())
    return [f"read {sequences.origin}, {len(sequences)} rows: {kinds}; --kind column=… overrules", *sequences.notes]


def _fingerprints(
    source: Any, data: DataConfig, begin: TrainingConfig, start: Start | None, table: pa.Table
) -> dict[str, dict[str, str | int]]:
    training = fingerprint(source) if _is_file(source) else fingerprint_table(table)
    held_out = {"validation": parse(data.valid), "test": parse(data.test)}
    files = {role: how.path for role, how in held_out.items() if isinstance(how, FileSplit)}
    found = {role: fingerprint(path) for role, path in {**files, "vectors": begin.vectors}.items() if path is not None}
    return {"training": training, **found, **({} if start is None else {"start": start.fingerprint})}


def _is_file(source: Any) -> bool:
    return isinstance(source, str | Path) and str(source) != "-"


def _same_source(folder: Path, config: RunConfig, source: Any) -> dict[str, str | int]:
    """The fingerprint of the data that the run began with, if ``source`` may be that data."""
    if "training" not in config.files:
        raise ModelError(f"{folder} cannot go on: its config.json does not say what it was trained on")
    training = config.files["training"]
    path = str(training["path"])
    if source is not None and _is_file(source) == (path == MEMORY):
        place = "in memory" if path == MEMORY else f"from {path}"
        raise UsageError(f"{folder} was trained on data {place}: give the same data to resume it")
    return training


def _with_tensorboard(wanted: bool, folder: Path, hooks: tuple[Hook, ...]) -> tuple[Hook, ...]:
    return (*hooks, tensorboard_to(folder / "tensorboard")) if wanted else hooks
