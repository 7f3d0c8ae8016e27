"""A model as C beside the session of this package: how far apart they are, bytes of code, time of a step.

Protocol: a run of one training step is exported with ``--to c``; its folder is built by gcc, clang and, where they are
installed, the bare-metal compiler of a Cortex-M4. 1 000 steps are compared with the session. Times of gcc at -Os and
-O2 and of the session are medians of rounds that alternate, in this process. A Cortex-M4 is emulated by QEMU with one
instruction a nanosecond, so that its timer counts instructions; a real one takes more cycles than that.

Goals: E12 (1e-5, 8 KiB of code) and E13 (1e-4) of issue 17.
"""

import argparse
import ctypes
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import common
import machine
import numpy as np
import torch

import unrolled
from unrolled.export.c_code.replay import answered, tried
from unrolled.export.c_code.step_of import step_of

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
BOARD = common.ROOT / "tests" / "export" / "cortex_m4"
CORTEX_M4 = ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"]
STEPS, CALLS, COUNTED = 1000, 500, 20
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz .,;:!?-'\n"
COUNT = """
#include <stdio.h>
#include "m.h"
int main(void)
{{
    static m_state state;
    static float outputs[M_OUTPUTS];
    {given}
    volatile unsigned *const timer = (volatile unsigned *)0xE000E010;
    unsigned start, k;
    m_init(&state);
    timer[1] = 0xFFFFFF; timer[2] = 0; timer[0] = 5;
    start = timer[2];
    for (k = 0; k < {count}; k++)
        m_step(&state, {arguments}, outputs);
    printf("%u\\n", (start - timer[2]) & 0xFFFFFF);
    return 0;
}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a fifth of the rounds, not recorded")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{machine.line()}\n")
    print("| model | weights | apart | code gcc, clang, M4 | session µs | -Os µs | -O2 µs | M4 instructions |")
    print("|---" * 8 + "|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, fit in RUNS.items():
            trained = fit(Path(folder) / name)
            for quantise in (None, "int8"):
                row = measured(trained, Path(folder) / f"{name}-{quantise}", quantise, 5 if options.quick else 25)
                codes = ", ".join(str(size) for size in row["code"].values())
                times = " | ".join(f"{row[key]:.2f}" for key in ("session_us", "os_us", "o2_us"))
                print(
                    f"| {name} | {row['weights']:,} | {row['apart']:.1e} | {codes} | {times} | {row['m4']:,} |",
                    flush=True,
                )
                if not options.quick:
                    common.record("c_export", {"model": name, "quantise": quantise, **row, "machine": machine.line()})


def _fit(data: dict[str, Any], **options: Any) -> Callable[[Path], Any]:
    plain: dict[str, Any] = {"start": "none", "blend": ["none"], "only": "none", "plan": "fixed", "steps": 1, "seed": 0}

    def fitted(out: Path) -> Any:
        rows = (dict(zip(data, cells, strict=True)) for cells in zip(*data.values(), strict=True))
        (file := out.with_suffix(".jsonl")).write_text("\n".join(map(json.dumps, rows)))  # int8 is measured on its rows
        return unrolled.fit(file, out=out, **plain, **options)

    return fitted


_random = np.random.default_rng(0)
_TEXT = {"text": ["".join(_random.permutation(list(LETTERS * 2))) for _ in range(12)]}
_WAVES = {f"x{c}": [_random.normal(size=60).cumsum().round(2).tolist() for _ in range(8)] for c in range(6)}
RUNS = {
    "lstm-128, text": _fit(_TEXT, model="lstm", hidden=128),
    "gru 32×2": _fit({**_WAVES, "y": list("abcd") * 2}, target="y", model="gru", hidden=32, layers=2, pool="last"),
    "lstm-32": _fit({**_WAVES, "y": list("abcd") * 2}, target="y", model="lstm", hidden=32, pool="last"),
}


def measured(trained: Any, out: Path, quantise: str | None, rounds: int) -> dict[str, Any]:
    """The figures of one exported model."""
    trained.export(out, "c", name="m", quantise=quantise, tolerate=1)
    step = step_of(trained.task, trained.network)
    steps = tried(step, STEPS)
    right = answered(trained.task, trained.network, step, steps)
    calls = {speed: Compiled(out, speed, step) for speed in ("-Os", "-O2")}
    found = np.stack([calls["-Os"](*one) for one in steps])
    apart = float((np.abs(found - right).max(1) / np.maximum(1, np.abs(right).max(1))).max())
    live, inputs = trained.network.session(), inputs_of(step)
    programs = [lambda: live.push(inputs), *(calls[speed].many(*steps[0]) for speed in calls)]
    session_us, os_us, o2_us = by_turns(programs, rounds)
    return {
        "weights": sum(constant.values.size for constant in step.program.constants),
        "apart": apart,
        "code": {compiler: code_bytes(out, compiler) for compiler in ("gcc", "clang", "arm-none-eabi-gcc")},
        "session_us": session_us,
        "os_us": os_us,
        "o2_us": o2_us,
        "m4": instructions(out, step),
    }


class Compiled:
    """The exported step, built by gcc."""

    def __init__(self, out: Path, speed: str, step: Any) -> None:
        file = out / f"m{speed}.so"
        subprocess.run(["gcc", *STRICT, speed, "-shared", "-fPIC", "-o", str(file), "m.c", "-lm"], cwd=out, check=True)
        library = ctypes.CDLL(str(file))
        self._state, self._step = (ctypes.c_char * (1 << 20))(), library.m_step
        self._outputs = (ctypes.c_float * sum(answer.size for answer in step.program.answers))()
        library.m_init(self._state)

    def __call__(self, numbers: np.ndarray, symbols: tuple[int, ...]) -> np.ndarray:
        """The answers after one more step."""
        self.many(numbers, symbols)()
        return np.array(self._outputs, np.float64)

    def many(self, numbers: np.ndarray, symbols: tuple[int, ...]) -> Callable[[], object]:
        """A step that is called without converting what it reads again."""
        given: list[Any] = [(ctypes.c_float * len(numbers))(*numbers.tolist())] if len(numbers) else []
        arguments, step = (self._state, *given, *map(ctypes.c_int, symbols), self._outputs), self._step
        return lambda: step(*arguments)


def inputs_of(step: Any) -> dict[str, torch.Tensor]:
    """One step for the session."""
    numbers = {column.name: torch.zeros(1, len(column.channels)) for column in step.numbers}
    return {**numbers, **{column.name: torch.tensor([3]) for column in step.symbols}}


def by_turns(programs: list[Callable[[], object]], rounds: int) -> list[float]:
    """Microseconds of a call of each, the median of rounds in which they alternate."""
    times: list[list[float]] = [[] for _ in programs]
    for _ in range(rounds):
        for own, program in zip(times, programs, strict=True):
            start = time.process_time()
            for _ in range(CALLS):
                program()
            own.append((time.process_time() - start) / CALLS * 1e6)
    return [statistics.median(own) for own in times]


def code_bytes(out: Path, compiler: str) -> int | None:
    """Bytes of code without constants; ``None`` where the compiler is not installed."""
    if shutil.which(compiler) is None:
        return None
    bare = compiler.startswith("arm")
    own = CORTEX_M4 if bare else []
    subprocess.run([compiler, *own, *STRICT, "-Os", "-c", "-o", "m.o", "m.c"], cwd=out, check=True)
    size = "arm-none-eabi-size" if bare else "size"
    told = subprocess.run([size, "-A", "m.o"], cwd=out, check=True, text=True, capture_output=True).stdout
    return sum(int(line.split()[1]) for line in told.splitlines() if line.startswith(".text"))


def instructions(out: Path, step: Any) -> int | None:
    """Instructions of a step on an emulated Cortex-M4; ``None`` where it is not installed."""
    if shutil.which("arm-none-eabi-gcc") is None or shutil.which("qemu-system-arm") is None:
        return None
    count = sum(len(column.channels) for column in step.numbers)
    given, arguments = (f"static float numbers[{count}];", "numbers") if count else ("", "3")
    (out / "count.c").write_text(COUNT.format(given=given, arguments=arguments, count=COUNTED))
    sources = ["count.c", "m.c", str(BOARD / "start.c"), "-T", str(BOARD / "memory.ld"), "-lm"]
    own = [*CORTEX_M4, "--specs=rdimon.specs", "-std=c99", "-O2", "-o", "count.elf"]
    subprocess.run(["arm-none-eabi-gcc", *own, *sources], cwd=out, check=True)
    board = ["qemu-system-arm", "-M", "mps2-an386", "-nographic", "-monitor", "none", "-serial", "none"]
    run = [*board, "-icount", "shift=0", "-semihosting-config", "enable=on,target=native", "-kernel", "count.elf"]
    told = subprocess.run(run, cwd=out, check=True, text=True, capture_output=True, timeout=120).stdout
    return round(int(told) * 40 / COUNTED)  # the timer of this board has 25 MHz


if __name__ == "__main__":
    main()
