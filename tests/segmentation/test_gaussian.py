# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Compiled smoothing, and borders relaxed tile by tile, against SciPy."""

import numpy as np
import pytest
from scipy.ndimage import find_objects, gaussian_filter

from hyperspy_t2t.segmentation.gaussian import gaussian, gaussian_in
from hyperspy_t2t.segmentation.relaxation import relaxed


@pytest.mark.parametrize("shape", [(90, 130), (5, 300), (1, 7), (40, 3)])
@pytest.mark.parametrize("kind", [np.float32, np.float64, np.complex64])
@pytest.mark.parametrize(("sigma", "truncate"), [(0.0, 4), (0.5, 4), (3.3, 3), (9, 4)])
def test_smoothing_is_that_of_scipy(shape, kind, sigma, truncate) -> None:
    """Also where the Gaussian is wider than the image, which repeats mirrored."""
    rng = np.random.default_rng(0)
    image = (rng.normal(size=shape) + 100 + 1j * rng.normal(size=shape)).astype(
        kind if np.issubdtype(kind, np.complexfloating) else np.complex128
    )
    image = image if np.iscomplexobj(kind()) else image.real.astype(kind)
    expected = gaussian_filter(image, sigma, truncate=truncate)
    found = gaussian(image, sigma, truncate=truncate)
    assert found.dtype == expected.dtype
    tolerance = 1e-12 if kind is np.float64 else 1e-6
    np.testing.assert_allclose(found, expected, rtol=tolerance)


@pytest.mark.parametrize("corner", [(0, 0), (20, 35), (70, 60)])
def test_a_part_is_that_of_the_whole(corner: tuple[int, int]) -> None:
    image = np.random.default_rng(1).normal(size=(90, 100))
    last = corner[0] + 20, corner[1] + 40
    part = gaussian_in(image, 4.0, corner, last)
    whole = gaussian(image, 4.0)
    np.testing.assert_allclose(part, whole[corner[0] : last[0], corner[1] : last[1]])


def test_views_that_are_not_contiguous() -> None:
    image = np.random.default_rng(2).normal(size=(60, 80))
    np.testing.assert_allclose(
        gaussian(image[::2, ::3], 2.0), gaussian_filter(image[::2, ::3], 2.0)
    )


def reference(labels, image, noise, sigma):
    """Region by region in the whole image, as the docstring of `relaxed` says."""
    value = gaussian_filter(image, sigma / 2)
    for _ in range(4):
        score = np.full((labels.max() + 1, *labels.shape), -np.inf)
        for region, box in enumerate(find_objects(labels), start=1):
            if box is None:
                continue
            inside = labels == region
            share = gaussian_filter(inside.astype(float), sigma)
            y, x = np.nonzero(inside)
            every = max(1, len(y) // 5000)
            y, x = y[::every], x[::every]
            terms = np.stack([np.ones(len(y)), y, x])[: 3 if len(y) >= 400 else 1]
            fit = np.linalg.lstsq(terms.T, image[y, x], rcond=None)[0]
            fit = np.append(fit, [0, 0])[:3]
            rows, columns = np.indices(labels.shape)
            plane = fit[0] + fit[1] * rows + fit[2] * columns
            likely = 4 * np.log(np.maximum(share, 1e-300))
            likely -= (value - plane) ** 2 / (2 * (2 * noise) ** 2)
            score[region] = np.where(share < 1e-3, -np.inf, likely)
        labels = score.argmax(axis=0)
    return labels


@pytest.mark.parametrize("sigma", [1.0, 4.0, 12.0])
@pytest.mark.parametrize("shape", [(150, 170), (30, 200)])
def test_tiles_relax_borders_as_whole_regions_do(shape, sigma: float) -> None:
    """Regions that cross tiles and small ones; a Gaussian wider than the image."""
    rng = np.random.default_rng(3)
    field = gaussian_filter(rng.normal(size=shape), 8)
    labels = np.digitize(field, np.percentile(field, [25, 50, 75])) + 1
    labels[5:9, 20:26] = 5
    image = labels + rng.normal(size=shape)
    noise = np.full(shape, 1 / (2 * np.sqrt(np.pi) * sigma))
    found = relaxed(labels, image, noise, sigma)
    assert (found != labels).any()
    assert (found != reference(labels, image, noise, sigma)).mean() < 2e-4
