# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The chain, run once eagerly and once lazily, and its results saved."""

import subprocess
import sys
import warnings
from types import SimpleNamespace

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_t2t.data import scene
from hyperspy_t2t.signals import Micrograph

CHUNKS = (100, 90)
STAGES = ("micrograph", "segmented", "peaks", "indexed", "strain", "atoms")


@pytest.fixture(scope="session", autouse=True)
def _quiet():
    hs.preferences.General.show_progressbar = False


@pytest.fixture(scope="session")
def image():
    """A calibrated Signal2D of two layers, not square."""
    return scene("two_layers", shape=(256, 224), pixel_size=0.04)


@pytest.fixture(scope="session")
def run_chain():
    """Function that runs an image through the chain and keeps every stage."""

    def run(image):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The positions of some columns")
            micrograph = Micrograph.from_signal(image)
            segmented = micrograph.segment()
            peaks = segmented.find_peaks()
            indexed = peaks.index_phases("Si diamond")
            strain = indexed.gpa()
            atoms = strain.to_atoms(thickness=2)
        stages = (micrograph, segmented, peaks, indexed, strain, atoms)
        return SimpleNamespace(**dict(zip(STAGES, stages, strict=True)))

    return run


@pytest.fixture(scope="session")
def eager(image, run_chain):
    return run_chain(image)


@pytest.fixture(scope="session")
def lazy(image, run_chain):
    return run_chain(image.as_lazy(chunks=CHUNKS))


@pytest.fixture(scope="session", params=["eager", "lazy"])
def chain(request):
    """The chain of an eager and of a lazy image."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def amorphous():
    """An image without a lattice, segmented as one region."""
    noise = np.random.default_rng(5).normal(100, 1, (64, 80)).astype(np.float32)
    axes = [
        {"name": name, "size": size, "scale": 0.05, "units": "nm"}
        for name, size in zip("yx", noise.shape, strict=True)
    ]
    return hs.signals.Signal2D(noise, axes=axes)


@pytest.fixture(scope="session")
def saved(eager, tmp_path_factory):
    """Folder with every stage of the chain as <stage>.hspy and <stage>.zspy."""
    folder = tmp_path_factory.mktemp("saved")
    for stage in STAGES:
        for suffix in ("hspy", "zspy"):
            getattr(eager, stage).save(folder / f"{stage}.{suffix}")
    return folder


@pytest.fixture(scope="session")
def run_python():
    """Function that runs code in a fresh interpreter and returns what it prints."""

    def run(code, *args):
        result = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, *map(str, args)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run
