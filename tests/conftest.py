# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Settings and fixtures for all tests."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

os.environ["MPLBACKEND"] = "Agg"  # before anything imports matplotlib
if "PYTEST_XDIST_WORKER" in os.environ:
    # pytest -n auto starts a process per core: more threads would only get in the way.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

# The first call of a numba kernel compiles it, which no deadline should count.
settings.register_profile("ci", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

_REAL_DATA = "HYPERSPY_T2T_REAL_DATA"


def pytest_configure(config: pytest.Config) -> None:
    """Fill the caches of numba before several workers would at once.

    On a fresh machine the first import of orix compiles and stores machine code. Two
    processes that do so at the same time leave a cache that crashes all later ones.
    """
    if hasattr(config, "workerinput"):
        return
    if getattr(config.option, "dist", "no") == "load":
        # Neighbours stay on one worker: they share fixtures and compiled kernels.
        config.option.dist = "worksteal"
    from hyperspy_t2t.data import scene

    # Used, not only imported: "import orix.quaternion" alone loads nothing.
    peaks = scene("single_crystal", shape=(128, 128)).segment().find_peaks()
    indexed = peaks.index_phases(["Si"])
    assert indexed.best(1).orientation.size == 1
    strain = indexed.gpa()
    assert strain.uncertainty.data.shape == strain.data.shape


def _real_data_folder() -> Path | None:
    """The folder of real files, None where the variable names none."""
    folder = os.environ.get(_REAL_DATA, "")
    return Path(folder) if folder and Path(folder).is_dir() else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs real files where there are none."""
    if _real_data_folder() is None:
        skip = pytest.mark.skip(reason=f"{_REAL_DATA} names no folder")
        for item in items:
            if "realdata" in item.keywords:
                item.add_marker(skip)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real micrographs; mark a test that uses it with ``realdata``."""
    folder = _real_data_folder()
    if folder is None:
        pytest.skip(f"{_REAL_DATA} names no folder")
    return folder


@pytest.fixture(autouse=True)
def _close_figures():
    """Leave no figure of one test to the next."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
