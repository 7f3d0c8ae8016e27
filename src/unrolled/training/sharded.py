"""Weights that are sharded over the ranks of a training (FSDP2), for a network that is too large for one of them."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any, TypeVar, cast

from torch import nn

from unrolled.models.model import Model
from unrolled.training.together import Together
from unrolled.training.weight_shards import whole

__all__ = ["Sharded"]

T = TypeVar("T")


class Sharded:
    """The weights of a network, of which each rank holds some rows, with their gradients and moments.

    From now on the parameters of the network are of torch's type ``DTensor``, whose local part is this rank's. They are
    whole only inside `through`, and those of a block of a transformer only while it computes. All ranks pass equally
    often through the network, since they gather weights and add up gradients while they do. Weights that are not
    trained stay whole on each rank.

    Cost: a rank of R holds 1/R of the weights, averages, moments and gradients, and while it computes, the weights and
    gradients of one block, and of all that is no block. They are sent about three times a step.

    Args:
        network: is sharded in place.
        together: the ranks, at least two.
        device: ``cpu`` or ``cuda``; the weights move to it.
    """

    def __init__(self, network: Model, together: Together, device: str) -> None:
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import FSDPModule, fully_shard

        self._together, self._plain = together, _without_weights(network)
        self._pass = _Pass(network)
        mesh = init_device_mesh(device, (together.ranks,))
        for layer in network.modules():
            for module in layer.gathered_apart() if hasattr(layer, "gathered_apart") else ():  # type: ignore[operator]
                fully_shard(module, mesh=mesh)
        fixed = {weight for weight in network.parameters() if not weight.requires_grad}  # also used outside of it
        fully_shard(self._pass, mesh=mesh, ignored_params=fixed)
        for module in self._pass.modules():
            if isinstance(module, FSDPModule):  # gradients are sums, and a rank may leave out a weight that others use
                module.set_gradient_divide_factor(1.0)
                module.set_force_sum_reduction_for_comms(True)  # which gloo has
        cast(Any, self._pass).set_reduce_scatter_unused_params(True)

    def through(self, work: Callable[[], T]) -> T:
        """What ``work`` computes with the network; gradients of what it gives are added up over the ranks."""
        with warnings.catch_warnings():
            # No output of a part is changed in place, of which torch warns where it is a view, such as a cache of keys.
            warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view tensor")
            return cast(T, self._pass(work))

    def reshard(self) -> None:
        """Let go of the weights of other ranks, after passes without gradients."""
        cast(Any, self._pass).reshard()

    def whole(self) -> Model:
        """The network with whole weights on the leader; on another rank, without weights."""
        state = {}
        with self._together.reaching():
            for name, tensor in self._pass.network.state_dict().items():
                gathered = whole(tensor)
                if self._together.leads:
                    state[name] = gathered
        if self._together.leads:
            self._plain.load_state_dict(state, assign=True)
        return self._plain


class _Pass(nn.Module):
    """Any computation with a network, as the forward pass of a module: only inside one are the weights whole."""

    def __init__(self, network: Model) -> None:
        super().__init__()
        self.network = network

    def forward(self, work: Callable[[], Any]) -> Any:
        return work()


def _without_weights(network: Model) -> Model:
    """A copy of ``network`` whose parameters take no memory, and whose buffers are those of ``network``."""
    known: dict[int, Any] = {id(buffer): buffer for buffer in network.buffers()}
    for weight in network.parameters():
        known[id(weight)] = nn.Parameter(weight.detach().to("meta"), weight.requires_grad)
    return copy.deepcopy(network, known)
