# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Dislocations and planar faults of a StrainMap, with their crystal directions."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.phases.simulation import nearest_reflection
from hyperspy_t2t.phases.solution import PhaseSolution
from hyperspy_t2t.signals._carried.companions import in_memory
from hyperspy_t2t.signals._carried.source import Source
from hyperspy_t2t.signals._peaks.solutions import best_of
from hyperspy_t2t.strain.continuation import nearest_known
from hyperspy_t2t.strain.dislocations import dislocations
from hyperspy_t2t.strain.faults import faults

_WHOLE = 2.0
"""Distance from the border of the image, in standard deviations, from where on the
average is whole; what a map shows nearer to it is continued from there."""


@dataclass(frozen=True)
class Phases:
    """The phases of two g in all regions that are measured against one lattice.

    Parameters
    ----------
    grid
        The coarse grid.
    reference
        Label of the region whose lattice this is.
    g_vectors
        In 1/nm, shape (2, 2).
    phases, slopes
        −2π g·u in rad, (2, ny, nx), and ∂/∂x, ∂/∂y in rad/nm, (2, 2, ny, nx).
    amplitude
        Of the weaker fringes relative to the reference, shape (ny, nx).
    labels
        Region of each place, 0 where there is no lattice or the average is cut, shape
        (ny, nx).
    resolution
        In nm.
    noise
        Root mean square amplitude of noise relative to the reference.
    """

    grid: ImageGrid
    reference: int
    g_vectors: np.ndarray
    phases: np.ndarray
    slopes: np.ndarray
    amplitude: np.ndarray
    labels: np.ndarray
    resolution: float
    noise: float

    @classmethod
    def of_domains(cls, domains: list[dict], source: Source) -> "Phases":
        """From stored domains with one lattice and grid, and what is left of the image.

        Each region has the phases of its own domain: a circuit may lead through two.
        Strain is not trusted below three times the noise, which is what is stored.
        """
        grid = ImageGrid.from_dict(domains[0]["grid"])
        g_vectors = np.asarray(domains[0]["g_vectors"])[:2]
        labels = source.labels_at(grid)
        members = [np.isin(labels, np.asarray(d["members"])) for d in domains]
        resolution = max(float(domain["resolution"]) for domain in domains)
        known = np.logical_or.reduce(members)
        known &= _whole(grid, resolution) & _within(grid, source.grid)
        phases = _to_phases(_map("displacement", domains, members), g_vectors)
        slopes = _map("gradient", domains, members)
        for axis in (0, 1):  # in place of β
            slopes[:, axis] = _to_phases(slopes[:, axis], g_vectors)
        return cls(
            grid,
            int(domains[0]["reference"]),
            g_vectors,
            phases,
            slopes,
            _map("amplitude", domains, members),
            np.where(known, labels, 0),
            resolution,
            max(float(domain["faintest"]) for domain in domains) / 3,
        )

    def label_at(self, positions: np.ndarray) -> np.ndarray:
        """Region at or nearest to (x, y) in nm, (n, 2) → (n,)."""
        nearest = nearest_known(self.labels > 0)
        rows, columns = (
            np.clip(np.rint(index).astype(int), 0, size - 1)
            for index, size in zip(
                self.grid.to_pixels(positions), self.grid.shape, strict=True
            )
        )
        return self.labels[nearest[0][rows, columns], nearest[1][rows, columns]]


def _map(name: str, domains: list[dict], members: list[np.ndarray]) -> np.ndarray:
    """A copy of a map of several domains, each at its members, (…, ny, nx)."""
    first = domains[0][name]
    values = np.empty(first.shape)
    for place in np.ndindex(first.shape[:-2]):  # no more than one twice in memory
        values[place] = first[place]
    for domain, own in zip(domains[1:], members[1:], strict=True):
        values[..., own] = np.asarray(domain[name])[..., own]
    return values


def _to_phases(displacement: np.ndarray, g_vectors: np.ndarray) -> np.ndarray:
    """−2π g·u of two g, shape (2, ny, nx)."""
    x, y = displacement
    return np.stack([-2 * np.pi * (g[0] * x + g[1] * y) for g in g_vectors])


def _phases(strain: Any, source: Source) -> list[Phases]:
    """Phases of all domains, together where they have the same lattice and grid."""
    groups: list[list[dict]] = []
    for domain in strain._domains().values():
        for group in groups:
            if _same_lattice(domain, group[0]):
                group.append(domain)
                break
        else:
            groups.append([domain])
    return [Phases.of_domains(group, source) for group in groups]


def _same_lattice(first: dict, second: dict) -> bool:
    """Whether two domains are measured against the same region at the same places."""
    g, other_g = (np.asarray(d["g_vectors"])[:2] for d in (first, second))
    grids = [ImageGrid.from_dict(domain["grid"]) for domain in (first, second)]
    return (
        int(first["reference"]) == int(second["reference"])
        and np.allclose(g, other_g, rtol=1e-6)
        and grids[0] == grids[1]
    )


def _whole(grid: ImageGrid, resolution: float) -> np.ndarray:
    """Places where the border of the image does not cut the average, (ny, nx)."""
    distance = [
        np.minimum(np.arange(size), np.arange(size)[::-1]) * step
        for size, step in zip(grid.shape, grid.pixel_size, strict=True)
    ]
    far = [along >= _WHOLE * resolution for along in distance]
    return far[0][:, None] & far[1]


def _within(grid: ImageGrid, image: ImageGrid) -> np.ndarray:
    """Places that lie in an image, which may have been cropped, shape (ny, nx)."""
    inside = []
    for axis in (0, 1):
        place = grid.origin[axis] + grid.pixel_size[axis] * np.arange(grid.shape[axis])
        pixel = (place - image.origin[axis]) / image.pixel_size[axis]
        inside.append((pixel > -0.5) & (pixel < image.shape[axis] - 0.5))
    return inside[0][:, None] & inside[1]


def dislocations_of(strain: Any, *, certainty: float) -> dict[str, np.ndarray]:
    """Table of the dislocations of all domains, see ``StrainMap.dislocations``."""
    _check_certainty(certainty)
    source = strain._source()
    rows: dict[str, list] = {
        name: [] for name in ("x", "y", "burgers", "burgers_uvw", "region", "certainty")
    }
    for phases in _phases(strain, source):
        found = dislocations(
            phases.phases,
            phases.slopes,
            phases.g_vectors,
            phases.amplitude,
            phases.labels > 0,
            phases.grid,
            resolution=phases.resolution,
            noise=phases.noise,
        )
        sure = np.flatnonzero(found.certainty >= certainty)
        if not len(sure):
            continue
        regions = phases.label_at(found.position[sure])
        for k, region in zip(sure, regions.tolist(), strict=True):
            rows["x"].append(found.position[k, 0])
            rows["y"].append(found.position[k, 1])
            rows["burgers"].append(found.burgers[k])
            rows["burgers_uvw"].append(_uvw(strain, phases, region, found.orders[k]))
            rows["region"].append(region)
            rows["certainty"].append(found.certainty[k])
    return {
        "x": np.array(rows["x"], float),
        "y": np.array(rows["y"], float),
        "burgers": np.reshape(rows["burgers"], (-1, 2)),
        "burgers_uvw": np.reshape(rows["burgers_uvw"], (-1, 3)),
        "region": np.array(rows["region"], np.int64),
        "certainty": np.array(rows["certainty"], float),
    }


def faults_of(strain: Any, *, certainty: float) -> dict[str, Any]:
    """Table of the planar faults of all domains, see ``StrainMap.faults``."""
    _check_certainty(certainty)
    source = strain._source()
    found, regions, uvw = [], [], []
    for phases in _phases(strain, source):
        for fault in faults(
            phases.phases,
            phases.slopes,
            phases.g_vectors,
            phases.amplitude,
            _by_phase(strain, phases.labels),
            phases.grid,
            resolution=phases.resolution,
            noise=phases.noise,
        ):
            if fault.certainty < certainty:
                continue
            middle = fault.points[len(fault.points) // 2][None]
            regions.append(int(phases.label_at(middle)[0]))
            uvw.append(_uvw(strain, phases, regions[-1], fault.orders))
            found.append(fault)
    ends = [fault.points[-1] - fault.points[0] for fault in found]
    return {
        "points": [fault.points for fault in found],
        "length": np.array([np.linalg.norm(end) for end in ends], float),
        "normal": np.reshape([fault.normal for fault in found], (-1, 2)),
        "vector": np.reshape([fault.vector for fault in found], (-1, 2)),
        "vector_uvw": np.reshape(uvw, (-1, 3)),
        "region": np.array(regions, np.int64),
        "certainty": np.array([fault.certainty for fault in found], float),
    }


def _check_certainty(certainty: float) -> None:
    """Raise a ValueError unless it is a probability."""
    if not 0 <= certainty <= 1:
        raise ValueError(
            f"Expected a certainty from 0 (show all) to 1, got {certainty!r}."
        )


def _solution(strain: Any, label: int) -> PhaseSolution | None:
    """The first solution of a region, None without one."""
    if not strain.metadata.has_item("Phases"):
        return None
    return best_of(in_memory(strain.metadata.Phases), label)


def _by_phase(strain: Any, labels: np.ndarray) -> np.ndarray:
    """Labels, the same for all regions of one phase: a fault may part two of them."""
    first: dict[str, int] = {}
    result = labels.copy()
    for label in np.unique(labels[labels > 0]).tolist():
        solution = _solution(strain, label)
        if solution is not None:
            name = solution.crystal.name
            result[labels == label] = first.setdefault(name, label)
    return result


def _uvw(strain: Any, phases: Phases, label: int, orders: np.ndarray) -> np.ndarray:
    """[u, v, w] of a vector in the image plane from its products with the two g.

    With h the indices of the reflections at both g, h·uvw is g·b: neither strain nor a
    wrong pixel size matter. The third equation is that nothing of it is along the beam.
    If the region has no phase, in that of the reference; NaN without both.
    """
    solution = _solution(strain, label)
    if solution is None:
        label = phases.reference
        solution = _solution(strain, label)
    if solution is None or not (phases.labels == label).any():
        return np.full(3, np.nan)
    slopes = np.median(phases.slopes[..., phases.labels == label], axis=-1)
    beta = np.linalg.solve(-2 * np.pi * phases.g_vectors, slopes)
    hkl = nearest_reflection(
        phases.g_vectors @ (np.eye(2) - beta),
        solution.crystal,
        solution.zone_axis,
        solution.matrix,
        solution.distortion,
    )
    lattice = solution.crystal.lattice
    along_beam = lattice @ (np.asarray(solution.zone_axis) @ lattice)
    equations = np.stack([*hkl, along_beam / np.linalg.norm(along_beam)])
    if abs(np.linalg.det(equations)) < 1e-6:  # both g are one reflection
        return np.full(3, np.nan)
    return np.linalg.solve(equations, [*orders, 0.0])
