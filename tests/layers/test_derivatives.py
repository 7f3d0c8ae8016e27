"""Every derivative that torch.nn's layers have: of the gradient, of many gradients at once, and by torch.func."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.functional import hessian, hvp, jacobian
from torch.func import functional_call, grad, jacrev, stack_module_state, vjp, vmap

from unrolled import layers

NAMES = ["RNN", "GRU", "LSTM"]
X = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def pair(name: str, **settings: Any) -> tuple[Any, Any]:
    made = []
    for library in (nn, layers):
        torch.manual_seed(3)
        made.append(getattr(library, name)(5, 7, dtype=torch.float64, **settings))
    return made[0], made[1]


def energy(layer: nn.Module, x: Tensor) -> Tensor:
    answer: Tensor = layer(x)[0].pow(2).sum()
    return answer


def gradient_penalty(layer: nn.Module) -> list[Tensor]:
    x = X.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(energy(layer, x), x, create_graph=True)
    return list(torch.autograd.grad(gradient.pow(2).sum(), [x, *layer.parameters()]))


def step_of_maml(layer: nn.Module) -> list[Tensor]:
    weights = dict(layer.named_parameters())
    inner = functional_call(layer, weights, (X,))[0].pow(2).sum()
    gradients = torch.autograd.grad(inner, list(weights.values()), create_graph=True)
    moved = {name: w - 0.1 * g for (name, w), g in zip(weights.items(), gradients, strict=True)}
    outer = functional_call(layer, moved, (X[:2],))[0].sum()
    return list(torch.autograd.grad(outer, list(weights.values())))


def per_sample(layer: nn.Module) -> list[Tensor]:
    weights = dict(layer.named_parameters())
    # One after another: torch.nn's own layers know no vmap in float64.
    one = grad(lambda w, x: functional_call(layer, w, (x,))[0].pow(2).sum())
    return [torch.stack([one(weights, X[:, [row]])["weight_hh_l0"] for row in range(3)])]


def per_sample_at_once(layer: nn.Module) -> list[Tensor]:
    if type(layer).__module__.startswith("torch"):
        return per_sample(layer)
    one = grad(lambda w, x: functional_call(layer, w, (x,))[0].pow(2).sum())
    return [vmap(one, (None, 1))(dict(layer.named_parameters()), X.unsqueeze(2))["weight_hh_l0"]]


def many_at_once(layer: nn.Module) -> list[Tensor]:
    x = X.clone().requires_grad_()
    y = layer(x)[0]
    above = torch.randn(6, *y.shape, generator=torch.Generator().manual_seed(1), dtype=y.dtype)
    return list(torch.autograd.grad(y, [x, *layer.parameters()], above, is_grads_batched=True))


WAYS: dict[str, Callable[[Any], Any]] = {
    "gradient penalty": gradient_penalty,
    "MAML": step_of_maml,
    "Hessian": lambda layer: [hessian(lambda x: energy(layer, x), X[:2, :1])],
    "Hessian-vector product": lambda layer: [hvp(lambda x: energy(layer, x), X, torch.ones_like(X))[1]],
    "func.grad": lambda layer: [grad(lambda x: energy(layer, x))(X)],
    "func.vjp": lambda layer: list(vjp(lambda x: energy(layer, x), X)[1](torch.ones((), dtype=X.dtype))),
    "func.jacrev": lambda layer: [jacrev(lambda x: layer(x)[0])(X[:, 0])],
    "func.jacrev twice": lambda layer: [jacrev(jacrev(lambda x: energy(layer, x)))(X[:2, :1])],
    "per sample": per_sample,
    "per sample, at once": per_sample_at_once,
    "batched gradients": many_at_once,
    "vectorised Jacobian": lambda layer: [jacobian(lambda x: layer(x)[0].sum((0, 1)), X, vectorize=True)],
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("name", "settings"),
    [*((name, {}) for name in NAMES), ("LSTM", {"num_layers": 2, "bidirectional": True}), ("GRU", {"bias": False})],
)
def test_as_torch_s_own_layer(name: str, settings: dict[str, Any], way: str) -> None:
    theirs, ours = pair(name, **settings)
    for mine, other in zip(WAYS[way](ours), WAYS[way](theirs), strict=True):
        torch.testing.assert_close(mine, other, atol=1e-11, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_with_lengths_the_gradient_penalty_of_padding_is_nothing(name: str) -> None:
    _, layer = pair(name)
    x = X.clone().requires_grad_()
    y, _ = layer(x, lengths=[4, 2, 0])
    (gradient,) = torch.autograd.grad(y.pow(2).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(gradient.pow(2).sum(), x)
    alone = X[:2, [1]].clone().requires_grad_()
    (first,) = torch.autograd.grad(energy(layer, alone), alone, create_graph=True)
    (expected,) = torch.autograd.grad(first.pow(2).sum(), alone)
    torch.testing.assert_close(second[:2, [1]], expected, atol=1e-12, rtol=0)
    assert not second[2:, 1].any()
    assert not second[:, 2].any()


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("name", NAMES)
def test_an_ensemble_by_vmap(name: str) -> None:
    members = [pair(name)[1] for _ in range(3)]
    for number, member in enumerate(members):
        torch.manual_seed(number)
        member.reset_parameters()
    weights, buffers = stack_module_state(members)
    y = vmap(lambda w, b: functional_call(members[0], (w, b), (X,))[0])(weights, buffers)
    for mine, member in zip(y, members, strict=True):
        torch.testing.assert_close(mine, member(X)[0], atol=1e-12, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_torch_s_own_check_of_gradients(name: str) -> None:
    _, layer = pair(name)
    x = X[:2].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: layer(x)[0], x, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: layer(x)[0], x)


@pytest.mark.parametrize("cell", ["mingru", "minlstm"])
def test_cells_whose_gates_see_the_input_alone(cell: str) -> None:
    layer = layers.Recurrent(5, 7, cell=cell, recompute=2).double()
    x = X.clone().requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x: layer(x)[0], x)
    (expected,) = torch.autograd.grad(energy(layer, x), x)
    torch.testing.assert_close(grad(lambda x: energy(layer, x))(X), expected, atol=1e-12, rtol=0)
