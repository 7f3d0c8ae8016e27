"""The protocol of exporters: a trained model as files that run without this package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from unrolled.config import Part
from unrolled.data.examples.examples import Examples
from unrolled.models.model import Model
from unrolled.registry import Registry
from unrolled.tasks.task import Task
from unrolled.training.config import TrainingConfig

__all__ = ["EXPORTERS", "Exporter", "Subject"]

EXPORTERS = Registry("exporter")


@dataclass(frozen=True, slots=True)
class Subject:
    """What is exported.

    Attributes:
        task: what the outputs mean; ``task.coder`` holds the encodings of the columns.
        network: the weights.
        name: what it is called: the name of the run.
        training: the options of the run's training, which give batch sizes and metrics.
        valid: reads the validation split of the run again, for exporters that measure what a smaller file costs; where
            it cannot, the error names the option to leave out.
        predict: the answers to rows of cells, for a self-check.
        stream: the answers of a new session to values that are pushed, one after another.
        with_network: the same with another network, such as one with rounded weights.
    """

    task: Task
    network: Model
    name: str
    training: TrainingConfig
    valid: Callable[[str], Examples]
    predict: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
    stream: Callable[[list[Any]], list[dict[str, Any]]]
    with_network: Callable[[Model], Subject]


class Exporter(Protocol):
    """One form in which a model leaves. A file in ``export/`` with a line ``MEMBER = Class`` is an exporter.

    Attributes:
        Options: the class of its options.
        notes: what there is to say about the files, in sentences.
    """

    Options: ClassVar[type[Part]] = Part
    notes: list[str]

    def __init__(self, options: Any) -> None: ...

    def files(self, subject: Subject) -> dict[str, bytes]:
        """The files of the export: relative name -> bytes, the same for the same model and options.

        Raises:
            UsageError: the model has no such form; the message says what to do.
            MissingExtra: a package is missing.
        """
