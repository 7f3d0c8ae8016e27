"""The plan of a run, made before anything is encoded: from a user's options, or from a run that was stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from unrolled.data.examples.roles import Roles
from unrolled.data.io.fingerprint import MEMORY, fingerprint, fingerprint_table, verify
from unrolled.data.store.prepared_store import Store
from unrolled.data.tables.sequences import JOINED, Sequences
from unrolled.data.tables.streams import is_stream, streamed_table
from unrolled.data.vectors.reading import VectorFile
from unrolled.declarations import Owner
from unrolled.errors import ModelError, UsageError, named
from unrolled.layers.config import NONE, ModelConfig
from unrolled.layers.factory import build_layer, member_of
from unrolled.models.build import layer_configs
from unrolled.models.model import Model
from unrolled.planning.choice import FIXED
from unrolled.registry import Registry, outside_members
from unrolled.runs.asking import is_file, look, look_again, replay
from unrolled.runs.blockwise import HEAD, large, suits
from unrolled.runs.config import NEEDED, RunConfig
from unrolled.runs.grouped_blocks import suits_steps
from unrolled.runs.more import More, check_more, config_of_more, known_columns, open_more
from unrolled.runs.options import (
    field_names,
    given,
    of_networks,
    of_part,
    options_in,
    own_options,
    refuse_idle,
)
from unrolled.runs.prepared import Known, Place, find, known_of, place_in, place_of_run, place_to_resume
from unrolled.runs.preparing import preparation_of
from unrolled.runs.question import advice
from unrolled.runs.start import Start, open_start, start_again
from unrolled.runs.unallocated import unallocated
from unrolled.runs.word_vectors import check_again, check_vectors, with_width
from unrolled.solved.solved_model import SOLVED
from unrolled.storage.cache_folder import check_outside
from unrolled.tasks.config import TaskConfig
from unrolled.tasks.task import TASKS
from unrolled.training.config import TrainingConfig
from unrolled.training.device import device_for

__all__ = ["RunPlan", "plan_from_options", "plan_from_run", "same_source", "with_own_place"]

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class RunPlan:
    """The choices and the data that a run is made from.

    Attributes:
        config: everything that was chosen.
        sequences: the data, with the kind of each column.
        roles: which columns are inputs, and which is the target.
        start: the run that this one takes encodings and weights from, if any.
        given: the options that the user gave, and those that other choices of the user set.
        known: what is asked, as it is stored with the prepared data; ``None`` for a run that is resumed.
        store: the prepared data, if there is any.
        place: where it is stored, once there is; ``None``: nowhere.
        begun: whether the run has a checkpoint.
        more: the run that this one goes on from with new data, if any.
    """

    config: RunConfig
    sequences: Sequences
    roles: Roles
    start: Start | None
    given: Mapping[str, Any] = field(default_factory=dict)
    known: Known | None = None
    store: Store | None = None
    place: Place | None = None
    begun: bool = False
    more: More | None = None

    def give(self, network: Model) -> None:
        """Copy what the run takes over from another one into its new network."""
        for before in (self.start, self.more):
            if before is not None:
                before.give(network)


def plan_from_options(
    source: Any,
    options: dict[str, Any],
    out: Path | None,
    say: Say,
    cache: str | Path | None = None,
    *,
    whole: bool = False,
) -> RunPlan:
    """Read ``source`` and choose what the user's ``options`` leave open; ``say`` receives a line for each choice.

    Args:
        source: a path, or a table in memory; where it is prepared in ``cache``, it is not read.
        options: the user's.
        out: the run directory, if the user chose one.
        say: receives the lines.
        cache: a folder of prepared data that several runs share.
        whole: whether to read a large file at once, whatever it holds.

    Raises:
        UsageError: an option is unknown, out of range, or has no effect in this run; or no task fits the target.
        DataError: the data cannot be read, or does not suit the task.
    """
    asked, told = given(options), list[str]()
    source = streamed_table(source) if is_stream(source) else source
    training = TrainingConfig.check(of_part(asked, "training"))
    device_for(training.device)  # refuses an unknown device before anything is read
    if training.more is not None:
        return _going_on(source, asked, training.more, out, say, cache)
    _refuse_without_network(asked)
    start = None if training.init_from is None else open_start(training.init_from, out)
    vectors = check_vectors(asked, training)
    model = with_width(_model(asked, start), vectors)
    if cache is not None:
        check_outside(Path(cache), out)
    place = None if cache is None else place_in(Path(cache), source, asked)
    store = None if place is None else find(place, say)
    known, head, tell = None if store is None else known_of(store), None, say
    if known is not None:
        replay(known, asked, say)
    else:
        if not whole and start is None and vectors is None and large(source):
            head, say = HEAD, told.append  # it may have to be read whole after all
        known = look(source, asked, training, start, say, head)
    sequences, data, roles, task = known.sequences, known.data, known.roles, TASKS.get(known.task)
    if start is not None:
        roles, start = start.take_over(roles, sequences, data, asked)
        say(f"initialised from {start.place}: {model.name}, its encodings, and all its weights but those of the head")
    if "model" in asked or training.plan == FIXED:
        for line in advice(task, model.name):
            say(line)
    members = _members(sequences, roles, known.task, model)
    refuse_idle(asked, members, [part.name for part in layer_configs(model, roles.form.writes)])
    own = {**data.own, **own_options(asked, _of(members, "reader", "encoding"))}
    data = data.model_copy(update={"own": own})
    if start is not None:
        data = start.with_encodings(data)
    training = training.model_copy(update={"own": own_options(asked, _of(members, "baseline", "metric"))})
    model = model.model_copy(update={"own": model.own | own_options(asked, _of(members, "model", "layer", "cell"))})
    _check_buildable(model, roles)
    config = RunConfig(
        source=str(source) if isinstance(source, str | Path) else str(MEMORY),
        data=data,
        task=TaskConfig(name=known.task, own=own_options(asked, _of(members, "task"))),
        model=model,
        training=training,
        columns=known.columns,
        step=known.step,
        workdays=known.workdays,
        files=known.files,
        asked=tuple(sorted(asked.keys() | _settled(start, vectors))),
        members=outside_members((owner.kind, owner.name) for owner in _of(members, *NEEDED)),
        prepared="" if place is None else str(place.folder.absolute()),
    )
    if head is not None:
        if not _suits(known, config):
            return plan_from_options(source, options, out, tell, cache, whole=True)
        known = replace(known, by_blocks=True, whole=source if isinstance(source, pa.Table) else None)
        for line in told:
            tell(line)
    return RunPlan(config, sequences, roles, start, options_in(config, config.asked), known, store, place)


def _going_on(
    source: Any, asked: dict[str, Any], place: str, out: Path | None, say: Say, cache: str | Path | None
) -> RunPlan:
    """The plan of a run that goes on from the one in ``place`` with new data."""
    if cache is not None:
        raise UsageError(f"{named('cache')} does not go with {named('more')}: leave one of them out")
    more = open_more(place, out)
    config, sequences, roles = config_of_more(source, asked, more, say)
    return RunPlan(config, sequences, roles, None, asked, more=more)


def _suits(known: Known, config: RunConfig) -> bool:
    """Whether data of which only the beginning is known can be prepared block by block."""
    if config.training.refit == "yes":
        return False
    preparation = preparation_of(config, known.roles, known.sequences.kinds, started=False)
    given = (known.sequences, known.data, known.roles, preparation)
    return suits_steps(*given) if known.data.by else suits(*given)


def plan_from_run(folder: Path, config: RunConfig, source: Any, begun: bool, say: Say, run: Path) -> RunPlan:
    """The plan of a stopped run.

    Args:
        folder: its directory, or what another rank than the leader has of it.
        config: what it was started with.
        source: its data, if that was in memory.
        begun: whether it has a checkpoint.
        say: receives a line for each file that is unchanged.
        run: the run directory of the leader, whose prepared data is mapped if this rank sees it.

    Raises:
        ModelError: it cannot be resumed.
        DataError: the data has changed since the run started.
        UsageError: ``source`` cannot be the data that the run was started with.
    """
    began = same_source(folder, config, source)
    given = options_in(config, config.asked)
    if (place := place_to_resume(run, config)) is not None and (store := find(place, say)) is not None:
        kept = known_of(store)
        return RunPlan(config, kept.sequences, kept.roles, None, given, kept, store, place, begun)
    _verify_files(config, source, say)
    data, looked = source if source is not None else config.source, None
    data = streamed_table(data) if is_stream(data) else data
    training = config.training
    if large(data) and training.more is None and training.init_from is None and training.vectors is None:
        looked = replace(look_again(data, config, HEAD), by_blocks=True)
        looked = replace(looked, whole=data if isinstance(data, pa.Table) else None)
        looked = looked if _suits(looked, config) else None
    known = looked or look_again(data, config)
    sequences, roles = known.sequences, known.roles
    if config.training.more is not None:
        more = open_more(config.training.more, folder)
        check_more(more, config, folder)
        sequences = known_columns(sequences, more.trained.task.coder)
        return RunPlan(config, sequences, roles, None, given, begun=begun, more=more)
    if began["path"] == MEMORY:
        verify(began, fingerprint_table(sequences.table if known.whole is None else known.whole))
    check_again(folder, config, begun)
    start = start_again(folder, config, begun)
    if start is not None:
        roles, start = start.take_over(roles, sequences, config.data, {})
    return RunPlan(config, sequences, roles, start, given, known, begun=begun)


def with_own_place(plan: RunPlan, folder: Path, leads: bool) -> RunPlan:
    """The plan of a run in ``folder``, where large data is kept unless it is kept elsewhere.

    Args:
        plan: the plan.
        folder: of this rank.
        leads: whether it leads; only the leader writes to a folder that runs share.
    """
    if plan.store is not None or (leads and plan.config.prepared):
        return plan
    return replace(plan, place=place_of_run(folder, plan.config.source, plan.given))


def _refuse_without_network(asked: Mapping[str, Any]) -> None:
    """Refuse options of a network where there is to be none."""
    only = asked.get("only")
    if only in (None, NONE):
        return
    idle = [name for name in asked if of_networks(name)]
    if idle:
        raise UsageError(
            f"{named(idle[0])} is about a network, and {named('only')} {only} is a model without one: leave one out"
        )


def _settled(start: Start | None, vectors: VectorFile | None) -> set[str]:
    """The options of the model that another run, or a file of vectors, has settled."""
    taken = set(field_names("model")) if start is not None else set()
    return taken | ({"embedding"} if vectors is not None else set())


def _model(asked: dict[str, Any], start: Start | None) -> ModelConfig:
    model = ModelConfig.check(of_part(asked, "model")) if start is None else start.model(asked)
    for name in (model.start, *model.blend):
        if name not in (None, NONE):
            SOLVED.get(name)  # refuses an unknown name before anything is solved
    return model


def _members(sequences: Sequences, roles: Roles, task: str, model: ModelConfig) -> list[Owner]:
    """The members of this run; only their options have an effect."""
    kinds = {**sequences.kinds, **roles.kinds}
    used = {kinds[column] for column in {*roles.inputs, *roles.joined, roles.target} & set(kinds)}
    joined = [Owner("encoding", JOINED)] if roles.joined else []
    layers = [Owner(*member_of(part.name)) for part in layer_configs(model, roles.form.writes)]
    reader = [Owner("reader", sequences.reader)] if sequences.reader else []
    kind_of_model = Owner("model", "encoder_decoder" if roles.form.writes else "network")
    kinds_used = [Owner("encoding", kind) for kind in sorted(used)]
    judges = [Owner(kind, name) for kind in ("baseline", "metric") for name in Registry(kind).names()]
    asked = [Owner("task", task), Owner("form", roles.form.name)]
    return [*reader, *kinds_used, *joined, *asked, kind_of_model, *layers, *judges]


def _of(members: Iterable[Owner], *kinds: str) -> list[Owner]:
    return [owner for owner in members if owner.kind in kinds]


def _check_buildable(model: ModelConfig, roles: Roles) -> None:
    """Refuse an impossible layer size before anything is written; the meta device takes no memory."""
    with unallocated():
        for part in layer_configs(model, roles.form.writes):
            build_layer(part, 1)


def same_source(folder: Path, config: RunConfig, source: Any) -> dict[str, str | int]:
    """The fingerprint of the data that a run was started with, if ``source`` may be that data.

    Args:
        folder: the directory of the run.
        config: what it was started with.
        source: the data that is given now; ``None``: none is.

    Raises:
        ModelError: the run does not say what it was trained on.
        DataError: ``source`` is another file, with other contents.
        UsageError: ``source`` is in memory and that data was not, or the other way round; or it is missing.
    """
    if "training" not in config.files:
        raise ModelError(f"{folder} cannot be resumed: its config.json does not say what it was trained on")
    training = config.files["training"]
    path = str(training["path"])
    if path == MEMORY and source is None:
        raise UsageError(f"{folder} was trained on data in memory: pass the same data again to resume it")
    if source is not None and is_file(source) == (path == MEMORY):
        place = "in memory" if path == MEMORY else f"from {path}"
        raise UsageError(f"{folder} was trained on data {place}: it can only be resumed with the same data")
    if source is not None and path != MEMORY and Path(source).resolve() != Path(path).resolve():
        verify(training, fingerprint(source))
    return training


def _verify_files(config: RunConfig, source: Any, say: Say) -> None:
    for role, saved in config.files.items():
        place = str(source) if role == "training" and source is not None else str(saved["path"])
        if saved["path"] != MEMORY and role not in (
            "start",
            "more",
            "vectors",
        ):  # may be gone: checkpoints hold what is needed
            verify(saved, fingerprint(place))
            say(f"{role} data unchanged: {place}")
