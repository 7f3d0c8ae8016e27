"""A model as C: every cell, layer and task of fixed size against the session, and what is refused."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from c_steps import Compiled, network_of, same
from configs import model_config
from samples import SAMPLES, network_for
from torch import nn

from unrolled.batch import Discrete, Spelled, letters_of
from unrolled.cells.cell import CELLS
from unrolled.errors import UsageError
from unrolled.export.c_code.replay import answered, tried
from unrolled.export.c_code.step_of import Step, step_of
from unrolled.layers.config import ModelConfig
from unrolled.layers.factory import LAYERS
from unrolled.layers.recurrent import Recurrent
from unrolled.models.combined import Combined
from unrolled.models.network import Network
from unrolled.program.instructions import Symbol, Vector
from unrolled.program.program import Program
from unrolled.solved.solved_model import SOLVED
from unrolled.tasks.task import Task

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")

NAMES = [*CELLS.names(), "mlp", "tcn", "window"]
MODELS = ("gru", "mingru", "window", "rnn", "lstm")  # of the samples, in turn
POOLS = ("last", "mean", "max")


@pytest.fixture(scope="module")
def load() -> Task:
    """A forecast of a series with gaps, beside labels and what is known ahead: every kind of input."""
    return SAMPLES["forecast ahead"].ask()


@pytest.fixture(scope="module")
def cells(load: Task, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Network, Step, Any]]:
    """Every cell and layer with a step of fixed size, in two layers."""
    torch.manual_seed(1)
    networks = {name: network_of(load, name) for name in NAMES}
    steps = {name: step_of(load, network) for name, network in networks.items()}
    compiled = Compiled(steps, tmp_path_factory.mktemp("c"))
    return {name: (network, steps[name], compiled) for name, network in networks.items()}


@pytest.mark.parametrize("name", NAMES)
def test_every_step_is_that_of_the_session(name: str, cells: Any, load: Task) -> None:
    network, step, compiled = cells[name]
    steps = tried(step, 1000 if name == "lstm" else 200)
    same(compiled.answers(name, steps), answered(load, network, step, steps))


def test_every_other_layer_says_why_it_is_refused(load: Task) -> None:
    for name, why in (
        ("transformer", "the layer Transformer keeps every step, so its memory grows with the row, and cannot be"),
        ("deltanet", "the layer DeltaNet has no plain step, and cannot be exported to C: train a recurrent model"),
        (
            "bilstm",
            "only models that answer step by step can be exported to C: this model reads every sequence in both",
        ),
    ):
        with pytest.raises(UsageError, match=why):
            step_of(load, network_of(load, name, layers=1))
    assert {*LAYERS.names()} - {"bitransformer", "transformer", "deltanet"} <= {*NAMES}


class Told(nn.Module):
    """A cell of a user, with equations: the state is a tensor, and one product reads both x and h."""

    equations: ClassVar[dict[str, str]] = {"new": "tanh(x_new)", "h": "keep * h_before + (1 - keep) * new"}

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.linear, self.back = nn.Linear(input_size, hidden_size), nn.Linear(hidden_size, hidden_size)
        self.keep = nn.Parameter(torch.linspace(-1, 1, hidden_size))
        self.first = nn.Parameter(torch.linspace(0, 1, hidden_size))

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        values = self.products(x, h)
        h = torch.lerp(values["x_new"].tanh(), h, values["keep"])
        return h, h

    def products(self, x: torch.Tensor, h: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"x_new": self.linear(x) + self.back(h), "keep": self.keep.sigmoid().expand_as(h)}

    def initial_state(self, batch: int, like: torch.Tensor) -> torch.Tensor:
        return self.first.to(like.dtype).expand(batch, -1)


class Untold(Told):
    equations: ClassVar[dict[str, str]] = {}


class Crooked(Told):
    def products(self, x: torch.Tensor, h: torch.Tensor) -> dict[str, torch.Tensor]:
        return {**super().products(x, h), "x_new": self.linear(x).exp()}


def test_a_cell_of_a_user_needs_only_its_equations(load: Task, tmp_path: Path) -> None:
    network = network_of(load, "gru", layers=1)
    network.layer = Recurrent(network.layer.input_size, 8, [Told, "lstm", Told]).eval()
    step = step_of(load, network)
    steps = tried(step)
    same(Compiled({"own": step}, tmp_path).answers("own", steps), answered(load, network, step, steps))
    for cell, why in (
        (Untold, "the cell Untold cannot be exported: its equations do not give its output and its state"),
        (Crooked, "the cell Crooked cannot be exported: its product 'x_new' is not linear in its input and state"),
        (nn.Identity, "does not declare its equations"),
    ):
        program = Program()
        with pytest.raises(UsageError, match=why):
            Recurrent(3, 5, partial(made_cell, cell)).write_step(program, Vector("x", 3))


def made_cell(kind: Callable[..., Any], input_size: int, hidden_size: int) -> Any:
    cell = kind(input_size, hidden_size)
    cell.input_size, cell.hidden_size = input_size, hidden_size
    if kind is nn.Identity:
        cell.initial_state = lambda batch, like: like.new_zeros(batch, hidden_size)
    return cell


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Task, Any, Step | UsageError]]:
    """A model of every sample of a task, and every solved model that answers a forecast, added to one and alone.

    In `make soak` every solved model answers also with quantiles, a Gaussian, and at each step.
    """
    torch.manual_seed(2)
    models: dict[str, tuple[Task, Any]] = {}
    for number, (name, sample) in enumerate(SAMPLES.items()):
        task = sample.ask()
        if task.pooled and not task.coder.horizon:
            config = model_config(name=MODELS[number % 5], hidden=5, pool=POOLS[number % 3], window=3, embedding=0)
            models[name] = task, Network(task.coder.specs, config, task.outputs, pooled=True)
        else:
            models[name] = task, network_for(task, MODELS[number % 5])
    forecasts = ("forecast ahead", "forecast quantiles", "forecast gaussian", "next_step real")
    for name in forecasts[: 4 if os.environ.get("UNROLLED_SOAK") == "1" else 1]:
        task, examples = SAMPLES[name].ask(), SAMPLES[name].examples(SAMPLES[name].ask())
        for solved, member in SOLVED.members().items():
            if member.applies(task, examples):
                other = member.solve(task, examples, member.Options(), 0)
                models[f"{name} {solved}"] = task, other
    tiny = replace(SAMPLES["forecast quantiles"], target=("wave",), options={"horizon": 1, "quantiles": (0.1,)}).ask()
    models["one unit, one step ahead"] = tiny, network_for(tiny, "gru", hidden=1)
    tiny = SAMPLES["tag"].ask()
    config = model_config(name="rnn", hidden=1, embedding=1)
    models["one number for a symbol"] = tiny, Network(tiny.coder.specs, config, tiny.outputs, pooled=False)
    task, other = models["forecast ahead linear_window"]
    models["sum"] = task, Combined(network_for(task, "gru"), other, "sum")
    models["mean"] = task, Combined(network_for(task, "gru"), models["forecast ahead last_value"][1], "mean")
    return {name: (task, model.eval(), stepped(task, model.eval())) for name, (task, model) in models.items()}


def stepped(task: Task, model: Any) -> Step | UsageError:
    try:
        return step_of(task, model)
    except UsageError as refused:
        return refused


@pytest.mark.soak
def test_the_answers_of_every_task_and_start_are_its_own(samples: Any, tmp_path: Path) -> None:
    steps = {f"m{number}": made for number, (_, _, made) in enumerate(samples.values()) if isinstance(made, Step)}
    compiled = Compiled(steps, tmp_path, "-O0")
    for number, (task, model, made) in enumerate(samples.values()):
        if isinstance(made, Step):
            rows = tried(made, 60)
            same(compiled.answers(f"m{number}", rows), answered(task, model, made, rows))


@pytest.mark.soak
def test_whatever_has_no_form_in_c_says_so(samples: Any) -> None:
    refused = {name: str(made) for name, (_, _, made) in samples.items() if isinstance(made, UsageError)}
    for name, why in (
        ("classify several texts", "this model reads title, body, marks as a whole, so it has no plain step"),
        ("tag together", "to C: a CRF chooses the labels of a sequence only at its end"),
        ("transcribe", "the task 'transcribe' answers for whole rows only"),
        ("fill", "the task 'fill' answers for whole rows only"),
        ("translate", "to C: this model reads each sequence whole before it writes its answer"),
        (
            "forecast ahead ets",
            "train with start none, blend none and only none, so that the network answers by itself",
        ),
    ):
        assert why in refused[name]
    whole = ("classify several texts", "tag with a text", "tag together", "transcribe", "fill", "forecast with a list")
    assert refused.keys() & SAMPLES.keys() == {*whole, "translate", "translate two texts"}


@pytest.mark.soak
def test_any_architecture_gives_the_session_s_answers(tmp_path: Path, times: Callable[[int, int], int]) -> None:
    random = np.random.default_rng(4)
    asked = [one for one in SAMPLES.values() if one.task in ("classify", "regress", "tag", "next_step", "forecast")]
    tasks, made = [sample.ask() for sample in asked], {}
    for number in range(times(6, 150)):
        task, name = tasks[int(random.integers(len(tasks)))], NAMES[int(random.integers(len(NAMES)))]
        options: dict[str, Any] = {"layers": int(random.integers(1, 4)), "hidden": int(random.choice([1, 2, 3, 7, 16]))}
        options |= {"pool": POOLS[number % 3]} if task.pooled else {}
        config = model_config(name=name, **options, window=number % 5 + 1, kernel=number % 2 + 2, embedding=number % 4)
        torch.manual_seed(number)
        network = Network(task.coder.specs, config, task.outputs, pooled=task.pooled).eval()
        if isinstance(step := stepped(task, network), Step):
            made[f"m{number}"] = task, network, step
    compiled = Compiled({name: step for name, (_, _, step) in made.items()}, tmp_path, "-O0")
    for name, (task, network, step) in made.items():
        rows = tried(step, times(50, 1000))
        same(compiled.answers(name, rows), answered(task, network, step, rows))


def test_words_that_are_read_by_their_letters_are_refused() -> None:
    specs = {"text": Discrete(7), letters_of("text"): Spelled(9, 4, "text")}
    program = Program()
    program.inputs["text"] = Symbol(0, 7)
    with pytest.raises(UsageError, match="'text' is read by its letters, which the export to C does not have: train"):
        Network(specs, ModelConfig(name="gru", hidden=4), 3, pooled=False).write_step(program)
