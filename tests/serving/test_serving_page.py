"""docs/serving.md: its requests are sent, its answers compared, and its table is what the options declare."""

from __future__ import annotations

import doctest
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving.loopback import Loopback, serving

import unrolled.serving
from unrolled.declarations import Option, read_options
from unrolled.runs.trained import Trained

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "serving.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$\n\n^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def server(load: Trained, writer: Trained) -> Iterator[Loopback]:
    with serving({"load": load, "texts": writer}) as running:
        yield running


def curl(line: str, server: Loopback) -> str:
    """What ``curl`` prints: ``curl [-X METHOD] [-H HEADER] [-d BODY] URL``."""
    words = shlex.split(line)[1:]
    options = dict(zip(words[:-1:2], words[1:-1:2], strict=True))
    path = words[-1].removeprefix("http://127.0.0.1:8080")
    body = options["-d"].encode() if "-d" in options else None
    headers = {} if body is None else {"Content-Type": "application/x-www-form-urlencoded"}  # as curl has it
    headers |= dict([options["-H"].split(": ")]) if "-H" in options else {}
    return server.ask(options.get("-X", "GET"), path, body, headers).body.decode().rstrip()


def test_the_requests_are_answered_as_the_page_says(server: Loopback) -> None:
    id_ = server.ask("POST", "/v1/sessions").json["session"]
    asked = 0
    for commands, wanted in BLOCKS:
        lines = [line for line in commands.splitlines() if line.startswith("curl")]
        if not lines:
            continue
        found = "".join(f"{curl(line.replace('ID', id_), server)}\n" for line in lines)
        assert doctest.OutputChecker().check_output(wanted.replace('"ID"', f'"{id_}"'), found, doctest.ELLIPSIS), found
        asked += len(lines)
    assert asked >= 10


def test_the_client_of_the_page(server: Loopback) -> None:
    block = re.search(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert block is not None
    answers: list[object] = []
    exec(block[1].replace("8080", str(server.port)), {"print": answers.append})
    assert len(answers) == 1


def test_the_table_of_options_is_what_is_declared() -> None:
    file = Path(str(unrolled.serving.__file__)).parent / "serve_options.py"
    for option in read_options(file, "ServeOptions"):
        line = f"| `--{option.name.replace('_', '-')}` | {default(option)} | {option.help} |"
        assert line in PAGE.splitlines(), line


def default(option: Option) -> str:
    match option.default:
        case None | ():
            return "none"
        case float(number):
            return f"{number:g}"
        case int(number) if option.name != "port":
            return f"{number:,}"
    return str(option.default)
