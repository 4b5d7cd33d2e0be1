# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Edges of an image at every scale, thresholds found from the image.

Canny's edges are the crests of the slope of a smoothed image: those above a high
threshold, and those connected to them above a low one [1]_. Here each place takes the
finest scale at which its edge stands out from the noise [2]_, and the noise is that
of the crests themselves, most of which lie on no edge.

.. [1] J. Canny, IEEE Trans. Pattern Anal. Mach. Intell. 8, 679 (1986),
   doi:10.1109/TPAMI.1986.4767851
.. [2] J. H. Elder and S. W. Zucker, IEEE Trans. Pattern Anal. Mach. Intell. 20, 699
   (1998), doi:10.1109/34.689301
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array, Ints, Mask

FALSE_ALARMS = 0.01
"""Crests of noise expected above the high threshold, per image and scale."""
LOW = 0.5
"""Low threshold over the high one."""
SHARP = 0.3
"""Share of its slope that an edge loses within reach; a step loses 86 %."""
MEDIAN_CREST = 1.52
"""Median strength of sharp crests in white noise over the noise of a derivative."""
EMPTY = 0.1
"""Crests in the gap between weak and strong ones over those in the smaller group."""
FEWEST = 30
"""Fewest crests in half an octave of strength that count as a group."""
INTRINSIC = 2.0
"""Standard deviation in pixels of the Gaussian that images usually come averaged
with; it sets how far the edges of the finest scales reach."""
_BLOCK = 32
"""Side in pixels of the blocks whose noise is compared."""
_SMALLEST = 8
"""Fewest rows and columns of an image that may have edges."""
_SAMPLES = 40_000
"""Pixels at which crests are looked for to know their usual strength."""


class Edges(NamedTuple):
    """Pixels that edges pass through."""

    on: Mask
    """True on an edge, shape (ny, nx)."""
    side: npt.NDArray[np.int8]
    """Step (rows, columns) from an edge pixel to its neighbour on the same side of
    the edge, each −1, 0 or 1; shape (2, ny, nx), 0 elsewhere."""


class _Crests(NamedTuple):
    """Pixels in which the slope is largest along its own direction."""

    pixel: Ints
    """Rows and columns, shape (2, n)."""
    uphill: Array
    """Unit vectors (rows, columns), shape (2, n)."""
    strength: Array
    """Slope, less what is left of it within reach on the steeper side."""
    offset: Array
    """How far uphill of the middle of the pixel the slope is largest, in pixels."""


def find_edges(image: Array, *, noise: float = 0.0) -> Edges:
    """Edges of an image, each at the finest scale that shows it.

    Parameters
    ----------
    image
        Finite grey levels, shape (ny, nx). A ramp has no edge, whatever its slope.
    noise
        Standard deviation of the noise in grey levels, if it is known, of an image
        averaged with a Gaussian of two pixels. No edge is taken to stand out from
        less than this.
    """
    from scipy.ndimage import gaussian_filter

    edges = Edges(np.zeros(image.shape, bool), np.zeros((2, *image.shape), np.int8))
    if min(image.shape) < _SMALLEST:
        return edges
    smooth = _with_some_noise(image)
    scale, done, factor, sigma = 1, 0.0, 1, np.inf
    local = np.array(np.inf)
    while scale == 1 or scale <= min(image.shape) / 16:
        previous = smooth
        width = np.sqrt(scale**2 - done**2) / factor
        smooth = gaussian_filter(smooth, width, mode="nearest", truncate=3)
        # Noise counts where it is uneven at all scales: a lattice is fine only.
        local = np.minimum(local, _unevenness(previous - smooth, image.shape))
        gradient = [slope / factor for slope in np.gradient(smooth)]
        strengths = _sampled_strengths(gradient, _reach(scale) / factor)
        found, gap = _usual_strength(strengths)
        # Averaging weakens noise of every kind; what gets stronger is no noise.
        sigma = min(sigma, found)
        known = noise * INTRINSIC / np.sqrt(2) / (scale**2 + INTRINSIC**2)
        _add_scale(edges, gradient, scale, (max(sigma, known) * local, gap))
        done = scale
        if scale > 1:
            smooth, factor = smooth[::2, ::2], 2 * factor
        scale *= 2
    return edges


def _with_some_noise(image: Array) -> Array:
    """Image without its mean, with noise of 1e-5 of its range.

    Edges are told from noise; in an image without any there would be edges only.
    """
    noise = np.random.default_rng(0).standard_normal(image.shape, np.float32)
    return (image - np.mean(image)).astype(np.float32) + 1e-5 * np.ptp(image) * noise


def _add_scale(
    edges: Edges, gradient: Sequence[Array], scale: int, noise: tuple[Array, float]
) -> None:
    """Add the edges of a scale that are not those of finer scales displaced.

    Parameters
    ----------
    edges
        Edges of the finer scales.
    gradient
        Derivatives along rows and columns, of which an image smoothed more may have
        only every second, fourth ... value.
    scale
        Standard deviation in pixels of the Gaussian.
    noise
        Noise of a derivative, in blocks that span the image, and the strength above
        which a crest is an edge whatever the noise.
    """
    blocks, gap = noise
    shape = edges.on.shape
    factor = max(1, scale // 2)
    reach = _reach(scale)
    high = np.sqrt(2 * np.log(edges.on.size / scale**2 / FALSE_ALARMS))
    weakest = min(LOW * high * blocks.min(), gap)
    crests = _crests(gradient, weakest, reach / factor)
    sigma = _in_blocks(blocks, factor * crests.pixel, shape)
    possible = crests.strength > np.minimum(LOW * high * sigma, gap)
    crests, sigma = _chosen(crests, possible), sigma[possible]
    # The border of the image averages over fewer pixels: no edge starts there.
    size = np.reshape(shape, (2, 1))
    inside = np.abs(factor * crests.pixel - (size - 1) / 2) < (size - 1) / 2 - reach
    start = inside.all(axis=0) & (crests.strength > np.minimum(high * sigma, gap))
    keep = _connected_to(start, crests, gradient[0].shape)
    _draw(edges, _chosen(crests, keep & ~_meets(edges.on, crests, scale)), factor)


def _reach(scale: float) -> float:
    """Distance in pixels within which a step loses 86 % of its slope."""
    return float(2 * np.hypot(scale, INTRINSIC))


def _chosen(crests: _Crests, which: Mask) -> _Crests:
    return _Crests(*(values[..., which] for values in crests))


def _connected_to(start: Mask, crests: _Crests, shape: tuple[int, ...]) -> Mask:
    """Crests that hang together with one to start from."""
    from scipy.ndimage import label

    where = tuple(crests.pixel)
    on = np.zeros(shape, bool)
    on[where] = True
    chains, count = label(on, np.ones((3, 3)))
    keep = np.zeros(count + 1, bool)
    keep[chains[where][start]] = True
    return keep[chains[where]]


def _meets(known: Mask, crests: _Crests, scale: int) -> Mask:
    """Whether a crest has a known edge within reach across itself.

    At a coarser scale an edge moves; the part of it that a finer scale found is not
    another edge. Along the edge, where a finer scale lost it, nothing is met.
    """
    from scipy.ndimage import binary_dilation

    result = np.zeros(crests.pixel.shape[1], bool)
    if not known.any():
        return result
    known = binary_dilation(known, np.ones((3, 3)))
    last = np.reshape(known.shape, (2, 1)) - 1
    factor, reach = max(1, scale // 2), _reach(scale)
    for distance in np.arange(-reach, reach + 0.5, max(1.0, scale / 8)):
        there = np.rint(factor * crests.pixel + distance * crests.uphill)
        result |= known[tuple(np.clip(there, 0, last).astype(np.intp))]
    return result


def _draw(edges: Edges, crests: _Crests, factor: int) -> None:
    """Draw crests of an image of which every `factor`-th pixel was kept.

    Neighbouring crests are connected by lines; where a diagonal would cut a corner
    it is left out.
    """
    number = np.full(crests.pixel.max(axis=1, initial=0) + 3, -1)
    number[tuple(crests.pixel + 1)] = np.arange(crests.pixel.shape[1])
    exact = crests.pixel + (crests.offset * crests.uphill if factor > 1 else 0.0)
    position, uphill = [exact], [crests.uphill]
    for step in ((0, 1), (1, 0), (1, 1), (1, -1)) if factor > 1 else ():
        row, column = crests.pixel + 1
        other = number[row + step[0], column + step[1]]
        linked = other >= 0
        if all(step):
            linked &= number[row + step[0], column] < 0
            linked &= number[row, column + step[1]] < 0
        one, other = exact[:, linked], exact[:, other[linked]]
        for part in np.arange(1, factor) / factor:
            position.append(one + part * (other - one))
            uphill.append(crests.uphill[:, linked])
    place, direction = factor * np.hstack(position), np.hstack(uphill)
    last = np.reshape(edges.on.shape, (2, 1)) - 1
    pixel = np.clip(np.rint(place), 0, last).astype(np.intp)
    offset = ((place - pixel) * direction).sum(axis=0)
    offset = offset if factor > 1 else crests.offset
    edges.on[tuple(pixel)] = True
    edges.side[:, *pixel] = np.rint(np.where(offset > 0, -1, 1) * direction)


def _crests(
    gradient: Sequence[Array], weakest: float, reach: float, pitch: int = 1
) -> _Crests:
    """Crests steeper than `weakest` that lose half of their slope within reach.

    Looked for in every pixel or on a grid of them.
    """
    pixel, slope = _steepest(gradient, weakest, pitch)
    size = np.hypot(*slope)
    uphill = slope / size
    ahead, behind = (
        np.hypot(*_between(gradient, pixel + step * uphill)) for step in (1, -1)
    )
    left = np.zeros_like(size)
    for step in (reach, -reach):
        aside = _between(gradient, pixel + step * uphill)
        left = np.maximum(left, (aside * uphill).sum(axis=0))
    crest = (size >= ahead) & (size > behind) & (size - left >= SHARP * size)
    # Vertex of a parabola; on a crest, twice the curvature is above the difference.
    bend = np.maximum(2 * size - ahead - behind, np.abs(ahead - behind))
    offset = (ahead - behind) / np.maximum(2 * bend, np.finfo(size.dtype).tiny)
    return _chosen(_Crests(pixel, uphill, size - left, offset), crest)


def _steepest(
    gradient: Sequence[Array], weakest: float, pitch: int
) -> tuple[Ints, Array]:
    """Pixels steeper than `weakest` and than both neighbours in their direction.

    Pixels and slopes (rows, columns), shape (2, n). The direction is one of four,
    which is quick and leaves few pixels to look at more closely.
    """
    shape = gradient[0].shape
    size = np.pad(np.hypot(*gradient), 1, mode="edge")
    grid = slice(1 + pitch // 2, -1, pitch)
    pixel = pitch // 2 + pitch * np.stack(np.nonzero(size[grid, grid] > weakest))
    slope = np.stack([component[*pixel] for component in gradient])
    inside = (pixel[0] + 1) * size.shape[1] + pixel[1] + 1
    size = size.ravel()
    own = size[inside]
    step = (np.abs(slope) > 0.5 * own) * np.sign(slope).astype(np.intp)
    step = step[0] * (shape[1] + 2) + step[1]
    top = (own >= size[inside + step]) & (own > size[inside - step])
    return pixel[:, top], slope[:, top]


def _between(arrays: Sequence[Array], position: Array) -> Array:
    """Values of arrays between pixels, bilinear; shape (arrays, n).

    `position` holds rows and columns, shape (2, n); beyond the border of the image
    the border's values go on.
    """
    last = np.reshape(arrays[0].shape, (2, 1)) - 1
    position = np.clip(position, 0, last)
    first = np.minimum(position.astype(np.intp), last - 1)
    down, right = (position - first).astype(arrays[0].dtype)
    corner = first[0] * arrays[0].shape[1] + first[1]
    result = []
    for array in arrays:
        above, below = (
            array.ravel()[corner + shift] * (1 - right)
            + array.ravel()[corner + shift + 1] * right
            for shift in (0, array.shape[1])
        )
        result.append(above + down * (below - above))
    return np.stack(result)


def _sampled_strengths(gradient: Sequence[Array], reach: float) -> Array:
    """Strengths of the crests met on a grid of pixels.

    Without the median slope, so that a ramp across the image does not matter.
    """
    pitch = max(1, round(np.sqrt(gradient[0].size / _SAMPLES)))
    grid = slice(pitch // 2, None, pitch)
    level = [component - np.median(component[grid, grid]) for component in gradient]
    return _crests(level, 0.0, reach, pitch).strength


def _usual_strength(strengths: Array) -> tuple[float, float]:
    """Noise of a derivative, and the strength above which crests are no noise.

    The crests of noise differ little in strength. If there is a gap in the histogram
    of the logarithms, the crests above it are another kind, edges, and the noise is
    that of those below; without a gap the second value is infinite. Both are if
    there are too few crests to tell.
    """
    strengths = strengths[strengths > 0]
    if len(strengths) < FEWEST:
        return np.inf, np.inf
    half_octaves = 2 * np.log2(strengths)
    first = np.percentile(half_octaves, 1)
    bins = np.maximum(0, half_octaves - first).astype(np.intp)
    count = np.bincount(bins)
    smaller = np.minimum(
        np.maximum.accumulate(count), np.maximum.accumulate(count[::-1])[::-1]
    )
    depth = np.where(smaller >= FEWEST, count / np.maximum(smaller, 1), 1.0)
    if depth.min() >= EMPTY:
        return float(np.median(strengths) / MEDIAN_CREST), np.inf
    middle = np.flatnonzero(depth == depth.min()).mean() + 0.5
    gap = float(2 ** ((first + middle) / 2))
    return float(np.median(strengths[strengths < gap]) / MEDIAN_CREST), gap


def _unevenness(residual: Array, shape: tuple[int, ...]) -> Array:
    """Noise in blocks over that of the image, at least 1.

    `residual` is what a Gaussian took off an image, which may be coarser than `shape`.
    """
    size = np.abs(residual)
    if residual.shape == tuple(shape):
        size = size[::2, ::2]
    blocks = [max(1, n // _BLOCK) for n in shape]
    sides = [n // count for n, count in zip(size.shape, blocks, strict=True)]
    used = size[: blocks[0] * sides[0], : blocks[1] * sides[1]]
    used = used.reshape(blocks[0], sides[0], blocks[1], sides[1])
    local = np.median(used, axis=(1, 3))
    return np.maximum(local / max(np.median(size), np.finfo(np.float32).tiny), 1)


def _in_blocks(blocks: Array, pixel: Ints, shape: tuple[int, ...]) -> Array:
    """Values of blocks that span an image, interpolated at pixels of it."""
    blocks = np.pad(blocks, 1, mode="edge")
    count, size = (np.reshape(n, (2, 1)) for n in (blocks.shape, shape))
    return _between([blocks], (pixel + 0.5) * (count - 2) / size + 0.5)[0]
