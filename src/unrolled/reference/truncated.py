"""Truncated backpropagation through time, BPTT(k2; k1), on the simple recurrent network.

A long sequence is read once. After every k1 steps, the losses of those k1 steps are propagated back, at most k2 steps;
older states are treated as constants::

    for s = k1, 2 k1, …, T:     propagate L_{s-k1+1} + … + L_s back through the steps s-k2+1 … s

With k2 ≥ T nothing is cut, and the gradients are the full ones. With k1 = k2 the sequence is in effect cut into chunks
that pass on their state; most programs do this.

References:
    Williams and Peng 1990, https://doi.org/10.1162/neco.1990.2.4.490
    Sutskever 2013, section 2.8.6, https://www.cs.utoronto.ca/~ilya/pubs/ilya_sutskever_phd_thesis.pdf
"""

from __future__ import annotations

import numpy as np

from unrolled.reference import rnn
from unrolled.reference.losses import Output, total_loss

__all__ = ["truncated_bptt"]

Array = np.ndarray


def truncated_bptt(
    x: Array, h_0: Array, labels: Array, weights: rnn.Weights, output: Output, k1: int, k2: int
) -> tuple[float, rnn.Weights, Output]:
    """The loss summed over the steps, and its gradients truncated by BPTT(k2; k1).

    Args:
        x: (n_x, m, T).
        h_0: (n_h, m).
        labels: (m, T) integers.
        weights: the weights of the cell.
        output: the weights of the softmax at each step.
        k1: ≥ 1, the steps between two backward passes.
        k2: ≥ k1, the steps that a backward pass goes back.

    Raises:
        ValueError: not 1 ≤ k1 ≤ k2.
    """
    if not 1 <= k1 <= k2:
        raise ValueError(f"BPTT(k2; k1) needs 1 ≤ k1 ≤ k2, got k1 = {k1}, k2 = {k2}")
    h = rnn.forward(x, h_0, weights)
    loss, steps = 0.0, x.shape[2]
    dweights, doutput = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in output]
    for begin in range(0, steps, k1):
        end = min(begin + k1, steps)
        back = max(0, end - k2)  # the oldest step that this pass reaches
        part, gradients = total_loss(h[:, :, begin:end], labels[:, begin:end], output)
        dh = np.zeros_like(h[:, :, back:end])
        dh[:, :, begin - back :] = gradients.a
        before = h[:, :, back - 1] if back > 0 else h_0
        through_time = rnn.backward(dh, x[:, :, back:end], before, h[:, :, back:end], weights)
        loss += part
        for total, gradient in zip(dweights, through_time.weights, strict=True):
            total += gradient
        for total, gradient in zip(doutput, gradients.weights, strict=True):
            total += gradient
    return loss, rnn.Weights(*dweights), Output(*doutput)
