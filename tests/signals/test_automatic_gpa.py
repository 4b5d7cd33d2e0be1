# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Automatic strain maps against the truth of drawn layers.

Columns are Gaussians of 0.045 nm on a background of a third of their mean. The film is
above the substrate and is drawn from the cell of the substrate, so that the truth is
relative to the substrate. Regions are the true ones: segmentation is tested elsewhere.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from hyperspy_t2t import frames
from hyperspy_t2t.data import Region, synthetic_micrograph
from hyperspy_t2t.data.displacements import (
    Displacement,
    GaussianBump,
    Gradient,
    Uniform,
    coherent_epitaxy,
    relaxed_epitaxy,
    strained,
)
from hyperspy_t2t.phases.library import library_phase
from hyperspy_t2t.signals import Micrograph, SegmentedImage

SHAPE, PIXEL, OBLONG = (448, 384), (0.02, 0.02), (0.019, 0.023)
MARGIN = 1.3
"""nm from frame and interface, beyond which the finest average sees one lattice."""
IMAGING = {"probe_size": 0.045, "background": 0.33}
Film = Callable[[tuple[float, float]], Displacement]


def layers(
    film: Film,
    *,
    shape: tuple[int, int] = SHAPE,
    pixel: Sequence[float] = PIXEL,
    substrate: str = "Si diamond",
    above: str | None = None,
    **imaging: Any,
) -> Any:
    """Film above substrate, both seen along [110] with the interface along x."""
    width, height = shape[1] * pixel[0], shape[0] * pixel[1]
    middle = (width / 2, height / 2)
    below = library_phase(substrate)
    drawn = replace(library_phase(above or substrate), cell=below.cell)
    outline = [(-width, -height), (2 * width, -height), (2 * width, height / 2),
               (-width, height / 2)]  # fmt: skip
    at = {"origin": middle, "rotation": -90.0}
    regions = [
        Region(below, (1, 1, 0), **at),
        Region(drawn, (1, 1, 0), outline=outline, displacement=film(middle), **at),
    ]
    return synthetic_micrograph(
        regions, shape=shape, pixel_size=tuple(pixel), **IMAGING, **imaging
    )


def one_crystal(field: Displacement, *, pixel: Sequence[float] = PIXEL) -> Any:
    region = Region("Si diamond", (1, 1, 0), -70.0, displacement=field)
    return synthetic_micrograph([region], shape=SHAPE, pixel_size=pixel, **IMAGING)


def peaks_of(signal: Any, *candidates: Any, lazy: bool = False) -> Any:
    """Indexed peaks of the true regions."""
    labels = np.asarray(signal.metadata.Truth.labels)
    image = signal.as_lazy(chunks=(170, 150)) if lazy else signal
    found = SegmentedImage.from_labels(image, labels).find_peaks()
    return found.index_phases(list(candidates) or ["Si diamond"])


def inside(signal: Any, label: int, margin: float = MARGIN) -> np.ndarray:
    """Pixels of a true region away from its border and the frame."""
    labels = np.pad(np.asarray(signal.metadata.Truth.labels) == label, 1)
    steps = [axis.scale for axis in signal.axes_manager.signal_axes][::-1]
    return distance_transform_edt(labels, sampling=steps)[1:-1, 1:-1] > margin


def true_strain(signal: Any, reference: np.ndarray) -> np.ndarray:
    """Strain relative to the mean lattice of the pixels of a reference, (4, ny, nx).

    A lattice with β against the substrate has I − β′ = (I − β₀)⁻¹(I − β) against a
    reference of mean β₀, since g of the reference is (I − β₀)ᵀ g.
    """
    deformation = np.asarray(signal.metadata.Truth.deformation_gradient, float)
    inverse = np.linalg.inv(np.moveaxis(deformation, (0, 1), (-2, -1)))
    mean = inverse[reference].mean(axis=0)
    return frames.strain_components(np.linalg.inv(inverse) @ mean)


def rmse(strain: Any, truth: np.ndarray, where: np.ndarray) -> float:
    """Of the worst of the four components."""
    error = (np.asarray(strain.data) - truth)[:, where]
    assert where.sum() > 1000 and np.isfinite(error).all()
    return float(np.sqrt((error.astype(float) ** 2).mean(axis=1)).max())


FILMS = {
    "2 %": lambda middle: strained(0.02, -0.01, 0.015, rotation=2, origin=middle),
    "10 %": lambda middle: strained(0.10, -0.05, 0.03, origin=middle),
    "12°": lambda middle: strained(rotation=12.0, origin=middle),
}


@pytest.mark.parametrize(
    ("film", "pixel"),
    [("2 %", PIXEL), ("10 %", PIXEL), ("10 %", OBLONG), ("12°", OBLONG)],
)
def test_uniform_films_without_noise(film: str, pixel: Sequence[float]) -> None:
    """All g and a pair, of one lattice or measured around the film's own spots."""
    signal = layers(FILMS[film], pixel=pixel)
    truth = true_strain(signal, inside(signal, 1))
    peaks = peaks_of(signal)
    for options in ({}, {"g_vectors": "pair"}):
        strain = peaks.gpa(1, **options)
        assert strain.reference_of == {1: 1, 2: 1}
        for label in (1, 2):
            assert rmse(strain, truth, inside(signal, label)) < 2e-4


def test_a_lazy_image_reads_the_same_strain() -> None:
    signal = layers(FILMS["10 %"], pixel=OBLONG)
    eager, lazy = (peaks_of(signal, lazy=one).gpa(1) for one in (False, True))
    assert lazy._lazy and not eager._lazy
    assert lazy.metadata.Strain.resolution == pytest.approx(
        eager.metadata.Strain.resolution, rel=1e-9
    )
    np.testing.assert_allclose(lazy.g_vectors, eager.g_vectors, atol=1e-9)
    np.testing.assert_allclose(np.asarray(lazy.data), eager.data, atol=1e-6)
    truth = true_strain(signal, inside(signal, 1))
    assert rmse(lazy, truth, inside(signal, 2)) < 2e-4


@pytest.mark.parametrize("pixel", [PIXEL, OBLONG], ids=["square", "oblong"])
@pytest.mark.parametrize("lazy", [False, True])
def test_by_hand(pixel: Sequence[float], lazy: bool) -> None:
    """A film that is stretched by a tenth, from two clicks and a box."""
    signal = layers(FILMS["10 %"], pixel=pixel)
    known = signal.metadata.Truth.regions.region_1
    g = [
        np.asarray(known.g_reference)[(np.asarray(known.hkl) == hkl).all(axis=1)][0]
        for hkl in ((1, -1, 1), (1, -1, -1))
    ]
    image = signal.as_lazy(chunks=(170, 150)) if lazy else signal
    height = SHAPE[0] * pixel[1]
    box = (MARGIN, height / 2 + MARGIN, SHAPE[1] * pixel[0] - MARGIN, height - MARGIN)
    strain = Micrograph.from_signal(image).gpa(
        g_vectors=g, reference=box, resolution=0.28
    )
    truth = true_strain(signal, inside(signal, 1))
    for label in (1, 2):
        assert rmse(strain, truth, inside(signal, label, 1.5)) < 2e-4


@pytest.mark.parametrize("pixel", [PIXEL, OBLONG], ids=["square", "oblong"])
def test_a_gradient(pixel: Sequence[float]) -> None:
    """2 % over the image, relative to the mean lattice of a box at its end."""
    width, height = SHAPE[1] * pixel[0], SHAPE[0] * pixel[1]
    signal = one_crystal(
        Gradient(-0.02 / height, 90.0, origin=(0.0, height)), pixel=pixel
    )
    box = (MARGIN, 0.6 * height, width - MARGIN, height - MARGIN)
    x, y = (axis.axis for axis in signal.axes_manager.signal_axes)
    in_box = np.outer((y > box[1]) & (y < box[3]), (x > box[0]) & (x < box[2]))
    peaks = peaks_of(signal)
    for options in ({}, {"g_vectors": "pair"}):
        strain = peaks.gpa(box, **options)
        # The reference weighs its middle most: its zero is that of another mean.
        error = np.asarray(strain.data) - true_strain(signal, in_box)
        zero = np.median(error[:, in_box], axis=1)
        assert np.abs(zero).max() < 1e-4
        error -= zero[:, None, None]
        assert np.sqrt((error[:, inside(signal, 1)] ** 2).mean(axis=1)).max() < 2e-4


@pytest.mark.parametrize("resolution", ["auto", 0.35])
def test_a_bump_through_the_average(resolution: float | str) -> None:
    """A Gaussian averaged by a Gaussian: the truth at the stated resolution."""
    height = SHAPE[0] * PIXEL[1]
    width, centre = 0.9, (0.5 * SHAPE[1] * PIXEL[0], 0.38 * height)
    amplitude = np.array([0.02, 0.015]) * width
    signal = one_crystal(GaussianBump(tuple(amplitude), centre, width))
    box = (MARGIN, 0.75 * height, SHAPE[1] * PIXEL[0] - MARGIN, height - 0.5)
    strain = peaks_of(signal).gpa(box, resolution=resolution, convention="gpa")
    sigma = float(strain.metadata.Strain.resolution)
    wider = np.hypot(width, sigma)
    seen = GaussianBump(tuple(amplitude * (width / wider) ** 2), centre, wider)
    x, y = (axis.axis for axis in signal.axes_manager.signal_axes)
    beta = seen.gradient(np.stack(np.meshgrid(x, y), -1))
    truth = frames.strain_components(np.eye(2) + beta)
    # The tail of the bump in the box, 4 widths away, is what is called zero.
    error = np.asarray(strain.data) - truth
    where = inside(signal, 1, 1.5)
    assert np.sqrt((error[:, where] ** 2).mean(axis=1)).max() < 2e-4
    assert np.abs(truth[:, where]).max() > 0.008


def test_a_grain_turned_by_30_degrees_has_a_lattice_of_its_own() -> None:
    """No strain against itself, and the rotation between the two is known."""
    signal = layers(lambda middle: strained(rotation=30.0, origin=middle))
    strain = peaks_of(signal).gpa()
    assert strain.reference_of == {1: 1, 2: 2}
    for label in (1, 2):
        assert rmse(strain, np.zeros((4, *SHAPE)), inside(signal, label)) < 2e-4
    angle = strain.misorientation(1, 2).angle
    assert angle == pytest.approx(30.0, abs=0.01)


@pytest.mark.parametrize("mismatch", [0.005, 0.01, 0.04, 0.10])
@pytest.mark.parametrize("relaxed", [False, True], ids=["coherent", "relaxed"])
def test_epitaxial_layers(mismatch: float, relaxed: bool) -> None:
    """At 200 counts, relative to whichever of the two is the reference."""

    def film(middle: tuple[float, float]) -> Displacement:
        if relaxed:
            return relaxed_epitaxy(mismatch, origin=middle)
        return coherent_epitaxy(mismatch, interface=middle)

    signal = layers(film, above="Ge diamond", dose=200)
    silicon, element = library_phase("Si diamond"), library_phase("Ge diamond")
    scale = np.array([1 + mismatch] * 3 + [1.0] * 3)
    bulk = replace(element, cell=tuple(float(v) for v in silicon.cell * scale))
    strain = peaks_of(signal, silicon, bulk).gpa()
    reference = strain.reference_region
    assert strain.reference_of == {1: reference, 2: reference}
    truth = true_strain(signal, inside(signal, reference, 0.0))
    error = np.asarray(strain.data) - truth
    limit = 3e-4 if mismatch < 0.05 else 2e-3
    for label in (1, 2):
        where = inside(signal, label) & np.isfinite(error).all(axis=0)
        assert where.sum() > 0.98 * inside(signal, label).sum()
        assert np.abs(error[:, where].mean(axis=1)).max() < limit


@pytest.mark.parametrize(
    ("above", "dose"), [("InAs", None), ("AlAs", None), ("InAs", 20), ("AlAs", 200)]
)
def test_no_strain_where_the_composition_changes(
    above: str, dose: float | None
) -> None:
    """GaAs and others on one lattice: rivals show 1.7 to 4.2 % with 111-type g."""
    names = ["GaAs zincblende", f"{above} zincblende"]
    signal = layers(
        lambda middle: Uniform(), substrate=names[0], above=names[1], dose=dose
    )
    strain = peaks_of(signal, *names).gpa()
    reason = strain.metadata.Strain.g_vectors_reason
    assert "does not shift with the composition" in reason
    rows = np.asarray(strain.data)[:, :, 65:-65].mean(axis=2)
    assert np.abs(rows[:, 65:-65]).max() < (2e-4 if dose is None else 1e-3)


def test_what_111_planes_would_say_of_it() -> None:
    """The false strain is there for who chooses such g by hand."""
    signal = layers(
        lambda middle: Uniform(), substrate="GaAs zincblende", above="InAs zincblende"
    )
    peaks = peaks_of(signal, "GaAs zincblende", "InAs zincblende")
    known = signal.metadata.Truth.regions.region_1
    g = [
        np.asarray(known.g_reference)[(np.asarray(known.hkl) == hkl).all(axis=1)][0]
        for hkl in ((1, -1, 1), (1, -1, -1))
    ]
    worst = {}
    for name, chosen in (("111", g), ("auto", "auto")):
        strain = peaks.gpa(1, chosen, 0.4)
        worst[name] = np.abs(np.asarray(strain.data)[:, 65:-65, 65:-65]).max()
    assert worst["auto"] < 1.5e-3 < 0.015 < worst["111"]


def test_choices_are_explained() -> None:
    """In metadata: reference, g and resolution of the map and of each domain."""
    signal = layers(FILMS["2 %"], dose=50)
    peaks = peaks_of(signal)
    strain = peaks.gpa().metadata.Strain
    assert "largest merit" in strain.reference_reason
    assert "best signal per length and angle" in strain.g_vectors_reason
    assert "smallest expected error" in strain.resolution_reason
    domain = strain.domains.domain_0
    assert domain.resolution_reason == strain.resolution_reason
    assert domain.reason == strain.reference_reason
    assert domain.noise_density > 0 and domain.noise_gain > 0
    fixed = peaks.gpa(1, [[2.6, 1.84], [2.6, -1.84]], 0.4)
    chosen = fixed.metadata.Strain
    assert {
        chosen.reference_reason, chosen.g_vectors_reason, chosen.resolution_reason
    } == {"chosen by the user"}  # fmt: skip


def test_more_noise_is_averaged_more() -> None:
    """And less where there is something fine to be seen."""
    sigma = {}
    for dose in (2, 50, None):
        strain = peaks_of(layers(FILMS["2 %"], dose=dose)).gpa()
        sigma[dose] = float(strain.metadata.Strain.resolution)
    assert sigma[2] > 1.4 * sigma[50] > 1.4 * sigma[None]
    flat = peaks_of(layers(lambda middle: Uniform(), dose=50)).gpa()
    assert float(flat.metadata.Strain.resolution) > 1.4 * sigma[50]
