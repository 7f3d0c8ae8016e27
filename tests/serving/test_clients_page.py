"""What ``docs/clients.md`` shows runs as it is written: the Python blocks, and the JavaScript over a network that fails."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from serving.cutting import cutting
from serving.loopback import Loopback

from unrolled.runs.trained import Trained

PAGE = (Path(__file__).parents[2] / "docs" / "clients.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(python|js)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PYTHON = [block for language, block in BLOCKS if language == "python"]
LIVE, EXAMPLE = [block for language, block in BLOCKS if language == "js"]
NODE = shutil.which("node")
FLAGS = ["--experimental-websocket", "--no-warnings", "--input-type=module"]


def node(program: str) -> str:
    """What a program prints."""
    if NODE is None:
        pytest.skip("node is not installed")
    done = subprocess.run([NODE, *FLAGS, "-e", program], capture_output=True, text=True, check=False, timeout=60)
    if "WebSocket is not defined" in done.stderr or "bad option" in done.stderr:
        pytest.skip("this node has no WebSocket: version 20.10 or newer is needed")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_python_blocks_run(server: Loopback, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    for block in PYTHON:
        exec(compile(block.replace(":8080", f":{server.port}"), "clients.md", "exec"), names)
    assert "load_predicted" in capsys.readouterr().out


def test_the_javascript_is_short() -> None:
    assert len(LIVE.splitlines()) <= 50


def test_the_example_in_javascript_runs(server: Loopback) -> None:
    assert "load_predicted" in node(LIVE + EXAMPLE.replace(":8080", f":{server.port}"))


def test_in_javascript_each_step_is_taken_once_whatever_is_cut(server: Loopback, load: Trained) -> None:
    values = [{"load": 10 + n % 7 / 10, "temp": 5 - n % 5} for n in range(30)]
    with cutting(server.port, 0, 4000) as relay:
        program = f"""
            const live = new Live("ws://127.0.0.1:{relay.port}"), answers = [];
            for (const value of {json.dumps(values)}) answers.push(await live.push(value));
            const refused = await live.push({{ load: "x", temp: 1 }}).catch((error) => [error.type, error.message]);
            live.close();
            console.log(JSON.stringify({{ answers, refused }}));
        """
        found = json.loads(node(LIVE + program.replace("50 }}", "5 }}")))
        assert relay.cuts > 0
    stream = load.stream()
    assert found["answers"] == [stream.push(value) for value in values]
    assert found["refused"][0] == "DataError"


def test_in_javascript_steps_that_were_not_saved_are_sent_again() -> None:
    """A server that took three steps and saved one, then comes back with that one."""
    stand_in = """
        const sockets = [], sent = [];
        globalThis.WebSocket = class {
          constructor() { sockets.push(this); }
          send(text) { sent.push(JSON.parse(text)); }
          close() {}
        };
        const hear = (told) => sockets.at(-1).onmessage({ data: JSON.stringify(told) });
    """
    program = """
        const live = new Live("ws://nowhere"), answers = [];
        hear({ session: "a", n: 0 });
        for (const n of [1, 2, 3]) {
          const answer = live.push(`x${n}`);
          hear({ n, y: `y${n}`, saved_n: 1 });
          answers.push(await answer);
        }
        live.connect();
        hear({ session: "a", n: 1 });
        hear({ n: 2, y: "y2", saved_n: 1 });
        hear({ n: 3, y: "y3", saved_n: 3 });
        const last = live.push("x4");
        hear({ n: 4, y: "y4", saved_n: 3 });
        answers.push(await last);
        live.connect();
        hear({ session: "a", n: 2 });
        console.log(JSON.stringify({ answers, sent, over: live.over }));
    """
    found = json.loads(node(f"{stand_in}{LIVE}{program}"))
    assert found["answers"] == ["y1", "y2", "y3", "y4"] and found["over"]  # at last it has lost what it had saved
    assert [(one["n"], one["x"]) for one in found["sent"]] == [(n, f"x{n}") for n in (1, 2, 3, 2, 3, 4)]
