"""The GRU that the package g2p-en ships, from its arrays: the peer of `pronunciation.py`.

Read off its source (2.1.0, Apache-2.0): an embedding and a GRU of 256 over the letters and ``</s>``; its last state
begins the decoder, a GRU of 256 that reads its own last phoneme, ``<s>`` first; the greatest output is the next one,
until ``</s>`` or 20. Gates are in torch's order, r z n. There is no attention. A character that is no letter, such as
an apostrophe, is ``<unk>``. The package itself is not imported: its constructor asks for downloads.
"""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

__all__ = ["G2pEn"]

_PACKAGE = "g2p-en==2.1.0"
_ARRAYS = "g2p_en/checkpoint20.npz"
_LETTERS = {letter: number for number, letter in enumerate("abcdefghijklmnopqrstuvwxyz", 3)}
_UNKNOWN, _WORD_END, _BEGIN, _END, _SPECIALS = 1, 2, 2, 3, 4
_LONGEST = 20
_VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
_STOPS = ("B", "CH", "D", "G", "JH", "K", "P", "T")
_OTHERS = ("DH", "F", "HH", "L", "M", "N", "NG", "R", "S", "SH", "TH", "V", "W", "Y", "Z", "ZH")
# Its table of phonemes is sorted, each vowel with its three stresses; "UW" stands there without stress too.
_PHONEMES = sorted([*(f"{vowel}{stress}" for vowel in _VOWELS for stress in "012"), *_STOPS, *_OTHERS, "UW"])


class G2pEn:
    """The arrays of the wheel, which pip fetches into ``folder`` once.

    Letters are B words of T steps, padded right; H is 256.
    """

    def __init__(self, folder: Path) -> None:
        if not (wheels := sorted(folder.glob("g2p_en-*.whl"))):
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", _PACKAGE, "-d", str(folder)]
            subprocess.run(command, check=True)
            wheels = sorted(folder.glob("g2p_en-*.whl"))
        with zipfile.ZipFile(wheels[0]) as wheel, zipfile.ZipFile(io.BytesIO(wheel.read(_ARRAYS))) as arrays:
            self.arrays = {
                name.removesuffix(".npy"): np.lib.format.read_array(io.BytesIO(arrays.read(name)), allow_pickle=False)
                for name in arrays.namelist()
            }
        if len(self.arrays["dec_emb"]) != len(_PHONEMES) + _SPECIALS:
            sys.exit(f"{wheels[0].name} holds other arrays than those that this script knows")

    def one_by_one(self, words: Sequence[str]) -> list[list[str]]:
        """As the package does it."""
        return [self.batch([word])[0] for word in words]

    def batches(self, words: Sequence[str], size: int = 256) -> list[list[str]]:
        """The same, words of like length together: what its arrays could do."""
        order = sorted(range(len(words)), key=lambda row: len(words[row]))
        found: list[list[str]] = [[]] * len(words)
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            for row, phonemes in zip(rows, self.batch([words[row] for row in rows]), strict=True):
                found[row] = phonemes
        return found

    def batch(self, words: Sequence[str]) -> list[list[str]]:
        """The phonemes of each word, with stress."""
        lengths = np.array([len(word) + 1 for word in words])
        letters = np.full((len(words), lengths.max()), _WORD_END)  # (B, T)
        for row, word in enumerate(words):
            letters[row, : len(word)] = [_LETTERS.get(letter, _UNKNOWN) for letter in word]
        x = self.arrays["enc_emb"][letters]  # (B, T, H)
        h = np.zeros((len(words), x.shape[-1]), np.float32)
        for t in range(letters.shape[1]):
            new = self._step("enc", x[:, t], h)
            h = new if t < lengths.min() else np.where((t < lengths)[:, None], new, h)
        return self._write(h)

    def _write(self, h: np.ndarray) -> list[list[str]]:
        found: list[list[str]] = [[] for _ in h]
        rows, last = np.arange(len(h)), np.full(len(h), _BEGIN)
        for _ in range(_LONGEST):
            h = self._step("dec", self.arrays["dec_emb"][last], h)
            last = (h @ self.arrays["fc_w"].T + self.arrays["fc_b"]).argmax(-1)
            open_ = last != _END
            rows, h, last = rows[open_], h[open_], last[open_]
            if not len(rows):
                break
            for row, phoneme in zip(rows.tolist(), last.tolist(), strict=True):
                found[row].append(_PHONEMES[phoneme - _SPECIALS] if phoneme >= _SPECIALS else "<unk>")
        return found

    def _step(self, part: str, x: np.ndarray, h: np.ndarray) -> np.ndarray:
        """r, z = σ(…); n = tanh(W x + b + r ∘ (U h + c)); h' = (1 - z) ∘ n + z ∘ h."""
        w_ih, w_hh, b_ih, b_hh = (self.arrays[f"{part}_{name}"] for name in ("w_ih", "w_hh", "b_ih", "b_hh"))
        from_x, from_h = x @ w_ih.T + b_ih, h @ w_hh.T + b_hh  # (B, 3H)
        H = h.shape[-1]
        gates = 1 / (1 + np.exp(-(from_x[:, : 2 * H] + from_h[:, : 2 * H])))
        r, z = gates[:, :H], gates[:, H:]
        n = np.tanh(from_x[:, 2 * H :] + r * from_h[:, 2 * H :])
        new: np.ndarray = (1 - z) * n + z * h
        return new
