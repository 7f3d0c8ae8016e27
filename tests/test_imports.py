"""What importing costs, and what it must not do."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
MODULES = sorted(
    ".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    for file in (SOURCE / "unrolled").rglob("*.py")
    if (file.parent / "__init__.py").exists()  # else they are files that an exported folder gets
)


def run(program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(program)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)


# What would make them slow; the seconds themselves are measured by bench/startup.py.
HEAVY = {"torch", "numpy", "pyarrow", "pydantic", "tokenizers", "safetensors", "yaml"}


def test_importing_the_package_brings_nothing_heavy() -> None:
    done = run(
        f"""
        import sys
        import unrolled
        assert not ({HEAVY} | {{"rich", "cyclopts"}}) & set(sys.modules), sorted(sys.modules)
        assert dir(unrolled) == sorted(unrolled.__all__)
        """
    )
    assert done.returncode == 0, done.stderr


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    import unrolled

    with pytest.raises(AttributeError, match="module 'unrolled' has no attribute 'fti'"):
        _ = unrolled.fti  # type: ignore[attr-defined]


def test_the_version_is_that_of_the_project() -> None:
    import tomllib

    import unrolled

    project = tomllib.loads((SOURCE.parent / "pyproject.toml").read_text("utf-8"))["project"]
    assert unrolled.__version__ == project["version"]


def test_the_public_names_are_there() -> None:
    import unrolled

    assert all(callable(getattr(unrolled, name)) for name in ("fit", "load", "read", "register"))


def test_help_brings_nothing_heavy() -> None:
    done = run(
        f"""
        import sys
        from unrolled.cli.main import main
        try:
            main(["--help"])
        except SystemExit:
            pass
        assert not {HEAVY} & set(sys.modules), sorted(sys.modules)
        """
    )
    assert done.returncode == 0, done.stderr
    assert "predict" in done.stdout


def test_the_help_of_no_verb_brings_anything_heavy() -> None:
    verbs = sorted(file.stem for file in (SOURCE / "unrolled" / "cli").glob("[a-z]*.py") if file.stem != "main")
    done = run(
        f"""
        import importlib, sys
        for verb in {verbs}:
            importlib.import_module(f"unrolled.cli.{{verb}}")
            assert not {HEAVY} & set(sys.modules), verb
        """
    )
    assert done.returncode == 0, done.stderr


def test_importing_touches_neither_network_nor_files_nor_processes() -> None:
    """Every module, under an audit hook that refuses (requirement 19)."""
    done = run(
        f"""
        import importlib, os, sys

        # What others do as they are imported is not ours to forbid: they come first.
        for name in ("torch", "torch.utils.data", "numpy", "pyarrow", "pyarrow.csv", "pyarrow.json", "pyarrow.parquet",
                     "pyarrow.feather", "pyarrow.compute", "safetensors.torch", "tokenizers", "pydantic", "cyclopts",
                     "rich.console", "rich.progress", "yaml", "prometheus_client", "uvicorn",
                     "uvicorn.lifespan.on", "websockets.asyncio.client", "httptools"):
            importlib.import_module(name)

        def refuse(event, arguments):
            writes = event == "open" and (
                (isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"))
                or (isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
            )
            events = ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.mkdir",
                      "os.remove", "os.rename", "shutil.", "tempfile.", "urllib.", "http.", "ctypes.dlopen")
            if writes or event.startswith(events):
                raise RuntimeError(f"importing did {{event}} {{arguments}}")

        sys.addaudithook(refuse)
        for name in {MODULES!r}:
            importlib.import_module(name)
        """
    )
    assert done.returncode == 0, done.stderr


def test_the_client_brings_nothing_heavy() -> None:
    done = run(
        f"""
        import sys
        from unrolled.client import AsyncClient, Client
        assert not ({HEAVY} | {{"rich", "cyclopts", "msgspec", "starlette"}}) & set(sys.modules), sorted(sys.modules)
        """
    )
    assert done.returncode == 0, done.stderr
