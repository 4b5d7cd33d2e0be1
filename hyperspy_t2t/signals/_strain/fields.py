# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Fields of stored domains, and what they give block by block."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.signals._carried.companions import as_dask
from hyperspy_t2t.signals._carried.schema import StoredNode
from hyperspy_t2t.signals._carried.source import Source
from hyperspy_t2t.strain.continuation import (
    core,
    linear_continuation,
    nearest_known,
)
from hyperspy_t2t.strain.maps import LatticeField

COMPONENTS = ("exx", "eyy", "exy", "rotation")
ERRORS = ("std", "blur")
"""Root mean squares of the errors of the components, by noise and by blur."""
_MAPS = ("displacement", "gradient", "amplitude", *ERRORS)
"""What a domain has at each place of its coarse grid."""


def domains_of(node: Any) -> dict[str, dict]:
    """Domains in a node of metadata; large maps of them stay dask until they are used.

    In memory each would be there once more.
    """
    import dask

    domains = node.as_dictionary()
    (small,) = dask.compute(
        {
            name: {key: value for key, value in domain.items() if key not in _MAPS}
            for name, domain in domains.items()
        }
    )
    return StoredNode({name: domains[name] | small[name] for name in domains})


def fields_of(
    domains: Sequence[dict], *, angle: float = 0.0, errors: Sequence[str] = ()
) -> list[LatticeField]:
    """Fields of stored domains along axes turned by `angle` radians."""
    return [field_of(domain, errors=errors).in_axes(angle) for domain in domains]


def field_of(domain: dict, *, errors: Sequence[str] = ()) -> LatticeField:
    """Interpolating field of a stored domain, and of its errors by what is asked for.

    Older maps have none by blur.
    """
    domain = StoredNode(domain)  # which says so if something is missing
    return LatticeField.from_samples(
        ImageGrid.from_dict(domain["grid"]),
        np.asarray(domain["members"]).tolist(),
        domain["displacement"],
        domain["gradient"],
        domain["amplitude"],
        faintest=float(domain["faintest"]),
        std=_together([np.asarray(domain[e]) for e in errors if e in domain]),
    )


def _together(errors: Sequence[np.ndarray]) -> np.ndarray | None:
    """Root of the sum of the squares of independent errors, None without any."""
    return np.sqrt(sum(one.astype(float) ** 2 for one in errors)) if errors else None


def field_of_region(domain: dict, source: Source, label: int) -> LatticeField:
    """Field of a stored domain as one of its regions alone has it.

    An average across a border mixes two lattices. What the inside of the region
    says is continued to its border, so that its atoms follow its own lattice.
    """
    inside = source.labels_at(ImageGrid.from_dict(domain["grid"])) == label
    if not inside.any():
        return field_of(domain)
    # Where the fringes are lost in noise, the lattice around is the better guess.
    strong = inside & (np.asarray(domain["amplitude"]) > float(domain["faintest"]))
    return field_of_places(domain, label, core(strong if strong.any() else inside))


def field_of_places(domain: dict, label: int, known: np.ndarray) -> LatticeField:
    """Field of a stored domain that places of a region know, continued from there.

    `known` are the places, shape (ny, nx), not empty.
    """
    grid = ImageGrid.from_dict(domain["grid"])
    gradient = np.asarray(domain["gradient"])
    displacement = linear_continuation(
        np.asarray(domain["displacement"]), gradient, grid, known
    )
    rows, columns = nearest_known(known)
    return LatticeField.from_samples(
        grid,
        (label,),
        displacement,
        gradient[..., rows, columns],
        domain["amplitude"],
        faintest=float(domain["faintest"]),
    )


def when_needed(
    source: Source, make: Any, domains: Iterable[dict], *args: Any, **kwargs: Any
) -> Any:
    """make(domains, …), of a lazy micrograph not before its blocks are computed.

    A lazy map so holds no second copy of what the domains are.
    """
    domains = [dict(domain) for domain in domains]
    if not source.lazy:
        return make(domains, *args, **kwargs)
    import dask

    for domain in domains:
        for unused in set(ERRORS).difference(kwargs.get("errors", ())):
            domain.pop(unused, None)
    return dask.delayed(make)(domains, *args, **kwargs)


def by_blocks(
    source: Source, depth: int, kernel: Any, *args: Any, **kwargs: Any
) -> Any:
    """kernel(labels, grid, …) of the whole image, or lazily of each of its chunks."""
    if not source.lazy:
        return kernel(np.asarray(source.labels), source.grid, *args, **kwargs)
    import dask
    import dask.array as da

    labels = as_dask(source.labels)
    edges = [np.concatenate([[0], np.cumsum(sizes)]) for sizes in labels.chunks]
    args = tuple(dask.delayed(value, pure=True) for value in args)
    lines = []
    for i, line in enumerate(labels.to_delayed()):
        blocks = []
        for j, block in enumerate(line):
            rows, columns = (
                slice(int(edge[k]), int(edge[k + 1]))
                for edge, k in zip(edges, (i, j), strict=True)
            )
            part = dask.delayed(kernel)(
                block, source.grid.window(rows, columns), *args, **kwargs
            )
            shape = (depth, rows.stop - rows.start, columns.stop - columns.start)
            blocks.append(da.from_delayed(part, shape, dtype=np.float32))
        lines.append(da.concatenate(blocks, axis=2))
    return da.concatenate(lines, axis=1)
