# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What fractions of elements must be."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]


def check_fractions(fractions: dict[str, Array], *, tolerance: float = 0.02) -> None:
    """Raise a ValueError unless fractions lie in 0 … 1 and sum to one.

    Parameters
    ----------
    fractions
        Maps of equal shape by element; places where any is NaN are left out.
    tolerance
        Largest deviation.
    """
    stack = np.stack(list(fractions.values()))
    known = np.isfinite(stack).all(axis=0)
    if not known.any():
        raise ValueError("Expected composition maps with values, got NaN everywhere.")
    for element, values in fractions.items():
        low, high = values[known].min(), values[known].max()
        if low < -tolerance or high > 1 + tolerance:
            raise ValueError(
                f"Expected fractions of {element} from 0 to 1, got {low:.3g} to "
                f"{high:.3g}. Divide percentages by 100."
            )
    total = stack.sum(axis=0)[known]
    worst = total[np.abs(total - 1).argmax()]
    if abs(worst - 1) > tolerance:
        raise ValueError(
            f"Expected fractions of {', '.join(fractions)} that sum to 1 at every "
            f"place, got a sum of {worst:.4g}. Divide each map by the sum of all."
        )
