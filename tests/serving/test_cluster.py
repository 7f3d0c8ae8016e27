"""Several servers behind HAProxy, which share their sessions in a Valkey or Redis (S24).

It proves the protocol, on one machine: every answer is compared with a stream that was never interrupted.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import warm
from serving.pushing import Clients, under_way
from serving.valkey import SERVER, free_port, valkey

from unrolled.runs.trained import Trained

HAPROXY = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
CONFIG = Path(__file__).parents[2] / "deploy" / "haproxy.cfg"

pytest.importorskip("redis", reason="the client of Valkey and Redis is not installed")
pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(os.environ.get("UNROLLED_SOAK") != "1", reason="starts eight servers, a minute: make soak"),
    pytest.mark.skipif(SERVER is None or HAPROXY is None, reason="HAProxy, and Valkey or Redis, are not installed"),
]


class Cluster:
    """Servers behind a balancer.

    Attributes:
        url: the balancer's.
        servers: the slots of the balancer, in order.
        store: the process of the store.
    """

    def __init__(self, run: Path, folder: Path, stack: contextlib.ExitStack, slots: int) -> None:
        self._run, self._stack = run, stack
        store, self.store = stack.enter_context(valkey())
        self._flags = ("--store", f"valkey://127.0.0.1:{store}/0", "--checkpoint-every", "0.1", "--drain", "3")
        self._ports = [free_port() for _ in range(slots)]
        self.servers: list[subprocess.Popen[bytes]] = []
        for slot in range(2):
            self.begin(slot)
        port = free_port()
        lines = "\n".join(f"    server s{slot} 127.0.0.1:{one}" for slot, one in enumerate(self._ports))
        config = re.sub(r"(?m)^    server (one|two) .*\n?", "", CONFIG.read_text()).rstrip() + f"\n{lines}\n"
        written = folder / "haproxy.cfg"
        written.write_text(config.replace("127.0.0.1:8000", f"127.0.0.1:{port}").replace("40000", "900"))
        assert HAPROXY is not None
        balancer = subprocess.Popen([HAPROXY, "-q", "-db", "-f", str(written)], stderr=subprocess.DEVNULL)
        stack.callback(balancer.wait)
        stack.callback(balancer.kill)
        self.url = f"http://127.0.0.1:{port}"
        time.sleep(0.5)  # until it has looked at the servers

    def begin(self, slot: int) -> None:
        """Start the server of a slot."""
        program = f"import signal; signal.alarm(200)\n{warm.COMMAND_LINE}"  # it ends, whatever happens here
        words = ["serve", str(self._run), "--port", str(self._ports[slot]), "--quiet", *self._flags]
        server = subprocess.Popen([sys.executable, "-c", program, *words])
        self._stack.callback(server.wait)
        self._stack.callback(server.kill)
        self.servers[slot : slot + 1] = [server]
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"http://127.0.0.1:{self._ports[slot]}/readyz", timeout=2),
            ):
                return
            time.sleep(0.05)
        raise AssertionError("the server did not start")

    def end(self, slot: int, number: signal.Signals) -> None:
        """End the server of a slot, and start another one a little later."""
        server = self.servers[slot]
        server.send_signal(number)
        server.wait()
        time.sleep(0.5)
        self.begin(slot)

    def halt(self, pid: int, seconds: float) -> None:
        """Cut a process off: it neither answers nor knows that it does not."""
        os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(pid, signal.SIGCONT)


@pytest.fixture
def cluster(load: Trained, tmp_path: Path) -> Iterator[Cluster]:
    assert load.folder is not None
    with contextlib.ExitStack() as stack:
        yield Cluster(load.folder, tmp_path, stack, slots=3)


def test_servers_end_and_are_killed_under_their_clients(load: Trained, cluster: Cluster) -> None:
    clients = Clients(cluster.url, 200)
    events: list[Callable[[], object]] = [
        lambda: cluster.end(0, signal.SIGTERM),
        lambda: cluster.end(1, signal.SIGKILL),
    ]
    asyncio.run(under_way(clients, events * 2, lambda: 1.0))
    print(f"{clients.check(load)} answers, longest gap {clients.longest_gap:.2f} s")


def test_a_server_is_cut_off_one_is_added_and_the_store_stops(load: Trained, cluster: Cluster) -> None:
    clients = Clients(cluster.url, 200)
    events: list[Callable[[], object]] = [
        lambda: cluster.halt(cluster.servers[0].pid, 3),
        lambda: cluster.begin(2),
        lambda: cluster.halt(cluster.store.pid, 5),
    ]
    asyncio.run(under_way(clients, events, lambda: 2))
    print(f"{clients.check(load)} answers, longest gap {clients.longest_gap:.2f} s")
