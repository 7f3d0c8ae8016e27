"""Initialising a run from another (``init_from``): its encodings, its model, and all its weights but the head's."""

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
from unrolled.data.encodings.encoding import ENCODINGS, Encoding
from unrolled.data.encodings.facets import Reusable, Words
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.roles import Roles
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import ModelError, UsageError, named
from unrolled.layers.config import NONE, ModelConfig
from unrolled.models.model import Model
from unrolled.runs.config import RunConfig
from unrolled.runs.opening import open_run
from unrolled.runs.options import field_names, of_part
from unrolled.storage.tensors import save_tensors

__all__ = ["Start", "open_start", "start_again"]

_OF_THE_HEAD = ("dropout", "pool")  # options of the model that no weight depends on
_OF_THE_ANSWER = ("start", "blend", "only", "live")  # what stands beside the network answers another question


@dataclass(frozen=True, slots=True)
class Start:
    """What a run takes over from the run that it is initialised from.

    Attributes:
        place: the directory of that run, for messages.
        config: its configuration.
        inputs: input column -> its encoding, in the order in which the network reads them.
        weights: the trunk of its model (see `Model`); empty if the new run has a checkpoint, which holds them.
        fingerprint: of all its weights.
    """

    place: str
    config: RunConfig
    inputs: dict[str, Encoding]
    weights: dict[str, Tensor]
    fingerprint: dict[str, str | int]

    def model(self, asked: Mapping[str, Any]) -> ModelConfig:
        """The configuration of the model; a user's options may change only its dropout and pooling.

        The solved models beside the network of that run are left out: they answer its question, not the new one.

        Raises:
            UsageError: an option would change the model in another way.
        """
        began, free = self.config.model, {*_OF_THE_HEAD, *_OF_THE_ANSWER}
        kept = began.model_dump(exclude=set(_OF_THE_ANSWER))
        kept["own"] = {key: values for key, values in began.own.items() if not key.startswith("solved.")}
        chosen = ModelConfig.check({**kept, **of_part(asked, "model")})
        for name, field in field_names("model").items():
            if name in asked and name not in free:
                self._same(name, getattr(began, field), getattr(chosen, field))
        for values in kept["own"].values():
            for name in values.keys() & asked.keys() - free:
                self._same(name, values[name], asked[name])
        return chosen

    def with_encodings(self, data: DataConfig) -> DataConfig:
        """``data`` with the options that the encodings were learned with; one that was off there may be on here."""
        theirs = {
            key: {name: value or data.own.get(key, {}).get(name, value) for name, value in values.items()}
            for key, values in encoding_options(self.config.data).items()
        }
        return data.model_copy(update={"own": {**data.own, **theirs}})

    def take_over(
        self, roles: Roles, sequences: Sequences, data: DataConfig, asked: Mapping[str, Any]
    ) -> tuple[Roles, Start]:
        """The roles of a new run with its columns in this run's order and kinds, and the encodings under the new names.

        Columns are matched by name; a column of tokens may have another name if both runs have only one.

        Raises:
            UsageError: the columns are not those that the weights were trained on, or the task writes sequences.
        """
        if roles.form.writes:
            raise UsageError(
                f"{named('init_from')} does not work with a task that writes sequences: leave {named('init_from')} out"
            )
        if roles.joined:
            listed = ", ".join(roles.joined)
            raise UsageError(f"{named('init_from')} does not work where columns are joined ({listed}): leave it out")
        names = self._names(roles, sequences)
        for (theirs, encoding), name in zip(self.inputs.items(), names, strict=True):
            column, kind = sequences.column(name), data.kinds.get(name, sequences.kinds[name])
            fits, wanted = kind == encoding.kind, encoding.kind
            if isinstance(encoding, Reusable):
                for option, value in encoding.settled.items():
                    self._same(option, value, asked.get(option) or value)
                wanted = encoding.form
                if name not in data.kinds:  # a column that looks like labels may be read as texts too
                    fits = encoding.reads(column)
            if not fits:
                raise UsageError(
                    f"{self.place} reads {theirs!r} as {wanted}, but here {name!r} is of kind {kind} and "
                    f"type {column.type}"
                )
        for values in encoding_options(self.config.data).values():
            for option in values.keys() & asked.keys():
                self._same(option, values[option] or asked[option], asked[option])
        inputs = dict(zip(names, self.inputs.values(), strict=True))
        kinds = {**roles.kinds, **{name: encoding.kind for name, encoding in inputs.items()}}
        return replace(roles, inputs=tuple(names), kinds=kinds), replace(self, inputs=inputs)

    def give(self, network: Model) -> None:
        """Copy the weights into a new network; its head keeps its own.

        Raises:
            UsageError: the weights do not fit the network.
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
        """The names of the columns in the new run, in the order of this one's."""
        theirs = [name for name in self.inputs if name not in roles.inputs]
        ours = [name for name in roles.inputs if name not in self.inputs]
        tokens = [name for name, encoding in self.inputs.items() if isinstance(encoding, Words)]
        texts = [name for name in roles.inputs if _are_texts(sequences.column(name))]
        if (theirs or ours) and not (theirs == tokens and ours == texts and len(theirs) == len(ours) == 1):
            read = ", ".join(f"{name} ({encoding.kind})" for name, encoding in self.inputs.items())
            here = ", ".join(f"{name} ({sequences.kinds[name]})" for name in roles.inputs)
            raise UsageError(
                f"{self.place} reads {read}, but this run reads {here}: choose the same columns with {named('inputs')}"
            )
        return [ours[0] if name in theirs else name for name in self.inputs]

    def _same(self, option: str, theirs: object, asked: object) -> None:
        if asked != theirs:
            raise UsageError(
                f"{self.place} has {option} = {theirs!r}, not {asked!r}: leave {named(option)} out, or "
                f"{named('init_from')}"
            )


def open_start(place: str, out: Path | None) -> Start:
    """Open the run in ``place``, to initialise another from it; a stopped run gives its best weights so far.

    Raises:
        ModelError: it is missing, damaged, or not a run.
        UsageError: it is the directory of the new run, or its model writes sequences.
    """
    if out is not None and out.resolve() == Path(place).resolve():
        raise UsageError(f"{named('init_from')} and {named('out')} are both {place}: choose another {named('out')}")
    trained = open_run(Path(place))
    trunk = trained.network.trunk()
    if not trunk:
        where = f"{named('init_from')} only works with single networks; the model in {place} is"
        if trained.network.layer is not None:
            raise UsageError(f"{where} an encoder–decoder")
        raise UsageError(
            f"{where} the {trained.network.title}, which is solved: train that run with {named('only')} {NONE} to keep "
            "its network"
        )
    state = dict(trained.network.state_dict())
    content = save_tensors(state)
    digest: dict[str, str | int] = {
        "path": place,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    weights = {name: tensor.clone() for name, tensor in trunk.items()}
    return Start(place, trained.config, trained.task.coder.inputs, weights, digest)


def start_again(folder: Path, config: RunConfig, begun: bool) -> Start | None:
    """What the stopped run in ``folder`` was initialised from; ``None`` if it was not initialised from another run.

    Once it has ``begun``, its checkpoints and ``encodings/`` hold all that it took over; before the first checkpoint,
    the other run is read again.

    Raises:
        ModelError: there is no checkpoint yet, and the other run is missing or has changed.
    """
    place = config.training.init_from
    if place is None:
        return None
    if begun:
        files = {path.name: path.read_bytes() for path in (folder / "encodings").glob("*.json") if path.is_file()}
        return Start(str(folder), config, Preprocessor.from_files(files).inputs, {}, {})
    try:
        start = open_start(place, folder)
    except ModelError as error:
        raise ModelError(f"{folder} has no checkpoint yet, and cannot start again without {place}: {error}") from None
    if start.fingerprint["sha256"] != config.files.get("start", {}).get("sha256"):
        raise ModelError(
            f"{folder} has no checkpoint yet, and the weights of {place} have changed since it was started"
        )
    return start


def _are_texts(column: pa.ChunkedArray) -> bool:
    return bool(ENCODINGS.get("tokens").recognises(column))


def encoding_options(data: DataConfig) -> dict[str, dict[str, Any]]:
    """The options of the encodings that a run has."""
    return {key: values for key, values in data.own.items() if key.startswith("encoding.")}
