"""The training loop, with validation, checkpoints and resuming."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from unrolled.data.batches.loader import Loader
from unrolled.data.examples.examples import Examples
from unrolled.errors import TrainingError, named
from unrolled.kernels.scratch import release_memory
from unrolled.models.model import Model
from unrolled.tasks.task import Task
from unrolled.training import checkpoint
from unrolled.training.averaging import Average
from unrolled.training.batch_gradient import BatchGradient
from unrolled.training.clock import Allowance, Stopwatch, doubling
from unrolled.training.config import TrainingConfig
from unrolled.training.gradients import norms_by_part
from unrolled.training.hooks import Event, Hook, logs
from unrolled.training.interruption import Deferred, Every, Stop
from unrolled.training.old_rows import Replay, learned_rows
from unrolled.training.optimizer import optimizer_for
from unrolled.training.plans import check_enough, chunks, training_plan, window
from unrolled.training.position import Progress
from unrolled.training.saving import Checkpoints, alike, restore_alike, restore_own, step_seed
from unrolled.training.schedule import Budget, fall_length, planned_fall, rate
from unrolled.training.selection import Selection
from unrolled.training.sharded import Sharded
from unrolled.training.sparse_adamw import clip_gradients, step_rows
from unrolled.training.together import ALONE, Together

__all__ = ["Trainer"]

_TOO_MANY = 10  # non-finite steps in a row
_PATIENCE, _APART = 5, 40  # validations without improvement, if so many steps lie between them; else it may be noise


class Trainer:
    """Trains a network on a task, from its initial weights or from a checkpoint.

    The learning rate is held, and falls at the end: from three quarters of the steps on, or earlier when validation
    stops improving. The weights that are validated, kept and shipped are averages (see `Average`).

    Args:
        network: the network to train, in place.
        task: gives the loss and the metrics.
        train, valid: the encoded splits; without ``valid`` the last weights are kept, not the best.
        config: the options of training.
        folder: the run's ``checkpoints/``.
        hooks: called with every event, such as a logged step or a validation.
        device: ``cpu`` or ``cuda``.
        frozen: name of a parameter -> (rows,) bool, True for rows that must not change; such a parameter has no weight
            decay.
        everything: both splits together, which are learned from while the rate falls; it is called once it does, and
            may give ``None`` if they cannot be. By default the validation split is never learned from.
        from_start: validate before the first step, so that the initial weights may be the best.
        replay: which rows of ``train`` an epoch has; by default all.
        allowance: the steps of training, in place of the budget; no clock is read then.
        clock: gives seconds. Only a budget in minutes reads it, until it is turned into steps.
        together: the ranks of the training, each of which has such a trainer. They share each batch; the leader writes,
            calls the hooks and reads the clock. `Share` and `BatchGradient` say how.

    Raises:
        DataError: a split has no sequence that is long enough.
        TrainingError: ten steps in a row had a loss or gradient that is not finite.
        Interrupted: SIGINT or SIGTERM arrived; a checkpoint was saved first.
        SpaceError: the disk is full; earlier checkpoints are intact.
    """

    def __init__(
        self,
        network: Model,
        task: Task,
        train: Examples,
        valid: Examples | None,
        config: TrainingConfig,
        folder: Path,
        hooks: tuple[Hook, ...] = (),
        device: str = "cpu",
        frozen: Mapping[str, Tensor] = MappingProxyType({}),
        *,
        everything: Callable[[], Examples | None] | None = None,
        from_start: bool = False,
        replay: Replay | None = None,
        allowance: Allowance | None = None,
        clock: Callable[[], float] = time.monotonic,
        together: Together = ALONE,
    ) -> None:
        self.sharded = Sharded(network, together, device) if config.shard_weights else None  # moves only its rows
        self.network, self.task, self.train, self.valid = network.to(device), task, train, valid
        self.config, self.folder, self.hooks, self.device, self.frozen = config, folder, hooks, device, frozen
        self.together, self.checkpoints = together, Checkpoints(folder, together, config.shard_weights)
        self.from_start, self.clock, self.budget, self.progress = from_start, clock, Budget(config), Progress()
        self._everything, self._allowance, self._replay = everything, allowance, replay
        self._whole: Examples | None = None  # once it is learned
        length = chunks(window(train, config), config)
        self.gradient = BatchGradient(network, task, length, together, config.accumulate, device, self.sharded)
        self.optimizer, self.average = optimizer_for(self.network, config, frozen), Average(self.network)
        self.selection = Selection(
            network, task, valid, config, self.checkpoints, device, self.average, together, self.sharded
        )
        self.every = Every.parse(config.checkpoint_every or "60s")
        self.stop, self._started = Stop(together), 0.0
        self._norms: dict[str, float] = {}  # of the gradient at the last logged step

    def run(self, until: int | None = None) -> Progress:
        """Train until the budget is spent or training ends early, then load the weights that are kept.

        With ``until``, only that many steps are taken in all, and a checkpoint is saved: a later ``run``, or one of
        another trainer that restored it, continues. The network then has the weights as trained; `averaged` gives it
        the others.
        """
        try:
            with Deferred(self.stop.hear), self.together.reaching():
                self._loop(math.inf if until is None else until)
        finally:
            release_memory()
        if self.progress.is_over:
            self.selection.load_kept(self.progress)
        return self.progress

    def averaged(self) -> AbstractContextManager[None]:
        """The network has its averaged weights while this is open."""
        return self.average.applied()

    def whole(self) -> Model:
        """The network with all weights; if they are sharded over the ranks, only the leader's has them."""
        return self.network if self.sharded is None else self.sharded.whole()

    def learned(self) -> Examples:
        """What the weights that are kept were trained on at the end: ``train``, or everything."""
        p = self.progress
        return self._loaders()[0].examples if p.refit and not p.refused else self.train

    def _loop(self, until: float) -> None:
        p, self._started = self.progress, self.clock() - self.progress.seconds
        self.network.train()
        loaders = self._loaders()
        stopwatch = self._begin(len(loaders[0]))
        while p.step < until:
            if self._fall_is_due():
                loaders = self._begin_fall(loaders)
            if p.is_over:
                break
            self._step(loaders)
            p.index, p.step = p.index + 1, p.step + 1
            if self.together.alone:
                p.seconds = self._elapsed()
            if logs(p.step):
                self._log()
            if p.index == len(loaders[0]):
                p.epoch, p.index = p.epoch + 1, 0
                self.gradient.restart()
                loaders = self._loaders()
            if stopwatch is not None:
                stopwatch = self._time(stopwatch, len(loaders[0]))
            elif self._validation_is_due():
                self._validate()
            # After a skipped step the weights may have diverged, so they must not replace a good checkpoint. Before the
            # clock was read a checkpoint would only split the measurement.
            if self.stop.agreed is not None or (
                stopwatch is None and p.skipped_in_row == 0 and self.every.is_due(p.step, p.seconds - p.saved)
            ):
                self.save()
            self.stop.leave(p.step, self.folder.parent)
        if p.is_over and p.refit and not p.checked:
            self._check_refit()
        elif p.is_over and not p.refit and self.valid is not None and p.validated != p.step:
            self._validate()
        self.save()
        self.stop.agree()
        self.stop.leave(p.step, self.folder.parent)

    def _elapsed(self) -> float:
        return self.clock() - self._started

    def _step(self, loaders: list[Loader]) -> None:
        p, config = self.progress, self.config
        for group in self.optimizer.param_groups:
            group["lr"] = rate(config.lr, p.step, p.warm, p.fall, p.end or 0)
        share, seed = p.share or 0.0, step_seed(config.seed, p.step)
        found = self.gradient.find(
            loaders, p.index, lambda: self.network.begin_step(share, seed), self.stop.heard, self._elapsed
        )
        if found.seconds is not None:
            p.seconds = found.seconds
        self.stop.follow(found.signals)
        if logs(p.step + 1):
            self._norms = norms_by_part(self.network)
        norm = clip_gradients(self.network.parameters(), config.clip or math.inf)
        if math.isfinite(found.loss) and bool(torch.isfinite(norm)):
            self.average.leave_out_sparse()
            step_rows(self.optimizer)
            self.optimizer.step()
            self.average.update(p.averaged)
            p.averaged, p.skipped_in_row = p.averaged + 1, 0
            p.clipped += bool(config.clip and norm > config.clip)
            p.loss, p.count = p.loss + found.total, p.count + found.count
        else:
            p.skipped, p.skipped_in_row = p.skipped + 1, p.skipped_in_row + 1
            self._tell({"kind": "skipped", "loss": found.loss, "gradient_norm": float(norm)})
            if p.skipped_in_row == _TOO_MANY:
                raise TrainingError(
                    f"the loss or its gradient was not finite for {_TOO_MANY} steps in a row (step {p.step}); "
                    f"earlier checkpoints are kept; try a smaller {named('lr')}"
                )
        self.optimizer.zero_grad(set_to_none=True)

    # --- schedule -------------------------------------------------------------------------------------------------

    def _begin(self, batches: int) -> Stopwatch | None:
        """Fix the steps of training where no clock is needed; else the stopwatch that will."""
        check_enough(batches, self.valid, self.task.batching, self.config)
        p, steps, seconds = self.progress, self.budget.steps(batches), self.budget.seconds
        stopwatch = None
        if p.total is None:
            if self._allowance is not None or steps is not None:
                self._allow(self._allowance or Allowance.counted(steps or 0))
                p.warm = self.budget.warm(p.total)
            elif p.seconds >= (seconds or 0):  # a run of an earlier version that had reached its end
                self._allow(Allowance.counted(p.step))
            else:
                stopwatch, p.warm = Stopwatch(seconds or 0, p.step, p.seconds), self.budget.warm(None)
        if self.from_start and self.valid is not None and p.step == 0 and p.validated < 0:
            self._validate()
        return stopwatch

    def _allow(self, allowance: Allowance) -> None:
        p = self.progress
        p.total, p.every, p.least = allowance.steps, allowance.every, allowance.least

    def _time(self, stopwatch: Stopwatch, batches: int) -> Stopwatch | None:
        """Read the clock after a step; once it has been read for long enough, the steps of training are fixed."""
        p = self.progress
        a_step = stopwatch.tick(p.step, p.seconds)
        due = doubling(p.step) or (a_step is not None and stopwatch.validation is None)
        if self.valid is not None and due:
            self._validate()
            stopwatch.leave_out(self.together.leaders(self._elapsed()) - p.seconds)
        if a_step is None:
            return stopwatch
        left = (self.budget.seconds or 0) - self.together.leaders(self._elapsed())
        self._allow(Allowance.measured(self.budget, p.step, left, a_step, stopwatch.validation or 0.0, batches))
        p.warm = min(p.warm, max(1, (p.total or 0) // 10))
        self._tell({"kind": "steps", "total": p.total, "every": p.every, "per_second": round(1 / a_step, 3)})
        self.save()  # from here on, nothing depends on a clock
        return None

    def _fall_is_due(self) -> bool:
        p = self.progress
        if p.total is None or p.fall is not None or p.is_over:
            return False
        patience = self.config.patience or (_PATIENCE if p.every >= _APART else math.inf)
        return p.step >= planned_fall(p.total) or p.stale >= patience

    def _begin_fall(self, loaders: list[Loader]) -> list[Loader]:
        """Let the rate fall from here on: from the best weights if the last ones are not, and over all data."""
        p = self.progress
        p.total = p.total or 0
        early = p.step < (planned := planned_fall(p.total))
        self._whole = self._all_data()
        p.refit = self._whole is not None
        p.fall, p.end = (p.step, min(p.total, p.step + fall_length(p.best_at))) if early else (planned, p.total)
        again = early or p.stale > 0
        if again and p.best_at == 0:  # nothing is better than the initial weights, so there is nothing to refine
            p.end, p.refit = p.step, False
        elif again:
            self.selection.return_to_best(p)
        self._tell({"kind": "fall", "steps": p.end - p.step, "best": p.best_at, "early": early, "refit": p.refit})
        if again or p.refit:
            p.epoch, p.index = p.epoch + 1, 0
            self.gradient.restart()
            loaders = self._loaders()
        p.averaged = 0  # those of the fall only: the steps before it were larger
        self.average.restart()
        self.save()
        return loaders

    def _all_data(self) -> Examples | None:
        """What is learned in the fall instead of ``train``; validates first, as that ends what can be judged."""
        p = self.progress
        if self.valid is None or self._everything is None or not p.step:
            return None
        if p.validated != p.step:
            self._validate()
        whole = self._everything() if math.isfinite(p.best_loss) else None
        # Longer sequences might be trained in windows, as those before were not.
        same = whole is not None and window(whole, self.config) == window(self.train, self.config)
        return whole if same else None

    def _loaders(self) -> list[Loader]:
        p = self.progress
        if p.refit and self._whole is None and self._everything is not None:
            self._whole = self._everything()
        examples = learned_rows(self.train, self._whole if p.refit else None, self._replay, p.epoch)
        return self.gradient.loaders(examples, training_plan(examples, self.task.batching, self.config, p.epoch))

    def _validation_is_due(self) -> bool:
        p = self.progress
        return self.valid is not None and not p.refit and Allowance(p.total or 0, p.every, p.least).validates(p.step)

    # --- events and checkpoints -----------------------------------------------------------------------------------

    def _validate(self) -> None:
        self._tell({"kind": "valid", **self.selection.validate(self.progress)})

    def _check_refit(self) -> None:
        p = self.progress
        loss = self.selection.check_refit(p)
        self._tell({"kind": "refit", "before": p.best_loss, "after": loss, "kept": not p.refused})

    def _log(self) -> None:
        p = self.progress
        lr, clipped, loss = self.optimizer.param_groups[0]["lr"], p.clipped / p.step, p.loss / max(p.count, 1)
        norms = {"gradient_norm": math.hypot(*self._norms.values()), "gradient_norms": self._norms}
        self._tell({"kind": "step", "loss": loss, "lr": lr, "clipped_share": clipped, **norms}, p.share)
        p.loss = p.count = 0.0
        if p.learns_nothing(loss) and not self.from_start:  # weights that were solved may be the best
            self._tell({"kind": "flat", "loss": p.lowest_loss, "first": p.first_loss, "lr": self.config.lr})

    def _tell(self, event: Event, share: float | None = None) -> None:
        p = self.progress
        for hook in self.hooks if self.together.leads else ():
            hook({"step": p.step, "epoch": p.epoch, "seconds": round(p.seconds, 3), "progress": share, **event})

    def save(self) -> None:
        """Save a checkpoint of everything that the next step depends on."""
        self.progress.saved = self.progress.seconds
        tensors = alike(self.network, self.average, self.optimizer, self.frozen)
        self.checkpoints.save(self.progress.step, tensors, self.gradient, self.progress.to_meta())

    def restore(self, saved: checkpoint.Checkpoint) -> str:
        """Load ``saved``, so that training continues exactly as if the run had not stopped.

        Returns:
            a sentence if that is not exact, because another number of ranks has saved it; else empty.

        Raises:
            ModelError: the checkpoint belongs to another network.
        """
        self.progress = restore_alike(saved, self.network, self.average, self.optimizer, self.task.chooses)
        return restore_own(saved, self.gradient, self.network, self.together, self.config.seed)
