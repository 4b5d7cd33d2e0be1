# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Branches of the displacement around dislocations.

What could go wrong: a cut in any direction, not only along b; pixels that are not
square; two cores near each other; a cut that ends in another core, or runs along the
border of the lattice; jumps outside the lattice or where nothing is measured; noise
that makes steps doubtful; a stacking fault or strong strain taken for a jump; new cuts
that run next to the old ones.
"""

import numpy as np
import pytest

from hyperspy_t2t.atoms.dislocation_cuts import branches
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.data.displacements import EdgeDislocation, strained

GRID = ImageGrid((150, 180), (0.13, 0.1), (-7.0, 11.0))  # 19.5 nm high, 18 nm wide
PLACES = GRID.to_nm(*np.indices(GRID.shape))
LATTICE = np.array([[0.38, 0.05], [-0.11, 0.31]])
MIDDLE = np.array([20.1371, 2.6519])
ALL = np.ones(GRID.shape, bool)
TURNS = [(1, 0), (0, -1), (1, 1), (-2, 1)]


def fields(cores, cut=0.0, strain=0.0):
    """u (2, ny, nx), its gradient, and smooth u − R of each core, cut at an angle."""
    under = strained(strain, -strain, rotation=100 * strain, origin=tuple(MIDDLE))
    u, beta = under.displacement(PLACES), under.gradient(PLACES)
    for turns, centre in cores:
        b = np.array(turns) @ LATTICE
        part = EdgeDislocation(tuple(b), tuple(centre))
        own = np.arctan2(-b[1], -b[0])
        x, y = np.moveaxis(PLACES - centre, -1, 0)
        # Between its own cut and the wanted one a lattice vector is added.
        angle = (np.arctan2(y, x) - own) % (2 * np.pi)
        beyond = angle > (np.radians(cut) - own) % (2 * np.pi)
        u = u + part.displacement(PLACES) - beyond[..., None] * b
        beta = beta + part.gradient(PLACES)
    return np.moveaxis(u, -1, 0), np.moveaxis(beta, (-2, -1), (0, 1))


def jumps(u, beta, inside=ALL):
    """(x, y) in nm of all steps that jump, (m, 2)."""
    found = []
    for axis, size in enumerate(GRID.pixel_size):
        slope = beta[:, 1 - axis]
        step = np.diff(u, axis=axis + 1)
        here, there = (np.take(slope, range(a, slope.shape[axis + 1] + a - 1),
                               axis=axis + 1) for a in (0, 1))  # fmt: skip
        off = np.hypot(*(step - 0.5 * size * (here + there))) > 0.15
        both = [
            np.take(inside, range(a, inside.shape[axis] + a - 1), axis=axis)
            for a in (0, 1)
        ]
        rows, columns = np.nonzero(off & both[0] & both[1])
        found.append(GRID.to_nm(rows + 0.5 * (axis == 0), columns + 0.5 * (axis == 1)))
    return np.concatenate(found)


def check(u, beta, centres, inside=ALL):
    """Wherever a branch is taken, its jumps are further away than half the core."""
    from scipy.spatial import cKDTree

    found = branches(u, beta, LATTICE, inside, inside, GRID)
    other = u + np.einsum("iyx,ij->jyx", found.turns, LATTICE)
    points = PLACES[inside]
    taken = found.preference(points) > 0
    core = cKDTree(centres).query(points)[0]
    least = np.minimum(0.5 * core, 5 * max(GRID.pixel_size)) - max(GRID.pixel_size)
    for branch, mine in ((u, ~taken), (other, taken)):
        cuts = jumps(branch, beta, inside)
        assert (cKDTree(cuts).query(points[mine])[0] > least[mine]).all()
    assert 0 < taken.mean() < 0.7
    return found


@pytest.mark.parametrize("turns", TURNS)
@pytest.mark.parametrize("cut", [3.0, 77.0, 190.0, 301.0])
def test_a_cut_in_any_direction(turns, cut) -> None:
    u, beta = fields([(turns, MIDDLE)], cut, strain=0.03)
    found = check(u, beta, [MIDDLE])
    # The other branch is the same displacement but for lattice vectors near the cut.
    assert found.turns.dtype.kind == "i"
    along = PLACES - MIDDLE
    far = along @ (np.cos(np.radians(cut)), np.sin(np.radians(cut))) < -2.1 * found.room
    assert far.any() and not found.turns[:, far].any()


def test_the_branches_agree_with_the_stored_one_but_for_lattice_vectors() -> None:
    u, beta = fields([((1, 0), MIDDLE)], 40.0)
    found = branches(u, beta, LATTICE, ALL, ALL, GRID)
    points = PLACES[::7, ::5].reshape(-1, 2)
    rows, columns = (np.rint(i).astype(int) for i in GRID.to_pixels(points))
    expected = found.turns[:, rows, columns].T
    np.testing.assert_array_equal(found.turns_at(points), expected)
    assert set(map(tuple, np.unique(expected, axis=0))) <= {(0, 0), (1, 0), (-1, 0)}
    nothing = found.preference(MIDDLE + np.array([[-6.0, -6.0]]))
    assert np.isneginf(nothing).all()


def test_several_cores() -> None:
    apart = list(MIDDLE + np.array([[-4.0, 3.0], [3.5, -2.0], [1.0, 5.0]]))
    u, beta = fields(list(zip(TURNS, apart, strict=False)), 10.0)
    check(u, beta, apart)
    # The cut of a dipole ends in the other core.
    pair = list(MIDDLE + np.array([[-3.0, 0.02], [3.0, 0.02]]))
    u, beta = fields([((1, 0), pair[0]), ((-1, 0), pair[1])], 0.0)
    found = check(u, beta, pair)
    assert np.ptp(found.cuts[0][:, 0]) == pytest.approx(6, abs=0.3)


def test_a_lattice_in_a_part_of_the_image() -> None:
    inside = np.hypot(*np.moveaxis(PLACES - MIDDLE, -1, 0)) < 6.0
    centre = MIDDLE + np.array([2.0, 1.0])
    u, beta = fields([((1, 1), centre)], 250.0)
    u[:, ~inside] = np.nan
    found = check(u, beta, [centre], inside)
    assert (np.hypot(*(found.cuts[0] - MIDDLE).T) < 6.2).all()
    # The core is where nothing is seen.
    assert branches(u, beta, LATTICE, ALL, ~ALL, GRID) is None


def test_noise_and_a_faint_core() -> None:
    u, beta = fields([((0, -1), MIDDLE)], 130.0)
    noise = np.random.default_rng(3)
    u = u + noise.normal(0, 0.01, u.shape)
    faint = np.hypot(*np.moveaxis(PLACES - MIDDLE, -1, 0)) < 0.4
    u[:, faint] = noise.uniform(-0.3, 0.3, (2, int(faint.sum())))
    found = branches(u, beta, LATTICE, ALL, ~faint, GRID)
    along = (found.cuts[0] - MIDDLE) @ (
        np.cos(np.radians(130)),
        np.sin(np.radians(130)),
    )
    assert along.min() > -0.5
    tip = MIDDLE + 4 * np.array([[np.cos(np.radians(130)), np.sin(np.radians(130))]])
    assert found.preference(tip)[0] > 0.9
    assert found.preference(2 * MIDDLE - tip)[0] < 0


def test_no_cut_is_no_branch() -> None:
    u, beta = fields([], strain=0.08)
    assert branches(u, beta, LATTICE, ALL, ALL, GRID) is None
    # A stacking fault jumps by no lattice vector.
    for share in (1 / 3, 0.5):
        shift = share * LATTICE.sum(axis=0)
        beyond = PLACES[..., 0] > MIDDLE[0]
        fault = u + shift[:, None, None] * beyond
        assert branches(fault, beta, LATTICE, ALL, ALL, GRID) is None
