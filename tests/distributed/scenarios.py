"""Runs on several ranks in which something happens: kills, signals, faults, other numbers of ranks.

python scenarios.py FOLDER NAME …; prints a JSON object: name -> what went wrong, empty if nothing.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from contracts.runs import RUNS, same_run
from distributed.forked import ended, fork

from unrolled import api
from unrolled.errors import DataError, Elsewhere, Interrupted, TrainingError
from unrolled.runs import blockwise, encode, on_ranks, prepared
from unrolled.runs.choosing import Pace
from unrolled.runs.trained import Trained
from unrolled.storage import directories
from unrolled.storage.cache_folder import listed
from unrolled.training import checkpoint
from unrolled.training.trainer import Trainer

__all__ = ["SCENARIOS", "at_step", "die", "ends_if_it_writes", "fit", "run_all", "torch_of"]

_EXACT = {"plan": "fixed", "dropout": 0.0}  # what does not depend on random numbers of a rank
_EACH = 8  # kills of a run of twelve steps
_LONGEST = 60.0  # seconds until the others of a dead rank have ended


def at_step(step: int, act: Callable[[Trainer], None]) -> None:
    """From here on, this process does so before it takes ``step``, once."""
    take, done = Trainer._step, []

    def stepping(self: Trainer, *arguments: Any) -> None:
        if self.progress.step == step and not done:
            done.append(step)
            act(self)
        take(self, *arguments)

    Trainer._step = stepping  # type: ignore[method-assign]


def die(_: Any = None) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fit(name: str, out: Path, **more: Any) -> Trained:
    return RUNS[name].fit(out, checkpoint_every="1", go_on=True, **more)


def straight(name: str, out: Path, ranks: int = 2, **more: Any) -> None:
    if not out.exists():
        codes = ended(fork(ranks, lambda _: fit(name, out, **more)))
        assert codes == [0] * ranks, codes


def dies_while_it_saves(saves: int) -> None:
    """After so many checkpoints, this process ends when the next one is written, and has not got its name yet."""
    name, done = directories.put_in_place, []

    def naming(*arguments: Any) -> None:
        if len(done) == saves:
            die()
        done.append(1)
        name(*arguments)

    directories.put_in_place = naming


def killed(folder: Path, name: str, kills: int) -> None:
    """Ranks die in turn, at steps or while a checkpoint is written; the end is that of a run never stopped."""
    straight(name, folder / "straight")
    for number in range(kills):
        out, step, victim = folder / f"killed-{number // _EACH}", 1 + number % _EACH, (number + 1) % 2
        saving = number % 4 == 1  # the leader, which writes

        def work(rank: int, out: Path = out, step: int = step, victim: int = victim, saving: bool = saving) -> None:
            if rank == victim and saving:
                dies_while_it_saves(step % 3)
            elif rank == victim:
                at_step(step, die)
            fit(name, out)

        began = time.monotonic()
        codes = ended(fork(2, work))
        assert time.monotonic() - began < _LONGEST
        assert codes[victim] == -signal.SIGKILL and codes[1 - victim] > 0, (number, codes)
    for out in sorted(folder.glob("killed-*")):
        assert ended(fork(2, lambda _, out=out: fit(name, out))) == [0, 0]
        same_run(out, folder / "straight")


def lanes_killed(folder: Path) -> None:
    killed(folder, "lanes", int(os.environ.get("KILLS", "2")))


def items_killed(folder: Path) -> None:
    killed(folder, "items, of which few are compared with", int(os.environ.get("KILLS", "2")))


def restarted_by_torchrun(folder: Path) -> None:
    """Its agent starts all ranks again, as often as one dies; the end is that of a run that other processes made."""
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    name, restarts = "lanes", int(os.environ.get("RESTARTS", "2"))
    straight(name, folder / "straight")

    def work() -> None:
        attempt = int(os.environ["TORCHELASTIC_RESTART_COUNT"])
        if attempt < restarts and int(os.environ["RANK"]) == attempt % 2:
            at_step(2 + attempt % 9, die)
        fit(name, folder / "out")

    agent = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=2,
        run_id="once",
        rdzv_backend="c10d",
        rdzv_endpoint="127.0.0.1:0",
        max_restarts=restarts,
        start_method="fork",
    )
    elastic_launch(agent, work)()
    same_run(folder / "out", folder / "straight")


def a_dead_rank_is_named(folder: Path) -> None:
    """The others say how to go on."""

    def work(rank: int) -> None:
        if rank == 1:
            at_step(3, die)
        try:
            fit("plain rows", folder / "out")
        except TrainingError as error:
            assert "go_on" in str(error) and "has ended" in str(error), error
            os._exit(7)

    assert ended(fork(2, work)) == [7, -signal.SIGKILL]


def other_numbers_of_ranks(folder: Path) -> None:
    """A worker has to stop: both save the same step. It goes on in mid-epoch on one rank, and on three."""
    name = "lanes, k2 > k1"
    for ranks in (1, 3):
        out = folder / f"on-{ranks}"

        def work(rank: int, out: Path = out) -> None:
            if rank == 1:
                at_step(5, lambda _: os.kill(os.getpid(), signal.SIGTERM))
            try:
                fit(name, out, **_EXACT)
            except Interrupted as error:
                assert error.exit_code == 143 and "saved at step 6" in str(error), error
                os._exit(error.exit_code)

        assert ended(fork(2, work)) == [143, 143]
        assert ended(fork(ranks, lambda _, out=out: fit(name, out, **_EXACT))) == [0] * ranks
    straight(name, folder / "straight", 1, **_EXACT)
    expected = torch_of(folder / "straight")
    for ranks in (1, 3):
        for key, tensor in torch_of(folder / f"on-{ranks}").items():
            assert torch.allclose(tensor, expected[key], rtol=1e-5, atol=1e-5), (ranks, key)


def torch_of(run: Path) -> dict[str, torch.Tensor]:
    saved = checkpoint.newest(run / "checkpoints")
    assert saved is not None
    return {name: tensor for name, tensor in saved.tensors.items() if name.startswith(("model.", "average."))}


def ends_if_it_writes(place: Path, except_in: str | None = None) -> None:
    """From here on, this process ends where it opens a file in ``place`` for writing, but for files of one name."""

    def hook(event: str, arguments: Any) -> None:
        if event == "open" and str(place) in str(arguments[0]) and Path(str(arguments[0])).name != except_in:
            write = isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
            if write or (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                os._exit(9)
        if event in ("os.mkdir", "os.rename", "os.remove", "shutil.rmtree") and str(place) in str(arguments):
            os._exit(8)

    sys.addaudithook(hook)


def only_the_leader_writes(folder: Path) -> None:
    """No other process opens a file of the run for writing."""
    out = folder / "out"
    (folder / "scratch").mkdir()

    def work(rank: int) -> None:
        tempfile.tempdir = str(folder / "scratch")
        if rank:
            ends_if_it_writes(out)
        trained = fit("rows by the clock", out)
        assert trained.metrics and trained.folder == out
        assert len(trained.predict({"text": ["abc"]})) == 1
        assert torch.get_num_threads() == max(1, len(os.sched_getaffinity(0)) // 2)

    assert ended(fork(2, work)) == [0, 0]
    assert not [*(folder / "scratch").iterdir()]


def only_the_leader_prepares(folder: Path) -> None:
    """The others map what it stored; those that do not see it prepare the data themselves."""
    table, cache = folder / "rows.csv", folder / "cache"
    table.write_text("age,passed\n" + "".join(f"{n},{n > 11}\n" for n in range(24)))
    cache.mkdir()
    weights = []
    for number in range(3):
        out = folder / f"out{number}"
        if number == 2:
            shutil.rmtree(cache)
            cache.mkdir()

        def work(rank: int, out: Path = out, blind: bool = number == 2) -> None:
            made: list[object] = []
            prepare, encode._prepared = encode._prepared, lambda *given: made.append(given) or prepare(*given)  # type: ignore[func-returns-value]
            if rank and blind:
                encode._mapped = lambda _: None
            elif rank:
                ends_if_it_writes(cache)
            api.fit(table, out=out, cache=cache, model="mlp", hidden=3, steps=2, plan="fixed", target="passed")
            assert len(made) == int((rank == 0 and out.name != "out1") or (rank and blind)), (rank, out, made)

        assert (codes := ended(fork(2, work))) == [0, 0], codes
        weights.append(torch_of(out))
        assert len(listed(cache)) == 1
    assert all(torch.equal(tensor, one[name]) for one in weights for name, tensor in weights[0].items())


def one_rank_of_a_machine_prepares_what_is_large(folder: Path) -> None:
    """The others map it: all of them, or those that do not see the leader's files what the first of them made."""
    table = folder / "rows.csv"
    table.write_text("age,passed\n" + "".join(f"{n},{n > 11}\n" for n in range(60)))
    seeing, making = on_ranks._inode, encode.prepare
    weights = []
    for blind in (set[int](), {1, 2}):
        out, made = folder / f"out{len(blind)}", folder / f"made{len(blind)}"
        made.mkdir()

        def work(rank: int, out: Path = out, made: Path = made, blind: set[int] = blind) -> None:
            def counted(*arguments: Any) -> Any:
                (made / str(rank)).touch()
                return making(*arguments)

            blockwise.LARGE = prepared._LARGE = 0
            encode.prepare = counted  # type: ignore[assignment]
            on_ranks._inode = lambda place: None if rank in blind else seeing(place)
            api.fit(table, out=out, model="mlp", hidden=3, steps=2, plan="fixed", target="passed")
            assert not (out / "prepared").exists() or rank

        assert (codes := ended(fork(3, work))) == [0] * 3, codes
        assert sorted(file.name for file in made.iterdir()) == (["0", "1"] if blind else ["0"])
        weights.append(torch_of(out))
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())


def a_fault_in_one_memory_is_found(folder: Path) -> None:
    """A bit that differs ends the run; the message has the rank and the tensor."""

    def flip(one: Trainer) -> None:
        one.network.head.bias.data.view(torch.int32)[0] ^= 1  # type: ignore[union-attr, operator]

    def work(rank: int) -> None:
        if rank == 1:
            at_step(3, flip)
        try:
            fit("plain rows", folder / "out")
        except TrainingError as error:
            assert "rank 1" in str(error) and "head.bias" in str(error), error
            os._exit(7)

    assert ended(fork(2, work)) == [7, 7]


def an_error_of_one_rank_ends_all(folder: Path) -> None:
    """It reports the error; the others only end."""

    def work(rank: int) -> None:
        try:
            RUNS["plain rows"].fit(folder / "out", target="passed" if rank == 0 else "unheard")
        except Elsewhere as error:
            os._exit(10 + error.exit_code if "unheard" in str(error) else 1)
        except DataError:
            os._exit(5)

    assert (codes := ended(fork(2, work))) == [13, 5], codes
    assert not (folder / "out").exists()


def they_race(folder: Path) -> None:
    """Contestants are trained by all ranks; the leader's clock decides how long, and the winner goes on."""
    dice = random.Random(0)
    walks = [[dice.random() for _ in range(4)] for _ in range(2_400)]
    data = {"walk": walks, "rises": [row[-1] > row[0] for row in walks]}

    def work(rank: int) -> None:
        Pace.seconds = lambda *_: 0.00025  # type: ignore[method-assign]
        if rank == 1:
            at_step(7, lambda _: time.sleep(0.2))
        lines: list[str] = []
        options: dict[str, Any] = {"target": "rises", "minutes": 0.02, "hidden": 4, "batch": 256, "blend": "none"}
        trained = api.fit(data, out=folder / "out", say=lines.append, **options)
        assert sum(line.startswith("race: ") for line in lines) == (4 if rank == 0 else 0), lines
        assert trained.config.plan[-1].source == "race", trained.config.plan
        assert (folder / "out" / "race").exists() is False

    assert (codes := ended(fork(2, work))) == [0, 0], codes


def they_start_at_any_time(folder: Path) -> None:
    """Ranks that come late find a new run as new, and an old one as old."""
    dice = random.Random(1)
    for number in range(int(os.environ.get("STARTS", "2"))):
        out, delays = folder / f"{number // 2}", [dice.random() * 0.3 for _ in range(2)]

        def work(rank: int, out: Path = out, delays: list[float] = delays) -> None:
            time.sleep(delays[rank])
            assert fit("plain rows", out).metrics

        assert ended(fork(2, work)) == [0, 0]


SCENARIOS: dict[str, Callable[[Path], None]] = {
    one.__name__: one
    for one in (
        lanes_killed,
        items_killed,
        restarted_by_torchrun,
        a_dead_rank_is_named,
        other_numbers_of_ranks,
        only_the_leader_writes,
        only_the_leader_prepares,
        one_rank_of_a_machine_prepares_what_is_large,
        a_fault_in_one_memory_is_found,
        an_error_of_one_rank_ends_all,
        they_race,
        they_start_at_any_time,
    )
}


def run_all(scenarios: dict[str, Callable[[Path], None]], folder: Path, names: list[str]) -> None:
    """Run those of these names, each in its own folder, and print what went wrong in each."""
    torch.set_num_threads(1)
    found = {}
    for name in names:
        (folder / name).mkdir()
        began = time.monotonic()
        try:
            scenarios[name](folder / name)
            found[name] = ""
        except BaseException:
            found[name] = traceback.format_exc()
        print(name, round(time.monotonic() - began, 1), file=sys.stderr, flush=True)
    print(json.dumps(found))


if __name__ == "__main__":
    run_all(SCENARIOS, Path(sys.argv[1]), sys.argv[2:])
