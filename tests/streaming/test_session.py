from __future__ import annotations

import gc
import tracemalloc

import pytest
import torch
from live_sessions import PUSHES, live, network_and_task, session
from torch import Tensor

from unrolled.batch import Batch
from unrolled.data.examples.live_row import LiveRow
from unrolled.errors import DataError, ModelError, UsageError
from unrolled.state import flatten, to_bytes


@pytest.mark.parametrize("model", ["lstm", "gru", "window", "mlp"])
@pytest.mark.parametrize("sample", PUSHES)
def test_the_last_answer_is_that_of_the_whole_sequence(sample: str, model: str) -> None:
    network, task = network_and_task(sample, model)
    one = session(network, task)
    answers = [one.push(value) for value in PUSHES[sample]]
    steps, before = LiveRow(task.coder).opening(), {}
    for value in PUSHES[sample]:
        more, before = LiveRow(task.coder).encode(value, before)
        steps += more
    inputs = {}
    for name, spec in network.columns.specs.items():
        columns = [torch.from_numpy(step[name][None])[0] for step in steps]
        inputs[name] = torch.stack(columns)[None] if spec.time else columns[0][None]
    lengths = torch.tensor([len(steps)])
    with torch.no_grad():
        outputs, _ = network(inputs, lengths)
    whole = task.answers(outputs, Batch(inputs, lengths, torch.zeros(1, dtype=torch.int64)))
    for name, (value,) in whole.items():
        found, expected = answers[-1][name], value
        if task.name == "tag":
            found, expected = found[-1], expected[-1]  # a tagger answers every step of a whole row
        one = expected[0] if isinstance(expected, list) and expected else expected
        if isinstance(one, float):
            assert found == pytest.approx(expected, abs=1e-5)
        else:
            assert found == expected


def test_sessions_do_not_disturb_each_other() -> None:
    network, task = network_and_task("next_step")
    first, second = session(network, task), session(network, task)
    alone = [session(network, task).push(token) for token in "a"]
    first.push("abc")
    assert [second.push("a")] == alone


@pytest.mark.parametrize("sample", PUSHES)
def test_a_snapshot_goes_on_to_the_bit(sample: str) -> None:
    network, task = network_and_task(sample)
    whole, before, after = (session(network, task) for _ in range(3))
    expected = [whole.push(value) for value in PUSHES[sample]]
    for value in PUSHES[sample][:2]:
        before.push(value)
    after.restore(before.snapshot())
    assert [after.push(value) for value in PUSHES[sample][2:]] == expected[2:]
    assert after.snapshot() == whole.snapshot()


def test_a_snapshot_is_small_and_holds_no_code() -> None:
    one = live("next_step")
    data = one.snapshot()
    assert len(data) < 2000
    assert data[8:9] == b"{"  # the header of a safetensors file


def test_a_snapshot_of_another_model_is_refused() -> None:
    network, task = network_and_task("next_step")
    one = session(network, task)
    before = one.snapshot()
    with pytest.raises(ModelError, match="this snapshot belongs to a model with other weights"):
        session(network, task, "two").restore(before)
    with pytest.raises(ModelError, match="this state belongs to another model"):
        live("next_step", "gru").restore(before)
    for damage in (b"", before[:40], b"\x80\x04." + before, before[:-3]):
        with pytest.raises(ModelError, match=f"these {len(damage)} bytes are not a snapshot of a session"):
            one.restore(damage)
    assert one.snapshot() == before


def test_a_value_that_does_not_fit_leaves_the_session_as_it_was() -> None:
    one = live("forecast")
    one.push({"wave": 0.5, "other": 1.0})
    before = one.snapshot()
    for value in ({"wave": 0.5}, {"wave": "much", "other": 1.0}, {"wave": float("nan"), "other": 1.0}, "text", [1.0]):
        with pytest.raises(DataError, match="the stream"):
            one.push(value)
    assert one.snapshot() == before


def test_a_model_that_reads_the_future_cannot_stream_and_says_why() -> None:
    with pytest.raises(UsageError, match="reads every sequence in both directions.*does not begin with 'bi'"):
        live("classify", "bilstm")


def test_a_text_of_several_tokens_is_as_many_steps() -> None:
    network, task = network_and_task("next_step")
    together, apart = session(network, task), session(network, task)
    answer = together.push("abc")
    assert [apart.push(token) for token in "abc"][-1] == answer


def test_a_stream_takes_no_more_memory_as_it_goes_on() -> None:
    one = live("forecast quantiles", "lstm")
    values, used = PUSHES["forecast quantiles"], []
    size = len(one.snapshot())
    tracemalloc.start()
    for _ in range(3):
        for _ in range(640):  # a multiple of the answers that are allocated together
            one.push(values[1])
        gc.collect()  # it empties Python's own lists of spare objects too
        used.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert len(one.snapshot()) <= size + 8  # the number of steps has more digits
    assert used[2] - used[1] < 20_000  # one number more for each push would be 36 000


def test_pushing_keeps_no_gradients() -> None:
    network, task = network_and_task("next_step")
    one = session(network, task)
    one.push("abc")
    assert all(p.grad is None for p in network.parameters())
    assert not any(tensor.requires_grad for _, tensor in flatten(one._live.state))


def test_a_value_that_is_stopped_half_way_was_never_pushed(monkeypatch: pytest.MonkeyPatch) -> None:
    one = live("next_step")
    one.push("a")
    before, push, calls = one.snapshot(), one._live.push, []

    def stopped(inputs: dict[str, Tensor]) -> Tensor:
        calls.append(inputs)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return push(inputs)

    monkeypatch.setattr(one._live, "push", stopped)
    with pytest.raises(KeyboardInterrupt):
        one.push("abc")
    assert len(calls) == 2
    assert one.snapshot() == before


@pytest.mark.parametrize("before", ["", "[]", '{"time": null}', '{"time": 5}', '{"time": ["soon"]}', "{"])
def test_a_snapshot_that_does_not_say_what_it_remembers_is_refused(before: str) -> None:
    one = live("next_step")
    with pytest.raises(ModelError, match="this snapshot is damaged: its memory of earlier steps cannot be read"):
        one.restore(to_bytes(one._live.state, {"model": "one", "before": before}))
    one.restore(to_bytes(one._live.state, {"model": "one"}))  # of a model that is never told


def test_a_snapshot_knows_how_many_values_were_pushed() -> None:
    one, elsewhere = live("next_step"), live("next_step")
    with pytest.raises(DataError):
        one.push(3)
    one.push("abc")
    one.push("a")
    elsewhere.restore(one.snapshot())
    assert one.steps == elsewhere.steps == 2
    elsewhere.restore(to_bytes(one._live.state, {"model": "one", "before": "{}"}))  # of an earlier version
    assert elsewhere.steps == 0
