from __future__ import annotations

import pytest
from looking import looked_at
from samples import SAMPLES, network_for

from unrolled.errors import UsageError
from unrolled.page.document import document
from unrolled.views.shown import shown

# What each question has beside its row, gates and states.
OWN = {
    "classify": {"developing"},
    "classify several": {"developing"},
    "classify a plain row": set(),
    "classify several texts": {"developing"},
    "regress": {"developing"},
    "tag": {"labels"},
    "tag with a text": {"labels"},
    "tag together": {"labels"},
    "transcribe": {"labels"},
    "next_step": {"next"},
    "next_step symbols": {"next"},
    "next_step several": {"roll"},
    "next_step real": {"fan"},
    "fill": {"labels"},
    "forecast": {"fan"},
    "forecast quantiles": {"fan"},
    "forecast gaussian": {"fan"},
    "forecast ahead": {"fan"},
    "forecast with a list": {"fan"},
    "translate two texts": {"attention", "next"},
    "translate": {"attention", "next"},
}
EVERY = {"text", "gates", "units", "loss", "unrolled", ""}


@pytest.mark.parametrize("name", SAMPLES)
def test_every_question_has_its_views(name: str) -> None:
    looked = looked_at(name, row=4)
    sections = shown(looked)
    assert {each.view for each in sections} - EVERY == OWN[name]
    assert sections[0].view == "text" and len(sections[0].data["tokens"]) == looked.trace.steps
    assert document("Inside", name, sections).count("data-view") >= len(OWN[name])


@pytest.mark.parametrize("name", [name for name in SAMPLES if not name.startswith("translate")])
def test_a_row_of_one_step_has_a_page_too(name: str) -> None:
    assert document("Inside", name, shown(looked_at(name, row=0)))


@pytest.mark.parametrize("name", ["tag", "next_step", "classify", "translate", "forecast"])
@pytest.mark.parametrize("model", ["window", "mlp", "transformer", "bitransformer", "minlstm"])
def test_every_layer_has_a_page(name: str, model: str) -> None:
    try:
        network_for(SAMPLES[name].ask(), model)
    except UsageError:
        pytest.skip(f"{model} cannot {name}")
    assert document("Inside", name, shown(looked_at(name, row=4, model=model)))
