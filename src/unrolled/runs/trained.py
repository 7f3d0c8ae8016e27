"""A trained model, as ``fit`` and ``load`` return it. It needs nothing but its run directory."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from unrolled.data.encodings.facets import Letters, Pitches, Text
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.known_future import last_known
from unrolled.data.examples.known_kinds import known_kinds
from unrolled.data.examples.live_row import LiveRow
from unrolled.data.io.line_files import line_files
from unrolled.data.tables.in_memory import from_arrow
from unrolled.data.tables.read import read
from unrolled.data.tables.sequences import Sequences, drop_missing
from unrolled.decoding.sampling import Sampling
from unrolled.errors import DataError, UsageError, named
from unrolled.inspection.describe import Description, describe
from unrolled.models._copies import Copies
from unrolled.models.model import Model
from unrolled.runs.checks import check_positions
from unrolled.runs.config import RunConfig
from unrolled.runs.continuation import as_prompt, roll_after, text_after, until
from unrolled.runs.predicting import around, fits, predictions, with_columns
from unrolled.storage.directories import write_directory
from unrolled.storage.tensors import save_tensors
from unrolled.streaming.session import Memory, Session
from unrolled.tasks.task import Task
from unrolled.training.backtest import Backtest, backtest
from unrolled.training.device import device_for
from unrolled.training.evaluate import evaluate
from unrolled.training.plans import batch_settings

__all__ = ["WEIGHTS", "Trained"]

WEIGHTS = "model.safetensors"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained model: the network, its task, and how it was trained.

    Attributes:
        config: all options of the run.
        task: target, loss, metrics and the form of the answers; ``task.coder`` holds the encodings.
        network: the weights.
        metrics: split -> metric -> value, as measured when training ended; empty for a run that was stopped.
        baselines: split -> baseline -> metric -> value.
        folder: the run directory, or ``None`` before it is saved.
    """

    config: RunConfig
    task: Task
    network: Model
    metrics: dict[str, dict[str, float]]
    baselines: dict[str, dict[str, dict[str, float]]]
    folder: Path | None = None
    _copies: Copies = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_copies", Copies(self.network))

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
        task, device = self._searching(beam), device_for(device)
        part = self.read(data)
        examples = self.encode(part, target=True)
        metrics = evaluate(self._copies.on(device), task, examples, self.config.training, device)
        if not metrics:
            needed = f": a forecast needs more than {horizon} steps" if (horizon := self.task.coder.horizon) else ""
            nothing = f"holds nothing that could be scored{needed}"
            raise DataError(nothing, file=part.origin, hint="give more or longer sequences")
        return metrics

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
        part = self.read(data)
        examples = self.encode(part, target=True)
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
            UsageError: ``beam`` is out of range, the model does not forecast but is to be ``fitted``, or there is no
                such device.
        """
        task, device = self._searching(beam), device_for(device)
        if fitted and not task.coder.horizon:
            raise UsageError(f"{named('fitted')} only works with a forecast; this model's task is {task.name!r}")
        part = self.read(data)
        examples = self.encode(part, target=False)
        settings, known = batch_settings(self.task.batching, self.config.training), self._known(part, examples)
        network = self._copies.on(device)
        columns: dict[str, Any] = {}
        if task.coder.horizon:
            columns |= around(task, part, known, self.config.data.order)
        columns |= predictions(network, task, examples, examples.form.plans.answering(known, settings), device)
        if fitted:
            columns |= fits(network, task, examples, known, device)
        return with_columns(part, columns)

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
        answer = self.task.coder.answer
        text = answer if isinstance(answer, Text) else None
        roll = isinstance(answer, Pitches) and answer.is_roll
        if not self.task.coder.form.predicts_next or not (text or roll):
            raise UsageError(
                "generate only works with the task 'next_step' on texts or piano rolls; "
                f"this model's task is {self.task.name!r} on {answer.kind}"
            )
        if len(self.task.coder.inputs) > 1:
            others = ", ".join(name for name in self.task.coder.inputs if name != self.task.coder.target)
            more = f"this model also reads {others}, which a prompt cannot hold"
            raise UsageError(f"{more}: use stream, which takes every column")
        settings = Sampling.check({"temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed})
        if text is None:
            return until(stop, roll_after(prompt, self.task, self.network, length, settings))
        if not (text.framed or prompt.split()):
            begun = "this model was not trained on the beginnings of sequences"
            raise UsageError(f"{begun}: give it a {named('prompt')} to continue")
        unseen = self.unseen(prompt)
        # A model of characters never met <unknown> in training, so it cannot continue from it.
        if unseen and (text.unit == "character" or len(unseen) == len({*prompt.split()})):
            listed = ", ".join(repr(token) for token in unseen[:10]) + (", …" if len(unseen) > 10 else "")
            unknown = f"the model never saw {listed} in training"
            raise DataError(unknown, file="the prompt", hint="leave it out of the prompt")
        return until(stop, text_after(prompt, self.task, self.network, length, settings))

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

    def unseen(self, prompt: str) -> list[str]:
        """The characters or words of ``prompt`` that the model never saw in training, each once, in order."""
        answer = self.task.coder.answer
        return answer.unseen(prompt) if isinstance(answer, Text) else []

    def describe(self) -> Description:
        """The model's parts, the cost of a step, and a drawing of the unrolled network; ``print`` shows them."""
        return describe(self.task, self.network)

    def stream(self, snapshot: bytes | None = None, *, device: str = "auto") -> Session:
        """A live session: ``push`` one step, get one answer, at constant cost.

        Args:
            snapshot: the result of ``session.snapshot()``, to continue from there, on any device.
            device: as for `evaluate`.

        Raises:
            UsageError: the model needs later steps or whole sequences, or there is no such device.
            ModelError: the snapshot belongs to another model.
        """
        coder = self.task.coder
        if self.network.cannot_stream is not None:
            raise UsageError(self.network.cannot_stream)
        if coder.strands is not None:
            both = named("both_strands")
            raise UsageError(
                f"a model with {both} reads each sequence in both directions, so it cannot stream: use predict"
            )

        row = LiveRow(coder)

        def encode(value: Any, before: Memory) -> tuple[list[dict[str, torch.Tensor]], Memory]:
            steps, after = row.encode(value, before)
            return [_one_row(step) for step in steps], after

        if coder.by_window:
            scaled = f"this model scales each window by all its steps ({named('scale')} window)"
            raise UsageError(f"{scaled}, so it cannot stream: use predict")
        session = Session(
            self._copies.on(device_for(device)),
            encode,
            self.task.answers,
            opening=map(_one_row, row.opening()),
            pooled=self.task.pooled,
            identity=self._copies.identity(),
        )
        if snapshot is not None:
            session.restore(snapshot)
        return session

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write a run directory, all or nothing; `load` restores the model bit for bit."""
        write_directory(Path(folder), self.files(), overwrite=overwrite)

    def files(self) -> dict[str, Any]:
        """The files of a run directory: relative name -> bytes."""
        files: dict[str, Any] = {"config.json": self.config.model_dump_json(indent=1).encode()}
        files |= {f"encodings/{name}": data for name, data in self.task.coder.to_files().items()}
        files[WEIGHTS] = save_tensors(dict(self.network.state_dict()))
        files["results.json"] = json.dumps({"metrics": self.metrics, "baselines": self.baselines}, indent=1).encode()
        return files

    def read(self, data: Any) -> Sequences:
        """``data`` as sequences, read the way the training data was.

        Args:
            data: a path or a table in memory; where the model reads one column, a list of texts or a single column too.

        Raises:
            DataError: there is no such file, or it cannot be read.
            UsageError: it is of no form that can be read.
        """
        config = self.config.data
        if isinstance(data, str) and not Path(data).exists() and data != "-" and not line_files(data):
            raise DataError("there is no such file", file=data, hint="give a path, or a list of texts")
        coder = self.task.coder
        timed = {name: encoding.spec.time for name, encoding in coder.inputs.items()}
        timed |= {coder.target: coder.answer.spec.time, **dict.fromkeys(coder.joined, True)}
        encodings = {**coder.inputs, coder.target: coder.answer}
        config = config.model_copy(update={"target": (), "ignore": (), "kinds": {**known_kinds(coder), **config.kinds}})
        only = coder.reads[0] if len(coder.reads) == 1 else None
        data = from_arrow(data, only)
        if only is not None and isinstance(data, list | tuple) and all(isinstance(row, str) for row in data):
            data = {only: list(data)}
        alphabet = next((encoding.alphabet for encoding in encodings.values() if isinstance(encoding, Letters)), None)
        reads = self.task.reads(self.task.options.model_dump())
        sequences = read(data, config, reads.steps, reads.columns, timed=timed, alphabet=alphabet)
        for line in sequences.remarks:  # such as files that are left out, which get no answers
            _log.warning("%s: %s", sequences.origin, line)
        return sequences

    def _known(self, part: Sequences, examples: Examples) -> np.ndarray:
        """(rows,) int64: the steps of each row that its prediction is made from."""
        coder = self.task.coder
        if coder.framed:
            return examples.steps() - 1  # the next step is predicted before ``<end>``, not after it
        if not coder.ahead:
            return examples.steps()
        names, past = coder.joined or (coder.target,), examples.inputs[coder.target]
        return last_known(past, coder.horizon, part, names, coder.ahead, self.config.data.by)

    def _searching(self, beam: int | None) -> Task:
        """The task, with another beam width."""
        if beam is None:
            return self.task
        own = self.task.options
        if "beam" not in type(own).model_fields:
            writers = f"{named('beam')} only works with tasks that write sequences"
            raise UsageError(f"{writers}; this model's task is {self.task.name!r}")
        return type(self.task)(type(own).check({**own.model_dump(), "beam": beam}), self.task.coder)

    def encode(self, part: Sequences, *, target: bool) -> Examples:
        """``part`` as numbers.

        Raises:
            DataError: it lacks a column of the model, or a value cannot be encoded.
        """
        coder = self.task.coder
        if target and not coder.continues:
            coder.check_columns(part, with_target=True)
            part, _ = drop_missing(part, coder.target)
        examples = coder.encode(part, with_target=target)
        check_positions(self.network, self.task, examples, part)
        for line in coder.notes(part, examples):
            _log.warning("%s, %s", part.origin, line)
        return examples


def _one_row(step: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array[None]) for name, array in step.items()}
