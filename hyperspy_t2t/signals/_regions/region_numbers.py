# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The labels of regions written into them."""

from typing import Any

import numpy as np

from hyperspy_t2t.signals._carried.selection import units_of
from hyperspy_t2t.signals._carried.source import Source
from hyperspy_t2t.signals._carried.text_markers import text_markers


def number_markers(regions: Any) -> list[Any]:
    """The labels of a SegmentedImage as HyperSpy markers, each inside its region."""
    places = label_places(regions._source())
    return text_markers(
        np.reshape(list(places.values()), (-1, 2)) / units_of(regions),
        [str(label) for label in places],
        color="tab:red",
        halo="white",
        horizontalalignment="center",
        verticalalignment="center",
    )


def label_places(source: Source) -> dict[int, np.ndarray]:
    """A place (x, y) in nm inside each region.

    It is the middle of the longest run of its pixels in the row halfway down.
    """
    import dask

    boxes = source.boxes()
    middle = {
        label: (rows.start + rows.stop) // 2 for label, (rows, _) in boxes.items()
    }
    lines = dask.compute(
        *(source.labels[middle[label], box[1]] == label for label, box in boxes.items())
    )
    places = {}
    for (label, box), line in zip(boxes.items(), lines, strict=True):
        column = box[1].start + _middle_of_longest_run(line)
        places[label] = source.grid.to_nm(middle[label], column)
    return places


def _middle_of_longest_run(line: np.ndarray) -> float:
    """Index halfway along the longest run of true values; the middle if none is."""
    edges = np.flatnonzero(np.diff(np.pad(line.astype(np.int8), 1)))
    if not len(edges):
        return (len(line) - 1) / 2
    starts, stops = edges[::2], edges[1::2]
    longest = np.argmax(stops - starts)
    return float(starts[longest] + stops[longest] - 1) / 2
