"""The folder of a model in C: it builds and checks itself with gcc, clang and for ARM, it is small, and int8 is measured."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from c_steps import STRICT, Compiled, network_of
from samples import SAMPLES

import unrolled
from unrolled.errors import ModelError, UsageError
from unrolled.export.c import C
from unrolled.export.c_code.arithmetic_of import Machine
from unrolled.export.c_code.constants import Storage
from unrolled.export.c_code.header_and_code import Unit, code, header
from unrolled.export.c_code.step_of import step_of
from unrolled.runs.trained import Trained
from unrolled.storage.directories import verify
from unrolled.tasks.task import Task

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")

TEXTS = ["".join('abc ?\n"é'[(t * t + n) % 8] for t in range(20 + n % 9)) for n in range(24)]


@pytest.fixture(scope="module")
def load() -> Task:
    """A forecast of a series with gaps, beside labels and what is known ahead: every kind of input."""
    return SAMPLES["forecast ahead"].ask()


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The next character of framed texts, of a file, so that int8 can be measured on its validation rows."""
    options: dict[str, Any] = {"start": "none", "blend": ["none"], "only": "none", "steps": 1, "plan": "fixed"}
    folder = tmp_path_factory.mktemp("runs")
    (folder / "texts.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in TEXTS))
    return unrolled.fit(folder / "texts.jsonl", model="lstm", hidden=6, out=folder / "text", **options)


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
    said = "With int8 weights loss_nats_per_token is [0-9.]+ on the validation data; it was [0-9.]+"
    assert re.match(said, notes[0]) and notes[0] in (tmp_path / "out" / "README.md").read_text()
    assert "static const signed char" in (tmp_path / "out" / "wave.c").read_text()
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
def test_clang_has_nothing_to_say(load: Task, tmp_path: Path) -> None:
    for name in ("lnlstm", "tcn"):
        step = step_of(load, network_of(load, name))
        (tmp_path / f"{name}.h").write_text(header(Unit(name, "*/ ??/ é", step, Storage(True), tables=True)))
        (tmp_path / f"{name}.c").write_text(code(Unit(name, "*/ ??/ é", step, Storage(True), tables=True)))
    subprocess.run(["clang", *STRICT, "-Os", "-c", "lnlstm.c", "tcn.c"], cwd=tmp_path, check=True)


@pytest.mark.skipif(shutil.which("size") is None, reason="size is not installed")
def test_the_code_is_small(load: Task, tmp_path: Path) -> None:
    for name in ("lstm", "lnlstm"):
        step = step_of(load, network_of(load, name))
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
