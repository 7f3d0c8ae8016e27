"""The files beside the code: an example, a check with what this package answered, a Makefile and a README."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unrolled.export.c_code.header_and_code import Unit, count_of, inputs_of, sized
from unrolled.export.c_code.replay import STEPS, Tried
from unrolled.export.c_code.step_of import Step

_COUNTER = """\
#ifdef TIMED
#include <time.h>
#ifndef CYCLES /* a counter of the processor; README.md names that of a Cortex-M */
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
#define CYCLES __builtin_ia32_rdtsc()
#endif
#endif
#endif
"""
_CHAOTIC = """
This model enlarges small differences from step to step, the rounding of its numbers too, so that no two programs agree
on it for long. The check therefore begins a new row after every {row} steps.
"""

__all__ = ["check", "example", "expected", "makefile", "names", "readme"]


def makefile(name: str) -> str:
    """How the files are built, checked, measured."""
    return f"""\
# make: the example. make check: compares with this package. make time: microseconds and cycles of a step.
# make size: bytes of code and constants, built with -Os.
CC ?= cc
CFLAGS ?= -std=c99 -Wall -Wextra -pedantic -O2
SIZE ?= size
RUN ?=

all: example

example: example.c {name}.c {name}.h
\t$(CC) $(CFLAGS) -o $@ example.c {name}.c -lm

check-{name}: check.c {name}.c {name}.h
\t$(CC) $(CFLAGS) -o $@ check.c {name}.c -lm

time-{name}: check.c {name}.c {name}.h
\t$(CC) $(CFLAGS) -DTIMED -o $@ check.c {name}.c -lm

{name}.o: {name}.c {name}.h
\t$(CC) $(CFLAGS) -Os -c -o $@ {name}.c

check: check-{name}
\t$(RUN) ./check-{name} < expected.txt

time: time-{name}
\t$(RUN) ./time-{name} < expected.txt

size: {name}.o
\t$(SIZE) -A {name}.o | grep -E '^\\.(text|rodata|data|bss)'

clean:
\trm -f example check-{name} time-{name} {name}.o

.PHONY: all check time size clean
"""


def _arguments(step: Step) -> str:
    given = {"numbers": "numbers", "symbol": "symbols[0]", "symbols": "symbols"}
    return "".join(f"{given[argument]}, " for _, argument in inputs_of(step))


def _memory(name: str, step: Step) -> str:
    """What a program that steps the model declares."""
    numbers, symbols, _ = count_of(step)
    lines = [f"    static {name}_state state;", f"    static float outputs[{name.upper()}_OUTPUTS];"]
    lines += [f"    float numbers[{name.upper()}_NUMBERS];"] if numbers else []
    lines += [f"    int symbols[{name.upper()}_SYMBOLS];"] if symbols else []
    return "\n".join(lines)


def _reading(name: str, step: Step, failed: str) -> str:
    """C that reads the numbers and symbols of a step."""
    numbers, symbols, _ = count_of(step)
    lines = []
    for kind, form, count in (("numbers", "%f", numbers), ("symbols", "%d", symbols)):
        if count:
            lines += [f"        for (k = 0; k < {name.upper()}_{kind.upper()}; k++)"]
            lines += [f'            if (scanf("{form}", &{kind}[k]) != 1)', f"                {failed}"]
    return "\n".join(lines)


def example(unit: Unit) -> str:
    """A program that reads steps from stdin, and prints the answers to each."""
    name, step = unit.name, unit.step
    upper = name.upper()
    chosen = ""
    if step.program.choice is not None:
        chosen = f'        printf("%d ", {name}_choice(outputs));\n'
        if unit.tables:
            chosen = f'        printf("%s ", {name}_answer_names[{name}_choice(outputs)]);\n'
    return f"""\
/* Reads steps from stdin, the numbers of each and then its symbols, and prints the answers to each. */
#include <stdio.h>

#include "{name}.h"

int main(void)
{{
{_memory(name, step)}
    int k;
    {name}_init(&state);
    for (;;) {{
{_reading(name, step, "return 0;")}
        {name}_step(&state, {_arguments(step)}outputs);
{chosen}        for (k = 0; k < {upper}_OUTPUTS; k++)
            printf("%.6g%c", (double)outputs[k], k + 1 < {upper}_OUTPUTS ? ' ' : '\\n');
    }}
}}
"""


def _timing(name: str, step: Step) -> str:
    """C that measures a step."""
    return f"""\
#ifdef TIMED
    {{
        const clock_t start = clock();
        long repeats = 0;
        double least = 0.0; /* cycles of a step in the fastest hundred: in others the processor did other work too */
        while (clock() - start < CLOCKS_PER_SEC / 2) {{
#ifdef CYCLES
            const unsigned long before = (unsigned long)CYCLES;
#endif
            for (k = 0; k < 100; k++, repeats++)
                {name}_step(&state, {_arguments(step)}outputs);
#ifdef CYCLES
            {{
                const double took = (double)((unsigned long)CYCLES - before) / 100.0;
                least = least == 0.0 || took < least ? took : least;
            }}
#endif
        }}
        printf("%.3f microseconds", 1e6 * (double)(clock() - start) / CLOCKS_PER_SEC / (double)repeats);
        if (least > 0.0)
            printf(", %.0f cycles", least);
        printf(" a step\\n");
    }}
#endif
"""


def check(unit: Unit, row: int) -> str:
    """A program that compares with ``expected.txt``, or measures the time of a step; rows have ``row`` steps."""
    name, step = unit.name, unit.step
    upper = name.upper()
    return f"""\
/* Compares the answers with those in expected.txt, which is read from stdin: of each step what it reads, and then what
   it answers. With TIMED it also measures the time of a step. */
#include <math.h>
#include <stdio.h>
{_COUNTER}
#include "{name}.h"

#ifndef TOLERANCE
#define TOLERANCE 1e-5f /* times the largest answer of a step, or 1 */
#endif
#define ROW {row} /* steps after which a new row begins */

int main(void)
{{
{_memory(name, step)}
    static float expected[{upper}_OUTPUTS];
    float worst = 0.0f;
    int k, steps = 0, same = 1;
    for (;;) {{
        float largest = 1.0f, apart = 0.0f;
        if (steps % ROW == 0)
            {name}_init(&state);
{_reading(name, step, "goto over;")}
        for (k = 0; k < {upper}_OUTPUTS; k++) {{
            if (scanf("%f", &expected[k]) != 1)
                goto over;
            largest = fabsf(expected[k]) > largest ? fabsf(expected[k]) : largest;
        }}
        {name}_step(&state, {_arguments(step)}outputs);
        for (k = 0; k < {upper}_OUTPUTS; k++) {{
            const float off = fabsf(outputs[k] - expected[k]) / largest;
            apart = off > apart ? off : apart;
            same = same && off <= TOLERANCE; /* also false for a NAN */
        }}
        worst = apart > worst ? apart : worst;
        steps++;
    }}
over:
    printf("%s: ", same && steps ? "same" : "DIFFERENT");
    printf("%d steps, largest difference %.2g of the largest answer or 1\\n", steps, (double)worst);
{_timing(name, step)}    return same && steps ? 0 : 1;
}}
"""


def expected(steps: Sequence[Tried], answers: np.ndarray) -> str:
    """Of each step what it reads, and what this package answers."""
    lines = []
    for one, row in zip(steps, answers, strict=True):
        read = [f"{value:.9g}" for value in one.numbers.tolist()] + [str(symbol) for symbol in one.symbols]
        lines.append(" ".join([*read, *(f"{value:.7g}" for value in row.tolist())]))
    return "\n".join(lines) + "\n"


def names(step: Step) -> str:
    """What each symbol and each answer stands for: column, number and name, as JSON would write it, in each line."""
    import json

    lists = [(column.name, column.names) for column in step.symbols] + [("answer", step.answers)]
    return "".join(
        f"{json.dumps(title)}\t{number}\t{json.dumps(one)}\n" for title, own in lists for number, one in enumerate(own)
    )


def readme(unit: Unit, row: int, small: Sequence[str]) -> str:
    """What goes in, what comes out, what it costs, and how it was checked.

    Args:
        unit: what was written.
        row: the steps of a row in the check.
        small: what int8 weights change.
    """
    name, step, cost = unit.name, unit.step, sized(unit)
    arguments = "".join(f"{argument}, " for _, argument in inputs_of(step))
    weights = "int8, with a float for each row" if small else "float"
    lines = [
        f"# {unit.title}",
        "",
        f"One step of the model in plain C99: `{name}.h` says what it reads and answers, `{name}.c` is the code. It",
        "allocates nothing, prints nothing, and keeps nothing outside of the state that you give it; of the library it",
        "calls `expf`, `tanhf` and the like.",
        "",
        "```c",
        f'#include "{name}.h"',
        "",
        f"static {name}_state state;       /* one for each row */",
        f"static float outputs[{name.upper()}_OUTPUTS];",
        "",
        f"{name}_init(&state);             /* at the start of a row */",
        f"{name}_step(&state, {arguments}outputs);",
        "```",
        "",
        "Numbers go in and come out in the units of the data.",
        *(["Symbols are given by their numbers: `names.txt` lists them."] if step.symbols or step.answers else []),
        "",
        "| | |",
        "|---|---:|",
        f"| constants ({weights}) | {cost.weights:,} bytes |",
        "| code (`.text` of `make size`) | 1 to 3 KiB |",
        f"| state | {cost.state:,} bytes |",
        f"| memory of a step, on the stack | {cost.stack:,} bytes |",
        f"| multiply-adds of a step | {cost.products:,} |",
        "",
        "```console",
        "$ make check   # 200 steps against what the session of the model answered, in expected.txt",
        "$ make size    # bytes of code and constants, built with -Os",
        "$ make time    # microseconds and cycles of a step on this machine",
        "$ make check CC=arm-linux-gnueabihf-gcc RUN='qemu-arm -L /usr/arm-linux-gnueabihf'",
        "```",
        "",
        "Cycles are those of the time stamp counter of an x86 processor. For another one, give its counter: of a",
        "Cortex-M, `-DCYCLES='(*(volatile unsigned *)0xE0001004)'` once the program has switched it on.",
        "",
        "`make check` allows differences of 1e-5 times the largest answer of a step, or of 1 where that is more. Where",
        "the `expf` of a C library is less exact, add `-DTOLERANCE=1e-4f` to CFLAGS.",
        *(_CHAOTIC.format(row=row) if row < STEPS else "").splitlines(),
        *small,
    ]
    return "\n".join(lines) + "\n"
