# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Drawing the elements of an alloy from local fractions."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]


def draw_elements(
    numbers: npt.NDArray[np.integer],
    fractions: Array,
    elements: Sequence[int],
    *,
    seed: int,
) -> npt.NDArray[np.int64]:
    """Atomic numbers after each atom of an alloy was drawn anew.

    Parameters
    ----------
    numbers
        Atomic numbers, shape (n,); those not among `elements` stay.
    fractions
        Local fraction of each element at each atom, shape (len(elements), n);
        NaN where unknown: the atom stays.
    elements
        Atomic numbers of the elements that share the sites.
    seed
        Of the random numbers.
    """
    result = np.array(numbers, np.int64)
    mixed = np.isin(result, elements) & np.isfinite(fractions).all(axis=0)
    level = np.cumsum(fractions[:, mixed], axis=0)
    level /= level[-1]
    draw = np.random.default_rng(seed).random(mixed.sum())
    choice = (draw[None] >= level).sum(axis=0)
    result[mixed] = np.asarray(elements)[np.minimum(choice, len(elements) - 1)]
    return result


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
