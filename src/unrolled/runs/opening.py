"""Opening a run directory: from its files to a `Trained`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

import torch

from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.errors import ModelError, UsageError
from unrolled.layers.config import NONE, ModelConfig
from unrolled.layers.pretrained import PretrainedEncoder
from unrolled.models.build import build_model
from unrolled.models.combined import Combined
from unrolled.models.model import Model
from unrolled.runs.config import RunConfig
from unrolled.runs.findings import Findings
from unrolled.runs.trained import WEIGHTS, Trained
from unrolled.runs.unallocated import unallocated
from unrolled.solved.solved_model import SOLVED, SolvedModel
from unrolled.storage.directories import read_directory
from unrolled.storage.tensors import load_tensors
from unrolled.tasks.task import Task, make_task
from unrolled.training import checkpoint

__all__ = ["build", "files_of", "from_files", "is_whole", "open_run"]


def build(config: RunConfig, task: Task, solved: Mapping[str, SolvedModel] = MappingProxyType({})) -> Model:
    """A new model for ``task`` as it is before training, initialised from the global random state.

    Args:
        config: of the run.
        task: what is asked.
        solved: name -> solved model; one that is missing is made with weights of 0, for `load_state_dict`.

    Raises:
        UsageError: a name is unknown, or the parts do not fit.
    """
    name, start = config.model.alone, config.model.start
    if name is not None and "only" in config.asked:  # else it was found after training
        return solved.get(name) or _empty(config.model, name, task)
    network = _network_of(config, task)
    if start is not None and start != NONE:
        network = Combined(network, solved.get(start) or _empty(config.model, start, task), "sum")
    return network


def _finished(config: RunConfig, task: Task) -> Model:
    """A model as `build` makes it, or the solved model in its place, mixed with those that training ended with."""
    name = config.model.alone
    network = build(config, task) if name is None else _empty(config.model, name, task)
    for name in config.model.blend:
        if name != NONE:
            assert task.mixing is not None
            network = Combined(network, _empty(config.model, name, task), task.mixing)
    return network


def _empty(config: ModelConfig, name: str, task: Task) -> SolvedModel:
    member: type[SolvedModel] = SOLVED.get(name)
    return member(task, config.of("solved", name))


def _network_of(config: RunConfig, task: Task) -> Model:
    coder = task.coder
    writes = coder.form.writes
    chosen = coder.target if coder.first_item is not None else None
    written = coder.target if writes else None
    return build_model(
        coder.specs,
        config.model,
        task.outputs,
        pooled=task.pooled,
        pool=task.pool,
        crf=task.chain,
        written=written,
        chosen=chosen,
    )


def open_run(folder: Path) -> Trained:
    """Load a run directory; a stopped run is loaded with its best weights so far.

    Raises:
        ModelError: it is missing, incomplete, damaged, from a newer format, or not a run.
    """
    return from_files(folder, files_of(folder))


def files_of(folder: Path) -> dict[str, bytes]:
    """The files of a run: all of a finished one, else what `open_run` needs beside the weights.

    Raises:
        ModelError: it is missing, damaged, or not a run.
    """
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such run directory")
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} is not a run: it has no config.json")
    if (folder / "manifest.json").is_file():
        files = read_directory(folder)
    else:
        RunConfig.parse((folder / "config.json").read_bytes(), str(folder))  # another folder is refused here
        if not (folder / "encodings" / "coder.json").is_file():
            raise _no_weights(folder)
        names = [path for path in (folder / "encodings").glob("*.json") if not path.is_symlink()]
        files = {f"encodings/{path.name}": path.read_bytes() for path in names}
        files["config.json"] = (folder / "config.json").read_bytes()
    return files


def is_whole(files: Mapping[str, bytes]) -> bool:
    """Whether ``files``, as `files_of` gives them, are those of a finished run."""
    return any(name != "config.json" and not name.startswith("encodings/") for name in files)


def from_files(folder: Path, files: Mapping[str, bytes]) -> Trained:
    """The run in ``folder`` from its ``files``; the best weights of one that is not finished are read there.

    Raises:
        ModelError: as for `open_run`.
    """
    finished = is_whole(files)
    try:
        config = RunConfig.parse(files["config.json"], str(folder))
        saved = {name.removeprefix("encodings/"): data for name, data in files.items() if name.startswith("encodings/")}
        task = make_task(config.task, Preprocessor.from_files(saved))
        tensors = load_tensors(files[WEIGHTS]) if finished else _best_so_far(folder)
        results = json.loads(files["results.json"]) if finished else {"metrics": {}, "baselines": {}}
        metrics, baselines = results["metrics"], results["baselines"]
        findings = Findings.from_json(results["findings"]) if "findings" in results else Findings()
        network = _network(folder, task, tensors, partial(_finished if finished else build, config))
    except UsageError as error:
        raise ModelError(f"{folder}: {error}") from None
    except (
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        AssertionError,
    ) as error:  # such as a task that does not suit the target
        raise ModelError(f"{folder} is incomplete or damaged: {error!r}") from None
    return Trained(config, task, network, metrics, baselines, folder, findings)


def _best_so_far(folder: Path) -> dict[str, torch.Tensor]:
    found = checkpoint.best(folder / "checkpoints") or checkpoint.newest(folder / "checkpoints")
    if found is None:
        raise _no_weights(folder)
    return checkpoint.section(found.tensors, "model")


def _no_weights(folder: Path) -> ModelError:
    return ModelError(
        f"{folder} has no weights yet, because its training was stopped early: resume it with "
        f"unrolled fit --resume {folder}"
    )


def _network(folder: Path, task: Task, tensors: dict[str, torch.Tensor], make: Callable[[Task], Model]) -> Model:
    # Built without memory first: config.json may declare any size, so it is compared with the weights beforehand.
    with unallocated():
        network = make(task)
    wanted = {name: (tensor.shape, tensor.dtype) for name, tensor in network.state_dict().items()}
    found = {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}
    if wanted != found:
        odd = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))[0]
        raise ModelError(f"{folder}: the weights do not match config.json: they differ at {odd!r}")
    network.load_state_dict(tensors, assign=True)
    for module in network.modules():
        if isinstance(module, PretrainedEncoder):
            module.fill_buffers()
    for module in network.modules():
        for name, buffer in module.named_buffers(recurse=False):
            if buffer.is_meta:  # not stored: it is empty and only follows the dtype and device
                module.register_buffer(name, torch.empty_like(buffer, device="cpu"), persistent=False)
    for parameter in network.parameters():
        parameter.requires_grad_(True)
    return network.eval()
