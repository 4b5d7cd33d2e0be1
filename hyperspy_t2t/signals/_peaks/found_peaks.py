# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""From a segmented image to the peaks of its regions."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

from hyperspy_t2t.peaks.measure import Seen, see
from hyperspy_t2t.peaks.spots import METHODS, SPOT_COLUMNS, SPOT_UNITS, spots_in
from hyperspy_t2t.peaks.state import RegionState, region_state
from hyperspy_t2t.peaks.window import region_window
from hyperspy_t2t.segmentation.binning import without_extremes
from hyperspy_t2t.signals._carried import convert
from hyperspy_t2t.signals._carried.provenance import processing
from hyperspy_t2t.signals._carried.source import RegionImage, Source
from hyperspy_t2t.signals._carried.states import states_to_dict
from hyperspy_t2t.signals._carried.table import table_axes, table_data, table_metadata

COLUMNS = (*SPOT_COLUMNS, "region")
UNITS = (*SPOT_UNITS, "")


def peaks_of_regions(
    segmented: Any,
    *,
    method: str,
    false_alarms: float,
    min_d: float,
    max_d: float | None,
) -> Any:
    """The FFTPeakSet of all regions of a segmented image."""
    _check(method, false_alarms, min_d, max_d)
    source: Source = segmented._source()
    source = replace(source, image=without_extremes(source.image))
    options: dict[str, Any] = {
        "method": method, "false_alarms": false_alarms, "min_d": min_d, "max_d": max_d
    }  # fmt: skip
    boxes = source.boxes()

    def found(label: int) -> tuple[np.ndarray, RegionState]:
        seen = region_seen(source.region(label, boxes[label]))
        spots = spots_in(seen, **options)
        table = np.column_stack([spots, np.full(len(spots), label)])
        return table, region_state(seen, spots)

    _load(method)
    # Each region holds its own window in memory: two at a time keep that bounded.
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(found, boxes))
    tables, states = map(list, zip(*results, strict=True)) if results else ([], [])
    return peak_set(
        segmented, source, list(boxes), tables, states, "find_peaks", options
    )


def _load(method: str) -> None:
    """Import what the regions need, which two threads at once may fail to do."""
    import scipy.fft
    import scipy.ndimage
    import scipy.optimize
    import scipy.special  # noqa: F401

    if method in ("auto", "network"):
        import torch  # noqa: F401


def region_seen(region: RegionImage) -> Seen | None:
    """A region with its window and spectrum; None if it is flat."""
    grid = region.grid
    window = region_window(region.mask, pixel_size=grid.pixel_size)
    return see(region.image, window, grid.pixel_size, grid.origin)


def peak_set(
    origin: Any,
    source: Source,
    labels: list[int],
    tables: list[np.ndarray],
    states: list[RegionState],
    operation: str,
    parameters: dict,
) -> Any:
    """An FFTPeakSet from one table and one state per region."""
    rows = np.concatenate(tables) if tables else np.empty((0, len(COLUMNS)))
    counts = np.array([len(table) for table in tables], int)
    metadata = {
        **convert.acquisition(origin),
        "FFTPeakSet": {
            **table_metadata(COLUMNS, UNITS, np.array(labels), counts),
            "states": states_to_dict(states),
        },
        "Source": source.to_dict(),
        "Processing": processing(origin, operation, parameters),
    }
    data = table_data(rows)
    if source.lazy:
        import dask.array as da

        data = da.from_array(data, chunks=-1)
    axes = table_axes(len(rows), len(COLUMNS), row_name="peak")
    title = origin.metadata.General.title.rpartition(":")[0]
    return convert.signal_of(
        "fft_peak_set", data, axes, metadata, title=f"{title}: peaks"
    )


def _check(method: str, false_alarms: float, min_d: float, max_d: float | None) -> None:
    if method not in METHODS:
        raise ValueError(
            f"Expected a method among {', '.join(METHODS)}; got {method!r}. To find "
            "bright pixels of the image use hyperspy.api.signals.Signal2D.find_peaks("
            "s, method=..., interactive=...)."
        )
    if not 0 < false_alarms < 100:
        raise ValueError(
            "Expected false_alarms as a number of peaks between 0 and 100, got "
            f"{false_alarms}. 0.01 allows one false peak in a hundred regions."
        )
    if not 0 < min_d < (np.inf if max_d is None else max_d):
        raise ValueError(
            f"Expected 0 < min_d < max_d in nm, got min_d={min_d}, max_d={max_d}."
        )
