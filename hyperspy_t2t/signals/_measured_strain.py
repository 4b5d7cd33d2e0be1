# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Measuring the lattices of a micrograph: noise, resolution, displacement, errors."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.segmentation.regions import nearest_indices
from hyperspy_t2t.signals._reference import Box, box_pixels
from hyperspy_t2t.signals._source import LARGEST_WINDOW, Source
from hyperspy_t2t.strain.continuation import core
from hyperspy_t2t.strain.counting_noise import FringeNoise
from hyperspy_t2t.strain.fringes import local_fringes
from hyperspy_t2t.strain.gpa import PhaseField, neighbour_field, phase_field
from hyperspy_t2t.strain.limits import check_resolution
from hyperspy_t2t.strain.maps import FAINTEST
from hyperspy_t2t.strain.probe import DEPTH, probe
from hyperspy_t2t.strain.resolution import ExpectedErrors, expected_errors
from hyperspy_t2t.strain.setup import Domain, noise_amplitude, own_g_vectors

_PROBED = 40
"""Longest side of the part of the reference that tells of its noise, in σ."""
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
    """

    domain: Domain
    resolution: float
    coarsest: float | None
    nodes: np.ndarray
    usable: np.ndarray
    spots: dict = field(default_factory=dict)


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
    domain, noise = _probed(source, setup, box)
    found = _field(source, domain, sigma, noise, box)
    reason = "chosen by the user"
    if setup.coarsest is not None:
        errors = _errors(source, domain, found, sigma, setup.coarsest)
        reason = _why(errors)
        if errors.best > 0:
            sigma = float(errors.resolution[errors.best])
            # More fringes stand out of less noise.
            domain, again = _probed(source, replace(setup, resolution=sigma), box)
            noise = replace(noise, products=again.products)
            found = _field(source, domain, sigma, noise, box)
    limit = _faintest(noise, sigma, found)
    own = _mismatched(domain, setup.spots, sigma)
    rest = replace(domain, members=tuple(m for m in domain.members if m not in own))
    yield Measured(rest, found, noise, sigma, reason, limit)
    labels = coarse_labels(source, found.grid)
    for label, g_vectors in own.items():
        fringes = local_fringes(source.image, source.grid, g_vectors, resolution=sigma)
        neighbour = neighbour_field(
            fringes,
            found,
            inside=labels == label,
            standard_inside=np.isin(labels, rest.members),
            noise=noise,
        )
        alone = replace(
            domain,
            members=(label,),
            reason=f"{domain.reason}; region {label}, strongly mismatched, is measured "
            "around its own spots",
        )
        yield Measured(alone, neighbour, noise, sigma, reason, limit)


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
    source: Source, domain: Domain, sigma: float, noise: FringeNoise, box: Box | None
) -> PhaseField:
    """Phase field of one domain."""
    fringes = local_fringes(
        source.image, source.grid, domain.g_vectors, resolution=sigma
    )
    labels = coarse_labels(source, fringes.grid)
    return phase_field(
        fringes,
        reference=_reference_mask(labels, domain, fringes.grid, box),
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


def _probed(
    source: Source, setup: Setup, box: Box | None
) -> tuple[Domain, FringeNoise]:
    """The domain with all g that are of use, and the noise of their fringes."""
    domain, sigma = setup.domain, setup.resolution
    steps = np.array(source.grid.pixel_size)
    frame = source.boxes()[domain.reference]
    if box is not None:
        frame = box_pixels(box, source.grid)
    part = source.region(
        domain.reference,
        frame,
        longest=int(np.clip(_PROBED * sigma / steps.min(), 512, LARGEST_WINDOW)),
        margin=tuple(np.ceil(_MARGIN * sigma / steps).astype(int)),
    )
    reference = part.mask
    if box is not None:
        rows, columns = box_pixels(box, part.grid)
        inside = np.zeros_like(reference)
        inside[rows, columns] = True
        reference = reference & inside
    g_vectors, noise = probe(
        part.image, reference, part.grid, domain.g_vectors, setup.nodes, setup.usable,
        resolution=sigma,
    )  # fmt: skip
    return replace(domain, g_vectors=g_vectors), noise


def _errors(
    source: Source, domain: Domain, found: PhaseField, sigma: float, coarsest: float
) -> ExpectedErrors:
    """Expected errors at the resolutions that may be chosen."""
    labels = coarse_labels(source, found.grid)
    inside = np.isin(labels, domain.members) & (found.amplitude > FAINTEST)
    variance = np.einsum("ijijyx->yx", found.covariance) / 4
    return expected_errors(
        found.gradient,
        variance,
        np.where(inside, found.amplitude, 0.0),
        inside,
        found.grid,
        resolution=sigma,
        coarsest=coarsest,
    )


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


def coarse_labels(source: Source, coarse: ImageGrid) -> np.ndarray:
    """Label at each place of a coarse grid."""
    rows, columns = nearest_indices(source.grid, coarse)
    return np.asarray(source.labels[rows, :][:, columns])
