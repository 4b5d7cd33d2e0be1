# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Fringes and strain measured band by band are those of the whole image."""

from operator import attrgetter

import dask.array as da
import numpy as np
import pytest

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.data.displacements import GaussianBump, strained
from hyperspy_t2t.image_rows import rows_in_order
from hyperspy_t2t.strain import fringes as fringes_module
from hyperspy_t2t.strain import gpa
from hyperspy_t2t.strain.counting_noise import FringeNoise
from hyperspy_t2t.strain.fringes import FringeImage, local_fringes

GRID = ImageGrid((260, 200), (0.03, 0.025), (4.0, -2.0))
SIGMA = 0.2
PAIR = np.array([[3.0, 0.4], [0.2, 2.8]])
G = np.concatenate([PAIR, np.array([[1, 1], [1, -1], [2, 0]]) @ PAIR])
NOISE = FringeNoise(1e-4, 0.2, 5.0, 0.05 - 0.1 * np.eye(len(G)))


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """A strained lattice in noise, right of a vacuum and with missing pixels."""
    at = GRID.to_nm(*np.indices(GRID.shape))
    field = strained(0.01, -0.01, 0.005, rotation=1.0, origin=(1.0, 8.0))
    bump = GaussianBump((0.08, -0.05), (0.5, 7.5), 1.2)
    place = at - field.displacement(at) - bump.displacement(at)
    counts = 5 + np.cos(2 * np.pi * place @ G.T).sum(axis=-1)
    counts = np.where(at[..., 0] < -0.9, 2.0, counts)
    counts += np.random.default_rng(0).normal(0, 0.3, GRID.shape)
    counts[110:125, 90:110] = np.nan
    return counts


def in_small_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 20 lines, none held."""
    monkeypatch.setattr(fringes_module, "_PLACES", 1)
    monkeypatch.setattr(fringes_module, "_HEIGHT", 0.7)
    monkeypatch.setattr(gpa, "_HELD", 1)


@pytest.fixture
def small_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    in_small_bands(monkeypatch)


def measured(image, **options) -> gpa.PhaseField:
    source = FringeImage(image, GRID, G, SIGMA, **options)
    at = source.coarse.to_nm(*np.indices(source.coarse.shape))
    return gpa.phase_field(
        source, reference=at[..., 1] > 9.0, inside=at[..., 0] > -0.7, noise=NOISE
    )


def assert_same(found: gpa.PhaseField, whole: gpa.PhaseField, tolerance: float) -> None:
    for name in ("g_vectors", "displacement", "gradient", "amplitude", "typical"):
        expected = getattr(whole, name)
        np.testing.assert_allclose(
            getattr(found, name), expected, atol=tolerance * np.abs(expected).max()
        )
    np.testing.assert_allclose(found.std(), whole.std(), rtol=3e-4)  # single precision


def test_whole_fringes_are_those_of_local_fringes(
    image: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = local_fringes(image, GRID, G, resolution=SIGMA)
    in_small_bands(monkeypatch)
    source = FringeImage(image, GRID, G, SIGMA)
    assert len(source.bands()) > 3
    rows, columns = slice(20, 45), slice(15, 40)
    part = source.of_part((rows, columns))
    assert part.grid == whole.grid.window(rows, columns)
    # Fringes of no amplitude have any phase and slope.
    weighted = {
        "phase": lambda f: f.amplitude * np.exp(1j * f.phase),
        "slope": lambda f: f.amplitude[:, None] * f.slope,
        **{k: attrgetter(k) for k in ("amplitude", "mean", "seen")},
    }
    for name, of in weighted.items():
        expected, scale = of(whole) * 1.0, np.abs(of(whole)).max()
        assert np.abs(of(source.whole()) - expected).max() < 1e-8 * scale, name
        difference = of(part) - expected[..., rows, columns]
        assert np.abs(difference).max() < 1e-8 * scale, name


@pytest.mark.parametrize("chunks", [None, (57, 83), (260, 40)])
def test_strain_by_bands_is_that_of_the_whole(image, chunks, monkeypatch) -> None:
    whole = measured(image)
    in_small_bands(monkeypatch)
    lazy = image if chunks is None else da.from_array(image, chunks=chunks)
    found = measured(lazy)
    assert found.spread.dtype == np.float32 and whole.spread.dtype == float
    assert np.isfinite(found.std()).all()
    assert_same(found, whole, 1e-8)


def test_the_image_is_read_once_for_the_pair_and_once_for_all(
    image: np.ndarray, small_bands: None
) -> None:
    reads = np.zeros(5, int)

    def read(block, block_info=None):
        reads[block_info[0]["chunk-location"][0]] += 1
        return block

    chunks = (60, 200)
    lazy = da.from_array(image, chunks=chunks).map_blocks(
        read, dtype=float, meta=np.empty((0, 0))
    )
    source = FringeImage(lazy, GRID, G, SIGMA)
    everywhere = np.ones(source.coarse.shape, bool)
    reference = np.zeros_like(everywhere)
    reference[5:15] = True  # in the first band alone
    gpa.phase_field(source, reference=reference, inside=everywhere, noise=NOISE)
    # A sample of the reference is read once more.
    assert reads.tolist()[-2:] == [2, 2] and reads.max() <= 3


def test_rows_in_order() -> None:
    image = np.arange(60.0).reshape(20, 3)
    spans = [slice(0, 7), slice(2, 9), slice(9, 10), slice(12, 20)]
    for lazy in (image, da.from_array(image, chunks=(4, 2))):
        for span, rows in zip(spans, rows_in_order(lazy, spans), strict=True):
            np.testing.assert_array_equal(rows, image[span])


def test_a_sample_of_a_large_reference_tells_its_lattice(
    image: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others than the first two g differ by less than their noise."""
    whole = measured(image)
    in_small_bands(monkeypatch)
    monkeypatch.setattr(gpa, "_SAMPLE", 1)
    found = measured(image)
    np.testing.assert_allclose(found.g_vectors[:2], whole.g_vectors[:2], atol=1e-9)
    assert np.abs(found.g_vectors - whole.g_vectors).max() > 0
    inside = np.s_[:, :, 10:-10, 20:-10]
    error = found.gradient[inside] - whole.gradient[inside]
    assert np.abs(error).max() < np.median(whole.std())


def test_another_device_measures_the_same(image: np.ndarray) -> None:
    """Here the processor, through PyTorch."""
    assert_same(measured(image, device="cpu:0"), measured(image), 1e-8)


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_missing_device_is_named(image: np.ndarray, device: str) -> None:
    with pytest.raises(ValueError, match="Expected device as 'cpu' or.*" + device):
        measured(image, device=device)
