"""What a run found out about itself, as it is saved with the model: the verdict on each split, and what to try next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from unrolled.runs.verdict import Verdict, compare
from unrolled.tasks.task import Task

__all__ = ["Findings"]


@dataclass(frozen=True, slots=True)
class Findings:
    """The verdicts and the advice of a run; empty for a run that was stopped or saved by an earlier version.

    Attributes:
        verdicts: split -> how the model compares with its baselines.
        advice: what to try next, each in a sentence or two.
        kept: the step whose weights validated best, and the last step; ``None`` if nothing was held out, or the model
            has no network.
        refit: the last steps, which learned from the validation split too; 0 if only solved models did, and ``None``
            if nothing did.
    """

    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    advice: tuple[str, ...] = ()
    kept: tuple[int, int] | None = None
    refit: int | None = None

    def sentences(self, split: str) -> list[str]:
        """What there is to say below the table of ``split``; the advice comes with the validation split.

        Example:
            >>> print(*Findings(kept=(40, 100)).sentences("valid"))
            The weights of step 40 of 100 were kept.
        """
        found = self.verdicts[split].sentences() if split in self.verdicts else []
        if split != "valid":
            return found
        return [*found, *self._kept(), *self.advice]

    def of_split(
        self, split: str, metrics: Mapping[str, float] | None, baselines: Mapping[str, dict[str, float]], task: Task
    ) -> list[str]:
        """`sentences`, with a verdict for a run of an earlier version too.

        Such a run has none: it is made from its table, without an error of the difference.
        """
        found = self.sentences(split)
        if self.verdicts or metrics is None:
            return found
        verdict = compare(metrics, baselines, task.chooses, task.watch)
        return [*([] if verdict is None else verdict.sentences()), *found]

    def _kept(self) -> list[str]:
        if self.kept is None:
            learned = "The model learned from this split after these figures were taken"
            return [] if self.refit is None else [f"{learned}, so it cannot be judged on it again."]
        best, last = self.kept
        if self.refit is None:
            return [f"The weights of step {best} of {last} were kept."]
        how = f", in its last {self.refit} steps" if self.refit else ""
        return [
            f"These are the figures of step {best} of {last}. After them the model learned from this split too{how}, "
            "so it cannot be judged on it again."
        ]

    def to_json(self) -> dict[str, Any]:
        """As saved in ``results.json``; the inverse of `from_json`."""
        return {
            "verdicts": {split: asdict(verdict) for split, verdict in self.verdicts.items()},
            "advice": list(self.advice),
            "kept": None if self.kept is None else list(self.kept),
            "refit": self.refit,
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Findings:
        """Read what `to_json` gave.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        verdicts = {split: Verdict(**values) for split, values in saved["verdicts"].items()}
        kept, refit = saved["kept"], saved.get("refit")
        steps = None if kept is None else (int(kept[0]), int(kept[1]))
        return cls(verdicts, tuple(map(str, saved["advice"])), steps, None if refit is None else int(refit))
