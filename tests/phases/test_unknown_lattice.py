# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""A lattice of spots speaks for a crystal, spots at random do not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperspy_t2t.frames import rotation_2d
from hyperspy_t2t.phases.evidence import SpotModel
from hyperspy_t2t.phases.unknown_lattice import lattice_evidence


def model(g: np.ndarray, snr: np.ndarray, explained=None) -> SpotModel:
    order = np.argsort(-snr, kind="stable")
    none = np.zeros(len(g), bool) if explained is None else explained[order]
    return SpotModel(g[order], (0.03 / np.sqrt(snr))[order], snr[order], none)


def lattice(seed: int = 0, *, centred: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """An oblique lattice, of which one side and what is strong enough is seen."""
    rng = np.random.default_rng(seed)
    basis = np.array([[2.1, 0.2], [0.5, 2.7]])
    node = np.array(
        [(i, j) for i in range(-5, 6) for j in range(-5, 6) if (i, j) > (0, 0)]
    )
    if centred:
        node = node[node.sum(axis=1) % 2 == 0]
    g = node @ basis
    square = (g**2).sum(axis=1)
    snr = 2000 * np.exp(-0.05 * square + rng.normal(0, 0.5, len(g)))
    g = g + rng.normal(0, 1, g.shape) * (0.03 / np.sqrt(snr))[:, None]
    return g[snr > 20], snr[snr > 20]


def scattered(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    angle, length = rng.uniform(0, np.pi, count), rng.uniform(1.5, 9, count)
    g = length[:, None] * np.stack([np.cos(angle), np.sin(angle)], -1)
    return g, np.exp(rng.uniform(3.1, 7, count))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_spots_are_no_lattice(count: int) -> None:
    g, snr = lattice()
    assert lattice_evidence(model(g[:count], snr[:count])) == -np.inf


def test_explained_spots_are_no_evidence() -> None:
    g, snr = lattice()
    everything = np.ones(len(g), bool)
    assert lattice_evidence(model(g, snr, everything)) == -np.inf
    # What is left of one crystal: foreign spots that lie on no lattice.
    more, other = scattered(2, 4)
    left = model(
        np.vstack([g, more]), np.append(snr, other),
        np.append(everything, np.zeros(4, bool)),
    )  # fmt: skip
    assert lattice_evidence(left) < left.all_foreign + 1


@pytest.mark.parametrize("centred", [False, True])
def test_a_lattice_is_likelier_than_foreign_spots(centred: bool) -> None:
    one = model(*lattice(1, centred=centred))
    assert lattice_evidence(one) > one.all_foreign + 20


def test_random_spots_are_likelier_foreign() -> None:
    more = []
    for seed in range(40):
        one = model(*scattered(seed, 5 + seed % 10))
        more.append(lattice_evidence(one) > one.all_foreign)
    assert np.mean(more) <= 0.1


def test_spots_off_the_lattice_lower_the_evidence() -> None:
    g, snr = lattice(2)
    plain = model(g, snr)
    moved = g.copy()
    moved[::3] += [[0.23, 0.31]]
    assert lattice_evidence(model(moved, snr)) < lattice_evidence(plain) - 10


def test_each_spot_of_a_lattice_adds_evidence() -> None:
    g, snr = lattice(3)
    order = np.argsort((g**2).sum(axis=1))
    g, snr = g[order], snr[order]
    found = [
        lattice_evidence(model(g[:count], snr[:count]))
        - model(g[:count], snr[:count]).all_foreign
        for count in (6, 9, 12, 15)
    ]
    assert (np.diff(found) > 0).all()


@settings(max_examples=15)
@given(st.floats(-np.pi, np.pi), st.sampled_from([1.0, -1.0]), st.integers(0, 99))
def test_turn_reversal_and_partners_change_nothing(
    angle: float, mirror: float, seed: int
) -> None:
    g, snr = lattice(4)
    rng = np.random.default_rng(seed)
    sign = rng.choice([-1.0, 1.0], len(g))[:, None]
    order = rng.permutation(len(g))
    change = rotation_2d(angle) @ np.diag([1.0, mirror])
    moved = model(((g * sign) @ change.T)[order], snr[order])
    assert lattice_evidence(moved) == pytest.approx(
        lattice_evidence(model(g, snr)), rel=1e-6
    )


def test_evidence_does_not_depend_on_the_unit_of_length() -> None:
    """Ten times the lattice with ten times the errors is as likely."""
    g, snr = lattice(5)
    plain = model(g, snr)
    larger = SpotModel(10 * plain.g, 10 * plain.std, plain.snr, plain.explained)
    difference = lattice_evidence(plain) - plain.all_foreign
    assert lattice_evidence(larger) - larger.all_foreign == pytest.approx(
        difference, rel=1e-6
    )
