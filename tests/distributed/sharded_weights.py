"""What happens to runs whose weights are sharded over the ranks: each scenario in its own folder.

python sharded_weights.py FOLDER SCENARIO…
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # what ranks import, once for all of them
import torch.distributed.fsdp
import torch.distributed.tensor
from contracts.runs import same_run
from distributed.forked import ended, fork
from distributed.scenarios import at_step, die, ends_if_it_writes, fit, run_all, torch_of
from samples import SAMPLES, network_for, training

from unrolled.errors import Interrupted, TrainingError, UsageError
from unrolled.layers.attention.blocks import TransformerBlock
from unrolled.training import checkpoint, saving
from unrolled.training.joining import join
from unrolled.training.trainer import Trainer
from unrolled.training.weight_shards import is_sharded, read_shards, rows_of

__all__ = ["SCENARIOS"]

_SHARDED = {"shard_weights": True}
_EXACT = {**_SHARDED, "plan": "fixed", "dropout": 0.0}
_FAMILIES = {"lstm": 5, "minlstm": 4, "transformer": 4, "deltanet": 4}  # names -> a window in which it is trained


def straight(name: str, out: Path, ranks: int = 2, **more: Any) -> None:
    codes = ended(fork(ranks, lambda _: fit(name, out, **more)))
    assert codes == [0] * ranks, codes


def dies_while_it_writes(saves: int) -> None:
    """After so many checkpoints, this process ends with half of its file of the next one on the disk."""
    write, done = saving.write_member, []

    def writing(hidden: Path, name: str, content: bytes) -> None:
        if name.startswith("shard") and len(done) == saves:
            (hidden / name).write_bytes(content[: len(content) // 2])
            die()
        done.append(1)
        write(hidden, name, content)

    saving.write_member = writing  # type: ignore[assignment]


def killed(folder: Path) -> None:
    """Ranks die while they write, and between two steps; the run ends as if they had not.

    The checkpoint before one that is being written is intact. Of a run that nobody kills, another rank than the leader
    opens only its files of the checkpoints for writing.
    """
    name, out = "lanes of attention", folder / "killed"

    def undisturbed(rank: int) -> None:
        if rank:
            ends_if_it_writes(folder / "straight", except_in=f"shard-{rank:05d}.safetensors")
        trained = fit(name, folder / "straight", **_SHARDED)
        assert trained.metrics and len(trained.predict({"text": ["abc"]})) == 1

    codes = ended(fork(2, undisturbed))
    assert codes == [0, 0], codes
    kills: list[tuple[int, Callable[[], None], int]] = [
        (1, lambda: dies_while_it_writes(3), 3),
        (0, lambda: dies_while_it_writes(6), 6),  # it writes meta.json too
        (1, lambda: at_step(10, die), 10),
    ]
    for victim, prepare, left in kills:

        def work(rank: int, victim: int = victim, prepare: Callable[[], None] = prepare) -> None:
            if rank == victim:
                prepare()
            try:
                fit(name, out, **_SHARDED)
            except TrainingError as error:
                assert "go_on" in str(error) and "has ended" in str(error), error
                os._exit(7)

        codes = ended(fork(2, work))
        assert codes[victim] == -signal.SIGKILL and codes[1 - victim] == 7, codes
        saved = checkpoint.newest(out / "checkpoints")
        assert saved is not None and saved.step == left and not saved.skipped, saved
    assert is_sharded(newest(out)) and not is_sharded(out / "checkpoints" / "best")
    straight(name, out, **_SHARDED)
    same_run(out, folder / "straight")
    assert not [*(out / "checkpoints").glob(".*")]


def other_numbers_of_ranks(folder: Path) -> None:
    """A run of two ranks goes on with three; with sharded or whole weights it ends alike."""
    name, out = "lanes, k2 > k1", folder / "three"

    def work(rank: int) -> None:
        if rank == 1:
            at_step(5, lambda _: os.kill(os.getpid(), signal.SIGTERM))
        try:
            fit(name, out, **_EXACT)
        except Interrupted as error:
            os._exit(error.exit_code)

    assert ended(fork(2, work)) == [143, 143]
    try:
        fit(name, out, **_EXACT)
    except UsageError as error:
        assert "shard_weights needs several processes: start the command with torchrun" in str(error), error
    else:
        raise AssertionError("one process has resumed it")
    straight(name, out, 3, **_EXACT)
    straight(name, folder / "alone", 1, **{**_EXACT, "shard_weights": False})
    found, expected = torch_of(out), torch_of(folder / "alone")
    assert found.keys() == expected.keys()
    for key, tensor in found.items():
        assert torch.allclose(tensor, expected[key], rtol=1e-5, atol=1e-5), key


def newest(run: Path) -> Path:
    found = checkpoint.newest_place(run / "checkpoints")
    assert found is not None
    return found[0]


def trainer_of(model: str, window: int, folder: Path, sharded: bool = True) -> Trainer:
    task = SAMPLES["next_step"].ask()
    examples = SAMPLES["next_step"].examples(task)
    torch.manual_seed(0)
    network = network_for(task, model, hidden=32)
    config = training({"steps": 5, "batch": 3, "bptt": window, "shard_weights": sharded})
    together = join() if sharded else saving.Together()
    return Trainer(network, task, examples, examples, config, folder, together=together)


def each_rank_has_its_rows(folder: Path) -> None:
    """Weights and moments are those of one process, and a rank has half of them."""

    def work(rank: int) -> None:
        for model, window in _FAMILIES.items():
            trainer = trainer_of(model, window, folder / model)
            own, of = 0, 0
            for parameter in trainer.network.parameters():
                own, of = own + parameter.to_local().numel(), of + parameter.numel()  # type: ignore[operator]
            assert own <= (0.5 + 0.01) * of, (model, own / of)
            trainer.run()
            assert all(
                state[name].to_local().shape == parameter.to_local().shape  # type: ignore[operator]
                for parameter, state in trainer.optimizer.state.items()
                for name in ("exp_avg", "exp_avg_sq")
            )

    assert (codes := ended(fork(2, work))) == [0, 0], codes
    for model, window in _FAMILIES.items():
        trainer_of(model, window, folder / "whole" / model, sharded=False).run()
        is_that_of_one_process(folder / model, folder / "whole" / model)


def any_number_of_ranks_reads_them(folder: Path) -> None:
    """What three ranks have saved in mid-epoch, one, two and four read to the bit, and two continue."""
    place = folder / "three"

    def begin(rank: int) -> None:
        trainer = trainer_of("transformer", 4, place)
        trainer.run(until=3)
        saved = trainer.checkpoints.newest()
        assert saved is not None and saved.step == 3
        for name, tensor in trainer.network.state_dict().items():
            assert torch.equal(saved.tensors[f"model.{name}"], tensor.to_local()), name  # type: ignore[operator]

    assert (codes := ended(fork(3, begin))) == [0, 0, 0], codes
    found = checkpoint.newest_place(place)
    assert found is not None
    kept = read_shards(found[0])
    assert {name.partition(".")[0] for name in kept} >= {"model", "average", "optimizer", "rank"}
    for ranks in (2, 4):
        parts = [read_shards(found[0], rank, ranks) for rank in range(ranks)]
        for name, tensor in kept.items():
            pieces = [part[name] for part in parts]
            if all(torch.equal(piece, tensor) for piece in pieces):
                continue  # such as a step
            assert [len(piece) for piece in pieces] == [len(rows_of(len(tensor), rank, ranks)) for rank in range(ranks)]
            assert torch.equal(torch.cat(pieces), tensor), name

    def go_on(rank: int) -> None:
        trainer = trainer_of("transformer", 4, place)
        saved = trainer.checkpoints.newest()
        assert saved is not None
        assert trainer.restore(saved).startswith("saved on 3, continued on 2 ranks")
        trainer.run()

    assert (codes := ended(fork(2, go_on))) == [0, 0], codes
    trainer_of("transformer", 4, folder / "one", sharded=False).run()
    is_that_of_one_process(place, folder / "one")


def is_that_of_one_process(place: Path, whole: Path) -> None:
    """The last checkpoint has the weights, averages and moments of the other, up to rounding."""
    found, expected = (checkpoint.newest(folder) for folder in (place, whole))
    assert found is not None and expected is not None and found.step == expected.step
    for name, tensor in expected.tensors.items():
        if name.startswith(("model.", "average.", "optimizer.state.")):
            far = (found.tensors[name] - tensor).abs() / tensor.abs().clamp(min=1)
            assert float(far.max()) <= 1e-5, (name, float(far.max()))


def few_blocks_are_whole_at_a_time(folder: Path) -> None:
    """While a block of a transformer computes, the others are sharded."""

    def work(rank: int) -> None:
        task = SAMPLES["next_step"].ask()
        examples = SAMPLES["next_step"].examples(task)
        network = network_for(task, "transformer", layers=4)
        run, counts = TransformerBlock.forward, []

        def counting(self: TransformerBlock, *arguments: Any, **more: Any) -> Any:
            blocks = network.layer.blocks  # type: ignore[union-attr]
            counts.append(sum(not hasattr(block.own.out.weight, "full_tensor") for block in blocks))  # type: ignore[union-attr]
            return run(self, *arguments, **more)

        TransformerBlock.forward = counting  # type: ignore[method-assign]
        config = training({"steps": 2, "batch": 3, **_SHARDED})
        Trainer(network, task, examples, examples, config, folder / "out", together=join()).run()
        assert set(counts) == {1}, counts

    assert (codes := ended(fork(2, work))) == [0, 0], codes


def what_is_not_trained_stays_whole(folder: Path) -> None:
    """Such as a solved part, which is also compared with the network that it is a part of."""

    def work(rank: int) -> None:
        task = SAMPLES["next_step"].ask()
        examples = SAMPLES["next_step"].examples(task)
        network = network_for(task, "gru")
        network.columns.requires_grad_(False)  # type: ignore[union-attr]
        fixed = {f"columns.{name}": weight for name, weight in network.columns.named_parameters()}  # type: ignore[union-attr]
        before = {name: weight.clone() for name, weight in fixed.items()}
        config = training({"steps": 2, "batch": 3, **_SHARDED})
        trainer = Trainer(network, task, examples, examples, config, folder / "out", together=join())
        trainer.run()
        for name, weight in network.named_parameters():
            assert hasattr(weight, "full_tensor") == (name not in fixed), name
        assert all(torch.equal(weight, before[name]) for name, weight in fixed.items())
        whole = trainer.whole()
        assert type(whole) is type(network)
        if rank == 0:
            assert whole.run(next(iter(trainer._loaders()[0])))[0].isfinite().all()

    assert (codes := ended(fork(2, work))) == [0, 0], codes
    saved = checkpoint.newest(folder / "out")
    assert saved is not None and saved.tensors["model.columns.embeddings.0.weight"].dim() == 2


SCENARIOS: dict[str, Callable[[Path], None]] = {
    one.__name__: one
    for one in (
        killed,
        other_numbers_of_ranks,
        each_rank_has_its_rows,
        any_number_of_ranks_reads_them,
        few_blocks_are_whole_at_a_time,
        what_is_not_trained_stays_whole,
    )
}


if __name__ == "__main__":
    run_all(SCENARIOS, Path(sys.argv[1]), sys.argv[2:])
