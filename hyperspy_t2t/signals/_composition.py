# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Composition maps at the places of atoms."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from hyperspy_t2t.calibration import image_grid
from hyperspy_t2t.composition.alloy import check_fractions


def fractions_at(
    composition: Mapping[str, Any], positions: np.ndarray
) -> tuple[list[int], np.ndarray]:
    """Atomic numbers of the elements and their fractions at positions.

    Parameters
    ----------
    composition
        ``{element: Signal2D}``, all on the same axes.
    positions
        (x, y) in nm, shape (n, 2). Outside the maps the nearest value counts.

    Returns
    -------
    elements : list of int
    fractions : ndarray
        Shape (len(elements), n).
    """
    from ase.data import atomic_numbers
    from scipy.ndimage import map_coordinates

    first = image_grid(next(iter(composition.values())))
    maps = {e: np.asarray(s.data, float) for e, s in composition.items()}
    _check_overlap(first, positions)
    rows, columns = first.to_pixels(positions)
    values = [
        map_coordinates(image, [rows, columns], order=1, mode="nearest")
        for image in maps.values()
    ]
    return [atomic_numbers[element] for element in maps], np.stack(values)


def check_composition(composition: Any) -> None:
    """Raise an error unless these are fractions of elements on equal axes."""
    from ase.data import atomic_numbers

    if not isinstance(composition, Mapping) or not composition:
        raise TypeError(
            "Expected composition as {element symbol: Signal2D}, got "
            f"{type(composition).__name__} {composition!r:.80}."
        )
    unknown = [element for element in composition if element not in atomic_numbers]
    if unknown:
        raise ValueError(
            "Expected composition as {element symbol: Signal2D}, got the keys "
            f"{list(composition)}; {unknown} are no chemical symbols."
        )
    grids = {element: image_grid(signal) for element, signal in composition.items()}
    first = next(iter(grids.values()))
    for element, grid in grids.items():
        if grid != first:
            raise ValueError(
                f"Expected all composition maps on the same axes; {element} has shape "
                f"{grid.shape} and pixels of {grid.pixel_size} nm from {grid.origin} "
                f"nm, {next(iter(grids))} {first.shape}, {first.pixel_size} and "
                f"{first.origin}."
            )
    check_fractions({e: np.asarray(s.data, float) for e, s in composition.items()})


def check_shared(numbers: np.ndarray, elements: list[int]) -> None:
    """Raise a ValueError if no atom is of an element of the composition."""
    from ase.data import chemical_symbols

    if not np.isin(numbers, elements).any():
        present, given = (
            ", ".join(chemical_symbols[number] for number in np.unique(group))
            for group in (numbers, elements)
        )
        raise ValueError(
            f"Expected the composition of elements of the model, which are {present}; "
            f"got {given}. Atoms of these elements are drawn anew, no others."
        )


def _check_overlap(grid: Any, positions: np.ndarray) -> None:
    """Most atoms must lie within the maps."""
    rows, columns = grid.to_pixels(positions)
    within = (
        (rows > -1)
        & (rows < grid.shape[0])
        & (columns > -1)
        & (columns < grid.shape[1])
    )
    if within.mean() < 0.5:
        low, high = grid.to_nm(0, 0), grid.to_nm(grid.shape[0] - 1, grid.shape[1] - 1)
        raise ValueError(
            "Expected composition maps that cover the model, from "
            f"{positions.min(axis=0).round(2).tolist()} to "
            f"{positions.max(axis=0).round(2).tolist()} nm (x, y); got maps from "
            f"{low.round(2).tolist()} to {high.round(2).tolist()} nm. Check their "
            "pixel size and offset."
        )
