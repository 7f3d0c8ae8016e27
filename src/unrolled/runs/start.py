"""Going on from another run (``--init-from``): its encodings, its model and its weights, all but the head's."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor

from unrolled.data.config import DataConfig
from unrolled.data.encodings.base import ENCODINGS, Encoding
from unrolled.data.encodings.facets import Reusable, Words
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.roles import Roles
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import ModelError, UsageError, named
from unrolled.layers.config import ModelConfig
from unrolled.models.model import Model
from unrolled.runs.config import RunConfig
from unrolled.runs.opening import open_run
from unrolled.runs.options import field_names, of_part
from unrolled.storage.tensors import save_tensors
from unrolled.training import checkpoint

__all__ = ["Start", "open_start", "start_again"]

_OF_THE_HEAD = ("dropout", "pool")  # options of the model that no weight depends on


@dataclass(frozen=True, slots=True)
class Start:
    """What a run takes over from the one that it goes on from.

    Attributes:
        place: the run directory that it goes on from, for messages.
        config: what was chosen there.
        inputs: input column -> its encoding, in the order in which the network reads them.
        weights: the trunk of its model (see `Model`); empty for a run that has a checkpoint, which holds them.
        fingerprint: of all weights there.
    """

    place: str
    config: RunConfig
    inputs: dict[str, Encoding]
    weights: dict[str, Tensor]
    fingerprint: dict[str, str | int]

    def model(self, asked: Mapping[str, Any]) -> ModelConfig:
        """The model's configuration, to which a user's options may add how it is trained and pooled.

        Raises:
            UsageError: one of them would make another model of it.
        """
        began = self.config.model
        chosen = ModelConfig.check({**began.model_dump(), **of_part(asked, "model")})
        for name, field in field_names("model").items():
            if name in asked and name not in _OF_THE_HEAD:
                self._same(name, getattr(began, field), getattr(chosen, field))
        for values in began.own.values():
            for name in values.keys() & asked.keys() - set(_OF_THE_HEAD):
                self._same(name, values[name], asked[name])
        return chosen

    def with_encodings(self, data: DataConfig) -> DataConfig:
        """``data`` with the options that the encodings were learned with; one that is off there may be on here."""
        theirs = {
            key: {name: value or data.own.get(key, {}).get(name, value) for name, value in values.items()}
            for key, values in encoding_options(self.config.data).items()
        }
        return data.model_copy(update={"own": {**data.own, **theirs}})

    def take_over(
        self, roles: Roles, sequences: Sequences, data: DataConfig, asked: Mapping[str, Any]
    ) -> tuple[Roles, Start]:
        """The columns of a new run, in the order of this one's and of their kinds, and their encodings by their names.

        Columns go by their names; a column of tokens may have another name, where it is the only one on both sides.

        Raises:
            UsageError: they are not the columns that the weights were trained on, or the task writes.
        """
        if roles.form.writes:
            raise UsageError(
                f"{named('init_from')} {self.place}: this task writes sequences, so its model starts from new weights: "
                f"leave {named('init_from')} out"
            )
        if roles.joined:
            listed = ", ".join(roles.joined)
            raise UsageError(
                f"{listed} together are one column here, which no run can start from: leave {named('init_from')} out"
            )
        names = self._names(roles, sequences)
        for (theirs, encoding), name in zip(self.inputs.items(), names, strict=True):
            column, kind = sequences.column(name), data.kinds.get(name, sequences.kinds[name])
            fits, wanted = kind == encoding.kind, encoding.kind
            if isinstance(encoding, Reusable):
                for option, value in encoding.settled.items():
                    self._same(option, value, asked.get(option) or value)
                wanted = encoding.form
                if name not in data.kinds:  # what looks like labels may be read as texts all the same
                    fits = encoding.reads(column)
            if not fits:
                raise UsageError(
                    f"{self.place} reads {theirs!r} as {wanted}, but here {name!r} is {kind} of {column.type}"
                )
        for values in encoding_options(self.config.data).values():
            for option in values.keys() & asked.keys():
                self._same(option, values[option] or asked[option], asked[option])
        inputs = dict(zip(names, self.inputs.values(), strict=True))
        kinds = {**roles.kinds, **{name: encoding.kind for name, encoding in inputs.items()}}
        return replace(roles, inputs=tuple(names), kinds=kinds), replace(self, inputs=inputs)

    def give(self, network: Model) -> None:
        """Put the weights into a new network; its head stays as it is.

        Raises:
            UsageError: it is a network of other parts.
        """
        if not self.weights:
            return
        own = network.trunk()
        shapes, found = ({n: t.shape for n, t in tensors.items()} for tensors in (own, self.weights))
        if shapes != found:
            odd = sorted(name for name in shapes.keys() | found.keys() if shapes.get(name) != found.get(name))[0]
            raise UsageError(f"{self.place} has weights that do not fit this network: they differ at {odd!r}")
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(self.weights[name])

    def _names(self, roles: Roles, sequences: Sequences) -> list[str]:
        """The names that the columns have here."""
        theirs = [name for name in self.inputs if name not in roles.inputs]
        ours = [name for name in roles.inputs if name not in self.inputs]
        tokens = [name for name, encoding in self.inputs.items() if isinstance(encoding, Words)]
        texts = [name for name in roles.inputs if _are_texts(sequences.column(name))]
        if (theirs or ours) and not (theirs == tokens and ours == texts and len(theirs) == len(ours) == 1):
            read = ", ".join(f"{name} ({encoding.kind})" for name, encoding in self.inputs.items())
            here = ", ".join(f"{name} ({sequences.kinds[name]})" for name in roles.inputs)
            raise UsageError(
                f"{self.place} reads {read}, but this run {here}: choose the same columns with {named('inputs')}"
            )
        return [ours[0] if name in theirs else name for name in self.inputs]

    def _same(self, option: str, theirs: object, asked: object) -> None:
        if asked != theirs:
            raise UsageError(
                f"{self.place} has {option} = {theirs!r}, not {asked!r}: leave {named(option)} out, or "
                f"{named('init_from')}"
            )


def open_start(place: str, out: Path | None) -> Start:
    """The run in ``place``, to go on from in another; of one that was stopped, its best weights so far.

    Raises:
        ModelError: it is missing, damaged, or not a run of ours.
        UsageError: it is the run that is to be written, or its model writes.
    """
    if out is not None and out.resolve() == Path(place).resolve():
        raise UsageError(
            f"{named('init_from')} {place} is the run that is to be written: choose another {named('out')}"
        )
    trained = open_run(Path(place))
    trunk = trained.network.trunk()
    if not trunk:
        raise UsageError(f"{named('init_from')} {place}: its model writes sequences, which no other run can start from")
    state = dict(trained.network.state_dict())
    content = save_tensors(state)
    digest: dict[str, str | int] = {
        "path": place,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    weights = {name: tensor.clone() for name, tensor in trunk.items()}
    return Start(place, trained.config, trained.task.coder.inputs, weights, digest)


def start_again(folder: Path, config: RunConfig) -> Start | None:
    """What the run in ``folder``, which was stopped, goes on from; ``None`` if it began with weights of its own.

    Its checkpoints and ``encodings/`` hold all that it took over; before the first one, the other run is read again.

    Raises:
        ModelError: there is no checkpoint yet, and the other run is gone or has changed.
    """
    place = config.training.init_from
    if place is None:
        return None
    if checkpoint.newest(folder / "checkpoints") is not None:
        files = {path.name: path.read_bytes() for path in (folder / "encodings").glob("*.json") if path.is_file()}
        return Start(str(folder), config, Preprocessor.from_files(files).inputs, {}, {})
    try:
        start = open_start(place, folder)
    except ModelError as error:
        raise ModelError(f"{folder} has no checkpoint yet, and cannot begin again without {place}: {error}") from None
    if start.fingerprint["sha256"] != config.files.get("start", {}).get("sha256"):
        raise ModelError(f"{folder} has no checkpoint yet, and {place} has other weights now than it began with")
    return start


def _are_texts(column: pa.ChunkedArray) -> bool:
    return bool(ENCODINGS.get("tokens").recognises(column))


def encoding_options(data: DataConfig) -> dict[str, dict[str, Any]]:
    """The options of the encodings that a run has."""
    return {key: values for key, values in data.own.items() if key.startswith("encoding.")}
