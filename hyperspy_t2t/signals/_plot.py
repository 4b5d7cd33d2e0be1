# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Drawings that HyperSpy has no plot for."""

from typing import Any

import numpy as np


def draw_atoms(
    positions: np.ndarray, numbers: np.ndarray, *, ax: Any = None, **kwargs: Any
) -> None:
    """Atoms seen along the beam; positions (n, 3) in Å, axes in nm, y down."""
    import matplotlib.pyplot as plt
    from ase.data import chemical_symbols
    from ase.data.colors import jmol_colors

    if ax is None:
        _, ax = plt.subplots()
    for number in np.unique(numbers):
        x, y = 0.1 * positions[numbers == number, :2].T
        options = {"s": 2, "linewidths": 0, "color": jmol_colors[number], **kwargs}
        ax.scatter(x, y, label=chemical_symbols[number], **options)
    ax.set(xlabel="x (nm)", ylabel="y (nm)", aspect="equal")
    if not ax.yaxis_inverted():
        ax.invert_yaxis()
    ax.legend(markerscale=4, loc="upper right")
