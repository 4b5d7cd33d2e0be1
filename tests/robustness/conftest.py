# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""A small chain, run once, and what counts as an answer to bad input."""

import re
import traceback
import warnings
from pathlib import Path
from types import SimpleNamespace

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_t2t.data import scene
from hyperspy_t2t.signals import Micrograph

CLEAR = re.compile(
    "Expected|must be|This image has no|does not take|holds no fringes|leaves no pixel"
)
EXPECTED = (ValueError, TypeError, LookupError, OSError, RuntimeError)


@pytest.fixture(scope="session", autouse=True)
def _quiet():
    hs.preferences.General.show_progressbar = False


def _chain(image):
    micrograph = Micrograph.from_signal(image)
    segmented = micrograph.segment()
    peaks = segmented.find_peaks()
    indexed = peaks.index_phases("Si diamond")
    strain = indexed.gpa()
    return SimpleNamespace(
        image=image, micrograph=micrograph, segmented=segmented, peaks=peaks,
        indexed=indexed, strain=strain, atoms=strain.to_atoms(1),
    )  # fmt: skip


@pytest.fixture(scope="session")
def small():
    """Every stage of a chain of two layers, 96 × 88 pixels."""
    return _chain(scene("two_layers", shape=(96, 88), pixel_size=0.04))


@pytest.fixture(scope="session")
def small_lazy(small):
    """The same of a lazy image."""
    return _chain(small.image.as_lazy(chunks=(48, 50)))


@pytest.fixture(scope="session")
def answer():
    """Function that gives what a call returns, or None after a clear error.

    Clear is an error that this package raises, of a kind one may expect, with a text
    that says what was expected. Numpy's warnings are no answer.
    """

    def answer(act):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            warnings.simplefilter("error", RuntimeWarning)
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            try:
                return act()
            except EXPECTED as error:
                last = traceback.extract_tb(error.__traceback__)[-1]
                assert "hyperspy_t2t" in Path(last.filename).parts, _text(error)
                assert CLEAR.search(str(error)), _text(error)
                return None

    return answer


def _text(error):
    return "".join(traceback.format_exception(error))
