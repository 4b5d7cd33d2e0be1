# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Standard errors against repeated draws of noise, and where strain is valid."""

from functools import cache
from typing import Any

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_t2t.data import Region, synthetic_micrograph
from hyperspy_t2t.data.displacements import (
    GaussianBump,
    coherent_epitaxy,
    relaxed_epitaxy,
)
from hyperspy_t2t.signals import SegmentedImage

SHAPE, PIXEL, FAR = (400, 352), 0.02, 65
CRYSTALS = {
    "Si [110]": ("Si diamond", (1, 1, 0), -90.0),
    "SrTiO3 [001]": ("SrTiO3 cubic perovskite", (0, 0, 1), 0.0),
}
COMPONENTS = ["exx", "eyy", "exy", "rotation"]


def layers(crystal: str, *, relaxed: float | None = None, **imaging: Any) -> Any:
    """A film with 1 % of coherent mismatch above its substrate."""
    phase, zone, rotation = CRYSTALS[crystal]
    width, height = SHAPE[1] * PIXEL, SHAPE[0] * PIXEL
    middle = (width / 2, height / 2)
    outline = [(-9, -9), (99, -9), (99, height / 2), (-9, height / 2)]
    film = coherent_epitaxy(0.01, interface=middle)
    if relaxed is not None:
        film = relaxed_epitaxy(relaxed, origin=middle)
    regions = [
        Region(phase, zone, rotation, origin=middle),
        Region(phase, zone, rotation, origin=middle, outline=outline,
               displacement=film),
    ]  # fmt: skip
    options = {"probe_size": 0.045, "background": 0.33, **imaging}
    return synthetic_micrograph(regions, shape=SHAPE, pixel_size=PIXEL, **options)


def peaks_of(signal: Any, *, lazy: bool = False) -> Any:
    labels = np.asarray(signal.metadata.Truth.labels)
    image = signal.as_lazy(chunks=(150, 130)) if lazy else signal
    found = SegmentedImage.from_labels(image, labels).find_peaks()
    return found.index_phases(["Si", "SrTiO3"])


@cache
def drawn(crystal: str, dose: float) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Errors and quoted standard errors of draws, (4, n), of all g and of the pair."""
    found: dict[str, list] = {"auto": [], "pair": []}
    for seed in range(3):
        signal = layers(crystal, dose=dose, seed=seed)
        truth = np.asarray(signal.metadata.Truth.strain.reference)
        peaks = peaks_of(signal)
        for name, pairs in found.items():
            strain = peaks.gpa(1, name, 0.4)
            quoted = np.asarray(strain.uncertainty.data)
            both = np.stack([np.asarray(strain.data) - truth, quoted])
            for rows in (slice(FAR, 200 - FAR), slice(200 + FAR, 400 - FAR)):
                pairs.append(both[:, :, rows, FAR:-FAR].reshape(2, 4, -1))
    return {k: tuple(np.concatenate(v, axis=2)) for k, v in found.items()}


@pytest.mark.parametrize("dose", [2, 20, 200])
@pytest.mark.parametrize("crystal", CRYSTALS)
def test_quoted_errors_are_honest(crystal: str, dose: float) -> None:
    """Few places are independent: a tenth of scatter for a perfect one."""
    errors, quoted = drawn(crystal, dose)["auto"]
    ratio = errors / quoted
    each = np.sqrt((ratio**2).mean(axis=1))
    assert each.min() > 0.8 and each.max() < 1.3, each
    assert 0.85 < np.sqrt((ratio**2).mean()) < 1.2


def test_strain_that_changes_within_the_resolution() -> None:
    """Its blur, here more than the noise, is in the errors and in those of profiles."""
    middle = (SHAPE[1] * PIXEL / 2, SHAPE[0] * PIXEL / 2)
    bump = GaussianBump((0.02, 0.02), middle, 1.2)
    crystal = Region(*CRYSTALS["Si [110]"], origin=middle, displacement=bump)
    signal = synthetic_micrograph(
        [crystal], shape=SHAPE, pixel_size=PIXEL, probe_size=0.045, dose=100, seed=0
    )
    peaks = peaks_of(signal)
    strain = peaks.gpa((0.6, 0.6, 6.4, 1.6), resolution=0.4)
    truth = np.asarray(signal.metadata.Truth.strain.reference)
    where = np.s_[:, 70:-70, 70:-70]
    error = np.asarray(strain.data) - truth
    error -= error[where].mean(axis=(1, 2), keepdims=True)  # not of its reference
    noise, both = strain._errors(["std"]), strain.uncertainty.data
    alone, ratio = ((error / one)[where] for one in (noise, both))
    assert np.sqrt((alone**2).mean()) > 1.5
    assert 0.85 < np.sqrt((ratio**2).mean()) < 1.2
    profile = strain.profile((1.5, 4.0), (5.5, 4.0), width=1.0, component="eyy")
    least = (both[1] ** 2 - noise[1] ** 2)[176:225, 76:275].mean(axis=0).max()
    assert profile.get_noise_variance().data.max() > 0.9 * least
    # Maps of older versions have no blur.
    old = strain.deepcopy()
    del old.metadata.Strain.domains.domain_0.blur
    np.testing.assert_array_equal(old.uncertainty.data, noise)


def test_few_g_hardly_tell_the_gain_of_the_noise() -> None:
    """Four of them would have it be more than what leaves no noise in the dark."""
    signal = synthetic_micrograph(
        [Region("Cu fcc", (0, 0, 1))], shape=SHAPE, pixel_size=PIXEL, probe_size=0.05,
        background=0.3, dose=100, seed=1,
    )  # fmt: skip
    found = SegmentedImage.from_labels(signal, np.ones(SHAPE, int)).find_peaks()
    peaks, inner = found.index_phases("Cu fcc"), np.s_[:, 60:-60, 60:-60]
    scatter = {}
    for g_vectors in ("pair", "auto"):
        strain = peaks.gpa(1, g_vectors, 0.3)
        scatter[g_vectors] = strain.data[inner].std(axis=(1, 2))
        ratio = (strain.data / strain.uncertainty.data)[inner].std(axis=(1, 2))
        assert 0.75 < ratio.min() and ratio.max() < 1.3, ratio
    assert (scatter["auto"] < 1.1 * scatter["pair"]).all(), scatter
    chosen = peaks.gpa(1).metadata.Strain
    assert chosen.resolution > 0.3, chosen.resolution_reason


@pytest.mark.parametrize("dose", [2, 20, 200])
@pytest.mark.parametrize("crystal", CRYSTALS)
def test_all_g_are_better_than_two(crystal: str, dose: float) -> None:
    """In every component, and on the perovskite by more than a factor of two."""
    two, many = (
        np.sqrt((drawn(crystal, dose)[name][0] ** 2).mean(axis=1))
        for name in ("pair", "auto")
    )
    assert (many < two).all(), many / two
    if crystal == "SrTiO3 [001]":
        assert (many / two).mean() < 0.45 and many[1] < 0.45 * two[1], many / two


@pytest.mark.parametrize("convention", ["reference", "gpa", "polar"])
def test_shape_and_where_it_is_not_known(convention: str) -> None:
    signal = layers("Si [110]", dose=50)
    labels = np.asarray(signal.metadata.Truth.labels).copy()
    labels[40:90, 60:160] = 0
    peaks = SegmentedImage.from_labels(signal, labels).find_peaks()
    strain = peaks.gpa(convention=convention)
    quoted, valid = strain.uncertainty, strain.validity
    assert quoted.data.shape == strain.data.shape == (4, *SHAPE)
    assert quoted.data.dtype == np.float32 and valid.data.dtype == bool
    np.testing.assert_array_equal(np.isnan(quoted.data), np.isnan(strain.data))
    assert np.isnan(strain.data[:, labels == 0]).all()
    assert not valid.data[labels == 0].any()
    assert (quoted.data[np.isfinite(quoted.data)] > 0).all()
    for one in (quoted, valid):
        for axis, expected in zip(
            one.axes_manager.signal_axes, strain.axes_manager.signal_axes, strict=True
        ):
            assert (axis.scale, axis.offset, axis.units, axis.size) == (
                expected.scale, expected.offset, expected.units, expected.size
            )  # fmt: skip


def test_it_falls_with_the_dose_and_with_the_resolution() -> None:
    """As 1/√dose, and as 1/σ² where noise is white within the spots."""
    typical = {}
    for dose in (5, 80):
        peaks = peaks_of(layers("Si [110]", dose=dose))
        for sigma in (0.3, 0.5):
            quoted = np.asarray(peaks.gpa(1, "pair", sigma).uncertainty.data)
            typical[dose, sigma] = np.median(quoted[:, 265:-65, 120:-120])
    assert typical[5, 0.3] / typical[80, 0.3] == pytest.approx(4.0, rel=0.15)
    assert typical[80, 0.3] / typical[80, 0.5] == pytest.approx(25 / 9, rel=0.2)


def test_brighter_places_are_known_better() -> None:
    """Beneath a wedge that is twice as thick at one end."""
    signal = layers("Si [110]", dose=50, thickness_gradient=(0.0, 1.0))
    quoted = np.asarray(peaks_of(signal).gpa(1, resolution=0.4).uncertainty.data)
    columns = np.median(quoted[0], axis=0)
    assert columns[60] > 1.15 * columns[-60]


def edges(labels: np.ndarray) -> np.ndarray:
    """Distance in nm from the frame and from regions of other labels."""
    from scipy.ndimage import distance_transform_edt

    parts = [
        distance_transform_edt(np.pad(labels == one, 1))[1:-1, 1:-1] * (labels == one)
        for one in np.unique(labels)
    ]
    return PIXEL * np.sum(parts, axis=0)


@pytest.mark.parametrize("relaxed", [None, 0.10], ids=["one lattice", "own spots"])
def test_valid_is_what_sees_one_region(relaxed: float | None) -> None:
    """Away from the frame and from the interface, where the average mixes two."""
    signal = layers("Si [110]", relaxed=relaxed)
    labels = np.asarray(signal.metadata.Truth.labels)
    strain = peaks_of(signal).gpa(1)
    reach = 2 * float(strain.metadata.Strain.resolution)
    far = edges(labels)
    valid = strain.validity.data
    slack = 0.75 * reach / 2  # a coarse pixel and a half
    assert valid[far > reach + slack].all()
    assert not valid[far < reach - slack].any()
    error = np.asarray(strain.data) - np.asarray(signal.metadata.Truth.strain.reference)
    clear = valid & (far > 2.2 * reach)
    assert np.abs(error[:, clear]).max() < 5e-4


def test_lazy_equals_eager() -> None:
    signal = layers("SrTiO3 [001]", dose=20)
    eager, lazy = (peaks_of(signal, lazy=one).gpa() for one in (False, True))
    for name in ("uncertainty", "validity"):
        one, other = getattr(eager, name), getattr(lazy, name)
        assert other._lazy and not one._lazy
        np.testing.assert_allclose(
            np.asarray(other.data, float), np.asarray(one.data, float), rtol=1e-5,
            atol=1e-9,
        )  # fmt: skip


LOAD = """
import sys
import hyperspy.api as hs
import numpy as np
for path in sys.argv[1:]:
    for lazy in (False, True):
        s = hs.load(path, lazy=lazy)
        assert s._lazy is lazy and s._signal_type == "strain_map"
        values = {}
        for name in ("uncertainty", "validity", "displacement"):
            values[name] = np.asarray(getattr(s, name).data)
        for name in ("resolution_reason", "g_vectors_reason", "reference_reason"):
            values[name] = getattr(s.metadata.Strain, name)
        np.savez(f"{path}_{lazy}.npz", **values)
"""


def test_saved_and_loaded_in_another_process(tmp_path, run_python) -> None:
    strain = peaks_of(layers("Si [110]", relaxed=0.10, dose=50)).gpa()
    assert len(strain.metadata.Strain.domains.as_dictionary()) == 2
    paths = [tmp_path / f"strain.{suffix}" for suffix in ("hspy", "zspy")]
    for path in paths:
        strain.save(path)
    run_python(LOAD, *paths)
    for read in (f"{path}_{lazy}.npz" for path in paths for lazy in (False, True)):
        values = np.load(read)
        for name in ("uncertainty", "validity", "displacement"):
            np.testing.assert_array_equal(
                values[name], np.asarray(getattr(strain, name).data)
            )
        for name in ("resolution_reason", "g_vectors_reason", "reference_reason"):
            said = strain.metadata.Strain.get_item(name)
            assert str(values[name]) == said and len(said) > 10


def test_they_are_plain_signals_that_can_be_saved(tmp_path) -> None:
    strain = peaks_of(layers("Si [110]", dose=50)).gpa()
    for name in ("uncertainty", "validity"):
        getattr(strain, name).save(tmp_path / f"{name}.hspy")
        again = hs.load(tmp_path / f"{name}.hspy")
        np.testing.assert_array_equal(again.data, getattr(strain, name).data)
