"""The plan of a run, made before anything is encoded: from a user's options, or from a run that was stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.examples.roles import Roles
from unrolled.data.io.fingerprint import MEMORY, fingerprint, fingerprint_table, verify
from unrolled.data.store.prepared_store import Store
from unrolled.data.tables.read import read
from unrolled.data.tables.same_again import said_of_the_same
from unrolled.data.tables.sequences import JOINED, Sequences
from unrolled.data.vectors.reading import VectorFile
from unrolled.declarations import Owner
from unrolled.errors import ModelError, UsageError, named
from unrolled.layers.config import NONE, ModelConfig
from unrolled.layers.factory import build_layer, member_of
from unrolled.models.build import layer_configs
from unrolled.planning.choice import FIXED
from unrolled.registry import Registry, outside_members
from unrolled.runs.config import NEEDED, RunConfig
from unrolled.runs.options import (
    field_names,
    given,
    of_networks,
    of_part,
    options_in,
    own_options,
    reader_options,
    refuse_idle,
)
from unrolled.runs.prepared import Known, Place, find, known_of, place_in, place_of_run, place_to_resume
from unrolled.runs.question import advice, as_read, assume, default_target, recognised_task, size_of, unused_columns
from unrolled.runs.splits import FileSplit, parse
from unrolled.runs.start import Start, open_start, start_again
from unrolled.runs.unallocated import unallocated
from unrolled.runs.word_vectors import check_again, check_vectors, with_width
from unrolled.solved.solved_model import SOLVED
from unrolled.tasks.config import TaskConfig
from unrolled.tasks.task import TASKS, Question, Reads, Task
from unrolled.training.config import TrainingConfig
from unrolled.training.device import device_for

__all__ = ["RunPlan", "plan_from_options", "plan_from_run", "with_own_place"]

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


def plan_from_options(
    source: Any, options: dict[str, Any], out: Path | None, say: Say, cache: str | Path | None = None
) -> RunPlan:
    """Read ``source`` and choose what the user's ``options`` leave open; ``say`` receives a line for each choice.

    Args:
        source: a path, or a table in memory; where it is prepared in ``cache``, it is not read.
        options: the user's.
        out: the run directory, if the user chose one.
        say: receives the lines.
        cache: a folder of prepared data that several runs share.

    Raises:
        UsageError: an option is unknown, out of range, or has no effect in this run; or no task fits the target.
        DataError: the data cannot be read, or does not suit the task.
    """
    asked = given(options)
    training = TrainingConfig.check(of_part(asked, "training"))
    device_for(training.device)  # refuses an unknown device before anything is read
    _refuse_without_network(asked)
    start = None if training.init_from is None else open_start(training.init_from, out)
    vectors = check_vectors(asked, training)
    model = with_width(_model(asked, start), vectors)
    place = None if cache is None else place_in(Path(cache), source, asked)
    store = None if place is None else find(place, say)
    known = _look(source, asked, training, start, say) if store is None else _replayed(known_of(store), asked, say)
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
    return RunPlan(config, sequences, roles, start, options_in(config, config.asked), known, store, place)


def _look(source: Any, asked: dict[str, Any], training: TrainingConfig, start: Start | None, say: Say) -> Known:
    """Read the source, and find out what is asked; ``asked`` receives what the data suggests."""
    given, said = dict(asked), list[str]()

    def tell(line: str) -> None:
        said.append(line)
        say(line)

    question, data = _ask(source, asked, tell)
    task_name, reason = recognised_task(question, asked.get("task", ""))
    tell(f"task: {task_name} ({reason}); {named('task')} overrides it")
    task: type[Task] = TASKS.get(task_name)
    roles: Roles = task.roles(question)
    for line in unused_columns(question, roles):
        tell(line)
    if not question.inputs and roles.target not in roles.inputs:
        for line in said_of_the_same(question.sequences.table, roles.target, roles.inputs):
            tell(line)
    table, cadence = question.sequences.table, question.sequences.cadence
    return Known(
        question.sequences,
        data,
        task_name,
        roles,
        tuple(table.column_names),
        0.0 if cadence is None else cadence.size,
        cadence is not None and cadence.workdays,
        _fingerprints(source, data, training, start, table),
        {name: value for name, value in asked.items() if given.get(name) != value},
        tuple(said),
    )


def _replayed(known: Known, asked: dict[str, Any], say: Say) -> Known:
    """What an earlier run found out, told again."""
    asked.update(known.assumed)
    for line in known.said:
        say(line)
    return known


def plan_from_run(folder: Path, config: RunConfig, source: Any, begun: bool, say: Say) -> RunPlan:
    """The plan of a stopped run.

    Args:
        folder: its directory.
        config: what it was started with.
        source: its data, if that was in memory.
        begun: whether it has a checkpoint.
        say: receives a line for each file that is unchanged.

    Raises:
        ModelError: it cannot be resumed.
        DataError: the data has changed since the run started.
        UsageError: ``source`` cannot be the data that the run was started with.
    """
    began = _same_source(folder, config, source)
    given = options_in(config, config.asked)
    if (place := place_to_resume(folder, config)) is not None and (store := find(place, say)) is not None:
        known = known_of(store)
        return RunPlan(config, known.sequences, known.roles, None, given, known, store, place, begun)
    _verify_files(config, source, say)
    task: type[Task] = TASKS.get(config.task.name)
    own = config.task.of("task", config.task.name).model_dump()
    reads = task.reads(own)
    sequences = read(
        source if source is not None else config.source, as_read(config.data, task), reads.steps, reads.columns
    )
    if began["path"] == MEMORY:
        verify(began, fingerprint_table(sequences.table))
    question = Question(sequences, config.data.target, config.data.inputs, own)
    roles: Roles = task.roles(question)
    check_again(folder, config, begun)
    start = start_again(folder, config, begun)
    if start is not None:
        roles, start = start.take_over(roles, sequences, config.data, {})
    files = (config.columns, config.step, config.workdays, config.files)
    known = Known(sequences, config.data, config.task.name, roles, *files, {}, ())
    return RunPlan(config, sequences, roles, start, given, known, begun=begun)


def with_own_place(plan: RunPlan, folder: Path) -> RunPlan:
    """The plan of a run in ``folder``, where large data is kept unless it is kept elsewhere."""
    if plan.store is not None or plan.config.prepared:
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


def _ask(source: Any, asked: dict[str, Any], say: Say) -> tuple[Question, DataConfig]:
    """The question to answer, and the data options with its target."""
    data = DataConfig.check({**of_part(asked, "data"), "own": reader_options(asked)})
    task: type[Task] | None = TASKS.get(asked["task"]) if asked.get("task") else None
    reads = [one.reads(asked) for one in ([task] if task is not None else TASKS.members().values())]
    needs = Reads(any(one.steps for one in reads), tuple(name for one in reads for name in one.columns))
    find_steps = task is None or task.continues or not (task.pooled or task.writes_text)
    sequences = read(source, as_read(data, task), needs.steps, needs.columns, find_steps=find_steps)
    data = data.model_copy(update=dict(sequences.settled))
    kinds = ", ".join(f"{name} ({kind})" for name, kind in sequences.kinds.items())
    say(f"read {sequences.origin}, {size_of(sequences)}: {kinds}; {named('kinds')} column=kind overrides")
    for line in sequences.notes:
        say(line)
    for name in ("header", "text_encoding", "separator", "decimal", "quote", "skip", "na_values"):
        if name in asked and not sequences.reader:
            raise UsageError(f"{named(name)} only works with files; this data is in memory")
    target, why = default_target(sequences, data, task, asked)
    if target != data.target:
        say(f"target: {target[0]} ({why}); {named('target')} overrides it")
        data = data.model_copy(update={"target": target})
    question = Question(sequences, data.target, data.inputs, asked)
    assume(question, [task] if task is not None else list(TASKS.members().values()), asked, say)
    return question, data


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


def _fingerprints(
    source: Any, data: DataConfig, training: TrainingConfig, start: Start | None, table: pa.Table
) -> dict[str, dict[str, str | int]]:
    begun = fingerprint(source) if _is_file(source) else fingerprint_table(table)
    held_out = {"validation": parse(data.valid), "test": parse(data.test)}
    files = {role: how.path for role, how in held_out.items() if isinstance(how, FileSplit)}
    vectors = {} if training.vectors is None else {"vectors": training.vectors}
    found = {role: fingerprint(path) for role, path in {**files, **vectors}.items()}
    return {"training": begun, **found, **({} if start is None else {"start": start.fingerprint})}


def _is_file(source: Any) -> bool:
    return isinstance(source, str | Path) and str(source) != "-"


def _same_source(folder: Path, config: RunConfig, source: Any) -> dict[str, str | int]:
    """The fingerprint of the data that the run was started with, if ``source`` may be that data."""
    if "training" not in config.files:
        raise ModelError(f"{folder} cannot be resumed: its config.json does not say what it was trained on")
    training = config.files["training"]
    path = str(training["path"])
    if path == MEMORY and source is None:
        raise UsageError(f"{folder} was trained on data in memory: pass the same data again to resume it")
    if source is not None and _is_file(source) == (path == MEMORY):
        place = "in memory" if path == MEMORY else f"from {path}"
        raise UsageError(f"{folder} was trained on data {place}: it can only be resumed with the same data")
    return training


def _verify_files(config: RunConfig, source: Any, say: Say) -> None:
    for role, saved in config.files.items():
        place = str(source) if role == "training" and source is not None else str(saved["path"])
        if saved["path"] != MEMORY and role not in ("start", "vectors"):  # may be gone: checkpoints hold what is needed
            verify(saved, fingerprint(place))
            say(f"{role} data unchanged: {place}")
