# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Strain along an interface instead of along the axes of the image."""

import numpy as np
import pytest

from hyperspy_t2t.data import Region, synthetic_micrograph
from hyperspy_t2t.data.displacements import coherent_epitaxy
from hyperspy_t2t.signals import Micrograph, SegmentedImage

TURN = 25.0
CENTRE = (3.6, 4.2)
PHASE = "SrTiO3 cubic perovskite"


def half() -> np.ndarray:
    """Outline of what is above a line through the centre, turned by TURN."""
    angle = np.deg2rad(TURN)
    along = 30 * np.array([np.cos(angle), np.sin(angle)])
    up = 30 * np.array([np.sin(angle), -np.cos(angle)])
    return np.array([-along, along, along + up, up - along]) + CENTRE


@pytest.fixture(scope="module")
def image():
    """A film coherent with a turned interface, on non-square pixels."""
    film = Region(
        PHASE,
        (0, 0, 1),
        TURN,
        outline=half(),
        displacement=coherent_epitaxy(
            0.01, growth_direction=TURN - 90, interface=CENTRE
        ),
    )
    return synthetic_micrograph(
        [Region(PHASE, (0, 0, 1), TURN), film],
        shape=(352, 384),
        pixel_size=(0.02, 0.024),
        dose=300,
        seed=2,
    )


@pytest.fixture(scope="module")
def peaks(image):
    labels = np.asarray(image.metadata.Truth.labels)
    return SegmentedImage.from_labels(image, labels).find_peaks().index_phases([PHASE])


def inside(strain, label: int) -> np.ndarray:
    """Mean components well inside a region."""
    return strain.statistics(regions=[label], margin=1.3)["mean"][0]


def test_along_the_interface(peaks) -> None:
    plain = peaks.gpa(reference=1, resolution=0.4)
    along = peaks.gpa(reference=1, resolution=0.4, axes="interface")
    angle = along.metadata.Strain.axes_angle
    assert angle == pytest.approx(TURN, abs=0.5)
    exx, eyy, exy, rotation = inside(along, 2)
    expected = 0.01 * (1 + 2 * 0.28 / (1 - 0.28))  # growth direction, isotropic film
    assert exx == pytest.approx(0, abs=3e-4)
    assert eyy == pytest.approx(expected, abs=5e-4)
    assert exy == pytest.approx(0, abs=5e-4)
    assert np.abs(inside(plain, 2)[2]) > 0.005  # shear in the axes of the image
    assert rotation == pytest.approx(inside(plain, 2)[3], abs=1e-4)
    # In "reference" strain e' = R e Rᵀ at every pixel.
    turn = np.deg2rad(angle)
    cosine, sine = np.cos(turn), np.sin(turn)
    xx, yy, xy = np.asarray(plain.data)[:3].astype(float)
    again = cosine**2 * xx + sine**2 * yy + 2 * cosine * sine * xy
    np.testing.assert_allclose(along.data[0], again, atol=2e-6)
    np.testing.assert_allclose(
        along.displacement.data, plain.displacement.data, atol=1e-9
    )


def test_a_quarter_turn_swaps_x_and_y(peaks) -> None:
    plain = peaks.gpa(reference=1, resolution=0.4)
    turned = peaks.gpa(reference=1, resolution=0.4, axes=90)
    for one, other in (
        (turned.data, plain.data),
        (turned.uncertainty.data, plain.uncertainty.data),
    ):
        np.testing.assert_allclose(one[[0, 1]], other[[1, 0]], rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(np.abs(one[2:]), np.abs(other[2:]), rtol=1e-4,
                                   atol=1e-7)  # fmt: skip


def test_absolute_keeps_the_axes(peaks) -> None:
    along = peaks.gpa(reference=1, resolution=0.4, axes="interface").absolute()
    exx, eyy, exy, _ = inside(along, 2)
    assert (exx, exy) == pytest.approx((0, 0), abs=6e-4)
    assert eyy == pytest.approx(0.01 * (1 + 2 * 0.28 / 0.72), abs=8e-4)


def test_errors_along_turned_axes_are_those_of_draws() -> None:
    """With two g the errors of exx and eyy differ, and are related."""
    region = Region("Si diamond", (1, 1, 0), 0.0)
    options = {"shape": (256, 256), "pixel_size": 0.02, "dose": 20}
    errors, quoted = [], []
    for seed in range(12):
        image = synthetic_micrograph([region], seed=seed, **options)
        g = np.asarray(image.metadata.Truth.regions.region_1.g_reference)
        g = g[(g[:, 0] > 0) & (np.linalg.norm(g, axis=1) < 3.3)][:2]
        strain = Micrograph.from_signal(image).gpa(g_vectors=g, resolution=0.4, axes=35)
        places = (slice(None), slice(64, -64, 24), slice(64, -64, 24))
        errors.append(strain.data[places])
        quoted.append(strain.uncertainty.data[places])
    errors = np.array(errors) - np.mean(errors, axis=0)
    ratio = np.sqrt((errors**2).mean(axis=(0, 2, 3)) * 12 / 11)
    ratio /= np.sqrt(np.square(quoted).mean(axis=(0, 2, 3)))
    assert ratio.min() > 0.8 and ratio.max() < 1.25, ratio


def test_bad_axes(peaks, image) -> None:
    with pytest.raises(ValueError, match=r"axes as 'image', 'interface' or the angle"):
        peaks.gpa(axes="film")
    g = peaks.gpa(reference=1).g_vectors[:2]
    with pytest.raises(ValueError, match="straight border between region 1"):
        Micrograph.from_signal(image).gpa(g_vectors=g, axes="interface")
