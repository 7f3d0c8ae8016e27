"""The IRNN: a simple recurrent cell with relu whose recurrent weights start as the identity."""

from __future__ import annotations

from torch import nn

from unrolled.cells.rnn import RNN

__all__ = ["irnn"]


def irnn(input_size: int, hidden_size: int) -> RNN:
    """A new `RNN` cell with relu whose recurrent weights start as the identity and whose biases start at 0.

    ::

        h_t = relu(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)        at first  W_hh = I,  b = 0,  W_ih ~ N(0, 0.001²)

    At first, without input the state stays constant over any number of steps, and so does its gradient. The input
    weights start small, as in the paper, so that sums over long sequences do not overflow.

    Args:
        input_size: I ≥ 1.
        hidden_size: H ≥ 1.

    Shape:
        As `RNN`: x (B, I), state.h (B, H), y (B, H).

    Raises:
        UsageError: a size below 1.

    Cost:
        H(I + H) multiply-adds per row and step; H numbers of state.

    References:
        Le, Jaitly and Hinton 2015, https://arxiv.org/abs/1504.00941

    Example:
        >>> import torch
        >>> from unrolled.cells.rnn import RNNState
        >>> y, _ = irnn(1, 3)(torch.zeros(1, 1), RNNState(torch.tensor([[1.0, 2.0, 3.0]])))
        >>> y.tolist()
        [[1.0, 2.0, 3.0]]
    """
    cell = RNN(input_size, hidden_size, nonlinearity="relu")
    nn.init.eye_(cell.weight_hh)
    nn.init.normal_(cell.weight_ih, std=0.001)
    return cell


MEMBER = irnn
