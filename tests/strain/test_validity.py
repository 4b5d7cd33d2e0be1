# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Places where strain is that of one lattice alone."""

import numpy as np
import pytest

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.maps import LatticeField
from hyperspy_t2t.strain.validity import unmixed, validity_block

COARSE = ImageGrid((31, 41), (0.2, 0.25), (1.0, -2.0))


def distance_to(where: np.ndarray, grid: ImageGrid) -> np.ndarray:
    """From each place to the nearest of others in nm, by trying all."""
    at = np.indices(grid.shape).reshape(2, -1).T * grid.pixel_size
    others = at[where.ravel()]
    apart = np.linalg.norm(at[:, None] - others[None], axis=2).min(axis=1)
    return apart.reshape(grid.shape)


def halves() -> np.ndarray:
    labels = np.ones(COARSE.shape, int)
    labels[:, 22:] = 2
    labels[5:7, 5:8] = 0
    return labels


@pytest.mark.parametrize("members", [(1,), (2,), (1, 2)])
def test_places_far_from_border_and_other_regions(members: tuple[int, ...]) -> None:
    labels = halves()
    found = unmixed(labels, COARSE, members, reach=0.9)
    larger = ImageGrid((33, 43), COARSE.pixel_size)
    expected = np.zeros(labels.shape, bool)
    for member in members:
        foreign = np.pad(labels != member, 1, constant_values=True)
        expected |= distance_to(foreign, larger)[1:-1, 1:-1] > 0.9
    np.testing.assert_array_equal(found, expected)
    assert found.any() and not found.all()


def test_no_members_and_no_place() -> None:
    assert not unmixed(halves(), COARSE, (7,), reach=0.1).any()
    assert not unmixed(halves(), COARSE, (1, 2), reach=100.0).any()


def field(members: tuple[int, ...], amplitude: np.ndarray, faintest: float = 0.1):
    return LatticeField.from_samples(
        COARSE,
        members,
        np.zeros((2, *COARSE.shape)),
        np.zeros((2, 2, *COARSE.shape)),
        amplitude,
        faintest=faintest,
    )


def pixels() -> tuple[ImageGrid, np.ndarray]:
    """Pixels of the image of the coarse grid, 0.05 nm high and wide, and labels."""
    grid = ImageGrid((121, 201), (0.05, 0.05), COARSE.origin)
    labels = np.ones(grid.shape, np.int32)
    labels[:, 110:] = 2
    labels[25:35, 25:40] = 0
    return grid, labels


def test_two_lattices_side_by_side() -> None:
    grid, labels = pixels()
    ones = np.ones(COARSE.shape)
    fields = [field((1,), ones), field((2,), ones)]
    coarse = halves()
    places = [unmixed(coarse, COARSE, f.members, reach=0.9) for f in fields]
    found = validity_block(labels, grid, fields, places)
    assert found.shape == (1, *grid.shape) and set(np.unique(found)) == {0, 1}
    valid = found[0] == 1
    x = np.arange(grid.shape[1]) * 0.05
    row = valid[70]  # 5.5 nm is where the second begins
    sure = (np.abs(x - 5.5) > 1.2) & (x > 1.2) & (x < x[-1] - 1.2)
    assert row[sure].all() and not row[(np.abs(x - 5.5) < 0.6)].any()
    assert not row[(x < 0.6) | (x > x[-1] - 0.6)].any()
    assert not valid[labels == 0].any()
    # Sharing a lattice they still have strains of their own.
    both = field((1, 2), ones)
    one = validity_block(
        labels, grid, [both], [unmixed(coarse, COARSE, (1, 2), reach=0.9)]
    )
    np.testing.assert_array_equal(one, found)


def test_faint_fringes_and_regions_without_lattice_are_not_valid() -> None:
    grid, labels = pixels()
    amplitude = np.ones(COARSE.shape)
    amplitude[20:] = 0.05
    everywhere = np.ones(COARSE.shape, bool)
    found = validity_block(labels, grid, [field((1,), amplitude)], [everywhere])[0]
    assert (found[:70][labels[:70] == 1] == 1).all()
    assert not found[90:].any() and not found[labels != 1].any()


def test_a_block_of_the_image_gives_the_same() -> None:
    grid, labels = pixels()
    fields = [field((1,), np.ones(COARSE.shape)), field((2,), np.ones(COARSE.shape))]
    places = [unmixed(halves(), COARSE, f.members, reach=0.7) for f in fields]
    whole = validity_block(labels, grid, fields, places)
    part = (slice(13, 77), slice(60, 199))
    block = validity_block(labels[part], grid.window(*part), fields, places)
    np.testing.assert_array_equal(block, whole[(slice(None), *part)])
