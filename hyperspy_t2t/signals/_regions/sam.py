# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Segment Anything on a Micrograph: what it is asked and what is recorded of it."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.segmentation.sam import SamRegions, sam_regions
from hyperspy_t2t.segmentation.sam_checkpoint import checkpoint_name
from hyperspy_t2t.signals._carried.progress import DELAY, wanted

Options = dict[str, Any]


def check_options(method: str, n_regions: int | None, options: Options) -> None:
    """An error if options came with a method that has no use for them."""
    given = [key for key, value in options.items() if value is not None]
    if method != "sam" and given:
        raise TypeError(
            f"Expected {', '.join(given)} with method='sam' only, got method="
            f"{method!r}."
        )
    if method == "sam" and n_regions is not None:
        raise TypeError(
            f"Expected no n_regions with method='sam', got {n_regions}. Give one point "
            "or box for each region that you want."
        )
    if method == "sam" and options["checkpoint"] is None:
        raise TypeError(
            "Expected checkpoint, the path of a Segment Anything model, with "
            "method='sam', got none. Nothing is downloaded; the user guide says how to "
            "get one."
        )


def sam_found(
    image: Any,
    grid: ImageGrid,
    options: Options,
    *,
    min_area: float | None,
    show_progressbar: bool | None,
) -> SamRegions:
    """Regions that a model sees, with `options` of Segment Anything alone."""
    given = {key: value for key, value in options.items() if value is not None}
    return sam_regions(
        image, grid, min_area=min_area, progress=_bar(show_progressbar), **given
    )


def recorded(options: Options) -> Options:
    """What ``metadata.Processing`` keeps: the name of the model, positions in nm."""
    record: Options = {"checkpoint": checkpoint_name(options["checkpoint"])}
    for key in ("points", "boxes", "point_labels"):
        if options[key] is not None:
            record[key] = np.asarray(options[key])
    return record


def _bar(show: bool | None) -> Callable[[Iterable], Iterable]:
    """What shows how many batches of a search are done."""
    if not wanted(show):
        return iter
    from tqdm.auto import tqdm

    return partial(tqdm, desc="segment", unit="batch", delay=DELAY)
