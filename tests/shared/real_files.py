# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Images from files of microscopes."""

from functools import cache
from pathlib import Path

import hyperspy.api as hs
from hyperspy.signal import BaseSignal

from hyperspy_t2t.signals import FFTPeakSet


def load(path: Path, pixel: float | None = None) -> BaseSignal:
    """First image of a file, calibrated by hand where the file is not."""
    signal = hs.load(path)
    if signal.axes_manager.navigation_dimension:
        signal = signal.inav[0]
    if pixel is not None:
        for axis in signal.axes_manager.signal_axes:
            axis.scale, axis.units = pixel, "nm"
    return signal


def peaks_of(path: Path, pixel: float | None = None) -> FFTPeakSet:
    """Peaks of that image, found once for all tests of a process."""
    return _peaks_of(path, pixel)


@cache
def _peaks_of(path: Path, pixel: float | None) -> FFTPeakSet:
    return load(path, pixel).segment().find_peaks()
