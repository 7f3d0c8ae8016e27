"""Decoding: sampling, generation, beam search, CTC and Viterbi, on a model's step and state."""
