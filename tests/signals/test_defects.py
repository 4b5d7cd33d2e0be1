# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Dislocations and faults of strain maps, in crystal directions."""

import warnings

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_t2t.data import scene
from hyperspy_t2t.data.displacements import EdgeDislocation, Uniform, relaxed_epitaxy
from hyperspy_t2t.data.synthetic import Region, synthetic_micrograph
from hyperspy_t2t.signals import Micrograph
from hyperspy_t2t.signals._carried import companions

EDGE = np.array([384 * 0.02 + 0.04, 384 * 0.02 + 0.03])
STRONTIUM = "SrTiO3 cubic perovskite"


def strain_of(image, phases, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return image.segment().find_peaks().index_phases(phases).gpa(**options)


@pytest.fixture(scope="module")
def edge_image():
    return scene("edge_dislocation", dose=20.0, seed=2)


@pytest.fixture(scope="module")
def edge(edge_image):
    return strain_of(edge_image, ["Si"])


def test_burgers_vector_in_nm_and_crystal_direction(edge) -> None:
    found = edge.dislocations()
    assert {name: values.shape for name, values in found.items()} == {
        "x": (1,), "y": (1,), "burgers": (1, 2), "burgers_uvw": (1, 3),
        "region": (1,), "certainty": (1,),
    }  # fmt: skip
    assert np.hypot(found["x"][0] - EDGE[0], found["y"][0] - EDGE[1]) < 0.3
    np.testing.assert_allclose(found["burgers"], [[0.38402, 0]], atol=2e-3)
    # The two-fold axis of the zone makes both signs the same.
    np.testing.assert_allclose(np.abs(found["burgers_uvw"]), [[0.5, 0.5, 0]], atol=1e-9)
    assert found["burgers_uvw"].sum() == pytest.approx(0, abs=1e-9)
    assert found["region"].tolist() == [1]
    assert found["certainty"][0] > 0.99


def test_a_perfect_dislocation_is_no_fault(edge) -> None:
    found = edge.faults()
    assert found["points"] == []
    assert found["vector_uvw"].shape == (0, 3) and found["length"].shape == (0,)


def test_cropped_maps_show_what_is_left(edge) -> None:
    kept = edge.isig[3.0:13.0, 2.0:13.0].dislocations()
    assert kept["x"] == pytest.approx(edge.dislocations()["x"])
    assert kept["y"] == pytest.approx(edge.dislocations()["y"])
    assert not len(edge.isig[9.5:, :].dislocations()["x"])


def test_lazy_and_saved_maps_give_the_same(edge, tmp_path) -> None:
    lazy = edge.as_lazy().dislocations()
    edge.save(tmp_path / "edge.hspy")
    saved = hs.load(tmp_path / "edge.hspy").dislocations()
    for name, values in edge.dislocations().items():
        np.testing.assert_allclose(lazy[name], values, atol=1e-6)
        np.testing.assert_array_equal(saved[name], values)


def test_the_search_leaves_large_maps_as_they_are(edge, monkeypatch) -> None:
    """Those are dask without a copy of their own; the search turns them into phases."""
    monkeypatch.setattr(companions, "_SMALL", 0)
    strain = edge.deepcopy()
    names = ("displacement", "gradient", "amplitude")
    domain = strain.metadata.Strain.domains.domain_0
    before = {name: np.array(domain.get_item(name)) for name in names}
    for name in names:
        domain.set_item(name, companions.small_or_dask(before[name].copy()))
    strain.faults()
    strain.dislocations()
    for name in names:
        np.testing.assert_array_equal(np.asarray(domain.get_item(name)), before[name])


def test_without_phases_there_is_no_crystal_direction(edge_image, edge) -> None:
    by_hand = Micrograph.from_signal(edge_image).gpa(
        g_vectors=edge.g_vectors[:2], reference=(1, 1, 14, 5), resolution=0.4
    )
    found = by_hand.dislocations()
    assert np.hypot(found["x"][0] - EDGE[0], found["y"][0] - EDGE[1]) < 0.3
    np.testing.assert_allclose(np.abs(found["burgers"][0]), [0.38, 0.0], atol=0.02)
    assert np.isnan(found["burgers_uvw"]).all()


def test_certainty_must_be_a_probability(edge) -> None:
    for method in (edge.dislocations, edge.faults):
        with pytest.raises(ValueError, match="certainty from 0"):
            method(certainty=1.2)


def test_line_along_y_and_pixels_not_square() -> None:
    field = EdgeDislocation((0.0, -0.3905), (4.9, 5.2), 0.28)
    image = synthetic_micrograph(
        [Region(STRONTIUM, (0, 0, 1), displacement=field)],
        shape=(400, 500), pixel_size=(0.02, 0.026), dose=20.0, seed=2,
    )  # fmt: skip
    found = strain_of(image, ["SrTiO3"]).dislocations()
    np.testing.assert_allclose(found["burgers"], [[0, -0.3905]], atol=4e-3)
    assert np.hypot(found["x"][0] - 4.9, found["y"][0] - 5.2) < 0.4


def test_misfit_dislocations_between_two_regions() -> None:
    """A circuit leads through both regions, each measured on its own."""
    film = relaxed_epitaxy(0.06, origin=(8.0, 4.0))
    outline = [(-9, -9), (30, -9), (30, 4), (-9, 4)]
    image = synthetic_micrograph(
        [Region(STRONTIUM, (0, 0, 1)),
         Region(STRONTIUM, (0, 0, 1), outline=outline, displacement=film)],
        shape=(320, 640), pixel_size=0.025, dose=200.0, seed=1,
    )  # fmt: skip
    strain = strain_of(image, ["SrTiO3"])
    assert set(strain.reference_of.values()) == {strain.reference_region}
    found = strain.dislocations()
    spacing = 0.3905 * 1.06 / 0.06
    order = np.argsort(found["x"])
    np.testing.assert_allclose(
        found["x"][order], 8.0 + spacing * np.array([-0.5, 0.5]), atol=0.3
    )
    np.testing.assert_allclose(found["y"], 4.0, atol=0.5)
    # Against the lattice of either side they have the same direction and are whole.
    assert np.ptp(found["burgers"], axis=0) == pytest.approx([0, 0], abs=1e-9)
    np.testing.assert_allclose(
        np.sort(np.abs(found["burgers_uvw"]), axis=1), [[0, 0, 1]] * 2, atol=1e-9
    )


def test_shift_of_an_antiphase_boundary() -> None:
    half = Uniform(translation=(0.0, 0.5 * 0.3905))
    outline = [(5, -9), (30, -9), (30, 30), (5, 30)]
    image = synthetic_micrograph(
        [Region(STRONTIUM, (0, 0, 1)),
         Region(STRONTIUM, (0, 0, 1), outline=outline, displacement=half)],
        shape=(480, 480), pixel_size=0.02, dose=20.0, seed=1,
    )  # fmt: skip
    # At both g = 200 the shift would be of whole fringes.
    strain = strain_of(
        image, ["SrTiO3"], g_vectors=[(2.56, 0), (0, 2.56)], resolution=0.5
    )
    found = strain.faults()
    assert not len(strain.dislocations()["x"])
    (points,) = found["points"]
    np.testing.assert_allclose(points[:, 0], 5.0, atol=0.25)
    assert found["length"][0] == pytest.approx(np.ptp(points[:, 1]), rel=0.01)
    np.testing.assert_allclose(found["normal"], [[1, 0]], atol=0.02)
    np.testing.assert_allclose(found["vector"], [[0, 0.19525]], atol=5e-3)
    assert found["certainty"][0] > 0.8
