# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Branches of the displacement around dislocations, each smooth where others jump.

Once around a dislocation u grows by its Burgers vector b: a stored u has cuts from the
cores to others or to the border, across which it jumps by lattice vectors. The crystal
does not: u + b says of the same atoms that they lie where u says. An interpolation
smears the jump, so that near a cut another branch of u is taken, with lattice vectors
added such that its cuts lie far away. Where two branches meet away from their cuts both
place the same atoms, whichever way b points, so that none is lost or doubled.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from hyperspy_t2t.array_types import Array, Ints, Mask
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.continuation import linear_continuation, nearest_known

_SURE = 0.25
"""Distance from a whole number of lattice vectors up to which a step is a jump."""
_ROOM = 8.0
"""Samples around a cut in which another branch is better: a spline forgets a jump as
0.27ⁿ, to 0.0001 Å."""
_WIDE = 6.0
"""The same in lattice vectors: places of that width are not missed when filled."""
_PLACES = 2**18
"""In which jumps are looked for at a time."""
_UNSURE = 1e6
"""Cost of a step that may be a jump or not: it is taken last."""


@dataclass(frozen=True)
class Branches:
    """The stored displacement and one with other cuts.

    Parameters
    ----------
    grid
        Where the samples are.
    turns
        Lattice vectors (i, j) that the other branch has more, shape (2, ny, nx).
    cuts
        (x, y) of points on the cuts of either, in nm, shapes (n, 2), less than a sample
        apart.
    room
        Distance in nm from a cut up to which the other branch may be better.
    """

    grid: ImageGrid
    turns: Ints
    cuts: tuple[Array, Array]
    room: float

    def preference(self, positions: Array) -> Array:
        """How much better the other branch is at (x, y) in nm, (m, 2) → (m,).

        In nm; it is taken where this is above zero: near the cuts of the stored one, up
        to where its own are as near. −inf away from cuts.
        """
        from scipy.spatial import cKDTree

        result = np.full(len(positions), -np.inf)
        first = cKDTree(self.cuts[0]).query(
            positions, distance_upper_bound=2 * self.room
        )[0]
        near = np.flatnonzero(np.isfinite(first))
        result[near] = self.room - first[near]
        if len(self.cuts[1]):
            second = cKDTree(self.cuts[1]).query(positions[near])[0]
            result[near] = np.minimum(result[near], second - first[near])
        return result

    def turns_at(self, positions: Array) -> Ints:
        """Lattice vectors that the other branch has more at positions, (m, 2)."""
        rows, columns = (
            np.clip(np.rint(index).astype(int), 0, size - 1)
            for index, size in zip(
                self.grid.to_pixels(positions), self.grid.shape, strict=True
            )
        )
        return self.turns[:, rows, columns].T


def branches(
    displacement: Array,
    gradient: Array,
    in_plane: Array,
    inside: Mask,
    known: Mask,
    grid: ImageGrid,
) -> Branches | None:
    """Another branch of a displacement with jumps, None of one without.

    A step to a neighbour less what the mean slope of both lets expect is, in lattice
    vectors, close to whole numbers: those other than zero are jumps. The other branch
    sums up the steps without jumps along the minimum spanning tree of the places near
    cuts, with the distance from the cuts as the cost: a circuit about a core is open
    where it is furthest from them, so that the new cuts lead the other way.

    Parameters
    ----------
    displacement
        u in nm, shape (2, ny, nx).
    gradient
        ∂u_i/∂r_j, shape (2, 2, ny, nx).
    in_plane
        Two vectors (rows) of the undeformed lattice in nm, shape (2, 2).
    inside
        Where the lattice is; jumps elsewhere are none, shape (ny, nx).
    known
        Where the displacement is measured; elsewhere it is continued from there.
    grid
        Where the samples are.
    """
    known = known & inside
    if not known.any():
        return None
    u = linear_continuation(displacement, gradient, grid, known)
    if not _any_jump(u, gradient, in_plane, inside, grid):
        return None
    steps = _Steps.of(u, gradient, in_plane, grid)
    both = np.all(inside.ravel()[steps.ends], axis=0)
    jump = steps.sure & both & steps.turns.any(axis=0)
    room = max(_ROOM * max(grid.pixel_size), _WIDE * np.hypot(*in_plane.T).min())
    near = inside & _near(steps, jump, room, grid)
    turns = _other_turns(steps, both, jump, near, grid).reshape(2, *grid.shape)
    rows, columns = nearest_known(known)
    turns = turns[:, rows, columns]  # as the displacement is continued
    first, second = turns.reshape(2, -1)[:, steps.ends].swapaxes(0, 1)
    rest = steps.turns + second - first
    others = both & steps.sure & rest.any(axis=0)
    middle = steps.middle(grid)
    cuts = middle[jump], middle[others]
    return Branches(grid, turns, cuts, float(room))


def _any_jump(
    u: Array, gradient: Array, in_plane: Array, inside: Mask, grid: ImageGrid
) -> bool:
    """Whether u jumps anywhere, looked for in some rows at a time: steps take much."""
    ny, nx = grid.shape
    most = max(1, _PLACES // nx)
    for start in range(0, max(1, ny - 1), most):
        rows = slice(start, min(ny, start + most + 1))
        steps = _Steps.of(
            u[:, rows], gradient[:, :, rows], in_plane,
            grid.window(rows, slice(0, nx)),
        )  # fmt: skip
        both = np.all(inside[rows].ravel()[steps.ends], axis=0)
        if (steps.sure & both & steps.turns.any(axis=0)).any():
            return True
    return False


@dataclass(frozen=True)
class _Steps:
    """Steps between neighbours along x, then along y: m of them.

    `ends` are the places (2, m), `turns` the whole lattice vectors (2, m) by which u
    jumps, `sure` where that is what it does, (m,).
    """

    ends: Ints
    turns: Ints
    sure: Mask

    @classmethod
    def of(
        cls, u: Array, gradient: Array, in_plane: Array, grid: ImageGrid
    ) -> "_Steps":
        number = np.arange(int(np.prod(grid.shape))).reshape(grid.shape)
        ends, jumps = [], []
        for axis, image_axis in ((0, 1), (1, 0)):
            here = (slice(None), slice(None, -1)) if image_axis else (slice(None, -1),)
            there = (slice(None), slice(1, None)) if image_axis else (slice(1, None),)
            slope = gradient[:, axis]
            mean = 0.5 * (slope[:, *here] + slope[:, *there])
            step = u[:, *there] - u[:, *here] - grid.pixel_size[image_axis] * mean
            ends.append(np.stack([number[here].ravel(), number[there].ravel()]))
            jumps.append(np.linalg.solve(in_plane.T, step.reshape(2, -1)))
        jump = np.concatenate(jumps, axis=1)
        jump = np.where(np.isfinite(jump), jump, 0.5)
        turns = np.rint(jump)
        sure = (np.abs(jump - turns) < _SURE).all(axis=0)
        return cls(np.concatenate(ends, axis=1), turns.astype(np.int64), sure)

    def middle(self, grid: ImageGrid) -> Array:
        """(x, y) of their middles in nm, shape (m, 2)."""
        rows, columns = np.divmod(self.ends, grid.shape[1])
        return grid.to_nm(rows.mean(axis=0), columns.mean(axis=0))


def _near(steps: _Steps, jump: Mask, room: float, grid: ImageGrid) -> Mask:
    """Places less than twice the room away from jumps, shape (ny, nx)."""
    from scipy.ndimage import distance_transform_edt

    away = np.ones(grid.shape, bool)
    away.ravel()[steps.ends[:, jump]] = False
    return distance_transform_edt(away, sampling=grid.pixel_size) < 2 * room


def _other_turns(
    steps: _Steps, both: Mask, jump: Mask, near: Mask, grid: ImageGrid
) -> Ints:
    """Lattice vectors to be added near jumps, zero elsewhere, shape (2, ny · nx)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import minimum_spanning_tree
    from scipy.spatial import cKDTree

    used = np.flatnonzero(both & near.ravel()[steps.ends].all(axis=0))
    middle = steps.middle(grid)
    cost = 1e-6 + cKDTree(middle[jump]).query(middle[used])[0]
    cost[~steps.sure[used]] += _UNSURE
    # Older SciPy finds trees with indices of 32 bits only.
    first, second = steps.ends[:, used].astype(np.int32)
    table = coo_array((cost, (first, second)), (near.size, near.size)).tocsr()
    tree = minimum_spanning_tree(table)
    # The number of a step as its value, to know it again in the tree.
    number = coo_array((1 + used, (first, second)), table.shape).tocsr()
    kept = (number * (tree != 0)).tocoo().data - 1
    return _summed(steps.ends[:, kept], -steps.turns[:, kept], near.size)


def _summed(ends: Ints, change: Ints, size: int) -> Ints:
    """Sums of changes along the steps of a tree from a root with zero, (2, size)."""
    from scipy.sparse import coo_array

    count = len(ends[0])
    there = np.concatenate([ends[0], ends[1]])
    back = np.concatenate([ends[1], ends[0]])
    signed = np.concatenate([change, -change], axis=1).T
    table = coo_array((1 + np.arange(2 * count), (there, back)), (size, size)).tocsr()
    result = np.zeros((size, 2), np.int64)
    _walk(table.indptr, table.indices, signed[table.data - 1], result)
    return result.T


@njit(cache=True, nogil=True)
def _walk(start: Ints, neighbour: Ints, change: Ints, result: Ints) -> None:
    """Breadth first through each part of a tree."""
    size = len(start) - 1
    seen = np.zeros(size, np.bool_)
    queue = np.empty(size, np.int64)
    for root in range(size):
        if seen[root]:
            continue
        seen[root] = True
        queue[0], head, tail = root, 0, 1
        while head < tail:
            place = queue[head]
            head += 1
            for k in range(start[place], start[place + 1]):
                other = neighbour[k]
                if not seen[other]:
                    seen[other] = True
                    result[other] = result[place] + change[k]
                    queue[tail] = other
                    tail += 1
