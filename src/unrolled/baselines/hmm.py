"""A hidden Markov model, whose memory is one of a few states."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import torch

from unrolled.baselines._arrays import (
    asked_values,
    classes,
    is_several_hot,
    target_of,
)
from unrolled.baselines._emissions import Gaussian, Symbols
from unrolled.baselines._hmm import Packed, backward, forward, log_sum, posterior, predicted, viterbi
from unrolled.baselines._hmm_model import Columns, Model
from unrolled.baselines._judged import judged_labels, judged_next, judged_tags, judged_tokens
from unrolled.baselines._subsample import for_fitting, for_scoring
from unrolled.batch import Continuous, Discrete, Spec, Spelled
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.aligned import Aligned
from unrolled.data.forms.next import Next
from unrolled.data.forms.one import One
from unrolled.metrics.judged import Answers, Nats

__all__ = ["HMM"]

_STATES = 8
_LONGEST = 256  # steps; longer rows are cut, because each step of the longest row costs a call
_FIT_STEPS = 100_000  # for Baum–Welch, which reads them up to twenty times
_WORK = 400_000_000  # multiply-adds for predictions, which takes seconds
_MOST_TAGS = 200
_LARGEST = 16_000_000  # parameters in the emissions of all models

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class HMM:
    r"""A hidden Markov model: a chain of hidden states, each with its own distribution of observations.

    .. math:: p(x, z) = p(z_1) \prod_{t>1} p(z_t \mid z_{t-1}) \prod_t p(x_t \mid z_t)

    For *tags* the states are the tags, counted in training; the prediction is the likeliest path, the loss
    -ln p(z_t | x). For a *label* each class has a model of eight states, fitted by Baum–Welch, and Bayes' rule chooses.
    The *next step* is predicted by one such model: p(x_t | x_1 … x_{t-1}), for numbers the density and its mean.
    Symbols are discrete and numbers Gaussian; columns are independent given the state, and columns without time are
    ignored. Rows longer than 256 steps are cut. Baum–Welch reads at most 100 000 steps, and only a portion of a long
    split is predicted; a warning says so.

    What it shows: what a memory of one of K states can do, the best method before neural networks. The state of a
    recurrent network can hold many things at once; the network has to beat this to show that it uses that.

    Applies to: a label for each step, a label for each sequence, and the next item or vector of real numbers; the next
    token of a text has `unrolled.solved.hidden_markov`.

    Cost: at most twenty iterations of O(N S²) for N steps and S states (the tags, if tags are predicted); predictions
    O(N S²).

    References:
        Rabiner, 1989. https://doi.org/10.1109/5.18626
        Brants, TnT, 2000, for tags. https://aclanthology.org/A00-1031

    Example:
        >>> from unrolled.batch import Discrete
        >>> from unrolled.data.encodings.encoding import Encoded
        >>> from unrolled.metrics.scoring import scores
        >>> offsets = np.array([0, 4, 8])  # word 0 takes the tag of the words around it
        >>> words, tags = (Encoded(np.array(ids), offsets) for ids in ([1, 0, 0, 1, 2, 0, 0, 2], [0] * 4 + [1] * 4))
        >>> steps = Examples({"w": words}, {"w": Discrete(3)}, tags, Discrete(2), Aligned())
        >>> scores(HMM.fit(steps).judge(steps))["accuracy"]
        1.0
    """

    name: ClassVar[str] = "hmm"
    specs: dict[str, Spec]  # of the observed columns
    models: tuple[Model, ...]  # one for each class of labels, otherwise a single one
    log_prior: np.ndarray  # (classes,) for labels

    @staticmethod
    def applies(examples: Examples) -> bool:
        observed = _observed(examples)
        size = sum(spec.size if isinstance(spec, Discrete) else 2 * spec.width for spec in observed.values())
        count = classes(examples)
        if not observed:
            return False
        if isinstance(examples.form, Aligned):
            return 0 < count <= _MOST_TAGS and size * count <= _LARGEST
        if isinstance(examples.form, One):
            return count > 0 and size * count * _STATES <= _LARGEST
        if not isinstance(examples.form, Next) or (count and examples.first_item is None):
            return False  # of the next token of a text there is a solved model
        return not is_several_hot(examples) and size * _STATES <= _LARGEST

    @classmethod
    def fit(cls, train: Examples) -> Self:
        specs, nothing = _observed(train), np.zeros(0)
        if isinstance(train.form, Aligned):
            size = classes(train)
            train = _part(train, _WORK // (20 * size), for_fitting, "fitted")
            columns, packed = _columns(train, specs)
            return cls(specs, (Model.of_states(columns, specs, packed, target_of(train).values, size),), nothing)
        train = _part(train, _FIT_STEPS, for_fitting, "fitted")
        if isinstance(train.form, Next):
            columns, packed = _columns(train, specs)
            return cls(specs, (Model.of_observations(columns, specs, packed, _STATES),), nothing)
        rows, size = asked_values(train), classes(train)
        labels = target_of(train).values[rows]
        models = []
        for label in range(size):
            columns, packed = _columns(train, specs, rows[labels == label])
            models.append(Model.of_observations(columns, specs, packed, _STATES))
        return cls(specs, tuple(models), np.log((np.bincount(labels, minlength=size) + 1) / (len(labels) + size)))

    def judge(self, part: Examples) -> Iterable[Answers]:
        if isinstance(part.form, Aligned):
            part = _part(part, _WORK // (2 * classes(part) ** 2), for_scoring, "scored")
            return [self._tags(part)]
        if isinstance(part.form, Next):
            part = _part(part, min(_FIT_STEPS, _WORK // max(1, classes(part))), for_scoring, "scored")
            return [self._next(part)]
        part = _part(part, _WORK // (2 * len(self.models) * _STATES**2), for_scoring, "scored")
        return [self._labels(part)]

    def _tags(self, part: Examples) -> Answers:
        (model,) = self.models
        columns, packed = _columns(part, self.specs)
        b = model.score(columns, packed)
        alpha, beta = forward(model.pi, model.A, b, packed.sizes), backward(model.A, b, packed.sizes)
        gamma, path = np.empty_like(b), np.empty(len(b), np.int64)
        gamma[packed.steps], _ = posterior(alpha, beta, packed)
        path[packed.steps] = viterbi(model.pi, model.A, b, packed)
        steps = asked_values(part)
        return judged_tags(part, -gamma[steps, target_of(part).values[steps]], path[steps])

    def _next(self, part: Examples) -> Answers:
        (model,) = self.models
        columns, packed = _columns(part, self.specs)
        alpha = forward(model.pi, model.A, model.score(columns, packed), packed.sizes)
        chances, states = np.empty(len(alpha)), np.empty_like(alpha)
        states[packed.steps], chances[packed.steps] = predicted(model.pi, model.A, alpha, packed)
        steps, (emission,) = asked_values(part), model.emissions.values()
        states, target = np.exp(states[steps]), target_of(part).values[steps]
        if isinstance(emission, Gaussian):
            mean = states @ emission.mean
            nats = -chances[steps][~np.isnan(target).all(1)]
            loss = Nats("nll_nats_per_step", torch.tensor(nats.sum()), torch.tensor(len(nats)))
            return loss, judged_next(mean, target)
        return judged_tokens(part, -chances[steps], _likeliest(states, emission), target)

    def _labels(self, part: Examples) -> Answers:
        rows = asked_values(part)
        columns, packed = _columns(part, self.specs, rows)
        joint = np.tile(self.log_prior, (len(rows), 1))
        for label, model in enumerate(self.models):
            alpha = forward(model.pi, model.A, model.score(columns, packed), packed.sizes)
            joint[:, label] += np.bincount(packed.pieces, log_sum(alpha[packed.last()]), len(rows))
        joint -= log_sum(joint)[:, None]
        target = target_of(part).values[rows]
        return judged_labels(part, -joint[np.arange(len(rows)), target], joint.argmax(1), target, "label")


def _observed(examples: Examples) -> dict[str, Spec]:
    """The columns that the states emit: the target for next steps, else all columns with time."""
    if isinstance(examples.form, Next):
        return {} if examples.target_spec is None else {"": examples.target_spec}
    return {name: spec for name, spec in examples.specs.items() if spec.time and not isinstance(spec, Spelled)}


def _columns(examples: Examples, specs: dict[str, Spec], rows: np.ndarray | None = None) -> tuple[Columns, Packed]:
    found: dict[str, Encoded] = {name: examples.inputs[name] if name else target_of(examples) for name in specs}
    offsets = next(iter(found.values())).offsets
    assert offsets is not None
    starts, lengths = offsets[:-1], np.diff(offsets)
    if rows is not None:
        starts, lengths = starts[rows], lengths[rows]
    return {name: column.values for name, column in found.items()}, Packed.of(starts, lengths, _LONGEST)


def _likeliest(states: np.ndarray, emission: Symbols) -> np.ndarray:
    """(Q,) the likeliest symbol, given (Q, S) probabilities of the states."""
    chances = np.exp(emission.log_p)
    at_once = max(1, (1 << 22) // chances.shape[1])
    parts = [(states[at : at + at_once] @ chances).argmax(1) for at in range(0, len(states), at_once)]
    return np.concatenate([np.zeros(0, np.int64), *parts])


def _part(examples: Examples, steps: int, cut: Callable[[Examples, int], Examples], verb: str) -> Examples:
    """At most about ``steps`` steps, chosen by ``cut``; logs a warning if some are left out."""
    width = sum(spec.width if isinstance(spec, Continuous) else 1 for spec in examples.specs.values())
    part = cut(examples, max(1, steps) * width)
    if part is not examples and (left := int(part.steps().sum())) < (whole := int(examples.steps().sum())):
        _log.warning("the hmm was %s on %d of %d steps", verb, left, whole)
    return part


MEMBER = HMM
