# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Overlapping masks of one image, and the label image they merge into."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array, Bools, Ints
from hyperspy_t2t.segmentation.nearest import nearest_label
from hyperspy_t2t.segmentation.regions import by_area

SAME = 0.8
"""Intersection over union above which two masks show the same thing."""
COVERED = 0.9
"""Share of a mask under smaller masks from which it shows nothing of its own."""
_PIXELS = (1.0, 1.0)
"""Distances are in pixels."""


@dataclass(frozen=True)
class MaskStack:
    """Masks of one image, eight pixels to a byte, with a score each.

    Parameters
    ----------
    bits
        Rows of the masks as :func:`numpy.packbits` packs them, shape
        (n, ny, ⌈nx / 8⌉).
    scores
        How good each mask is, 0 … 1, shape (n,).
    shape
        (ny, nx) of the masks.
    """

    bits: npt.NDArray[np.uint8]
    scores: Array
    shape: tuple[int, int]

    @classmethod
    def pack(cls, masks: npt.ArrayLike, scores: npt.ArrayLike) -> "MaskStack":
        """From masks (n, ny, nx), True inside, and their scores (n,)."""
        masks, scores = np.asarray(masks, bool), np.asarray(scores, np.float32)
        if masks.ndim != 3 or scores.shape != masks.shape[:1]:
            raise ValueError(
                "Expected masks of shape (n, ny, nx) and n scores, got shapes "
                f"{masks.shape} and {scores.shape}."
            )
        return cls(np.packbits(masks, axis=-1), scores, masks.shape[1:])

    def __len__(self) -> int:
        return len(self.bits)

    @property
    def masks(self) -> Bools:
        """The masks, True inside, shape (n, ny, nx)."""
        unpacked = np.unpackbits(self.bits, axis=-1, count=self.shape[1])
        return unpacked.view(bool)

    @property
    def area(self) -> Ints:
        """Pixels in each mask, shape (n,)."""
        return pixels(self.bits)

    def take(self, index: npt.ArrayLike) -> "MaskStack":
        """The masks of these indices, in this order."""
        index = np.asarray(index, np.intp)
        return MaskStack(self.bits[index], self.scores[index], self.shape)

    def joined(self, other: "MaskStack") -> "MaskStack":
        """The masks of two stacks of the same image."""
        return MaskStack(
            np.concatenate([self.bits, other.bits]),
            np.concatenate([self.scores, other.scores]),
            self.shape,
        )

    def best_first(self) -> "MaskStack":
        """The same masks in an order that does not depend on the one they had."""
        area = self.area
        order = sorted(
            range(len(self)),
            key=lambda i: (-self.scores[i], area[i], self.bits[i].tobytes()),
        )
        return self.take(order)


class MergedMasks(NamedTuple):
    """A label image made of masks."""

    labels: Ints
    """1 … n, the largest region first, shape (ny, nx); 0 where nothing is valid."""
    confidence: Array
    """Score of the mask a pixel was drawn from, 0 where none claimed it."""


def pixels(bits: npt.NDArray[np.uint8]) -> Ints:
    """Number of pixels set in packed masks (..., ny, ⌈nx / 8⌉)."""
    return np.bitwise_count(bits).sum(axis=(-2, -1), dtype=np.int64)


def without_duplicates(stack: MaskStack, *, same: float = SAME) -> MaskStack:
    """The best of each group of masks that show the same thing; empty ones dropped.

    Masks are taken from the best score down, each one compared with those kept so
    far: at most n (n − 1) / 2 comparisons. Only masks of similar area are
    compared, since the intersection over union is at most the ratio of the areas.

    Parameters
    ----------
    stack
        Masks in any order; the result does not depend on it.
    same
        Intersection over union above which two masks show the same thing.
    """
    stack = stack.best_first()
    area = stack.area
    kept: list[int] = []
    for i in np.flatnonzero(area):
        small, large = (f(area[kept], area[i]) for f in (np.minimum, np.maximum))
        similar = np.asarray(kept, np.intp)[small > same * large]
        shared = pixels(stack.bits[similar] & stack.bits[i])
        if not (shared > same * (area[similar] + area[i] - shared)).any():
            kept.append(int(i))
    return stack.take(kept)


def without_covered(stack: MaskStack, *, covered: float = COVERED) -> MaskStack:
    """Masks that show something smaller masks do not, the smallest first.

    A mask goes when some combination of smaller masks covers a share `covered` of
    it. The union of all smaller masks covers at least as much as any combination,
    so one test per mask decides what a search through 2ⁿ combinations would. Masks
    that went cover nothing, since they will not be drawn.

    Parameters
    ----------
    stack
        Masks in any order; the result does not depend on it.
    covered
        Share of a mask's pixels.
    """
    stack = stack.best_first()
    area = stack.area
    union = np.zeros(stack.bits.shape[1:], np.uint8)
    kept: list[int] = []
    for i in np.argsort(area, kind="stable"):
        if area[i] and pixels(stack.bits[i] & union) < covered * area[i]:
            union |= stack.bits[i]
            kept.append(int(i))
    return stack.take(kept)


def merge_masks(
    stack: MaskStack,
    *,
    smallest: float,
    gap: int = 1,
    valid: Bools | None = None,
) -> MergedMasks:
    """One label per pixel from overlapping masks, in polynomial time.

    Duplicates and masks made up of smaller ones are dropped, and the others drawn
    from the largest to the smallest, so that what is small lies on top. Pixels that
    no mask claims become regions of their own where they are a wide part of the
    image, as a background is; narrow seams and parts too small to be a region join
    their neighbour. The result does not depend on the order of the masks.

    Parameters
    ----------
    stack
        Any number of masks, also none.
    smallest
        Fewest pixels of a region.
    gap
        Half the width in pixels of the widest seam between masks that is closed.
    valid
        Where the image has data, shape (ny, nx); by default everywhere.
    """
    inside = np.ones(stack.shape, bool) if valid is None else valid
    stack = stack.take(np.flatnonzero(stack.area >= smallest))
    stack = without_covered(without_duplicates(stack))
    drawn = np.zeros(stack.shape, np.intp)
    for index in range(len(stack), 0, -1):
        drawn[stack.take([index - 1]).masks[0]] = index
    labels = by_area(_connected(_without_seams(drawn, gap), inside, smallest))
    score = np.concatenate([[0], stack.scores]).astype(np.float32)
    origin = _most_common(labels, drawn)[labels]
    return MergedMasks(
        labels, np.where(inside & (drawn == origin), score[drawn], np.float32(0))
    )


def _without_seams(drawn: Ints, gap: int) -> Ints:
    """Masks grown over the places without one that are at most 2 `gap` wide."""
    from scipy.ndimage import binary_opening
    from skimage.morphology import disk

    if not drawn.any() or gap < 1:
        return drawn
    padded = np.pad(drawn == 0, gap, mode="edge")
    wide = binary_opening(padded, disk(gap))[gap:-gap, gap:-gap]
    return np.where(wide, 0, nearest_label(drawn, _PIXELS))


def _connected(drawn: Ints, inside: Bools, smallest: float) -> Ints:
    """Connected parts, those too small joined to the nearest of the others."""
    from skimage.measure import label

    parts = label(np.where(inside, drawn + 1, 0), background=0, connectivity=1)
    area = np.bincount(parts.ravel())
    area[0] = 0
    keep = area >= smallest
    keep[0] = False
    keep[area.argmax()] = True  # also if all are too small
    return np.where(inside, nearest_label(np.where(keep[parts], parts, 0), _PIXELS), 0)


def _most_common(labels: Ints, drawn: Ints) -> Ints:
    """For each label, the index drawn in most of its pixels."""
    count = int(drawn.max()) + 1
    pairs = np.bincount((labels * count + drawn).ravel())
    table = np.zeros((int(labels.max()) + 1) * count, np.intp)
    table[: len(pairs)] = pairs
    return table.reshape(-1, count).argmax(axis=1)
