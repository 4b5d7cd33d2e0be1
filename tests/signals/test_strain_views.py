# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What a strain map shows and writes.

What could make it wrong: rows taken for columns, radians for degrees, limits that
differ between strains, an image as large as a lazy file, a profile beside its line,
statistics with places that belong to two regions, and half a file after an error.
"""

import csv
import json

import hyperspy.api as hs
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from scipy.ndimage import gaussian_filter

from hyperspy_t2t.signals._strain_views import export, figures, profiles

NAMES = ("exx", "eyy", "exy", "rotation")
pytestmark = pytest.mark.filterwarnings("error::UserWarning")


def panels() -> list:
    """Axes of the maps of the last figure, without their bars."""
    return [ax for ax in plt.gcf().axes if ax.get_title()]


def texts(ax) -> dict:
    return {text.get_text(): text for text in ax.texts}


def test_four_maps_in_one_figure(chain) -> None:
    chain.strain.plot()
    assert len(plt.get_fignums()) == 1
    shown = panels()
    assert [ax.get_title() for ax in shown] == [
        r"$\varepsilon_{xx}$ (%)",
        r"$\varepsilon_{yy}$ (%)",
        r"$\varepsilon_{xy}$ (%)",
        r"$\omega$ (°)",
    ]
    data = np.asarray(chain.strain.data)
    limit = 100 * np.percentile(np.abs(data[:3][np.isfinite(data[:3])]), 98)
    for k, ax in enumerate(shown):
        (image,) = ax.images
        factor = 180 / np.pi if k == 3 else 100
        np.testing.assert_allclose(image.get_array().filled(np.nan), factor * data[k])
        assert image.norm.vmin == -image.norm.vmax
        # Rows go down: the first one is at the top, which is y = 0.
        assert image.get_extent() == pytest.approx([-0.02, 8.94, 10.22, -0.02])
        assert ax.yaxis_inverted() and ax.get_aspect() == 1
        assert image.get_cmap().name == "RdBu_r"
        assert ax.get_facecolor() == to_rgba("0.7")
    limits = [ax.images[0].norm.vmax for ax in shown]
    np.testing.assert_allclose(limits[:3], limit)
    turn = np.degrees(np.nanpercentile(np.abs(data[3]), 98))
    assert limits[3] == pytest.approx(turn)


def test_what_is_written_on_the_maps(chain) -> None:
    strain = chain.strain
    strain.plot()
    title = plt.gcf().get_suptitle()
    assert "“reference”" in title
    assert f"region {strain.reference_region}" in title
    assert f"σ = {strain.metadata.Strain.resolution:.3g} nm" in title
    first = panels()[0]
    found = texts(first)
    plt.gcf().canvas.draw()
    (x0, y0), (x1, y1) = (
        found[name].get_window_extent().get_points().mean(axis=0) for name in "xy"
    )
    assert x0 > x1 and y0 > y1  # on screen, where y counts upwards
    (bar,) = (
        artist for artist in first.artists if hasattr(artist, "size_bar")
    )  # the scale
    assert bar.txt_label.get_text() == "2 nm"
    # The word is inside of the reference.
    x, y = found["reference"].get_position()
    label = chain.segmented.labels.isig[float(x), float(y)].data
    assert int(np.asarray(label).item()) == strain.reference_region
    outlines = chain.segmented.contours()
    (lines,) = (c for c in first.collections if c.get_label() == "regions")
    sides = sum(len(p) - 1 for polygons in outlines.values() for p in polygons)
    assert len(lines.get_segments()) == sides


def test_what_is_not_measured_there_is_hatched(chain, monkeypatch) -> None:
    """Just what validity leaves out, with a word; the colours stay as they are."""
    strain = chain.strain
    valid = np.asarray(strain.validity.data)
    unsure = np.isfinite(np.asarray(strain.data[0])) & ~valid
    assert 0.1 < unsure.mean() < 0.9
    strain.plot()
    assert "hatched: nearer than 2σ" in plt.gcf().get_suptitle().replace("\n", " ")
    for ax in panels():
        (hatched,) = (c for c in ax.collections if c.get_label() == "unsure")
        assert hatched.hatches == ["///"]
        # Pixel centres, rows downwards: from the first line of the map to its last.
        box = hatched.get_paths()[0].get_extents()
        assert (box.y0, box.y1) == pytest.approx((0.0, 10.2))
    given = []
    monkeypatch.setattr(
        figures.plots, "draw_maps", lambda _m, _g, places, **_k: given.append(places)
    )
    strain.plot()
    np.testing.assert_array_equal(given[0].unsure, unsure)


def test_maps_all_of_which_is_measured_say_nothing(eager) -> None:
    part = eager.strain.deepcopy()
    part.data[:, ~part.validity.data] = np.nan
    part.plot()
    assert "hatched" not in plt.gcf().get_suptitle()
    assert not any(c.get_label() == "unsure" for c in panels()[0].collections)


def test_components_limits_and_units(eager) -> None:
    strain = eager.strain
    figure = Figure()
    strain.plot(
        ["rotation", "eyy"],
        limits=0.03,
        rotation_limit=50,
        rotation_units="mrad",
        cmap="coolwarm",
        figure=figure,
    )
    assert not plt.get_fignums()
    rotation, eyy = (ax for ax in figure.axes if ax.get_title())
    assert rotation.images[0].norm.vmax == pytest.approx(50)
    np.testing.assert_allclose(
        rotation.images[0].get_array().filled(np.nan), 1e3 * strain.data[3], rtol=1e-6
    )
    assert eyy.images[0].norm.vmax == pytest.approx(3)
    assert eyy.images[0].get_cmap().name == "coolwarm"
    strain.plot("exy")
    assert [ax.get_title() for ax in panels()] == [r"$\varepsilon_{xy}$ (%)"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"components": "ezz"}, r"out of exx, .*got 'ezz'.*browse"),
        ({"components": None}, r"got None.*browse"),
        ({"components": []}, r"got \[\]"),
        ({"limits": -1}, "limits above 0, got -1"),
        ({"rotation_limit": 0}, "rotation_limit above 0, got 0"),
        ({"rotation_units": "turns"}, "'deg' or 'mrad', got 'turns'"),
    ],
)
def test_what_cannot_be_plotted(eager, options, message) -> None:
    with pytest.raises(ValueError, match=message):
        eager.strain.plot(**options)
    assert not plt.get_fignums()


def test_browsing_as_other_signals_do(chain) -> None:
    chain.strain.browse()
    (axes,) = (ax for ax in plt.gcf().axes if ax.images)
    assert axes.images[0].norm.vmin == -axes.images[0].norm.vmax < 0
    plt.close("all")
    strain = chain.strain.deepcopy()  # others look at its axes
    strain.plot(vmin=-0.01, vmax=0.03, cmap="viridis")
    image = strain._plot.signal_plot.ax.images[0]
    assert (image.norm.vmin, image.norm.vmax) == (-0.01, 0.03)
    strain.axes_manager.indices = (2,)
    assert image.get_cmap().name == "viridis"


def test_markers_open_the_plot_they_need(eager) -> None:
    strain = eager.strain.deepcopy()
    marker = hs.plot.markers.Points(offsets=np.array([[2.0, 3.0]]), sizes=5)
    strain.add_marker(marker)
    assert strain._plot.is_active


def test_maps_that_lost_a_part(eager) -> None:
    """One component browses; without its labels a map has no outlines."""
    eager.strain.inav[0].plot()
    plt.close("all")
    with pytest.warns(UserWarning, match="dropped"):
        coarse = eager.strain.rebin(scale=(1, 2, 2))
    coarse.plot()
    first = panels()[0]
    assert first.images[0].get_array().shape == (128, 112)
    assert not any(len(c.get_segments()) for c in first.collections)
    plt.close("all")
    empty = eager.strain * np.nan
    empty.plot()
    assert len(panels()) == 4


def test_part_of_a_map_keeps_its_places(eager) -> None:
    part = eager.strain.isig[2.0:6.0, 3.0:9.0]
    part.plot()
    assert panels()[0].images[0].get_extent() == pytest.approx([1.98, 5.98, 8.98, 2.98])
    part.plot_setup()
    assert panels()[0].get_xlim() == pytest.approx((1.98, 5.98))


def test_figures_are_sampled(lazy, monkeypatch) -> None:
    monkeypatch.setattr(figures, "SIDE", 100)
    lazy.strain.plot()
    (image,) = panels()[0].images
    assert image.get_array().shape == (86, 75)
    data = 100 * np.asarray(lazy.strain.data[0, ::3, ::3])
    np.testing.assert_allclose(image.get_array().filled(np.nan), data, rtol=1e-6)
    left, *_, top = image.get_extent()
    assert (left, top) == pytest.approx((-0.06, -0.06))
    lazy.strain.plot_setup()
    assert panels()[0].images[0].get_array().shape == (86, 75)


def test_setup(chain) -> None:
    strain = chain.strain
    strain.plot_setup()
    picture, spectrum = panels()
    image, shade = picture.images
    np.testing.assert_allclose(image.get_array(), np.asarray(chain.micrograph.data))
    # What is shaded is in the reference.
    labels = np.asarray(chain.segmented.labels.data)
    shaded = np.argwhere(shade.get_array()[..., 3] > 0)
    assert len(shaded) > 20
    left, right, bottom, top = shade.get_extent()
    size = shade.get_array().shape
    y = top + (shaded[:, 0] + 0.5) * (bottom - top) / size[0]
    x = left + (shaded[:, 1] + 0.5) * (right - left) / size[1]
    rows, columns = np.rint(y / 0.04).astype(int), np.rint(x / 0.04).astype(int)
    assert set(labels[rows, columns].tolist()) == {strain.reference_region}
    # Circles of one and two standard deviations of the mask around ±g.
    circles = [patch for patch in spectrum.patches if isinstance(patch, Circle)]
    radius = 1 / (2 * np.pi * strain.metadata.Strain.resolution)
    np.testing.assert_allclose(
        [c.radius for c in circles],
        np.tile([radius, 2 * radius], 2 * len(strain.g_vectors)),
    )
    g = strain.g_vectors
    centres = np.array([c.center for c in circles[::2]])
    np.testing.assert_allclose(centres, np.stack([g, -g], 1).reshape(-1, 2))
    # Spots are where the circles are.
    power = spectrum.images[0].get_array().filled()
    left, right, bottom, top = spectrum.images[0].get_extent()
    rows = ((centres[:, 1] - top) / (bottom - top) * power.shape[0]).astype(int)
    columns = ((centres[:, 0] - left) / (right - left) * power.shape[1]).astype(int)
    assert (power[rows, columns] > np.median(power) + 2).all()
    assert (power[rows, columns][:4] > np.percentile(power, 99)).all()
    names = set(texts(spectrum))
    assert len(names) == len(g)
    assert all(name.startswith("$") and name.strip("$") for name in names)


def test_reasons_are_written(eager) -> None:
    strain = eager.strain.deepcopy()
    domain = strain.metadata.Strain.domains.domain_0
    domain.resolution_reason = "holds all spots"
    domain.g_vectors_reason = "clear of the noise"
    strain.plot_setup()
    (text,) = plt.gcf().axes[2].texts
    written = " ".join(text.get_text().split())
    for part in ("holds all spots", "clear of the noise", "Convention “reference”"):
        assert part in written
    assert strain.metadata.Strain.reference_reason in written
    with pytest.raises(ValueError, match=r"one of \[1, 2\], got 7"):
        strain.plot_setup(7)


def test_many_g_and_a_box(eager) -> None:
    box = (1.0, 0.8, 7.0, 4.5)
    strain = eager.indexed.gpa(reference=box)
    strain.plot_setup(2)
    picture, spectrum = panels()
    (dashed,) = (p for p in picture.patches if isinstance(p, Rectangle))
    assert (*dashed.get_xy(), dashed.get_width()) == pytest.approx((1.0, 0.8, 6.0))
    circles = [p for p in spectrum.patches if isinstance(p, Circle)]
    assert len(circles) == 4 * len(strain.g_vectors) > 8
    colours = [to_rgba(c.get_edgecolor()) for c in circles[::4]]
    assert len(set(colours[:2])) == 1 and set(colours[2:]) == {to_rgba("tab:cyan")}
    strain.plot()
    x, y = texts(panels()[0])["reference"].get_position()
    assert (x, y) == pytest.approx((4.0, 2.65))


def test_profile_along_pixels(chain) -> None:
    strain = chain.strain
    data = np.asarray(strain.data)
    down = strain.profile((2.0, 0.4), (2.0, 9.6))
    np.testing.assert_allclose(down.data, data[:, 10:241, 50], rtol=1e-5, atol=1e-9)
    axis = down.axes_manager["distance"]
    assert (axis.units, axis.offset) == ("nm", 0) and axis.scale == pytest.approx(0.04)
    # Half a pixel off the line, five pixels wide: the pixels themselves.
    wide = strain.profile((2.0, 9.6), (2.0, 0.4), width=0.2, component="eyy")
    assert wide.axes_manager.navigation_dimension == 0
    expected = np.nanmean(data[1, 240:9:-1, 48:53], axis=1)
    np.testing.assert_allclose(wide.data, expected, rtol=1e-4, atol=1e-7)
    assert down.get_noise_variance() is None or down.get_noise_variance().data.shape


def test_profile_of_a_roi(eager) -> None:
    roi = hs.roi.Line2DROI(x1=1.0, y1=2.0, x2=7.0, y2=8.0, linewidth=0.5)
    found = eager.strain.profile(roi)
    given = eager.strain.profile((1, 2), (7, 8), width=0.5)
    np.testing.assert_array_equal(found.data, given.data)
    narrow = eager.strain.profile(roi, width=0)
    np.testing.assert_array_equal(
        narrow.data, eager.strain.profile((1, 2), (7, 8)).data
    )
    with pytest.raises(ValueError, match=r"start and end .* got \(1, 2\) alone"):
        eager.strain.profile((1, 2))
    with pytest.raises(ValueError, match="sliced along its components"):
        eager.strain.inav[0].profile((1, 2), (3, 4))


def test_variance_of_a_profile(eager, monkeypatch) -> None:
    """Held where HyperSpy's fits look for it; the kernel's test draws noise."""
    strain = eager.strain
    squares = {"std": 1e-6, "blur": 0.0}

    def errors(part, names):
        return np.full(part.data.shape, np.sqrt(sum(squares[one] for one in names)))

    monkeypatch.setattr(type(strain), "_errors", errors)
    line = strain.profile((2.0, 2.0), (2.0, 4.0)).get_noise_variance()
    np.testing.assert_allclose(line.data, 1e-6, rtol=1e-5)
    wide = strain.profile((4.0, 2.0), (4.0, 4.0), width=4.0).get_noise_variance()
    sigma = strain.metadata.Strain.resolution
    # exx is a derivative across this line, eyy one along it.
    np.testing.assert_allclose(wide.data[0], 1e-6 * 4 * sigma**2 / 16, rtol=1e-3)
    t = 4 / (2 * sigma)
    np.testing.assert_allclose(
        wide.data[1], 1e-6 * (np.sqrt(np.pi) / t - 1 / t**2), rtol=1e-3
    )
    squares["blur"] = 4e-6  # which is alike across the line
    blurred = strain.profile((4.0, 2.0), (4.0, 4.0), width=4.0).get_noise_variance()
    np.testing.assert_allclose(blurred.data - wide.data, 4e-6, rtol=1e-3)


def test_statistics_of_all_pixels(chain) -> None:
    found = chain.strain.statistics(margin=0)
    labels = np.asarray(chain.segmented.labels.data)
    data = np.asarray(chain.strain.data, float)
    np.testing.assert_array_equal(found["label"], [1, 2])
    for k, label in enumerate((1, 2)):
        inside = (labels == label) & np.isfinite(data[0])
        values = data[:, inside]
        assert found["area"][k] == pytest.approx(inside.sum() * 0.04**2)
        for name in ("mean", "median", "std"):
            expected = getattr(np, name)(values, axis=1)
            np.testing.assert_allclose(found[name][k], expected, rtol=1e-6)


def test_statistics_leave_out_borders(eager) -> None:
    strain = eager.strain
    found = strain.statistics()
    other = 2 if strain.reference_region == 1 else 1
    (k,) = np.flatnonzero(found["label"] == other)
    # The truth of the scene: 2 %, turned by 5° as F = R (1 + ε).
    scale, turn = 1.02, np.radians(5)
    truth = [scale * np.cos(turn) - 1] * 2 + [0, scale * np.sin(turn)]
    np.testing.assert_allclose(found["median"][k], truth, atol=3e-4)
    assert found["area"][k] < 0.9 * strain.statistics(margin=0)["area"][k]
    none = strain.statistics(margin=50.0, regions=[2])
    assert none["area"] == 0 and np.isnan(none["mean"]).all()
    with pytest.raises(ValueError, match=r"out of \[1, 2\], got \[3\]"):
        strain.statistics(regions=[3])
    with pytest.raises(ValueError, match="margin from 0 nm, got -1 nm"):
        strain.statistics(margin=-1)


def test_standard_error_by_noise_draws(eager) -> None:
    """Values correlated as exp(−d²/4σ²) scatter in their mean as is said."""
    strain = eager.strain.deepcopy()
    sigma = strain.metadata.Strain.resolution
    rng = np.random.default_rng(4)
    means, errors = [], []
    for _ in range(15):
        white = rng.normal(size=strain.data.shape)
        strain.data = gaussian_filter(white, (0, sigma / 0.04, sigma / 0.04))
        found = strain.statistics(margin=0)
        means.append(found["mean"])
        errors.append(found["standard_error"])
    scatter = np.std(means, axis=(0, 2))
    np.testing.assert_allclose(scatter / np.mean(errors, axis=(0, 2)), 1, atol=0.3)


def test_histograms(chain, monkeypatch) -> None:
    found = chain.strain.histograms(bins=40, margin=0.2)
    assert tuple(found) == NAMES
    medians = chain.strain.statistics(margin=0.2)["median"]
    for k, name in enumerate(NAMES):
        signal = found[name]
        assert signal.data.shape == (2, 40)
        axis = signal.axes_manager[name]
        np.testing.assert_allclose(signal.data.sum(axis=1) * axis.scale, 1)
        np.testing.assert_array_equal(signal.metadata.Regions.labels, [1, 2])
        # Half of the area is on either side of the median.
        for row, median in zip(signal.data, medians[:, k], strict=True):
            left = row[axis.axis < median].sum() * axis.scale
            assert left == pytest.approx(0.5, abs=row.max() * axis.scale)
    edges = np.linspace(-0.01, 0.03, 21)
    axis = chain.strain.histograms(bins=edges)["exx"].axes_manager["exx"]
    assert (axis.size, axis.offset) == (20, pytest.approx(-0.009))
    monkeypatch.setattr(profiles, "SIDE", 128)
    coarse = chain.strain.statistics(margin=0.2)
    np.testing.assert_allclose(coarse["median"], medians, atol=1e-4)
    for bins in (0, 2.5, [1, 0], [0, 1, 3]):
        with pytest.raises(ValueError, match="evenly spaced"):
            chain.strain.histograms(bins=bins)


def test_exported_files(chain, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(export, "_DPI", 50)
    folder = tmp_path / "new" / "strain"
    paths = chain.strain.export(folder)
    assert sorted(folder.iterdir()) == sorted(paths)
    for k, name in enumerate(NAMES):
        image = hs.load(folder / f"{name}.tif")
        assert image.data.dtype == np.float32
        np.testing.assert_array_equal(image.data, np.asarray(chain.strain.data[k]))
        for axis in image.axes_manager.signal_axes:
            assert axis.scale == pytest.approx(0.04) and axis.units == "nm"
    with (folder / "statistics.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = chain.strain.statistics()
    assert [int(row["region"]) for row in rows] == [1, 2]
    means = [[float(row[f"{name}_mean"]) for name in NAMES] for row in rows]
    np.testing.assert_allclose(means, found["mean"], rtol=1e-8)
    stored = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
    assert stored["convention"] == "reference"
    np.testing.assert_allclose(stored["g_vectors"], chain.strain.g_vectors)
    assert plt.imread(folder / "maps.png").shape[0] > 200
    assert not plt.get_fignums()


def test_export_replaces_nothing_unasked(eager, tmp_path) -> None:
    (tmp_path / "eyy.tif").write_text("mine")
    with pytest.raises(FileExistsError, match=r"got eyy\.tif\. .*overwrite=True"):
        eager.strain.export(tmp_path, formats=["tif"])
    assert [path.name for path in tmp_path.iterdir()] == ["eyy.tif"]
    eager.strain.export(tmp_path, formats="tif", overwrite=True)
    for name in ("eyy", "eyy_uncertainty"):
        assert hs.load(tmp_path / f"{name}.tif").axes_manager[0].units == "nm"
    errors = hs.load(tmp_path / "exy_uncertainty.tif").data
    np.testing.assert_array_equal(errors, eager.strain.uncertainty.data[2])
    assert hs.load(tmp_path / "eyy.tif").data.shape == (256, 224)


def test_export_leaves_nothing_after_an_error(eager, tmp_path, monkeypatch) -> None:
    (tmp_path / "statistics.csv").write_text("mine")

    def fails(strain, path) -> None:
        path.write_text("half")
        raise OSError("No space left on device")

    monkeypatch.setattr(export, "_write_metadata", fails)
    with pytest.raises(OSError, match="No space left"):
        eager.strain.export(tmp_path, formats=("csv", "json"), overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["statistics.csv"]
    assert (tmp_path / "statistics.csv").read_text() == "mine"


def test_places_that_cannot_be_written_to(eager, tmp_path, monkeypatch) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(NotADirectoryError, match="a folder, got the file"):
            eager.strain.export(folder)
    with pytest.raises(ValueError, match=r"out of tif, .*got \('xls',\)"):
        eager.strain.export(tmp_path, formats=("xls",))

    def refuse(**kwargs) -> None:
        raise PermissionError

    monkeypatch.setattr(export.tempfile, "mkdtemp", refuse)
    with pytest.raises(PermissionError, match="can be written to"):
        eager.strain.export(tmp_path)


def test_bragg_filter_with_all_spots_is_the_image(chain) -> None:
    g = chain.peaks.region(1)[:, :2]
    found = chain.strain.bragg_filter(g_vectors=g, label=1, resolution=0.4)
    assert found._lazy is chain.strain._lazy
    assert found.data.shape == (256, 224)
    values = np.asarray(found.data)
    labels = np.asarray(chain.segmented.labels.data)
    np.testing.assert_array_equal(np.isfinite(values), labels == 1)
    image = np.asarray(chain.micrograph.data, float)
    inner = (slice(35, 90), slice(35, -35))
    left = (values - image)[inner]
    assert np.sqrt(np.mean(left**2)) < 0.05 * image[inner].std()
    assert [a.scale for a in found.axes_manager.signal_axes] == pytest.approx(
        [0.04] * 2
    )


def test_bragg_filter_by_default(eager, lazy) -> None:
    """Each region shows the g of its strain; without a mean it has none."""
    found = eager.strain.bragg_filter(mean=False)
    same = np.asarray(lazy.strain.bragg_filter(mean=False).data)
    np.testing.assert_allclose(found.data, same, atol=1e-4 * np.nanstd(same))
    inner = (slice(40, 90), slice(40, -40))
    image = eager.micrograph.data.astype(float)
    assert abs(found.data[inner].mean()) < 0.02 * image.std()
    # In step with the image: the share of its variance in two of its spots.
    match = np.corrcoef(found.data[inner].ravel(), image[inner].ravel())[0, 1]
    assert 0.5 < match < 1
    one = eager.strain.bragg_filter(label=2)
    labels = eager.segmented.labels.data
    np.testing.assert_array_equal(np.isfinite(one.data), labels == 2)


def test_what_cannot_be_filtered(eager) -> None:
    with pytest.raises(ValueError, match=r"one of \[1, 2\], got 5"):
        eager.strain.bragg_filter(label=5)
    with pytest.raises(TypeError, match="resolution as a number or None, got 'fine'"):
        eager.strain.bragg_filter(resolution="fine")
    for resolution in (0.001, 100):
        with pytest.raises(ValueError, match=r"between a pixel, 0\.04 nm"):
            eager.strain.bragg_filter(resolution=resolution)
