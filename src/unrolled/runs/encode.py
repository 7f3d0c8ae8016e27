"""From the data of a run to numbers: split it, learn the encodings, choose what is open, encode each split."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from unrolled.data.encodings.facets import Reusable
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.io.mapped import free_memory
from unrolled.data.store.encoded_parts import encoded_in_parts
from unrolled.data.store.prepared_store import Store
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError, named
from unrolled.planning.choice import FIXED, Choice
from unrolled.planning.facts import Facts
from unrolled.runs.blockwise import prepare
from unrolled.runs.choosing import choose, facts_of, with_choices
from unrolled.runs.config import RunConfig
from unrolled.runs.grouped_blocks import prepare_steps
from unrolled.runs.on_ranks import agreed, made_once
from unrolled.runs.plan import RunPlan, Say
from unrolled.runs.prepared import OWN, Place, Prepared, find, splits_of, store_splits
from unrolled.runs.preparing import preparation_of
from unrolled.runs.refitting import learns_all
from unrolled.runs.splits import Splits, split_up
from unrolled.runs.word_vectors import kept_inputs
from unrolled.storage.atomic import in_turn
from unrolled.storage.directories import write_file
from unrolled.tasks.task import TASKS, Measured, Task, make_task
from unrolled.training.old_rows import Replay
from unrolled.training.together import ALONE, Together

__all__ = ["Encoded", "choose_open", "encode", "training_split"]


@dataclass(frozen=True, slots=True)
class Encoded:
    """The splits of a run as numbers, and all that was chosen.

    Attributes:
        config: the configuration, with the plan.
        measured: the task, and what it learned from the training split.
        train: what is trained on.
        judged: ``valid`` and ``test``, if the run has them.
        splits: the splits before encoding, and how they were made.
    """

    config: RunConfig
    measured: Measured
    train: Examples
    judged: dict[str, Examples]
    splits: Splits

    def replay(self) -> Replay | None:
        """Which rows an epoch has, in a run that goes on with new data."""
        new, options = self.splits.new, self.config.training
        return None if new is None else Replay(new, options.replay or 0.0, options.seed)

    def pairs(self) -> Iterator[tuple[Examples, Sequences]]:
        """Each split after and before encoding."""
        yield self.train, self.splits.train
        for role, part in self.splits.held_out().items():
            yield self.judged[role], part


def encode(folder: Path, plan: RunPlan, say: Say, together: Together = ALONE) -> Encoded:
    """Split the data, fit the encodings on the training split only, choose what is open, and encode each split.

    Args:
        folder: the run directory; it receives the encodings, and ``config.json`` with the plan.
        plan: what the user asked for.
        say: receives lines about what was inferred and chosen.
        together: the ranks of the run. One of those that see the same files prepares large data; the leader chooses.
    """
    place = plan.store.folder if plan.store is not None else plan.place.folder if plan.place is not None else None
    splits, coder, train = made_once(together, place, lambda: training_split(folder, plan, say), _mapped)
    config = plan.config
    if not config.plan and config.training.plan != FIXED:

        def chosen() -> RunConfig:
            config, facts = choose_open(plan, splits, coder, train)
            for line in (*facts.say(), *(choice.say() for choice in config.plan)):
                say(line)
            if config.plan:
                say(f"plan: an option of your own overrules its line, and {named('plan')} {FIXED} all of them")
            write_file(folder / "config.json", config.model_dump_json(indent=1).encode())
            return config

        config = agreed(together, chosen)
    return together.each(lambda: _encoded(folder, config, splits, coder, train, say))


def _encoded(
    folder: Path, config: RunConfig, splits: Splits, coder: Preprocessor, train: Examples, say: Say
) -> Encoded:
    """What the task learns from the training split, and the splits that are held out."""
    measured = make_task(config.task, coder).measure_training(train)
    coder = measured.task.coder
    for line in measured.notes:
        say(line)
    (folder / "encodings").mkdir(exist_ok=True)
    for name, content in coder.to_files().items():
        write_file(folder / "encodings" / name, content)
    judged: dict[str, Examples] = {}
    for role, part in splits.held_out().items():  # test too, so that errors in it are found before hours of training
        judged[role] = encoded_in_parts(coder, part, folder / "cache" / role)
        for line in coder.notes(part, judged[role]):
            say(f"{role}, {line}")
    return Encoded(config, measured, train, judged, splits)


def training_split(folder: Path, plan: RunPlan, say: Say) -> tuple[Splits, Preprocessor, Examples]:
    """Split the data, fit the encodings on the training split, and encode that.

    Args:
        folder: receives the cache.
        plan, say: as for `encode`.
    """
    shared = plan.place is not None and plan.place.folder.parent != folder
    if plan.store is not None or plan.place is None or not shared:
        return _split(folder, plan, plan.store, say)
    with in_turn(plan.place.folder.with_name(f".{plan.place.folder.name}.lock")):
        # Another run may have prepared the same data meanwhile.
        return _split(folder, plan, find(plan.place, lambda _: None), say)


def _mapped(folder: Path) -> tuple[Splits, Preprocessor, Examples] | None:
    """The training split that another rank has stored in ``folder``; ``None`` if it is not there."""
    try:
        store = Store.open(folder)
        prepared = splits_of(store) if store.unchanged else None
    except DataError:
        return None
    return None if prepared is None else (prepared.splits, prepared.coder, prepared.train)


def _split(folder: Path, plan: RunPlan, store: Store | None, say: Say) -> tuple[Splits, Preprocessor, Examples]:
    """What is in ``store``, or else prepared, and stored if it has a place."""
    if store is None and plan.known is not None and plan.known.by_blocks:
        place = plan.place or Place(folder / OWN, "", [])
        preparation = preparation_of(plan.config, plan.roles, plan.sequences.kinds, started=False)
        made = prepare_steps if plan.known.data.by else prepare
        prepared = splits_of(made(place, plan.known, plan.config, preparation, say))
    elif store is None:
        prepared = _prepared(folder, plan, say)
        if plan.place is None or plan.known is None:
            return prepared.splits, prepared.coder, prepared.train
        whole = learns_all(prepared.splits, prepared.train, plan.config.training)
        store = store_splits(plan.place, plan.known, plan.config, prepared, whole=whole)
        shutil.rmtree(folder / "cache", ignore_errors=True)
        prepared = splits_of(store)
    else:
        prepared = splits_of(store)
        for line in prepared.said:
            say(line)
    return prepared.splits, prepared.coder, prepared.train


def _prepared(folder: Path, plan: RunPlan, say: Say) -> Prepared:
    """Split the data, fit the encodings, and encode the training split; what is said is noted."""
    said = list[str]()

    def tell(line: str) -> None:
        said.append(line)
        say(line)

    sequences = replace(plan.sequences, kinds={**plan.sequences.kinds, **plan.roles.kinds})
    if plan.more is None:
        splits = split_up(sequences, plan.config, plan.roles, tell)
        coder = _fitted(folder, plan, splits)
    else:
        splits, coder = plan.more.prepare(sequences, plan.config, plan.roles, tell)
    for line in (*coder.reports(), *_chosen_tokens(plan, coder)):
        tell(line)
    shutil.rmtree(folder / "cache", ignore_errors=True)
    train = coder.encode(splits.train, cache=folder / "cache" / "train")
    if coder.first_item is not None:  # how much a minimum count or a limited vocabulary leaves out
        for line in coder.notes(splits.train, train):
            tell(f"train, {line}")
    return Prepared(splits, coder, train, tuple(said))


def choose_open(plan: RunPlan, splits: Splits, coder: Preprocessor, train: Examples) -> tuple[RunConfig, Facts]:
    """The configuration with what the rules choose where the user left it open, and the facts they saw.

    Args:
        plan: what the user asked for.
        splits, coder, train: the results of `training_split`.
    """
    period = plan.config.task.own.get(f"task.{plan.config.task.name}", {}).get("season")
    facts = facts_of(train, splits.valid, period)
    config = choose(plan.config, plan.given, facts, coder, train)
    order = _block_order(plan, train)
    config = with_choices(config, {choice.field: choice.value for choice in order}, coder.form.writes)
    return config.model_copy(update={"plan": (*_letters(plan, coder), *order, *config.plan)}), facts


def _fitted(folder: Path, plan: RunPlan, splits: Splits) -> Preprocessor:
    preparation = preparation_of(plan.config, plan.roles, splits.train.kinds, started=plan.start is not None)
    before = plan.start.inputs if plan.start else kept_inputs(folder, plan.config, plan.begun)
    return Preprocessor.fit(splits.train, plan.roles, preparation, before)


def _block_order(plan: RunPlan, train: Examples) -> tuple[Choice, ...]:
    """The choice to read block by block what the memory does not hold, unless the user has chosen."""
    free = free_memory()
    if "shuffle" in plan.given or free is None or train.nbytes <= free // 2:
        return ()
    reason = f"the encoded data, {train.nbytes / 1e9:.1f} GB, is more than half of the free memory"
    return (Choice(field="shuffle", value="blocks", source="rule", reason=reason),)


def _letters(plan: RunPlan, coder: Preprocessor) -> tuple[Choice, ...]:
    """The choice to read letters, if a column of words has them and the user did not ask for them."""
    found = any(isinstance(one, Reusable) and one.settled.get("letters") for one in coder.inputs.values())
    reason = "rare and new words are read by their letters"
    known = "letters" in plan.given or plan.start is not None or not found  # those of another run are no choice
    return () if known else (Choice(field="letters", value=True, source="rule", reason=reason),)


def _chosen_tokens(plan: RunPlan, coder: Preprocessor) -> Iterator[str]:
    """Lines about texts that are not split as is the default of the task, because there would be too many words."""
    encodings = {**coder.inputs, coder.target: coder.answer}
    task: type[Task] = TASKS.get(plan.config.task.name)
    if plan.start is not None or plan.config.data.of("encoding", "tokens").tokens is not None:
        return
    reasons = {
        "bpe": "subwords (bpe) for {}, which has more words than a vocabulary should hold",
        "characters": "characters for {}, which has no blanks between words, or single words that seldom come again",
    }
    for level, reason in reasons.items():
        names = [n for n, e in encodings.items() if isinstance(e, Reusable) and e.settled.get("tokens") == level]
        if names and task.tokens != level:
            yield f"tokens: {reason.format(', '.join(names))}; {named('tokens')} words overrides this"
