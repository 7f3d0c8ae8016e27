"""What goes wrong becomes one sentence and an exit code, whatever it was."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import warm
from cli.support import Done, Runs

from unrolled.errors import TrainingError
from unrolled.runs.choices import kind_names, model_names, task_names

Unrolled = Callable[..., Done]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}


def test_help_lists_every_verb_and_imports_no_torch(unrolled: Unrolled) -> None:
    done = unrolled("--help")
    assert done.code == 0
    verbs = ("fit", "evaluate", "predict", "generate", "stream", "describe", "compare", "inspect", "memory", "probe")
    for verb in (*verbs, "embed", "demo", "tour", "doctor", "serve"):
        assert f"│ {verb} " in done.out
    program = (
        "import sys; from unrolled.cli.main import main; main(['fit', '--help']); main(['--help']);"
        "sys.exit(bool({'torch', 'numpy', 'pyarrow', 'pydantic'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], env=ENVIRONMENT, capture_output=True).returncode == 0


def test_the_names_in_the_help_are_those_that_there_are(unrolled: Unrolled) -> None:
    out = " ".join(unrolled("fit", "--help").out.replace("│", " ").split())
    for names in (task_names(), model_names(), kind_names()):
        assert names and ", ".join(names) in out


def test_no_verb_prints_the_help_and_the_version_is_ours(unrolled: Unrolled) -> None:
    import unrolled as package

    assert unrolled("--version").out.strip() == package.__version__
    assert "Usage: unrolled COMMAND" in unrolled().out


def test_an_unknown_verb_is_a_usage_error(unrolled: Unrolled) -> None:
    done = unrolled("fti")
    assert done.code == 2
    assert (
        "error: unknown command 'fti'. Did you mean 'fit'? Known: cache, compare, demo, describe, doctor," in done.err
    )


def test_files_that_the_shell_made_of_a_pattern_are_refused_with_the_way_to_give_them(
    unrolled: Unrolled, tmp_path: Path
) -> None:
    files = [str(tmp_path / name) for name in ("a.csv", "b.csv")]
    for file in files:
        Path(file).write_text("x,y\n1,a\n")
    done = unrolled("fit", *files, "--target", "y")
    said = "error: several files are given: put a pattern in quotes, as 'data/*.csv', or give their folder"
    assert done.code == 2 and said in done.err


def test_completion_is_installed_for_the_shell(
    unrolled: Unrolled, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", "/bin/bash")
    assert unrolled("--install-completion").code == 0
    (script,) = tmp_path.rglob("completions/unrolled")
    assert "--target" in script.read_text("utf-8")


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (MemoryError(), 5, "not enough memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), 5, "not enough memory"),
        (OSError(errno.ENOSPC, "No space left on device", "x.csv"), 5, "x.csv: no space is left on the disk"),
        (
            PermissionError(errno.EACCES, "Permission denied", __file__),
            3,
            "test_main.py: cannot be read: permission denied",
        ),
        (KeyboardInterrupt(), 130, "stopped by SIGINT"),
        (TrainingError("the loss was not finite"), 1, "error: the loss was not finite"),
        (
            ZeroDivisionError("division by zero"),
            1,
            "ZeroDivisionError: division by zero): please report it; UNROLLED_TRACEBACK=1 shows",
        ),
        (OSError(errno.EIO, "Input/output error"), 1, "Input/output error"),
    ],
)
def test_every_exception_has_a_sentence_and_a_code(
    unrolled: Unrolled, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, text: str
) -> None:
    def fail(folder: object) -> None:
        raise error

    monkeypatch.setattr("unrolled.api.load", fail)
    done = unrolled("describe", "run")
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("error: ")
    assert text in done.err
    assert "Traceback" not in done.err
    told = unrolled("describe", "run", "--json")
    assert told.json["error"]["exit_code"] == code


def test_a_traceback_is_shown_where_it_is_asked_for(unrolled: Unrolled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNROLLED_TRACEBACK", "1")
    done = unrolled("describe", "nowhere")
    assert done.code == 4
    assert "Traceback (most recent call last)" in done.err


@pytest.mark.parametrize(("words", "code"), [(["--version"], 0), (["fti"], 2), (["describe", "nowhere"], 4)])
def test_the_module_is_the_command_line(words: list[str], code: int) -> None:
    command = [sys.executable, "-m", "unrolled", *words]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.startswith("error: ")) == (code, code != 0)


def test_whoever_stops_reading_ends_it_quietly(runs: Runs) -> None:
    words = ("generate", runs.text, "--length", 100_000)
    with warm.Process(warm.COMMAND_LINE, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.read(5)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_a_full_disk_behind_stdout_is_out_of_space(runs: Runs) -> None:
    with Path("/dev/full").open("wb") as full:
        words = ("predict", runs.reviews, runs.file("reviews.csv"))
        done = warm.run(warm.COMMAND_LINE, *words, stdout=full)
    assert done.returncode == 5
    assert done.stderr.count("\n") == 1
    assert "no space is left on the disk" in done.stderr


def test_sigterm_outside_of_training_ends_with_143(runs: Runs) -> None:
    words = ("predict", runs.reviews, "-")  # waits for its input
    with warm.Process(warm.COMMAND_LINE, *words, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdin.write(b"text\nx")
        process.stdin.flush()
        wait_until_it_reads(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 143
        assert process.stderr.read() == b"error: stopped by SIGTERM\n"


def wait_until_it_reads(process: int) -> None:
    import time

    for _ in range(600):
        if Path(f"/proc/{process}/wchan").read_text().startswith(("pipe", "anon_pipe")):
            return
        time.sleep(0.1)
    raise AssertionError("it never waited for its input")
