"""The model card: ``README.md`` of a run directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from unrolled.data.encodings.facets import Extendable
from unrolled.metrics.metric import best_first, in_order
from unrolled.runs.preview import repeated
from unrolled.runs.word_vectors import encoder_of

if TYPE_CHECKING:
    from unrolled.data.examples.preprocessor import Preprocessor
    from unrolled.runs.config import RunConfig
    from unrolled.runs.trained import Trained
    from unrolled.training.position import Progress

__all__ = ["card", "table"]


def table(metrics: dict[str, float], baselines: dict[str, dict[str, float]]) -> list[str]:
    """A Markdown table of the model and its baselines, the best first; a metric that one lacks is left blank."""
    metrics = in_order(metrics)
    names = list(metrics)
    rows = [("**this model**", metrics), *best_first(baselines, next(iter(names), "")).items()]
    head = ["| | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    return head + [
        f"| {name} | " + " | ".join(f"{values[m]:.4g}" if m in values else "" for m in names) + " |"
        for name, values in rows
    ]


def _initialised_from(config: RunConfig, coder: Preprocessor) -> list[str]:
    training = config.training
    if training.vectors is not None:
        kept = encoder_of(training) is not None if training.freeze is None else training.freeze
        end = " and were not trained" if kept else ""
        return [f"Its word vectors come from `{training.vectors}`{end}."]
    if training.more is not None:
        return [_went_on(config, coder)]
    if training.init_from is None:
        return []
    return [
        f"It was initialised from the run `{training.init_from}`: its encodings, and all its weights except the head's."
    ]


def _went_on(config: RunConfig, coder: Preprocessor) -> str:
    """Which run it went on from, how, and what was appended since the first of them."""
    share, encodings = config.training.replay, {**coder.inputs, coder.target: coder.answer}
    grown = {name: one.appended for name, one in encodings.items() if isinstance(one, Extendable) and one.appended}
    appended = ", ".join(f"{count} to `{name}`" for name, count in grown.items()) or "nothing"
    return (
        f"It goes on from the run `{config.training.more}` with new data: its encodings and weights. "
        f"Of the rows of an epoch, {share:.0%} were drawn from the data before. Appended to the vocabularies since the "
        f"first run: {appended}."
    )


def _plan(config: RunConfig) -> list[str]:
    """What was chosen where the user left it open, and how to repeat it."""
    if not config.plan:
        return []
    rows = [f"| {c.field} | {c.value} | {c.source} | {c.reason} |" for c in config.plan]
    head = ["", "## Plan", "", "| option | value | chosen by | because |", "|---|---|---|---|"]
    return [*head, *rows, "", "To repeat the run without choosing:", "", f"    {repeated(config)}"]


def _made(trained: Trained, progress: Progress) -> str:
    """How the model came about, in a sentence or two."""
    config = trained.config
    with_ = f"with Unrolled (torch {torch.__version__}, {torch.get_num_threads()} threads)"
    spent = f"{progress.step} steps in {progress.seconds:.0f} s"
    if config.model.alone is None:
        weights = sum(p.numel() for p in trained.network.parameters())
        return f"Trained {with_}: {weights:,} weights, {spent}, seed {config.training.seed}."
    numbers = sum(tensor.numel() for tensor in trained.network.buffers())
    without = f" A network was trained too, for {spent}, and left out." if progress.step else ""
    return f"Solved {with_}, without a network: {numbers:,} numbers, seed {config.training.seed}.{without}"


def card(trained: Trained, progress: Progress, splits: tuple[str, ...]) -> str:
    """The text of the card: the model, its data, and its metrics compared with those of the baselines.

    Args:
        trained: the model.
        progress: where its training ended.
        splits: how the data was split, in words.
    """
    config, task = trained.config, trained.task
    lines = [
        f"# {trained.network.title} for {task.name}",
        "",
        _made(trained, progress),
        *_initialised_from(config, task.coder),
        "",
        "## Data",
        "",
        *[f"- {role}: `{f['path']}`, {f['size']} bytes, sha256 `{f['sha256']}`" for role, f in config.files.items()],
        *[f"- input `{name}`: {task.coder.report(name)}" for name in task.coder.inputs],
    ]
    if not task.coder.continues:
        lines.append(f"- target `{task.coder.target}`: {task.coder.answer.report()}")
    lines += [f"- {line}" for line in splits]
    lines += _plan(config)
    lines += ["", "## Results", ""]
    for split, metrics in trained.metrics.items():
        lines += [f"On the {split} split, compared with baselines fitted on the same training data:", ""]
        lines += [*table(metrics, trained.baselines.get(split, {})), ""]
        lines += [line for sentence in trained.sentences(split) for line in (sentence, "")]
    if config.model.alone is None:
        clipped = 100 * progress.clipped / max(progress.step, 1)
        lines += [
            f"Gradients were clipped at norm {config.training.clip} in {clipped:.1f} % of the steps; "
            f"{progress.skipped} steps were skipped because a loss or gradient was not finite.",
            "",
        ]
    lines += [
        "## Use",
        "",
        f"    unrolled describe {trained.folder}",
        f"    unrolled evaluate {trained.folder} FILE",
        f"    unrolled predict {trained.folder} FILE",
        "",
    ]
    return "\n".join(lines)
