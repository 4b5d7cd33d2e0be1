# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Micrographs with known strain for the benchmark of geometric phase analysis.

Columns are Gaussians of 0.045 nm on a background of a third of their mean, pixels 0.02
nm wide. In scenes of two layers the upper half is a film; its lattice is drawn from the
cell of the substrate, so that its truth is relative to the substrate. In scenes called
"interface" the atomic numbers of the columns change and their positions do not: all
strain that is measured there is false.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from hyperspy_t2t import frames
from hyperspy_t2t.data.displacements import (
    Displacement,
    EdgeDislocation,
    GaussianBump,
    Gradient,
    Uniform,
    coherent_epitaxy,
    relaxed_epitaxy,
    strained,
)
from hyperspy_t2t.data.synthetic import Region, Scan, synthetic_arrays
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.library import library_phase

Array = np.ndarray
PIXEL, PROBE, BACKGROUND = 0.02, 0.045, 0.33
FROM_BORDER, FROM_CORE = 1.5, 2.0
"""nm from frame and interface, and, unless said, from a dislocation, nearer than which
no scene is scored."""
OBLIQUE = ((1, -1, 1), (1, -1, -1))
"""111-type pair of the zone axis [110]."""


@dataclass(frozen=True)
class Scene:
    """A micrograph and what is true of it.

    Parameters
    ----------
    name
        One of :func:`scene_names`.
    image
        (ny, nx), in counts or intensity.
    pixel
        (x, y) in nm.
    labels
        (ny, nx); 1 is the substrate, 2 the film.
    beta
        ∂u/∂r relative to the lattice of the substrate, (ny, nx, 2, 2).
    pair
        Two g of the substrate in 1/nm, (2, 2).
    box
        Reference (left, top, right, bottom) in nm.
    candidates
        Phases for indexing, with their bulk cells.
    scored
        Where errors count, (ny, nx).
    """

    name: str
    image: Array
    pixel: tuple[float, float]
    labels: Array
    beta: Array
    pair: Array
    box: tuple[float, float, float, float]
    candidates: list[CrystalPhase]
    scored: Array

    def in_box(self) -> Array:
        """Pixels of the reference box, (ny, nx)."""
        x, y = _positions(self.labels.shape, self.pixel)
        left, top, right, bottom = self.box
        return (x >= left) & (x <= right) & (y >= top) & (y <= bottom)

    def within(self, margin: float) -> Array:
        """Pixels further than a margin in nm from the frame, (ny, nx)."""
        x, y = _positions(self.labels.shape, self.pixel)
        far_x = (x > margin) & (x < x.max() - margin)
        return far_x & (y > margin) & (y < y.max() - margin)

    def strain(self, reference: Array, *, blur: float = 0.0) -> Array:
        """exx, eyy, exy, rotation of ∂u/∂r, (4, ny, nx), from a reference's mean.

        A lattice with β against the substrate has I − β′ = (I − β₀)⁻¹(I − β) against
        a reference of mean β₀, since g of the reference is (I − β₀)ᵀ g.

        Parameters
        ----------
        reference
            Pixels of the reference, (ny, nx).
        blur
            Standard deviation in nm of a Gaussian average within each region.
        """
        identity = np.eye(2)
        mean = self.beta[reference].mean(axis=0)
        beta = identity - np.linalg.inv(identity - mean) @ (identity - self.beta)
        strain = frames.strain_components(identity + beta, convention="reference")
        return _blurred(strain, self.labels, blur, self.pixel) if blur else strain


@dataclass(frozen=True)
class _Plan:
    """Regions of a scene and how it is seen; lengths in nm."""

    regions: list[Region]
    candidates: list[CrystalPhase]
    hkl: tuple[tuple[int, int, int], ...] = OBLIQUE
    box: tuple[float, float, float, float] | None = None
    core: tuple[float, float] | None = None
    imaging: dict[str, Any] = field(default_factory=dict)


def scene_names() -> list[str]:
    """Names that :func:`draw` takes."""
    return list(_PLANS)


def draw(
    name: str,
    *,
    size: int = 1024,
    dose: float | None = None,
    seed: int = 0,
    from_core: float = FROM_CORE,
) -> Scene:
    """One scene of size × size pixels, noise-free without a dose (counts per pixel)."""
    pixel = (PIXEL, 1.15 * PIXEL) if name == "oblong_pixels" else (PIXEL, PIXEL)
    width, height = size * pixel[0], size * pixel[1]
    plan = _PLANS[name](width, height)
    scan = Scan(
        shape=(size, size),
        pixel_size=pixel,
        probe_size=PROBE,
        background=BACKGROUND,
        dose=dose,
        seed=seed,
        **plan.imaging,
    )
    image, truth = synthetic_arrays(plan.regions, scan)
    exx, eyy, exy, rotation = np.asarray(truth["strain"]["gpa"], float)
    beta = np.moveaxis(
        np.array([[exx, exy - rotation], [exy + rotation, eyy]]), (0, 1), (-2, -1)
    )
    margin = FROM_BORDER
    return Scene(
        name,
        image,
        pixel,
        truth["labels"],
        beta,
        _reference_g(truth["regions"]["region_1"], plan.hkl),
        plan.box or (margin, height / 2 + margin, width - margin, height - margin),
        plan.candidates,
        _scored(truth["labels"], pixel, plan.core, from_core),
    )


def _reference_g(region: dict[str, Any], hkl: Any) -> Array:
    """g of the undistorted lattice with these indices, (2, 2)."""
    rows = [np.flatnonzero((region["hkl"] == one).all(axis=1))[0] for one in hkl]
    return region["g_reference"][rows]


def _positions(
    shape: tuple[int, int], pixel: tuple[float, float]
) -> tuple[Array, Array]:
    """x (1, nx) and y (ny, 1) of the pixels in nm."""
    return np.arange(shape[1])[None] * pixel[0], np.arange(shape[0])[:, None] * pixel[1]


def _scored(
    labels: Array,
    pixel: tuple[float, float],
    core: tuple[float, float] | None,
    from_core: float,
) -> Array:
    """Pixels far enough from frame, interfaces and a dislocation."""
    from scipy.ndimage import distance_transform_edt

    inside = np.zeros(tuple(n + 2 for n in labels.shape), bool)
    inside[1:-1, 1:-1] = True
    for axis in (0, 1):
        step = np.diff(labels, axis=axis) != 0
        first = inside[1:-1, 1:-1]
        first[: -1 if axis == 0 else None, : -1 if axis == 1 else None] &= ~step
    far = distance_transform_edt(inside, sampling=pixel[::-1])[1:-1, 1:-1]
    far = far > FROM_BORDER
    if core is not None:
        x, y = _positions(labels.shape, pixel)
        far &= np.hypot(x - core[0], y - core[1]) > from_core
    return far


def _blurred(
    strain: Array, labels: Array, sigma: float, pixel: tuple[float, float]
) -> Array:
    """Gaussian average within each region."""
    from scipy.ndimage import gaussian_filter

    widths = (sigma / pixel[1], sigma / pixel[0])
    out = np.empty_like(strain)
    for label in np.unique(labels):
        mask = labels == label
        weight = np.maximum(gaussian_filter(mask.astype(float), widths), 1e-9)
        for component, target in zip(strain, out, strict=True):
            mean = gaussian_filter(np.where(mask, component, 0.0), widths) / weight
            target[mask] = mean[mask]
    return out


# Scenes -----------------------------------------------------------------------------


def _layers(
    width: float,
    height: float,
    *,
    film: Callable[..., Displacement],
    substrate_phase: str = "Si diamond",
    film_phase: str = "Ge diamond",
    zone_axis: tuple[int, int, int] = (1, 1, 0),
    rotation: float = -90.0,
    mismatch: float = 0.0,
    hkl: Any = OBLIQUE,
    **imaging: Any,
) -> _Plan:
    """Film above substrate, drawn from the cell of the substrate."""
    middle = height / 2
    substrate = library_phase(substrate_phase)
    element = library_phase(film_phase)
    drawn = replace(element, cell=substrate.cell, name=f"{film_phase}, film")
    scale = np.array([1 + mismatch] * 3 + [1.0] * 3)
    bulk = replace(drawn, cell=tuple(float(v) for v in substrate.cell * scale))
    outline = [(-width, -height), (2 * width, -height), (2 * width, middle),
               (-width, middle)]  # fmt: skip
    at = {"origin": (width / 2, middle), "rotation": rotation}
    regions = [
        Region(substrate, zone_axis, name="substrate", **at),
        Region(
            drawn,
            zone_axis,
            outline=outline,
            displacement=film((width / 2, middle)),
            name="film",
            **at,
        ),
    ]
    same = film_phase == substrate_phase and mismatch == 0
    candidates = [substrate] if same else [substrate, bulk]
    return _Plan(regions, candidates, hkl, imaging=imaging)


def _coherent(mismatch: float) -> Callable[..., Displacement]:
    return lambda middle: coherent_epitaxy(mismatch, interface=middle)


def _relaxed(mismatch: float) -> Callable[..., Displacement]:
    return lambda middle: relaxed_epitaxy(mismatch, origin=middle)


def _turned(middle: tuple[float, float]) -> Displacement:
    return strained(rotation=30.0, origin=middle)


def _general(middle: tuple[float, float]) -> Displacement:
    return strained(0.10, -0.05, 0.03, origin=middle)


def _unstrained(middle: tuple[float, float]) -> Displacement:
    return Uniform()


def _silicon(
    displacement: Displacement, box: Any, *, rotation: float = -90.0, core: Any = None
) -> _Plan:
    """One region of Si [110]."""
    silicon = library_phase("Si diamond")
    region = Region(silicon, (1, 1, 0), rotation, displacement=displacement)
    return _Plan([region], [silicon], box=box, core=core)


def _lowest(width: float, height: float) -> tuple[float, float, float, float]:
    """Reference in the lowest quarter."""
    return FROM_BORDER, 0.72 * height, width - FROM_BORDER, height - FROM_BORDER


def _bump(width: float, height: float) -> _Plan:
    """Gaussian displacement whose steepest strain is 2 %."""
    sigma = 0.085 * height
    reach = 0.02 * sigma * np.exp(0.5) / np.sqrt(2)
    centre = (0.5 * width, 0.36 * height)
    return _silicon(GaussianBump((reach, reach), centre, sigma), _lowest(width, height))


def _gradient(width: float, height: float) -> _Plan:
    """eyy that grows upwards to 2 %, and none at the bottom."""
    return _silicon(
        Gradient(-0.02 / height, 90.0, origin=(0.0, height)), _lowest(width, height)
    )


def _dislocation(width: float, height: float) -> _Plan:
    """Burgers vector ½⟨110⟩ along x."""
    burgers = library_phase("Si diamond").cell[0] / 10 / np.sqrt(2)
    centre = (0.5 * width + 0.04, 0.5 * height + 0.03)
    return _silicon(
        EdgeDislocation((burgers, 0.0), centre, 0.28),
        _lowest(width, height),
        rotation=90.0,
        core=centre,
    )


def _flat(width: float, height: float) -> _Plan:
    return _silicon(Uniform(), _lowest(width, height))


_EPITAXY = partial(_layers, film=_coherent(0.01), mismatch=0.01)
_INTERFACE = partial(_layers, film=_unstrained, substrate_phase="GaAs zincblende")
_PLANS: dict[str, Callable[[float, float], _Plan]] = {
    "epi1": _EPITAXY,
    "SrTiO3": partial(
        _layers,
        film=_coherent(0.01),
        mismatch=0.01,
        substrate_phase="SrTiO3 cubic perovskite",
        film_phase="SrTiO3 cubic perovskite",
        zone_axis=(0, 0, 1),
        rotation=0.0,
        hkl=((1, 0, 0), (0, 1, 0)),
    ),
    "bump": _bump,
    "gradient": _gradient,
    "dislocation": _dislocation,
    "flat": _flat,
    "turned": partial(_EPITAXY, rotation=-67.0),
    "jitter": partial(_EPITAXY, row_jitter=0.5),
    "oblong_pixels": _EPITAXY,
    "general10": partial(_layers, film=_general, film_phase="Si diamond"),
    "rotation30": partial(_layers, film=_turned, film_phase="Si diamond"),
    **{
        f"{kind}{100 * f:g}": partial(_layers, film=field_of(f), mismatch=f)
        for kind, field_of in (("coherent", _coherent), ("relaxed", _relaxed))
        for f in (0.005, 0.01, 0.04, 0.10)
    },
    "interface_InAs": partial(_INTERFACE, film_phase="InAs zincblende"),
    "interface_AlAs": partial(_INTERFACE, film_phase="AlAs zincblende"),
    "interface_ZnSe": partial(_INTERFACE, film_phase="ZnSe zincblende"),
    "interface_Ge": partial(_INTERFACE, film_phase="Ge diamond"),
}
