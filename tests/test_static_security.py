"""What must not stand in the source at all: whatever runs code that comes from data."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OTHERS = ROOT / "bench" / "work"  # ignored by git: environments in which other libraries are measured
FOLDERS = ("src", "bench", "tools", "examples")
FILES = [file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py")) if OTHERS not in file.parents]

MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "torch.hub"}
MODULES |= {"torch.distributed.checkpoint", "torch.distributed.rpc"}  # they pickle what they write and send
_PICKLED = ("all_gather", "gather", "broadcast", "scatter", "send", "recv")
OBJECTS = tuple(f"{name}_object{more}" for name in _PICKLED for more in ("", "_list"))  # collectives that pickle
CALLS = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.execv", "os.execvp"),
    *("torch.save", "torch.load", "torch.hub.load", "torch.jit.load", "np.load", "numpy.load"),
    *("yaml.load", "yaml.unsafe_load", "yaml.full_load"),
}


def dotted(node: ast.expr) -> str:
    """``a.b.c`` of such an expression, else an empty text."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def offences(source: str) -> list[str]:
    """``line: what`` of each thing that must not be there."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [f"{node.lineno}: import {alias.name}" for alias in node.names if forbidden(alias.name)]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [
                f"{node.lineno}: import {name}" for name in names if forbidden(str(node.module)) or forbidden(name)
            ]
        elif isinstance(node, ast.Call):
            name = dotted(node.func)
            found += [f"{node.lineno}: {name}()"] if name in CALLS or name.endswith(OBJECTS) else []
            for keyword in node.keywords:
                value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
                if (keyword.arg, value) in {("shell", True), ("weights_only", False), ("allow_pickle", True)}:
                    found.append(f"{node.lineno}: {keyword.arg}={value}")
    return found


def forbidden(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in MODULES)


def test_no_source_can_run_code_from_data() -> None:
    found = {str(file.relative_to(ROOT)): offences(file.read_text("utf-8")) for file in FILES}
    assert {file: lines for file, lines in found.items() if lines} == {}


def test_no_source_downloads_anything() -> None:
    archive = re.compile(r"https?://[^\s\"')>]*\.(bin|pt|pth|pkl|zip|gz|whl)\b")
    assert [file for file in FILES if archive.search(file.read_text("utf-8"))] == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import pickle as p",
        "from pickle import loads",
        "import marshal",
        "from torch import hub",
        "import torch.hub",
        "import joblib.numpy_pickle",
        "from torch.distributed import checkpoint",
        "dist.all_gather_object(found, one)",
        "dist.broadcast_object_list(found)",
        "torch.load(file)",
        "torch.load(file, weights_only=False)",
        "numpy.load(file, allow_pickle=True)",
        "yaml.load(text, Loader=yaml.Loader)",
        "eval(text)",
        "exec(text)",
        "subprocess.run(text, shell=True)",
        "os.system(text)",
    ],
)
def test_the_search_finds_each_of_them(source: str) -> None:
    assert offences(source)


@pytest.mark.parametrize("source", ["model.eval()", "re.compile(text)", "yaml.safe_load(text)", "run(a, shell=False)"])
def test_the_search_leaves_the_harmless_alone(source: str) -> None:
    assert offences(source) == []
