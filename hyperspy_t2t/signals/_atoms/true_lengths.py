# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What the scale and shear of a micrograph are against true lengths."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from hyperspy_t2t.signals._atoms.measured_regions import MeasuredRegion
from hyperspy_t2t.signals._strain.mean_lattices import bulk_g, reference_pair
from hyperspy_t2t.strain.absolute import stretch_between


class TrueLengths(NamedTuple):
    """How the image shows lengths, and who says so."""

    distortion: np.ndarray
    """D, symmetric (2, 2): a true vector r is seen as D r."""
    standard: int
    """Label of the region whose lattice is that of its bulk; 0 if none was taken."""
    reason: str
    """In words."""


def true_lengths(regions: Mapping[int, MeasuredRegion], reference: int) -> TrueLengths:
    """Distortion of the image with the reference region as the unstrained standard.

    Parameters
    ----------
    regions
        By label; not empty.
    reference
        Label of the reference of the strain. If it has no phase, the distortion that
        indexing found for all regions counts.
    """
    measured = regions.get(reference)
    if measured is None:
        solution = next(iter(regions.values())).solution
        reason = (
            f"the distortion found when indexing, as region {reference}, the reference "
            "of the strain, has no phase"
        )
        return TrueLengths(solution.distortion, 0, reason)
    solution = replace(measured.solution, crystal=measured.bulk)
    g = reference_pair(measured.domain)
    to_true = stretch_between(g, bulk_g(solution, measured.lattice.hkl))
    reason = f"region {reference} taken as unstrained {measured.bulk.name}"
    return TrueLengths(np.linalg.inv(to_true), reference, reason)


def local_stretch(projection: np.ndarray, bulk_projection: np.ndarray) -> np.ndarray:
    """Left stretch V of F = P P_bulk⁺ less the identity: strain in the image frame.

    Parameters
    ----------
    projection
        Fractional coordinates to the image plane in nm where the lattice is strained,
        shape (n, 2, 3).
    bulk_projection
        The same of the bulk, shape (2, 3).

    Returns
    -------
    ndarray
        Shape (n, 2, 2).
    """
    gradient = projection @ np.linalg.pinv(bulk_projection)
    values, vectors = np.linalg.eigh(gradient @ np.swapaxes(gradient, -1, -2))
    stretch = (vectors * np.sqrt(values)[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    return stretch - np.eye(2)
