# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Measuring the lattices of a micrograph: noise, resolution, displacement, errors."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from hyperspy_t2t.array_types import pair
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.signals._carried.source import LARGEST_WINDOW, RegionImage, Source
from hyperspy_t2t.signals._strain.reference import Box, box_pixels
from hyperspy_t2t.strain.continuation import core
from hyperspy_t2t.strain.counting_noise import FringeNoise
from hyperspy_t2t.strain.demodulation import coarse_grid
from hyperspy_t2t.strain.fringes import FringeImage, Fringes
from hyperspy_t2t.strain.gpa import (
    PhaseField,
    neighbour_field,
    phase_field,
)
from hyperspy_t2t.strain.lattice_fit import local_gradient
from hyperspy_t2t.strain.limits import check_resolution, resolution_limits
from hyperspy_t2t.strain.maps import FAINTEST
from hyperspy_t2t.strain.probe import DEPTH, probe, resolution_within
from hyperspy_t2t.strain.resolution import (
    COARSEST,
    ExpectedErrors,
    expected_errors,
)
from hyperspy_t2t.strain.row_jitter import row_jitter
from hyperspy_t2t.strain.row_noise import RowNoise
from hyperspy_t2t.strain.sampled_parts import joined, sampled_parts, thinned
from hyperspy_t2t.strain.setup import (
    Domain,
    finest_resolution,
    noise_amplitude,
    own_g_vectors,
)

_PROBED = 32
"""Longest side of the part of the reference that tells of its noise, in σ."""
_DEEP = 8.0
"""Coarse pixels, half a σ each, from an outline on from which blur is judged."""
_FEW = 8
"""Independent places of 4πσ² that a box needs to tell its noise."""
_MARGIN = 5
"""What is read around it, in σ."""


@dataclass(frozen=True)
class Setup:
    """How one lattice is to be measured.

    Parameters
    ----------
    domain
        Reference, members and g.
    resolution
        Standard deviation of the average in nm, the finest one if it is to be chosen.
    coarsest
        The coarsest resolution to choose, in nm; None if it is given.
    nodes
        Further g of its lattice in 1/nm, shape (m, 2): all tell of the noise.
    usable
        Which of them may measure strain, shape (m,).
    spots
        Of the members, by label, to see which are strongly mismatched.
    strength
        Structure factors of the domain's g and of the nodes over that of all sites in
        phase, to take the width of columns out; None where it needn't be.
    device
        Where the fringes are measured: "cpu", or a device of PyTorch.
    """

    domain: Domain
    resolution: float
    coarsest: float | None
    nodes: np.ndarray
    usable: np.ndarray
    spots: dict = field(default_factory=dict)
    strength: np.ndarray | None = None
    device: Any = "cpu"


@dataclass(frozen=True)
class Measured:
    """A lattice as measured.

    Parameters
    ----------
    domain
        Reference, members and g.
    field
        Displacement, gradient and their errors.
    noise
        Of its fringes.
    resolution, reason
        In nm, and why.
    faintest
        Relative amplitude of fringes below which strain is not trusted.
    """

    domain: Domain
    field: PhaseField
    noise: FringeNoise
    resolution: float
    reason: str
    faintest: float


def measured(source: Source, setup: Setup, box: Box | None) -> Iterator[Measured]:
    """The lattice of a setup, then each strongly mismatched member on its own.

    The reference is its region, cut by a box.
    """
    sigma = setup.resolution
    check_resolution(sigma, setup.domain.g_vectors, source.grid)
    part = _reference_part(source, setup, box)
    rows = row_jitter(
        part.image, part.grid, setup.domain.g_vectors[:2], reference=part.mask,
        resolution=sigma,
    )  # fmt: skip
    domain, noise, width = _probed(source, part, setup, rows)
    reason = "chosen by the user"
    if setup.coarsest is not None:
        coarsest = min(setup.coarsest, max(sigma, _depth(source, domain, sigma) / 2))
        errors = _errors(source, domain, noise, replace(setup, coarsest=coarsest))
        reason = _why(errors)
        sigma = float(errors.resolution[errors.best])
        if errors.best > 0 and setup.usable.any():
            # More fringes stand out of less noise.
            again_at = replace(setup, resolution=sigma)
            part = _reference_part(source, again_at, box)
            domain, again, width = _probed(source, part, again_at, rows)
            noise = replace(noise, products=again.products)
    fringes = FringeImage(
        source.image, source.grid, domain.g_vectors, sigma, setup.device, width
    )
    found = _field(source, domain, fringes, noise, box)
    limit = _faintest(noise, sigma, found)
    own = _mismatched(domain, setup.spots, sigma)
    rest = replace(domain, members=tuple(m for m in domain.members if m not in own))
    yield Measured(rest, found, noise, sigma, reason, limit)
    labels = source.labels_at(found.grid) if own else None
    for label, g_vectors in own.items():
        neighbour = neighbour_field(
            replace(fringes, g_vectors=g_vectors),
            found,
            inside=np.asarray(labels) == label,
            standard_inside=np.isin(np.asarray(labels), rest.members),
            noise=noise,
        )
        alone = replace(
            domain,
            members=(label,),
            reason=f"{domain.reason}; region {label}, strongly mismatched, is measured "
            "around its own spots",
        )
        yield Measured(alone, neighbour, noise, sigma, reason, limit)


def _depth(source: Source, domain: Domain, sigma: float) -> float:
    """How far from its outline and the image border the reference reaches, in nm."""
    from scipy.ndimage import distance_transform_edt

    coarse = coarse_grid(source.grid, sigma)
    inside = np.pad(source.labels_at(coarse) == domain.reference, 1)
    return float(distance_transform_edt(inside, sampling=coarse.pixel_size).max())


def _mismatched(domain: Domain, spots: dict, sigma: float) -> dict[int, np.ndarray]:
    """Members whose spots are too far from those of the reference, with their g."""
    own = {}
    for label in domain.members:
        if label != domain.reference and label in spots:
            g_vectors = own_g_vectors(domain, spots[label], sigma)
            if g_vectors is not None:
                own[label] = g_vectors
    return own


def _field(
    source: Source,
    domain: Domain,
    fringes: FringeImage,
    noise: FringeNoise,
    box: Box | None,
) -> PhaseField:
    """Phase field of one domain."""
    labels = source.labels_at(fringes.coarse)
    return phase_field(
        fringes,
        reference=_reference_mask(labels, domain, fringes.coarse, box),
        inside=np.isin(labels, domain.members),
        noise=noise,
    )


def _reference_mask(
    labels: np.ndarray, domain: Domain, coarse: ImageGrid, box: Box | None
) -> np.ndarray:
    """Places of the reference, away from the outline of its region."""
    reference = core(labels == domain.reference, depth=DEPTH)
    if box is None:
        return reference
    position = coarse.to_nm(*np.indices(coarse.shape))
    left, top, right, bottom = box
    x, y = position[..., 0], position[..., 1]
    inside = (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
    if (reference & inside).any():
        return reference & inside
    return (labels == domain.reference) & inside


def _reference_part(source: Source, setup: Setup, box: Box | None) -> RegionImage:
    """What is read of the reference to tell its noise and which g are of use."""
    domain, sigma = setup.domain, setup.resolution
    steps = np.array(source.grid.pixel_size)
    if box is not None:
        frame = box_pixels(box, source.grid)
    elif (whole := source.boxes().get(domain.reference)) is not None:
        frame = whole
    else:
        raise ValueError(
            "Expected an image with grey levels, got no finite value in any pixel."
        )
    part = source.region(
        domain.reference,
        frame,
        longest=int(np.clip(_PROBED * sigma / steps.min(), 512, LARGEST_WINDOW)),
        margin=pair(np.ceil(_MARGIN * sigma / steps).astype(int).tolist()),
    )
    reference = part.mask
    if box is not None:
        rows, columns = box_pixels(box, part.grid)
        inside = np.zeros_like(reference)
        inside[rows, columns] = True
        # Too small a box tells no noise; what is around it does.
        enough = _FEW * 4 * np.pi * sigma**2 / np.prod(steps)
        if (reference & inside).sum() >= enough:
            reference = reference & inside
    return replace(part, mask=reference)


def _probed(
    source: Source, part: RegionImage, setup: Setup, rows: RowNoise | None
) -> tuple[Domain, FringeNoise, float]:
    """The domain with all g of use, the noise of their fringes, the column width."""
    domain, sigma, reference = setup.domain, setup.resolution, part.mask
    at = partial(
        probe, part.image, reference, part.grid, domain.g_vectors, setup.nodes,
        setup.usable, strength=setup.strength, rows=rows, device=setup.device,
    )  # fmt: skip
    found = at(resolution=sigma)
    noise = found.noise
    within = max(
        resolution_within(reference, part.grid, resolution=sigma),
        finest_resolution(domain, setup.spots),
        resolution_limits(domain.g_vectors, source.grid)[0],
    )
    if within < 0.9 * sigma:  # A small reference tells more at a finer average.
        noise = replace(at(resolution=within).noise, products=noise.products)
    return replace(domain, g_vectors=found.g_vectors), noise, found.column_width


def _errors(
    source: Source, domain: Domain, noise: FringeNoise, setup: Setup
) -> ExpectedErrors:
    """Expected errors, inside the regions, at the resolutions that may be chosen.

    Across a border two lattices are mixed at any resolution. Of a large image some
    parts are judged, laid side by side.
    """
    fringes = FringeImage(
        source.image, source.grid, domain.g_vectors, setup.resolution, setup.device
    )
    coarse = fringes.coarse
    margin = int(np.ceil(4 * 2 * COARSEST))  # the averages reach four deviations
    members = np.isin(source.labels_at(thinned(coarse)), domain.members)
    judged = [
        _judged(source, domain, fringes.of_part(part.whole), part.inner, noise)
        for part in sampled_parts(members, coarse.shape, margin=margin)
    ]
    gradient, variance, weight, scored = (
        joined(arrays) for arrays in zip(*judged, strict=True)
    )
    return expected_errors(
        gradient,
        variance,
        weight,
        scored > 0,
        ImageGrid(weight.shape, coarse.pixel_size),
        resolution=setup.resolution,
        coarsest=setup.coarsest,  # type: ignore[arg-type]  # where it is asked for
    )


def _judged(
    source: Source,
    domain: Domain,
    fringes: Fringes,
    inner: tuple[slice, slice],
    noise: FringeNoise,
) -> tuple[np.ndarray, ...]:
    """β, its variance, weights in averages and the judged places of a part."""
    labels = source.labels_at(fringes.grid)
    members = np.isin(labels, domain.members)
    gradient, variance, amplitude = local_gradient(fringes, members, noise)
    seen = amplitude > FAINTEST
    deep = np.zeros_like(members)
    for member in domain.members:
        deep |= core(labels == member, depth=_DEEP)
    scored = np.zeros(members.shape)
    scored[inner] = (deep & seen)[inner]
    return gradient, variance, np.where(members & seen, amplitude, 0.0), scored


def _why(errors: ExpectedErrors) -> str:
    """The choice of a resolution in words."""
    best = errors.best
    if len(errors.resolution) == 1:
        return "the only one that the spots and the image allow"
    return (
        f"smallest expected error {errors.total[best]:.2g} of a component (noise "
        f"{errors.noise[best]:.2g}) of {len(errors.resolution)} resolutions from "
        f"{errors.resolution[0]:.3g} nm ({errors.total[0]:.2g}) to "
        f"{errors.resolution[-1]:.3g} nm ({errors.total[-1]:.2g})"
    )


def _faintest(noise: FringeNoise, sigma: float, found: PhaseField) -> float:
    """Relative amplitude of fringes below which strain is not trusted.

    Three times the noise of the reference, or what leaks from neighbouring spots.
    """
    amplitude = noise_amplitude(noise.density, sigma)
    return max(FAINTEST, 3 * amplitude / float(found.typical.min()))
