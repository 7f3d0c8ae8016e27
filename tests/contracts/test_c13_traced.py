"""C13: a traced run is the ordinary run, shows every gate and state, satisfies the equations, and can be intervened in.

Axes: B rows, T steps, H hidden units.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from configs import model_config
from contracts.members import CELL_NAMES, INPUTS, MEMBERS
from contracts.networks import Case
from recorded import recorded
from torch import Tensor

from unrolled.batch import Batch, Discrete
from unrolled.cells.cell import CELLS
from unrolled.cells.equations import parsed, worked_out
from unrolled.inspection.arithmetic import arithmetic
from unrolled.layers.deltanet import DeltaNet
from unrolled.layers.factory import model_names
from unrolled.layers.recurrence.recorder import Recorder
from unrolled.layers.recurrent import Recurrent
from unrolled.layers.transformer import Transformer
from unrolled.models.encoder_decoder import EncoderDecoder
from unrolled.models.network import Network
from unrolled.state import flatten
from unrolled.testing.subject import Subject, rows
from unrolled.watch import watched, watching

LENGTHS = [9, 4, 1, 0, 8]
B, T, H = len(LENGTHS), max(LENGTHS), 5
SHOWING = [member for member in MEMBERS if recorded(member.make(), rows(member.make(), 1, 2))[1]]


def close(found: Tensor, expected: Tensor, tolerance: float) -> None:
    scale = max(1.0, float(expected.detach().abs().max())) if expected.numel() else 1.0
    torch.testing.assert_close(found, expected, atol=tolerance * scale, rtol=0)


# --- everything is shown, and it is the ordinary run -----------------------------------------------------------


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("name", CELL_NAMES)
def test_every_gate_and_every_part_of_the_state_is_shown_at_every_step(name: str, both: bool) -> None:
    layer = Recurrent(INPUTS, H, name, num_layers=2, bidirectional=both)
    (_, after), values = recorded(layer, rows(layer, B, T), torch.tensor(LENGTHS))
    expected = set()
    for k, cells in enumerate(layer.layers):
        for d, cell in enumerate(cells):
            parts = getattr(cell, "gates", ()) + cell.initial_state(1, torch.zeros(()))._fields
            expected |= {f"layers.{k}.{d}.{part}" for part in parts}
    assert set(values) == expected
    assert {tuple(value.shape) for value in values.values()} == {(B, T, H)}
    first = [after[0]] if not both else after[0]
    for d, state in enumerate(first):  # the last state is the value shown at the last real step; backward, at the first
        for part, last in zip(state._fields, state, strict=True):
            shown = values[f"layers.0.{d}.{part}"]
            for row, length in enumerate(LENGTHS):
                if length:
                    assert torch.equal(shown[row, 0 if d else length - 1], last[row])


def test_attention_and_the_delta_rule_are_shown() -> None:
    x = torch.randn(B, T, INPUTS)
    _, values = recorded(Transformer(INPUTS, 8, 2, heads=2), x)
    assert {path: tuple(value.shape) for path, value in values.items()} == {
        f"blocks.{k}.own.attention": (B, T, 2, T) for k in (0, 1)
    }
    _, values = recorded(DeltaNet(INPUTS, 8, heads=2), x)
    of_head = {"q": (4,), "k": (4,), "v": (4,), "a": (), "b": (), "memory": (4, 4)}
    assert {path: tuple(value.shape) for path, value in values.items()} == {
        f"blocks.0.mix.{name}": (B, T, 2, *shape) for name, shape in of_head.items()
    }


@pytest.mark.parametrize("member", MEMBERS, ids=str)
def test_a_watched_layer_gives_the_ordinary_answers(member: Subject) -> None:
    layer = member.make()
    x = rows(layer, B, T)
    for lengths in (None, torch.tensor(LENGTHS)):
        with torch.no_grad():
            y, state = layer(x, lengths)
            (traced, after), _ = recorded(layer, x, lengths)
        close(traced, y, 1e-5)
        for (_, found), (_, expected) in zip(flatten(after), flatten(state), strict=True):
            close(found, expected, 1e-5)


@pytest.mark.parametrize("pool", [None, "last", "max"])
@pytest.mark.parametrize("name", model_names())
def test_a_watched_network_gives_the_ordinary_answers(name: str, pool: str | None) -> None:
    case = Case(name, "all", pool)
    network, inputs, lengths = case.network(), case.inputs(LENGTHS), torch.tensor(LENGTHS)
    with torch.no_grad():
        outputs, _ = network(inputs, lengths)
        (traced, _), _ = recorded(network, inputs, lengths)
    close(traced, outputs, 1e-5)
    assert torch.equal(traced.argmax(-1), outputs.argmax(-1))


@pytest.mark.parametrize("member", SHOWING, ids=str)
def test_a_row_in_a_batch_is_traced_as_if_it_were_alone(member: Subject) -> None:
    layer = member.make()
    x, padded = rows(layer, B, T), (torch.arange(T) >= torch.tensor(LENGTHS)[:, None])[..., None]
    with torch.no_grad():
        _, together = recorded(layer, x.masked_fill(padded, 1e30), torch.tensor(LENGTHS))
        for row, length in enumerate(LENGTHS):
            if length:
                _, alone = recorded(layer, x[row : row + 1, :length])
                for path, value in alone.items():
                    found = together[path][row : row + 1, :length]
                    close(found[..., :length] if path.endswith("attention") else found, value, member.tolerance)


@pytest.mark.parametrize("member", SHOWING, ids=str)
def test_who_only_looks_sees_what_the_definition_shows(member: Subject) -> None:
    layer = member.make()
    x = rows(layer, B, T)
    for lengths in (None, torch.tensor(LENGTHS)):
        (expected, _), slow = recorded(layer, x, lengths)
        with torch.no_grad():  # the kernels, where there are some
            (y, _), quick = recorded(layer, x, lengths)
        close(y, expected, 1e-5)
        assert set(quick) == set(slow)
        real = torch.arange(T) < (torch.full((B,), T) if lengths is None else lengths)[:, None]
        for path, value in quick.items():
            close(value[real], slow[path][real], 1e-5)


# --- the numbers satisfy the equations -------------------------------------------------------------------------


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("name", CELL_NAMES)
def test_the_numbers_of_a_cell_satisfy_the_equations_that_it_declares(name: str, both: bool) -> None:
    torch.manual_seed(0)
    config = model_config(name=f"bi{name}" if both else name, hidden=H, layers=2)
    network = Network({"ids": Discrete(7)}, config, 7, pooled=False)
    ids = torch.randint(7, (1, T))
    cells = arithmetic(network, Batch({"ids": ids}, torch.tensor([T]), rows=torch.tensor([0])))
    assert len(cells) == (4 if both else 2)
    with torch.no_grad():
        _, traced = recorded(network, {"ids": ids}, torch.tensor([T]))
    for cell in cells:
        shown = {
            path.rpartition(".")[2]: value[0] for path, value in traced.items() if path.startswith(f"{cell.path}.")
        }
        backward = cell.path.endswith(".1")
        for part, value in shown.items():
            torch.testing.assert_close(cell.values[part], value)
            if f"{part}_before" in cell.values:
                before = value.roll(-1 if backward else 1, 0)
                before[-1 if backward else 0] = 0  # the initial state
                close(cell.values[f"{part}_before"], before, 1e-6)
        assert set(cell.equations) <= set(shown)
        assert set(shown) - set(cell.equations) <= {"h"}  # LayerNormLSTM's, whose norm is over all units
        for part, equation in cell.equations.items():
            close(worked_out(equation, cell.values), shown[part], 1e-6)


@pytest.mark.parametrize("name", ["lstm", "gru", "mingru", "minlstm"])
def test_the_equations_are_those_of_the_papers(name: str) -> None:
    v = {part: torch.rand(4) for part in ("i", "f", "g", "o", "c", "z", "n", "c_before", "h_before")}
    expected = {
        "lstm": {"c": v["f"] * v["c_before"] + v["i"] * v["g"], "h": v["o"] * torch.tanh(v["c"])},
        "gru": {"h": (1 - v["z"]) * v["n"] + v["z"] * v["h_before"]},
        "mingru": {"h": (1 - v["z"]) * v["h_before"] + v["z"] * v["n"]},
        "minlstm": {"h": v["f"] * v["h_before"] + v["i"] * v["n"]},
    }
    cell = CELLS.get(name)(2, 2)
    for part, value in expected[name].items():
        close(worked_out(parsed(cell.equations[part]), v), value, 1e-7)


def test_the_numbers_of_the_delta_rule_and_of_attention_satisfy_their_equations() -> None:
    _, values = recorded(DeltaNet(INPUTS, 8, heads=2), torch.randn(2, T, INPUTS))
    q, k, v, a, b, S = (values[f"blocks.0.mix.{name}"] for name in ("q", "k", "v", "a", "b", "memory"))
    before = torch.cat([torch.zeros(2, 1, 2, 4, 4), S[:, :-1]], 1)  # (B, T, N, V, K)
    k, v, a, b = k[..., None], v[..., None], a[..., None, None], b[..., None, None]
    close(S, a * before @ (torch.eye(4) - b * k @ k.mT) + b * v @ k.mT, 1e-6)
    close(q.norm(dim=-1), torch.ones(2, T, 2), 1e-3)
    _, values = recorded(Transformer(INPUTS, 8, heads=2), torch.randn(2, T, INPUTS))
    weights = values["blocks.0.own.attention"]
    close(weights.sum(-1), torch.ones(2, T, 2), 1e-6)
    assert not weights.transpose(1, 2).triu(1).any()


# --- interventions ---------------------------------------------------------------------------------------------


class Nudge:
    """Add ``amount`` to one number of one value at one step."""

    def __init__(self, path: str, step: int, amount: float, several: bool) -> None:
        self.path, self.step, self.amount, self.several, self.count = path, step, amount, several, 0

    def __call__(self, path: str, value: Tensor) -> Tensor:
        if path != self.path:
            return value
        self.count += 1
        if not self.several and self.count != self.step + 1:
            return value
        value = value.clone()
        place: Any = value[0, self.step] if self.several else value[0]
        place[(0,) * place.dim()] += self.amount
        return value


def unchanged(_: str, value: Tensor) -> Tensor:
    """An intervention that does nothing: the same operations as under one, and so the same bits."""
    return value


def _several(layer: Any, x: Tensor) -> dict[str, bool]:
    with watching(recorder := Recorder(layer, change=unchanged)), torch.no_grad():
        layer(x)
    return {path: path in recorder.several for path in recorder.shown}


@pytest.mark.parametrize("member", SHOWING, ids=str)
def test_a_value_changed_on_its_way_changes_what_follows_and_nothing_before(member: Subject) -> None:
    layer, step = member.make(), 4
    x = rows(layer, 2, T)
    with torch.no_grad():
        (same, _), _ = recorded(layer, x, change=unchanged)
        for path, several in _several(layer, x).items():
            (y, _), _ = recorded(layer, x, change=Nudge(path, step, 0.25, several))
            assert not torch.equal(y[0], same[0]), path
            assert torch.equal(y[1], same[1]), path
            if layer.causal:
                assert torch.equal(y[0, :step], same[0, :step]), path


KINDS: dict[str, Callable[[], Any]] = {
    **{name: lambda name=name: Recurrent(INPUTS, H, name, 2) for name in CELL_NAMES},  # type: ignore[misc]
    "deltanet": lambda: DeltaNet(INPUTS, 8, heads=2, num_layers=2),
    "transformer": lambda: Transformer(INPUTS, 8, 2, heads=2),
}


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_what_is_shown_equal_finite_differences_by_intervention(kind: str) -> None:
    layer, step, little = Subject(kind, KINDS[kind]).make(torch.float64), 3, 1e-6
    x = rows(layer, 1, 6, dtype=torch.float64)

    def score(change: Any = None, recorder: Recorder | None = None) -> Tensor:
        with watching(recorder or Recorder(layer, change=change)):
            y = layer(x)[0]
        return (y[0, -1] * torch.linspace(-1, 1, y.shape[2], dtype=y.dtype)).sum()

    of_all = score(recorder=(recorder := Recorder(layer)))
    for path, parts in recorder.shown.items():
        several = path in recorder.several
        (gradient,) = torch.autograd.grad(of_all, [parts[0 if several else step]], retain_graph=True)
        mine = (gradient[0, step] if several else gradient[0]).flatten()[0]
        with torch.no_grad():
            up, down = (score(Nudge(path, step, amount, several)) for amount in (little, -little))
        assert abs(float(mine - (up - down) / (2 * little))) < 1e-8, path


@pytest.mark.parametrize("kind", ["additive", "dot", "scaled_dot", "cosine"])
def test_an_encoder_decoder_shows_its_gates_and_its_attention_which_can_be_changed(kind: str) -> None:
    torch.manual_seed(0)
    config = model_config(name="gru", attention=kind, hidden=8, layers=2)
    network = EncoderDecoder({"ids": Discrete(7)}, config, outputs=9).eval()
    target, written = torch.randint(3, 9, (3, 5)), torch.tensor([5, 2, 3])
    inputs, lengths = {"ids": torch.randint(7, (3, 6))}, torch.tensor([6, 4, 1])

    def logits(change: Callable[[str, Tensor], Tensor] | None = None) -> tuple[Tensor, Recorder]:
        with torch.no_grad(), watching(recorder := Recorder(network, change=change)):
            found = network.score(target, written, network.read(inputs, lengths))
        return found, recorder

    with torch.no_grad():
        expected = network.score(target, written, network.read(inputs, lengths))
    found, recorder = logits()
    close(found, expected, 1e-5)
    values = recorder.values()
    attention = values["decoder.attention.attention"]  # (B, U, S): the last symbol is not read
    assert attention.shape == (3, 4, 6)
    close(attention.sum(-1), torch.ones(3, 4), 1e-6)
    assert not attention[1, :, 4:].any()
    assert {"layer.layers.0.1.z", "decoder.lower.layers.0.0.h", "decoder.upper.layers.0.0.n"} <= set(values)

    def uniform(path: str, value: Tensor) -> Tensor:
        return torch.full_like(value, 1 / value.shape[-1]) if path.endswith("attention") else value

    assert not torch.allclose(logits(uniform)[0], expected)


# --- who is not watched ----------------------------------------------------------------------------------------


def test_other_threads_are_neither_seen_nor_slowed() -> None:
    layer, found = Recurrent(INPUTS, H, "lstm"), []
    x = rows(layer, 2, T)
    with watching(recorder := Recorder(layer)):
        thread = threading.Thread(target=lambda: found.extend([watched(), layer(x)[0]]))
        thread.start()
        thread.join()
        assert watched()
    assert found[0] is False
    assert not recorder.shown
    assert torch.equal(found[1], layer(x)[0])  # by the kernels, to the bit


def test_a_compiled_layer_is_one_graph_and_is_compiled_again_for_a_watcher() -> None:
    layer = Recurrent(INPUTS, H, "gru").eval()
    x, compiled = rows(layer, 2, 3), torch.compile(layer, backend="eager", fullgraph=True)
    with torch.no_grad():
        y, _ = compiled(x)
        with watching(recorder := Recorder(layer)):
            traced, _ = compiled(x)
        close(traced, y, 1e-5)
        assert set(recorder.values()) == {f"layers.0.0.{name}" for name in ("r", "z", "n", "h")}
        again = len(recorder.shown["layers.0.0.h"])
        compiled(x)
    assert len(recorder.shown["layers.0.0.h"]) == again


def test_nobody_watches_afterwards_even_after_an_error() -> None:
    layer = Recurrent(INPUTS, H, "gru")
    with pytest.raises(ZeroDivisionError), watching(Recorder(layer)):
        raise ZeroDivisionError
    assert not watched()
    with watching(outer := Recorder(layer)):
        with watching(None):
            layer(rows(layer, 1, 2))
        assert not outer.shown
        layer(rows(layer, 1, 2))
    assert outer.shown
