"""The Python API: ``read``, ``fit`` and ``load``; most other functions are methods of what these return.

``compare``, ``inspect``, ``memory`` and ``judge_tunes`` examine trained models, and ``probe`` what a model can learn to
remember. ``embed`` learns word vectors, ``similar`` finds the nearest words, and ``convert_vectors`` converts between
formats. ``from_torch`` and ``from_keras`` turn layers of other programs into ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Unpack

from unrolled.data.config import DataConfig
from unrolled.data.tables.read import read as read_source
from unrolled.data.tables.sequences import Sequences
from unrolled.data.vectors.alignment import nearest
from unrolled.data.vectors.writing import convert
from unrolled.errors import UsageError, named
from unrolled.inspection import probe as probing
from unrolled.inspection.memory_horizon import Horizon, asked_of, memory_horizon
from unrolled.inspection.probe import Found
from unrolled.layers.conversion import from_torch
from unrolled.layers.keras import from_keras
from unrolled.runs.compared import Comparison
from unrolled.runs.comparison import compare_runs
from unrolled.runs.engines import Predictor
from unrolled.runs.fit import fit as fit_run
from unrolled.runs.fit import resume as resume_run
from unrolled.runs.inspecting import Inspection, inspect_run
from unrolled.runs.keywords import Keywords
from unrolled.runs.live_inspection import serve
from unrolled.runs.opening import open_run
from unrolled.runs.options import given, listed, of_part, reader_options
from unrolled.runs.plan import Say
from unrolled.runs.preview import Preview, preview
from unrolled.runs.progress import Progress
from unrolled.runs.trained import Trained
from unrolled.runs.trials import Trials, trials
from unrolled.runs.tune_report import judge_tunes
from unrolled.synthetic.memory_tasks import PROBLEMS
from unrolled.training.hooks import Hook
from unrolled.training.joining import join
from unrolled.word2vec.train import Settings, write

__all__ = [
    "Comparison",
    "Found",
    "Horizon",
    "Inspection",
    "Predictor",
    "Trained",
    "Trials",
    "compare",
    "convert_vectors",
    "embed",
    "fit",
    "from_keras",
    "from_torch",
    "inspect",
    "judge_tunes",
    "leads",
    "load",
    "memory",
    "plan",
    "probe",
    "read",
    "similar",
    "trials",
]


def read(source: Any, **options: Unpack[Keywords]) -> Sequences:
    """Read sequences and infer the kind of each column.

    Args:
        source: a file, a folder, an address such as ``s3://bucket/folder/``, or a table (anything with
            ``__arrow_c_stream__``, lazy frames of Polars, dicts, lists).
        options: the options for reading: ``by``, ``order``, ``gap``, ``header``, ``kinds``, ``ignore``, ``fields``,
            ``text_encoding`` and those of the readers.

    Raises:
        DataError: the source cannot be read; the message names file, row and column.

    Example:
        >>> read({"text": ["abc", "de"]}, kinds={"text": "tokens"}).kinds
        {'text': 'tokens'}
    """
    asked = given(listed(options))
    config = DataConfig.check({**of_part(asked, "data"), "own": reader_options(asked)})
    return read_source(source, config, find_steps=True)


def fit(
    source: Any,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    go_on: bool = False,
    overwrite: bool = False,
    cache: str | Path | None = None,
    tensorboard: bool = False,
    report: bool = False,
    hooks: tuple[Hook, ...] = (),
    say: Say | None = None,
    quiet: bool = False,
    **options: Unpack[Keywords],
) -> Trained:
    """Train a model on sequences; kinds and task are inferred unless they are given.

    Several processes may train one model, such as those of ``torchrun``: each calls this, and computes a share of each
    batch. Rank 0 writes the run, prints and calls ``hooks``; all return the trained model (see ``docs/scale.md``).

    Args:
        source: a file, a folder, an address such as ``s3://bucket/folder/``, or a table (see ``docs/files.md``).
        out: the run directory; by default the next free ``runs/<name>-<n>``.
        resume, overwrite: resume the run in ``out``, bit for bit as if it had never stopped; or replace it.
        go_on: if there is a run in ``out``, resume it, or load it if it is finished.
        cache: a folder that keeps the data prepared for the next run; see ``unrolled cache``.
        tensorboard, report: write TensorBoard files, and ``report.html`` with what was learned, into the run too.
        hooks: functions that are called with every logged step and validation.
        say: a function that receives a line for each thing inferred or done. Default: print it and progress to stderr.
        quiet: without ``say``, print nothing.
        options: every option of ``unrolled fit``, under the same name: see ``docs/options.md``.

    Returns:
        the trained model, with its ``metrics`` and those of its ``baselines``.

    Raises:
        UsageError, DataError, SpaceError, TrainingError, Interrupted: see `unrolled.errors`.

    Example:
        >>> model = fit("reviews.csv", target="sentiment", minutes=2)  # doctest: +SKIP
        >>> model.predict(["the food was good"])  # doctest: +SKIP
    """
    together, folder = join(), None if out is None else Path(out)
    told: dict[str, Any] = {"tensorboard": tensorboard, "page": report, "together": together}
    with nullcontext() if say is not None else Progress(quiet=quiet or not together.leads) as bar:
        told |= {"hooks": hooks, "say": say} if bar is None else {"hooks": (*hooks, bar.hook), "say": bar.say}
        if not resume:
            return fit_run(source, listed(options), out=folder, overwrite=overwrite, go_on=go_on, cache=cache, **told)
        if folder is None:
            raise UsageError(f"{named('resume')} needs {named('out')}, the run directory to resume")
        return resume_run(folder, listed(options), source=source, **told)


def leads() -> bool:
    """Whether this process is the one that writes and prints where several train one model: rank 0."""
    return join().leads


def plan(source: Any, *, say: Say = lambda _: None, **options: Unpack[Keywords]) -> Preview:
    """What `fit` would choose for ``source``, and why; nothing is trained or written.

    Args:
        source: a file, a folder, or a table in memory.
        say: a function that is called with one line for each thing that was inferred.
        options: every option of `fit`, under the same name; each is kept as it is.

    Returns:
        the facts and the choices; ``print`` shows them.

    Raises:
        UsageError, DataError: as `fit` would.

    Example:
        >>> texts = [f"a {'good' if n % 2 else 'bad'} day number {n}" for n in range(60)]
        >>> reviews = {"text": texts, "label": ["no", "yes"] * 30}
        >>> next(choice.value for choice in plan(reviews, target="label", steps=20).choices if choice.field == "model")
        'bigru'
    """
    return preview(source, listed(options), say)


def load(folder: str | Path) -> Trained:
    """Open a run directory. It holds no code, so opening it executes nothing.

    Raises:
        ModelError: it is missing, incomplete, damaged, from a newer format, or not a run.
    """
    return open_run(Path(folder))


def compare(runs: Sequence[str | Path | Trained], data: Any = None, *, device: str = "auto") -> Comparison:
    """Compare trained runs on the same held-out data: metrics with standard errors, paired differences, and cost.

    Args:
        runs: at least two run directories, or models from `fit` or `load`.
        data: what to compare them on. Default: the test split if all have the same, else their validation split.
        device: where the networks run: ``cpu``, ``cuda``, or ``auto``.

    Raises:
        UsageError: there are fewer than two runs, they answer different questions, or have no split in common.
        DataError: the data cannot be read, or has changed since a run was trained.
        ModelError: a run is missing or damaged.

    Example:
        >>> print(compare(["runs/lstm", "runs/gru"]))  # doctest: +SKIP
    """
    return compare_runs(runs, data, device)


def inspect(
    trained: Trained,
    data: Any = None,
    *,
    row: int = 0,
    steps: slice | None = None,
    features: Mapping[str, Any] | None = None,
    against: Trained | None = None,
    why: int | None = None,
    text: str | None = None,
    live: bool = False,
) -> Inspection:
    """Inspect a trained model: how far back it reaches, how much context helps, which gates are stuck, where it errs.

    Args:
        trained: a model from `fit` or `load`.
        data: a path or a table in memory, best with the target. Default: the validation split of the run, if its data
            is still there.
        row: the row whose steps are looked at one by one, from 0.
        steps: which of its steps, such as ``slice(0, 200)``. Default: the first 1 000.
        features: what else units may follow: a name -> a mask or a number for each step of the row, up to 8 000 steps.
        against: another model, which is asked the same, to be set beside it on the same data.
        why: the step whose answer is explained. Default: the one with the highest loss.
        text: a text that is inspected in place of ``data``, for a model that reads one.
        live: open a page in the browser on which a text can be typed and units held still, and answer it until Ctrl-C,
            its End button, or half an hour without a request.

    Returns:
        the verdicts, which ``print`` shows, and the numbers behind them.

    Raises:
        DataError: the data cannot be read, that of the run has changed, or a feature does not fit the row.
        UsageError: there is no such row or step, the run held no data out, or ``against`` is of another kind.

    Example:
        >>> print(inspect(load("runs/tunes"), "new.abc"))  # doctest: +SKIP
    """
    found = inspect_run(trained, data, row, steps, features, against, why=why, text=text)
    if live:
        serve(trained, found)
    return found


def memory(trained: Trained, data: Any, *, lags: int | None = None) -> Horizon:
    """Measure how far back the gradient of the model's predictions reaches on ``data``, and whether that is healthy.

    Args:
        trained: a model from `fit` or `load`.
        data: a path or a table in memory, with the target.
        lags: maximum number of steps to look back. Default: the longest row, at most 1000, or a forecast's lookback.

    Raises:
        DataError: the data cannot be read, or no row has two steps.
        UsageError: the model reads no steps, or ``lags`` is below 2.
    """
    examples = trained.encode(trained.read(data), target=True)
    return memory_horizon(trained.network, *asked_of(trained.task, examples, lags))


def probe(
    model: str,
    up_to: int,
    problems: Sequence[str] = tuple(PROBLEMS),
    *,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> list[Found]:
    """Find the longest rows on which ``model`` learns each of the ``problems``; see `unrolled.inspection.probe`.

    Args:
        model: any name that the option ``model`` takes.
        up_to: the length to reach.
        problems: some of adding, copy, selective, recall and order.
        minutes: the time budget of each problem. Default: 2.
        steps: the budget of each problem in training steps, instead of minutes.
        seed: random seed of the initial weights and of all rows.
        say: a function that is called with one line for each attempt.

    Raises:
        UsageError: an unknown name, or a number out of range.
    """
    for name in problems:  # all of them, before minutes are spent on the first
        probing.check(model, name, up_to, minutes=minutes, steps=steps)
    return [probing.probe(model, name, up_to, minutes=minutes, steps=steps, seed=seed, say=say) for name in problems]


def embed(
    source: Any,
    out: str | Path,
    *,
    size: int = 100,
    model: str = "skipgram",
    epochs: int = 5,
    window: int = 5,
    negative: int = 5,
    min_count: int = 5,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> list[str]:
    """Learn word vectors from texts, and write them to a file; see `unrolled.word2vec.train`.

    Args:
        source: a file of texts (one sentence per line), a folder, or a table in memory.
        out: output file: ``.safetensors``, ``.txt`` or ``.vec`` (word2vec text), ``.bin`` (word2vec binary).
        size: vector size.
        model: ``skipgram`` or ``cbow``.
        epochs: passes over the texts.
        window: maximum distance between a word and its context words.
        negative: negative samples for each pair of words.
        min_count: rarer words get no vector.
        seed: random seed.
        say: a function that is called with one line for each pass.

    Returns:
        the words, the most frequent first.

    Raises:
        UsageError: a number is out of range, or the ending of ``out`` is not a known format.
        DataError: ``source`` cannot be read, or holds too few words.
        SpaceError: ``out`` cannot be written.
    """
    return write(source, Path(out), Settings(size, model, epochs, window, negative, seed), min_count, say)


def similar(vectors: str | Path, word: str, *, most: int = 10) -> list[tuple[str, float]]:
    """The words nearest to ``word`` in a file of vectors, each with its cosine similarity.

    Raises:
        DataError: the file cannot be read, or does not have the word.
        UsageError: ``most`` is below 1.
    """
    return nearest(vectors, word, most)


def convert_vectors(vectors: str | Path, out: str | Path) -> tuple[int, int]:
    """Convert a file of word vectors to the format that the ending of ``out`` names; return their number and size.

    Raises:
        DataError: the file cannot be read, or a line of it is wrong.
        UsageError: the ending of ``out`` is not a known format, or it is the same file.
        SpaceError: ``out`` cannot be written.
    """
    return convert(Path(vectors), Path(out))
