# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The sides of planar faults.

What could go wrong: a way through at a corner, where the line runs through places, or
past its end short of the border; pixels that are not square and axes that do not begin
at zero; a speck without label on the line; a fault that ends inside; two parallel ones,
a corner of two; a sliver along the border; a region in parts; a fault beside the
region.
"""

import numpy as np
import pytest

from hyperspy_t2t.atoms.fault_sides import fault_distance, sides_of_faults
from hyperspy_t2t.calibration import ImageGrid

GRID = ImageGrid((60, 90), (0.8, 0.5), (-7.0, 11.0))  # 48 nm high, 45 nm wide
X, Y = np.moveaxis(GRID.to_nm(*np.indices(GRID.shape)), -1, 0)
CENTRE = np.array([33.4, 16.9])
ALL = np.ones(GRID.shape, bool)


def line(angle: float, low: float, high: float, through=CENTRE) -> np.ndarray:
    direction = np.array([np.cos(angle), np.sin(angle)])
    return through + np.linspace(low, high, 25)[:, None] * direction


def beyond(angle: float, through=CENTRE) -> np.ndarray:
    """Whether places are on the right of a straight line."""
    return -np.sin(angle) * (X - through[0]) + np.cos(angle) * (Y - through[1]) >= 0


def same_parts(labels: np.ndarray, expected: np.ndarray) -> bool:
    pairs = {
        (int(a), int(b)) for a, b in zip(labels.ravel(), expected.ravel(), strict=True)
    }
    return len(pairs) == len(np.unique(expected)) == len(np.unique(labels))


@pytest.mark.parametrize("angle", np.arange(0.0, np.pi, 0.37))
def test_a_fault_seen_short_of_the_border_parts_the_region(angle):
    labels, n = sides_of_faults(ALL, GRID, [line(angle, -13, 14)])
    assert n == 2
    assert same_parts(labels, beyond(angle).astype(int))
    assert (labels == 1).sum() >= (labels == 2).sum()


def test_lines_through_places():
    # Exactly on a row, on a column, and on a diagonal of places.
    corner = GRID.to_nm(30, 40)
    for angle in (0.0, np.pi / 2, np.arctan2(0.8, 0.5), -np.arctan2(0.8, 0.5)):
        through = line(angle, -9, 9, corner)
        assert sides_of_faults(ALL, GRID, [through])[1] == 2


def test_reversed_lines_and_a_zigzag_give_the_same_parts():
    x = np.linspace(13, 54, 140)
    zigzag = np.stack([x, 17 + 3 * np.abs((x / 7) % 2 - 1)], axis=1)
    labels, n = sides_of_faults(ALL, GRID, [zigzag])
    assert n == 2
    assert same_parts(labels, (np.interp(X, *zigzag.T) <= Y).astype(int))
    assert (labels == sides_of_faults(ALL, GRID, [zigzag[::-1]])[0]).all()


def test_a_speck_without_label_does_not_stop_it():
    inside = ALL & (np.hypot(X - 44, Y - 16.9) > 1.5)
    labels, n = sides_of_faults(inside, GRID, [line(0.0, -12, 6)])
    assert n == 2
    assert (labels > 0).tolist() == inside.tolist()


def test_a_fault_that_ends_inside_and_where_the_field_is_joint():
    lines = [line(0.0, -20, 3)]
    labels, n = sides_of_faults(ALL, GRID, lines)
    assert n == 2
    assert same_parts(labels, beyond(0.0).astype(int))
    distance = fault_distance(GRID, lines)
    ahead = X > CENTRE[0] + 3
    expected = np.where(
        ahead, np.hypot(X - CENTRE[0] - 3, Y - CENTRE[1]), np.abs(Y - CENTRE[1])
    )
    there = X > CENTRE[0] - 19
    assert np.abs(distance - expected)[there].max() < 0.03
    assert np.isinf(fault_distance(GRID, [])).all()


def test_parallel_faults_and_corners():
    pair = [line(0.3, -15, 15), line(0.3, -15, 15, CENTRE + np.array([0.0, 8.0]))]
    labels, n = sides_of_faults(ALL, GRID, pair)
    expected = beyond(0.3).astype(int) + beyond(0.3, CENTRE + np.array([0.0, 8.0]))
    assert n == 3
    assert same_parts(labels, expected)
    # A T: the second ends short of the first and does not go on beyond it.
    tee = [line(0.0, -18, 18), line(np.pi / 2, 4, 18)]
    labels, n = sides_of_faults(ALL, GRID, tee)
    above = np.where(beyond(0.0), 1 + (X > CENTRE[0]), 0)
    assert n == 3
    assert (same_parts(labels, above)) and len(np.unique(labels[~beyond(0.0)])) == 1
    # Two faults between the same two rows of places do not cancel.
    twice = [line(0.0, -18, 18), line(0.0, -18, 18) + np.array([0.0, 0.1])]
    assert sides_of_faults(ALL, GRID, twice)[1] == 2


def test_slivers_and_faults_beside_the_region():
    inside = beyond(0.0, CENTRE - np.array([0.0, 1.1]))
    labels, n = sides_of_faults(inside, GRID, [line(0.0, -18, 18)])
    assert n == 1
    assert (labels == inside).all()
    labels, n = sides_of_faults(
        inside, GRID, [line(0.0, -18, 18, CENTRE - np.array([0, 9]))]
    )
    assert n == 1
    assert sides_of_faults(~ALL, GRID, [line(0.0, -18, 18)])[1] == 0
    assert sides_of_faults(ALL, GRID, [])[1] == 1


def test_parts_without_a_fault_are_of_the_first_side():
    inside = (np.abs(X - CENTRE[0]) > 3) & ALL
    left = [line(0.0, -18, -8)]
    labels, n = sides_of_faults(inside, GRID, left)
    assert n == 2
    assert np.unique(labels[inside & (X > CENTRE[0])]).tolist() == [1]
    assert set(np.unique(labels[inside & (X < CENTRE[0])])) == {1, 2}
