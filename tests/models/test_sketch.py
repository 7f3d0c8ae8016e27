from __future__ import annotations

import pytest
from configs import model_config

from unrolled.batch import Continuous, Spec
from unrolled.cells.mingru import MinGRU
from unrolled.errors import UsageError
from unrolled.layers.factory import build_layer
from unrolled.layers.recurrent import Recurrent
from unrolled.models._sketch import Sketch, Stack, stack_of
from unrolled.models.encoder_decoder import EncoderDecoder
from unrolled.models.network import Network

SPECS: dict[str, Spec] = {"x": Continuous(3)}


@pytest.mark.parametrize(
    ("name", "stack"),
    [
        ("gru", Stack(("gru", "gru"))),
        ("bilstm", Stack(("lstm", "lstm"), both=True)),
        ("mlp", Stack(("mlp", "mlp"), remembers=False)),
        ("window", Stack(("last 5 steps", "linear"))),
        ("deltanet", Stack(("deltanet", "deltanet"))),
        ("transformer", Stack(("transformer", "transformer"))),
        ("bitransformer", Stack(("transformer", "transformer"), remembers=False, whole=True)),
    ],
)
def test_a_layer_says_what_it_is_and_whether_it_remembers(name: str, stack: Stack) -> None:
    assert stack_of(build_layer(model_config(name=name, layers=2, hidden=4, window=5), 3)) == stack


def test_a_network_says_how_it_pools() -> None:
    config = model_config(name="gru", hidden=4, pool="max")
    assert Network(SPECS, config, 2, pooled=True).sketch() == Sketch(Stack(("gru",)), pool="max")
    with pytest.raises(UsageError, match="pool only works with one answer per row"):
        Network(SPECS, config, 2, pooled=False)
    config = model_config(name="gru", hidden=4)
    assert Network(SPECS, config, 2, pooled=False).sketch() == Sketch(Stack(("gru",)))


@pytest.mark.parametrize("attention", ["none", "dot"])
def test_a_model_that_writes_is_two_stacks(attention: str) -> None:
    specs: dict[str, Spec] = {"age": Continuous(1, time=False)}
    config = model_config(name="lstm", layers=2, hidden=4, attention=attention)
    sketch = EncoderDecoder(specs, config, 5).sketch()
    reads = Stack(("lstm", "lstm"), both=True)
    assert sketch == Sketch(reads, timed=False, writes=Stack(("lstm", "lstm")), attention=attention)


def test_a_cell_that_has_no_name_is_called_by_its_class() -> None:
    assert stack_of(Recurrent(3, 4, [MinGRU(3, 4), "gru"])).boxes == ("MinGRU", "GRU")
