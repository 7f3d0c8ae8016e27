"""The instructions of a program as C, one after another."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from unrolled.cells.equations import Tree, names_in, parsed
from unrolled.export.c_code.constants import Storage, c_number
from unrolled.export.c_code.formulas import CALLS, formula, functions_in
from unrolled.export.c_code.helpers import HELPERS
from unrolled.program.instructions import (
    Constant,
    Dot,
    Each,
    Embed,
    Gather,
    Hot,
    Instruction,
    Normalise,
    Push,
    Scale,
    Softmax,
    Sort,
    Source,
    Symbol,
    Vector,
)
from unrolled.program.program import Program

__all__ = ["Writer"]

_KEYWORDS = (
    "auto break case char const continue default do double else enum extern float for goto if inline int long register "
    "restrict return short signed sizeof static struct switch typedef union unsigned void volatile while"
)
_OURS = "k j state numbers symbols symbol outputs steps id"


class Writer:
    """Writes instructions, and remembers which helpers and constants they need.

    Args:
        program: the step.
        storage: how constants are stored.
        one_symbol: a step reads one symbol, ``symbol``, not ``symbols``.

    Attributes:
        helpers: the names of the functions that were called.
        flags: name -> the flagged channels of a column.
    """

    def __init__(self, program: Program, storage: Storage, one_symbol: bool) -> None:
        self._storage, self._one_symbol = storage, one_symbol
        memory = {one.name for one in program.locals} | {one.name for one in program.constants}
        functions = {*CALLS.values(), *HELPERS}
        self._taken = {*_KEYWORDS.split(), *_OURS.split(), *memory, *functions}
        self.helpers: set[str] = set()
        self.flags: dict[str, tuple[int, ...]] = {}

    def lines(self, instruction: Instruction) -> Iterator[str]:
        """The lines of an instruction, inside the function of a step."""
        match instruction:
            case Each():
                yield from self._each(instruction)
            case Scale():
                yield from self._scale(instruction)
            case Embed(into=into, table=table, symbol=symbol):
                row = f"{table.name}[id * {into.size} + k]"
                if self._storage.is_small(table):
                    row = f"(float){row} * {table.name}_scale[id]"
                yield f"id = {self._symbol(symbol)};"
                yield from _loop(into.size, [f"{self._place(into)} = {row};"])
            case Hot(into=into, symbol=symbol):
                yield from _loop(into.size, [f"{self._place(into)} = 0.0f;"])
                yield f"{self._memory(into)}[{self._symbol(symbol)}] = 1.0f;"
            case Push():
                yield from self._push(instruction)
            case Gather():
                yield from self._gather(instruction)
            case Normalise(into=into, epsilon=epsilon):
                yield f"{self._call('normalise')}({self._pointer(into)}, {into.size}, {epsilon!r});"
            case Softmax(into=into):
                yield f"{self._call('softmax')}({self._pointer(into)}, {into.size});"
            case Sort(into=into, width=width):
                call = f"{self._call('sort')}({self._memory(into)} + k * {width}, {width});"
                yield from _loop(into.size // width, [call])

    def _call(self, helper: str) -> str:
        self.helpers.add(helper)
        return helper

    def _memory(self, vector: Vector) -> str:
        return f"state->{vector.name}" if vector.kept else vector.name

    def _pointer(self, vector: Vector) -> str:
        return self._memory(vector) + (f" + {vector.start}" if vector.start else "")

    def _place(self, vector: Vector, index: str = "k") -> str:
        """Unit k of a vector."""
        if vector.size == 1 or vector.stride == 0:
            return f"{self._memory(vector)}[{vector.start}]"
        index = index if vector.stride == 1 else f"{index} * {vector.stride}"
        return f"{self._memory(vector)}[{f'{vector.start} + ' if vector.start else ''}{index}]"

    def _symbol(self, symbol: Symbol) -> str:
        given = "symbol" if self._one_symbol else f"symbols[{symbol.place}]"
        return f"{self._call('known')}({given}, {symbol.size})"

    def _source(self, source: Source, size: int) -> str:
        """What unit k reads."""
        if isinstance(source, Vector):
            return self._place(source)
        index = "k" if size > 1 else "0"
        if isinstance(source, Constant):
            return f"{source.name}[{index}]"
        if not isinstance(source, Dot):
            return c_number(source)
        weight, count = source.weight, source.of.size
        small = self._storage.is_small(weight)
        call = self._call(f"dot{'8' if small else ''}{'_exact' if source.exact else ''}")
        row = weight.name if size == 1 else f"{weight.name} + k * {count}"
        text = f"{call}({row}, {self._pointer(source.of)}, {count})"
        text += f" * {weight.name}_scale[{index}]" if small else ""
        return text if source.bias is None else f"{text} + {source.bias.name}[{index}]"

    def _each(self, each: Each) -> Iterator[str]:
        trees = {name: parsed(text) for name, text in each.equations.items()}
        used = list(dict.fromkeys(name for tree in trees.values() for name in names_in(tree)))
        names = {name: f"{name}_k" if name in self._taken else name for name in (*trees, *each.values)}
        names["steps"] = "(float)state->steps"
        for tree in trees.values():
            self.helpers |= {CALLS[name] for name in functions_in(tree)} & HELPERS.keys()
        lines = []
        for name in used:
            source = each.values.get(name)
            if source is None:
                continue
            text = self._source(source, each.size)
            if _stands_in_place(source, trees, name):
                names[name] = text
            else:
                lines.append(f"const {_kind(source)} {names[name]} = {text};")
        for name, tree in trees.items():
            text = formula(tree, names.__getitem__)
            if name in each.into and _count(trees, name) == 0:
                lines.append(f"{self._place(each.into[name])} = {_cast(each.into[name], each)}{text};")
                continue
            lines.append(f"const float {names[name]} = {text};")
            if name in each.into:
                lines.append(f"{self._place(each.into[name])} = {names[name]};")
        yield from _loop(each.size, lines)

    def _scale(self, scale: Scale) -> Iterator[str]:
        mean, std, into = scale.mean, scale.std, scale.into
        place, count = scale.place, len(mean.values)
        read = self._place(Vector("numbers", count, place))
        index = "k" if count > 1 else "0"
        rest = f"{mean.name}_rest[{index}]" if has_rest(mean) else "0.0f"
        call = f"{self._call('standard')}({read}, {mean.name}[{index}], {rest}, {std.name}[{index}])"
        yield from _loop(count, [f"{self._place(into.part(0, count))} = {call};"])
        if not scale.flagged:
            return
        flags, size = f"{into.name}_flagged", len(scale.flagged)
        self.flags[flags] = scale.flagged
        unit = "k" if size > 1 else "0"
        lines = [
            f"const int gone = {self._call('missing')}(numbers[{place} + {flags}[{unit}]]);",
            f"{self._place(into.part(count, size))} = gone ? 1.0f : 0.0f;",
        ]
        if scale.since is not None:
            since = self._place(scale.since)
            lines.append(f"{since} = gone ? {since} + 1.0f : 0.0f;")
            lines.append(f"{self._place(into.part(count + size, size))} = logf(1.0f + {since});")
        yield from _loop(size, lines)

    def _push(self, push: Push) -> Iterator[str]:
        register, of = push.register, push.of
        call = f"{self._call('push')}({self._pointer(register)}, {register.size}, {self._pointer(of)}, {of.size});"
        if not push.repeat:
            yield call
            return
        first = self._place(of, f"(k % {of.size})") if of.size > 1 else self._place(of)
        yield "if (state->steps == 1) {"
        yield from (f"    {line}" for line in _loop(register.size, [f"{self._place(register)} = {first};"]))
        yield "} else {"
        yield f"    {call}"
        yield "}"

    def _gather(self, gather: Gather) -> Iterator[str]:
        into, of, width = gather.into, gather.of, gather.width
        if gather.count == 1:
            yield from _loop(width, [f"{self._place(into.part(0, width))} = {self._place(of.part(0, width))};"])
            return
        run = f"(j % {gather.wrap})" if 0 < gather.wrap < gather.count else "j"
        start = f"{into.start} + " if into.start else "", f"{of.start} + " if of.start else ""
        unit = (f" * {width} + k", " + k") if width > 1 else ("", "")
        read = f"{self._memory(of)}[{start[1]}{run} * {gather.apart}{unit[1]}]"
        line = f"{self._memory(into)}[{start[0]}j{unit[0]}] = {read};"
        yield f"for (j = 0; j < {gather.count}; j++)"
        yield from (f"    {one}" for one in _loop(width, [line]))


def _cast(into: Vector, each: Each) -> str:
    """A cast where float64 becomes float32."""
    doubles = any(_kind(source) == "double" for source in each.values.values())
    return "" if into.exact or not doubles else "(float)"


def _stands_in_place(source: Source, trees: dict[str, Tree], name: str) -> bool:
    """Whether a source is written where it is used, not given a name first."""
    if isinstance(source, float | int):
        return True
    if isinstance(source, Dot):
        return list(trees.values()) == [name]
    return len(trees) == 1 and _count(trees, name) == 1


def has_rest(mean: Constant) -> bool:
    """Whether a mean is not a float32, so that its rest is stored too."""
    return bool((mean.values != mean.values.astype(np.float32)).any())


def _kind(source: Source) -> str:
    exact = source.exact if isinstance(source, Vector | Dot) else False
    return "double" if exact else "float"


def _count(trees: dict[str, Tree], name: str) -> int:
    """How often a name is used."""

    def within(tree: Tree) -> int:
        if isinstance(tree, list):
            return sum(map(within, tree[1:]))
        return int(tree == name)

    return sum(map(within, trees.values()))


def _loop(size: int, lines: list[str]) -> Iterator[str]:
    """``lines`` for k = 0 … size - 1."""
    if size == 1:
        lines = [re.sub(r"\bk\b", "0", line) for line in lines]
    if size == 1 and len(lines) == 1:
        yield from lines
    elif size == 1:
        yield "{"
        yield from (f"    {line}" for line in lines)
        yield "}"
    elif len(lines) == 1:
        yield f"for (k = 0; k < {size}; k++)"
        yield f"    {lines[0]}"
    else:
        yield f"for (k = 0; k < {size}; k++) {{"
        yield from (f"    {line}" for line in lines)
        yield "}"
