# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Crystals of drawn micrographs: twins, films, two regions of one wrong calibration."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hyperspy_t2t.data import Region, synthetic_micrograph
from hyperspy_t2t.phases.library import library_phase
from hyperspy_t2t.signals import SegmentedImage

PIXEL = 0.02
ERROR = (0.05, 0.03)
"""The true pixels are 5 % wider and 3 % higher than their labels say."""
TWIN_TURN = 2 * np.rad2deg(np.arctan(np.sqrt(2)))
"""Half a turn about [1 -1 1], seen along [110]."""
SILICON = Region("Si diamond", (1, 1, 0), 20.0)
GERMANIUM = Region("Ge diamond", (1, 1, 0), 35.0)
TITANATE = Region("SrTiO3 cubic perovskite", (1, 0, 0), 10.0)


def below(edge: float) -> list[tuple[float, float]]:
    """Outline of all that lies below y = edge in nm."""
    return [(-40, edge), (40, edge), (40, 40), (-40, 40)]


def drawn(upper: Region, lower: Region, *, shape=(384, 320), **imaging):
    """Upper and lower half of an image as regions 1 and 2."""
    edge = shape[0] / 2 * PIXEL * (1 + imaging.get("scale_error", (0, 0))[1])
    image = synthetic_micrograph(
        [upper, replace(lower, outline=below(edge))],
        shape=shape, pixel_size=PIXEL, dose=50.0, seed=3, **imaging,
    )  # fmt: skip
    labels = np.ones(shape, np.int32)
    labels[shape[0] // 2 :] = 2
    return image, labels


def peaks_of(image, labels):
    return SegmentedImage.from_labels(image, labels).find_peaks()


@pytest.fixture(scope="module")
def twin():
    """Both halves of a twin in one region."""
    turned = replace(SILICON, rotation=SILICON.rotation + TWIN_TURN)
    image, labels = drawn(SILICON, turned)
    return peaks_of(image, np.ones_like(labels)).index_phases(["Si"])


def test_a_twin_is_two_crystals_with_a_name(twin):
    main, second = twin.crystals(1)
    assert main is not second
    assert twin.none_of_these(1) < 0.01
    for crystal in (main, second):
        assert crystal.crystal.name == "Si diamond"
        assert sorted(np.abs(crystal.zone_axis)) == [0, 1, 1]
        assert crystal.scale == pytest.approx(1.0, abs=3e-3)
    assert 0.3 < second.share < main.share < 0.7
    assert main.share + second.share == pytest.approx(1.0, abs=0.02)
    (relation,) = twin.relations(1)
    assert relation.name == "Σ3 (111) twin"
    assert relation.deviation < 0.3
    # The first crystal explains its own half only, both together all peaks.
    assert not main.matched.all()
    assert (main.matched | second.matched).all()


def test_turned_grains_are_no_twin():
    turned = replace(SILICON, rotation=SILICON.rotation + 23.0)
    image, labels = drawn(SILICON, turned)
    peaks = peaks_of(image, np.ones_like(labels)).index_phases(["Si"])
    assert len(peaks.crystals(1)) == 2
    (relation,) = peaks.relations(1)
    assert "twin" not in relation.name
    assert relation.angle == pytest.approx(23.0, abs=0.3)


def test_residuals_are_distances_to_reflections(twin):
    """Of each peak, NaN where the crystal does not explain it."""
    g = twin.region(1)[:, :2]
    for crystal in twin.crystals(1):
        np.testing.assert_array_equal(np.isnan(crystal.residuals), ~crystal.matched)
        assert not crystal.hkl[~crystal.matched].any()
        flat = crystal.matrix[:2]
        reflections = crystal.hkl @ crystal.crystal.reciprocal_lattice @ flat.T
        away = g - np.linalg.solve(crystal.distortion, reflections.T).T
        expected = np.linalg.norm(away, axis=1)[crystal.matched]
        found = crystal.residuals[crystal.matched]
        np.testing.assert_allclose(found, expected, atol=1e-9)
        rms = np.sqrt((found**2).mean())
        assert crystal.residual == pytest.approx(rms, rel=0.05)


@pytest.fixture(scope="module")
def film():
    """Si over Ge in one badly calibrated image, and its peaks."""
    image, labels = drawn(SILICON, GERMANIUM, scale_error=ERROR)
    return SimpleNamespace(image=image, labels=labels, peaks=peaks_of(image, labels))


TRUE = {1: "Si diamond", 2: "Ge diamond"}
ALIKE = ["Si diamond", "Ge diamond", "GaAs zincblende"]


def probability(peaks, label: int, name: str) -> float:
    return sum(s.probability for s in peaks.solutions(label) if s.crystal.name == name)


def test_two_regions_tell_together_what_neither_does_alone(film):
    """4 % between Si and Ge are no strain, so the scale is known; alone it is not."""
    candidates = ["Si diamond", "Ge diamond"]
    joint = film.peaks.index_phases(candidates)
    alone = film.peaks.index_phases(candidates, joint=False)
    for label, name in TRUE.items():
        assert joint.best(label).crystal.name == name
        assert joint.best(label).probability > 0.95
        assert 0.2 < probability(alone, label, name) < 0.9
        assert len(alone.ambiguity(label).ranks) == 2
        assert not joint.ambiguity(label).is_ambiguous
        total = alone.none_of_these(label)
        total += sum(s.probability for s in alone.solutions(label))
        assert total == pytest.approx(1.0, abs=1e-3)


def test_what_would_tell_silicon_from_germanium(film):
    found = film.peaks.index_phases(ALIKE, joint=False).ambiguity(1)
    assert {"Si diamond", "Ge diamond"} <= {
        name.rpartition(" [")[0] for name in found.names
    }
    assert any("scale" in sentence for sentence in found.separated_by)
    assert any("composition" in sentence for sentence in found.separated_by)
    assert all(name in str(found) for name in found.names)


def test_a_trusted_scale_tells_silicon_from_germanium():
    image, labels = drawn(SILICON, GERMANIUM)
    options = {"scale_tolerance": 0.005, "tolerance": 0.005, "joint": False}
    peaks = peaks_of(image, labels).index_phases(["Si", "Ge"], **options)
    for label, name in TRUE.items():
        assert peaks.best(label).crystal.name == name
        assert peaks.best(label).probability > 0.95


def test_one_region_calibrates_the_others():
    """SrTiO3 is like nothing else among the candidates and gives the scale of Ge."""
    image, labels = drawn(TITANATE, GERMANIUM, scale_error=ERROR)
    peaks = peaks_of(image, labels)
    candidates = ["SrTiO3", "Si diamond", "Ge diamond"]
    alone = peaks.index_phases(candidates, joint=False)
    assert probability(alone, 2, "Ge diamond") < 0.9
    known = peaks.index_phases(candidates, joint=False, calibrate=1)
    assert known.best(2).crystal.name == "Ge diamond"
    assert known.best(2).probability > 0.95
    assert known.best(1).crystal.name == "SrTiO3 cubic perovskite"
    *_, (_, last) = known.metadata.Processing
    assert (last.parameters.calibrate, last.parameters.joint) == (1, False)


@pytest.mark.parametrize("label", [1, 2])
def test_calibrated_is_right_within_a_fifth_of_a_per_cent(film, label):
    peaks = film.peaks.index_phases(["Si diamond", "Ge diamond"])
    axes = peaks.calibrated(label).axes_manager.signal_axes
    scales = [axis.scale for axis in axes]
    np.testing.assert_allclose(scales, PIXEL * (1 + np.array(ERROR)), rtol=2e-3)


def test_standard_errors_of_the_scale_cover_the_truth(film):
    peaks = film.peaks.index_phases(["Si diamond", "Ge diamond"])
    truth = np.prod(1 + np.array(ERROR)) ** -0.5
    for label in TRUE:
        best = peaks.best(label)
        assert 1e-5 < best.scale_std < 2e-3
        assert abs(best.scale - truth) < 4 * best.scale_std


@pytest.fixture(scope="module")
def half_known():
    """SrTiO3 over Ge where only Ge is a candidate."""
    image, labels = drawn(TITANATE, GERMANIUM, scale_error=ERROR)
    with pytest.warns(UserWarning, match=r"none of the candidates: region 1 \(100%\)"):
        peaks = peaks_of(image, labels).index_phases(["Ge"])
    return SimpleNamespace(peaks=peaks, labels=labels)


def test_none_of_these_is_an_answer(half_known):
    peaks = half_known.peaks
    assert peaks.none_of_these(1) > 0.99 > 0.01 > peaks.none_of_these(2)
    assert peaks.best(1) is None and peaks.crystals(1) == []
    assert peaks.relations(1) == [] == peaks.relations(1, 2)
    ranked = [solution.probability for solution in peaks.solutions(1)]
    assert ranked and max(ranked) < 0.01
    assert peaks.ambiguity(1).none_probability == peaks.none_of_these(1)
    with pytest.raises(ValueError, match="got region 1, whose peaks no candidate"):
        peaks.calibrated(1)


def test_maps_are_empty_where_it_is_none_of_these(half_known):
    peaks, first = half_known.peaks, half_known.labels == 1
    np.testing.assert_array_equal(peaks.phase_map().data, np.where(first, 0, 1))
    np.testing.assert_array_equal(np.isnan(peaks.orientation_map().data), first)
    crystal_map = peaks.to_crystal_map()
    assert crystal_map.phases.names == ["not_indexed", "Ge diamond"]
    np.testing.assert_array_equal(crystal_map.get_map_data("phase_id") == -1, first)


def test_strain_and_atoms_where_a_region_is_none_of_these(half_known):
    strain = half_known.peaks.gpa()
    assert np.isfinite(strain.data).all()
    assert strain.reference_region == 2
    with pytest.warns(UserWarning, match="region 1: no phase"):
        model = strain.to_atoms(thickness=2)
    assert set(model.region) == {2}
    assert model.formula().keys() == {"Ge"}


def test_who_chooses_a_solution_says_it_is_one_of_these(half_known):
    chosen = half_known.peaks.choose(1, 1)
    expected = half_known.peaks.solutions(1)[1]
    assert chosen.none_of_these(1) == 0.0
    best = chosen.best(1)
    np.testing.assert_array_equal(best.zone_axis, expected.zone_axis)
    np.testing.assert_array_equal(best.residuals, expected.residuals)
    assert (chosen.phase_map().data == 1).all()
    assert half_known.peaks.best(1) is None  # the first set is as it was
    assert repr(chosen.best(2)) == repr(half_known.peaks.best(2))


def test_another_choice_drops_the_crystals_found_beside_the_first(twin):
    assert len(twin.crystals(1)) == 2
    kept = twin.choose(1, 0).crystals(1)
    assert [s.share for s in kept] == [s.share for s in twin.crystals(1)]
    chosen = twin.choose(1, 1)
    assert len(chosen.crystals(1)) == 1 and chosen.relations(1) == []
    assert repr(chosen.best(1)) == repr(twin.solutions(1)[1])


@pytest.fixture(scope="module")
def amorphous_film():
    film = Region("amorphous", thickness=8.0)
    return synthetic_micrograph([film], shape=(256, 224), pixel_size=0.03, dose=50.0)


def test_an_amorphous_film_is_none_of_these(amorphous_film):
    labels = np.ones((256, 224), np.int32)
    peaks = peaks_of(amorphous_film, labels).index_phases(["Si"])
    assert peaks.best(1) is None and peaks.solutions(1) == []
    assert peaks.none_of_these(1) == 1.0
    assert (peaks.phase_map().data == 0).all()
    assert peaks.ambiguity(1).ranks == ()
    many = SegmentedImage.from_labels(amorphous_film, labels).find_peaks(
        false_alarms=20
    )
    assert len(many.region(1)) >= 4
    with pytest.warns(UserWarning, match="none of the candidates: region 1"):
        found = many.index_phases(["Si", "Ge", "Ga", "As"])
    assert found.best(1) is None


@pytest.mark.parametrize(
    ("region", "candidates"),
    [
        (TITANATE, ["Si"]),
        (SILICON, ["W"]),
        (Region("ZnO wurtzite", (1, 1, -2, 0), 40.0), ["Si", "Ge"]),
        (Region("ZrO2 monoclinic", (1, 0, 0), 15.0), ["Al", "Cu"]),
    ],
    ids=["cubic", "diamond", "hexagonal", "monoclinic"],
)
def test_wrong_candidates_are_none_of_these(region, candidates):
    image = synthetic_micrograph(
        [region], shape=(320, 384), pixel_size=PIXEL, dose=50.0, scale_error=ERROR
    )
    peaks = peaks_of(image, np.ones(image.data.shape, np.int32))
    said = "(none of the candidates|that no candidate explains): region 1"
    with pytest.warns(UserWarning, match=said):
        found = peaks.index_phases(candidates)
    assert found.best(1) is None
    assert found.none_of_these(1) > 0.95
    right = peaks.index_phases([*candidates, region.crystal.name])
    assert right.best(1).crystal.name == library_phase(region.crystal.name).name
    assert right.best(1).probability > 0.9


def test_the_image_without_noise():
    """Nothing but the model is wrong in it: that must not speak for the unknown."""
    image = synthetic_micrograph(
        [Region("GaAs zincblende", (1, 1, 0), 10.0)], shape=(320, 288), pixel_size=PIXEL
    )
    peaks = peaks_of(image, np.ones(image.data.shape, np.int32))
    found = peaks.index_phases(["Ga", "As"])
    assert found.none_of_these(1) < 0.05
    assert found.best(1).crystal.name == "GaAs zincblende"


def test_lazy_equals_eager(film):
    lazy = peaks_of(film.image.as_lazy(chunks=(150, 100)), film.labels)
    lazy = lazy.index_phases(["Si diamond", "Ge diamond"])
    eager = film.peaks.index_phases(["Si diamond", "Ge diamond"])
    assert lazy._lazy and not eager._lazy
    for label in TRUE:
        assert lazy.none_of_these(label) == pytest.approx(eager.none_of_these(label))
        pairs = zip(lazy.solutions(label), eager.solutions(label), strict=True)
        for one, other in pairs:
            assert repr(one) == repr(other)
            np.testing.assert_array_equal(one.hkl, other.hkl)
            np.testing.assert_allclose(one.residuals, other.residuals, atol=1e-9)
            np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-6)
