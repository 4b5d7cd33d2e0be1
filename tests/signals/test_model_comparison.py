# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""AtomicModel.compare: frames, units, errors, report and picture."""

from dataclasses import replace
from functools import cache

import dask.array as da
import numpy as np
import pytest

from hyperspy_t2t.calibration import CalibrationError
from hyperspy_t2t.data import scene
from hyperspy_t2t.signals import AtomicModel
from hyperspy_t2t.signals._carried.table import table_axes, table_data, table_metadata

ORIGIN = np.array([3.0, -1.5])


@cache
def well():
    """A quantum well whose first pixel is not at zero."""
    image = scene(
        "quantum_well", shape=(200, 240), pixel_size=(0.025, 0.02), dose=300.0, seed=2
    )
    for axis, start in zip(image.axes_manager.signal_axes, ORIGIN, strict=True):
        axis.offset = start
    return image


def true_model(
    change=lambda xy: xy, *, correction=None, extra=(), numbers=(14, 32), depth=20
):
    """A model of the columns that were drawn, as atoms one below the other.

    Each column is a random draw of its own: 70 % Ge outside of the well, 97 % inside.
    """
    table = np.asarray(well().metadata.Truth.columns)
    table = table[np.argsort(table[:, 2], kind="stable")]
    rng = np.random.default_rng(0)
    xy = change(table[:, :2] + ORIGIN)
    correction = np.eye(2) if correction is None else correction
    rows = np.zeros((len(xy), depth, 7))
    rows[..., :2] = (10 * xy @ correction.T)[:, None]
    rows[..., 2] = 3.9 * np.arange(depth)
    share = np.where(table[:, 2] == 2, 0.97, 0.7)[:, None]
    germanium = rng.random((len(xy), depth)) < share
    rows[..., 3] = np.where(germanium, numbers[1], numbers[0])
    rows[..., 4] = table[:, 2:3]
    rows[..., 5] = np.arange(len(xy))[:, None]
    rows = rows.reshape(-1, 7)
    names = ("x", "y", "z", "number", "region", "column", "flag")
    if not extra:
        names, rows = names[:5], rows[:, :5]
    counts = np.unique(rows[:, 4], return_counts=True)
    model = AtomicModel(
        table_data(rows), axes=table_axes(len(rows), len(names), row_name="atom")
    )
    node = table_metadata(names, ("",) * len(names), *counts)
    model.metadata.add_dictionary(
        {"AtomicModel": {**node, "image_correction": correction}}
    )
    return model


@cache
def right():
    return true_model(extra=True).compare(well())


def test_quantum_well_is_at_the_noise():
    """Poisson noise is all that is left where brightness of columns is random."""
    found = right()
    assert list(found.chi2) == [1, 2, 3]
    assert max(found.chi2.values()) < 1.1
    assert min(found.chi2.values()) > 0.9
    # Two draws of an alloy differ by more than counting noise.
    assert found.regions["chi2_model"].min() > 1.1
    assert 10 * found.median_error < 0.04
    assert (found.regions["misplaced"] == 0).all()
    assert found.report().startswith("The model fits the image")
    assert found.report().count(": at the noise") == 3
    assert found.contrast == "bright"


def test_results_lie_on_the_axes_of_the_image():
    found, image = right(), well()
    for signal in (found.simulated, found.residual):
        for mine, theirs in zip(
            signal.axes_manager.signal_axes, image.axes_manager.signal_axes, strict=True
        ):
            assert (mine.size, mine.scale, mine.offset, mine.units) == (
                theirs.size, theirs.scale, theirs.offset, theirs.units,
            )  # fmt: skip
    inside = np.isfinite(found.residual.data)
    assert inside[30:-30, 30:-30].all()
    assert found.simulated.data[inside] == pytest.approx(
        image.data[inside], abs=float(8 * np.sqrt(image.data.max()))
    )
    assert np.corrcoef(found.simulated.data[inside], image.data[inside])[0, 1] > 0.99


def test_distorted_layer_is_seen():
    """A displacement wrong by 30 pm in the lower buffer alone."""
    edge = well().axes_manager.signal_axes[1].offset + 0.65 * 200 * 0.02

    def change(xy):
        return xy + (xy[:, 1] > edge)[:, None] * np.array([0.018, -0.024])

    found = true_model(change, extra=True).compare(well())
    table = found.regions
    np.testing.assert_allclose(table["shift_x"], [-0.018, 0, 0], atol=0.001)
    np.testing.assert_allclose(table["shift_y"], [0.024, 0, 0], atol=0.001)
    assert table["chi2"][0] > 2
    assert max(table["chi2"][1:]) < 1.15
    assert found.report().count(": positions are what differs") == 1
    assert found.verdict.startswith("The model fits the image in part")
    assert "at the noise in 2 of 3 regions" in found.verdict


def test_true_lengths_are_taken_back_to_the_image():
    correction = np.array([[1.07, 0.02], [-0.01, 0.96]])
    found = true_model(correction=correction, extra=True).compare(well())
    for name in ("x", "y", "dx", "dy"):
        np.testing.assert_allclose(
            found.column_errors[name], right().column_errors[name], atol=1e-5
        )


def test_older_models_without_column_numbers():
    found = true_model().compare(well())
    assert len(found.column_errors["x"]) == len(right().column_errors["x"])
    assert found.median_error == pytest.approx(right().median_error, rel=0.05)


def test_brightness_of_the_model():
    found = true_model(extra=True).compare(well(), brightness="model")
    assert found.chi2[1] == pytest.approx(right().regions["chi2_model"][0], rel=0.02)
    # Elements that look alike: the alloy has no contrast of its own.
    alike = {"Si": 1.0, "Ge": 1.0}
    found = true_model(extra=True).compare(well(), element_brightness=alike)
    spread, of_two_draws = (
        np.nanstd(one.column_errors["amplitude"]) for one in (found, right())
    )
    assert spread == pytest.approx(of_two_draws / np.sqrt(2), rel=0.1)


def test_lazy_image_gives_the_same():
    lazy = well().as_lazy()
    lazy.data = da.from_array(np.asarray(well().data), chunks=(70, 90))
    found = true_model(extra=True).compare(lazy)
    assert found.probe == pytest.approx(right().probe)
    np.testing.assert_allclose(found.residual.data, right().residual.data, atol=1e-4)


def test_part_of_the_image_and_missing_pixels():
    part = well().isig[40:200, 20:150].deepcopy()
    part.data = part.data.astype(float)
    part.data[60:80, 60:90] = np.nan
    found = true_model(extra=True).compare(part)
    assert np.isnan(found.residual.data[60:80, 60:90]).all()
    assert 10 * found.median_error < 0.04
    assert max(found.chi2.values()) < 1.15
    # Columns outside the image are known: nothing is left out at its border.
    assert np.isfinite(found.residual.data[:, :4]).mean() > 0.9


def test_plot():
    import matplotlib.pyplot as plt

    axes = right().plot()
    assert [ax.get_title() for ax in axes] == [
        "image", "model", "residual", "imaged minus model",
    ]  # fmt: skip
    left, right_, bottom, top = axes[2].images[0].get_extent()
    assert (left, top) == pytest.approx((3.0 - 0.0125, -1.5 - 0.01))
    assert bottom > top
    assert right_ > left
    plt.close("all")


def arrows_of(comparison, **options):
    """Arrows as drawn in nm, and the label of their colours."""
    import matplotlib.pyplot as plt

    figure = plt.figure()
    ax = comparison.plot(axes=figure.subplots(2, 2), **options)[3]
    drawn = next(c for c in ax.collections if hasattr(c, "U"))
    lengths = np.hypot(drawn.U, drawn.V) / drawn.scale
    label = next(c.get_ylabel() for c in figure.axes if "arrows" in c.get_ylabel())
    plt.close(figure)
    return np.asarray(lengths), label


def test_arrows_stay_in_the_panel_and_say_their_scale():
    side = 200 * 0.02
    errors = {name: values.copy() for name, values in right().column_errors.items()}
    seen = np.flatnonzero(np.isfinite(errors["dx"]))
    errors["dx"][seen[:3]] = 0.2  # a hundred times the usual error
    far = replace(right(), column_errors=errors)
    lengths, label = arrows_of(far)
    assert lengths.max() == pytest.approx(0.1 * side)
    assert np.percentile(lengths, 95) == pytest.approx(0.05 * side, rel=0.01)
    assert "3 longer ones cut to" in label
    lengths, label = arrows_of(far, stretch=10.0)
    usual = np.hypot(errors["dx"], errors["dy"])[seen[3:]]
    assert lengths[3:] == pytest.approx(10 * usual)
    assert "arrows × 10, 3 longer" in label


def test_verdict_follows_the_residual():
    """Columns in place in an image that holds more than columns do not fit it all."""
    regions = {name: values.copy() for name, values in right().regions.items()}
    assert right().verdict.startswith("The model fits the image: ")
    regions["chi2"][1] = 1.54
    verdict = replace(right(), regions=regions).verdict
    assert verdict.startswith("The model fits the image in its positions, but not to")
    assert "at the noise in 2 of 3 regions: its mean square is up to 1.54" in verdict
    assert verdict.endswith("at most 1.2 is expected.")


def uncalibrated(image):
    image.axes_manager.signal_axes[0].units = ""


def far_away(image):
    image.axes_manager.signal_axes[0].offset = 50.0


def missing(image):
    image.data = np.full(image.data.shape, np.nan)


def flat(image):
    image.data = np.full(image.data.shape, 7.0)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (uncalibrated, CalibrationError, "unit of length"),
        (far_away, ValueError, r"x = 3 to 8\.\d+ nm .* the image from x = 50"),
        (missing, ValueError, "NaN"),
        (flat, ValueError, "one grey level, 7"),
    ],
)
def test_images_that_cannot_be_compared(change, error, words):
    image = well().deepcopy()
    change(image)
    with pytest.raises(error, match=words):
        true_model(extra=True).compare(image)


def test_wrong_options():
    with pytest.raises(ValueError, match="'fitted' or 'model', got 'own'"):
        true_model(extra=True).compare(well(), brightness="own")
    with pytest.raises(ValueError, match="Sj"):
        true_model(extra=True).compare(well(), element_brightness={"Sj": 1.0})


def test_a_model_of_something_else_does_not_fit():
    rng = np.random.default_rng(4)

    def change(xy):
        return rng.uniform(xy.min(axis=0), xy.max(axis=0), xy.shape)

    report = true_model(change, extra=True).compare(well()).report()
    assert report.startswith("The model does not fit the image")
