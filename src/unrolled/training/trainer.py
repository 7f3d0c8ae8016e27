"""The training loop, with validation, checkpoints and resuming."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from unrolled.data.batches.loader import Loader
from unrolled.data.examples.examples import Examples
from unrolled.errors import DataError, Interrupted, ModelError, TrainingError, UsageError, named
from unrolled.kernels.scratch import release_memory
from unrolled.metrics.metric import cost
from unrolled.metrics.ranking import BEST
from unrolled.models.model import Model
from unrolled.state import flatten, rebuild
from unrolled.tasks.task import Task
from unrolled.training import checkpoint
from unrolled.training.bptt import TruncatedBPTT
from unrolled.training.config import TrainingConfig
from unrolled.training.evaluate import evaluate
from unrolled.training.hooks import Event, Hook
from unrolled.training.interruption import Deferred, Every
from unrolled.training.plans import can_be_judged, training_plan, window
from unrolled.training.schedule import Budget
from unrolled.training.sparse_adamw import clip_gradients, step_rows

__all__ = ["Progress", "Trainer"]

_VALIDATIONS = 10  # over the whole budget
_REST = 3  # with a budget in minutes, train at least this many times as long as the last validation took
_LOG_EVERY = 20  # in steps
_TOO_MANY = 10  # non-finite steps in a row
_APART = 40  # fewest steps between validations without a budget: after fewer, a plateau may be noise
_PATIENCE = 5  # validations without improvement, without a budget
_MIN_DELTA = 1e-4  # smaller relative improvements do not count


@dataclass(slots=True)
class Progress:
    """The position of a run. With weights, optimiser, random and lane states, it determines the next step."""

    step: int = 0
    epoch: int = 0
    index: int = 0  # batches done in this epoch
    seconds: float = 0.0
    saved: float = 0.0  # `seconds` at the last checkpoint
    validations: int = 0
    validated: int = -1  # step of the last validation
    rest: float = 0.0  # `seconds` before which no validation runs, if the budget is in minutes
    best: float = math.inf  # the `cost` of the best validation
    best_loss: float = math.inf  # its loss, which decides between validations that are equally good
    stale: int = 0  # validations since the best one
    factor: float = 1.0  # of the learning rate, halved on a plateau if there is no budget
    clipped: int = 0
    skipped: int = 0
    skipped_in_row: int = 0
    loss: float = 0.0  # since the last log
    count: float = 0.0


class Trainer:
    """Trains a network on a task, from its initial weights or from a checkpoint.

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
    ) -> None:
        self.network, self.task, self.train, self.valid = network.to(device), task, train, valid
        self.config, self.folder, self.hooks, self.device, self.frozen = config, folder, hooks, device, frozen
        self.budget, self.progress = Budget(config), Progress()
        self.carry = TruncatedBPTT(network, _chunks(window(train, config), config))
        parameters = list(self.network.named_parameters())
        decay = [p for name, p in parameters if p.dim() > 1 and name not in frozen]
        keep = [p for name, p in parameters if p.dim() <= 1 or name in frozen]  # biases are not decayed
        for name, rows in frozen.items():  # without decay, a row whose gradient is always 0 stays bit-identical
            _hold(self.network.get_parameter(name), rows.to(device)[:, None])
        groups = [{"params": decay, "weight_decay": config.weight_decay}, {"params": keep, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW([g for g in groups if g["params"]], lr=config.lr, fused=True)
        self.every = Every.parse(config.checkpoint_every or "60s")
        self._interrupt: int | None = None

    def run(self) -> Progress:
        """Train until the budget is spent or training stops early, then load the weights that validated best."""
        try:
            with Deferred(self._on_signal):
                self._loop()
        finally:
            release_memory()
        best = checkpoint.best(self.folder)
        if best is not None:
            self.network.load_state_dict(checkpoint.section(best.tensors, "model"))
        return self.progress

    def best_metrics(self) -> dict[str, float] | None:
        """The metrics of the validation that chose the weights; ``None`` if there was none."""
        best = checkpoint.best(self.folder)
        return None if best is None else dict(best.meta["metrics"])

    def _loop(self) -> None:
        p, started = self.progress, time.monotonic() - self.progress.seconds
        self.network.train()
        loader = self._loader()
        if not len(loader):
            raise DataError("no training sequence is long enough to learn from", hint="add more or longer sequences")
        if self.valid is not None and not can_be_judged(self.valid, self.task.batching, self.config):
            raise DataError("no validation sequence is long enough to evaluate on", hint="add more or longer sequences")
        while (share := self._share(len(loader))) < 1 and p.stale < self._patience():
            self._step(loader, share)
            p.index, p.step = p.index + 1, p.step + 1
            p.seconds = time.monotonic() - started
            if p.step % _LOG_EVERY == 0:
                self._log(len(loader))
            if p.index == len(loader):
                p.epoch, p.index = p.epoch + 1, 0
                self.carry.restart()
                loader = self._loader()
            if self._validation_is_due(len(loader)):
                self._validate()
            # After a skipped step the weights may have diverged, so they must not replace a good checkpoint.
            if self._interrupt is not None or (
                p.skipped_in_row == 0 and self.every.is_due(p.step, p.seconds - p.saved)
            ):
                self.save()
            self._stop_if_interrupted()
        if self.valid is not None and p.stale < self._patience() and p.validated != p.step:
            self._validate()
        self.save()
        self._stop_if_interrupted()

    def _stop_if_interrupted(self) -> None:
        if self._interrupt is not None:
            name, run = signal.Signals(self._interrupt).name, self.folder.parent
            step = self.progress.step
            raise Interrupted(
                f"{name}: saved at step {step}; resume with: unrolled fit --resume {run}", self._interrupt
            )

    def _step(self, loader: Loader, share: float) -> None:
        p, config = self.progress, self.config
        for group in self.optimizer.param_groups:
            group["lr"] = self.budget.rate(share, p.step, p.factor)
        self.network.begin_step(share)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.device == "cuda"):
            outputs, batch = self.carry.run(loader, p.index, self.device)
        total, count = self.task.loss(outputs.float(), batch)
        loss = total / count.clamp(min=1)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = clip_gradients(self.network.parameters(), config.clip or math.inf)
        if bool(torch.isfinite(loss)) and bool(torch.isfinite(norm)):
            step_rows(self.optimizer)
            self.optimizer.step()
            p.skipped_in_row = 0
            p.clipped += bool(config.clip and norm > config.clip)
            p.loss, p.count = p.loss + float(total.detach()), p.count + float(count)
        else:
            p.skipped, p.skipped_in_row = p.skipped + 1, p.skipped_in_row + 1
            self._tell({"kind": "skipped", "loss": float(loss.detach()), "gradient_norm": float(norm)})
            if p.skipped_in_row == _TOO_MANY:
                raise TrainingError(
                    f"the loss or its gradient was not finite for {_TOO_MANY} steps in a row (step {p.step}); "
                    f"earlier checkpoints are kept; try a smaller {named('lr')}"
                )
        self.optimizer.zero_grad(set_to_none=True)

    # --- schedule -------------------------------------------------------------------------------------------------

    def _loader(self) -> Loader:
        return Loader(self.train, training_plan(self.train, self.task.batching, self.config, self.progress.epoch))

    def _share(self, batches: int) -> float:
        p = self.progress
        return self.budget.progress(p.step, p.epoch + p.index / batches, p.seconds)

    def _patience(self) -> float:
        return self.config.patience or (_PATIENCE if self.budget.open_ended else math.inf)

    def _validation_is_due(self, batches: int) -> bool:
        if self.valid is None:
            return False
        if self.budget.open_ended:
            return self.progress.index == 0 and self.progress.step - self.progress.validated >= _APART
        if self.config.minutes is not None and self.progress.seconds < self.progress.rest:
            return False
        return int(self._share(batches) * _VALIDATIONS) > self.progress.validations

    def _validate(self) -> None:
        p = self.progress
        assert self.valid is not None
        began = time.monotonic()
        metrics = evaluate(self.network, self.task, self.valid, self.config, self.device)
        p.rest = p.seconds + (1 + _REST) * (time.monotonic() - began)
        p.validations, p.validated = p.validations + 1, p.step
        value = cost(self.task.chooses, metrics.get(self.task.chooses, math.nan))
        loss = metrics.get(self.task.watch, math.nan)
        finite = math.isfinite(value) and math.isfinite(loss)
        better = finite and value < p.best - _MIN_DELTA * abs(p.best if math.isfinite(p.best) else 0)
        # A small split has few values of an F1 or an accuracy: of the equal ones, the first is the least trained.
        if better or (finite and value <= p.best and loss < p.best_loss):
            p.best, p.best_loss = value, loss
            weights = {f"model.{name}": tensor for name, tensor in self.network.state_dict().items()}
            checkpoint.save_best(self.folder, weights, {"step": p.step, "metrics": metrics})
        if better:
            p.stale = 0
        else:  # including a value that is not finite
            p.stale += 1
            p.factor *= 0.5
        self._tell({"kind": "valid", **metrics})

    # --- events and checkpoints -----------------------------------------------------------------------------------

    def _log(self, batches: int) -> None:
        p = self.progress
        rate, clipped = self.optimizer.param_groups[0]["lr"], p.clipped / p.step
        self._tell({"kind": "step", "loss": p.loss / max(p.count, 1), "lr": rate, "clipped_share": clipped}, batches)
        p.loss = p.count = 0.0

    def _tell(self, event: Event, batches: int = 0) -> None:
        p = self.progress
        share = self._share(batches) if batches else None
        for hook in self.hooks:
            hook({"step": p.step, "epoch": p.epoch, "seconds": round(p.seconds, 3), "progress": share, **event})

    def save(self) -> None:
        """Save a checkpoint of everything that the next step depends on."""
        tensors = {f"model.{name}": tensor for name, tensor in self.network.state_dict().items()}
        tensors |= checkpoint.optimizer_tensors(self.optimizer, self.network.named_parameters())
        tensors |= checkpoint.rng_state()
        tensors |= {f"carry.{name}": tensor for name, tensor in flatten(self.carry.state)}
        self.progress.saved = self.progress.seconds
        tensors |= {f"frozen.{name}": rows for name, rows in self.frozen.items()}
        meta = {name: None if value == math.inf else value for name, value in asdict(self.progress).items()}
        checkpoint.save(self.folder, self.progress.step, tensors, meta)

    def restore(self, saved: checkpoint.Checkpoint) -> None:
        """Load ``saved``, so that training continues exactly as if the run had not stopped.

        Raises:
            ModelError: the checkpoint belongs to another network.
        """
        try:
            self.network.load_state_dict(checkpoint.section(saved.tensors, "model"))
            loss = saved.meta.get("best_loss")
            known = {
                "best": _best(saved.meta["best"], self.task.chooses),
                "best_loss": math.inf if loss is None else loss,
            }
            self.progress = Progress(**{**saved.meta, **known})
        except (RuntimeError, KeyError, TypeError) as error:
            raise ModelError(f"the checkpoint of step {saved.step} belongs to another network: {error}") from None
        checkpoint.restore_optimizer(self.optimizer, self.network.named_parameters(), saved.tensors)
        checkpoint.restore_rng(saved.tensors)
        lanes = checkpoint.section(saved.tensors, "carry")
        if lanes:
            rows = len(next(iter(lanes.values())))
            self.carry.state = rebuild(
                self.network.initial_state(rows), {k: v.to(self.device) for k, v in lanes.items()}
            )

    def _on_signal(self, number: int) -> None:
        self._interrupt = number


def _best(saved: float | None, metric: str) -> float:
    """`Progress.best` from a checkpoint, where ``None`` means infinity."""
    if metric == f"ndcg_at_{BEST}" and saved is not None and saved > 0:
        return saved - 1  # earlier versions saved 1 − NDCG, which is above 0, not −NDCG, which never is
    if metric == "chrf" and saved is not None and saved > 0:
        return math.inf  # earlier versions chose by the token error rate
    return math.inf if saved is None else saved


def _hold(parameter: Tensor, rows: Tensor) -> None:
    parameter.register_hook(lambda gradient: gradient.masked_fill(rows, 0))  # type: ignore[no-untyped-call]


def _chunks(window: int | None, config: TrainingConfig) -> int:
    """k2 / k1, the windows that a gradient reaches back."""
    if config.bptt_gradient is None:
        return 1
    if window is None:
        raise UsageError(
            f"{named('bptt_gradient')} only works with sequences that are trained in windows ({named('bptt')})"
        )
    if config.bptt_gradient % window:
        raise UsageError(
            f"{named('bptt_gradient')} must be a multiple of {named('bptt')} ({window}), not {config.bptt_gradient}"
        )
    return config.bptt_gradient // window
