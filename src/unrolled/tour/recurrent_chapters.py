"""The first half of the page: recurrence, embeddings, gradients through time, and gates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from unrolled.page.chart import Chart, picture
from unrolled.page.document import Section
from unrolled.runs.trained import Trained
from unrolled.tour.claims import Claim
from unrolled.tour.clipping import CLIP, RATE, STEPS, Descent
from unrolled.tour.made import KEYS
from unrolled.tour.observed import Measured
from unrolled.tour.tiny import LONGEST_REMEMBERED, Tiny
from unrolled.tour.wording import measured, paragraphs, table
from unrolled.views.looked import Looked
from unrolled.views.unrolled import unrolled

__all__ = ["recurrent_chapters"]


def recurrent_chapters(tiny: Tiny, found: Measured, claims: Mapping[str, Claim]) -> Iterator[Section]:
    """Each chapter as a section of the page.

    Args:
        tiny: the models.
        found: what was measured on them.
        claims: by their names.
    """
    yield _recurrence(found, claims["recurrence"])
    yield from _drawn("The RNN, unrolled", tiny.rnn, found, "rnn")
    yield _forms(found)
    yield _embeddings(found, claims["embeddings"])
    yield _backwards(found)
    yield _vanishing(found, claims["vanishing gradients"])
    yield _exploding(found, claims["exploding gradients"])
    yield _gates(claims["gates"])
    yield from _drawn("The LSTM, unrolled", tiny.lstm, found, "lstm")


def _recurrence(found: Measured, claim: Claim) -> Section:
    body = paragraphs(
        "A recurrent network reads a sequence step by step. It has a state h, and at each step it makes a new state "
        "from the input and the old one: hₜ = f(xₜ, hₜ₋₁). The same weights are used at every step. That is "
        "why a network of fixed size can read a sequence of any length, and why what it learned at one place it "
        "knows at every place.",
        f"The RNN below has {found.weights['tanh RNN']:,} weights in all: for its embedding, one step, and the "
        f"answer. It was trained on rows of 2 to {LONGEST_REMEMBERED} symbols. The first symbol is one of "
        f"{', '.join(KEYS)}; all others mean nothing. When the row ends, the network has to say what the first symbol "
        "was.",
    )
    return Section("Recurrence and shared weights", body + measured(claim))


def _drawn(title: str, model: Trained, found: Measured, group: str) -> Iterator[Section]:
    """The network unrolled over the row of the page."""
    name = next(name for name, trace in found.traces.items() if title.split(",")[0].endswith(name.split()[-1]))
    text = paragraphs(
        "Move through the row with the arrow keys or the buttons. Each box is the same network at another step; the "
        "numbers on the arrows are what it computed on this row. Open the equation of a value to see where it comes "
        "from."
    )
    for section in unrolled(Looked(model.task, found.traces[name], network=model.network)):
        yield replace(section, title=title, body=text, group=group)


def _forms(found: Measured) -> Section:
    steps = len(found.row)
    rows = [
        ["one to one", "1", "1", "a table: will the student pass", "no model here: it needs no time"],
        ["many to one", str(steps), "1", "the mood of a review", "the RNN, the LSTM and the transformer"],
        ["one to many", "1", "any number", "a caption for a picture", "an encoder–decoder that reads one step"],
        ["many to many, aligned", str(steps), str(steps), "a label for each word", "unrolled fit with the task tag"],
        ["many to many, free", "8", "8", "translation", "the two encoder–decoders"],
    ]
    text = paragraphs(
        "What goes in and what comes out decide how the steps are used, not which network they are made of. The "
        "numbers are those of the rows that this page draws."
    )
    head = ["form", "steps read", "steps written", "example", "on this page"]
    return Section("One to one, many to one, many to many", text + table(head, rows))


def _embeddings(found: Measured, claim: Claim) -> Section:
    chart = Chart("The LSTM's embedding", x="first direction", y="second direction")
    for name, symbols in (
        ("has to be remembered", [one for one in found.places if one in KEYS]),
        ("means nothing", [one for one in found.places if one not in KEYS]),
    ):
        places = [found.places[one] for one in symbols]
        chart.dots([x for x, _ in places], [y for _, y in places], name)
    for symbol in KEYS:
        if symbol in found.places:
            chart.label(*found.places[symbol], symbol)
    text = paragraphs(
        "A network reads numbers, so each symbol gets a vector. At first the vectors are random. Training moves them: "
        "symbols that the task treats alike come together, others apart. Nobody told the network which symbols matter.",
        "The picture shows the vectors of the LSTM in the two directions in which they vary most.",
    )
    return Section("Embeddings", text + chart.to_svg() + measured(claim), wide=False)


def _backwards(found: Measured) -> Section:
    back = len(found.gradients["LSTM"]) - 1
    text = paragraphs(
        "Training asks of each weight: how would the loss change if you did? Unrolled, the network is a deep network "
        "with one layer for each step, and the chain rule goes through all of them, from the last step to the first: "
        "backpropagation through time. As all steps share their weights, the gradient of a weight is the sum over "
        "all steps.",
        f"To learn that the first symbol decides, the gradient has to come back {back} steps here. At each step it is "
        "multiplied by the Jacobian of that step, ∂hₜ/∂hₜ₋₁. If these make it smaller, little arrives; if "
        "they make it larger, it grows without bound. Both happen, as the next two chapters show.",
    )
    return Section("Backpropagation through time", text, wide=False)


def _vanishing(found: Measured, claim: Claim) -> Section:
    chart = Chart("How much gradient is left", x="steps back", y="share of the last step's", y_log=True)
    for name, norms in found.gradients.items():
        if norms[0] > 0:
            chart.line(range(len(norms)), [one / norms[0] for one in norms], name)
    text = paragraphs(
        "The loss of the answer, differentiated by what was read at each step: how strong is that gradient, by how "
        "many steps it lies back? In a tanh RNN each step multiplies it by W and by the slope of tanh, which is at "
        "most 1. In an LSTM the cell state is handed on by cₜ = f·cₜ₋₁ + i·g, so along it the gradient is "
        "only multiplied by f, which the network can hold near 1. In a transformer each step is looked at directly."
    )
    return Section("Vanishing gradients", text + chart.to_svg() + measured(claim))


def _exploding(found: Measured, claim: Claim) -> Section:
    losses = Chart("Loss", x="training step", y="squared error", y_log=True)
    norms = Chart("Norm of the gradient, before it is clipped", x="training step", y="norm", y_log=True)
    for name, descent in (("clipping off", found.unclipped), ("clipping on", found.clipped)):
        losses.line(range(1, len(descent.losses) + 1), descent.losses, name)
        norms.line(range(1, len(descent.norms) + 1), descent.norms, name)
    norms.mark(CLIP, f"clipped to {CLIP:g}", on="y")
    text = paragraphs(
        f"Two trainings of a tanh RNN, from the same weights on the same rows of {STEPS} steps, by plain gradient "
        f"descent with a learning rate of {RATE:g}. One takes each gradient as it is. The other one scales it down "
        f"when its norm is above {CLIP:g}: its direction stays, only the step becomes shorter. That is gradient "
        "clipping.",
        _where_it_ends(found.unclipped),
    )
    return Section("Exploding gradients, and clipping", text + picture([losses, norms]) + measured(claim))


def _where_it_ends(descent: Descent) -> str:
    if not descent.broke_off:
        return "In this run no number became infinite, even without clipping."
    return (
        f"Without clipping, at step {len(descent.losses)} a number is no longer finite, so the line ends there; "
        "nothing can be learned from then on."
    )


def _gates(claim: Claim) -> Section:
    text = paragraphs(
        "An LSTM decides at each step what to forget (f), what to write (i and g) and what to show (o). A gate is a "
        "number from 0, closed, to 1, open, and each unit has its own. f·cₜ₋₁ is what is kept, i·g what is "
        "written; the sum is the new cell state, and o·tanh(cₜ) the new hidden state.",
        "In the drawing below, open c or h: the numbers in the equation are the model's, and they add up.",
    )
    return Section("Gates", text + measured(claim))
