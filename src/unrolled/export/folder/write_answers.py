"""The outputs of the graph as answers, by the rule in signature.json. Needs only NumPy.

Part of a model exported by Unrolled. Axes: B rows, T steps, K labels or symbols.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from read_symbols import SPECIALS, UNKNOWN, Column, Symbolic
from search_paths import beam_search, marginals, merged_search, viterbi

if TYPE_CHECKING:
    from run import Model

_BEST = 10  # items that are named

Outputs = dict[str, np.ndarray]
Row = dict[str, Any]


class Answers:
    """What the outputs stand for.

    Args:
        rule: the entry ``answer`` of signature.json.
        columns: those that the model reads.
        target: the column of what the model writes; ``None`` where it writes nothing.
    """

    def __init__(self, rule: dict[str, Any], columns: list[Column], target: Column | None) -> None:
        self.rule, self.name = rule, rule["column"]
        self.target = target or next((column for column in columns if column.name == self.name), None)
        self._row: Callable[[Outputs, int, int, Model], Row] = getattr(self, f"_{rule['how']}")

    def rows(self, outputs: Outputs, lengths: np.ndarray | None, model: Model) -> list[Row]:
        """The answer to each row, {column: value}."""
        count = len(next(iter(outputs.values())))
        sizes = np.ones(count, np.int64) if lengths is None else lengths
        return [self._row(outputs, row, int(size), model) for row, size in enumerate(sizes)]

    def best(self, outputs: Outputs) -> int:
        """The likeliest next symbol of one row, which may be the end."""
        chances = outputs["p"][0].copy()
        chances[self.rule["never"]] = 0
        return int(chances.argmax())

    def _labels(self, outputs: Outputs, row: int, size: int, model: Model) -> Row:
        labels, name = self.rule["labels"], self.name
        chances = {f"{name}_p_{label}": float(p) for label, p in zip(labels, outputs["p"][row], strict=True)}
        return {f"{name}_predicted": labels[int(outputs["best"][row])], **chances}

    def _sets(self, outputs: Outputs, row: int, size: int, model: Model) -> Row:
        labels, name, chances = self.rule["labels"], self.name, outputs["p"][row]
        found = [label for label, p in zip(labels, chances, strict=True) if p > 0.5]
        return {f"{name}_predicted": found} | {
            f"{name}_p_{label}": float(p) for label, p in zip(labels, chances, strict=True)
        }

    def _numbers(self, outputs: Outputs, row: int, size: int, model: Model) -> Row:
        found = {}
        for name, (value, *channel) in self.rule["columns"].items():
            array = outputs[value][row]
            found[name] = (array[..., channel[0]] if channel else array).tolist()
        return found

    def _next(self, outputs: Outputs, row: int, size: int, model: Model) -> Row:
        name, chances, first = self.name, outputs["p"][row], self.rule["items"]
        shown = chances.copy()
        shown[self.rule["never"]] = 0
        best = int(shown.argmax())
        found = {f"{name}_predicted": self._symbol(best), f"{name}_p": float(shown[best])}
        if first is None:
            return found
        end = self.rule["end"]
        candidates = np.array([*([] if end is None else [end]), *range(first, len(chances))])
        order = candidates[np.argsort(-chances[candidates], kind="stable")[:_BEST]]
        top = {f"{name}_top": [self._symbol(int(id_)) for id_ in order], f"{name}_top_p": chances[order].tolist()}
        return found | top

    def _several(self, outputs: Outputs, row: int, size: int, model: Model) -> Row:
        chances = outputs["p"][row]
        return {f"{self.name}_predicted": (chances > 0.5).astype(int).tolist(), f"{self.name}_p": chances.tolist()}

    def _tags(self, outputs: Outputs, row: int, size: int, model: Model) -> Row:
        best, chances = outputs["best"][row, :size], outputs["p"][row, :size]
        return self._tagged(best, chances)

    def _paths(self, outputs: Outputs, row: int, size: int, model: Model) -> Row:
        potentials = outputs["potentials"][row, :size].astype(np.float64)
        return self._tagged(viterbi(potentials), marginals(potentials))

    def _tagged(self, best: np.ndarray, chances: np.ndarray) -> Row:
        sure = np.take_along_axis(chances, best[:, None], 1)[:, 0]
        labels = [self.rule["labels"][int(k)] for k in best]
        return {f"{self.name}_predicted": labels, f"{self.name}_p": sure.tolist()}

    def _filled(self, outputs: Outputs, row: int, size: int, model: Model) -> Row:
        ids, chances = outputs["ids"][row, :size].copy(), outputs["p"][row, :size]
        blank = ids == UNKNOWN
        ids[blank] = chances[blank].argmax(-1) + SPECIALS
        return {f"{self.name}_predicted": self._written_out(ids), f"{self.name}_p": chances[blank].max(-1).tolist()}

    def _merged(self, outputs: Outputs, row: int, size: int, model: Model) -> Row:
        ids = merged_search(outputs["log_p"][row, :size], self.rule["beam"], self.rule["blank"])
        return {f"{self.name}_predicted": self._written_out(np.array(ids, np.int64))}

    def _written(self, outputs: Outputs, row: int, size: int, model: Model) -> Row:
        """The likeliest sequence, written from the memory of the encoder."""
        state = {name: value[row : row + 1] for name, value in outputs.items() if name.startswith("state.")}

        def step(ids: list[int], rows: list[int]) -> np.ndarray:
            nonlocal state
            state = {name: value[rows] for name, value in state.items()}
            found = model.run({**state, "symbols": np.array(ids, np.int64)}, len(ids), "decoder")
            state |= {name: found[f"{name}.after"] for name in state if f"{name}.after" in found}
            return found["log_p"]

        return {f"{self.name}_predicted": self._written_out(np.array(beam_search(step, self.rule), np.int64))}

    def _written_out(self, ids: np.ndarray) -> Any:
        column = self.target
        assert isinstance(column, Symbolic)
        found = ids.tolist()
        return column.listed(found) if column.lists else column.text(found)

    def _symbol(self, id_: int) -> Any:
        assert self.target is not None
        return "<end>" if id_ == self.rule["end"] else self.target.symbol(id_)


def same(found: Any, wanted: Any) -> float:
    """The largest relative difference between two answers; infinite if labels, texts or sizes differ."""
    if isinstance(wanted, dict):
        if not isinstance(found, dict) or found.keys() != wanted.keys():
            return float("inf")
        return max((same(found[key], value) for key, value in wanted.items()), default=0.0)
    if isinstance(wanted, list):
        if not isinstance(found, list) or len(found) != len(wanted):
            return float("inf")
        return max((same(*pair) for pair in zip(found, wanted, strict=True)), default=0.0)
    if isinstance(wanted, float) and isinstance(found, int | float):
        return abs(found - wanted) / max(1.0, abs(wanted))
    return 0.0 if found == wanted else float("inf")
