"""What a server of live sessions reaches, beside a server that steps one session after another, in one run.

    python bench/serve.py [--only S6 S7 …] [--quick]

Both servers are processes of one thread; the load comes from a third one on the same machine, so rates are lower
bounds. A step is one value of each of two numbers in, a forecast with two quantiles out (LSTM, 128 units). CPU is that
of the server's process. The one-by-one server is ours in everything but the pool: each step is a `Session.push`. Where
two servers are compared, their rounds alternate, and the better of each is shown.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import common
import machine
from load import Plan, rss_of
from served import Server, load, started, trained
from texts import written

__all__ = ["MEASURES", "Figure"]

STEP = '{"load":1.5,"temperature":12}'
_GROUP = 256  # sessions in a frame
_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Figure:
    """A row of the table: what was measured, and the least or the most that it may be."""

    what: str
    value: float
    unit: str
    limit: float | None = None
    least: bool = False

    @property
    def ok(self) -> str:
        """Whether the limit holds."""
        if self.limit is None:
            return ""
        return "yes" if (self.value >= self.limit if self.least else self.value <= self.limit) else "**no**"

    def row(self, requirement: str) -> str:
        """As a line of a table."""
        limit = "" if self.limit is None else f"{'≥' if self.least else '≤'} {self.limit:g}"
        digits = 0 if self.value >= 1000 else 1 if self.value >= 10 else 2
        return f"| {requirement} | {self.what} | {self.value:,.{digits}f} {self.unit} | {limit} | {self.ok} |"


Figures = Iterator[Figure]


def s4_s5(quick: bool) -> Figures:
    """Opening sessions, and what they hold of memory."""
    count = 1000 if quick else 10_000
    with started(trained("load")) as server:
        posts = Plan(0, 1, "/v1/sessions", post=True, messages=["{}"], warm=0, seconds=60, rounds=100)
        load(server, posts)
        before = rss_of(server.pid)
        posts.rounds = count
        found = load(server, posts)
        yield Figure(f"opening a session by a request ({count:,})", found["cpu_us"], "µs CPU")
        state = _described(server)["state_bytes"]
        each = (found["rss_mib"] - before) * 1024 / count
        yield Figure(
            f"memory of a session without a connection (its state: {state:,} bytes)", each, "KiB", 2 + state / 1024
        )


def s6(quick: bool) -> Figures:
    """Sessions with one step under way each."""
    run = trained("load")
    with started(run) as ours, started(run, one_by_one=True) as other:
        for count in (1, 100) if quick else (1, 100, 1000):
            plan = Plan(0, count, messages=[f'{{"x":{STEP}}}'])
            mine, theirs = _by_turns(plan, ours, other, rounds=1 if quick else 3)
            name = f"N = {count:,}"
            ratio = mine["steps_a_second"] / max(1e-9, theirs["steps_a_second"])
            yield Figure(f"{name}: steps a second", mine["steps_a_second"], "")
            yield Figure(f"{name}: steps a second, one by one", theirs["steps_a_second"], "")
            yield Figure(f"{name}: ratio", ratio, "×", 6 if count == 100 else None, least=True)
            yield Figure(f"{name}: server", mine["cpu_us"], "µs CPU a step", {100: 40, 1000: 60}.get(count))
            yield Figure(f"{name}: one by one", theirs["cpu_us"], "µs CPU a step")
            yield Figure(f"{name}: p50, p99 {mine['p99']:.1f}", mine["p50"], "ms")
    if not quick:
        yield from _ten_thousand(run)


def _ten_thousand(run: Path) -> Figures:
    with started(run) as ours:
        before = rss_of(ours.pid)
        plan = Plan(0, 9_900, messages=[f'{{"x":{STEP}}}'], warm=1, seconds=8)
        found = load(ours, plan)
        name = "N = 9,900"  # this process may open 10 000 files at most on many machines
        yield Figure(f"{name}: opened", found["opened"], "s")
        yield Figure(f"{name}: steps a second", found["steps_a_second"], "")
        yield Figure(f"{name}: server", found["cpu_us"], "µs CPU a step")
        yield Figure(f"{name}: p50, p99 {found['p99']:.0f}", found["p50"], "ms")
        yield Figure(f"{name}: memory in all ({before:.0f} before)", found["rss_mib"], "MiB", 700)
        yield Figure(
            f"{name}: memory of a connection and its session", (found["rss_mib"] - before) * 1024 / 9_900, "KiB", 40
        )


def s7(quick: bool) -> Figures:
    """A hundred steps in a message."""
    run = trained("load")
    with started(run) as ours, started(run, one_by_one=True) as other:
        some = json.dumps({"xs": [json.loads(STEP)] * 100})
        for name, path, post in (("a request", "/v1/steps", True), ("a frame", "/v1/live/many", False)):
            found: list[dict[str, Any]] = []
            for server in (ours, other):
                message = json.dumps([[id_, None, json.loads(STEP)] for id_ in _opened(server, 100)])
                plan = Plan(0, 1, path, post=post, greets=False, messages=[message], steps=100)
                found.append(min((load(server, plan) for _ in range(1 if quick else 2)), key=lambda one: one["cpu_us"]))
            mine, theirs = found
            yield Figure(f"{name}, 100 sessions: server", mine["cpu_us"], "µs CPU a step", 10)
            yield Figure(f"{name}, 100 sessions: one by one", theirs["cpu_us"], "µs CPU a step")
            yield Figure(f"{name}, 100 sessions: ratio", theirs["cpu_us"] / mine["cpu_us"], "×")
            yield Figure(f"{name}: steps a second, p50 {mine['p50']:.2f} ms", mine["steps_a_second"], "")
        found = [load(server, Plan(0, 1, messages=[some], steps=100)) for server in (ours, other)]
        yield Figure("a frame of 1 session, whose steps follow one another", found[0]["cpu_us"], "µs CPU a step")
        yield Figure("the same one by one", found[1]["cpu_us"], "µs CPU a step")


def s8(quick: bool) -> Figures:
    """One session, which has no use for batches."""
    run = trained("load")
    with started(run) as ours, started(run, one_by_one=True) as other:
        mine, theirs = _by_turns(
            Plan(0, 1, messages=[f'{{"x":{STEP}}}']), ours, other, rounds=1 if quick else 5, by="p50"
        )
        yield Figure("N = 1: p50", mine["p50"], "ms")
        yield Figure("N = 1: p50 of Session.push over the same socket", theirs["p50"], "ms")
        yield Figure("N = 1: ratio", mine["p50"] / theirs["p50"], "×", 1.2)


def s9(quick: bool) -> Figures:
    """Fifty good clients, and then bad ones beside them, which get the time that the others leave, as if they had their
    own machine. The answers: tests/serving.
    """
    seconds = 2.0 if quick else 6.0
    with started(trained("load")) as server:
        good = Plan(0, 50, messages=[f'{{"x":{STEP}}}'], rate=500, seconds=seconds)
        without, before = load(server, good), rss_of(server.pid)
        command = [
            "nice",
            "-n",
            "19",
            sys.executable,
            str(_HERE / "bad_clients.py"),
            str(server.port),
            str(seconds + 2),
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as bad:
            with_ = load(server, good)
            assert bad.stdout is not None
            did = json.loads(bad.stdout.read())
        yield Figure("50 sessions, 500 steps a second: p99", without["p99"], "ms")
        limit = 2 * without["p99"] + 20
        yield Figure("the same beside eight bad clients", with_["p99"], "ms", round(limit, 1))
        yield Figure("memory that they took", with_["rss_mib"] - before, "MiB", 32)
        yield Figure(f"wrongs that they did: {did}", sum(did.values()), "")
        yield Figure("good connections that were lost", with_["closed"], "", 0)
    with started(trained("text")) as server:
        good.messages = ['{"x":"a"}']
        without = load(server, good)
        long = Plan(0, 1, messages=[json.dumps({"x": "the dog ran away. " * 220})], seconds=seconds + 2)
        beside = threading.Thread(target=load, args=(server, long))
        beside.start()
        with_ = load(server, good)
        beside.join()
        yield Figure("50 sessions of characters: p99", without["p99"], "ms")
        limit = 2 * without["p99"] + 20
        yield Figure("the same beside texts of 3,960 characters", with_["p99"], "ms", round(limit, 1))


def s12(quick: bool) -> Figures:
    """A restart with many sessions, which go to a folder and come back."""
    count = 500 if quick else 9_900
    with tempfile.TemporaryDirectory() as folder:
        flags = ("--store", folder)
        with started(trained("load"), *flags) as first:
            plan = Plan(0, count, messages=[f'{{"x":{STEP}}}'], warm=0, rounds=1, seconds=30)
            ids = load(first, plan)["sessions"]
            code, took = first.stop()
        yield Figure(f"{count:,} sessions saved: SIGTERM to the end", took, "s", 2)
        yield Figure("exit code", code, "", 143)
        with started(trained("load"), *flags) as second:
            plan.sessions = ids
            found = load(second, plan)
            yield Figure(f"{count:,} sessions opened again, each over a connection", found["opened"], "s")
            yield Figure("of which answered a step", found["answers"], "", count, least=True)
        with started(trained("load"), *flags) as third:
            groups = [ids[first : first + _GROUP] for first in range(0, count, _GROUP)]
            messages = [json.dumps([[id_, None, json.loads(STEP)] for id_ in group]) for group in groups]
            again = Plan(
                0, 1, "/v1/live/many", greets=False, messages=messages, warm=0, rounds=len(messages), seconds=60
            )
            found = load(third, again)
            yield Figure(
                f"{count:,} sessions read back, {_GROUP} in a frame, each with a step", found["seconds"], "s", 1
            )
            yield Figure("of which processor time of the server", found["cpu_us"] * found["steps"] / 1e6, "s")


def s14(quick: bool) -> Figures:
    """Three times as much as can be done, of two models: the heavier one has more time to refuse the rest."""
    for name, units in (("wide", 512), ("heavy", 2048)):
        yield from _overloaded(name, f"LSTM of {units:,} units", quick)


def _overloaded(name: str, called: str, quick: bool) -> Figures:
    bound = 500
    with started(trained(name), "--waiting", str(bound)) as server:
        plan = Plan(0, bound - 50, messages=[f'{{"x":{STEP}}}'], seconds=3)
        capacity = load(server, plan)["steps_a_second"]
        plan.connections, plan.rate, plan.seconds = 4 * bound, 3 * capacity, 3.0 if quick else 10.0
        over = load(server, plan)
        plan.connections, plan.rate, plan.seconds, plan.warm = 50, capacity / 10, 3.0, 0.0
        after = load(server, plan)
    yield Figure(f"{called}, capacity: steps a second", capacity, "")
    answered = 100 * over["steps_a_second"] / capacity
    yield Figure(f"{called}, answered of it when three times as much comes", answered, "%", 80, least=True)
    yield Figure(f"{called}, p99 of an answer since its step was sent", over["wait_p99"], "ms")
    refused = sum(over["refused"].values())
    yield Figure(f"{called}, refused: {over['refused']}", refused, "")
    if refused:
        retried = 100 * over["retried"] / refused
        yield Figure(f"{called}, refusals that say when to come again", retried, "%", 100, least=True)
        yield Figure(f"{called}, p99 of a refusal since its step was sent", over["refused_p99"], "ms", 50)
    yield Figure(f"{called}, p99 two seconds after it ended", max(after["p99_by_second"][2:3] or [0]), "ms", 100)


def s16(quick: bool) -> Figures:
    """Texts that are written for many clients."""
    for what, value, unit, limit in written(quick):
        yield Figure(what, value, unit, limit)


def s23(quick: bool) -> Figures:
    """Sessions while a prediction of a long table runs."""
    rows = 20_000 if quick else 419_000
    body = "load,temperature\n" + f"{10.5:.36f},{12.25:.36f}\n" * rows
    with started(trained("load")) as server:
        _predicted(server, b"load,temperature\n1,2\n3,4\n")  # which starts the process of predictions
        plan = Plan(0, 50, messages=[f'{{"x":{STEP}}}'], rate=500, seconds=3)
        without = load(server, plan)
        asked = threading.Thread(target=_predicted, args=(server, body.encode()))
        asked.start()
        with_ = load(server, plan)
        running = asked.is_alive()
        asked.join(120)
        yield Figure("50 sessions, 500 steps a second: p99", without["p99"], "ms")
        name = f"the same while {len(body) / 2**20:.0f} MiB are predicted{'' if running else ' (which took less)'}"
        yield Figure(name, with_["p99"], "ms", round(2 * without["p99"] + 20, 1))


MEASURES: dict[str, Callable[[bool], Figures]] = {
    "S5": s4_s5,
    "S6": s6,
    "S7": s7,
    "S8": s8,
    "S9": s9,
    "S12": s12,
    "S14": s14,
    "S16": s16,
    "S23": s23,
}


def _by_turns(plan: Plan, ours: Server, other: Server, rounds: int, by: str = "cpu_us") -> tuple[dict[str, Any], ...]:
    """The better round of each of two servers."""
    found: list[list[dict[str, Any]]] = [[], []]
    for _ in range(rounds):
        for server, own in zip((ours, other), found, strict=True):
            own.append(load(server, plan))
    return tuple(min(own, key=lambda one: one[by]) for own in found)


def _opened(server: Server, count: int) -> list[str]:
    from unrolled.client import Client

    with Client(f"http://127.0.0.1:{server.port}").many() as many:
        return [many.open() for _ in range(count)]


def _described(server: Server) -> dict[str, Any]:
    from unrolled.client import Client

    return Client(f"http://127.0.0.1:{server.port}").describe()


def _predicted(server: Server, body: bytes) -> None:
    import urllib.request

    address = f"http://127.0.0.1:{server.port}/v1/predict"
    request = urllib.request.Request(address, body, {"Content-Type": "text/csv", "Accept": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        answer.read()


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(MEASURES), default=list(MEASURES))
    parser.add_argument("--quick", action="store_true", help="a moment of each, to see that it works; not recorded")
    asked = parser.parse_args()
    print(f"{machine.line()}; load {os.getloadavg()[0]:.1f}\n")
    print("| | measured | figure | limit | holds |\n|---|---|---:|---:|---|", flush=True)
    for name in asked.only:
        begun = time.perf_counter()
        for figure in MEASURES[name](asked.quick):
            print(figure.row(name), flush=True)
            if not asked.quick:
                told = {"requirement": name, "what": figure.what, "value": figure.value, "unit": figure.unit}
                common.record("serve", {**told, "load": os.getloadavg()[0], "machine": machine.line()})
        print(
            f"{name}: {time.perf_counter() - begun:.0f} s, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True
        )


if __name__ == "__main__":
    main()
