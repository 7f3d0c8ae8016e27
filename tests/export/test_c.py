"""A model as C: every cell and layer of fixed size against the session, the files around it, and what is refused."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from configs import model_config
from samples import SAMPLES, network_for
from torch import nn

import unrolled
from unrolled.batch import Discrete, Spelled, letters_of
from unrolled.cells.cell import CELLS
from unrolled.errors import ModelError, UsageError
from unrolled.export.c import C
from unrolled.export.c_code.arithmetic_of import Machine
from unrolled.export.c_code.constants import Storage
from unrolled.export.c_code.header_and_code import Unit, code, count_of, header, sized
from unrolled.export.c_code.replay import answered, tried
from unrolled.export.c_code.step_of import Step, step_of
from unrolled.layers.config import ModelConfig
from unrolled.layers.factory import LAYERS
from unrolled.layers.recurrent import Recurrent
from unrolled.models.combined import Combined
from unrolled.models.network import Network
from unrolled.program.instructions import Symbol, Vector
from unrolled.program.program import Program
from unrolled.runs.trained import Trained
from unrolled.solved.solved_model import SOLVED
from unrolled.storage.directories import verify
from unrolled.tasks.task import Task

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
TEXTS = ["".join('abc ?\n"é'[(t * t + n) % 8] for t in range(20 + n % 9)) for n in range(24)]
NAMES = [*CELLS.names(), "mlp", "tcn", "window"]
MODELS = ("gru", "mingru", "window", "rnn", "lstm")  # of the samples, in turn
POOLS = ("last", "mean", "max")


@pytest.fixture(scope="module")
def load() -> Task:
    """A forecast of a series with gaps, beside labels and what is known ahead: every kind of input."""
    return SAMPLES["forecast ahead"].ask()


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The next character of framed texts."""
    options: dict[str, Any] = {"start": "none", "blend": ["none"], "only": "none", "steps": 1, "plan": "fixed"}
    return unrolled.fit(
        {"text": TEXTS}, model="lstm", hidden=6, out=tmp_path_factory.mktemp("runs") / "text", **options
    )


class Compiled:
    """Steps in a library made of them by one call of gcc."""

    def __init__(self, steps: dict[str, Step], folder: Path, speed: str = "-O2") -> None:
        self._steps, self._storage = steps, Storage(False)
        for name, step in steps.items():
            (folder / f"{name}.h").write_text(header(Unit(name, name, step, self._storage)))
            (folder / f"{name}.c").write_text(code(Unit(name, name, step, self._storage)))
        sources = [f"{name}.c" for name in steps]
        subprocess.run(
            ["gcc", *STRICT, speed, "-shared", "-fPIC", "-o", "all.so", *sources, "-lm"], cwd=folder, check=True
        )
        self._library = ctypes.CDLL(str(folder / "all.so"))

    def answers(self, name: str, tried_steps: list[Any]) -> np.ndarray:
        """(T, O)."""
        step = self._steps[name]
        state = (
            ctypes.c_char * (sized(Unit(name, name, step, self._storage)).state + 16)
        )()  # `steps` has 8 bytes here, not 4
        outputs, found = (ctypes.c_float * count_of(step)[2])(), []
        getattr(self._library, f"{name}_init")(state)
        one = getattr(self._library, f"{name}_step")
        for numbers, symbols in tried_steps:
            given: list[Any] = [(ctypes.c_float * len(numbers))(*numbers.tolist())] if len(numbers) else []
            if symbols:
                given.append(ctypes.c_int(symbols[0]) if len(symbols) == 1 else (ctypes.c_int * len(symbols))(*symbols))
            one(state, *given, outputs)
            found.append(np.array(outputs, np.float64))
        return np.stack(found)


def same(found: np.ndarray, right: np.ndarray, tolerance: float = 1e-5) -> None:
    """Within the tolerance of C14, step by step."""
    off = np.abs(found - right).max(1) / np.maximum(1, np.abs(right).max(1))
    assert off.max() <= tolerance, f"step {off.argmax()}: {off.max():.2g}"


def network_of(task: Task, name: str, layers: int = 2) -> Network:
    config = ModelConfig(name=name, hidden=8, layers=layers)
    return Network(task.coder.specs, config, task.outputs, pooled=task.pooled, pool="last").eval()


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
    """A model of every sample of a task, and every solved model that answers a forecast, added to one and alone."""
    torch.manual_seed(2)
    models: dict[str, tuple[Task, Any]] = {}
    for number, (name, sample) in enumerate(SAMPLES.items()):
        task = sample.ask()
        if task.pooled and not task.coder.horizon:
            config = model_config(name=MODELS[number % 5], hidden=5, pool=POOLS[number % 3], window=3, embedding=0)
            models[name] = task, Network(task.coder.specs, config, task.outputs, pooled=True)
        else:
            models[name] = task, network_for(task, MODELS[number % 5])
    for name in ("forecast ahead", "forecast quantiles", "forecast gaussian", "next_step real"):
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


def test_the_answers_of_every_task_and_start_are_its_own(samples: Any, tmp_path: Path) -> None:
    steps = {f"m{number}": made for number, (_, _, made) in enumerate(samples.values()) if isinstance(made, Step)}
    compiled = Compiled(steps, tmp_path, "-O0")
    for number, (task, model, made) in enumerate(samples.values()):
        if isinstance(made, Step):
            rows = tried(made, 60)
            same(compiled.answers(f"m{number}", rows), answered(task, model, made, rows))


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


def test_characters_answer_as_a_stream_does(text: Trained, tmp_path: Path) -> None:
    step = step_of(text.task, text.network)
    compiled, live, names = Compiled({"text": step}, tmp_path), text.stream(), step.answers
    right = [live.push(letter) for letter in TEXTS[0]]
    found = compiled.answers("text", [(np.zeros(0), (names.index(letter),)) for letter in TEXTS[0]])
    assert [names[row.argmax()] for row in found] == [answer["text_predicted"] for answer in right]
    assert [row.max() for row in found] == pytest.approx([answer["text_p"] for answer in right], rel=1e-5)
    assert names[:3] == ("<unknown>", "<begin>", "<end>")


def make(folder: Path, *arguments: str) -> str:
    """What make prints, without the colours and jobs of a make around these tests."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(["make", "-s", *arguments], cwd=folder, check=True, text=True, capture_output=True, env=clean)
    return done.stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_the_folder_builds_and_checks_itself(text: Trained, tmp_path: Path) -> None:
    notes = text.export(tmp_path / "out", "c", name="wave", tables=True, quantise="int8")
    assert "Weights are int8" in " ".join(notes)
    files = {"Makefile", "README.md", "check.c", "example.c", "expected.txt", "names.txt", "wave.c", "wave.h"}
    assert {*verify(tmp_path / "out")} == files
    flags = f"CFLAGS={' '.join(STRICT)} -O1 -fsanitize=undefined,address -fno-sanitize-recover"
    assert make(tmp_path / "out", "check", "CC=gcc", flags).startswith("same: 200 steps")
    again = text.export(tmp_path / "again", "c", name="wave", tables=True, quantise="int8")
    assert notes == again
    for file in files:
        assert (tmp_path / "out" / file).read_bytes() == (tmp_path / "again" / file).read_bytes()
    with pytest.raises(UsageError, match="name = '2 waves': write it like load or wake_word"):
        text.export(tmp_path / "other", "c", name="2 waves")


def test_a_difference_is_found(text: Trained, tmp_path: Path) -> None:
    text.export(tmp_path / "out", "c", tables=True)
    expected = tmp_path / "out" / "expected.txt"
    first, *others = expected.read_text().splitlines()
    expected.write_text("\n".join([first.rpartition(" ")[0] + " 0.9", *others]))
    sources = ["gcc", *STRICT, "-Os", "-o", "check", "check.c", "text.c", "-lm"]
    subprocess.run(sources, cwd=tmp_path / "out", check=True)
    done = subprocess.run(["./check"], cwd=tmp_path / "out", input=expected.read_text(), text=True, capture_output=True)
    assert done.returncode == 1 and done.stdout.startswith("DIFFERENT: 200 steps")
    subprocess.run([*sources[:-4], "example", "example.c", "text.c", "-lm"], cwd=tmp_path / "out", check=True)
    told = subprocess.run(["./example"], cwd=tmp_path / "out", input="3 4", text=True, capture_output=True, check=True)
    assert len(told.stdout.splitlines()) == 2


def test_a_chaotic_model_is_checked_in_short_rows(load: Task, tmp_path: Path) -> None:
    torch.manual_seed(6)
    network = network_of(load, "rnn")
    with torch.no_grad():
        for cells in network.layer.layers:
            cells[0].weight_hh.mul_(3)
    subject: Any = SimpleNamespace(task=load, network=network, name="chaos")
    files = C(C.Options()).files(subject)
    assert b"#define ROW 200 " not in files["check.c"]
    assert b"The check therefore begins a new row after every" in files["README.md"]
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    subprocess.run(["gcc", *STRICT, "-O2", "-o", "check", "check.c", "chaos.c", "-lm"], cwd=tmp_path, check=True)
    subprocess.run(["./check"], cwd=tmp_path, input=files["expected.txt"], check=True, capture_output=True)


def test_a_program_that_is_another_model_is_not_written(load: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    network = network_of(load, "gru")
    monkeypatch.setattr(Machine, "push", lambda machine, numbers, symbols: machine.outputs.numpy() + 400)
    subject: Any = SimpleNamespace(task=load, network=network, name="wrong")
    with pytest.raises(ModelError, match=r"the equations of this model do not give its answers \(they differ by"):
        C(C.Options()).files(subject)


@pytest.mark.skipif(shutil.which("clang") is None, reason="clang is not installed")
def test_clang_has_nothing_to_say(cells: Any, tmp_path: Path) -> None:
    for name in ("lnlstm", "tcn"):
        step = cells[name][1]
        (tmp_path / f"{name}.h").write_text(header(Unit(name, "*/ ??/ é", step, Storage(True), tables=True)))
        (tmp_path / f"{name}.c").write_text(code(Unit(name, "*/ ??/ é", step, Storage(True), tables=True)))
    subprocess.run(["clang", *STRICT, "-Os", "-c", "lnlstm.c", "tcn.c"], cwd=tmp_path, check=True)


@pytest.mark.skipif(shutil.which("size") is None, reason="size is not installed")
def test_the_code_is_small(cells: Any, tmp_path: Path) -> None:
    for name in ("lstm", "lnlstm"):
        step = cells[name][1]
        (tmp_path / f"{name}.h").write_text(header(Unit(name, name, step, Storage(False))))
        (tmp_path / f"{name}.c").write_text(code(Unit(name, name, step, Storage(False))))
        subprocess.run(["gcc", *STRICT, "-Os", "-c", f"{name}.c"], cwd=tmp_path, check=True)
        told = subprocess.run(["size", "-A", f"{name}.o"], cwd=tmp_path, check=True, text=True, capture_output=True)
        bytes_of = {line.split()[0]: int(line.split()[1]) for line in told.stdout.splitlines() if line.startswith(".")}
        assert bytes_of[".text"] <= 8192
        assert bytes_of.get(".data", 0) == bytes_of.get(".bss", 0) == 0  # no state but the caller's


ARM = "arm-linux-gnueabihf-gcc"


@pytest.mark.skipif(shutil.which(ARM) is None or shutil.which("qemu-arm") is None, reason="no cross compiler or qemu")
def test_an_arm_processor_gives_the_same(text: Trained, tmp_path: Path) -> None:
    text.export(tmp_path / "out", "c")
    flags = f"CFLAGS={' '.join(STRICT)} -Os -static"
    assert make(tmp_path / "out", "check", f"CC={ARM}", flags, "RUN=qemu-arm").startswith("same: 200 steps")


BARE, BOARD = "arm-none-eabi-gcc", "qemu-system-arm"
CORTEX_M4 = ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16", "--specs=rdimon.specs"]
EMULATED = ["-M", "mps2-an386", "-nographic", "-monitor", "none", "-serial", "none"]


@pytest.mark.skipif(shutil.which(BARE) is None or shutil.which(BOARD) is None, reason="no bare-metal compiler or board")
def test_an_emulated_microcontroller_gives_the_same(text: Trained, tmp_path: Path) -> None:
    """E13: a Cortex-M4 without an operating system, with newlib; what it reads and prints goes through QEMU."""
    board, out = Path(__file__).parent / "cortex_m4", tmp_path / "out"
    text.export(out, "c", quantise="int8")
    sources = ["check.c", "text.c", str(board / "start.c"), "-lm"]
    flags = [*CORTEX_M4, "-std=c99", "-Os", "-DTOLERANCE=1e-4f", "-T", str(board / "memory.ld"), "-o", "check.elf"]
    subprocess.run([BARE, *flags, *sources], cwd=out, check=True)
    run = [BOARD, *EMULATED, "-semihosting-config", "enable=on,target=native", "-kernel", "check.elf"]
    given = (out / "expected.txt").read_text()
    done = subprocess.run(run, cwd=out, input=given, text=True, capture_output=True, check=True, timeout=60)
    assert done.stdout.startswith("same: 200 steps")
