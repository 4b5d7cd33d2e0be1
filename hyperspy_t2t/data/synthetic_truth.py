# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The truth behind a synthetic micrograph, as plain arrays.

Positions in nm, strains and displacements in the true specimen frame, at the point
that each pixel sampled.
"""

from collections.abc import Iterator

import numpy as np

from hyperspy_t2t import frames
from hyperspy_t2t.array_types import Array, Bools, Labels
from hyperspy_t2t.data.synthetic_columns import Projection
from hyperspy_t2t.data.synthetic_regions import (
    Region,
    contrast,
    element_fractions,
    fill,
)

ROWS = 128
"""Rows worked on at once where the gradient varies."""
FORBIDDEN = 1e-6
"""Reflections with a structure factor below this share of the largest are absent."""
SAMPLES = 20_000
"""Pixels over which a composition map is averaged for structure factors."""


def label_raster(
    regions: list[Region],
    shape: tuple[int, int],
    row_x: Array,
    row_y: Array,
    step: float,
) -> Labels:
    """Region number + 1 at the specimen point of each pixel, 0 for none, (ny, nx)."""
    labels = np.zeros(shape, np.int32)
    for index, region in enumerate(regions):
        if region.outline is None:
            labels[:] = index + 1
        else:
            outline = np.ascontiguousarray(region.outline, float)
            fill(labels, index + 1, row_x, row_y, step, outline)
    return labels


def pixels_of(
    labels: Labels, label: int, row_x: Array, row_y: Array, step: float
) -> Iterator[tuple[slice, Bools, Array]]:
    """Blocks of rows of one region: rows, mask (rows, nx), points (n, 2) in nm."""
    along = step * np.arange(labels.shape[1])
    for top in range(0, len(labels), ROWS):
        rows = slice(top, min(top + ROWS, len(labels)))
        mask = labels[rows] == label
        if mask.any():
            iy, ix = np.nonzero(mask)
            yield (
                rows,
                mask,
                np.stack([row_x[rows][iy] + along[ix], row_y[rows][iy]], -1),
            )


def distortion_maps(
    regions: list[Region], labels: Labels, row_x: Array, row_y: Array, step: float
) -> dict[str, Array]:
    """Displacement, deformation gradient and strains at each pixel.

    Returns
    -------
    dict
        float32, NaN where not crystalline: "displacement" (2, ny, nx) in nm,
        "deformation_gradient" (2, 2, ny, nx), "reference" and "gpa" (4, ny, nx):
        exx, eyy, exy, rotation in radians.
    """
    shape = labels.shape
    displacement = np.full((2, *shape), np.nan, np.float32)
    table = np.full((len(regions) + 1, 12), np.nan, np.float32)
    constant = [
        region.displacement.constant_gradient if region.kind == "crystalline" else None
        for region in regions
    ]
    for index, beta in enumerate(constant):
        if beta is not None:
            table[index + 1] = _twelve(beta[None])[:, 0]
    index_of = labels.astype(np.intp)
    maps = np.empty((12, *shape), np.float32)
    for row, values in zip(maps, table.T, strict=True):
        np.take(values, index_of, out=row, mode="clip")
    for index, region in enumerate(regions):
        if region.kind != "crystalline":
            continue
        for rows, mask, points in pixels_of(labels, index + 1, row_x, row_y, step):
            displacement[:, rows][:, mask] = region.displacement.displacement(points).T
            if constant[index] is None:
                beta = region.displacement.gradient(points)
                maps[:, rows][:, mask] = _twelve(beta)
    return {
        "displacement": displacement,
        "deformation_gradient": maps[:4].reshape(2, 2, *shape),
        "reference": maps[4:8],
        "gpa": maps[8:],
    }


def _twelve(beta: Array) -> Array:
    """F row by row and the strains of both conventions, (12, n), from β (n, 2, 2)."""
    deformation = frames.deformation_gradient(beta)
    # Of I + β the strain of this convention is the "gpa" strain of F = (I − β)⁻¹.
    linear: frames.Convention = "reference"
    return np.concatenate(
        [
            deformation.reshape(-1, 4).T,
            frames.strain_components(deformation, convention=linear),
            frames.strain_components(np.eye(2) + beta, convention=linear),
        ]
    )


def sample_points(
    labels: Labels, label: int, row_x: Array, row_y: Array, step: float
) -> Array:
    """Points in nm of some pixels of a region, (n, 2); the origin if it has none."""
    pixels = np.flatnonzero(labels == label)
    pixels = pixels[:: max(1, len(pixels) // SAMPLES)]
    iy, ix = np.divmod(pixels, labels.shape[1])
    points = np.stack([row_x[iy] + step * ix, row_y[iy]], -1)
    return points if len(points) else np.zeros((1, 2))


def mean_gradient(region: Region, label: int, labels: Labels, gpa: Array) -> Array:
    """Mean of β over the pixels of a region, (2, 2); zeros where it has none.

    Parameters
    ----------
    region, label, labels
        The region, its label and the raster of labels.
    gpa
        exx, eyy, exy, rotation of β at each pixel, (4, ny, nx).
    """
    constant = region.displacement.constant_gradient
    if constant is not None:
        return constant
    mask = labels == label
    if not mask.any():
        return np.zeros((2, 2))
    exx, eyy, exy, rotation = (row[mask].mean(dtype=float) for row in gpa)
    return np.array([[exx, exy - rotation], [exy + rotation, eyy]])


def reflections(
    projection: Projection,
    fractional: Array,
    weights: Array,
    *,
    reciprocal: Array,
    crystal_to_image: Array,
    gradient: Array,
    image_matrix: Array,
    nyquist: Array,
    probe_size: float,
) -> dict[str, Array]:
    """Peaks of a region's spectrum up to the Nyquist frequencies of the image.

    The phase of a reflection is g·R = g·(r − u), so that a lattice distorted by a
    mean gradient β shows (I − β)ᵀ g. The strength is |Σ w exp 2πi hkl·x| times the
    transfer exp(−2π²σ²g²) of a Gaussian probe.

    Parameters
    ----------
    projection
        For the indices of the zone.
    fractional, weights
        Sites of the cell, (n, 3); weights are intensity times occupancy, (n,).
    reciprocal
        a*, b*, c* as rows in 1/nm, (3, 3), crystal frame.
    crystal_to_image
        Rotation matrix (3, 3).
    gradient
        Mean β of the region, (2, 2).
    image_matrix
        A, (2, 2): specimen position = A @ nominal position.
    nyquist
        Greatest |gx|, |gy| in 1/nm of the nominal image.
    probe_size
        Standard deviation in nm.

    Returns
    -------
    dict
        "hkl" (n, 3), "g_reference", "g" and "g_image" (n, 2) in 1/nm: of the
        undistorted lattice, of the distorted one, both in the true specimen frame,
        and as it appears in the nominal image; "strength" (n,), the strongest is 1,
        sorted from there.
    """
    directions = np.round(np.linalg.inv(projection.indices)).astype(np.int64).T[:2]
    plane = (directions @ reciprocal @ crystal_to_image.T)[:, :2]
    to_image = image_matrix.T @ (np.eye(2) - gradient).T
    seen = plane @ to_image.T
    inverse = np.linalg.inv(seen)
    limit = np.ceil(np.abs(inverse).T @ nyquist).astype(int)
    m, n = (np.arange(-size, size + 1) for size in limit)
    orders = np.stack(np.meshgrid(m, n, indexing="ij"), -1).reshape(-1, 2)
    orders = orders[orders.any(axis=1)]
    orders = orders[(np.abs(orders @ seen) < nyquist).all(axis=1)]
    hkl = orders @ directions
    reference = orders @ plane
    true = reference @ (np.eye(2) - gradient)
    factor = np.abs(np.exp(2j * np.pi * hkl @ fractional.T) @ weights)
    strength = factor * np.exp(-2 * (np.pi * probe_size) ** 2 * (true**2).sum(axis=1))
    largest = strength.max(initial=0.0)
    order = np.argsort(-strength, kind="stable")
    order = order[factor[order] > FORBIDDEN * factor.max(initial=0.0)]
    return {
        "hkl": hkl[order],
        "g_reference": reference[order],
        "g": true[order],
        "g_image": (orders @ seen)[order],
        "strength": strength[order] / largest if largest > 0 else strength[order],
    }


def site_weights(region: Region, symbols: list[str], points: Array) -> Array:
    """Mean intensity of each site over the points (n, 2), times its occupancy."""
    mean = {}
    for element in dict.fromkeys(symbols):
        names, fractions = element_fractions(region.composition, element, points)
        mean[element] = fractions.mean(axis=0) @ [contrast(name) for name in names]
    return np.array([mean[symbol] for symbol in symbols]) * region.crystal.occupancy


def composition_maps(
    regions: list[Region], labels: Labels, row_x: Array, row_y: Array, step: float
) -> dict[str, Array]:
    """Atomic fraction of each element at each pixel, NaN in vacuum, (ny, nx)."""
    maps: dict[str, Array] = {}
    filled = np.zeros(labels.shape, bool)
    for index, region in enumerate(regions):
        if region.kind == "vacuum":
            continue
        shares = _site_shares(region)
        filled |= labels == index + 1
        for rows, mask, points in pixels_of(labels, index + 1, row_x, row_y, step):
            for element, share in shares.items():
                names, fractions = region.fractions(element, points)
                for name, values in zip(names, fractions.T, strict=True):
                    target = maps.setdefault(name, np.zeros(labels.shape, np.float32))
                    target[rows][mask] += (share * values).astype(np.float32)
    for target in maps.values():
        target[~filled] = np.nan
    return maps


def _site_shares(region: Region) -> dict[str, float]:
    """Share of the atoms of a region that stand on the sites of each element."""
    if region.kind == "amorphous":
        return {region.element: 1.0}
    from ase.data import chemical_symbols

    phase = region.crystal
    shares: dict[str, float] = {}
    for number, occupancy in zip(phase.numbers, phase.occupancy, strict=True):
        symbol = chemical_symbols[number]
        shares[symbol] = shares.get(symbol, 0.0) + float(occupancy)
    total = sum(shares.values())
    return {symbol: share / total for symbol, share in shares.items()}
