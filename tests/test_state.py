from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from unrolled.errors import ModelError
from unrolled.state import concatenate, detach, flatten, from_bytes, map_state, rebuild, select, to_bytes, where


class Pair(NamedTuple):
    h: Tensor
    c: Tensor


def state() -> Any:
    return {
        "layers": [Pair(torch.arange(6.0).view(3, 2), torch.ones(3, 1, 2)), None],
        "count": (torch.tensor([4, 5, 6]), ()),
    }


def test_a_state_keeps_its_form() -> None:
    doubled = map_state(lambda a, b: a + b, state(), state())
    assert isinstance(doubled["layers"][0], Pair)
    assert isinstance(doubled["layers"], list)
    assert doubled["layers"][1] is None
    assert doubled["count"][1] == ()
    assert doubled["layers"][0].h.tolist() == [[0, 2], [4, 6], [8, 10]]
    assert map_state(torch.neg, None) is None


def test_states_of_different_forms_do_not_mix() -> None:
    with pytest.raises(ValueError, match="zip"):
        map_state(torch.add, (torch.ones(1), torch.ones(1)), (torch.ones(1),))


def test_detached_is_cut_off_and_equal() -> None:
    leaf = torch.ones(2, 2, requires_grad=True)
    (cut,) = detach((leaf * 2,))
    assert not cut.requires_grad
    assert cut.tolist() == [[2, 2], [2, 2]]


def test_rows_are_chosen_in_any_order_and_number() -> None:
    chosen = select(state(), torch.tensor([2, 0, 0, 1]))
    assert chosen["count"][0].tolist() == [6, 4, 4, 5]
    assert chosen["layers"][0].c.shape == (4, 1, 2)


def test_where_takes_row_by_row() -> None:
    other = map_state(lambda t: t + 100, state())
    mixed = where(torch.tensor([True, False, True]), state(), other)
    assert mixed["count"][0].tolist() == [4, 105, 6]
    assert mixed["layers"][0].h.tolist() == [[0, 1], [102, 103], [4, 5]]


def test_what_is_not_taken_does_not_leak() -> None:
    spoiled = (torch.tensor([[float("nan")], [1.0]]),)
    (mixed,) = where(torch.tensor([False, True]), spoiled, (torch.zeros(2, 1),))
    assert mixed.tolist() == [[0.0], [1.0]]


def test_paths_name_fields_and_places() -> None:
    assert [name for name, _ in flatten(state())] == ["state.layers.0.h", "state.layers.0.c", "state.count.0"]


def test_flat_and_rebuilt_is_the_same() -> None:
    tensors = dict(flatten(state()))
    again = rebuild(state(), tensors)
    assert [name for name, _ in flatten(again)] == list(tensors)
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in flatten(again))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("state.count.0"), "it differs at 'state.count.0'"),
        (lambda t: t.update({"state.z": torch.ones(1)}), "it differs at 'state.z'"),
        (
            lambda t: t.update({"state.layers.0.h": torch.ones(3, 4)}),
            r"'state.layers.0.h' is \(3, 4\) torch.float32, expected \(3, 2\) torch.float32",
        ),
        (lambda t: t.update({"state.count.0": torch.ones(3)}), r"'state.count.0' is \(3,\) torch.float32, expected"),
        (lambda t: t.update({"state.count.0": torch.tensor(1)}), r"'state.count.0' is \(\) torch.int64, expected"),
    ],
)
def test_tensors_of_another_state_are_refused(change: Any, message: str) -> None:
    tensors = dict(flatten(state()))
    change(tensors)
    with pytest.raises(ModelError, match=f"this state belongs to another model: .*{message}"):
        rebuild(state(), tensors)


def test_a_state_of_another_batch_size_fits() -> None:
    one = dict(flatten(select(state(), torch.tensor([1]))))
    assert rebuild(state(), one)["count"][0].tolist() == [5]


class Keys(NamedTuple):
    keys: Tensor
    count: Tensor

    @property
    def ragged(self) -> tuple[str, ...]:
        return ("keys",)


def keys(rows: int, steps: int) -> Keys:
    return Keys(torch.arange(1.0, rows * steps * 2 + 1).view(rows, steps, 2), torch.full((rows,), steps))


def test_rows_of_different_lengths_stand_side_by_side() -> None:
    for mixed in (where(torch.tensor([True, False]), keys(2, 3), keys(2, 1)), concatenate([keys(1, 3), keys(1, 1)])):
        assert mixed.keys.shape == (2, 3, 2)
        assert mixed.keys[0].tolist() == [[1, 2], [3, 4], [5, 6]]
        assert not mixed.keys[1, 1:].any()
        assert mixed.count.tolist() == [3, 1]
    nothing_yet = where(torch.tensor([True, False]), keys(2, 3), keys(2, 0))
    assert nothing_yet.keys[1].tolist() == [[0, 0]] * 3
    assert concatenate([state(), state()])["layers"][0].h.shape == (6, 2)


def test_what_is_ragged_may_be_of_any_length_and_nothing_else() -> None:
    long, like = dict(flatten((keys(2, 5),))), (keys(1, 0),)
    assert rebuild(like, long)[0].keys.shape == (2, 5, 2)
    for wrong in ({"state.0.keys": torch.ones(2, 5, 3)}, {"state.0.keys": torch.ones(2, 5)}):
        with pytest.raises(ModelError, match=r"'state.0.keys' is \(2, 5.* expected \(1, 0, 2\)"):
            rebuild(like, {**long, **wrong})
    with pytest.raises(ModelError, match="'state.0.count'"):
        rebuild(like, {**long, "state.0.count": torch.ones(2, 2, dtype=torch.int64)})


def test_bytes_and_back_to_the_bit() -> None:
    whole = state()
    whole["layers"][0].h[0, 0] = 1 / 3
    again, meta = from_bytes(to_bytes(whole, {"model": "é", "n": [1, 2.5]}), state())
    assert meta == {"model": "é", "n": [1, 2.5]}
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(flatten(whole), flatten(again), strict=True))


def test_shared_and_strided_tensors_are_stored_whole() -> None:
    base = torch.arange(12.0).view(3, 4)
    again, _ = from_bytes(to_bytes((base.T, base.T, base[:, ::2])), (base.T, base.T, base[:, ::2]))
    assert torch.equal(again[0], base.T)
    assert torch.equal(again[2], base[:, ::2])


@pytest.mark.parametrize("damage", [b"", b"x", b"\x80\x04K\x01.", b"PK\x03\x04" + b"\0" * 60, b"\xff" * 64])
def test_bytes_that_are_no_state_are_refused(damage: bytes) -> None:
    with pytest.raises(ModelError, match=f"these {len(damage)} bytes are not a snapshot of a session"):
        from_bytes(damage, state())


def test_a_safetensors_file_of_others_is_refused() -> None:
    from safetensors.torch import save

    tensors = {name: tensor.contiguous() for name, tensor in flatten(state())}
    with pytest.raises(ModelError, match="are not a snapshot of a session"):
        from_bytes(save(tensors), state())
    with pytest.raises(ModelError, match="are not a snapshot of a session"):
        from_bytes(save(tensors, metadata={"unrolled": "{"}), state())
    assert json.loads("{}") == from_bytes(to_bytes(state()), state())[1]
