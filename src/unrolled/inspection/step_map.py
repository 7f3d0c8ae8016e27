"""One step of a layer as a function of its state, with its derivative.

Axes: N rows, K tangents, D numbers of state, T steps, I width of the layer's input.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from unrolled.batch import Batch
from unrolled.errors import UsageError
from unrolled.models.model import Model
from unrolled.state import State, flatten, map_state

__all__ = ["StepMap", "layer_inputs"]


class StepMap:
    r"""F in s_t = F(s_{t-1}, x_t), the state s as one vector of D numbers, in float64 on the CPU.

    It works on a copy of the layer, without dropout. The derivative J = ∂F/∂s is exact, by autograd: J itself, or its
    products with K vectors at once.

    Args:
        layer: any layer with a state of one size, such as `unrolled.layers.recurrent.Recurrent` with any cell.

    Attributes:
        size: D.

    Raises:
        UsageError: the layer cannot step, has no state, or has one that grows or that is no vector of real numbers.

    Cost: a step of the layer for each row; about five for each product with J, and 3D for J.

    Example:
        >>> from unrolled.layers.recurrent import Recurrent
        >>> step = StepMap(Recurrent(3, 8, cell="lstm", num_layers=2))
        >>> step.size, step(step.initial(), torch.zeros(1, 3)).shape
        (32, torch.Size([1, 32]))
    """

    def __init__(self, layer: Any) -> None:
        if not layer.causal:
            raise UsageError(
                "this model reads every sequence in both directions, so it is not one step after the other"
            )
        if layer.keeps_every_step:
            raise UsageError("the state of this model grows with every step, so there is no map from state to state")
        self._layer = copy.deepcopy(layer).double().cpu().eval()
        self._first: State = self._layer.initial_state(1, torch.zeros((), dtype=torch.float64))
        parts = [part for _, part in flatten(self._first)]
        if not parts:
            raise UsageError("this model has no state: each answer depends on its own step only")
        self._sizes = [part.numel() for part in parts]
        self.size = sum(self._sizes)
        if not all(part.is_floating_point() for part in parts) or not self._goes_on():
            raise UsageError("the state of this model is no vector of real numbers that a step maps to another one")

    def _goes_on(self) -> bool:
        """Whether a step keeps the form of the state, and has a derivative."""
        state, x = self.initial(), torch.zeros(1, self._layer.input_size)
        try:
            self.along(state, x[0], torch.ones(1, self.size, dtype=torch.float64))
        except RuntimeError:  # torch's attention, say, has no second derivative
            return False
        return self(state, x).shape == state.shape

    def initial(self) -> Tensor:
        """(1, D): the state before the first step."""
        return self._flat(self._first)

    def __call__(self, state: Tensor, x: Tensor) -> Tensor:
        """States (N, D) and inputs (N, I), or (1, I) for all of them -> (N, D)."""
        x = x.to(torch.float64).expand(len(state), -1)
        _, after = self._layer.step(x, self._tree(state))
        return self._flat(after)

    def along(self, state: Tensor, x: Tensor, tangents: Tensor) -> Tensor:
        """A state (1, D), an input (I,) and K vectors v (K, D) -> (K, D) each J v."""
        with torch.enable_grad():
            rows = state.repeat(len(tangents), 1).requires_grad_()
            after = self(rows, x[None])
            weights = torch.zeros_like(after).requires_grad_()  # Jᵀ w is linear in w: its derivative along v is J v
            (back,) = torch.autograd.grad(after, rows, weights, create_graph=True, materialize_grads=True)
            if back.grad_fn is None:  # the step forgets the state
                return torch.zeros_like(tangents)
            (moved,) = torch.autograd.grad(back, weights, tangents, materialize_grads=True)
        return moved

    def jacobian(self, state: Tensor, x: Tensor) -> Tensor:
        """(D, D): J at a state (1, D) and an input (I,)."""
        with torch.enable_grad():
            rows = state.repeat(self.size, 1).requires_grad_()
            each = torch.eye(self.size, dtype=torch.float64)
            (found,) = torch.autograd.grad(self(rows, x[None]), rows, each, materialize_grads=True)
        return found

    def run(self, inputs: Tensor) -> Tensor:
        """(T, I) -> (T + 1, D): the states along a row, the initial one first."""
        states = [self.initial()]
        with torch.no_grad():
            for x in inputs:
                states.append(self(states[-1], x[None]))
        return torch.cat(states)

    def _flat(self, state: State) -> Tensor:
        return torch.cat([part.flatten(1) for _, part in flatten(state)], 1)

    def _tree(self, flat: Tensor) -> State:
        parts = iter(torch.split(flat, self._sizes, 1))
        return map_state(lambda like: next(parts).view(len(flat), *like.shape[1:]), self._first)


def layer_inputs(network: Model, batch: Batch) -> Tensor:
    """(T, I): what the layer of a network reads at each step of the first row of ``batch``.

    Raises:
        UsageError: the model is no single network, or its layer reads no steps.
    """
    if network.writes and network.layer is not None:
        raise UsageError("this model is an encoder–decoder, and its dynamics are those of a single network only")
    if network.layer is None:
        raise UsageError(f"this model is the {network.title}, which is solved, so it has no layer with a state")
    seen: list[Tensor] = []
    layer: Any = network.layer
    assert isinstance(layer, nn.Module)
    hook = layer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            network.run(batch.to(str(network.device)))
    finally:
        hook.remove()
        network.train(training)
    if not seen or seen[0].dim() != 3:
        raise UsageError("this model reads the last steps of a row at once, not one step after the other")
    return seen[0][0, : int(batch.lengths[0])].double().cpu()
