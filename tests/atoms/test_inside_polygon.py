# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Regions that points lie in: no gaps, no doubles, holes, exact borders."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path

from hyperspy_t2t.atoms.inside_polygon import Polygons
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.segmentation.contours import Contours, region_contours

GRID = ImageGrid((12, 15), (0.31, 0.17), (-2.0, 5.0))
"""Pixels that are not square, away from the origin."""


@st.composite
def contours(draw: st.DrawFn) -> Contours:
    """Outlines of random regions, one of which may lie within another."""
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    labels = random.integers(1, draw(st.integers(2, 6)), GRID.shape)
    for _ in range(draw(st.integers(0, 2))):  # larger pieces
        labels = np.where(
            random.random(GRID.shape) < 0.7, np.roll(labels, 1, 0), labels
        )
    smooth = draw(st.booleans())
    tolerance = draw(st.sampled_from([None, 0.0, 0.3])) if smooth else 0.0
    return region_contours(labels, GRID, smooth=smooth, tolerance=tolerance)


def hard_places(found: Contours, random: np.random.Generator) -> np.ndarray:
    """Points all over the image, and on vertices, borders and level with vertices."""
    low, high = GRID.to_nm(-0.5, -0.5), GRID.to_nm(11.5, 14.5)
    ends = np.concatenate([p for outlines in found.values() for p in outlines])
    along = random.random((len(ends), 1))
    x = random.uniform(low[0], high[0], len(ends))
    places = [
        random.uniform(low, high, (400, 2)),
        ends,
        ends[:-1] + along[1:] * (ends[1:] - ends[:-1]),
        np.column_stack([x, ends[:, 1]]),
    ]
    places = np.concatenate(places)
    return places[((places > low) & (places < high)).all(axis=1)]


@settings(max_examples=40, deadline=None)
@given(contours(), st.integers(0, 1000))
def test_every_place_of_an_image_lies_in_exactly_one_region(
    found: Contours, seed: int
) -> None:
    places = hard_places(found, np.random.default_rng(seed))
    alone = [
        Polygons.from_contours({label: outlines}).region_at(places)
        for label, outlines in found.items()
    ]
    assert ((np.array(alone) > 0).sum(axis=0) == 1).all()
    together = Polygons.from_contours(found).region_at(places)
    np.testing.assert_array_equal(together, np.sum(alone, axis=0))


@settings(max_examples=20, deadline=None)
@given(contours(), st.integers(0, 1000))
def test_inside_is_what_another_implementation_says(found: Contours, seed: int) -> None:
    low, high = GRID.to_nm(-1.5, -1.5), GRID.to_nm(12.5, 15.5)
    places = np.random.default_rng(seed).uniform(low, high, (300, 2))
    polygons = Polygons.from_contours(found)
    at = polygons.region_at(places)
    for label, outlines in found.items():
        crossed = sum(Path(p).contains_points(places).astype(int) for p in outlines)
        np.testing.assert_array_equal(at == label, crossed % 2 == 1)
        inner = polygons.depth(places, label)
        np.testing.assert_array_equal(inner > 0, at == label)
        np.testing.assert_allclose(
            np.abs(inner), distance(places, outlines), atol=1e-12
        )


def distance(points: np.ndarray, outlines: list[np.ndarray]) -> np.ndarray:
    """To the nearest of all edges, every one looked at."""
    nearest = np.full(len(points), np.inf)
    for outline in outlines:
        for a, b in pairwise(outline):
            t = np.clip((points - a) @ (b - a) / max((b - a) @ (b - a), 1e-30), 0, 1)
            away = np.linalg.norm(points - a - t[:, None] * (b - a), axis=1)
            nearest = np.minimum(nearest, away)
    return nearest


def test_areas_and_boxes_and_reach() -> None:
    square = np.array([(0, 0), (4, 0), (4, 3), (0, 3), (0, 0)], float)
    hole = np.array([(1, 1), (1, 2), (3, 2), (3, 1), (1, 1)], float)
    polygons = Polygons.from_contours(
        {0: [square + 10], 7: [square, hole], 3: [hole[::-1]], 9: [square - 20]}
    )
    assert polygons.labels.tolist() == [3, 7, 9]
    assert polygons.area(7) == pytest.approx(10) and polygons.area(3) == pytest.approx(
        2
    )
    np.testing.assert_array_equal(polygons.box(9), [(-20, -20), (-16, -17)])
    places = np.array([(2, 1.5), (0.5, 0.5), (12, 11), (-18, -18), (np.nan, 1), (2, 9)])
    assert polygons.region_at(places).tolist() == [3, 7, 0, 9, 0, 0]
    np.testing.assert_allclose(
        polygons.depth(places[:2], 7, reach=0.6), [-0.5, 0.5], rtol=1e-12
    )
    assert polygons.depth(places[1:2], 7, reach=0.4)[0] == np.inf
    with pytest.raises(KeyError, match="got 5"):
        polygons.box(5)


def test_no_regions() -> None:
    polygons = Polygons.from_contours({})
    assert polygons.region_at(np.zeros((3, 2))).tolist() == [0, 0, 0]
