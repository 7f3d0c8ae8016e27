from __future__ import annotations

import numpy as np
from looking import looked_at

from unrolled.views.memories import memories


def test_the_size_of_the_memory_and_what_is_kept_and_written() -> None:
    looked = looked_at("next_step", model="deltanet")
    (section,) = memories(looked)
    size, kept, written = section.data["strips"]
    memory = looked.trace.values["layer.blocks.0.mix.memory"].numpy()
    np.testing.assert_allclose(size["values"], np.sqrt((memory**2).sum((2, 3))), rtol=1e-5)
    assert (kept["name"], written["name"]) == ("block 1, share kept", "block 1, share written")
    np.testing.assert_array_equal(kept["values"], looked.trace.values["layer.blocks.0.mix.a"].numpy())
    np.testing.assert_array_equal(written["values"], looked.trace.values["layer.blocks.0.mix.b"].numpy())
    assert kept["high"] == 1.0 and not [*memories(looked_at("next_step", model="gru"))]
