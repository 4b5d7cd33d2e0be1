# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What a user says of the composition, and what becomes of it."""

import re
import runpy
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import hyperspy.api as hs
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from scipy.stats import chi2

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.composition.region_drawing import RegionColumns
from hyperspy_t2t.data.synthetic import Region, synthetic_micrograph
from hyperspy_t2t.signals._atoms.composition import Composition

EXAMPLE = Path(__file__).parents[2] / "examples" / "eels_composition.py"
GRID = ImageGrid((300, 400), (0.1, 0.1))
"""Of the micrograph: 40 nm wide and 30 nm high."""


def fraction_map(values, scale=(0.5, 0.5), offset=(0.0, 0.0), units="nm"):
    signal = hs.signals.Signal2D(values)
    for axis, size, start in zip(
        signal.axes_manager.signal_axes, scale, offset, strict=True
    ):
        axis.scale, axis.offset, axis.units = size, start, units
    return signal


def silicon_germanium(germanium, variance=None, **axes):
    maps = {
        "Si": fraction_map(1 - germanium, **axes),
        "Ge": fraction_map(germanium, **axes),
    }
    if variance is not None:
        for signal in maps.values():
            signal.set_noise_variance(variance)
    return maps


def source(image=None):
    random = np.random.default_rng(0)
    image = random.random(GRID.shape) if image is None else image
    return SimpleNamespace(image=image, labels=np.ones(GRID.shape, int), grid=GRID)


def region(label=1, sites=(14, 14), n=3000, seed=0, name="Si diamond"):
    random = np.random.default_rng(seed)
    return RegionColumns(
        label, name, np.array(sites), random.random((n, 2)) * [39, 29],
        random.integers(0, len(sites), n), np.full(n, 20),
    )  # fmt: skip


RAMP = np.linspace(0.05, 0.95, 80)[None] * np.ones((60, 1))


def test_maps_are_followed_to_the_counting_error_and_kept_to_one_atom():
    composition = Composition.of(silicon_germanium(RAMP, 4e-4), source=source())
    columns = region()
    (numbers,), report = composition.draw([columns], seed=1)
    expected = np.interp(columns.position[:, 0], np.arange(80) * 0.5, RAMP[0])
    count = (numbers == 32).reshape(-1, 20).sum(axis=1)
    bins = (columns.position[:, 0] // 1).astype(int)
    off = np.bincount(bins, count - 20 * expected)
    spread = np.bincount(bins, 20 * expected * (1 - expected))
    low, high = chi2.ppf([1e-4, 1 - 1e-4], len(off))
    assert low < (off**2 / spread).sum() < high
    assert np.abs(report["drawn"] - report["wanted"]).max() * len(numbers) < 1
    assert report["wanted"][0, 1] == pytest.approx(expected.mean(), abs=1e-9)
    # 4800 pixels of which most are used: 0.02 / √4800, more where places are few.
    assert 0.02 / np.sqrt(4800) < report["std"][0, 1] < 2 * 0.02 / np.sqrt(4800)
    assert report["unknown_places"].tolist() == [0]


def test_variance_maps_and_maps_without_variance():
    variance = fraction_map(np.full(RAMP.shape, 4e-4))
    with_map = Composition.of(silicon_germanium(RAMP, variance), source=source())
    with_number = Composition.of(silicon_germanium(RAMP, 4e-4), source=source())
    without = Composition.of(silicon_germanium(RAMP), source=source())
    one, same, none = (
        c.draw([region()], seed=1)[1]["std"] for c in (with_map, with_number, without)
    )
    np.testing.assert_allclose(one, same)
    assert np.isnan(none).all()


def test_own_axes_and_offsets_are_honoured():
    """Maps in µm that begin elsewhere, with pixels that are not square."""
    _, x = np.mgrid[:30, :60]
    germanium = np.clip((x * 0.8 - 4) / 40, 0, 1)
    maps = silicon_germanium(
        germanium, scale=(8e-4, 1.2e-3), offset=(-4e-3, -1e-3), units="µm"
    )
    composition = Composition.of(maps, source=source())
    places = np.array([[10.0, 5.0], [30.0, 20.0]])
    np.testing.assert_allclose(
        composition.fractions_at(places, 1), [[0.75, 0.25], [0.25, 0.75]]
    )


def test_several_regions_with_maps_of_many_elements():
    values = {"Si": 0.0, "In": 0.12, "Ga": 0.38, "As": 0.5}
    maps = {e: fraction_map(np.full((60, 80), v)) for e, v in values.items()}
    maps["Si"].data[:, :40], maps["As"].data[:, :40] = 1, 0
    maps["In"].data[:, :40] = maps["Ga"].data[:, :40] = 0
    left, right = region(1), region(2, (31, 33), name="GaAs")
    left.position[:, 0] /= 2.2
    right.position[:, 0] = 21 + right.position[:, 0] / 2.2
    numbers, report = Composition.of(maps, source=source()).draw([left, right], seed=0)
    site = np.repeat(right.site, right.counts)
    assert set(numbers[0]) == {14}
    assert set(numbers[1][site == 0]) == {49, 31} and set(numbers[1][site == 1]) == {33}
    three = (numbers[1][site == 0] == 49).sum() - 0.24 * (site == 0).sum()
    assert abs(three) < 1
    assert report["elements"].tolist() == [14, 31, 33, 49]


def test_a_phase_with_nothing_in_common_stays_and_is_named():
    composition = Composition.of(silicon_germanium(RAMP), source=source())
    regions = [region(), region(2, (31, 33), name="GaAs zincblende")]
    with pytest.warns(UserWarning, match=r"region 2 \(GaAs zincblende\) stays"):
        numbers, report = composition.draw(regions, seed=0)
    assert not numbers[1].any()
    assert np.isnan(report["wanted"][1]).all()


def test_composition_region_by_region():
    given = {1: {"Si": 0.3, "Ge": 0.7}, 3: {"In": 0.2, "Ga": 0.3, "As": 0.5}}
    composition = Composition.of(given, source=source())
    regions = [region(1), region(2), region(3, (31, 33), name="GaAs")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        numbers, report = composition.draw(regions, seed=0)
    assert abs((numbers[0] == 32).sum() - 0.7 * len(numbers[0])) < 1
    assert not numbers[1].any()
    three = np.repeat(regions[2].site, regions[2].counts) == 0
    assert abs((numbers[2][three] == 49).sum() - 0.4 * three.sum()) < 1
    assert (numbers[2][~three] == 33).all()
    np.testing.assert_array_equal(report["region_labels"], [1, 2, 3])
    assert composition.elements == (14, 31, 32, 33, 49)
    place = np.zeros((1, 2))
    np.testing.assert_allclose(
        composition.fractions_at(place, 3)[:, 0], [0, 0.3, 0, 0.5, 0.2]
    )
    assert np.isnan(composition.fractions_at(place, 2)).all()


def test_unknown_places_take_what_is_near_and_are_counted():
    germanium = RAMP.copy()
    germanium[:, 40:] = np.nan
    composition = Composition.of(silicon_germanium(germanium), source=source())
    with pytest.warns(UserWarning, match="took those of the nearest known"):
        (numbers,), report = composition.draw([region()], seed=0)
    beyond = region().position[:, 0] > 20
    assert abs(report["unknown_places"][0] - beyond.sum()) < 0.05 * len(beyond)
    share = (numbers.reshape(-1, 20)[beyond] == 32).mean()
    assert share == pytest.approx(RAMP[0, 39], abs=0.02)


def test_order_and_columns_need_the_atoms():
    columns = region(n=900)
    side = 4.0 * np.stack(np.meshgrid(np.arange(30), np.arange(30)), -1).reshape(-1, 2)
    asked = []

    def atoms(index):
        asked.append(index)
        z = np.tile(4.0 * np.arange(20), 900)
        return np.column_stack([np.repeat(side, 20, axis=0), z])

    composition = Composition.of({1: {"Si": 0.5, "Ge": 0.5}}, source=source())
    composition.draw([columns], seed=0, atoms=atoms, periods=[80.0])
    assert not asked
    _, report = composition.draw(
        [columns], seed=0, atoms=atoms, periods=[80.0], order=0.2
    )
    assert asked == [0] and abs(report["order"][0] - 0.2) < 0.01
    (numbers,), _ = composition.draw([columns], seed=0, arrangement="columns")
    assert set((numbers.reshape(-1, 20) == 32).sum(axis=1)) == {10}


def scene(seed=0):
    noise = np.random.default_rng(seed).normal(size=(500, 600))
    germanium = gaussian_filter(noise, 15)
    return np.clip(0.5 + 0.2 * germanium / germanium.std(), 0, 1)


def test_contrast_places_the_maps():
    truth = scene()
    image = 0.3 + truth[100:400, 100:500]  # bright where germanium is
    image = image + 0.2 * np.random.default_rng(1).normal(size=image.shape)
    # Maps of a part, 6 nm right of and 4 nm below the corner of the image.
    part = truth[140:340, 160:400].reshape(40, 5, 48, 5).mean(axis=(1, 3))
    maps = silicon_germanium(part, offset=(0.2, 0.2))
    composition = Composition.of(maps, register="contrast", source=source(image))
    found = composition.registration
    np.testing.assert_allclose(found["moved"], [6, 4], atol=0.2)
    assert found["certainty"] > 0.8 and found["method"] == "contrast"
    dark = Composition.of(
        maps, register="contrast", source=source(-image), contrast="dark"
    )
    np.testing.assert_allclose(dark.registration["moved"], [6, 4], atol=0.2)
    place = composition.fractions_at(np.array([[16.2, 14.2]]), 1)[1, 0]
    assert place == pytest.approx(truth[242, 262], abs=0.05)


def test_a_survey_image_places_the_maps_although_its_scale_is_off():
    truth = scene(3)
    image = truth[100:400, 100:500]
    survey = truth[:, :].reshape(250, 2, 300, 2).mean(axis=(1, 3))
    noise = np.random.default_rng(2)
    survey = survey + 0.05 * noise.normal(size=survey.shape)
    # Truly 0.2 nm; in the frame of the survey the image begins at 10 / 1.06 nm.
    survey = fraction_map(survey, scale=(0.2 / 1.06,) * 2, offset=(50.0, 70.0))
    maps = silicon_germanium(
        truth[100:400, 100:500].reshape(30, 10, 40, 10).mean(axis=(1, 3)),
        scale=(1 / 1.06,) * 2,
        offset=(50 + 10.4 / 1.06, 70 + 10.4 / 1.06),
    )
    composition = Composition.of(maps, register=survey, source=source(image))
    found = composition.registration
    assert found["scale"] == pytest.approx(1.06, abs=0.011)
    assert found["certainty"] > 0.95
    places = np.array([[5.0, 6.0], [20.0, 15.0], [35.0, 25.0]])
    rows, columns = (places / 0.1).astype(int).T[::-1]
    np.testing.assert_allclose(
        composition.fractions_at(places, 1)[1],
        truth[100 + rows, 100 + columns],
        atol=0.1,
    )


def test_an_uncertain_place_is_warned_of_and_a_wrong_survey_refused():
    y, x = np.mgrid[:300, :400]
    image = np.cos(2 * np.pi * x / 20) + np.cos(2 * np.pi * y / 20)
    maps = silicon_germanium(RAMP)
    survey = fraction_map(image[:200, :250], scale=(0.1, 0.1))
    with pytest.warns(UserWarning, match=r"certainty of 0\.\d\d only"):
        Composition.of(maps, register=survey, source=source(image))
    random = np.random.default_rng(0)
    with pytest.raises(ValueError, match="none that stands out"):
        Composition.of(
            maps,
            register=fraction_map(random.random((60, 80))),
            source=source(random.random(GRID.shape)),
        )


def test_a_large_lazy_micrograph_is_read_in_parts():
    import dask.array as da

    truth = np.kron(scene(1), np.ones((9, 9)))
    image = da.from_array(truth, chunks=(1000, 1100))
    grid = ImageGrid(truth.shape, (0.1 / 9, 0.1 / 9))
    large = SimpleNamespace(image=image, labels=None, grid=grid)
    maps = silicon_germanium(scene(1).reshape(100, 5, 120, 5).mean(axis=(1, 3)))
    found = Composition.of(maps, register="contrast", source=large).registration
    # The maps say 0 for the middle of their first pixel, which is at 0.245 nm.
    np.testing.assert_allclose(found["moved"], [0.245, 0.245], atol=0.1)


@pytest.mark.parametrize(
    ("composition", "error", "message"),
    [
        (None, TypeError, "got NoneType None"),
        ({}, TypeError, "got dict"),
        ({1: 3}, TypeError, "got 1: int"),
        ({"Si": {"Si": 1.0}}, TypeError, "got 'Si': dict"),
        ({1: {"Si": 1.0}, "Ge": RAMP}, TypeError, "both in one"),
        ({1: {"Si": 0.5}}, ValueError, "Region 1: .*sum of 0.5"),
        ({1: {"Si": "much"}}, TypeError, "numbers as fractions of region 1"),
        ({1: {"Xx": 1.0}}, ValueError, r"\['Xx'\] are no elements"),
        ({1: {}}, TypeError, "numbers as fractions"),
    ],
)
def test_what_is_no_composition(composition, error, message):
    with pytest.raises(error, match=message):
        Composition.of(composition, source=source())


def test_labels_and_elements_that_are_not_there():
    regions = [region(1), region(2)]
    with pytest.raises(ValueError, match=r"which are \[1, 2\], got \[7\]"):
        Composition.of({7: {"Si": 1.0}}, source=source()).draw(regions, seed=0)
    with pytest.raises(ValueError, match="got As: Si diamond has sites of Si"):
        Composition.of({1: {"As": 1.0}}, source=source()).draw(regions, seed=0)


def test_three_on_three_and_five_on_five_in_the_model_of_an_image():
    """Every nearest neighbour of a group III atom is one of group V."""
    grown = Region("GaAs zincblende", (1, 1, 0), 0.2)
    image = synthetic_micrograph(
        [grown], shape=(200, 220), pixel_size=(0.035, 0.03), dose=2000, seed=1
    )
    indexed = image.segment().find_peaks().index_phases("GaAs zincblende")
    indium = 0.5 * np.linspace(0, 0.5, 20)[:, None] * np.ones((20, 20))
    values = {
        "In": indium, "Ga": 0.5 - indium,
        "As": np.full((20, 20), 0.4), "Sb": np.full((20, 20), 0.1),
    }  # fmt: skip
    maps = {e: fraction_map(v, scale=(0.4, 0.4)) for e, v in values.items()}
    model = indexed.gpa().to_atoms(4, composition=maps, arrangement="columns")
    assert set(model.formula()) == set(values)
    node = model.metadata.AtomicModel.composition
    assert np.abs(node.drawn - node.wanted).max() * model.n_atoms < 1
    three = np.isin(model.numbers, [31, 49])
    nearest = cKDTree(model.positions).query(model.positions, k=2)[1][:, 1]
    assert np.mean(three != three[nearest]) == 1
    # Each column holds its own fraction of In or of Sb, to one atom.
    column = model.column("column").astype(int)
    size, of_sb = np.bincount(column), np.bincount(column, model.numbers == 51)
    five = np.bincount(column, ~three) == size
    assert np.abs(of_sb[five] - 0.2 * size[five]).max() < 1


def test_traces_of_an_element_without_a_site_are_left_out():
    maps = silicon_germanium(0.98 * RAMP)
    maps["Si"].data = 0.98 * (1 - RAMP)
    for oxygen, refused in ((0.015, False), (0.2, True)):
        maps["O"] = fraction_map(np.full(RAMP.shape, oxygen))
        maps["Si"].data = 1 - maps["Ge"].data - oxygen
        maps["Si"].data[:, -20:], maps["Ge"].data[:, -20:] = 0.5 - oxygen, 0.5
        composition = Composition.of(maps, source=source())
        if refused:
            with pytest.raises(ValueError, match="got O: Si diamond has sites of Si"):
                composition.draw([region()], seed=0)
        else:
            _, report = composition.draw([region()], seed=0)
            assert report["left_out"][0] == pytest.approx(oxygen, abs=0.001)


def test_the_eels_example_finds_what_it_simulated(tmp_path, monkeypatch, capsys):
    report = run_example(tmp_path, monkeypatch, capsys)
    assert "simulated" in report
    difference, scatter = re.search(
        r"difference ([+-][\d.]+), scatter ([\d.]+)", report
    ).groups()
    assert abs(float(difference)) < 2e-3 and 0.6 < float(scatter) < 1.3
    maps = {e: hs.load(tmp_path / f"fraction_{e}.hspy") for e in ("Si", "Ge")}
    np.testing.assert_allclose(maps["Si"].data + maps["Ge"].data, 1)
    grid = ImageGrid((240, 160), (0.08, 0.08))
    image = SimpleNamespace(image=np.zeros(grid.shape), labels=None, grid=grid)
    columns = region()
    columns.position[:] *= 12 / 39
    composition = Composition.of(maps, source=image)
    _, drawn = composition.draw([columns], seed=0)
    assert np.abs(drawn["drawn"] - drawn["wanted"]).max() < 1 / columns.counts.sum()
    assert 0 < drawn["std"].max() < 1e-3


@pytest.mark.realdata
def test_real_spectrum_images_have_the_stoichiometry_of_their_oxides(
    real_data, tmp_path, monkeypatch, capsys
):
    """SrTiO3 around a layer without Ti, and LSMO: three O for each Ti or Mn.

    Hydrogenic cross-sections of L edges of 3d metals are up to 40 % off.
    """
    folder = real_data / "eels_eds"
    run_example(
        tmp_path, monkeypatch, capsys, folder / "LaSTO_06_SI-EELS.dm3",
        "--elements", "Ti", "O", "--range", "380", "820", "--pixel", "0.4",
    )  # fmt: skip
    titanium = hs.load(tmp_path / "fraction_Ti.hspy").data
    assert titanium[:12].mean() == pytest.approx(0.25, abs=0.09)
    assert titanium[17:29].mean(axis=1).min() < 0.05
    line = [folder / "LSMO_linescan.hspy", "--elements", "Mn", "O"]
    run_example(tmp_path, monkeypatch, capsys, *line)
    without = hs.load(tmp_path / "fraction_Mn.hspy").data.mean()
    low = folder / "LSMO_linescan_low_loss.hspy"
    run_example(tmp_path, monkeypatch, capsys, *line, "--low-loss", low)
    corrected = hs.load(tmp_path / "fraction_Mn.hspy").data.mean()
    assert abs(corrected - 0.25) < abs(without - 0.25)
    assert corrected == pytest.approx(0.25, abs=0.06)


def run_example(folder, monkeypatch, capsys, *arguments):
    """What the example prints."""
    words = ["eels_composition.py", *map(str, arguments), "--output", str(folder)]
    monkeypatch.setattr(sys, "argv", words)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runpy.run_path(str(EXAMPLE), run_name="__main__")
    return capsys.readouterr().out


def test_maps_that_do_not_fit():
    maps = silicon_germanium(RAMP)
    maps["Ge"].axes_manager[0].offset = 1
    with pytest.raises(ValueError, match="all composition maps on the same axes"):
        Composition.of(maps, source=source())
    maps = silicon_germanium(RAMP, offset=(100.0, 0.0))
    with pytest.raises(ValueError, match=r"x -0.05 to 39.95 nm.*maps over x 99.75 to"):
        Composition.of(maps, source=source())
    with pytest.raises(ValueError, match="register=None, a survey image or 'contrast'"):
        Composition.of(silicon_germanium(RAMP), register="survey", source=source())
    with pytest.raises(ValueError, match="register=None with a composition of regions"):
        Composition.of({1: {"Si": 1.0}}, register="contrast", source=source())
