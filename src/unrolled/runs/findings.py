"""What a run found out about itself, as it is saved with the model: the verdict on each split, and what to try next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from unrolled.runs.verdict import Verdict

__all__ = ["Findings"]


@dataclass(frozen=True, slots=True)
class Findings:
    """The verdicts and the advice of a run; empty for a run that was stopped or saved by an earlier version.

    Attributes:
        verdicts: split -> how the model compares with its baselines.
        advice: what to try next, each in a sentence or two.
        kept: the step whose weights were kept, and the last step; ``None`` if nothing was held out.
    """

    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    advice: tuple[str, ...] = ()
    kept: tuple[int, int] | None = None

    def sentences(self, split: str) -> list[str]:
        """What there is to say below the table of ``split``; the advice comes with the validation split.

        Example:
            >>> print(*Findings(kept=(40, 100)).sentences("valid"))
            The weights of step 40 of 100 were kept.
        """
        found = self.verdicts[split].sentences() if split in self.verdicts else []
        if split != "valid":
            return found
        kept = [f"The weights of step {self.kept[0]} of {self.kept[1]} were kept."] if self.kept else []
        return [*found, *kept, *self.advice]

    def to_json(self) -> dict[str, Any]:
        """As saved in ``results.json``; the inverse of `from_json`."""
        return {
            "verdicts": {split: asdict(verdict) for split, verdict in self.verdicts.items()},
            "advice": list(self.advice),
            "kept": None if self.kept is None else list(self.kept),
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Findings:
        """Read what `to_json` gave.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        verdicts = {split: Verdict(**values) for split, values in saved["verdicts"].items()}
        kept = saved["kept"]
        return cls(verdicts, tuple(map(str, saved["advice"])), None if kept is None else (int(kept[0]), int(kept[1])))
