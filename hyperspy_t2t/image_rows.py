# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Rows of an image of any size, one span after another."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def rows_in_order(image: Any, spans: Sequence[slice]) -> Iterator[npt.NDArray]:
    """Rows of an image, numpy or dask, for each of some spans in ascending order.

    Each line of chunks is computed once and kept while the next spans need it.
    """
    if isinstance(image, np.ndarray):
        yield from (image[span] for span in spans)
        return
    edges = np.cumsum([0, *image.chunks[0]])
    lines: dict[int, npt.NDArray] = {}
    for span in spans:
        needed = range(
            int(np.searchsorted(edges, span.start, "right")) - 1,
            int(np.searchsorted(edges, span.stop, "left")),
        )
        lines = {line: lines[line] for line in needed if line in lines}
        for line in needed:
            if line not in lines:
                lines[line] = np.asarray(image[edges[line] : edges[line + 1]])
        held = list(lines.values())
        first = edges[needed[0]]
        rows = held[0] if len(held) == 1 else np.concatenate(held)
        yield rows[span.start - first : span.stop - first]
