"""A trained model, as ``fit`` and ``load`` return it. It needs nothing but its run directory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unrolled.data.batches.loader import Loader
from unrolled.data.encodings.facets import Text
from unrolled.data.examples.examples import Examples
from unrolled.data.plans.windows import Plan
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError, UsageError, named
from unrolled.inspection.describe import Description, describe
from unrolled.inspection.trace import Change, Keep, Trace, trace
from unrolled.metrics.metric import Sums
from unrolled.metrics.scoring import summed, values
from unrolled.models._copies import Copies
from unrolled.models.model import Model
from unrolled.runs.checks import check_judged, check_positions, searching, with_target
from unrolled.runs.config import RunConfig
from unrolled.runs.continuation import as_prompt
from unrolled.runs.examination import Examination, examine
from unrolled.runs.exporting import export
from unrolled.runs.findings import Findings
from unrolled.runs.later_data import read_later
from unrolled.runs.live import live_session, many_sessions
from unrolled.runs.pieces import judged, pieces_of
from unrolled.runs.predicting import around, fits, is_judged, known_steps, one_row, predictions, with_columns
from unrolled.runs.results_form import results_form
from unrolled.runs.unseen import say
from unrolled.runs.writer import Asked, Writer
from unrolled.storage.directories import write_directory
from unrolled.storage.tensors import save_tensors
from unrolled.streaming.pool import MOST_STEPS, Pool
from unrolled.streaming.session import Session
from unrolled.tasks.task import Task
from unrolled.training.backtest import Backtest, backtest
from unrolled.training.device import device_for
from unrolled.training.evaluate import sums_over
from unrolled.training.plans import answering_plan, training_plan

__all__ = ["WEIGHTS", "Trained"]

WEIGHTS = "model.safetensors"


@dataclass(frozen=True, slots=True, repr=False)
class Trained:
    """A trained model: the network, its task, and how it was trained.

    Attributes:
        config: all options of the run.
        task: target, loss, metrics and the form of the answers; ``task.coder`` holds the encodings.
        network: the weights.
        metrics: split -> metric -> value, as measured when training ended; empty for a run that was stopped.
        baselines: split -> baseline -> metric -> value.
        folder: the run directory, or ``None`` before it is saved.
        findings: the verdict on each split, and what to try next.
    """

    config: RunConfig
    task: Task
    network: Model
    metrics: dict[str, dict[str, float]]
    baselines: dict[str, dict[str, dict[str, float]]]
    folder: Path | None = None
    findings: Findings = field(default_factory=Findings)
    _copies: Copies = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_copies", Copies(self.network))

    def __repr__(self) -> str:
        task, title, of = self.task.name, self.network.title, ", ".join(self.task.coder.reads)
        return f"Trained({task!r}, {title!r}, of {of!r}, in {str(self.folder)!r})"

    def _repr_html_(self) -> str:
        return results_form(repr(self), self.metrics, self.baselines, self.sentences)

    def sentences(self, split: str) -> list[str]:
        """What there is to say about ``split``: the verdict, which weights were kept, and what to try next."""
        return self.findings.of_split(split, self.metrics.get(split), self.baselines.get(split, {}), self.task)

    def evaluate(self, data: Any, *, beam: int | None = None, device: str = "auto") -> dict[str, float]:
        """The task's metrics on ``data`` (a path, or a table in memory), which must hold the target.

        Args:
            data: what to evaluate the model on.
            beam: beam width, for a task that writes sequences. Default: the one of the run.
            device: where the network runs: ``cpu``, ``cuda``, or ``auto``, which is a GPU if torch finds one.

        Raises:
            DataError: the data cannot be read, or lacks a column of the model.
            UsageError: ``beam`` is out of range, or there is no such device.
        """
        metrics = values(self.sums(data, beam=beam, device=device), self.config.training.own)
        check_judged(metrics, data, self.task.coder.horizon)
        return metrics

    def sums(self, data: Any, *, beam: int | None = None, device: str = "auto") -> Sums:
        """What `evaluate` makes the metrics of: the sums of two sets of data, added, are those of both together."""
        task, device, training = searching(self.task, beam), device_for(device), self.config.training
        network = self._copies.on(device)
        return summed(sums_over(network, task, examples, training, device) for _, examples in self._judged(data))

    def examine(
        self, data: Any, *, worst: int = 0, group: str | None = None, beam: int | None = None, device: str = "auto"
    ) -> Examination:
        """Evaluate on ``data`` in parts: by label, length, step ahead and group, with intervals and the worst examples.

        Args:
            data, beam, device: as for `evaluate`.
            worst: how many of the worst examples to list, ≥ 0.
            group: a column of ``data`` with one value for each sequence, for whose values the metrics are given.

        Raises:
            DataError, UsageError: as for `evaluate`; or there is no column ``group``, or ``worst`` is below 0.
        """
        task, device = searching(self.task, beam), device_for(device)
        network = self._copies.on(device)
        found = examine(network, task, self._judged(data), self.config.training, device, worst=worst, group=group)
        check_judged(found.metrics, data, task.coder.horizon)
        return found

    def backtest(self, data: Any, origins: int, *, device: str = "auto") -> Backtest:
        """Evaluate forecasts from each of the last ``origins`` steps in ``data``: overall, by step ahead, by origin.

        Args:
            data: as for `evaluate`.
            origins: how many forecast origins, ≥ 1, in each sequence.
            device: as for `evaluate`.

        Raises:
            DataError: the data cannot be read, lacks a column, or no sequence is long enough.
            UsageError: the model does not forecast, ``origins`` is out of range, or there is no such device.
        """
        if not self.task.coder.horizon:
            raise UsageError(f"{named('origins')} only works with a forecast; this model's task is {self.task.name!r}")
        if origins < 1:
            raise UsageError(f"{named('origins')} must be at least 1, got {origins}")
        device = device_for(device)
        examples = self.encode(part := self.read(data), target=True)
        found = backtest(self._copies.on(device), self.task, examples, origins, device, self.config.training.own)
        if not found.metrics:
            raise DataError(f"has no sequence of more than {self.task.coder.horizon} steps", file=part.origin)
        return found

    def predict(self, data: Any, *, beam: int | None = None, fitted: bool = False, device: str = "auto") -> pa.Table:
        """The table of ``data`` with the predictions as new columns, its rows in the same order.

        Args:
            data: a path, a table in memory, or, for a model of texts, a list of strings. The target may be absent. A
                forecast with known covariates needs them for the next H steps too, in which the target is empty.
            fitted: for a forecast, also what is forecast for each past step from those before it.
            beam, device: as for `evaluate`.

        Raises:
            DataError: the data cannot be read, or lacks an input column of the model.
            UsageError: ``beam`` is out of range, a model that does not forecast is to be ``fitted``, or no such device.
        """
        task, device = searching(self.task, beam), device_for(device)
        if fitted and not task.coder.horizon:
            raise UsageError(f"{named('fitted')} only works with a forecast; this model's task is {task.name!r}")
        examples = self.encode(part := self.read(data), target=False)
        known, plan = self._answering(part, examples)
        network = self._copies.on(device)
        columns = dict[str, Any](around(task, part, known, self.config.data.order) if task.coder.horizon else {})
        columns |= predictions(network, task, examples, plan, device)
        return with_columns(part, columns | (fits(network, task, examples, known, device) if fitted else {}))

    def generate(
        self,
        prompt: str = "",
        *,
        length: int = 1000,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
        stop: str | None = None,
    ) -> Iterator[str]:
        """Continue ``prompt``, yielding text as it is generated; the prompt itself is not repeated.

        Args:
            prompt: a text; words that the model has not seen are read as unknown, if it knows at least one. For a piano
                roll, lines of keys (`unrolled.music.rolls`); without any, silence.
            length: maximum number of tokens, or number of steps of a roll.
            temperature, top_k, top_p, seed: see `Sampling`; a roll has no top_p (`switch`).
            stop: end before this text appears.

        Raises:
            UsageError: the model does not continue texts or rolls, or a number is out of range.
            DataError: the prompt has a character that the model has never seen, no known word, or no key.
        """
        settings = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed}
        return self.writer().alone(Asked(prompt, length, [stop] if stop else [], settings))

    def writer(self) -> Writer:
        """Continues many prompts at once; each text is the one of `generate` with the same settings and seed."""
        return Writer(self.task, self.network)

    @property
    def continues_text(self) -> bool:
        """Whether the model continues texts, rather than piano rolls or lists of items."""
        coder = self.task.coder
        return coder.form.predicts_next and isinstance(coder.answer, Text) and coder.first_item is None

    def prompt_of(self, data: Any) -> str:
        """The first example in ``data`` as a prompt: for instance, the notes of a MIDI file as events or as a roll.

        Args:
            data: a path, or a table in memory.

        Raises:
            DataError: the data cannot be read, or lacks the column that the model continues.
        """
        coder, part = self.task.coder, self.read(data)
        coder.check_columns(part, with_target=False)
        return as_prompt(coder.answer, part.column(coder.target)[0].as_py())

    def describe(self) -> Description:
        """The model's parts, the cost of a step, and a drawing of the unrolled network; ``print`` shows them."""
        return describe(self.task, self.network)

    def trace(
        self, data: Any, row: int = 0, *, keep: Keep = None, change: Change = None, own_answer: bool = False
    ) -> Trace:
        """Every gate, state and attention weight of the model on one row of ``data``, as `predict` reads it.

        Args:
            data: as for `predict`; with its target, the loss of each step is measured too.
            row: its number, from 0.
            keep, change: which paths to keep, and what the model uses instead of a value, as for `Recorder`.
            own_answer: trace how it writes its own answer, not the target; always so where ``data`` has no target.

        Raises:
            DataError, UsageError: as for `predict`; no such row; or ``own_answer``, but the model writes no sequences.
        """
        part = one_row(self.read(data), row)
        examples = self.encode(part, target=is_judged(part, self.task))
        batch = Loader(examples, self._answering(part, examples)[1])[0]
        return trace(self.network, self.task, batch, keep=keep, change=change, own_answer=own_answer)

    def stream(self, snapshot: bytes | None = None, *, device: str = "auto") -> Session:
        """A live session: ``push`` one step, get one answer, at constant cost.

        Args:
            snapshot: the result of ``session.snapshot()``, to continue from there, on any device.
            device: as for `evaluate`.

        Raises:
            UsageError: the model needs later steps or whole sequences, or there is no such device.
            ModelError: the snapshot belongs to another model.
        """
        return live_session(self.task, self._copies, device_for(device), snapshot, self.config)

    def pool(self, *, device: str = "auto", most_steps: int = MOST_STEPS) -> Pool:
        """Many live sessions, stepped together: a push of each costs far less than as many pushes of single ones.

        Args:
            device: as for `evaluate`.
            most_steps: the most steps of one value, such as the tokens of a text.

        Raises:
            UsageError: as for `stream`.
        """
        return many_sessions(self.task, self._copies, device_for(device), self.config, most_steps)

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write a run directory, all or nothing; `load` restores the model bit for bit."""
        write_directory(Path(folder), self.files(), overwrite=overwrite)

    def export(self, out: str | Path, to: str = "onnx", *, overwrite: bool = False, **options: Any) -> list[str]:
        """Write the model to the folder ``out``, all or nothing, in a form that runs without this package.

        Args:
            out, overwrite: as for `save`.
            to: the name of an exporter.
            options: those of the exporter.

        Raises:
            UsageError: the model has no such form, or an option is unknown.
        """
        return export(self, Path(out), to, options, overwrite=overwrite)

    def files(self) -> dict[str, Any]:
        """The files of a run directory: relative name -> bytes."""
        files: dict[str, Any] = {"config.json": self.config.model_dump_json(indent=1).encode()}
        files |= {f"encodings/{name}": data for name, data in self.task.coder.to_files().items()}
        files[WEIGHTS] = save_tensors(dict(self.network.state_dict()))
        results = {"metrics": self.metrics, "baselines": self.baselines, "findings": self.findings.to_json()}
        files["results.json"] = json.dumps(results, indent=1).encode()
        return files

    def read(self, data: Any) -> Sequences:
        """``data`` as sequences, read the way the training data was.

        Args:
            data: a path or a table; where one column is read, a list or a column too; `Sequences` stay as they are.

        Raises:
            DataError, UsageError: there is no such file, or it is of no form that can be read.
        """
        return data if isinstance(data, Sequences) else read_later(data, self.config.data, self.task)

    def batches(self, data: Any, *, epoch: int = 0) -> Loader:
        """The batches of an epoch over ``data`` with its target, as in training: for a loop that you write yourself.

        ``outputs, _ = trained.network.run(batch)``, then ``trained.task.loss(outputs, batch)`` is the sum of the loss
        and the number of targets.

        Args:
            data: as for `evaluate`.
            epoch: each has another order.
        """
        examples = self.encode(self.read(data), target=True)
        return Loader(examples, training_plan(examples, self.task.batching, self.config.training, epoch))

    def _answering(self, part: Sequences, examples: Examples) -> tuple[np.ndarray, Plan]:
        known = known_steps(self.task, part, examples, self.config.data.by)  # from which each prediction is made
        width = max(self.task.outputs, self.config.model.hidden)
        return known, answering_plan(examples, known, self.task.batching, self.config.training, width)

    def _judged(self, data: Any) -> Iterator[tuple[Sequences, Examples]]:
        """``data`` before and after encoding, without the rows that have no target, piece by piece."""
        pieces = pieces_of(data, self.config.data, self.task)
        return judged(pieces, lambda part: self.encode(part, target=True), self.task)

    def encode(self, part: Sequences, *, target: bool) -> Examples:
        """``part`` as numbers.

        Raises:
            DataError: it lacks a column of the model, or a value cannot be encoded.
        """
        coder = self.task.coder
        part = with_target(part, coder) if target else part
        examples = coder.encode(part, with_target=target)
        check_positions(self.network, self.task, examples, part)
        say(part.origin, coder.notes(part, examples))
        return examples
