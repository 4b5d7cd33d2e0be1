# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The composition of a model: from maps, or region by region."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from hyperspy_t2t.calibration import ImageGrid, image_grid
from hyperspy_t2t.composition.drawing import Arrangement
from hyperspy_t2t.composition.fractions import check_fractions, z_contrast
from hyperspy_t2t.composition.region_drawing import (
    LEAST,
    RegionColumns,
    RegionDrawing,
    WantedFractions,
    composition_report,
    draw_region,
)
from hyperspy_t2t.composition.registration import CERTAIN, Registration, locate
from hyperspy_t2t.composition.sampling import covered_share, samples_at
from hyperspy_t2t.composition.sublattices import no_site, sublattices, symbols
from hyperspy_t2t.signals._carried.companions import as_dask, user_level

_LARGEST = 2048
"""Pixels along a side of the micrograph that is compared, about."""
_LEAST_COVERED = 0.1
"""Share of the image that maps must cover."""
_ORDER_REACHED = 0.02
"""Difference from the wanted short-range order that is not worth a warning."""


@dataclass(frozen=True)
class CompositionMaps:
    """Maps of fractions in the frame of the micrograph.

    Parameters
    ----------
    fractions, variances
        Shape (k, ny, nx), NaN where unknown; variances may be missing.
    grid
        Their pixels in nm of the micrograph.
    """

    fractions: np.ndarray
    variances: np.ndarray | None
    grid: ImageGrid


@dataclass(frozen=True)
class Composition:
    """What a user said of the composition.

    Parameters
    ----------
    elements
        Atomic numbers, length k.
    maps
        Or None if it is given region by region.
    of_regions
        Fractions by label and atomic number, empty with maps.
    registration
        How the maps were placed, for metadata; empty without.
    """

    elements: tuple[int, ...]
    maps: CompositionMaps | None
    of_regions: dict[int, dict[int, float]]
    registration: dict[str, Any]

    @classmethod
    def of(
        cls, composition: Any, *, register: Any = None, source: Any,
        contrast: str = "bright",
    ) -> "Composition":  # fmt: skip
        """Check what the user gave and place maps on the micrograph.

        Parameters
        ----------
        composition
            ``{element: Signal2D}`` or ``{label: {element: fraction}}``.
        register
            None, a survey image (Signal2D) or "contrast".
        source
            With `image`, `labels` and `grid` of the micrograph.
        contrast
            Whether heavy atoms are "bright" or "dark".
        """
        check_is_composition(composition)
        if _is_label(next(iter(composition))):
            if register is not None:
                raise ValueError(
                    "Expected register=None with a composition of regions, which needs "
                    f"no place, got register={register!r:.60}."
                )
            elements, of_regions = _of_regions(composition)
            return cls(elements, None, of_regions, {})
        check_composition(composition)
        elements, maps = _of_maps(composition)
        registration: dict[str, Any] = {}
        if register is not None:
            maps, registration = _registered(maps, elements, register, source, contrast)
        _check_on_image(maps.grid, source.grid)
        return cls(elements, maps, {}, registration)

    def fractions_at(self, positions: np.ndarray, label: int) -> np.ndarray:
        """Fractions (k, n) of all `elements` in a region, at (x, y) in nm (n, 2).

        NaN where unknown.
        """
        wanted = self._wanted(positions, label)
        shape = (len(self.elements), len(positions))
        result = np.full(shape, 0.0 if wanted.elements else np.nan)
        result[[self.elements.index(e) for e in wanted.elements]] = wanted.fractions
        return result

    def _wanted(self, positions: np.ndarray, label: int) -> WantedFractions:
        if self.maps is None:
            given = self.of_regions.get(int(label), {})
            values = np.array(list(given.values()), float)[:, None]
            return WantedFractions(
                tuple(given), np.broadcast_to(values, (len(given), len(positions)))
            )
        maps = self.maps
        known = np.isfinite(maps.fractions).all(axis=0)
        samples = samples_at(maps.grid, known, positions)
        fractions = samples.of(maps.fractions)
        fractions[:, ~samples.known] = np.nan
        variances = maps.variances
        if variances is not None:
            variances = variances.reshape(len(variances), -1)
        return WantedFractions(self.elements, fractions, samples, variances)

    def draw(
        self,
        regions: Sequence[RegionColumns],
        *,
        seed: int,
        arrangement: Arrangement = "random",
        order: float = 0.0,
        atoms: Callable[[int], np.ndarray] | None = None,
        periods: Sequence[float] | None = None,
    ) -> tuple[list[np.ndarray], dict[str, Any]]:
        """Draw the elements of all atoms of a model.

        Parameters
        ----------
        regions
            One for each region of the model.
        seed
            Of the random numbers.
        arrangement, order
            See :func:`hyperspy_t2t.composition.region_drawing.draw_region`.
        atoms
            Gives the positions in Å, shape (n, 3), of the atoms of ``regions[i]``, in
            the order of the columns. Called only if `order` is not 0.
        periods
            Length along z in Å after which each region repeats; 0 if it does not.

        Returns
        -------
        numbers
            Atomic numbers, uint8, of the atoms of each region, column by column; 0 for
            an atom that stays what it is.
        report
            For ``metadata.AtomicModel.composition``.
        """
        self._check_places(regions)
        drawings = []
        for index, region in enumerate(regions):
            wanted = self._wanted(region.position, region.label)
            drawings.append(
                draw_region(
                    region, wanted, seed=seed + 1000 * int(region.label),
                    arrangement=arrangement, order=order,
                    atoms=None if atoms is None else _positions(atoms, index),
                    period=None if periods is None else periods[index] or None,
                )
            )  # fmt: skip
        _warn(regions, drawings, self.maps is not None, order)
        return [d.numbers for d in drawings], composition_report(regions, drawings)

    def _check_places(self, regions: Sequence[RegionColumns]) -> None:
        """Labels must exist and each element must have a site somewhere."""
        labels = [int(region.label) for region in regions]
        unknown = [label for label in self.of_regions if label not in labels]
        if unknown:
            raise ValueError(
                "Expected the composition of regions of the model, which are "
                f"{labels}, got {unknown}. Only regions with a phase have atoms."
            )
        for element in self.elements:
            given = [
                region for region in regions
                if self.maps or element in self.of_regions.get(int(region.label), ())
            ]  # fmt: skip
            parts = [part for r in given for part in sublattices(r.sites, [element])]
            if not any(part.elements for part in parts) and any(
                self._mean_of(element, region) > LEAST for region in given
            ):
                raise ValueError(no_site(element, {r.phase: r.sites for r in given}))

    def _mean_of(self, element: int, region: RegionColumns) -> float:
        """Mean fraction of an element in a region, from some of its columns."""
        some = region.position[:: 1 + len(region.position) // 2000]
        values = self.fractions_at(some, region.label)[self.elements.index(element)]
        known = np.isfinite(values)
        return float(values[known].mean()) if known.any() else 0.0


def check_is_composition(composition: Any) -> None:
    """Raise a TypeError unless this maps elements to images or labels to fractions."""
    wanted = (
        "Expected composition as {element symbol: Signal2D} or "
        '{region label: {"Si": 0.3, "Ge": 0.7}}, got '
    )
    if not isinstance(composition, Mapping) or not composition:
        raise TypeError(f"{wanted}{type(composition).__name__} {composition!r:.80}.")
    kinds = {_is_label(key) for key in composition}
    if len(kinds) > 1:
        raise TypeError(f"{wanted}both in one, with the keys {list(composition)}.")
    for key, value in composition.items():
        if isinstance(value, Mapping) != _is_label(key):
            raise TypeError(f"{wanted}{key!r}: {type(value).__name__}.")


def _is_label(key: Any) -> bool:
    return isinstance(key, Integral) and not isinstance(key, bool)


def check_composition(composition: Any) -> None:
    """Raise an error unless these are fractions of elements on equal axes."""
    check_is_composition(composition)
    _atomic_numbers(composition)
    _equal_grids(composition)
    check_fractions({e: np.asarray(s.data, float) for e, s in composition.items()})


def _atomic_numbers(elements: Any) -> tuple[int, ...]:
    """Atomic numbers of chemical symbols, or an error that names the unknown ones."""
    from ase.data import atomic_numbers

    unknown = [e for e in elements if e not in atomic_numbers or e == "X"]
    if unknown:
        raise ValueError(
            f"Expected chemical symbols such as 'Si', got {list(elements)}; {unknown} "
            "are no elements."
        )
    return tuple(atomic_numbers[element] for element in elements)


def _of_regions(
    composition: Mapping[int, Mapping[str, float]],
) -> tuple[tuple[int, ...], dict[int, dict[int, float]]]:
    """Elements, and fractions by label and atomic number, checked."""
    result = {}
    for label, given in composition.items():
        numbers = _atomic_numbers(given)
        wrong = [v for v in given.values() if not isinstance(v, Real)]
        if wrong or not given:
            raise TypeError(
                f"Expected numbers as fractions of region {label}, got {dict(given)!r}."
            )
        if np.isnan(list(given.values())).any():
            raise ValueError(
                f"Expected the fractions of region {label} as numbers from 0 to 1, got "
                f"NaN: {dict(given)!r}. Leave a region out if its composition is "
                "unknown."
            )
        try:
            check_fractions({e: np.array([float(v)]) for e, v in given.items()})
        except ValueError as error:
            raise ValueError(f"Region {label}: {error}") from None
        result[int(label)] = dict(zip(numbers, map(float, given.values()), strict=True))
    elements = sorted({number for given in result.values() for number in given})
    return tuple(elements), result


def _of_maps(
    composition: Mapping[str, Any],
) -> tuple[tuple[int, ...], CompositionMaps]:
    """Elements and their maps as arrays on their own axes."""
    grid = image_grid(next(iter(composition.values())))
    values = np.stack([np.asarray(s.data, float) for s in composition.values()])
    spread = [_variance(signal, grid.shape) for signal in composition.values()]
    known = [one for one in spread if one is not None]
    variances = np.stack(known) if len(known) == len(spread) else None
    return _atomic_numbers(composition), CompositionMaps(values, variances, grid)


def _variance(signal: Any, shape: tuple[int, int]) -> np.ndarray | None:
    """Variance of each pixel that HyperSpy's metadata hold, if they do."""
    variance = signal.metadata.get_item("Signal.Noise_properties.variance")
    if variance is None:
        return None
    values = np.asarray(getattr(variance, "data", variance), float)
    return np.broadcast_to(values, shape).astype(float)


def _equal_grids(maps: Mapping[str, Any]) -> dict[str, ImageGrid]:
    """Pixels of all maps, or an error if they differ."""
    grids = {element: image_grid(signal) for element, signal in maps.items()}
    name, first = next(iter(grids.items()))
    for element, grid in grids.items():
        if grid != first:
            raise ValueError(
                f"Expected all composition maps on the same axes; {element} has shape "
                f"{grid.shape} and pixels of {grid.pixel_size} nm from {grid.origin} "
                f"nm, {name} {first.shape}, {first.pixel_size} and {first.origin}."
            )
    return grids


def _registered(
    maps: CompositionMaps, elements: tuple[int, ...], given: Any, source: Any,
    contrast: str,
) -> tuple[CompositionMaps, dict[str, Any]]:  # fmt: skip
    """Maps moved to where a survey image, or their own contrast, is found."""
    image, pixels = _coarse(source.image, source.grid)
    if isinstance(given, str):
        if given != "contrast":
            raise ValueError(
                f"Expected register=None, a survey image or 'contrast', got {given!r}."
            )
        expected = z_contrast(maps.fractions, np.array(elements))
        moving = -expected if contrast == "dark" else expected
        method, grid = "contrast", maps.grid
    else:
        grid, method = image_grid(given), "survey"
        moving = np.asarray(given.data, float)
    found = locate(moving, grid, image, pixels)
    if found.certainty < CERTAIN:
        warnings.warn(
            f"The composition maps were moved by {_vector(found.moved)} nm (x, y) to "
            f"fit the micrograph, with a certainty of {found.certainty:.2f} only: "
            "other places fit as well, as in periodic images. Compare "
            "metadata.AtomicModel.registration with what you know, or set the axes "
            "of the maps and use register=None.",
            stacklevel=user_level(),
        )
    placed = CompositionMaps(maps.fractions, maps.variances, found.applied(maps.grid))
    return placed, _registration_node(found, method)


def _coarse(image: Any, grid: ImageGrid) -> tuple[np.ndarray, ImageGrid]:
    """An image in memory, averaged chunk by chunk if it is large."""
    step = max(1, *(size // _LARGEST for size in grid.shape))
    if step > 1:
        import dask.array as da

        image = da.coarsen(
            np.mean, as_dask(image), {0: step, 1: step}, trim_excess=True
        )
        size, start = np.array(grid.pixel_size), np.array(grid.origin)
        grid = ImageGrid(
            image.shape,
            tuple((step * size).tolist()),
            tuple((start + (step - 1) / 2 * size).tolist()),
        )
    return np.asarray(image, float), grid


def _registration_node(found: Registration, method: str) -> dict[str, Any]:
    """For ``metadata.AtomicModel.registration``; lengths in nm."""
    return {
        "method": method,
        "moved": np.array(found.moved),
        "std": np.array(found.std),
        "shift": np.array(found.shift),
        "scale": found.scale,
        "certainty": found.certainty,
        "correlation": found.correlation,
        "units": "nm",
    }


def _check_on_image(maps: ImageGrid, image: ImageGrid) -> None:
    """Raise a ValueError unless the maps cover enough of the image."""
    rows, columns = (np.linspace(0, n - 1, 50) for n in image.shape)
    places = image.to_nm(*np.meshgrid(rows, columns, indexing="ij")).reshape(-1, 2)
    if covered_share(maps, places) < _LEAST_COVERED:
        raise ValueError(
            "Expected composition maps that overlap the micrograph, which extends "
            f"over {_extent(image)}; got maps over {_extent(maps)}. Check their pixel "
            "size and offset, or place them with register=<survey image> or "
            "register='contrast'."
        )


def _extent(grid: ImageGrid) -> str:
    """Outer edges of an image as text."""
    (left, top), (right, bottom) = (
        grid.to_nm(-0.5, -0.5),
        grid.to_nm(grid.shape[0] - 0.5, grid.shape[1] - 0.5),
    )
    return f"x {left:.4g} to {right:.4g} nm and y {top:.4g} to {bottom:.4g} nm"


def _vector(values: Sequence[float]) -> str:
    return "(" + ", ".join(f"{value:.3g}" for value in values) + ")"


def _positions(
    atoms: Callable[[int], np.ndarray], index: int
) -> Callable[[], np.ndarray]:
    return lambda: atoms(index)


def _warn(
    regions: Sequence[RegionColumns],
    drawings: Sequence[RegionDrawing],
    maps: bool,
    order: float,
) -> None:
    """Tell of regions that stay or whose fractions came from elsewhere."""
    notes = []
    for region, drawing in zip(regions, drawings, strict=True):
        name, total = f"region {region.label} ({region.phase})", len(region.site)
        if not drawing.wanted and maps and total:
            notes.append(
                f"{name} stays as it is: its sites of "
                f"{symbols(np.unique(region.sites))} got no fractions"
            )
        elif drawing.left_out > 0.05:
            notes.append(
                f"{100 * drawing.left_out:.0f} % of what the maps have in {name} are "
                "elements that have no site there; the others are scaled up"
            )
        if drawing.wanted and drawing.unknown > 0.1 * total:
            notes.append(
                f"{drawing.unknown} of {total} columns of {name} have unknown "
                "fractions and took those of the nearest known ones"
            )
        for reached in drawing.order:
            if abs(reached - order) > _ORDER_REACHED:
                notes.append(
                    f"the short-range order of {name} is {reached:.3f} instead of "
                    f"{order:g}, which its lattice or composition can't have"
                )
    if notes:
        warnings.warn(
            "Composition: " + "; ".join(notes) + ". See "
            "metadata.AtomicModel.composition.",
            stacklevel=user_level(),
        )
