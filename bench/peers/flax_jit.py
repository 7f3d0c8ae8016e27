# /// script
# dependencies = ["jax[cpu]==0.10.2", "flax==0.12.8", "numpy==2.4.6"]
# ///
"""Flax's LSTM (OptimizedLSTMCell, its fast one) and GRU in nnx.RNN: one training step under `jax.jit`."""

from collections.abc import Callable

import flax
import jax
import numpy as np
import protocol
from flax import nnx
from jax import numpy as jnp

CELLS = {"LSTM": nnx.OptimizedLSTMCell, "GRU": nnx.GRUCell}


def main() -> None:
    given = protocol.problem()
    cell = CELLS[given.cell](given.x.shape[-1], given.hidden_size, rngs=nnx.Rngs(0))
    cell.dense_i.kernel = nnx.Param(jnp.asarray(given.w_ih.T))
    cell.dense_h.kernel = nnx.Param(jnp.asarray(given.w_hh.T))
    biased = cell.dense_h if given.cell == "LSTM" else cell.dense_i  # both have one bias where torch.nn has two
    biased.bias = nnx.Param(jnp.asarray(given.b_ih + given.b_hh))
    ways = {"batch first": trainer(cell, given.x, given.toward)}
    y, _, d_x = ways["batch first"]()
    turned = (np.ascontiguousarray(array.swapaxes(0, 1)) for array in (given.x, given.toward))
    ways["time first"] = trainer(cell, *turned, time_major=True)
    protocol.answer(given, f"flax {flax.__version__}, jax {jax.__version__}", ways, {"y": y, "d_x": d_x})


def trainer(
    cell: nnx.RNNCellBase, x: protocol.Array, toward: protocol.Array, time_major: bool = False
) -> Callable[[], tuple[jax.Array, nnx.State, jax.Array]]:
    """A step that gives y, and the gradients of the weights and of x."""
    graph, weights, rest = nnx.split(nnx.RNN(cell, time_major=time_major), nnx.Param, ...)

    @jax.jit
    def step(weights: nnx.State, x: jax.Array, toward: jax.Array) -> tuple[jax.Array, nnx.State, jax.Array]:
        y, back = jax.vjp(lambda weights, x: nnx.merge(graph, weights, rest, copy=True)(x), weights, x)
        return y, *back(toward)

    given = weights, jnp.asarray(x), jnp.asarray(toward)
    return lambda: jax.block_until_ready(step(*given))


if __name__ == "__main__":
    main()
