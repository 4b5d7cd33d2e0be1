# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Regions of synthetic micrographs with the frequencies that their spectra hold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from hyperspy_t2t.array_types import Array, Bools
from hyperspy_t2t.data.scenes import voronoi_cells
from hyperspy_t2t.data.synthetic import synthetic_arrays
from hyperspy_t2t.data.synthetic_regions import Region, inside
from hyperspy_t2t.data.synthetic_scan import Scan

Kind = Literal[
    "crystal", "polycrystal", "pair", "stripe", "wedge", "particle", "amorphous",
    "empty",
]  # fmt: skip
KINDS: tuple[str, ...] = get_args(Kind)
ZONE_AXES = ((0, 0, 1), (1, 1, 0), (1, 1, 1), (1, 1, 2), (1, 0, 0), (0, 1, 2))
_NEAR, _FAR = 3.5, 9.0
"""Distances from a reflection, in spectral pixels, between which noise is measured:
outside of what a Hann window spreads, and close by."""


@dataclass(frozen=True, eq=False)
class LabelledSpectrum:
    """One region and what its spectrum holds."""

    image: Array
    """Grey values, (ny, nx)."""
    mask: Bools
    """The region, same shape."""
    pixel_size: tuple[float, float]
    """(sy, sx) in nm."""
    g: Array
    """All reflections of its crystals, (gx, gy) in 1/nm, both ±g, (n, 2)."""
    snr: Array
    """Power of each without noise over the mean power of the noise there, (n,)."""
    kind: str


def labelled_spectrum(
    kind: Kind,
    *,
    phases: Sequence[str],
    window: Callable[..., Array],
    scan: Scan,
    seed: int,
    separation: float = 0.02,
    contamination: float = 0.0,
) -> LabelledSpectrum:
    """Draw a region with crystals of random phase and orientation.

    Parameters
    ----------
    kind
        "crystal" fills the field; "polycrystal" has four grains of two phases in one
        region; "pair" two equally turned crystals that differ by `separation`, half a
        field each; "stripe", "wedge" and "particle" (12 nm, or most of the field if
        that is smaller) are one crystal within another region; "amorphous" has
        atoms at random and "empty" none.
    phases
        Names in the phase library to draw from.
    window
        Function of a mask and ``pixel_size=`` (sy, sx) that gives the weights through
        which the region is seen, as :func:`hyperspy_t2t.peaks.window.region_window`.
    scan
        Imaging conditions; its seed is replaced.
    seed
        Of everything that is random.
    separation
        Relative difference of the lattices of a pair.
    contamination
        Thickness in nm of an amorphous film over everything.

    Returns
    -------
    LabelledSpectrum
        The signal-to-noise ratio counts as noise all that is not a crystal at rest:
        shot noise, jitter of the rows and amorphous matter.
    """
    if kind not in KINDS:
        raise ValueError(f"Expected a kind among {', '.join(KINDS)}; got {kind!r}.")
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    scan = replace(scan, seed=int(rng.integers(2**31)))
    size = np.array(scan.shape[::-1]) * scan.pixel_size
    regions, outline = _regions(kind, list(phases), size, separation, rng)
    if contamination > 0:
        film = _film(rng, name="over all")
        regions.append(replace(film, thickness=contamination, overlay=True))
    image, truth = synthetic_arrays(regions, scan)
    mask = _mask(outline, scan)
    step = scan.pixel_size[::-1]
    seen = [truth["regions"][f"region_{k + 1}"] for k in range(len(regions))]
    inner = [k for k, region in enumerate(regions) if region.name == "inner"]
    found = [seen[k]["g_image"] for k in inner if "g_image" in seen[k]]
    if not found:
        return LabelledSpectrum(image, mask, step, np.empty((0, 2)), np.empty(0), kind)
    g = np.concatenate(found)
    still = _expected(regions, scan, truth["imaging"]["counts_per_intensity"])
    weights = window(mask, pixel_size=step)
    snr = _signal_to_noise(image, still, weights, step, g)
    # Jitter leaves this much of a wave in step: ⟨exp(2πi gx δ)⟩².
    snr *= np.exp(-((2 * np.pi * g[:, 0] * scan.row_jitter * scan.step) ** 2))
    return LabelledSpectrum(image, mask, step, g, snr, kind)


def _regions(
    kind: str, phases: list[str], size: Array, separation: float, rng
) -> tuple[list[Region], Array | None]:
    """What is drawn, and the outline of the region in nm (None: the whole field)."""
    if kind == "empty":
        return [Region(name="inner")], None
    if kind == "amorphous":
        return [_film(rng, name="inner")], None
    if kind == "crystal":
        return [_crystal(phases, rng)], None
    if kind == "polycrystal":
        pair = rng.choice(phases, 2)
        cells = voronoi_cells(4, size, rng)
        return [
            _crystal([pair[k % 2]], rng, outline=cell, thickness=rng.uniform(9, 11))
            for k, cell in enumerate(cells)
        ], None
    if kind == "pair":
        from hyperspy_t2t.data.displacements import strained

        first = _crystal(phases, rng)
        field = strained(exx=separation, eyy=separation, origin=tuple(size / 2))
        half = _band(size, 0.5, 2.0, 0.0)
        return [first, replace(first, outline=half, displacement=field)], None
    outline = _outline(kind, size, rng)
    around = rng.choice(["vacuum", "film", "crystal"])
    back = {
        "vacuum": lambda: Region(name="around"),
        "film": lambda: _film(rng, name="around"),
        "crystal": lambda: _crystal(phases, rng, name="around"),
    }[around]()
    return [back, _crystal(phases, rng, outline=outline)], outline


def _crystal(phases: list[str], rng: np.random.Generator, **options) -> Region:
    return Region(
        str(rng.choice(phases)),
        ZONE_AXES[rng.integers(len(ZONE_AXES))],
        float(rng.uniform(0, 360)),
        origin=tuple(rng.uniform(0, 1, 2)),
        **{"name": "inner", "thickness": float(rng.uniform(5, 15)), **options},
    )


def _film(rng: np.random.Generator, name: str) -> Region:
    return Region(
        "amorphous",
        thickness=float(rng.uniform(3, 12)),
        element=str(rng.choice(["C", "Si", "Ge"])),
        density=float(rng.uniform(40, 90)),
        minimum_distance=float(rng.uniform(0.12, 0.18)),
        name=name,
    )


def _outline(kind: str, size: Array, rng: np.random.Generator) -> Array:
    """Of a stripe, wedge or particle, (n, 2) nm."""
    angle = rng.uniform(0, np.pi)
    if kind == "stripe":
        return _band(size, 0.5 - rng.uniform(0.1, 0.2), 0.5 + rng.uniform(0.1, 0.2),
                     angle)  # fmt: skip
    if kind == "wedge":
        opening = np.deg2rad(rng.uniform(25, 60))
        far = 3 * size.max()
        tip = size / 2 - 0.4 * size.min() * np.array([np.cos(angle), np.sin(angle)])
        sides = [angle - opening / 2, angle + opening / 2]
        return np.array([tip, *(tip + far * np.array([np.cos(a), np.sin(a)])
                                for a in sides)])  # fmt: skip
    radius = min(6.0, 0.4 * size.min())
    turn = 2 * np.pi * np.arange(40) / 40
    centre = size / 2 + rng.uniform(-0.05, 0.05, 2) * size
    return centre + radius * np.stack([np.cos(turn), np.sin(turn)], -1)


def _band(size: Array, low: float, high: float, angle: float) -> Array:
    """Band between two shares of the field, turned about its centre, (4, 2) nm."""
    far, extent = 3 * size.max(), size.min()
    low, high = (low - 0.5) * extent, (high - 0.5) * extent
    corners = np.array([[-far, low], [far, low], [far, high], [-far, high]])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return size / 2 + corners @ turn.T


def _mask(outline: Array | None, scan: Scan) -> Bools:
    """Pixels in an outline as the nominal image shows it."""
    if outline is None:
        return np.ones(scan.shape, bool)
    y, x = np.indices(scan.shape)
    nominal = np.stack([x * scan.pixel_size[0], y * scan.pixel_size[1]], -1)
    specimen = nominal.reshape(-1, 2) @ scan.matrix.T
    return inside(specimen[:, 0], specimen[:, 1], outline).reshape(scan.shape)


def _expected(regions: list[Region], scan: Scan, factor: float) -> Array:
    """The crystals alone as a scan without noise and jitter shows them."""
    crystals = [
        replace(region, phase=None) if region.kind == "amorphous" else region
        for region in regions
    ]
    still = replace(scan, dose=None, detector_noise=0, row_jitter=0, background=0)
    return factor * synthetic_arrays(crystals, still)[0].astype(float)


def _signal_to_noise(
    image: Array, still: Array, weights: Array, step: tuple[float, float], g: Array
) -> Array:
    """Power of `still` at each g over the mean power of the rest of `image` nearby."""
    from scipy.fft import fft2

    def level(values: Array) -> Array:
        return weights * (values - (weights * values).sum() / weights.sum())

    y, x = (np.arange(n) * s for n, s in zip(image.shape, step, strict=True))
    wave_y = np.exp(-2j * np.pi * np.outer(g[:, 1], y))
    wave_x = np.exp(-2j * np.pi * np.outer(x, g[:, 0]))
    signal = np.abs(np.einsum("gy,yg->g", wave_y, level(still) @ wave_x)) ** 2
    noise = np.abs(fft2(level(image - still))) ** 2
    reach = int(_FAR)
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    ring = np.abs(np.hypot(dy, dx) - (_NEAR + _FAR) / 2) <= (_FAR - _NEAR) / 2
    rows, columns = (
        np.rint(g[:, axis] * n * s).astype(int)
        for axis, n, s in zip((1, 0), image.shape, step, strict=True)
    )
    around = noise[
        (rows[:, None] + dy[ring]) % image.shape[0],
        (columns[:, None] + dx[ring]) % image.shape[1],
    ]
    return signal / np.maximum(around.mean(axis=1), 1e-300)
