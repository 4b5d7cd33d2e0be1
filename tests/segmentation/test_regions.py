# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Regions of images whose division is known."""

import dask.array as da
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.measure import label as connected

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.data.displacements import strained
from hyperspy_t2t.data.synthetic import Region, Scan, synthetic_arrays
from hyperspy_t2t.segmentation.intensity import intensity_classes
from hyperspy_t2t.segmentation.properties import (
    block_sums,
    merge_sums,
    region_properties,
)
from hyperspy_t2t.segmentation.regions import (
    CoarseRegions,
    by_area,
    find_regions,
    noise_to_contrast,
)
from hyperspy_t2t.segmentation.splitting import split_regions

GRID = ImageGrid((240, 320), (0.05, 0.05), (2.0, -7.0))
Y, X = np.indices(GRID.shape)
DIVISIONS = {
    "wavy border": (X > 120 + 15 * np.sin(Y / 30)).astype(int),
    "three levels": (X > 120).astype(int) + ((Y > 150) & (X > 190)),
    "disk": (np.hypot(Y - 120, X - 160) < 50).astype(int),
    "thin layer": ((Y > 112) & (Y < 126)).astype(int),
    "nested": (np.hypot(Y - 120, X - 160) < 80).astype(int)
    + (np.hypot(Y - 120, X - 160) < 35),
}


def rand_index(one: np.ndarray, other: np.ndarray) -> float:
    """Adjusted Rand index of two divisions: 1 if they agree, 0 by chance."""
    first, second = (np.unique(a, return_inverse=True)[1].ravel() for a in (one, other))
    table = np.zeros((first.max() + 1, second.max() + 1))
    np.add.at(table, (first, second), 1)
    both, rows, columns, total = (
        (n * (n - 1) / 2).sum()
        for n in (table, table.sum(1), table.sum(0), np.array(float(first.size)))
    )
    chance = rows * columns / total
    return (both - chance) / ((rows + columns) / 2 - chance)


def on_pixels(coarse: CoarseRegions, grid: ImageGrid) -> np.ndarray:
    return coarse.labels[np.ix_(*coarse.grid.nearest(grid))]


def picture(division: np.ndarray, noise: float, seed: int = 0) -> np.ndarray:
    """Grey levels 1, 1.4, 1.9 with texture and noise."""
    rng = np.random.default_rng(seed)
    texture = gaussian_filter(rng.normal(size=division.shape), 6)
    texture *= 0.04 / texture.std()
    level = np.array([1.0, 1.4, 1.9])[division]
    return level + texture + rng.normal(0, noise, division.shape)


@pytest.mark.parametrize("method", ["auto", "threshold"])
@pytest.mark.parametrize("noise", [0.05, 0.2])
@pytest.mark.parametrize("name", DIVISIONS)
def test_grey_levels_are_told_apart(name: str, noise: float, method: str) -> None:
    division = DIVISIONS[name]
    parts = connected(division + 1, connectivity=1)
    found = find_regions(picture(division, noise), GRID, method=method)
    labels = on_pixels(found, GRID)
    assert labels.max() == parts.max()
    # A layer of fourteen pixels may have a border that is a pixel off.
    assert rand_index(labels, parts) > 0.95
    area = np.bincount(labels.ravel())
    assert area[0] == 0 and np.all(np.diff(area[1:]) <= 0.02 * area[1:-1])
    assert found.labels.dtype == np.int32


def test_blocks_of_a_dask_image_give_the_same_regions() -> None:
    image = picture(DIVISIONS["three levels"], 0.1)
    whole = find_regions(image, GRID)
    blocks = find_regions(da.from_array(image, chunks=(77, 130)), GRID)
    np.testing.assert_array_equal(blocks.labels, whole.labels)


@pytest.mark.parametrize("method", ["auto", "threshold", "lattice"])
def test_one_level_is_one_region(method: str) -> None:
    """Noise, and a slope of the grey level, as of a wedge."""
    rng = np.random.default_rng(2)
    noise = rng.normal(10, 1, GRID.shape)
    for image in (noise, 100 + X / 10 + noise):
        assert find_regions(image, GRID, method=method).labels.max() == 1


def test_missing_pixels_belong_to_no_region() -> None:
    image = picture(DIVISIONS["disk"], 0.05)
    image[:, :60] = np.nan
    labels = on_pixels(find_regions(image, GRID), GRID)
    assert (labels[:, :45] == 0).all() and (labels[:, 70:] > 0).all()
    assert rand_index(labels[:, 70:], DIVISIONS["disk"][:, 70:]) > 0.95


def test_min_area_joins_small_regions() -> None:
    image = picture(DIVISIONS["disk"], 0.05)
    area = np.pi * (50 * 0.05) ** 2
    assert find_regions(image, GRID, min_area=0.8 * area).labels.max() == 2
    assert find_regions(image, GRID, min_area=1.3 * area).labels.max() == 1


def test_an_unknown_method() -> None:
    with pytest.raises(ValueError, match=r"auto, threshold, lattice, .*; got 'magic'"):
        find_regions(np.ones((50, 50)), ImageGrid((50, 50), (1, 1)), method="magic")


@pytest.mark.parametrize("turn", [0.0, 30.0])
@pytest.mark.parametrize("dose", [None, 60.0])
def test_lattices_of_equal_grey_are_told_apart(turn: float, dose: float | None) -> None:
    """2 % strain and 5° (or 35°) of rotation, equal thickness."""
    size, pixel = 512, 0.02
    width = size * pixel
    lower = [(-50, width / 2), (50, width / 2), (50, 50), (-50, 50)]
    field = strained(0.02, 0.02, rotation=5 + turn, origin=(width / 2, width / 2))
    regions = [
        Region("Si diamond", (1, 1, 0)),
        Region("Si diamond", (1, 1, 0), outline=lower, displacement=field),
    ]
    scan = Scan(shape=(size, size), pixel_size=(pixel, pixel), dose=dose)
    image, truth = synthetic_arrays(regions, scan)
    grid = ImageGrid((size, size), (pixel, pixel))
    labels = on_pixels(find_regions(image.astype(float), grid), grid)
    area = np.bincount(labels.ravel())[1:] / labels.size
    assert area[:2].min() > 0.4 and area[2:].sum() < 0.03
    # The lattice is seen through a Gaussian of 0.94 nm.
    where = np.sort(labels, axis=0) if labels[0, 0] == 1 else labels
    border = np.array([np.flatnonzero(np.diff(column))[0] for column in where.T[::32]])
    offset = np.median(border) * pixel - width / 2
    assert abs(offset) < 0.4
    assert rand_index(labels, truth["labels"]) > 0.85


def test_classes_of_a_clean_step_and_of_a_constant() -> None:
    step = np.where(X < 100, 1.0, 2.0)
    classes = intensity_classes(gaussian_filter(step, 2))
    np.testing.assert_array_equal(classes, X >= 100)
    assert not intensity_classes(np.full((60, 60), 3.0)).any()


def test_noise_over_contrast() -> None:
    rng = np.random.default_rng(3)
    image = np.where(X < 100, 0.0, 10.0) + rng.normal(0, 0.5, X.shape)
    assert noise_to_contrast(image) == pytest.approx(0.5 / 11, rel=0.15)
    assert noise_to_contrast(np.full((20, 20), np.nan)) == 0


def test_split_regions_keeps_what_is_large_and_thick() -> None:
    labels = np.ones((30, 40), int)
    labels[:, 30:] = 2
    labels[25:, :] = 0
    classes = np.zeros((30, 40), int)
    classes[:, 15:35] = 1  # crosses the border between the regions
    classes[3:5, 3:5] = 2  # too small
    classes[20, 2:10] = 3  # too thin
    result = split_regions(labels, classes, smallest=5, thinnest=2)
    assert (result[25:] == 0).all() and (result[:25] > 0).all()
    parts = [result[:25, a:b] for a, b in ((0, 15), (15, 30), (30, 35), (35, 40))]
    assert all(len(np.unique(part)) == 1 for part in parts)
    assert len({part[0, 0] for part in parts}) == 4


def test_split_regions_separates_parts_of_equal_class() -> None:
    classes = np.zeros((20, 50), int)
    classes[:, 20:30] = 1
    result = split_regions(np.ones((20, 50), int), classes, smallest=5, thinnest=1)
    assert result[0, 0] != result[0, 49] and len(np.unique(result)) == 3


def test_a_region_with_no_part_worth_keeping_stays_whole() -> None:
    classes = np.indices((10, 10)).sum(axis=0) % 2
    labels = np.full((10, 10), 4)
    result = split_regions(labels, classes, smallest=50, thinnest=1)
    assert len(np.unique(result)) == 1 and result[0, 0] > 0


def test_by_area_numbers_from_the_largest() -> None:
    labels = np.repeat([0, 7, 3, 9, 3], [5, 2, 2, 4, 1])[None]
    expected = np.repeat([0, 3, 2, 1, 2], [5, 2, 2, 4, 1])[None]
    result = by_area(labels)
    np.testing.assert_array_equal(result, expected)
    assert result.dtype == np.int32
    assert by_area(np.zeros((2, 2), int)).max() == 0


def test_nearest_indices_of_another_grid() -> None:
    source = ImageGrid((4, 5), (1.0, 2.0), (10.0, 0.0))
    target = ImageGrid((3, 4), (0.8, 3.0), (9.0, -4.0))
    rows, columns = source.nearest(target)
    assert rows.tolist() == [0, 0, 1] and columns.tolist() == [0, 0, 1, 2]


def test_properties() -> None:
    """Summed over four blocks of different sizes, with a pixel without a value."""
    grid = ImageGrid((10, 20), (0.5, 0.2), (3.0, -1.0))
    labels = np.zeros((10, 20), np.int32)
    labels[2:6, 5:15] = 6
    labels[8:, :2] = 2
    image = np.where(labels == 6, 4.0, 9.0)
    image[3, 7] = np.nan
    blocks = [
        (r, c) for r in (slice(0, 4), slice(4, 10)) for c in (slice(0, 9), slice(9, 20))
    ]
    found = region_properties(
        merge_sums(
            block_sums(labels[r, c], image[r, c], r.start, c.start) for r, c in blocks
        ),
        grid,
    )
    assert found["label"].tolist() == [2, 6]
    np.testing.assert_allclose(found["area"], [4 * 0.1, 40 * 0.1])
    np.testing.assert_allclose(
        found["centroid"],
        [[-1 + 0.5 * 0.2, 3 + 8.5 * 0.5], [-1 + 9.5 * 0.2, 3 + 3.5 * 0.5]],
    )
    np.testing.assert_allclose(found["mean_intensity"], [9, 4])


def test_contrast_does_not_matter_to_small_objects() -> None:
    y, x = np.mgrid[:160, :200]
    image = np.zeros((160, 200))
    for row in (30, 80, 130):
        for column in (30, 80, 120, 165):
            image[np.hypot(y - row, x - column) <= 3.5] = 1.0
    for signed in (image, -image):
        classes = intensity_classes(gaussian_filter(signed, 0.7))
        objects = connected(classes == classes[30, 30], connectivity=1)
        assert objects.max() == 12 and classes[30, 30] != classes[0, 0]
