# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The same label for the same object in all frames of a stack.

Regions of one frame are matched to those of the frames before it by how much they
overlap once the drift is taken out: the assignment with the largest sum of |A ∩ B| /
|A ∪ B| (H. W. Kuhn, Nav. Res. Logist. Q. 2 (1955) 83,
https://doi.org/10.1002/nav.3800020109). The drift is where the phase correlation of
two frames is highest (C. D. Kuglin and D. C. Hines, Proc. IEEE Int. Conf. Cybernetics
and Society (1975) 163).
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array, Ints, Labels, pair

LEAST = 0.1
"""Smallest overlap |A ∩ B| / |A ∪ B| of one object in two frames."""
MEMORY = 3
"""Frames that an object may be missing and still get its label back."""


class _Frame(NamedTuple):
    """A frame that later ones are matched to."""

    labels: Labels
    preview: Array
    table: Ints
    position: Array
    """Drift in pixels (rows, columns) since the first frame."""


def tracked(
    frames: Iterable[tuple[Labels, Array]],
    *,
    least: float = LEAST,
    memory: int = MEMORY,
) -> Iterator[Ints]:
    """Labels that follow objects through the frames of a stack.

    - An object keeps its label in the region that it overlaps most, seen over all
      objects. Of a region that splits, the largest part keeps the label; where
      regions join, the joint region keeps that of the largest.
    - A region that overlaps no object by `least` is a new object with the next label.
    - An object without a region is remembered, where it was last seen plus the drift
      since then, for `memory` frames.

    Parameters
    ----------
    frames
        Labels 0 … n of each frame, shape (ny, nx), 0 for no region; and the image
        they were found in, or a coarser one that spans the same area.
    least
        Smallest overlap |A ∩ B| / |A ∪ B| of an object in two frames.
    memory
        Frames that an object may be missing.

    Yields
    ------
    ndarray
        For each frame the object of each of its labels, shape (n + 1,); 0 stays 0.
        Objects are numbered in the order in which they appear, 1 and above.
    """
    past: deque[_Frame] = deque(maxlen=memory + 1)
    highest = 0
    for labels, preview in frames:
        table = np.zeros(int(labels.max()) + 1, np.int32)
        position = past[-1].position if past else np.zeros(2)
        # Frames without regions do not tell where those of others went.
        last = next((frame for frame in reversed(past) if len(frame.table) > 1), None)
        if last is not None and len(table) > 1:
            position = last.position + _shift(last, labels, preview)
            objects, overlap = _overlap_with(past, labels, position)
            for row, column in _assigned(overlap, least):
                table[column + 1] = objects[row]
        new = np.flatnonzero(table[1:] == 0) + 1
        table[new] = np.arange(highest + 1, highest + 1 + len(new))
        highest += len(new)
        past.append(_Frame(labels, preview, table, position))
        yield table


def drift(previous: Array, current: Array) -> Array:
    """How far an image moved, (rows, columns) in pixels, by phase correlation.

    Parameters
    ----------
    previous, current
        Images of one shape (ny, nx), finite.
    """
    whole = np.rint(_correlated(previous, current))
    # Again where both have pixels: the window pulls a large shift towards zero.
    first, second = _in_common(previous.shape, whole)
    if min(first[0].stop - first[0].start, first[1].stop - first[1].start) < 8:
        return whole
    return whole + _correlated(previous[first], current[second])


def _correlated(previous: Array, current: Array) -> Array:
    """Place (rows, columns) of the maximum of the phase correlation."""
    from scipy import fft

    from hyperspy_t2t.frequencies import hann_window

    window = hann_window(current.shape)
    first, second = (
        fft.rfft2((image - (image * window).sum() / window.sum()) * window)
        for image in (previous, current)
    )
    cross = second * first.conj()
    size = np.abs(cross)
    if not size.max() > 0:
        return np.zeros(2)
    fy, fx = fft.fftfreq(current.shape[0])[:, None], fft.rfftfreq(current.shape[1])
    # Fine detail is noise, whose phase would count as much as that of the rest.
    coarse = np.exp(-2 * (np.pi * 1.5) ** 2 * (fy**2 + fx**2))
    peak = fft.irfft2(cross / (size + 1e-3 * size.max()) * coarse, current.shape)
    place = np.unravel_index(peak.argmax(), peak.shape)
    return np.array([
        _centred(np.take(peak, place[1 - axis], axis=1 - axis), place[axis])
        for axis in (0, 1)
    ])  # fmt: skip


def _centred(line: Array, index: int) -> float:
    """Place of a maximum by a parabola; the upper half counts from the end."""
    low, mid, high = line[[index - 1, index, (index + 1) % len(line)]]
    offset = (high - low) / max(2 * (2 * mid - low - high), 1e-300)
    whole = index - len(line) if index > len(line) // 2 else index
    return float(whole + np.clip(offset, -0.5, 0.5))


def _shift(last: _Frame, labels: Labels, preview: Array) -> Array:
    """Drift since the last frame; none if the regions overlap as well without it.

    Noise, a pattern of the detector or a periodic image may mislead the correlation.
    """
    scale = np.divide(labels.shape, preview.shape)
    moved = drift(last.preview, preview) * scale
    still = np.zeros(2)
    if not np.rint(moved).any():
        return moved
    fits = []
    for shift in (still, moved):
        overlap = _overlap(last.labels, labels, shift)
        fits.append(sum(overlap[pair] for pair in _assigned(overlap, 0.0)))
    return moved if fits[1] > fits[0] else still


def _overlap_with(
    past: deque[_Frame], labels: Labels, position: Array
) -> tuple[list[int], Array]:
    """Objects of earlier frames and their overlap with the regions of this one.

    Each object as it was when it was last seen.
    """
    objects: list[int] = []
    rows = [np.empty((0, int(labels.max())))]
    for frame in reversed(past):
        known = np.isin(frame.table[1:], objects)
        if known.all():
            continue
        overlap = _overlap(frame.labels, labels, position - frame.position)
        rows.append(overlap[~known])
        objects.extend(frame.table[1:][~known].tolist())
    return objects, np.concatenate(rows)


def _overlap(previous: Labels, current: Labels, shift: Array) -> Array:
    """|A ∩ B| / |A ∪ B| of the regions of two frames, (n, m), where both have pixels.

    The earlier frame is moved by whole pixels.
    """
    before, after = _in_common(current.shape, np.rint(shift))
    shape = int(previous.max()) + 1, int(current.max()) + 1
    both_labels = previous[before].astype(np.int64) * shape[1] + current[after]
    both = np.bincount(both_labels.ravel(), minlength=shape[0] * shape[1]).reshape(
        shape
    )
    union = both.sum(axis=1, keepdims=True) + both.sum(axis=0) - both
    return both[1:, 1:] / np.maximum(union[1:, 1:], 1)


def _in_common(
    shape: tuple[int, int], shift: Array
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Pixels of the earlier and of the later frame that show the same place."""
    before, after = [], []
    for size, step in zip(shape, shift.astype(int), strict=True):
        step = int(np.clip(step, 1 - size, size - 1))
        before.append(slice(max(0, -step), size - max(0, step)))
        after.append(slice(max(0, step), size - max(0, -step)))
    return pair(before), pair(after)


def _assigned(overlap: Array, least: float) -> list[tuple[int, int]]:
    """Pairs (row, column) with the largest sum, those below `least` left out."""
    from scipy.optimize import linear_sum_assignment

    pairs = zip(*linear_sum_assignment(-overlap), strict=True)
    return [(int(a), int(b)) for a, b in pairs if overlap[a, b] > max(least, 0)]
