# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Line profiles, histograms and statistics of a strain map."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from hyperspy_t2t.arguments import as_numbers, two_numbers, whole_numbers
from hyperspy_t2t.array_types import pair
from hyperspy_t2t.calibration import ImageGrid, frame_grid, nanometres_per_unit
from hyperspy_t2t.signals._carried.schema import stored, stored_node
from hyperspy_t2t.signals._carried.selection import line_points
from hyperspy_t2t.signals._carried.source import label_boxes
from hyperspy_t2t.signals._strain.fields import COMPONENTS, ERRORS
from hyperspy_t2t.signals._strain_views.figures import checked_components, sampled
from hyperspy_t2t.strain.profiles import (
    Line,
    averaged_variance,
    mean_across,
    sampled_line,
)

SIDE = 2048
"""Pixels along the longer side that histograms and statistics count, at most."""
_MOST_BINS = 1_000_000


def profile_of(
    strain: Any, start: Any, end: Any, *, width: float | None, component: str | None
) -> Any:
    """Signal1D of StrainMap.profile."""
    from hyperspy.signals import Signal1D

    _check_components(strain)
    names = list(COMPONENTS) if component is None else checked_components(component)
    grid = frame_grid(strain)
    start, end, width = _ends(strain, start, end, width)
    line = sampled_line(start, end, grid, width=width)
    window = _window(grid, line)
    part = np.asarray(strain.data[(slice(None), *window)], float)
    means, shares = mean_across(part, grid.window(*window), line)
    chosen = [COMPONENTS.index(name) for name in names]
    axes = [
        {"name": "component", "size": 4, "navigate": True},
        {"name": "distance", "size": means.shape[1], "scale": line.step, "units": "nm"},
    ][component is not None :]
    result = Signal1D(_squeezed(means[chosen], component), axes=axes)
    result.metadata.General.title = f"{strain.metadata.General.title}: profile"
    result.metadata.Signal.quantity = component or "Strain"
    result.metadata.add_dictionary(
        {
            "Profile": {
                "start": np.asarray(start, float),
                "end": np.asarray(end, float),
                "width": width,
                "components": ", ".join(names),
                "convention": strain.convention,
            }
        }
    )
    errors = _mean_squares(strain, window, line)
    if errors is not None:
        width_used = width * shares.min(axis=0)
        noise, blur = errors
        # What is blurred across the line is so alike.
        variance = blur + averaged_variance(
            noise, line.direction, width_used, _sigma(strain)
        )
        data = _squeezed(variance[chosen], component)
        result.set_noise_variance(Signal1D(data, axes=axes))
    return result


def _mean_squares(
    strain: Any, window: tuple[slice, slice], line: Line
) -> tuple[np.ndarray, np.ndarray] | None:
    """Means across a line of squared errors by noise and by blur, None if not known."""
    if not strain.metadata.has_item("Source.labels"):
        return None
    part = strain.isig[window[1], window[0]]
    noise, both = (
        mean_across(np.asarray(part._errors(names), float) ** 2, frame_grid(part), line)
        for names in (ERRORS[:1], ERRORS)
    )
    return noise.values, np.maximum(both.values - noise.values, 0.0)


def _squeezed(values: np.ndarray, component: str | None) -> np.ndarray:
    return (values if component is None else values[0]).astype(np.float32)


def _check_components(strain: Any) -> None:
    strain._check_single()
    if strain.data.ndim != 3 or strain.data.shape[0] != 4:
        raise ValueError(
            f"Expected the four components {', '.join(COMPONENTS)}, got data of shape "
            f"{strain.data.shape}: this map was sliced along its components."
        )


def _ends(
    strain: Any, start: Any, end: Any, width: float | None
) -> tuple[Any, Any, float]:
    """Start and end (x, y) and width in nm of a line or a ROI."""
    if hasattr(start, "x1") and hasattr(start, "linewidth") and end is None:
        units = np.array(
            [nanometres_per_unit(a.units) for a in strain.axes_manager.signal_axes]
        )
        if width is None:
            width = float(start.linewidth) * units[0]
        first, last = line_points(start, (units[0], units[1]))
        return first, last, width
    if end is None:
        raise ValueError(
            "Expected start and end as (x, y) in nm, or a hs.roi.Line2DROI, got "
            f"{start!r} alone."
        )
    first, last = (
        two_numbers(name, place, "(x, y) in nm")
        for name, place in (("start", start), ("end", end))
    )
    return first, last, 0.0 if width is None else width


def _window(grid: ImageGrid, line: Line) -> tuple[slice, slice]:
    """Rows and columns around a line, two or more of each."""
    window = []
    for index, size in zip(grid.to_pixels(line.positions), grid.shape, strict=True):
        first = int(np.clip(np.floor(index.min()), 0, max(size - 2, 0)))
        last = int(np.clip(np.ceil(index.max()), first + 1, max(size - 1, 1)))
        window.append(slice(first, min(last + 1, size)))
    return pair(window)


def _sigma(strain: Any, label: int | None = None) -> float:
    """Resolution in nm, that of a region where it has its own."""
    for domain in stored_node(strain, "Strain.domains").values():
        if label in np.asarray(domain["members"]):
            return float(domain["resolution"])
    return float(stored(strain, "Strain.resolution"))


def _places(
    strain: Any, regions: Sequence[int] | None, margin: float | None
) -> tuple[np.ndarray, Iterator[tuple[int, np.ndarray]], float]:
    """Labels, values (4, m) of each, and the area in nm² of a place."""
    _check_components(strain)
    source = strain._source()
    known = sorted(strain.reference_of)
    wanted = known if regions is None else whole_numbers("regions", regions)
    if set(wanted) - set(known):
        raise ValueError(
            f"Expected labels of regions with strain, out of {known}, got {wanted}."
        )
    if margin is not None and not 0 <= margin < np.inf:
        raise ValueError(f"Expected a margin from 0 nm, got {margin!r} nm.")
    part, grid = sampled(source.grid, SIDE)
    labels = np.asarray(source.labels[part])
    data = np.asarray(strain.data[(slice(None), *part)])
    boxes = label_boxes(labels, 0, 0)

    def each() -> Iterator[tuple[int, np.ndarray]]:
        for label in wanted:
            distance = 2 * _sigma(strain, label) if margin is None else margin
            if label not in boxes:
                yield label, np.empty((4, 0))
                continue
            box = boxes[label]
            inside = _deep(labels[box] == label, grid, distance)
            values = data[(slice(None), *box)][:, inside].astype(float)
            yield label, values[:, np.isfinite(values).all(axis=0)]

    return np.array(wanted, np.int64), each(), float(np.prod(grid.pixel_size))


def _deep(mask: np.ndarray, grid: ImageGrid, margin: float) -> np.ndarray:
    """Pixels of a region further than a margin in nm from pixels that are not of it."""
    from scipy.ndimage import distance_transform_edt

    distance = distance_transform_edt(np.pad(mask, 1), sampling=grid.pixel_size)
    return mask & (distance[1:-1, 1:-1] > margin)


def statistics_of(
    strain: Any, *, regions: Sequence[int] | None, margin: float | None
) -> dict[str, np.ndarray]:
    """Arrays of StrainMap.statistics."""
    labels, places, pixel = _places(strain, regions, margin)
    result: dict[str, np.ndarray] = {"label": labels, "area": np.zeros(len(labels))}
    for name in ("mean", "median", "std", "standard_error"):
        result[name] = np.full((len(labels), 4), np.nan)
    for k, (label, values) in enumerate(places):
        if not values.size:
            continue
        area = values.shape[1] * pixel
        independent = max(1.0, area / (4 * np.pi * _sigma(strain, label) ** 2))
        std = values.std(axis=1)
        result["area"][k] = area
        result["mean"][k] = values.mean(axis=1)
        result["median"][k] = np.median(values, axis=1)
        result["std"][k] = std
        result["standard_error"][k] = std / np.sqrt(independent)
    return result


def histograms_of(
    strain: Any,
    *,
    bins: int | np.ndarray,
    regions: Sequence[int] | None,
    margin: float | None,
) -> dict[str, Any]:
    """Signals of StrainMap.histograms."""
    from hyperspy.signals import Signal1D

    labels, places, _ = _places(strain, regions, margin)
    values = [values for _, values in places]
    everything = np.concatenate([np.empty((4, 0)), *values], axis=1)
    if not everything.size:
        raise ValueError(
            f"Expected places with strain in the regions {labels.tolist()}, got none: "
            "a smaller margin leaves more."
        )
    result = {}
    for k, name in enumerate(COMPONENTS):
        edges = _edges(bins, everything[k])
        widths = np.diff(edges)
        density = [
            np.histogram(one[k], edges)[0] / (max(1, one.shape[1]) * widths)
            for one in values
        ]
        axes = [
            {"name": "region", "size": len(labels), "navigate": True},
            {
                "name": name,
                "size": len(widths),
                "scale": widths[0],
                "offset": (edges[0] + edges[1]) / 2,
                "units": "rad" if name == "rotation" else "",
            },
        ]
        signal = Signal1D(np.array(density), axes=axes)
        signal.metadata.General.title = f"{name} ({strain.convention})"
        signal.metadata.Signal.quantity = "Density"
        signal.metadata.add_dictionary({"Regions": {"labels": labels}})
        result[name] = signal
    return result


def _edges(bins: Any, values: np.ndarray) -> np.ndarray:
    """Even edges of bins."""
    edges = as_numbers(bins)
    if edges is None or not edges.size:
        edges = np.array(np.nan)
    if edges.ndim == 0 and 1 <= edges <= _MOST_BINS and edges == np.rint(edges):
        low, high = float(values.min()), float(values.max())
        if not high > low:
            low, high = low - 1e-6, high + 1e-6
        return np.linspace(low, high, int(edges) + 1)
    widths = np.diff(edges) if edges.ndim == 1 else np.empty(0)
    if not widths.size or widths[0] <= 0 or not np.allclose(widths, widths[0]):
        raise ValueError(
            f"Expected bins as a whole number from 1 to {_MOST_BINS}, or as edges that "
            f"are evenly spaced and rise, got {bins!r:.80}."
        )
    return edges
