# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Outlines fill the image without gaps or overlaps, whatever the labels."""

from collections import Counter

import numpy as np
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from skimage.measure import label as parts_of

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.segmentation.borders import block_edges, borders
from hyperspy_t2t.segmentation.contours import (
    Contours,
    contours_of,
    region_contours,
    signed_area,
)
from hyperspy_t2t.segmentation.polygons import fill, make_shapes

SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 12))
NOISE = SHAPES.flatmap(lambda shape: arrays(int, shape, elements=st.integers(0, 3)))
SIZES = st.tuples(st.floats(0.05, 2.0), st.floats(0.05, 2.0))
RING = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 1]])
CHESS = np.indices((5, 6)).sum(axis=0) % 2


def blobs(seed: int, shape: tuple[int, int] = (60, 70), count: int = 4) -> np.ndarray:
    """Labels with smooth borders, islands and triple points."""
    noise = np.random.default_rng(seed).normal(size=(count, *shape))
    return gaussian_filter(noise, (0, 4, 4)).argmax(axis=0)


def grains(seed: int, shape: tuple[int, int] = (200, 240), count: int = 12):
    """Labels of straight-edged grains."""
    places = np.random.default_rng(seed).uniform(0, shape, (count, 2))
    rows, columns = np.indices(shape)
    nearest = cKDTree(places).query(np.stack([rows.ravel(), columns.ravel()], axis=1))
    return nearest[1].reshape(shape) + 1


def grid_of(labels: np.ndarray, pixel_size=(1.0, 1.0)) -> ImageGrid:
    """The upper left corner of the image stands at (7, -3) nm."""
    sy, sx = pixel_size
    return ImageGrid(labels.shape, (sy, sx), (-3 + sy / 2, 7 + sx / 2))


def check_partition(contours: Contours, labels: np.ndarray, grid: ImageGrid) -> None:
    """Valid polygons that fill the image once, one for each part of a region."""
    pixel = np.prod(grid.pixel_size)
    shapes = []
    assert list(contours) == np.unique(labels).tolist()
    for label, region in contours.polygons().items():
        assert len(region) == parts_of(labels == label, connectivity=1).max()
        for outer, holes in region:
            polygon = shapely.Polygon(outer, holes)
            assert polygon.is_valid, shapely.is_valid_reason(polygon)
            assert signed_area(outer) > 0 > max(map(signed_area, holes), default=-1)
            shapes.append(polygon)
    total = labels.size * pixel
    assert sum(shape.area for shape in shapes) == pytest.approx(total, rel=1e-12)
    assert shapely.union_all(shapes).area == pytest.approx(total, rel=1e-9)
    check_sides(contours, grid)


def check_sides(contours: Contours, grid: ImageGrid) -> None:
    """Each side is another region's in reverse, bit by bit, or lies on the frame."""
    sides = Counter(
        (*start, *end)
        for polygons in contours.values()
        for polygon in polygons
        for start, end in zip(polygon[:-1].tolist(), polygon[1:].tolist(), strict=True)
    )
    assert set(sides.values()) == {1}
    alone = [side for side in sides if (*side[2:], *side[:2]) not in sides]
    x0, y0, x1, y1 = np.array(alone).T
    low, high = grid.to_nm(-0.5, -0.5), grid.to_nm(*np.subtract(grid.shape, 0.5))
    upright = (x0 == x1) & (np.isclose(x0, low[0]) | np.isclose(x0, high[0]))
    level = (y0 == y1) & (np.isclose(y0, low[1]) | np.isclose(y0, high[1]))
    assert (upright | level).all()
    length = np.hypot(x1 - x0, y1 - y0).sum()
    assert length == pytest.approx(2 * (high - low).sum(), rel=1e-12)


@settings(max_examples=100)
@given(
    NOISE,
    SIZES,
    st.booleans(),
    st.sampled_from([None, 0.0, 0.3, 1.0, 30.0]),
    st.integers(1, 4),
)
@example(RING, (1.0, 1.0), True, 30.0, 1)
@example(CHESS, (1.0, 1.0), True, 30.0, 1)
@example(CHESS, (0.3, 1.0), False, 30.0, 3)
def test_any_labels_give_a_partition(labels, pixel_size, smooth, tolerance, zoom):
    labels = np.kron(labels, np.ones((zoom, zoom), int))
    grid = grid_of(labels, pixel_size)
    contours = region_contours(labels, grid, tolerance=tolerance, smooth=smooth)
    check_partition(contours, labels, grid)


@pytest.mark.parametrize("tolerance", [None, 0.0, 0.5, 3.0, 100.0])
@pytest.mark.parametrize("seed", range(4))
def test_smooth_borders_give_a_partition(seed, tolerance):
    labels = blobs(seed)
    grid = grid_of(labels, (0.5, 0.8))
    check_partition(region_contours(labels, grid, tolerance=tolerance), labels, grid)


@settings(max_examples=60)
@given(NOISE, st.integers(1, 4))
def test_every_pixel_centre_stays_in_its_region(labels, zoom):
    labels = np.kron(labels, np.ones((zoom, zoom), int))
    grid = grid_of(labels, (0.3, 1.1))
    contours = region_contours(labels, grid, tolerance=0)
    found = fill(make_shapes(contours.items(), grid), (0, 0), grid.shape)
    np.testing.assert_array_equal(found, labels)


@settings(max_examples=60)
@given(NOISE, st.sampled_from([0.0, 0.8, 50.0]))
def test_pixel_edges_keep_areas_and_corners_where_borders_meet(labels, tolerance):
    grid = grid_of(labels, (0.5, 2.0))
    contours = region_contours(labels, grid, tolerance=tolerance, smooth=False)
    for label, polygons in contours.items():
        area = sum(map(signed_area, polygons))
        assert area == pytest.approx((labels == label).sum(), rel=1e-9)
    outlined = {
        label: {tuple(point) for polygon in polygons for point in polygon.tolist()}
        for label, polygons in contours.items()
    }
    padded = np.pad(labels, 1, constant_values=-1)
    around = np.lib.stride_tricks.sliding_window_view(padded, (2, 2))
    for row, column in np.ndindex(around.shape[:2]):
        here = set(around[row, column].ravel().tolist())
        if len(here) > 2:
            point = tuple(
                (grid.to_nm(-0.5, -0.5) + 0.5 * np.array([4 * column, row])).tolist()
            )
            assert all(point in outlined[label] for label in here - {-1})


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("tolerance", [None, 0.0, 1.0, 10.0])
def test_smoothed_regions_keep_their_areas(seed, tolerance):
    labels = grains(seed)
    contours = region_contours(labels, grid_of(labels), tolerance=tolerance)
    areas = [sum(map(signed_area, polygons)) for polygons in contours.values()]
    np.testing.assert_allclose(areas, np.bincount(labels.ravel())[1:], rtol=1e-9)


def joints(contours: Contours) -> Counter:
    """Number of regions at each point with three or more of them, or two and none."""
    regions = Counter()
    for polygons in contours.values():
        regions.update({tuple(point) for p in polygons for point in p.tolist()})
    return {point for point, count in regions.items() if count > 2}


@pytest.mark.parametrize("smooth", [True, False])
def test_triple_points_stay(smooth):
    labels = grains(3)
    grid = grid_of(labels)
    first = joints(region_contours(labels, grid, tolerance=0, smooth=smooth))
    assert len(first) >= 10
    for tolerance in (1.0, 5.0, 200.0):
        contours = region_contours(labels, grid, tolerance=tolerance, smooth=smooth)
        assert joints(contours) == first


@pytest.mark.parametrize("tolerance", [0.05, 0.2, 0.7, 3.0])
@pytest.mark.parametrize("smooth", [True, False])
def test_tolerance_is_the_largest_distance_both_ways(tolerance, smooth):
    labels = blobs(7, (90, 80))
    grid = grid_of(labels, (0.5, 0.8))
    exact = region_contours(labels, grid, tolerance=0, smooth=smooth)
    found = region_contours(labels, grid, tolerance=tolerance, smooth=smooth)
    if tolerance > 0.5:
        assert len(found.ragged_arrays()[0]) < 0.4 * len(exact.ragged_arrays()[0])
    for label, polygons in exact.items():
        for before, after in zip(polygons, found[label], strict=True):
            lines = shapely.LineString(before), shapely.LineString(after)
            distance = shapely.hausdorff_distance(*lines, densify=0.02)
            assert distance <= tolerance * (1 + 1e-9)


@pytest.mark.parametrize("angle", [0.7, 2.0, 5.0, 11.0, 18.4, 27.0, 33.0, 41.0, 80.0])
def test_a_slanted_border_is_straight(angle):
    rows, columns = np.indices((300, 300)) - 149.3
    slope = np.deg2rad(angle)

    def distance(x, y):
        return (y - 149.3) * np.cos(slope) - (x - 149.3) * np.sin(slope)

    labels = np.where(distance(columns + 149.3, rows + 149.3) > 0, 1, 2)
    grid = ImageGrid(labels.shape, (1.0, 1.0))
    for tolerance, bound in ((0.0, 0.12), (None, 0.15)):
        (outline,) = region_contours(labels, grid, tolerance=tolerance)[1]
        inner = (np.abs(outline - 149.5) < 149.99).all(axis=1)
        deviation = distance(*outline[inner].T)
        assert np.sqrt(np.mean(deviation**2)) < bound
    assert inner.sum() <= 6


@pytest.mark.parametrize("radius", [5, 8, 12, 25, 60])
def test_a_disc_is_round(radius):
    rng = np.random.default_rng(radius)
    for centre in radius + 5 + rng.uniform(-0.5, 0.5, (5, 2)):
        rows, columns = np.indices((2 * radius + 11,) * 2)
        labels = (np.hypot(rows - centre[0], columns - centre[1]) < radius).astype(int)
        grid = ImageGrid(labels.shape, (1.0, 1.0))
        for tolerance in (0.0, None):
            (outline,) = region_contours(labels, grid, tolerance=tolerance)[1]
            distance = np.hypot(*(outline - centre[::-1]).T) - radius
            assert np.sqrt(np.mean(distance**2)) < (0.2 if radius < 8 else 0.15)
            assert np.abs(distance).max() < 0.45
            assert signed_area(outline) == pytest.approx(labels.sum(), rel=1e-9)
        assert len(outline) < 12 + 8 * np.sqrt(radius)


def test_a_rectangle_keeps_its_corners():
    labels = np.ones((20, 30), int)
    labels[5:12, 8:25] = 2
    contours = region_contours(labels, ImageGrid(labels.shape, (0.5, 2.0), (1.0, 3.0)))
    expected = [[18.0, 3.25], [52.0, 3.25], [52.0, 6.75], [18.0, 6.75]]
    (outer,), (frame, hole) = contours[2], contours[1]
    np.testing.assert_allclose(sorted(outer[:-1].tolist()), sorted(expected))
    assert {tuple(p) for p in hole.tolist()} == {tuple(p) for p in outer.tolist()}
    np.testing.assert_allclose(frame.min(axis=0), [2.0, 0.75])
    np.testing.assert_allclose(frame.max(axis=0), [62.0, 10.75])
    assert len(frame) == 5


def test_islands_in_holes():
    distance = np.hypot(*(np.indices((41, 41)) - 20))
    labels = np.digitize(distance, [4, 9, 14]) % 2  # an island in a hole in an island
    contours = region_contours(labels, grid_of(labels))
    signs = {k: [np.sign(signed_area(p)) for p in v] for k, v in contours.items()}
    assert signs == {0: [1, -1, 1], 1: [1, -1, 1, -1]}
    assert [len(holes) for _, holes in contours.polygons()[1]] == [1, 1]


def test_diagonal_pixels_do_not_hang_together():
    labels = np.array([[1, 2], [2, 1]])
    contours = region_contours(labels, grid_of(labels), smooth=False)
    assert [len(polygons) for polygons in contours.values()] == [2, 2]
    contours = region_contours(RING, grid_of(RING), smooth=False)
    assert len(contours[1]) == 3 and len(contours.polygons()[1][0][1]) == 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1)])
def test_images_of_one_row_or_column(shape):
    labels = np.arange(np.prod(shape)).reshape(shape) // 3
    grid = grid_of(labels, (0.4, 3.0))
    contours = region_contours(labels, grid)
    check_partition(contours, labels, grid)
    areas = [signed_area(polygon) for (polygon,) in contours.values()]
    np.testing.assert_allclose(areas, 1.2 * np.bincount(labels.ravel()))


def test_a_single_pixel_keeps_its_area():
    labels = np.ones((5, 5), int)
    labels[2, 2] = 2
    (outline,) = region_contours(labels, grid_of(labels), tolerance=0)[2]
    assert signed_area(outline) == pytest.approx(1.0)
    np.testing.assert_allclose(outline[:-1].mean(axis=0), [9.5, -0.5])


@pytest.mark.parametrize("max_nodes", [30, 12, 9])
def test_max_nodes(max_nodes):
    labels = grains(4, (80, 90), 6)
    labels[np.hypot(*(np.indices(labels.shape) - 40)) < 15] = 7
    grid = grid_of(labels)
    full = region_contours(labels, grid)
    contours = region_contours(labels, grid, max_nodes=max_nodes)
    points = [sum(len(p) - 1 for p in polygons) for polygons in contours.values()]
    assert max(points) <= max_nodes
    check_partition(contours, labels, grid)
    assert joints(contours) == joints(full)


def test_max_nodes_leaves_regions_alone_that_meet_it():
    labels = np.zeros((80, 160), int)
    distance = np.hypot(*(np.indices((80, 80)) - 40))
    labels[:, :80][distance < 30] = 1
    labels[:, 80:][distance < 5] = 2
    full = region_contours(labels, grid_of(labels))
    few = region_contours(labels, grid_of(labels), max_nodes=25)
    np.testing.assert_array_equal(few[2][0], full[2][0])
    assert len(few[1][0]) - 1 <= 25 < len(full[1][0]) - 1
    assert signed_area(few[1][0]) == pytest.approx((labels == 1).sum())


def test_max_nodes_that_cannot_be():
    labels = np.repeat([[1, 2], [3, 4]], 10, axis=0).repeat(10, axis=1)
    grid = grid_of(labels)
    assert len(region_contours(labels, grid, max_nodes=4)[1][0]) == 5
    with pytest.raises(
        ValueError, match=r"at least 4, got 3\. Region 1 passes 4 triple"
    ):
        region_contours(labels, grid, max_nodes=3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tolerance": -0.1}, r"tolerance of 0 nm or more, got -0.1 nm.* 0.04 nm"),
        ({"tolerance": np.nan}, "got nan nm"),
        ({"max_nodes": 2}, "whole number of at least 3, got 2"),
        ({"max_nodes": 7.5}, "got 7.5"),
    ],
)
def test_bad_options(options, message):
    labels = np.ones((4, 5), int)
    with pytest.raises(ValueError, match=message):
        region_contours(labels, grid_of(labels, (0.4, 0.9)), **options)


@pytest.mark.parametrize("chunks", [(60, 70), (7, 70), (60, 1), (13, 17)])
def test_blocks_give_the_same_as_the_whole(chunks):
    labels = blobs(5)
    edges = []
    for row, column in np.ndindex(*-(-np.array(labels.shape) // chunks)):
        start = row * chunks[0], column * chunks[1]
        size = tuple(np.minimum(chunks, np.subtract(labels.shape, start)).tolist())
        block = tuple(slice(a, a + n + 1) for a, n in zip(start, size, strict=True))
        edges.append(block_edges(labels[block], start, size, labels.shape))
    found = contours_of(borders(edges[::-1], labels.shape), grid_of(labels))
    expected = region_contours(labels, grid_of(labels))
    for one, other in zip(found.ragged_arrays(), expected.ragged_arrays(), strict=True):
        for array, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(array, same)


def test_ragged_arrays_are_shapely_geometries():
    labels = blobs(1)
    contours = region_contours(labels, grid_of(labels))
    arrays = contours.ragged_arrays()
    found = shapely.from_ragged_array(shapely.GeometryType.MULTIPOLYGON, *arrays)
    assert shapely.is_valid(found).all()
    areas = np.bincount(labels.ravel())
    np.testing.assert_allclose(shapely.area(found), areas, rtol=1e-9)
    points, offsets = Contours().ragged_arrays()
    assert points.shape == (0, 2) and [o.tolist() for o in offsets] == [[0]] * 3
