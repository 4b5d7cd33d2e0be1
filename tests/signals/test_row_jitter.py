# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Standard errors where rows were taken off their places."""

from pathlib import Path
from typing import Any

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_t2t.data import Region, synthetic_micrograph
from hyperspy_t2t.signals import Micrograph

# Tall: what a row adds is the same along all of it.
SHAPE, PIXEL = (1800, 200), (0.02, 0.023)
HKL = (1, -1, 1), (1, -1, -1), (2, -2, 0), (0, 0, 4), (1, -1, 3), (1, -1, -3)
FAR = slice(90, -90), slice(45, -45)


def crystal(seed: int, *, jitter: float = 0.5, rotation: float = -67.0) -> Any:
    width, height = SHAPE[1] * PIXEL[0], SHAPE[0] * PIXEL[1]
    region = Region("Si diamond", (1, 1, 0), rotation, origin=(width / 2, height / 2))
    return synthetic_micrograph(
        [region], shape=SHAPE, pixel_size=PIXEL, probe_size=0.045, background=0.33,
        dose=100, seed=seed, row_jitter=jitter,
    )  # fmt: skip


def strain_of(signal: Any, *, count: int = 6, lazy: bool = False) -> Any:
    """With the first `count` of some g."""
    known = signal.metadata.Truth.regions.region_1
    indices = np.asarray(known.hkl)
    rows = [np.flatnonzero((indices == one).all(axis=1))[0] for one in HKL[:count]]
    g = np.asarray(known.g_image)[rows]
    image = Micrograph.from_signal(signal)
    image = image.as_lazy(chunks=(500, 130)) if lazy else image
    return image.gpa(g_vectors=g, resolution=0.4)


@pytest.fixture(scope="module")
def jittered() -> Any:
    return crystal(1)


@pytest.fixture(scope="module")
def strain(jittered: Any) -> Any:
    return strain_of(jittered)


@pytest.mark.parametrize(("rotation", "count"), [(-67.0, 2), (-67.0, 6), (-90.0, 6)])
def test_quoted_errors_are_honest(rotation: float, count: int) -> None:
    """Turned, and on a mirror line, where spots share their streaks along y."""
    found = strain_of(crystal(0, rotation=rotation), count=count)
    error = np.asarray(found.data)[:, *FAR]
    error = error - error.mean(axis=(1, 2), keepdims=True)
    ratio = error / np.asarray(found.uncertainty.data)[:, *FAR]
    each = np.sqrt((ratio**2).mean(axis=(1, 2)))
    # 25 independent places along y.
    assert each.min() > 0.8 and each.max() < 1.25, each


def test_it_is_said_how_much_they_allow_for(strain: Any) -> None:
    allowed = strain.metadata.Strain.domains.domain_0.row_jitter
    assert allowed[0] == pytest.approx(0.01, rel=0.2) and allowed[1] == 0
    assert "the quoted errors allow for" in strain.report()


def test_without_jitter_nothing_is_added() -> None:
    still = strain_of(crystal(1, jitter=0.0))
    assert not np.any(still.metadata.Strain.domains.domain_0.row_jitter)
    assert "quoted errors" not in still.report()


def test_lazily_the_same(jittered: Any, strain: Any) -> None:
    lazy = strain_of(jittered, lazy=True)
    np.testing.assert_allclose(
        np.asarray(lazy.uncertainty.data), np.asarray(strain.uncertainty.data),
        rtol=1e-4,
    )  # fmt: skip


@pytest.mark.parametrize("suffix", [".hspy", ".zspy"])
def test_saved_and_from_before(strain: Any, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"strain{suffix}"
    strain.save(path)
    loaded = hs.load(path)
    domain = loaded.metadata.Strain.domains.domain_0
    np.testing.assert_array_equal(
        domain.row_jitter, strain.metadata.Strain.domains.domain_0.row_jitter
    )
    del domain.row_jitter
    np.testing.assert_array_equal(loaded.uncertainty.data, strain.uncertainty.data)
    assert loaded.quality()["scan"]["jitter_quoted_x"] == 0
