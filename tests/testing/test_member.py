"""How members are named, and what is not held to anything."""

from __future__ import annotations

import pytest
from own_cells import Leaky

from unrolled.errors import UsageError
from unrolled.layers.recurrent import Recurrent
from unrolled.testing import check_member
from unrolled.testing.report import Broken


def test_what_is_not_held_to_anything_says_why() -> None:
    with pytest.raises(UsageError, match=r"there is no cell 'lstn'. Did you mean 'lstm'\?"):
        check_member("cell.lstn")
    with pytest.raises(UsageError, match=r"there are no contracts for members of kind 'cel'. Did you mean 'cell'\?"):
        check_member("cel.lstm")
    with pytest.raises(UsageError, match="pass the kind of this member as the second argument, such as 'cell'"):
        check_member(Leaky)
    with pytest.raises(Broken, match=r"Recurrent: \d+ of \d+ contracts hold"):
        check_member(Recurrent, "cell")
