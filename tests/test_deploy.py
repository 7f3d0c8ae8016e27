"""``deploy/``: the files can be read, their commands are ours, and they agree with each other."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
import shutil
import subprocess
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import unrolled
import unrolled.serving
from unrolled.declarations import read_options

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNIT = (DEPLOY / "unrolled.service").read_text("utf-8")
IMAGE = (DEPLOY / "Dockerfile").read_text("utf-8")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
KUBERNETES = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text("utf-8")))
HAPROXY = DEPLOY / "haproxy.cfg"
OPTIONS = {
    f"--{option.name.replace('_', '-')}": option
    for option in read_options(Path(str(unrolled.serving.__file__)).parent / "serve_options.py", "ServeOptions")
}


def of_kind(kind: str, name: str) -> dict[str, Any]:
    """An object of Kubernetes."""
    return next(one for one in KUBERNETES if (one["kind"], one["metadata"]["name"]) == (kind, name))


def setting(name: str) -> str:
    """A line of the service of systemd."""
    found = re.search(rf"^{name}=(.*)$", UNIT, re.MULTILINE)
    assert found is not None, name
    return found[1]


POD = of_kind("Deployment", "unrolled")["spec"]["template"]["spec"]
CONTAINER = POD["containers"][0]
COMMANDS = {
    "systemd": (shlex.split(setting("ExecStart")), float(setting("TimeoutStopSec"))),
    "kubernetes": (CONTAINER["command"], float(POD["terminationGracePeriodSeconds"])),
    **{
        name: (shlex.split(service["command"]), float(service["stop_grace_period"].removesuffix("s")))
        for name, service in COMPOSE["services"].items()
        if service["image"] == "unrolled"
    },
}


def flags(command: list[str]) -> dict[str, str]:
    """The flags of ``unrolled serve RUN --flag value …``."""
    return dict(zip(command[3::2], command[4::2], strict=True))


@pytest.mark.parametrize("where", COMMANDS)
def test_a_server_is_told_what_there_is(where: str) -> None:
    command, _ = COMMANDS[where]
    assert (Path(command[0]).name, command[1]) == ("unrolled", "serve")
    assert not command[2].startswith("-") and {*flags(command)} <= {*OPTIONS}


@pytest.mark.parametrize("where", COMMANDS)
def test_a_server_is_not_killed_while_it_ends(where: str) -> None:
    command, grace = COMMANDS[where]
    assert grace > float(flags(command)["--drain"])


def test_every_command_in_a_file_is_checked() -> None:
    found = sum(text.count("unrolled serve /") + text.count("[unrolled, serve, /") for text in texts().values())
    assert found == len(COMMANDS) - 1  # the one of systemd names the folder of the program
    assert "/unrolled serve /" in UNIT and 'CMD ["unrolled", "serve", "--help"]' in IMAGE


def texts() -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in DEPLOY.iterdir() if path.name != "unrolled.service"}


JOBSET = yaml.safe_load((DEPLOY / "jobset.yaml").read_text("utf-8"))
SLURM = (DEPLOY / "slurm.sh").read_text("utf-8")
RAY = ast.parse((DEPLOY / "ray_train.py").read_text("utf-8"))


def test_trainings_are_started_so_that_they_may_be_started_again() -> None:
    jobs = JOBSET["spec"]["replicatedJobs"][0]
    job = jobs["template"]["spec"]
    command = job["template"]["spec"]["containers"][0]["command"]
    flags = {flag.partition("=")[0]: flag.partition("=")[2] for flag in command if flag.startswith("--")}
    name = JOBSET["metadata"]["name"]
    assert command[0] == "torchrun" and command[command.index("-m") + 1 :][:2] == ["unrolled", "fit"]
    assert int(flags["--nnodes"]) == job["parallelism"] == job["completions"] and "--go-on" in flags
    assert flags["--rdzv-endpoint"].startswith(f"{name}-{jobs['name']}-0-0.{name}:")
    launched = " ".join(SLURM.replace("\\\n", " ").split())
    assert "torchrun --nnodes" in launched and '-m unrolled fit "$data" --out "$out" --go-on "$@" &' in launched
    calls = [node for node in ast.walk(RAY) if isinstance(node, ast.Call)]
    fit = next(call for call in calls if ast.unparse(call.func) == "unrolled.fit")
    assert (
        {word.arg for word in fit.keywords}
        == {"out", "go_on", "quiet"}
        <= {*inspect.signature(unrolled.fit).parameters}
    )


@pytest.mark.parametrize("stop", [False, True])
def test_the_script_for_slurm_asks_for_another_turn_only_if_its_time_is_up(stop: bool, tmp_path: Path) -> None:
    """With programs in place of those of SLURM: srun ends by itself, or at a signal."""
    waiting = "trap 'exit 1' TERM; sleep 20 & wait" if stop else "exit 7"
    programs = {"scontrol": 'echo "$@" >> told; echo here', "srun": f'echo "$@" > started; {waiting}'}
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    job = {"SLURM_JOB_ID": "5", "SLURM_NNODES": "2", "SLURM_JOB_NODELIST": "here", "PATH": f"{tmp_path}:/usr/bin:/bin"}
    script = subprocess.Popen(["bash", str(DEPLOY / "slurm.sh"), "data", "out"], cwd=tmp_path, env=job)
    if stop:
        while not (tmp_path / "started").exists():
            time.sleep(0.02)
        script.terminate()
    assert script.wait(20) == (1 if stop else 7)
    assert ("requeue 5" in (tmp_path / "told").read_text()) == stop
    assert "--rdzv-endpoint here:29400 --rdzv-id 5-0" in (tmp_path / "started").read_text()


def test_the_ports_agree() -> None:
    port = int(flags(CONTAINER["command"])["--port"])
    assert CONTAINER["ports"] == [{"name": "http", "containerPort": port}]
    service = of_kind("Service", "unrolled")["spec"]["ports"][0]
    assert (service["port"], service["targetPort"]) == (port, "http") and f"EXPOSE {port}\n" in IMAGE
    assert flags(COMMANDS["systemd"][0])["--port"] == str(OPTIONS["--port"].default) == str(port)


def test_the_stores_agree() -> None:
    store = COMPOSE["services"]["valkey"]["command"].split()
    port = store[store.index("--port") + 1]
    for name in ("one", "two"):
        assert flags(COMMANDS[name][0])["--store"] == f"valkey://127.0.0.1:{port}/0"
    valkey = of_kind("Service", "unrolled-valkey")
    port = valkey["spec"]["ports"][0]["port"]
    assert flags(CONTAINER["command"])["--store"] == f"valkey://{valkey['metadata']['name']}:{port}/0"


def test_probes_need_no_token_and_the_token_is_where_the_server_looks() -> None:
    from unrolled.serving.guard import OPEN

    probes = {name: CONTAINER[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")}
    assert probes == {"startup": "/healthz", "readiness": "/readyz", "liveness": "/healthz"}
    assert {*probes.values()} <= OPEN
    given, mounts = flags(CONTAINER["command"]), {one["name"]: one["mountPath"] for one in CONTAINER["volumeMounts"]}
    assert given["--token-file"].rpartition("/")[0] == mounts["tokens"]
    assert of_kind("Secret", "unrolled-tokens")["stringData"] == {Path(given["--token-file"]).name: ""}
    assert of_kind("Service", "unrolled")["metadata"]["name"] in given["--name"].split(",")


def test_nothing_listens_for_other_machines_without_a_token() -> None:
    for where, (command, _) in COMMANDS.items():
        given = flags(command)
        assert "--host" not in given or "--token-file" in given, where
    assert "--bind 127.0.0.1" in COMPOSE["services"]["valkey"]["command"]


def test_the_image_installs_what_the_commands_need() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    found = re.search(r"pip install .*'\.\[(.*)\]'", IMAGE)
    assert found is not None and {*found[1].split(",")} == {"serve", "cluster"} <= {*extras}
    for path in " ".join(re.findall(r"^COPY (?!--)(.*) \S+$", IMAGE, re.MULTILINE)).split():
        assert (ROOT / path).exists(), path


def test_users_are_not_root() -> None:
    user = re.search(r"^USER (\d+)$", IMAGE, re.MULTILINE)
    assert user is not None and int(user[1]) == POD["securityContext"]["runAsUser"] > 0
    assert setting("DynamicUser") == "yes"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_service(tmp_path: Path) -> None:
    written = tmp_path / "unrolled.service"
    written.write_text(UNIT.replace("/opt/unrolled/bin/unrolled", "/bin/true"))
    said = subprocess.run(["systemd-analyze", "verify", "--man=no", str(written)], capture_output=True, text=True)
    assert (said.returncode, said.stderr) == (0, "")


haproxy = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")


@pytest.mark.skipif(not HAPROXY.exists(), reason="deploy/haproxy.cfg is not there")
def test_the_balancer_knows_the_servers() -> None:
    named = set(re.findall(r"^ +server \S+ 127\.0\.0\.1:(\d+)", HAPROXY.read_text("utf-8"), re.MULTILINE))
    assert named == {flags(COMMANDS[name][0])["--port"] for name in ("one", "two")}


@pytest.mark.skipif(haproxy is None or not HAPROXY.exists(), reason="HAProxy is not installed")
def test_haproxy_accepts_its_file() -> None:
    assert haproxy is not None
    said = subprocess.run([haproxy, "-c", "-f", str(HAPROXY)], capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
