"""Measure how long a model can remember, by training it on synthetic problems of growing length within a budget.

Axes: B rows, T the length of a problem, S ≥ T the steps of its rows.
"""

from __future__ import annotations

import math
import statistics
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from unrolled.errors import UsageError, did_you_mean, named
from unrolled.inspection import cost
from unrolled.layers.config import ModelConfig
from unrolled.layers.factory import model_names
from unrolled.models.network import Network
from unrolled.synthetic.memory_tasks import Problem, Questions, problem

__all__ = ["SETTINGS", "Found", "Settings", "check", "probe"]

_WARMUP = 100  # training steps
_CLIP = 1.0
_ROW_STEPS = 1 << 16  # the most row steps in a batch; this bounds the memory of an update
_FEWEST = 4  # rows in a batch
_ANSWERS = 256  # outputs that decide whether a length is solved, from at least `_ROWS` rows
_ROWS = 64
_WINDOW = 10  # the number of latest training batches that decide whether longer rows are tried
_MARGIN = 0.2  # longer rows are tried once the error is at most this multiple of what `solved` allows
_KNOWN = 5.0  # nearly solved: the error is at most this multiple of what `solved` allows
_FRESH = 1 << 40  # the first seed of trial rows; training never reaches it


@dataclass(frozen=True, slots=True)
class Settings:
    """The hyperparameters for one problem, the same for every model.

    They are chosen so that models that can solve a problem do so on a CPU within minutes.

    Attributes:
        hidden, layers: the size of the network.
        batch: rows per training step; fewer if they are long.
        lr: the learning rate.
        settled: the learning rate while the latest batches are nearly solved (95 % of the symbols, or an error of
            0.05). The model has found the solution by then, and large steps only add noise.
    """

    hidden: int = 64
    layers: int = 2
    batch: int = 32
    lr: float = 3e-3
    settled: float = 1e-3


# Gates must move far to stay closed for 10 000 steps, so the learning rate stays large on these problems.
_FAR = Settings(lr=1e-2, settled=1e-2)
SETTINGS = {
    "adding": _FAR,
    "copy": Settings(),
    "selective": Settings(),
    "recall": Settings(),
    "order": _FAR,
}


@dataclass(frozen=True, slots=True)
class Rung:
    """One trial on fresh rows: the length, its score, and the training steps and seconds so far."""

    length: int
    score: float
    solved: bool
    steps: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a model on a problem.

    Attributes:
        longest: the longest length that was solved; 0 if none was.
        score: at that length, or at the last length that was tried; NaN if there was no trial.
        trained: the length of the last training rows.
        steps, seconds: the total spent, including trials.
        microseconds: training time per row and step, at the length ``trained``.
        peak_bytes: the growth of resident memory at its peak; ``None`` if the system does not report it.
        push_microseconds: the time of one live step of one row; ``None`` if the model cannot stream.
        rungs: every trial, in order.
    """

    model: str
    problem: str
    up_to: int
    longest: int
    score: float
    trained: int
    steps: int
    seconds: float
    microseconds: float
    peak_bytes: int | None
    push_microseconds: float | None
    rungs: tuple[Rung, ...]


def probe(
    model: str,
    name: str,
    up_to: int,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> Found:
    """Train ``model`` on the problem ``name`` until rows of length ``up_to`` are solved or the budget is spent.

    Rows are short at first. Some problems start with lessons, which have less to remember; a lesson ends when it is
    nearly solved. Once the latest batches are good enough, fresh rows are tried at that length, then at twice, four
    times … that length while they are solved; training continues at the first length that is not. No row is used
    twice. The optimizer is Adam with a warm-up, the learning rates of `SETTINGS`, and clipped gradients.

    Args:
        model: any name of a model that `unrolled.fit` accepts.
        name: a problem of `problems`.
        up_to: the length to reach.
        minutes: the budget; a trial or training step that has started is finished. Default: 2.
        steps: the budget in training steps instead; with it, the same seed gives the same result.
        seed: for the initial weights and all rows.
        say: called with one line per trial.

    Raises:
        UsageError: the model or problem is unknown, a number is out of range, or both budgets are given.
    """
    check(model, name, up_to, minutes=minutes, steps=steps)
    asked, settings = problem(name), SETTINGS[name]
    limit = math.inf if steps is not None else 60 * (2 if minutes is None else minutes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _Climb(model, asked, settings, up_to, steps or math.inf, limit, seed, say).run()


def check(model: str, name: str, up_to: int, *, minutes: float | None = None, steps: int | None = None) -> None:
    """Check the arguments of `probe` without training anything.

    Args:
        model, name, up_to, minutes, steps: as for `probe`.

    Raises:
        UsageError: as for `probe`.
    """
    asked = problem(name)
    if model not in model_names():
        raise UsageError(f"there is no model {model!r}.{did_you_mean(model, model_names())}")
    if up_to < asked.shortest:
        raise UsageError(f"{named('up_to')} must be at least {asked.shortest} for the problem {name!r}, got {up_to}")
    if minutes is not None and steps is not None:
        raise UsageError(f"give only one budget, not {named('minutes')} and {named('steps')}")
    if minutes is not None and not 0 < minutes < math.inf:
        raise UsageError(f"{named('minutes')} must be above 0, got {minutes:g}")
    if steps is not None and steps < 1:
        raise UsageError(f"{named('steps')} must be at least 1, got {steps}")


class _Climb:
    """The loop of `probe`."""

    def __init__(
        self,
        model: str,
        asked: Problem,
        settings: Settings,
        up_to: int,
        most_steps: float,
        most_seconds: float,
        seed: int,
        say: Callable[[str], None],
    ) -> None:
        self.model, self.asked, self.settings, self.up_to = model, asked, settings, up_to
        self.most_steps, self.most_seconds, self.seed, self.say = most_steps, most_seconds, seed, say
        config = ModelConfig(name=model, hidden=settings.hidden, layers=settings.layers)
        self.network = network = Network({"x": asked.spec}, config, asked.outputs, pooled=False)
        self.optimizer = torch.optim.Adam(network.parameters(), lr=settings.lr)
        self.started, self.step, self.settled = time.monotonic(), 0, False
        self.longest, self.rungs = 0, list[Rung]()
        self.length = min(up_to, asked.first)
        self.lessons = deque([*asked.lessons, asked])  # the first one is trained on
        self.recent, self.times = deque[float](maxlen=_WINDOW), list[float]()

    def run(self) -> Found:
        resident = cost.resident()
        self.network.train()
        while self.longest < self.up_to and not self._spent():
            self._train()
            if len(self.recent) == _WINDOW:
                score = statistics.fmean(self.recent)
                self.settled = self._within(_KNOWN, score)
                if len(self.lessons) > 1:
                    self._next_lesson()
                elif self._within(_MARGIN, score):  # a model that only just solves this length fails at the next
                    self._climb()
                    self.recent.clear()
        peak = cost.highest_resident()
        solved = next((rung for rung in reversed(self.rungs) if rung.length == self.longest and rung.solved), None)
        best = solved or (self.rungs[-1] if self.rungs else None)
        trained = statistics.median(self.times) if self.times else math.nan
        return Found(
            model=self.model,
            problem=self.asked.name,
            up_to=self.up_to,
            longest=self.longest,
            score=best.score if best else math.nan,
            trained=self.length,
            steps=self.step,
            seconds=time.monotonic() - self.started,
            microseconds=trained * 1e6,
            peak_bytes=None if peak is None or resident is None else max(0, peak - resident),
            push_microseconds=self._push_seconds() * 1e6 if self.network.causal else None,
            rungs=tuple(self.rungs),
        )

    def _push_seconds(self) -> float:
        return cost.push_seconds(self.network, self.network.columns.specs)

    def _train(self) -> None:
        began = time.perf_counter()
        questions = self.lessons[0].questions(self.seed + self.step, self.length, self._rows(self.length))
        outputs = self._answer(questions)
        loss = self.asked.losses(outputs, questions).mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), _CLIP)
        self.step += 1
        for group in self.optimizer.param_groups:
            group["lr"] = (self.settings.settled if self.settled else self.settings.lr) * min(1.0, self.step / _WARMUP)
        if bool(torch.isfinite(norm)):  # skip a step whose gradient is not finite
            self.optimizer.step()
        # The outputs are from before the update, so these rows are as fresh as those of a trial.
        self.recent.append(self.asked.score(outputs.detach(), questions))
        self.times.append((time.perf_counter() - began) / questions.scored.numel())

    def _next_lesson(self) -> None:
        if self.settled:
            self.say(f"T = {self.length}: lesson finished, {time.monotonic() - self.started:.0f} s")
            self.lessons.popleft()
            self.recent.clear()
            self.settled = False

    def _climb(self) -> None:
        """Try this length, then longer ones while they are solved; training continues at the first that is not."""
        length = self.length
        while self._solved(length):
            self.longest = length
            if length == self.up_to:
                return
            length = min(2 * length, self.up_to)
        if length != self.length:
            self.length = length
            self.times.clear()

    def _solved(self, length: int) -> bool:
        """Whether fresh rows are solved; stops early once too many outputs are wrong."""
        rows, scores, sizes = self._rows(length), list[float](), list[int]()
        wanted = max(_ROWS, -(-_ANSWERS // int(self.asked.questions(0, length, 1).scored.sum())))
        self.network.eval()
        while sum(sizes) < wanted and not self._late():
            questions = self.asked.questions(_FRESH + self.seed + len(sizes), length, rows)
            with torch.no_grad():
                scores.append(self.asked.score(self._answer(questions), questions))
            sizes.append(rows)
            if not self.asked.solved(self._best_possible(scores, sizes, wanted)):
                break
        self.network.train()
        score = statistics.fmean(scores) if scores else math.nan
        solved = sum(sizes) >= wanted and self.asked.solved(score)
        rung = Rung(length, score, solved, self.step, time.monotonic() - self.started)
        if scores:
            self.rungs.append(rung)
            self.say(f"T = {length}: {score:.4g} {'solved' if solved else 'not yet'}, {rung.seconds:.0f} s")
        return solved

    def _best_possible(self, scores: list[float], sizes: list[int], wanted: int) -> float:
        """The score if all remaining rows were right."""
        done = sum(score * size for score, size in zip(scores, sizes, strict=True))
        left = max(0, wanted - sum(sizes))
        rightly = 0.0 if self.asked.answer == "regress" else 1.0
        return (done + left * rightly) / (sum(sizes) + left)

    def _answer(self, questions: Questions) -> Tensor:
        rows, steps = questions.scored.shape
        return self.network({"x": questions.input}, torch.full((rows,), steps))[0]

    def _rows(self, length: int) -> int:
        return max(_FEWEST, min(self.settings.batch, _ROW_STEPS // length))

    def _within(self, times: float, score: float) -> bool:
        """Whether the error is at most ``times`` what `Problem.solved` allows."""
        perfect = 0.0 if self.asked.answer == "regress" else 1.0
        return self.asked.solved(perfect + (score - perfect) / times)

    def _spent(self) -> bool:
        return self.step >= self.most_steps or self._late()

    def _late(self) -> bool:
        return time.monotonic() - self.started >= self.most_seconds
