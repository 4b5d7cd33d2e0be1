# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Strain of a micrograph without regions, with g-vectors chosen by hand."""

from dataclasses import replace
from typing import Any

import numpy as np

from hyperspy_t2t.calibration import ImageGrid, image_grid, nanometres_per_unit
from hyperspy_t2t.frames import Convention, check_convention
from hyperspy_t2t.segmentation.binning import without_extremes
from hyperspy_t2t.signals._carried.source import Source
from hyperspy_t2t.signals._strain.choice import given_g_vectors, resolutions_of
from hyperspy_t2t.signals._strain.measured_strain import (
    Setup,
)
from hyperspy_t2t.signals._strain.reference import Box, reference_box
from hyperspy_t2t.signals._strain.to_strain import strain_map_of
from hyperspy_t2t.strain.limits import check_g_vectors
from hyperspy_t2t.strain.setup import Domain
from hyperspy_t2t.strain.useful_g import lattice_nodes


def gpa_by_hand(
    micrograph: Any,
    *,
    g_vectors: Any,
    reference: Any,
    resolution: Any,
    convention: Convention,
    axes: Any = "image",
    correct_scan: bool = False,
    device: Any = "cpu",
) -> Any:
    """StrainMap of a micrograph without regions."""
    check_convention(convention)
    grid = image_grid(micrograph)
    setup, box = setup_by_hand(micrograph, grid, g_vectors, reference, resolution)
    setup = replace(setup, device=device)
    # One look at a lazy image spares one at each use of its labels.
    complete = bool(np.isfinite(micrograph.data).all())
    labels = whole_labels(micrograph.data, complete=complete)
    image = without_extremes(micrograph.data)
    source = Source(image, labels, grid, micrograph._lazy)
    given = given_by_hand(setup, box, resolution, convention)
    given |= {"axes": axes, "correct_scan": correct_scan, "device": str(device)}
    return strain_map_of(micrograph, source, [setup], box, convention, given)


def whole_labels(data: Any, *, complete: bool = False) -> Any:
    """Labels of one region wherever there is data, numpy or dask as the image is.

    What is known to be complete, or of whole numbers, need not be read.
    """
    if data.dtype.kind == "f" and not complete:
        return np.isfinite(data).astype(np.int32)
    return np.ones_like(data, dtype=np.int32)


def setup_by_hand(
    micrograph: Any, grid: ImageGrid, g_vectors: Any, reference: Any, resolution: Any
) -> tuple[Setup, Box | None]:
    """How an image, or each of a stack, is measured as one region, and the reference.

    No box means the whole image.
    """
    given_g = given_g_vectors(g_vectors)
    if given_g is None:
        raise ValueError(
            "Expected two or more g-vectors (gx, gy) in 1/nm, got "
            f"{g_vectors!r}, which needs peaks: use s.segment().find_peaks().gpa()."
        )
    check_g_vectors(given_g, grid)
    box = None
    if reference is not None:
        box = reference_box(reference, grid, _units_of(micrograph))
    domain = Domain(1, (1,), given_g, "chosen by the user", "chosen by the user")
    sigma, coarsest = resolutions_of(resolution, domain, {}, grid)
    nodes = lattice_nodes(domain.pair, grid, sigma)
    return Setup(domain, sigma, coarsest, nodes, np.zeros(len(nodes), bool)), box


def given_by_hand(
    setup: Setup, box: Box | None, resolution: Any, convention: Convention
) -> dict:
    """What the user gave, for metadata."""
    return {
        "g_vectors": setup.domain.g_vectors,
        "reference": "whole image" if box is None else np.array(box),
        "resolution": resolution,
        "convention": convention,
    }


def _units_of(signal: Any) -> tuple[float, float]:
    """Length in nm of the units of the x and y axes."""
    x_axis, y_axis = signal.axes_manager.signal_axes
    return nanometres_per_unit(x_axis.units), nanometres_per_unit(y_axis.units)
