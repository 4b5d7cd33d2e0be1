# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Which fractions are possible."""

import numpy as np
import pytest

from hyperspy_t2t.composition.alloy import check_fractions


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        ({"Si": 70.0, "Ge": 30.0}, r"fractions of Si from 0 to 1, got 70 to 70.*100"),
        ({"Si": -0.2, "Ge": 1.0}, r"Si from 0 to 1, got -0.2"),
        ({"Si": 0.5, "Ge": 0.3}, r"Si, Ge that sum to 1.*got a sum of 0.8"),
        ({"Si": np.nan, "Ge": 1.0}, "NaN everywhere"),
    ],
)
def test_impossible_fractions(fractions: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_fractions({key: np.full((2, 3), v) for key, v in fractions.items()})


def test_possible_fractions_with_gaps() -> None:
    silicon = np.array([0.3, np.nan, 1.0])
    check_fractions({"Si": silicon, "Ge": np.array([0.705, 5.0, 0.0])})
