"""The C of a step: the header that a program includes, and the code behind it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from unrolled.export.c_code.constants import Storage, c_number
from unrolled.export.c_code.helpers import HELPERS
from unrolled.export.c_code.instructions_of import Writer
from unrolled.export.c_code.step_of import Step, identifier
from unrolled.program.instructions import Constant

__all__ = ["Sized", "Unit", "code", "comment_text", "count_of", "header", "inputs_of", "sized"]

_LISTED = 300  # names in a comment of the header


@dataclass(frozen=True, slots=True)
class Unit:
    """What is written as a pair of files.

    Attributes:
        name: of the files and functions.
        title: what the model is, in a line.
        step: what it does.
        storage: how its constants are stored.
        tables: whether the names of symbols and labels are in it.
    """

    name: str
    title: str
    step: Step
    storage: Storage
    tables: bool = False


@dataclass(frozen=True, slots=True)
class Sized:
    """What a step costs.

    Attributes:
        weights: bytes of constants.
        state: bytes of the state that the caller keeps, with ``steps`` of 4 bytes.
        stack: bytes of the memory of a step.
        products: multiply-adds of a step.
    """

    weights: int
    state: int
    stack: int
    products: int


def sized(unit: Unit) -> Sized:
    """What a step costs."""
    program, storage = unit.step.program, unit.storage
    return Sized(
        sum(storage.bytes_of(one) for one in program.constants),
        4 + 4 * sum(one.vector.size for one in program.kept),
        sum((8 if one.exact else 4) * one.size for one in program.locals),
        sum(one.values.size for one in program.constants if one.is_weight),
    )


def count_of(step: Step) -> tuple[int, int, int]:
    """How many numbers and symbols a step reads, and how many numbers it answers with."""
    numbers = sum(len(column.channels) for column in step.numbers)
    return numbers, len(step.symbols), sum(answer.size for answer in step.program.answers)


def inputs_of(step: Step) -> list[tuple[str, str]]:
    """The type and name of each argument between the state and the answers."""
    numbers, symbols, _ = count_of(step)
    found = [("const float *", "numbers")] if numbers else []
    if symbols:
        found.append(("int ", "symbol") if symbols == 1 else ("const int *", "symbols"))
    return found


def comment_text(text: str) -> str:
    r"""``text`` inside a comment: what would end it, or is not ASCII, is escaped.

    >>> print(comment_text("a */ é??/"))
    a *\/ \xe9?\?/
    """
    text = text.encode("unicode_escape").decode()
    return text.replace("*/", "*\\/").replace("/*", "/\\*").replace("??", "?\\?")


def header(unit: Unit) -> str:
    """The header, with everything that a caller has to know in comments."""
    name, step = unit.name, unit.step
    numbers, symbols, outputs = count_of(step)
    guard, cost = f"{name.upper()}_H", sized(unit)
    lines = [
        f"/* {comment_text(unit.title)}",
        " *",
        " * One step of the model: it reads a step of one row, and answers. Keep a state for each row; nothing else is",
        f" * kept. A step takes about {cost.products:,} multiply-adds and {cost.stack:,} bytes of stack.",
        " */",
        f"#ifndef {guard}",
        f"#define {guard}",
        "",
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        "",
    ]
    lines += [f"#define {name.upper()}_NUMBERS {numbers}", f"#define {name.upper()}_SYMBOLS {symbols}"]
    lines += [f"#define {name.upper()}_OUTPUTS {outputs}", "", *_told_inputs(step), "", *_told_answers(name, step), ""]
    lines += ["/* What is kept of the steps so far. */", "typedef struct {", "    unsigned long steps;"]
    lines += [f"    float {one.vector.name}[{one.vector.size}];" for one in step.program.kept]
    lines += [f"}} {name}_state;", "", "/* Begin a row. */", f"void {name}_init({name}_state *state);", ""]
    lines += ["/* Read a step, and write the answers after it. */", f"{_signature(name, step)};", ""]
    if step.program.choice is not None:
        lines += ["/* The id of the value that the answers choose. */", f"int {name}_choice(const float *outputs);", ""]
    if unit.tables:
        lines += [f"extern const char *const {table}[{len(names)}];" for table, names in _tables(name, step)]
        lines.append("")
    lines += ["#ifdef __cplusplus", "}", "#endif", "", "#endif", ""]
    return "\n".join(lines)


def _signature(name: str, step: Step) -> str:
    inputs = "".join(f"{kind}{argument}, " for kind, argument in inputs_of(step))
    return f"void {name}_step({name}_state *state, {inputs}float *outputs)"


def _told_inputs(step: Step) -> Iterator[str]:
    """A comment about each thing that a step reads."""
    early, horizon = step.early
    yield "/* A step reads:"
    for column in step.numbers:
        ahead = f", {horizon} steps early" if column.name in early else ""
        once = "" if column.encoding.spec.time else ", the same at every step of a row"
        for place, channel in enumerate(column.channels, column.place):
            yield f" *   numbers[{place}]  {comment_text(channel)}, in the units of the data{ahead}{once}"
        yield " *     what is not finite (NAN) counts as missing"
    for symbols in step.symbols:
        given = "symbol" if len(step.symbols) == 1 else f"symbols[{symbols.place}]"
        yield f" *   {given}  {comment_text(symbols.name)}, by its number:"
        yield from _listed(symbols.names)
    yield " */"


def _told_answers(name: str, step: Step) -> Iterator[str]:
    yield "/* It answers with, in outputs: */"
    for answer in step.program.answers:
        place = f"{name}_{identifier(answer.name)}".upper()
        many = f"{answer.size} numbers" if answer.size > 1 else "1 number"
        yield f"#define {place} {answer.place} /* {many}: {comment_text(answer.meaning)} */"
    if step.answers:
        yield "/* The values that are answered, by their number:"
        if any(column.names == step.answers for column in step.symbols):
            yield " *     those that are read"
        else:
            yield from _listed(step.answers)
        yield " */"


def _listed(names: tuple[str, ...]) -> Iterator[str]:
    """Names with their numbers, several in a line."""
    line = " *    "
    for number, one in enumerate(names[:_LISTED]):
        text = f" {number} {comment_text(one)!r}"
        if len(line) + len(text) > 118:
            yield line
            line = " *    "
        line += text
    yield line
    if len(names) > _LISTED:
        yield f" *     and so on up to {len(names) - 1}: see names.txt"


def code(unit: Unit) -> str:
    """The code: constants, helpers, and the functions of the header."""
    name, step, storage = unit.name, unit.step, unit.storage
    program = step.program
    writer = Writer(program, storage, len(step.symbols) == 1)
    body = [line for one in program.instructions for line in writer.lines(one)]
    lines = [f"/* {comment_text(unit.title)} */", "#include <float.h>", "#include <math.h>", "#include <stddef.h>", ""]
    lines += [f'#include "{name}.h"', ""]
    for constant in program.constants:
        lines += storage.declared(constant)
        lines += _rest(constant, body)
    lines += [
        f"static const unsigned short {flag}[{len(own)}] = {{ {_commas(own)} }};" for flag, own in writer.flags.items()
    ]
    lines.append("")
    lines += [HELPERS[helper] for helper in HELPERS if helper in writer.helpers]
    lines += [f"void {name}_init({name}_state *state)", "{", *_indented(_beginning(name, step)), "}", ""]
    lines += [_signature(name, step), "{"]
    counted = ("if (state->steps + 1 != 0)", "    state->steps++; /* it stays at the largest number */")
    lines += _indented([*_declared(step, body), *_unread(step, body), *counted, *body])
    lines += ["}", ""]
    if program.choice is not None:
        lines += [f"int {name}_choice(const float *outputs)", "{", *_indented(_chosen(step)), "}", ""]
    if unit.tables:
        for table, names in _tables(name, step):
            lines += [
                f"const char *const {table}[{len(names)}] = {{",
                *(f"    {_c_text(one)}," for one in names),
                "};",
                "",
            ]
    return "\n".join(lines)


def _rest(constant: Constant, body: list[str]) -> Iterator[str]:
    """What a mean of float32 leaves of a mean."""
    if any(f"{constant.name}_rest[" in line for line in body):
        rest = constant.values - constant.values.astype("float32").astype("float64")
        yield f"static const float {constant.name}_rest[{len(rest)}] = {{ {_commas(map(c_number, rest))} }};"


def _commas(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"    {line}" for line in lines)


def _uses(body: Iterable[str], name: str) -> bool:
    return any(re.search(rf"(?<![\w>]){name}\b", line) for line in body)


def _declared(step: Step, body: list[str]) -> Iterator[str]:
    """The memory of a step."""
    indices = [name for name in ("k", "j", "id") if _uses(body, name)]
    if indices:
        yield f"size_t {', '.join(indices)};"
    for one in step.program.locals:
        yield f"{'double' if one.exact else 'float'} {one.name}[{one.size}];"


def _unread(step: Step, body: list[str]) -> Iterator[str]:
    for _, name in inputs_of(step):
        if not _uses(body, name):
            yield f"(void){name};"


def _beginning(name: str, step: Step) -> Iterator[str]:
    """The body of the function that begins a row."""
    kept = step.program.kept
    if any(one.vector.size > 1 for one in kept):
        yield "size_t k;"
    if step.opening is not None:
        yield f"float outputs[{name.upper()}_OUTPUTS];"
    yield "state->steps = 0;"
    for one in kept:
        index = "k" if one.vector.size > 1 else "0"
        first = f"{one.first.name}[{index}]" if isinstance(one.first, Constant) else c_number(one.first)
        if one.vector.size > 1:
            yield f"for (k = 0; k < {one.vector.size}; k++)"
        yield f"{'    ' if one.vector.size > 1 else ''}state->{one.vector.name}[{index}] = {first};"
    if step.opening is not None:
        yield f"/* Every row begins with {step.symbols[0].names[step.opening]}. */"
        yield f"{name}_step(state, {step.opening}, outputs);"


def _chosen(step: Step) -> Iterator[str]:
    choice, answer = step.program.choice, step.program.answers[0]
    assert choice is not None
    if choice.rare is not None:
        place = answer.place + choice.rare
        yield f"return outputs[{place}] >= {c_number(choice.least)} ? {choice.rare} : {1 - choice.rare};"
        return
    yield from ("int k, best = 0;", f"for (k = 1; k < {answer.size}; k++)")
    yield from ("    if (outputs[k] > outputs[best])", "        best = k;", "return best;")


def _tables(name: str, step: Step) -> list[tuple[str, tuple[str, ...]]]:
    """The names of symbols, as arrays: name of the array -> names."""
    found = [(f"{name}_{identifier(column.name)}_names", column.names) for column in step.symbols]
    return [*found, (f"{name}_answer_names", step.answers)] if step.answers else found


def _c_text(text: str) -> str:
    r"""A string of C in UTF-8.

    >>> print(_c_text('a"é?'))
    "a\"\303\251\?"
    """
    plain = {ord('"'): '\\"', ord("\\"): "\\\\", ord("?"): "\\?"}
    bytes_ = text.encode()
    return '"' + "".join(plain.get(b) or (chr(b) if 32 <= b < 127 else f"\\{b:03o}") for b in bytes_) + '"'
