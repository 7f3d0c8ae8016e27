"""The contents of ``config.json``: every choice of a run, as names and numbers only, never code."""

from __future__ import annotations

import json

from pydantic import Field, ValidationError

from unrolled.config import Part
from unrolled.data.config import DataConfig
from unrolled.errors import ModelError, UsageError
from unrolled.layers.config import ModelConfig
from unrolled.planning.choice import FIXED, Choice
from unrolled.registry import Registry, check_members
from unrolled.runs.format_1 import from_format_1
from unrolled.tasks.config import TaskConfig
from unrolled.training.config import TrainingConfig

__all__ = ["FORMAT", "NEEDED", "RunConfig"]

FORMAT = 2
NEEDED = (
    "cell",
    "encoding",
    "form",
    "layer",
    "model",
    "solved",
    "task",
)  # kinds of members that a saved model cannot do without


class RunConfig(Part):
    """Everything that was chosen for a run.

    Attributes:
        format: the version of this layout.
        source: the path of the data, or ``memory``.
        data, task, model, training: the options of the parts of the run and of their members.
        columns: the columns of the training data in the order of its file, and of a stream without a header.
        step: the usual time between two steps of the training data, in seconds or in the unit of the numbers that order
            them; 0 if there is none.
        workdays: whether such steps skip weekends.
        files: role -> path, size and sha256 of the data when the run started.
        asked: the names of the options that the user gave.
        plan: what was chosen where the user left it open; empty until the training split is encoded.
        prepared: the folder of the prepared data that the run shares with others; empty if it shares none.
        members: key of a member that the model needs and another package added -> that package and its version.
    """

    format: int = FORMAT
    source: str = "memory"
    data: DataConfig
    task: TaskConfig
    model: ModelConfig
    training: TrainingConfig
    columns: tuple[str, ...] = ()
    step: float = 0.0
    workdays: bool = False
    files: dict[str, dict[str, str | int]] = Field(default_factory=dict)
    asked: tuple[str, ...] = ()
    plan: tuple[Choice, ...] = ()
    prepared: str = ""
    members: dict[str, str] = Field(default_factory=dict)

    @classmethod
    def parse(cls, text: str | bytes, place: str) -> RunConfig:
        """Read ``config.json``; an older format is converted.

        Raises:
            ModelError: it does not belong to a run, is newer than this version, has unknown entries, or names a member
                of a package that is not installed.
        """
        try:
            values = json.loads(text)
            version = values["format"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise ModelError(f"{place} is not a run of Unrolled: its config.json cannot be read") from None
        if isinstance(version, int) and version > FORMAT:
            raise ModelError(
                f"{place} has format {version}, but this version reads formats up to {FORMAT}: upgrade unrolled"
            )
        try:
            check_members(values.get("members"), place)
            values = from_format_1(values) if version == 1 else values
            if "plan" not in values:  # saved before there were plans: nothing was left open
                values = {**values, "training": {**values["training"], "plan": FIXED}}
            config = cls(**values)
            config._check_own()
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            raise ModelError(f"{place}: config.json has a wrong entry {name!r}: {first['msg']}") from None
        except UsageError as error:
            raise ModelError(f"{place}: config.json has a wrong entry: {error}") from None
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ModelError(f"{place}: config.json is incomplete or damaged") from None
        return config

    def _check_own(self) -> None:
        """Check the options of each member against what the member declares."""
        for part in (self.data, self.task, self.model, self.training):
            for key in part.own:
                kind, _, name = key.partition(".")
                if kind in NEEDED or name in Registry(kind):
                    part.of(kind, name)
