"""Next step: what comes next? Tokens, several notes at once, or real vectors.

Axes: B rows, T steps, V symbols, W width.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from unrolled.batch import Batch, Discrete
from unrolled.config import TaskConfig
from unrolled.data.coder import Coder, Roles
from unrolled.data.encoded import ENCODINGS, has_time
from unrolled.data.examples import Examples
from unrolled.data.sequences import Sequences
from unrolled.errors import DataError, UsageError
from unrolled.tasks.columns import join
from unrolled.tasks.prior import log_frequencies, log_odds
from unrolled.tasks.task import Question, Sums, scored_steps

__all__ = ["NextStep"]

_LEAST_LOG_SIGMA = -7.0  # the Gaussian's scale stays above a thousandth of the data's


class NextStep:
    """Many to many: every step answers with what the next one will be.

    Equations:
        tokens: −log softmax(o_t)[x_{t+1}];
        several-hot (all values 0 or 1): Σ_w −log σ(±o_{t,w}), summed over the W channels;
        real vectors: a Gaussian with μ = x_t + o_{t,:W} and log σ = o_{t,W:}, in scaled units.

    Metrics: tokens: ``loss_nats_per_token``, ``bits_per_token`` (``bits_per_character`` where a token is one),
    ``accuracy``; several-hot: ``nll_nats_per_step``; real: ``nll_nats_per_step``, ``mse_scaled``, ``mae_scaled``.
    """

    name: ClassVar[str] = "next_step"
    pooled: ClassVar[bool] = False
    pool: ClassVar[Literal["last", "max"]] = "last"

    def __init__(self, config: TaskConfig, coder: Coder) -> None:
        self.config, self.coder = config, coder
        spec = coder.answer_spec
        self.steps: Literal["tokens", "several", "real"]
        if isinstance(spec, Discrete):
            self.steps, self.outputs, self.watch = "tokens", spec.size, "loss_nats_per_token"
        else:
            several = bool(getattr(coder.answer, "binary", False))
            self.steps = "several" if several else "real"
            self.outputs = spec.width if several else 2 * spec.width
            self.watch = "nll_nats_per_step"
        self.width = 0 if isinstance(spec, Discrete) else spec.width

    @staticmethod
    def recognises(question: Question) -> str | None:
        return None if question.target or question.horizon else "no --target was named"

    @staticmethod
    def roles(question: Question) -> Roles:
        sequences = question.sequences
        names = question.target or question.inputs or _to_continue(sequences)
        if not names:
            raise DataError("no column holds sequences to continue", file=sequences.origin, hint="name a --target")
        for name in names:
            sequences.column(name)
        numbers = [name for name in names if sequences.kinds[name] == "number"]
        if numbers and len(numbers) == len(names):
            joined, name = join(sequences, names)
            return Roles((name,), name, "next", joined=joined)
        if len(names) > 1:
            raise UsageError(f"several columns could be continued: {', '.join(names)}; choose one with --target")
        (name,) = names
        kinds = {}
        if not _continues(sequences, name):
            if not _is_text(sequences, name):
                raise DataError("holds one value a row, which has no next step", file=sequences.origin, column=name)
            kinds = {name: "tokens"}  # short texts that come again look like labels, but here they are read
        return Roles((name, *(other for other in question.inputs if other != name)), name, "next", kinds)

    def prior(self, train: Examples) -> Tensor | None:
        if self.steps == "real":
            return None
        given = getattr(self.coder.answer, "begin", None)  # labels of steps have none
        return log_frequencies(train, given) if self.steps == "tokens" else log_odds(train)

    def loss(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        assert batch.target is not None
        mask = scored_steps(batch, outputs.shape[1])  # (B, T)
        if self.steps == "tokens":
            target = torch.where(mask, batch.target, -100)
            total = F.cross_entropy(outputs.flatten(0, 1), target.flatten(), ignore_index=-100, reduction="sum")
            return total, mask.sum()
        o, y = outputs[mask], batch.target[mask]  # (N, O), (N, W)
        known = ~y.isnan()
        count = known.any(-1).sum()
        if self.steps == "several":
            nats = F.binary_cross_entropy_with_logits(o, torch.where(known, y, 0.0), reduction="none")
            return torch.where(known, nats, 0.0).sum(), count
        mean, log_sigma = self._gaussian(o, self._current(batch)[mask])
        z = (torch.where(known, y, mean) - mean) * torch.exp(-log_sigma)
        nats = 0.5 * z.square() + log_sigma + 0.5 * math.log(2 * math.pi)
        return torch.where(known, nats, 0.0).sum(), count

    def measure(self, outputs: Tensor, batch: Batch) -> Sums:
        assert batch.target is not None
        nats, count = self.loss(outputs, batch)
        sums = {"nats": nats.double(), "count": count}
        mask = scored_steps(batch, outputs.shape[1])
        if self.steps == "tokens":
            sums["right"] = ((outputs.argmax(-1) == batch.target) & mask).sum()
        elif self.steps == "real":
            mean, _ = self._gaussian(outputs[mask], self._current(batch)[mask])
            error = (mean - batch.target[mask]).double()
            error = error[~error.isnan()]
            sums |= {"square": error.square().sum(), "absolute": error.abs().sum(), "values": torch.tensor(len(error))}
        return sums

    def summarise(self, sums: Sums) -> dict[str, float]:
        count = float(sums["count"])
        metrics = {self.watch: float(sums["nats"]) / count}
        if self.steps == "tokens":
            metrics["accuracy"] = float(sums["right"]) / count
        elif self.steps == "real":
            values = float(sums["values"])
            metrics |= {"mse": float(sums["square"]) / values, "mae": float(sums["absolute"]) / values}
        return self.in_units(metrics)

    def cost(self, metrics: dict[str, float]) -> float:
        return metrics[self.watch]

    def in_units(self, baseline: dict[str, float]) -> dict[str, float]:
        metrics = {{"mse": "mse_scaled", "mae": "mae_scaled"}.get(name, name): v for name, v in baseline.items()}
        if self.steps == "tokens" and "loss_nats_per_token" in metrics:
            level = getattr(self.coder.answer, "level", None)  # labels of steps have none
            unit = "character" if level is not None and level.name == "characters" else "token"
            metrics.pop("bits_per_token", None)
            metrics[f"bits_per_{unit}"] = metrics["loss_nats_per_token"] / math.log(2)
        return metrics

    def answers(self, outputs: Tensor, batch: Batch) -> dict[str, list[Any]]:
        name, last = self.coder.target, (batch.lengths - 1).clamp(min=0)
        rows = torch.arange(len(outputs), device=outputs.device)
        o = outputs[rows, last]  # (B, O)
        if self.steps == "tokens":
            chances, best = torch.softmax(o, -1).max(-1)
            decoded = [self.coder.answer.decode(one.cpu().numpy()) for one in best[:, None]]
            # Where cells are lists, so is a single step: its item, or none where the answer is that the row ends.
            tokens = [next(iter(one), None) if isinstance(one, list) else one for one in decoded]
            return {f"{name}_predicted": tokens, f"{name}_p": chances.tolist()}
        if self.steps == "several":
            chances = torch.sigmoid(o)
            return {f"{name}_predicted": (chances > 0.5).int().tolist(), f"{name}_p": chances.tolist()}
        mean, log_sigma = self._gaussian(o, self._current(batch)[rows, last])
        std, shift = (torch.as_tensor(getattr(self.coder.answer, a), device=o.device) for a in ("std", "mean"))
        columns = {f"{name}_predicted": (mean.double() * std + shift).tolist()}
        return {**columns, f"{name}_sigma": (torch.exp(log_sigma).double() * std).tolist()}

    def _gaussian(self, outputs: Tensor, current: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_sigma = outputs[..., : self.width], outputs[..., self.width :]
        return current + mean, log_sigma.clamp(min=_LEAST_LOG_SIGMA)

    def _current(self, batch: Batch) -> Tensor:
        return batch.inputs[self.coder.target][..., : self.width]


def _to_continue(sequences: Sequences) -> tuple[str, ...]:
    kinds = sequences.kinds
    names = tuple(name for name in kinds if kinds[name] == "symbols" or _continues(sequences, name))
    return names or tuple(name for name in sequences.kinds if _is_text(sequences, name))


def _continues(sequences: Sequences, name: str) -> bool:
    return sequences.kinds[name] in ("tokens", "series") or has_time(sequences.column(name).type)


def _is_text(sequences: Sequences, name: str) -> bool:
    return bool(ENCODINGS.get("tokens").recognises(sequences.column(name)))


MEMBER = NextStep
