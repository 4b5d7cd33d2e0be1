# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Phases unwrapped with cuts between residues, where fringes are faint.

Around a dislocation the phase grows by 2π: no unwrapped phase can do without a cut
from it to another of opposite sign or to the border. Between neighbours the phase
steps by what its slope predicts, up to the rest that is smaller than π. A circuit of
four places that does not close is a residue. Each is tied to others that cancel it by
paths that cross as little weight as possible (Goldstein, Zebker, Werner, Radio Science
23 (1988) 713, https://doi.org/10.1029/RS023i004p00713); the steps across a path change
by 2π, and then all circuits close.
"""

from typing import NamedTuple

import numba
import numpy as np

from hyperspy_t2t.array_types import Array, Ints, Mask
from hyperspy_t2t.calibration import ImageGrid

_LEAST_COST = 1e-3
"""Cost of a cut where there is no weight, relative to the best place: of two ways
through nothing the shorter one is taken."""


class Steps(NamedTuple):
    """Phase differences between neighbours of a grid (ny, nx), in rad."""

    along_y: Array
    """From each place to the next along y, shape (ny − 1, nx)."""
    along_x: Array
    """From each place to the next along x, shape (ny, nx − 1)."""

    def residues(self) -> Ints:
        """Turns of 2π around each four neighbours, from +x towards +y.

        Shape (ny − 1, nx − 1).
        """
        circuit = self.along_x[:-1] + self.along_y[:, 1:]
        circuit -= self.along_x[1:]
        circuit -= self.along_y[:, :-1]
        circuit /= 2 * np.pi
        return np.rint(circuit, out=circuit).astype(np.int32)


def phase_steps(phase: Array, slope: Array, grid: ImageGrid) -> Steps:
    """Most likely phase differences between neighbours.

    Parameters
    ----------
    phase
        In rad, known up to multiples of 2π, shape (ny, nx).
    slope
        (∂/∂x, ∂/∂y) of the phase in rad/nm, shape (2, ny, nx).
    grid
        Where the places are.
    """
    ny, nx = phase.shape
    steps = Steps(np.empty((ny - 1, nx)), np.empty((ny, nx - 1)))
    _fill_steps(phase, slope, *grid.pixel_size, *steps)
    return steps


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _fill_steps(
    phase: Array, slope: Array, step_y: float, step_x: float,
    along_y: Array, along_x: Array,
) -> None:  # fmt: skip
    """Of both directions the step near what the mean slope of both ends expects."""
    ny, nx = phase.shape
    turn = 2 * np.pi
    for i in range(ny):
        for j in range(nx):
            if i + 1 < ny:
                expected = 0.5 * step_y * (slope[1, i + 1, j] + slope[1, i, j])
                rest = phase[i + 1, j] - phase[i, j] - expected
                along_y[i, j] = expected + (rest - turn * np.rint(rest / turn))
            if j + 1 < nx:
                expected = 0.5 * step_x * (slope[0, i, j + 1] + slope[0, i, j])
                rest = phase[i, j + 1] - phase[i, j] - expected
                along_x[i, j] = expected + (rest - turn * np.rint(rest / turn))


def expected_steps(slope: Array, grid: ImageGrid) -> tuple[Array, Array]:
    """Steps along y and along x by the mean slope of both ends."""
    along_y, along_x = slope[1], slope[0]
    return (
        0.5 * grid.pixel_size[0] * (along_y[1:] + along_y[:-1]),
        0.5 * grid.pixel_size[1] * (along_x[:, 1:] + along_x[:, :-1]),
    )


def wrapped(angle: Array) -> Array:
    """Angles brought to −π to π."""
    return angle - 2 * np.pi * np.rint(angle / (2 * np.pi))


def unwrapped(
    phase: Array, slope: Array, weight: Array, inside: Mask, grid: ImageGrid
) -> Array:
    """A phase without jumps of 2π other than cuts from residues.

    Parameters
    ----------
    phase
        In rad, known up to multiples of 2π, shape (ny, nx).
    slope
        (∂/∂x, ∂/∂y) of the phase in rad/nm, shape (2, ny, nx).
    weight
        How much a cut costs at each place, such as the square of the amplitude of the
        fringes, shape (ny, nx).
    inside
        Where the phase counts; elsewhere cuts are free.
    grid
        Where the places are.

    Returns
    -------
    ndarray
        The phase plus multiples of 2π, shape (ny, nx); in each connected part of
        `inside` none is added at the place of the largest weight.
    """
    finite = np.isfinite(phase) & np.isfinite(slope).all(axis=0)
    if not finite.all():
        phase, slope = np.where(finite, phase, 0.0), np.where(finite, slope, 0.0)
    weight = np.where(inside & finite & np.isfinite(weight), weight, 0.0)
    steps = phase_steps(phase, slope, grid)
    residues = steps.residues()
    if residues.any():
        steps = _closed(steps, residues, _cut_costs(steps, slope, weight, grid))
    del residues
    total = np.empty(phase.shape)
    total[0, 0], total[1:, 0], total[:, 1:] = phase[0, 0], steps[0][:, 0], steps[1]
    del steps
    np.cumsum(total[:, 0], out=total[:, 0])
    np.cumsum(total, axis=1, out=total)
    total -= phase
    total /= 2 * np.pi
    np.rint(total, out=total)
    _count_from_heaviest(total, weight, inside)
    total *= 2 * np.pi
    total += phase
    return total


def _count_from_heaviest(turns: Array, weight: Array, inside: Mask) -> None:
    """Take from each connected part the turns at its heaviest place, in place."""
    from scipy.ndimage import label

    parts, count = label(inside)
    _subtract_heaviest(turns, weight, parts, count)


@numba.njit(cache=True, nogil=True)
def _subtract_heaviest(turns: Array, weight: Array, parts: Ints, count: int) -> None:
    most, offset = np.full(count + 1, -1.0), np.zeros(count + 1)
    for i in range(turns.shape[0]):
        for j in range(turns.shape[1]):
            part = parts[i, j]
            if part > 0 and weight[i, j] > most[part]:
                most[part], offset[part] = weight[i, j], turns[i, j]
    for i in range(turns.shape[0]):
        for j in range(turns.shape[1]):
            turns[i, j] -= offset[parts[i, j]]


def _cut_costs(steps: Steps, slope: Array, weight: Array, grid: ImageGrid) -> Steps:
    """What it costs to change each step by 2π, all above zero.

    The weight of the weaker end, less where the step is far from what is expected: for
    phases with the variance 1/weight the logarithm of the odds goes as their product.
    """
    weight = weight / max(weight.max(initial=0.0), np.finfo(float).tiny)
    ends = (
        np.minimum(weight[1:], weight[:-1]),
        np.minimum(weight[:, 1:], weight[:, :-1]),
    )
    expected = expected_steps(slope, grid)
    return Steps(
        *(
            _LEAST_COST + end * (1 - np.abs(step - likely) / np.pi).clip(0)
            for end, step, likely in zip(ends, steps, expected, strict=True)
        )
    )


def _closed(steps: Steps, residues: Ints, costs: Steps) -> Steps:
    """Steps whose circuits all close: 2π is taken off across paths between residues.

    Circuits are the nodes of a graph with a ring of free ones around the image; an edge
    leads across each step. Paths grow from all residues and the ring at once and join
    where they meet, shortest first, until the residues of each tree cancel.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    padded = np.pad(residues, 1)
    edge = np.ones(padded.shape, bool)
    edge[1:-1, 1:-1] = False
    charge, ring = np.ravel(padded), np.ravel(edge)
    first, second = _circuits_beside(steps)
    cost = np.concatenate([part.ravel() for part in costs])
    distance, before, owner = dijkstra(
        coo_array((cost, (first, second)), (charge.size, charge.size)).tocsr(),
        directed=False,
        indices=np.flatnonzero(ring | (charge != 0)),
        return_predecessors=True,
        min_only=True,
    )
    owner = np.where(ring[owner], 0, owner)  # the first stands for the whole ring
    met = np.flatnonzero(owner[first] != owner[second])
    length = distance[first[met]] + distance[second[met]] + cost[met]
    met = met[np.argsort(length, kind="stable")]
    del distance, cost, length
    links = np.stack([owner[first], owner[second]], axis=1)[met].tolist()
    turns = np.zeros(len(first), np.float32)
    for at, flow in _flows(links, _trees(links, charge), charge):
        edge = met[at]
        turns[edge] += flow
        for end, handed in ((first[edge], -flow), (second[edge], flow)):
            while before[end] >= 0:
                _add(turns, end, before[end], handed, steps)
                end = before[end]
    along_y, along_x = np.split(2 * np.pi * turns, [steps.along_y.size])
    return Steps(
        steps.along_y - along_y.reshape(steps.along_y.shape),
        steps.along_x - along_x.reshape(steps.along_x.shape),
    )


def _circuits_beside(steps: Steps) -> tuple[Ints, Ints]:
    """Numbers of the circuits on both sides of each step, those along y first.

    A turn taken off the step moves a residue from the first to the second.
    """
    ny, nx = len(steps.along_x), steps.along_y.shape[1]
    number = np.arange((ny + 1) * (nx + 1), dtype=np.int32).reshape(ny + 1, nx + 1)
    left, right = number[1:-1, :-1], number[1:-1, 1:]
    above, below = number[:-1, 1:-1], number[1:, 1:-1]
    return (
        np.concatenate([left.ravel(), below.ravel()]),
        np.concatenate([right.ravel(), above.ravel()]),
    )


def _add(turns: Array, start: int, stop: int, flow: float, steps: Steps) -> None:
    """Add the turns that move a residue from one circuit to the next one."""
    nx = steps.along_y.shape[1]
    row, column = divmod(int(min(start, stop)), nx + 1)
    if abs(int(stop) - int(start)) == 1:
        edge, sign = (row - 1) * nx + column, np.sign(stop - start)
    else:
        edge = steps.along_y.size + row * (nx - 1) + column - 1
        sign = np.sign(start - stop)
    turns[edge] += sign * flow


def _trees(links: list[list[int]], charge: Ints) -> list[int]:
    """Which of the links, shortest first, join residues to trees that cancel.

    A link is taken if the residues of one of the trees that it joins do not cancel yet;
    those of the tree with the ring, circuit 0, always do.
    """
    parent: dict[int, int] = {}
    total = {int(node): int(charge[node]) for node in np.flatnonzero(charge)}

    def root(node: int) -> int:
        while parent.get(node, node) != node:
            parent[node] = parent.get(parent[node], parent[node])
            node = parent[node]
        return node

    taken, open_trees = [], len(total)
    for at, (first, second) in enumerate(links):
        if not open_trees:
            break
        a, b = sorted((root(first), root(second)))  # the ring stays a root
        charges = total.get(a, 0), total.get(b, 0)
        if a == b or not any(charges):
            continue
        parent[b] = a
        total[a] = sum(charges) if a else 0
        open_trees += bool(total[a]) - sum(map(bool, charges))
        taken.append(at)
    return taken


def _flows(
    links: list[list[int]], taken: list[int], charge: Ints
) -> list[tuple[int, int]]:
    """What to move across each link, from its first to its second end.

    Leaf by leaf, each residue of a tree is handed on; the ring keeps what it gets.
    """
    around: dict[int, set[int]] = {}
    for at in taken:
        for node in links[at]:
            around.setdefault(node, set()).add(at)
    excess = {node: int(charge[node]) for node in around}
    leaves = [node for node, own in around.items() if len(own) == 1 and node]
    flows = []
    while leaves:
        node = leaves.pop()
        if not around[node]:
            continue
        at = around[node].pop()
        first, second = links[at]
        other = second if node == first else first
        around[other].discard(at)
        if excess[node]:
            flows.append((at, excess[node] if node == first else -excess[node]))
            excess[other] += excess[node]
        if other and len(around[other]) == 1:
            leaves.append(other)
    return flows
