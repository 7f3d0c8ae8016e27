"""Which weights are kept: the averaged ones that validated best, or the last ones if validation data was learned."""

from __future__ import annotations

import math

from torch import Tensor

from unrolled.data.examples.examples import Examples
from unrolled.metrics.metric import cost
from unrolled.models.model import Model
from unrolled.tasks.task import Task
from unrolled.training import checkpoint
from unrolled.training.averaging import Average
from unrolled.training.config import TrainingConfig
from unrolled.training.evaluate import evaluate
from unrolled.training.position import Progress
from unrolled.training.saving import Checkpoints
from unrolled.training.sharded import Sharded
from unrolled.training.together import Together
from unrolled.training.weight_shards import load_weights

__all__ = ["Selection"]

_MIN_DELTA = 1e-4  # smaller relative improvements do not count
_WORSE = 0.05  # a refit may raise the loss on the validation split by this share
_BEFORE = "before"  # the best weights when the rate began to fall early


class Selection:
    """Validates the averaged weights of a network, and keeps the best.

    Args:
        network, task, config, device, together, sharded: as for `Trainer` and `BatchGradient`.
        valid: the validation split.
        checkpoints: where the best weights are kept.
        average: the averaged weights.
    """

    def __init__(
        self,
        network: Model,
        task: Task,
        valid: Examples | None,
        config: TrainingConfig,
        checkpoints: Checkpoints,
        device: str,
        average: Average,
        together: Together,
        sharded: Sharded | None,
    ) -> None:
        self._network, self._task, self._valid, self._config = network, task, valid, config
        self._checkpoints, self._device, self._average, self._together = checkpoints, device, average, together
        self._sharded = sharded

    def validate(self, p: Progress) -> dict[str, float]:
        """Validate, and save the weights if they are the best so far; returns the metrics."""
        assert self._valid is not None
        with self._average.applied():
            metrics = self._evaluate(self._valid)
            p.validations, p.validated = p.validations + 1, p.step
            value, loss = self._cost(metrics), metrics.get(self._task.watch, math.nan)
            finite = math.isfinite(value) and math.isfinite(loss)
            better = finite and value < p.best - _MIN_DELTA * abs(p.best if math.isfinite(p.best) else 0)
            # A small split has few values of an F1 or an accuracy: of the equal ones, the first is the least trained.
            if better or (finite and value <= p.best and loss < p.best_loss):
                p.best, p.best_loss, p.best_at = value, loss, p.step
                weights = {f"model.{name}": tensor for name, tensor in self._network.state_dict().items()}
                self._checkpoints.save_best(weights, {"step": p.step, "metrics": metrics})
        p.stale = 0 if better else p.stale + 1  # including a value that is not finite
        return metrics

    def return_to_best(self, p: Progress) -> None:
        """Continue from the best weights, if any were finite."""
        # Later ones may replace the best before the run is stopped and continued from here.
        best = self._checkpoints.best(_BEFORE)
        if best is None or best.step != p.best_at:
            best = self._checkpoints.best()
        if best is None:
            return
        load_weights(self._network, checkpoint.section(best.tensors, "model"))
        if not p.refit:
            self._checkpoints.save_best(best.tensors, best.meta, _BEFORE)

    def check_refit(self, p: Progress) -> float:
        """Keep the weights from before a refit if they are better on the validation split; returns the loss after it.

        The refit has learned this split, so a loss that is clearly higher means that it diverged.
        """
        assert self._valid is not None
        with self._average.applied():
            metrics = self._evaluate(self._valid)
        loss = metrics.get(self._task.watch, math.nan)
        p.checked, p.refused = True, not loss <= p.best_loss + _WORSE * abs(p.best_loss)
        return loss

    def best_metrics(self) -> dict[str, float] | None:
        """The metrics of the best validation; ``None`` if there was none."""
        best = self._checkpoints.best()
        return None if best is None else dict(best.meta["metrics"])

    def before_refit(self, p: Progress) -> dict[str, Tensor] | None:
        """The weights that `best_metrics` are of; ``None`` if they are those that are kept."""
        return self._best() if p.refit and not p.refused else None

    def load_kept(self, p: Progress) -> None:
        """Give the network the weights that are kept."""
        best = None if p.refit and not p.refused else self._best()
        if best is None:
            self._average.put()
        else:
            load_weights(self._network, best)

    def _evaluate(self, split: Examples) -> dict[str, float]:
        return evaluate(self._network, self._task, split, self._config, self._device, self._together, self._sharded)

    def _best(self) -> dict[str, Tensor] | None:
        best = self._checkpoints.best()
        return None if best is None else checkpoint.section(best.tensors, "model")

    def _cost(self, metrics: dict[str, float]) -> float:
        return cost(self._task.chooses, metrics.get(self._task.chooses, math.nan))
