# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
import numpy as np
import pytest

from hyperspy_t2t.data.scenes import GE_ELASTIC_RATIO, scene, scene_names

NAMES = {
    "two_layers", "quantum_well", "nanoparticles", "single_crystal",
    "edge_dislocation", "hexagonal", "polycrystal",
}  # fmt: skip


def test_names():
    assert set(scene_names()) == NAMES
    with pytest.raises(ValueError, match="two_layers"):
        scene("three_layers")


@pytest.mark.parametrize("name", sorted(NAMES))
def test_scene_renders(name):
    signal = scene(name, shape=(128, 160), dose=100.0, seed=3)
    truth = signal.metadata.Truth
    assert signal.data.shape == (128, 160)
    assert np.isfinite(signal.data).all()
    assert abs(signal.data.mean() - 100) < 1
    assert truth.seed == 3 and len(truth.columns) > 10
    labels = np.asarray(truth.labels)
    present = set(np.unique(labels)) - {0}
    assert present <= set(range(1, len(truth.regions.as_dictionary()) + 1))
    repeated = scene(name, shape=(128, 160), dose=100.0, seed=3)
    assert (repeated.data == signal.data).all()


def test_two_layers_differ_by_strain_and_rotation():
    signal = scene("two_layers", shape=(256, 256))
    truth = signal.metadata.Truth
    upper, lower = truth.regions.region_1, truth.regions.region_2
    one, other = upper.g[0], lower.g[np.flatnonzero((lower.hkl == upper.hkl[0]).all(1))]
    ratio = np.linalg.norm(one) / np.linalg.norm(other)
    np.testing.assert_allclose(ratio, 1.02)
    turn = np.angle(complex(*other[0]) / complex(*one), deg=True)
    np.testing.assert_allclose(turn, 5.0)
    grey = [signal.data[:120].mean(), signal.data[136:].mean()]
    assert 1.05 < grey[1] / grey[0] < 1.3


def test_quantum_well_is_coherent():
    signal = scene("quantum_well", shape=(512, 128))
    truth = signal.metadata.Truth
    strain = np.asarray(truth.strain.reference)
    labels = np.asarray(truth.labels)
    a = [x * 5.431 + (1 - x) * 5.6579 for x in (0.3, 0.03)]
    expected = (a[1] / a[0] - 1) * (1 + GE_ELASTIC_RATIO)
    np.testing.assert_allclose(strain[1][labels == 2], expected, rtol=1e-4)
    assert np.abs(strain[0]).max() < 1e-6
    assert np.abs(strain[1][labels != 2]).max() < 1e-6
    ge = np.asarray(truth.composition.Ge)
    np.testing.assert_allclose(ge[[0, 256, -1], 60], [0.7, 0.97, 0.7], atol=1e-3)
    # u is continuous, so planes run on across both interfaces
    u = np.asarray(truth.displacement)[1, :, 0]
    assert np.abs(np.diff(u)).max() < 1.01 * expected * 0.02


def test_particles_lie_over_carbon():
    truth = scene("nanoparticles", shape=(256, 256)).metadata.Truth
    kinds = [region.kind for _, region in truth.regions]
    assert kinds == ["amorphous"] + ["crystalline"] * 4
    assert set(np.unique(np.asarray(truth.labels))) == set(range(6))
