"""The end of a run: the model judged on each held-out split, the findings about its training, and the files."""

from __future__ import annotations

from pathlib import Path

from unrolled.data.examples.examples import Examples
from unrolled.errors import counted
from unrolled.models.model import Model
from unrolled.runs.advice import Course, about_data, about_gradients, about_training
from unrolled.runs.card import card
from unrolled.runs.composition import solved_again
from unrolled.runs.config import RunConfig
from unrolled.runs.encode import Encoded
from unrolled.runs.findings import Findings
from unrolled.runs.judging import Judged, judge_split
from unrolled.runs.refitting import Ended, with_weights
from unrolled.runs.rivals import Rivals, rivals_of, solved_of
from unrolled.runs.splits import Splits
from unrolled.runs.trained import Trained
from unrolled.runs.training_log import read_log
from unrolled.solved.solved_model import SOLVED
from unrolled.storage.directories import write_file, write_manifest
from unrolled.tasks.task import Task
from unrolled.training import checkpoint
from unrolled.training.device import device_for
from unrolled.training.evaluate import evaluate, outputs_over
from unrolled.training.position import Progress

__all__ = ["judge", "write"]


def judge(
    folder: Path,
    config: RunConfig,
    encoded: Encoded,
    network: Model,
    ended: Ended,
    rivals: Rivals,
) -> Trained:
    """The trained model with its metrics on each held-out split, and those of the baselines.

    Args:
        folder: the run directory.
        config: the options of the run.
        encoded: its splits.
        network: the final model: what was trained, with the weights that are kept, a mixture of it, or a solved model.
        ended: how its training ended.
        rivals: the baselines, and the solved models.
    """
    before, device = encoded.measured.task, device_for(config.training.device)
    network.eval()
    task = before
    if "valid" in encoded.judged:
        with with_weights(ended.network, ended.before):
            task = before.measure_validation(
                outputs_over(network, before, encoded.judged["valid"], config.training, device)
            )
    metrics, judged = dict[str, dict[str, float]](), dict[str, Judged]()

    def score(split: str, fair: Rivals, known: dict[str, float] | None = None) -> None:
        part = encoded.judged[split]
        metrics[split] = known or evaluate(network, task, part, config.training, device)
        judged[split] = judge_split(network, task, part, metrics[split], fair, split, config.training, device)

    # The validation split is judged by what had not learned it, the test split by what learned all the rest.
    if "valid" in encoded.judged:
        with with_weights(ended.network, ended.before):
            score("valid", rivals, ended.validated if task is before and network is ended.network else None)
    for half in encoded.splits.apart:
        with with_weights(ended.network, ended.before):
            score(half, rivals)
    learned = _learned(config, encoded, ended)
    if learned is not encoded.train:
        if "test" in encoded.judged:
            rivals = rivals_of(config, before, learned, {"test": encoded.judged["test"]}, [*rivals.solved])
            again = rivals.solved
        else:
            again = solved_of(config, before, learned, config.model.solved)
        config, network = solved_again(config, network, again)
        network.to(device).eval()
    if "test" in encoded.judged:
        score("test", rivals)
    baselines = {split: found.baselines for split, found in judged.items()}
    numbers = {name: value for name, value in task.coder.learned.items() if before.coder.learned.get(name) != value}
    found = _findings(folder, config, task, judged, ended, learned is not encoded.train, numbers)
    return Trained(config, task, network.to("cpu"), metrics, baselines, folder, found)


def _learned(config: RunConfig, encoded: Encoded, ended: Ended) -> Examples:
    """What the final model is made from: the training split, or with it the validation split.

    A network that was not bettered by training has not learned the validation split, but the solved model in it can.
    """
    refused = ended.progress.refused and config.model.alone is None
    if ended.everything is None or refused or not config.model.solved:
        return ended.learned
    whole = ended.learned if ended.learned is not encoded.train else ended.everything()
    return encoded.train if whole is None else whole


def _findings(
    folder: Path,
    config: RunConfig,
    task: Task,
    judged: dict[str, Judged],
    ended: Ended,
    everything: bool,
    numbers: dict[str, float],
) -> Findings:
    """What there is to say.

    Args:
        folder, config, task, judged, ended: as for `judge`.
        everything: whether the final model learned the validation split too.
        numbers: what the task learned from it.
    """
    progress, alone = ended.progress, config.model.alone
    verdicts = {split: found.verdict for split, found in judged.items() if found.verdict is not None}
    if "valid" not in judged:
        return Findings(verdicts)
    best = checkpoint.best(folder / "checkpoints")
    kept = None if best is None or alone is not None else int(best.meta["step"])
    log = read_log(folder)
    advice: list[str] = []
    verdict = verdicts.get("valid")
    names = " and ".join(SOLVED.get(name).name for name in config.model.solved)
    if progress.step and names and (alone is not None or kept == 0):
        advice.append(
            f"The model is solved ({names}): {counted(progress.step, 'step')} of a network did not better it."
        )
    elif alone is None and (verdict is None or not (verdict.outcome == "better" or verdict.perfect)):
        course = Course.of(log, task.watch, kept, progress.step)
        advice += about_training(course, config.model, config.training)
        advice += about_gradients(log, config.model, config.training)
    advice += about_data(judged["valid"].held, task.for_rare)
    if numbers:
        advice.append(f"Set on the validation data: {', '.join(f'{n} {v:.3g}' for n, v in numbers.items())}.")
    if progress.refused and alone is None:
        advice.append("Learning the validation data made the model worse on it, so the weights from before were kept.")
    refit = 0 if everything else None
    if alone is None and progress.refit and not progress.refused:
        refit = progress.step - (progress.fall or 0)
    return Findings(verdicts, tuple(advice), None if kept is None else (kept, progress.step), refit)


def write(folder: Path, trained: Trained, progress: Progress, splits: Splits) -> None:
    """Write the run directory; its manifest, which comes last, marks the run as finished."""
    files = {**trained.files(), "README.md": card(trained, progress, splits.notes).encode()}
    for name, content in files.items():
        write_file(folder / name, content)
    write_manifest(folder, files)
