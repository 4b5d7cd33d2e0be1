# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Bragg-filtered images of a strain map's micrograph."""

from typing import Any

import numpy as np

from hyperspy_t2t.arguments import as_numbers
from hyperspy_t2t.signals._carried import convert
from hyperspy_t2t.signals._strain.fields import by_blocks
from hyperspy_t2t.strain.bragg_filter import BraggField, bragg_block, bragg_field


def filtered_image(
    strain: Any, *, g_vectors: Any, region: int | None, resolution: Any, mean: bool
) -> Any:
    """Signal2D of the chosen spots; parameters as of StrainMap.bragg_filter."""
    if g_vectors is not None and as_numbers(g_vectors) is None:
        raise ValueError(
            "Expected g_vectors as (gx, gy) in 1/nm, shape (n, 2), got "
            f"{g_vectors!r:.80}."
        )
    source = strain._source()
    reference_of = strain.reference_of
    if region is not None and g_vectors is None and region not in reference_of:
        raise ValueError(
            f"Expected the label of a region with strain, one of "
            f"{sorted(reference_of)}, got {region!r}. Give the g_vectors of other "
            "regions."
        )
    fields: list[BraggField] = []
    for g, members, sigma in _lattices(strain, g_vectors, region):
        chosen = sigma if resolution is None else resolution
        sigma = _checked(chosen, source.grid)
        fields.append(
            bragg_field(source.image, source.grid, g, sigma=sigma, members=members)
        )
    data = by_blocks(source, 1, bragg_block, fields, mean=bool(mean))[0]
    return convert.plain_image(
        data,
        convert.grid_axes(source.grid),
        title=f"{strain.metadata.General.title}: Bragg-filtered",
        quantity="Intensity",
    )


def _lattices(strain: Any, g_vectors: Any, region: int | None) -> list[tuple]:
    """g, labels that show them, and resolution of each lattice."""
    only = None if region is None else (int(region),)
    domains = list(strain._domains().values())
    if g_vectors is not None:
        own = [d for d in domains if region in np.asarray(d["members"])]
        return [(g_vectors, only, float((own or domains)[0]["resolution"]))]
    return [
        (
            np.asarray(domain["g_vectors"]),
            only or tuple(np.asarray(domain["members"]).tolist()),
            float(domain["resolution"]),
        )
        for domain in domains
        if region is None or region in np.asarray(domain["members"])
    ]


def _checked(resolution: Any, grid: Any) -> float:
    """Standard deviation in nm between a pixel and the image."""
    finest = max(grid.pixel_size)
    coarsest = min(
        n * step for n, step in zip(grid.shape, grid.pixel_size, strict=True)
    )
    try:
        sigma = float(resolution)
    except (TypeError, ValueError):
        sigma = np.nan
    if not finest <= sigma <= coarsest:
        raise ValueError(
            f"Expected a resolution between a pixel, {finest:.3g} nm, and the image, "
            f"{coarsest:.3g} nm; got {resolution!r}."
        )
    return sigma
