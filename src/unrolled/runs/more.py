"""Going on from a run with new data (``more``): its question, encodings and weights, with places for new labels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from unrolled.data.config import DataConfig
from unrolled.data.encodings.encoding import Encoding
from unrolled.data.encodings.facets import Extendable, Numbers, Reusable, Text
from unrolled.data.examples.known_kinds import known_kinds
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.io.fingerprint import MEMORY, fingerprint, fingerprint_table
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError, ModelError, UsageError, counted, named
from unrolled.layers.config import NONE
from unrolled.models._grown import grow
from unrolled.models.combined import Combined
from unrolled.models.model import Model
from unrolled.planning.choice import FIXED
from unrolled.runs.asking import is_file, look_again
from unrolled.runs.config import RunConfig
from unrolled.runs.held_out import splits_again, with_earlier
from unrolled.runs.opening import open_run
from unrolled.runs.options import field_names, of_part, options_in
from unrolled.runs.splits import FileSplit, Splits, parse, split_up
from unrolled.runs.trained import Trained
from unrolled.runs.word_vectors import encoder_of
from unrolled.storage.tensors import save_tensors
from unrolled.training.config import TrainingConfig

__all__ = ["More", "check_more", "config_of_more", "known_columns", "open_more"]

Say = Callable[[str], None]

_REPLAY = 0.2  # the share of old rows where the user does not choose
_BUDGETS = ("steps", "epochs", "minutes")
_FREE = ("valid", "test")  # options of the data that the new run may have otherwise
_NOT_BOTH = ("init_from", "vectors", "refit", "plan", "only", "start", "blend")


@dataclass(frozen=True, slots=True)
class More:
    """What a run goes on from.

    Attributes:
        place: the directory of that run, for messages.
        trained: that run.
        weights: those of its network.
        fingerprint: of its weights.
    """

    place: str
    trained: Trained
    weights: dict[str, Tensor]
    fingerprint: dict[str, str | int]

    def prepare(self, sequences: Sequences, config: RunConfig, roles: Any, say: Say) -> tuple[Splits, Preprocessor]:
        """The splits of the new data with those of the data before, and the encodings with what is new appended.

        Raises:
            UsageError, DataError: the data before is not as it was, and rows of it are to be replayed.
        """
        new = split_up(sequences, config, roles, say)
        self._tell_drift(new.train, say)
        coder = self._extended(new.train, config, say)
        try:
            instead = f"set {named('replay')} 0, which goes on without it"
            earlier = splits_again(self.trained.config, self.place, instead)
        except (UsageError, DataError):
            if config.training.replay != 0:
                raise
            say(
                f"the data of {self.place} cannot be read as it was, so the results are on the new validation rows only"
            )
            return new, coder
        return with_earlier(new, earlier), coder

    def give(self, network: Model) -> None:
        """Copy the weights into a new network, with a start for the new rows.

        Raises:
            UsageError: they do not fit.
        """
        if (odd := grow(network, self.weights)) is not None:
            raise UsageError(f"{self.place} has weights that cannot go on with this data: they differ at {odd!r}")

    def _extended(self, train: Sequences, config: RunConfig, say: Say) -> Preprocessor:
        coder = self.trained.task.coder
        hot = config.model.embedding == 0  # one-hot inputs have no rows that could be added

        def extended(name: str, encoding: Encoding, *, may: bool) -> Encoding:
            if not may or not isinstance(encoding, Extendable):
                return encoding
            options = config.data.of("encoding", encoding.kind)
            grown = encoding.extended(train.column(name), options, train.where(name))
            assert isinstance(grown, Extendable)
            if count := grown.appended - encoding.appended:
                are = counted(count, "new value is", "new values are")
                say(f"{name}: {are} appended; the ids of the others stay")
            elif grown is encoding and isinstance(encoding, Text):
                what = encoding.settled.get("tokens", "events") if isinstance(encoding, Reusable) else "tokens"
                say(f"{name}: its {what} do not grow, so what is new in them stays unknown")
            return grown

        inputs = {
            name: extended(name, one, may=not hot and name not in coder.joined) for name, one in coder.inputs.items()
        }
        answer = inputs[coder.target] if coder.continues else extended(coder.target, coder.answer, may=True)
        return replace(coder, inputs=inputs, answer=answer, learned={}, curves={})

    def _tell_drift(self, train: Sequences, say: Say) -> None:
        """How far the new rows are from the old ones, in the scale of the old ones."""
        coder = self.trained.task.coder
        examples = coder.encode(train, with_target=False)
        columns = {name: (one, examples.inputs[name]) for name, one in coder.inputs.items()}
        if not coder.continues and isinstance(coder.answer, Numbers):
            answers = coder.answer.encode(train.column(coder.target), train.where(coder.target))
            columns[coder.target] = coder.answer, answers
        for name, (encoding, encoded) in columns.items():
            if isinstance(encoding, Numbers) and not encoding.binary:
                values = np.asarray(encoded.values[:, : len(encoding.mean)], np.float64)
                mean, std = np.nanmean(values), np.nanstd(values)
                say(f"{name}: mean {mean:.2f}, deviation {std:.2f} in the scale of {self.place}; they were 0 and 1")
        for line in coder.notes(train, examples):
            say(f"before new values are appended, {line}")


def open_more(place: str, out: Path | None) -> More:
    """Open the run in ``place``, to go on from it.

    Raises:
        ModelError: it is missing, damaged, or not a run.
        UsageError: it is the directory of the new run, is not finished, or its model cannot go on.
    """
    if out is not None and out.resolve() == Path(place).resolve():
        raise UsageError(f"{named('more')} and {named('out')} are both {place}: choose another {named('out')}")
    trained = open_run(Path(place))
    if not (Path(place) / "manifest.json").is_file():
        raise UsageError(f"{place} is not finished: resume it first, then go on from it")
    network, model = trained.network, trained.config.model
    if isinstance(network, Combined) and network.how != "sum":
        network = network.network  # the mixture is left out: its share was chosen for the old data
    if model.alone is not None or isinstance(network, Combined):
        raise UsageError(
            f"{place} holds the {trained.network.title}, which is solved from all its data at once and cannot go on: "
            f"train that run with {named('only')} {NONE} to keep its network, or fit all data together"
        )
    if encoder_of(trained.config.training) is not None:
        raise UsageError(
            f"{place} has a pretrained encoder, which {named('more')} does not go on from: fit all data together"
        )
    weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    content = save_tensors(weights)
    digest: dict[str, str | int] = {"path": place, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return More(place, trained, weights, digest)


def config_of_more(source: Any, asked: Mapping[str, Any], more: More, say: Say) -> tuple[RunConfig, Sequences, Any]:
    """The configuration of a run that goes on from ``more``, its data, and which column plays which part.

    Raises:
        UsageError: an option contradicts that run.
        DataError: the data cannot be read, or lacks a column.
    """
    before = more.trained.config
    _refuse_others(asked, before, more.place)
    training = _training(asked, before.training)
    config = before.model_copy(
        update={
            "source": str(source) if is_file(source) else str(MEMORY),
            "data": _data(asked, before.data, more.trained.task.coder),
            "model": before.model.model_copy(update={"blend": (), "start": None}),
            "training": training,
            "asked": tuple(sorted({*before.asked, *asked})),
            "plan": (),
            "prepared": "",
        }
    )
    known = look_again(source, config)
    sequences = known_columns(known.sequences, more.trained.task.coder)
    table = known.sequences.table
    say(f"read {sequences.origin}, {counted(len(sequences), 'row')}; going on from {more.place}")
    begun = fingerprint(source) if is_file(source) else fingerprint_table(table)
    files = {"training": begun, "more": more.fingerprint}
    held_out = {"validation": parse(config.data.valid), "test": parse(config.data.test)}
    files |= {role: fingerprint(how.path) for role, how in held_out.items() if isinstance(how, FileSplit)}
    return config.model_copy(update={"files": files}), sequences, known.roles


def check_more(more: More, config: RunConfig, folder: Path) -> None:
    """Check that ``more`` is the run that the stopped run in ``folder`` went on from.

    Raises:
        ModelError: its weights have changed.
    """
    if more.fingerprint["sha256"] != config.files.get("more", {}).get("sha256"):
        raise ModelError(f"{folder} cannot be resumed: the weights of {more.place} have changed since it was started")


def known_columns(sequences: Sequences, coder: Preprocessor) -> Sequences:
    """``sequences`` without the columns that the model does not know.

    Raises:
        DataError: a column that it reads or answers is missing.
    """
    coder.check_columns(sequences, with_target=True)
    used = {*coder.reads, *coder.ahead, *coder.joined, coder.target}
    return replace(sequences, kinds={name: kind for name, kind in sequences.kinds.items() if name in used})


def _refuse_others(asked: Mapping[str, Any], before: RunConfig, place: str) -> None:
    """Refuse options that contradict the run before."""
    training = {*field_names("training")} - {*_NOT_BOTH}
    for name in asked:
        if name in _NOT_BOTH:
            raise UsageError(f"{named(name)} does not go with {named('more')}: leave one of them out")
        if name in training or name in _FREE:
            continue
        theirs = options_in(before, [name])
        if _plain(theirs.get(name)) != _plain(asked[name]):
            raise UsageError(
                f"{place} has {name} = {_plain(theirs.get(name))!r}, not {_plain(asked[name])!r}: leave {named(name)} "
                f"out, or {named('more')}"
            )


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _training(asked: Mapping[str, Any], before: TrainingConfig) -> TrainingConfig:
    """The options of training before, with the user's; what validated that run is not learned now either."""
    own = before.model_dump(exclude={"own", "init_from", "vectors", "freeze"})
    if any(name in asked for name in _BUDGETS):
        own |= dict.fromkeys(_BUDGETS)
    own |= {
        "replay": _REPLAY if before.replay is None else before.replay,
        **of_part(asked, "training"),
        "plan": FIXED,
        "refit": "no",
    }
    return TrainingConfig.check({**own, "own": before.own})


def _data(asked: Mapping[str, Any], before: DataConfig, coder: Preprocessor) -> DataConfig:
    """How the data before was read; a file that was held out is not that of the new run."""
    kept = {name: getattr(before, name) for name in _FREE}
    kept = {name: None if isinstance(parse(how), FileSplit) else how for name, how in kept.items()}
    chosen = {name: asked.get(name, kept[name]) for name in _FREE}
    return before.model_copy(update={**chosen, "kinds": {**known_kinds(coder), **before.kinds}})
