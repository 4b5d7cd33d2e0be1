# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Fractions of elements: from amounts, what they must be, how bright they are."""

import numpy as np

from hyperspy_t2t.array_types import Array


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
            span = f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"
            raise ValueError(
                f"Expected fractions of {element} from 0 to 1, got {span}. "
                "Divide percentages by 100."
            )
    total = stack.sum(axis=0)[known]
    worst = total[np.abs(total - 1).argmax()]
    if abs(worst - 1) > tolerance:
        raise ValueError(
            f"Expected fractions of {', '.join(fractions)} that sum to 1 at every "
            f"place, got a sum of {worst:.4g}. Divide each map by the sum of all."
        )


def normalised_fractions(
    amounts: Array, variances: Array | None = None, *, least: float = 0.1
) -> tuple[Array, Array | None]:
    """Amounts divided by their sum, with variances, NaN where there is too little.

    Negative amounts, which noise gives, count as zero. The variance is that of
    independent amounts: var f_e = ((1 − 2 f_e) var a_e + f_e² Σ var a) / (Σ a)².

    Parameters
    ----------
    amounts
        In any unit that all share, for example atoms per area, shape (k, ...).
    variances
        Of the amounts, the same shape.
    least
        Share of the median sum below which a place is unknown.

    Returns
    -------
    fractions, variances : ndarray
        Shape (k, ...); the second is None without variances.
    """
    positive = np.maximum(amounts, 0.0)  # NaN stays
    total = positive.sum(axis=0)
    filled = total[total > 0]
    if not len(filled):
        raise ValueError(
            "Expected amounts of elements above zero somewhere, got none. Check the "
            "background subtraction and the quantification."
        )
    with np.errstate(invalid="ignore"):
        known = total > least * np.median(filled)
    total = np.where(known, total, np.nan)
    fractions = positive / total
    if variances is None:
        return fractions, None
    spread = (1 - 2 * fractions) * variances + fractions**2 * variances.sum(axis=0)
    return fractions, spread / total**2


def z_contrast(fractions: Array, numbers: Array, *, exponent: float = 1.7) -> Array:
    """Brightness in high-angle annular dark field that fractions give, Σ f Z^1.7.

    Relative to the brightest element; thickness and density count as equal.

    Parameters
    ----------
    fractions
        Shape (k, ny, nx).
    numbers
        Atomic numbers, shape (k,).
    exponent
        Of the atomic number.
    """
    weights = np.asarray(numbers, float) ** exponent
    return np.einsum("k,k...->...", weights / weights.max(), fractions)
