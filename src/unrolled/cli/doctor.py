"""``unrolled doctor``: what is installed, which implementation runs, and what is missing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import sys
from pathlib import Path
from typing import Any

from unrolled.cli.output import Told, emit
from unrolled.errors import counted
from unrolled.registry import FOLDERS, installed_members

__all__ = ["doctor"]

_CORE = ("torch", "numpy", "safetensors", "pyarrow", "tokenizers", "pydantic", "cyclopts", "rich", "PyYAML")
_EXTRAS = {  # extra -> the packages that it installs, and their purpose
    "audio": (("soundfile", "soxr"), "recordings"),
    "bio": (("dnaio",), "FASTA and FASTQ files"),
    "hf": (("transformers",), "unrolled fit --vectors FOLDER"),
    "video": (("av", "PIL"), "pictures and videos"),
    "remote": (("aiohttp", "fsspec", "huggingface_hub"), "data at https:// and hf:// addresses"),
    "music": (("mido", "symusic"), "MIDI files"),
    "excel": (("python_calamine",), "tables of Excel and LibreOffice"),
    "science": (("h5py",), "HDF5 files, and MATLAB's of version 7.3"),
    "text": (("sacrebleu",), "BLEU"),
    "demo": (("music21",), "the folk tunes of unrolled demo"),
    "plot": (("resvg_py",), "pictures as PNG (--plot picture.png)"),
    "serve": (("httptools", "msgspec", "prometheus_client", "starlette", "uvicorn", "websockets"), "unrolled serve"),
    "cluster": (("redis",), "sessions of several servers"),
    "client": (("websockets",), "unrolled.client"),
    "export": (("onnx", "onnxruntime"), "unrolled export"),
    "tensorboard": (("tensorboard",), "unrolled fit --tensorboard"),
}


def doctor(*, told: Told | None = None) -> None:
    """Show what is installed, which implementation runs here, and what is missing, with the command to install it.

    Started by torchrun, it also says whether the processes reach each other.
    """
    told = told or Told()
    found = {
        **_machine(),
        "ranks": _ranks(),
        **_packages(),
        "members": installed_members(),
        "writable": os.access(Path.cwd(), os.W_OK),
    }
    if found["ranks"]["rank"]:
        return  # rank 0 tells
    if told.json:
        emit(found)
        return
    print(f"python    {found['python']} on {found['system']}")
    print(f"cpu       {found['cpu']}, {found['cores']} cores, torch uses {found['threads']} threads")
    print(f"gpu       {found['gpu'] or 'none found by torch; everything runs on the CPU'}")
    print(f"ranks     {_said_of(found['ranks'])}")
    print(f"fast      {found['fast']}")
    print("packages  " + ", ".join(f"{name} {version or 'MISSING'}" for name, version in found["packages"].items()))
    for extra, about in found["extras"].items():
        state = "installed" if about["installed"] else f"missing: {about['install']}"
        print(f"extra     [{extra}] for {about['for']}: {state}")
    for member, package in found["members"].items():
        unknown = "" if member.partition(".")[0] in FOLDERS else f": unknown kind; known kinds: {', '.join(FOLDERS)}"
        print(f"member    {member} of {package}{unknown}")
    print(f"folder    {Path.cwd()} can{'' if found['writable'] else 'not'} be written to; runs go to {Path('runs')}/")


def _machine() -> dict[str, Any]:
    import torch

    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return {
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": gpu,
        "fast": _fast_path(),
    }


def _ranks() -> dict[str, Any]:
    from unrolled.runs.on_ranks import tried_ranks

    return tried_ranks()


def _said_of(ranks: dict[str, Any]) -> str:
    if ranks["ranks"] == 1:
        return "1; torchrun starts several, which train one model together"
    return (
        f"{ranks['ranks']}, of which {ranks['local_ranks']} run here, with {counted(ranks['threads'], 'thread')} each; "
        f"{ranks['backend']} adds up 4 MB in {1000 * ranks['seconds']:.1f} ms"
    )


def _fast_path() -> str:
    import torch

    from unrolled.kernels.library import VARIABLE, active, available, why_plain

    if (name := active()) != "plain":
        others = ", ".join(other for other in ("plain", *available()) if other != name)
        cells = "lstm, gru, rnn, mingru and minlstm"
        return f"{cells} run with the {name} kernels on the CPU ({VARIABLE} can select {others})"
    known = [name for name in ("rnn_tanh", "rnn_relu", "gru", "lstm") if hasattr(torch._VF, name)]
    torch_path = f"torch._VF, which has {', '.join(known)}" if known else "step by step: this torch has no torch._VF"
    return f"no kernels ({why_plain()}); recurrences run without them: {torch_path}"


def _packages() -> dict[str, Any]:
    extras = {
        extra: {
            "installed": all(importlib.util.find_spec(package) is not None for package in packages),
            "for": purpose,
            "install": f"{Path(sys.executable).name} -m pip install 'unrolled[{extra}]'",
        }
        for extra, (packages, purpose) in _EXTRAS.items()
    }
    return {"packages": {name: _version(name) for name in ("unrolled", *_CORE)}, "extras": extras}


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
