"""Training, from the data to a saved model: plan, encode, build the network, train, evaluate, write."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from unrolled.data.examples.examples import Examples
from unrolled.data.io.remote import files_kept_in
from unrolled.errors import DataError, ModelError, UsageError, named
from unrolled.models.model import Model
from unrolled.runs.composition import Composer, with_start
from unrolled.runs.config import RunConfig
from unrolled.runs.directory import alone, choose, claimed, keep_options
from unrolled.runs.encode import Encoded, encode
from unrolled.runs.looks import Looks
from unrolled.runs.on_ranks import agreed, check_ranks, check_source, led_files, only_leader, place_of, write_all
from unrolled.runs.opening import files_of, from_files, is_whole
from unrolled.runs.outcome import judge, write
from unrolled.runs.plan import RunPlan, Say, plan_from_options, plan_from_run, same_source, with_own_place
from unrolled.runs.prepared import OWN
from unrolled.runs.race import raced
from unrolled.runs.refitting import Ended, all_data, with_weights
from unrolled.runs.rivals import SOLVED_IN_TIME, Rivals, rivals_in_time
from unrolled.runs.run_report import REPORT, held_of, report
from unrolled.runs.trained import Trained
from unrolled.runs.training_log import read_log
from unrolled.runs.untrained import Untrained, new_network
from unrolled.storage.directories import space_errors, write_file
from unrolled.training import checkpoint
from unrolled.training.batch_gradient import said_of_shares
from unrolled.training.device import device_for
from unrolled.training.hooks import LOG, Hook, log_to, need_tensorboard, tensorboard_to
from unrolled.training.plans import can_be_judged
from unrolled.training.position import Progress
from unrolled.training.schedule import Budget
from unrolled.training.together import ALONE, Together
from unrolled.training.trainer import Trainer

__all__ = ["fit", "resume"]


def fit(
    source: Any,
    options: dict[str, Any],
    *,
    out: Path | None = None,
    overwrite: bool = False,
    go_on: bool = False,
    cache: str | Path | None = None,
    tensorboard: bool = False,
    page: bool = False,
    hooks: tuple[Hook, ...] = (),
    say: Say = lambda _: None,
    together: Together = ALONE,
) -> Trained:
    """Train on ``source``, from the data to a saved run.

    Args:
        source: a path, or a table in memory.
        options: the user's, in one flat mapping.
        out: the run directory; by default the next free ``runs/<name>-<n>``.
        overwrite: replace the run in ``out``.
        go_on: if there is a run in ``out``, resume it, or load it if it is finished.
        cache: a folder of prepared data that runs share; by default large data is kept in the run until it is finished.
        tensorboard, page: write TensorBoard files, and ``report.html``, too.
        hooks, say: functions that receive training events, and lines about what was inferred and done.
        together: the ranks of the training, each of which calls this. Only the leader writes, and calls the functions.

    Raises:
        UsageError: an option is unknown, out of range, or has no effect in this run; or no task fits the target.
        DataError: the data cannot be read, or does not suit the task.
    """
    if go_on:
        if out is None or overwrite:
            raise UsageError(f"{named('go_on')} needs {named('out')}, and does not go with {named('overwrite')}")
        if together.led(lambda: b"1" if (out / "config.json").is_file() else b""):
            return resume(
                out, options, source=source, tensorboard=tensorboard, page=page, hooks=hooks, say=say, together=together
            )
    if tensorboard:
        need_tensorboard()
    check_source(source, together)
    say, hooks = only_leader(together, say, hooks)
    with ExitStack() as stack, files_kept_in(cache):
        plan = together.each(lambda: plan_from_options(source, options, out, say, cache))
        check_ranks(plan.config, together)
        chosen = partial(choose, out, plan.config.source, overwrite)
        place, run = place_of(together, stack, chosen, lambda folder: claimed(folder, plan.config))
        say(f"run: {run}")
        plan = with_own_place(plan, place, together.leads)
        return _run(place, run, plan, _with_tensorboard(tensorboard, run, hooks, together), say, page, together)


def resume(
    folder: Path,
    options: dict[str, Any],
    *,
    source: Any = None,
    tensorboard: bool = False,
    page: bool = False,
    hooks: tuple[Hook, ...] = (),
    say: Say = lambda _: None,
    together: Together = ALONE,
) -> Trained:
    """Resume a stopped run exactly where it stopped; a finished one is only loaded.

    Args:
        folder: its run directory.
        options: none, or those that the run was started with.
        source: the data, if it was in memory; a path is known from the run.
        tensorboard, page, hooks, say, together: as for `fit`.

    Raises:
        ModelError: ``folder`` is not a run, or is damaged.
        DataError: the data has changed since the run started.
        UsageError: an option differs from what the run was started with.
    """
    say, hooks = only_leader(together, say, hooks)
    files = led_files(together, lambda: _files_of(folder, options, source))
    if is_whole(files):
        say(f"{folder} is finished: nothing is left to train")
        return from_files(folder, files)
    with ExitStack() as stack, files_kept_in(None):
        place, _ = place_of(together, stack, lambda: folder, alone)
        write_all(place, files, together)
        config = RunConfig.parse(files["config.json"], str(folder))
        check_ranks(config, together)
        begun = together.led(lambda: b"1" if checkpoint.newest_place(folder / "checkpoints") else b"") != b""
        plan = together.each(lambda: plan_from_run(place, config, source, begun, say, folder))
        plan = with_own_place(plan, place, together.leads)
        return _run(place, folder, plan, _with_tensorboard(tensorboard, folder, hooks, together), say, page, together)


def _files_of(folder: Path, options: dict[str, Any], source: Any) -> dict[str, bytes]:
    """The files of a run that all ranks need: all of a finished one, else the configuration and the encodings."""
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} is not a run: it has no config.json")
    content = (folder / "config.json").read_bytes()
    keep_options(folder, config := RunConfig.parse(content, str(folder)), options)
    if source is not None:
        same_source(folder, config, source)
    known = (folder / "encodings" / "coder.json").is_file()  # else it was stopped before it had encodings
    return files_of(folder) if known else {"config.json": content}


def _run(
    folder: Path, run: Path, plan: RunPlan, hooks: tuple[Hook, ...], say: Say, page: bool, together: Together
) -> Trained:
    """Train in ``folder``, which is the directory of the ``run`` on the leader."""
    with space_errors(folder):
        encoded = encode(folder, plan, say, together)
        task, device = encoded.measured.task, device_for(plan.config.training.device)
        rivals = Rivals()

        def begun() -> RunConfig:
            nonlocal rivals
            rivals = rivals_in_time(folder, encoded.config, task, encoded.train, encoded.judged, say)
            if line := rivals.say(task.chooses):
                say(line)
            config = with_start(encoded.config, task, rivals, say)
            if config is not encoded.config:
                write_file(folder / "config.json", config.model_dump_json(indent=1).encode())
            return config

        config = agreed(together, begun)

        def contestant(other: RunConfig, place: Path) -> Trainer:
            start = new_network(place, plan, other, encoded, rivals, lambda _: None, together)
            return _trainer(place, other, encoded, start, together=together)

        if config.model.alone is None:
            config = raced(folder, config, encoded, contestant, device, say, together)
        kept = run if config.training.shard_weights else folder  # whose checkpoints this rank reads and writes
        start = new_network(kept, plan, config, encoded, rivals, say, together)
        log = log_to(folder / LOG, start.saved.step if start.saved else -1)
        ended = train(folder, config, encoded, start, log, hooks, say, together)
        finished: list[Trained] = []

        def end() -> dict[str, bytes]:
            final, network = _composed(config, ended.network.eval(), encoded, ended, rivals, device, say)
            trained = judge(folder, final, encoded, network, ended, rivals)
            for split, values in trained.metrics.items():
                for hook in (log, *hooks):
                    hook({"kind": split + "_final", "step": ended.progress.step, **values})
            write(folder, trained, ended.progress, encoded.splits)
            for name in ("cache", OWN):  # a finished run needs neither
                shutil.rmtree(folder / name, ignore_errors=True)
            (folder / SOLVED_IN_TIME).unlink(missing_ok=True)
            if page:
                write_file(folder / REPORT, report(trained, held_of(encoded), read_log(folder)).encode())
                say(f"report: {folder / REPORT}")
            finished.append(trained)
            return trained.files() if not together.alone else {}

        files = led_files(together, end)
    return finished[0] if finished else from_files(run, files)


def _composed(
    config: RunConfig, network: Model, encoded: Encoded, ended: Ended, rivals: Rivals, device: str, say: Say
) -> tuple[RunConfig, Model]:
    """What the run's model is made of in the end."""
    valid = encoded.judged.get("valid")
    if valid is None:
        return config, network
    # Saved at the end only: a run that is stopped here decides again, from the weights that training kept.
    with with_weights(ended.network, ended.before):
        composer = Composer(encoded.measured.task, valid, rivals, device, say)
        return composer.compose(config, network, ended.validated)


def train(
    folder: Path,
    config: RunConfig,
    encoded: Encoded,
    start: Untrained,
    log: Hook,
    hooks: tuple[Hook, ...],
    say: Say,
    together: Together = ALONE,
) -> Ended:
    """Train until the budget is spent; a solved model without a network is trained already.

    Args:
        folder: the run directory, for encoded data.
        config: the options of the run.
        encoded: its splits.
        start: the network before training.
        log: the hook that writes the run's log; it receives the looks into the network too.
        hooks, say, together: as for `fit`.

    Raises:
        DataError: no sequence of a held-out split is long enough to be scored.
    """
    task, network, saved = encoded.measured.task, start.network, start.saved
    for split, part in encoded.judged.items():
        if not can_be_judged(part, task.batching, config.training):
            name = {"valid": "validation"}.get(split, split)
            raise DataError(f"no {name} sequence is long enough to be scored", hint="add more or longer sequences")
    everything = all_data(folder, network, task, encoded.splits, encoded.train, config.training, say)
    device, checkpoints = device_for(config.training.device), start.checkpoints
    if config.model.alone is not None:
        say(f"model: the {network.title}, solved; there is no network to train")
        return Ended(network.to(device), Progress(), None, encoded.train, everything, None)
    options = config.training
    if not together.alone or options.accumulate > 1:
        say(said_of_shares(options.batch, together, options.accumulate, options.batch_tokens))
    weights = sum(p.numel() for p in network.parameters())
    say(f"model: {network.title}, {weights:,} weights, on {device}; training: {Budget(config.training).say()}")
    trainer = _trainer(checkpoints, config, encoded, start, (log, *hooks), everything, together)
    if encoded.splits.valid is not None and trainer.sharded is None:  # a look passes through the network by itself
        seen = encoded.judged["valid"], encoded.splits.valid
        trainer.hooks = (*trainer.hooks, Looks(network, task, trainer.averaged, *seen, config.training, log))
    if saved is not None:
        for line in saved.skipped:
            say(f"skipped a damaged checkpoint: {line}")
        otherwise = trainer.restore(saved)
        say(f"resuming from step {saved.step}")
        if otherwise:
            say(otherwise)
    elif together.leads:
        shutil.rmtree(checkpoints, ignore_errors=True)  # the best weights of a run that was killed before it saved
    progress, selection = trainer.run(), trainer.selection
    before = selection.before_refit(progress)
    return Ended(trainer.whole(), progress, selection.best_metrics(), trainer.learned(), everything, before)


def _trainer(
    checkpoints: Path,
    config: RunConfig,
    encoded: Encoded,
    start: Untrained,
    hooks: tuple[Hook, ...] = (),
    everything: Callable[[], Examples | None] | None = None,
    together: Together = ALONE,
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
        replay=encoded.replay(),
        together=together,
    )


def _with_tensorboard(wanted: bool, run: Path, hooks: tuple[Hook, ...], together: Together) -> tuple[Hook, ...]:
    return (*hooks, tensorboard_to(run / "tensorboard")) if wanted and together.leads else hooks
