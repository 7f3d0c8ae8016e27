"""Opening a run directory: from its files to a `Trained`."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.errors import ModelError, UsageError
from unrolled.layers.pretrained import PretrainedEncoder
from unrolled.models.build import build_model
from unrolled.models.model import Model
from unrolled.runs.config import RunConfig
from unrolled.runs.findings import Findings
from unrolled.runs.trained import WEIGHTS, Trained
from unrolled.storage.directories import read_directory
from unrolled.storage.tensors import load_tensors
from unrolled.tasks.task import Task, make_task
from unrolled.training import checkpoint

__all__ = ["build", "open_run"]


def build(config: RunConfig, task: Task) -> Model:
    """A new model for ``task``, initialised from the global random state."""
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
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such run directory")
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} is not a run: it has no config.json")
    finished = (folder / "manifest.json").is_file()
    if finished:
        files = read_directory(folder)
    else:
        config = RunConfig.parse((folder / "config.json").read_bytes(), str(folder))  # another folder is refused here
        if not (folder / "encodings" / "coder.json").is_file():
            raise _no_weights(folder)
        names = [path for path in (folder / "encodings").glob("*.json") if not path.is_symlink()]
        files = {f"encodings/{path.name}": path.read_bytes() for path in names}
        files["config.json"] = (folder / "config.json").read_bytes()
    try:
        config = RunConfig.parse(files["config.json"], str(folder))
        saved = {name.removeprefix("encodings/"): data for name, data in files.items() if name.startswith("encodings/")}
        task = make_task(config.task, Preprocessor.from_files(saved))
        tensors = load_tensors(files[WEIGHTS]) if finished else _best_so_far(folder)
        results = json.loads(files["results.json"]) if finished else {"metrics": {}, "baselines": {}}
        metrics, baselines = results["metrics"], results["baselines"]
        findings = Findings.from_json(results["findings"]) if "findings" in results else Findings()
        network = _network(folder, config, task, tensors)
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


def _network(folder: Path, config: RunConfig, task: Task, tensors: dict[str, torch.Tensor]) -> Model:
    # Built without memory first: config.json may declare any size, so it is compared with the weights beforehand.
    with torch.device("meta"):
        network = build(config, task)
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
