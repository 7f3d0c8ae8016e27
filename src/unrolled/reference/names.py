"""The names of the same weights in textbooks, courses and torch, and conversions between them.

=================  ========================  ==================================  =======================================
what               W_xh scheme               a_prev scheme                       torch and this package's layers
=================  ========================  ==================================  =======================================
an input           x_t (n_x, m)              x_t (n_x, m)                        x[:, t] (B, I), B = m rows, I = n_x
all inputs         x (n_x, m, T)             x (n_x, m, T_x)                     x (B, T, I)
hidden state       h_{t-1}, h_t (n_h, m)     a_prev, a_next (n_a, m)             state.h (B, H)
all of them        h (n_h, m, T)             a (n_a, m, T_x)                     y (B, T, H)
memory             c_{t-1}, c_t              c_prev, c_next; c (n_a, m, T_x)     state.c (B, H)
RNN                W_xh, W_hh, b_h           Wax, Waa, ba                        weight_ih, weight_hh, bias_ih + bias_hh
LSTM forget        f_t: W_xf, W_hf, b_f      ft: Wf, bf over [a_prev; x_t]       rows f (second quarter of each weight)
LSTM input         i_t: W_xi, W_hi, b_i      it: Wi, bi                          rows i (first)
LSTM candidate     c~_t: W_xc, W_hc, b_c     cct: Wc, bc                         rows g (third)
LSTM output        o_t: W_xo, W_ho, b_o      ot: Wo, bo                          rows o (fourth)
GRU reset          r_t: W_xr, W_hr, b_r      Γ_r: W_r, b_r over [c_prev; x_t]    rows r (first third)
GRU update         z_t, 1 keeps              Γ_u = 1 - z_t: W_u, b_u             rows z (second)
GRU candidate      n_t: W_xn, W_hn, b_xn,    c~: W_c, b_c over                   rows n (third); bias_ih has b_xn,
                   b_hn                      [Γ_r ⊙ c_prev; x_t]                 bias_hh has b_hn
LSTM with norms    W_x, W_h, b; gains α_x,   –                                   weight_ih, weight_hh, bias; gain_ih,
                   α_h, α_c; b_c                                                 gain_hh, gain_c; bias_c
minGRU update      z_t, 1 takes: W_z, b_z    –                                   rows z (first half); no weight_hh
minGRU candidate   h̃_t: W_h, b_h             –                                   rows h̃ (second)
minLSTM forget     f_t: W_f, b_f             –                                   rows f (first third); no weight_hh
minLSTM input      i_t: W_i, b_i             –                                   rows i (second)
minLSTM candidate  h̃_t: W_h, b_h             –                                   rows h̃ (third)
delta rule         W_q W_k W_v, W_g, W_a W_b  –                                  block.mix.inward: rows q k v, g, a, b
its gated map      W_1, W_2, W_3             –                                   block.map_in: rows 1, 2; block.map_out
convolutions       –                         –                                   block.outer, .inner, .beside: U, V, P
answer             W_hy, b_y; ŷ_t            Wy, by; yt_pred (n_y, m)            the head's Linear: weight, bias
=================  ========================  ==================================  =======================================

Where a textbook has one bias, torch adds two; each has the gradient of the textbook's bias. The GRU of the
a_prev scheme (`unrolled.reference.gru_textbook`) and torch's are different functions, so torch's weights convert only
to and from `unrolled.reference.gru`; this package's layer ``gru_textbook`` has the names of torch's and computes the
former. torch has no LSTM with norms, no minGRU and no minLSTM; the last column there is this package's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from unrolled.reference import deltanet, gru, gru_textbook, lnlstm, lstm, mingru, minlstm, rnn, tcn

__all__ = [
    "TorchWeights",
    "beside",
    "deltanet_from_layer",
    "from_columns",
    "gru_from_torch",
    "gru_textbook_from_layer",
    "gru_textbook_to_layer",
    "gru_to_torch",
    "lnlstm_from_layer",
    "lnlstm_to_layer",
    "lstm_from_torch",
    "lstm_to_torch",
    "mingru_from_layer",
    "mingru_to_layer",
    "minlstm_from_layer",
    "minlstm_to_layer",
    "rnn_from_torch",
    "rnn_to_torch",
    "split",
    "tcn_from_layer",
    "to_columns",
]

Array = np.ndarray


class TorchWeights(NamedTuple):
    """``weight_ih`` (G·H, I), ``weight_hh`` (G·H, H), ``bias_ih`` and ``bias_hh`` (G·H,)."""

    weight_ih: Array
    weight_hh: Array
    bias_ih: Array
    bias_hh: Array


def to_columns(x: Array) -> Array:
    """(B, T, I) -> (n_x, m, T_x), in float64.

    >>> to_columns(np.zeros((2, 5, 3))).shape
    (3, 2, 5)
    """
    return np.ascontiguousarray(x.transpose(2, 0, 1), dtype=np.float64)


def from_columns(x: Array) -> Array:
    """(n_x, m, T_x) -> (B, T, I), the inverse of `to_columns`."""
    return x.transpose(1, 2, 0)


def beside(W_h: Array, W_x: Array) -> Array:
    """W_h (n_a, n_a) and W_x (n_a, n_x) -> one W (n_a, n_a + n_x) over [a_prev; x_t]."""
    return np.concatenate([W_h, W_x], axis=1)


def split(W: Array) -> tuple[Array, Array]:
    """W over [a_prev; x_t] -> W_h and W_x, the inverse of `beside`."""
    return W[:, : len(W)], W[:, len(W) :]


def rnn_from_torch(torch: TorchWeights) -> rnn.Weights:
    """Torch's names -> W_xh, W_hh, b_h."""
    return rnn.Weights(torch.weight_ih, torch.weight_hh, _column(torch.bias_ih + torch.bias_hh))


def rnn_to_torch(weights: rnn.Weights) -> TorchWeights:
    """The inverse; the whole bias goes into bias_ih."""
    return TorchWeights(weights.W_xh, weights.W_hh, weights.b_h[:, 0], np.zeros(len(weights.b_h)))


def lstm_from_torch(torch: TorchWeights) -> lstm.Weights:
    """Torch's rows i f g o -> Wf, bf, Wi, bi, Wc, bc, Wo, bo over [a_prev; x_t]."""
    i, f, g, o = np.split(beside(torch.weight_hh, torch.weight_ih), 4)
    b_i, b_f, b_g, b_o = np.split(_column(torch.bias_ih + torch.bias_hh), 4)
    return lstm.Weights(Wf=f, bf=b_f, Wi=i, bi=b_i, Wc=g, bc=b_g, Wo=o, bo=b_o)


def lstm_to_torch(weights: lstm.Weights) -> TorchWeights:
    """The inverse; the whole bias goes into bias_ih."""
    w = weights
    parts = [split(W) for W in (w.Wi, w.Wf, w.Wc, w.Wo)]
    bias = np.concatenate([w.bi, w.bf, w.bc, w.bo])[:, 0]
    weight_hh, weight_ih = (np.concatenate(blocks) for blocks in zip(*parts, strict=True))
    return TorchWeights(weight_ih, weight_hh, bias, np.zeros_like(bias))


def lnlstm_from_layer(*weights: Array) -> lnlstm.Weights:
    """The layer's weight_ih, weight_hh, bias, gain_ih, gain_hh, gain_c, bias_c -> W_x, W_h, b, α_x, α_h, α_c, b_c."""
    return lnlstm.Weights(*weights[:2], *map(_column, weights[2:]))


def lnlstm_to_layer(weights: lnlstm.Weights) -> list[Array]:
    """The inverse."""
    return [*weights[:2], *(weight[:, 0] for weight in weights[2:])]


def gru_from_torch(torch: TorchWeights) -> gru.Weights:
    """Torch's rows r z n -> the weights of `unrolled.reference.gru`."""
    W_xr, W_xz, W_xn = np.split(torch.weight_ih, 3)
    W_hr, W_hz, W_hn = np.split(torch.weight_hh, 3)
    b_xr, b_xz, b_xn = np.split(_column(torch.bias_ih), 3)
    b_hr, b_hz, b_hn = np.split(_column(torch.bias_hh), 3)
    return gru.Weights(W_xr, W_hr, b_xr + b_hr, W_xz, W_hz, b_xz + b_hz, W_xn, W_hn, b_xn, b_hn)


def gru_to_torch(weights: gru.Weights) -> TorchWeights:
    """The inverse; the biases of r and z go into bias_ih."""
    w = weights
    weight_ih, weight_hh = np.concatenate([w.W_xr, w.W_xz, w.W_xn]), np.concatenate([w.W_hr, w.W_hz, w.W_hn])
    bias_ih = np.concatenate([w.b_r, w.b_z, w.b_xn])[:, 0]
    bias_hh = np.concatenate([np.zeros_like(w.b_r), np.zeros_like(w.b_z), w.b_hn])[:, 0]
    return TorchWeights(weight_ih, weight_hh, bias_ih, bias_hh)


def gru_textbook_from_layer(layer: TorchWeights) -> gru_textbook.Weights:
    """The layer's rows r z n -> W_u, W_r and W_c over [c_prev; x_t]; Γ_u = 1 - z turns the signs of z."""
    (W_xr, W_xz, W_xn), (W_hr, W_hz, W_hn) = np.split(layer.weight_ih, 3), np.split(layer.weight_hh, 3)
    b_r, b_z, b_n = np.split(_column(layer.bias_ih + layer.bias_hh), 3)
    return gru_textbook.Weights(-beside(W_hz, W_xz), -b_z, beside(W_hr, W_xr), b_r, beside(W_hn, W_xn), b_n)


def gru_textbook_to_layer(weights: gru_textbook.Weights) -> TorchWeights:
    """The inverse; the biases go into bias_ih."""
    parts = [split(W) for W in (weights.W_r, -weights.W_u, weights.W_c)]
    weight_hh, weight_ih = (np.concatenate(blocks) for blocks in zip(*parts, strict=True))
    bias = np.concatenate([weights.b_r, -weights.b_u, weights.b_c])[:, 0]
    return TorchWeights(weight_ih, weight_hh, bias, np.zeros_like(bias))


def mingru_from_layer(weight_ih: Array, bias_ih: Array) -> mingru.Weights:
    """The layer's rows z h̃ -> W_z, b_z, W_h, b_h."""
    (W_z, W_h), (b_z, b_h) = np.split(weight_ih, 2), np.split(_column(bias_ih), 2)
    return mingru.Weights(W_z, b_z, W_h, b_h)


def mingru_to_layer(weights: mingru.Weights) -> tuple[Array, Array]:
    """The inverse: weight_ih and bias_ih."""
    w = weights
    return np.concatenate([w.W_z, w.W_h]), np.concatenate([w.b_z, w.b_h])[:, 0]


def minlstm_from_layer(weight_ih: Array, bias_ih: Array) -> minlstm.Weights:
    """The layer's rows f i h̃ -> W_f, b_f, W_i, b_i, W_h, b_h."""
    (W_f, W_i, W_h), (b_f, b_i, b_h) = np.split(weight_ih, 3), np.split(_column(bias_ih), 3)
    return minlstm.Weights(W_f, b_f, W_i, b_i, W_h, b_h)


def minlstm_to_layer(weights: minlstm.Weights) -> tuple[Array, Array]:
    """The inverse: weight_ih and bias_ih."""
    w = weights
    return np.concatenate([w.W_f, w.W_i, w.W_h]), np.concatenate([w.b_f, w.b_i, w.b_h])[:, 0]


def deltanet_from_layer(block: Mapping[str, Array]) -> deltanet.Block:
    """The named weights of one block of the layer -> those of `unrolled.reference.deltanet`."""
    bias = block["mix.inward.bias"]
    size, heads = len(block["mix.outward.weight"]), (len(bias) - 4 * len(block["mix.outward.weight"])) // 2
    ends = [size, 2 * size, 3 * size, 4 * size, 4 * size + heads]
    parts = [
        block["before_mix.weight"],
        *np.split(block["mix.inward.weight"], ends),
        *np.split(bias, ends),
        *np.split(block["mix.convolution"], 3, axis=1),
        block["mix.norm.weight"],
        block["mix.outward.weight"],
        block["before_map.weight"],
        *np.split(block["map_in.weight"], 2),
        *np.split(block["map_in.bias"], 2),
        block["map_out.weight"],
        block["map_out.bias"],
    ]
    return deltanet.Block(*parts)


def tcn_from_layer(block: Mapping[str, Array]) -> tcn.Weights:
    """The named weights of one block of the layer -> those of `unrolled.reference.tcn`."""
    U, V = (block[f"{name}.weight"].transpose(1, 0, 2)[::-1] for name in ("outer", "inner"))
    P = block.get("beside.weight", np.eye(len(block["inner.bias"])))
    return tcn.Weights(U, _column(block["outer.bias"]), V, _column(block["inner.bias"]), P)


def _column(bias: Array) -> Array:
    return bias.reshape(-1, 1)
