# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Regions found by segment() and by other methods, against the exact truth.

python benchmarks/segmentation.py [--seeds N] [--scenes NAME,…] [--variants NAME,…]
                                  [--only METHOD,…] [--first SEED] [--detail]

Prints medians over seeds and variants, for mIoU the worst too. The other methods are
told what segment() has to find out: whether there is a lattice and its spacing, and
the number of classes where they need one.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

import hyperspy.api as hs
import numpy as np
from images import image_in_nm
from scipy.cluster.vq import kmeans2
from scipy.ndimage import distance_transform_edt, gaussian_filter, sobel
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.linalg import svds
from segmentation_scenes import Scene, scenes
from skimage.feature import canny
from skimage.filters import threshold_multiotsu, threshold_otsu
from skimage.measure import label
from skimage.segmentation import chan_vese, felzenszwalb, watershed
from skimage.transform import downscale_local_mean

import hyperspy_t2t  # noqa: F401, Signal2D gets segment()

Array = np.ndarray

GREY = ("layers", "diagonal", "nanowire", "core_shell", "particles", "thin_layer")
LATTICE = ("cross", "poly", "multi", "part")
SINGLE = ("crystal", "amorphous", "noise")
GREY_VARIANTS = {
    "plain": {},
    "faint": {"contrast": 0.2, "noise": 0.2},
    "ramp": {"gradient": 0.4, "illumination": 0.1},
    "saturated": {"saturated": True},
    "framed": {"frame": True, "shape": (400, 620)},
}
LATTICE_VARIANTS = {"dose50": {"dose": 50}, "dose5": {"dose": 5}}
SMALLEST = 1e-3  # of the image, smallest region of a method that has this choice


class Score(NamedTuple):
    """How well regions match the true ones.

    Attributes
    ----------
    rand
        Adjusted Rand index over all pixels.
    iou
        Intersection over union, found regions assigned one to one to the true ones
        so that the sum is largest, mean over the true regions.
    boundary_median, boundary_mean
        Distance in pixels from found to true boundary and back, mean of both ways.
        Infinite if only one of the two has boundaries.
    boundary_f1
        Of the shares of found and of true boundary within the tolerance.
    found, true
        Numbers of regions; label 0 is one where it occurs.
    crystal_iou
        Intersection over union of all crystalline pixels and that of all others,
        mean of those that the true image has; NaN if not asked for.
    """

    rand: float
    iou: float
    boundary_median: float
    boundary_mean: float
    boundary_f1: float
    found: int
    true: int
    crystal_iou: float


def score(
    truth: Array,
    labels: Array,
    pixel_size: float,
    *,
    tolerance: float = 0.5,
    crystalline: tuple[Array, Array] | None = None,
) -> Score:
    """Compare two label images.

    Parameters
    ----------
    truth, labels
        Integers of one shape; every pixel counts and 0 is a region as any other.
    pixel_size
        In nm.
    tolerance
        Of the boundaries in nm.
    crystalline
        True and found crystalline pixels, two boolean images.

    Returns
    -------
    Score
    """
    table = _overlaps(truth, labels)
    areas = table.sum(1)[:, None] + table.sum(0)[None]
    iou = table / (areas - table)
    best = linear_sum_assignment(iou, maximize=True)
    return Score(
        _adjusted_rand(table),
        float(iou[best].sum() / len(table)),
        *_boundary_scores(truth, labels, tolerance / pixel_size),
        found=table.shape[1],
        true=table.shape[0],
        crystal_iou=np.nan if crystalline is None else _mean_iou(*crystalline),
    )


def _overlaps(truth: Array, labels: Array) -> Array:
    """Pixels of every pair of a true and a found region."""
    rows, columns = (
        np.unique(image, return_inverse=True)[1].ravel() for image in (truth, labels)
    )
    return coo_array((np.ones(rows.size), (rows, columns))).toarray()


def _adjusted_rand(table: Array) -> float:
    """1 for equal partitions, 0 on average for random ones."""
    pairs, one, two, every = (
        float((n * (n - 1) / 2).sum())
        for n in (table, table.sum(1), table.sum(0), np.array([table.sum()]))
    )
    expected, largest = one * two / every, (one + two) / 2
    return 1.0 if largest == expected else (pairs - expected) / (largest - expected)


def _boundary(labels: Array) -> Array:
    """Pixels whose right or lower neighbour has another label."""
    edge = np.zeros(labels.shape, bool)
    edge[:-1] |= labels[1:] != labels[:-1]
    edge[:, :-1] |= labels[:, 1:] != labels[:, :-1]
    return edge


def _boundary_scores(
    truth: Array, labels: Array, tolerance: float
) -> tuple[float, float, float]:
    """Median and mean distance in pixels, F1."""
    true, found = _boundary(truth), _boundary(labels)
    if not (true.any() and found.any()):
        same = true.any() == found.any()
        return (0.0, 0.0, 1.0) if same else (np.inf, np.inf, 0.0)
    to_true = distance_transform_edt(~true)[found]
    to_found = distance_transform_edt(~found)[true]
    precision, recall = (to_true <= tolerance).mean(), (to_found <= tolerance).mean()
    total = precision + recall
    return (
        float(np.median(to_true) + np.median(to_found)) / 2,
        float(to_true.mean() + to_found.mean()) / 2,
        float(2 * precision * recall / total) if total else 0.0,
    )


def _mean_iou(true: Array, found: Array) -> float:
    """Mean over the two classes, without one that is not in the true image."""
    pairs = [(true, found), (~true, ~found)]
    return float(np.mean([(a & b).sum() / (a | b).sum() for a, b in pairs if a.any()]))


# Methods: labels of a scene, and which of them are crystals where the method tells ---


def ours(scene: Scene) -> tuple[Array, Callable[[], Array]]:
    """segment() as it is, on a plain Signal2D."""
    segmented = image_in_nm(scene.image, scene.pixel_size).segment()
    labels = np.asarray(segmented.labels.data)

    def crystals() -> Array:
        properties = segmented.region_properties
        return np.isin(labels, properties["label"][properties["crystalline"]])

    return labels, crystals


def _smooth(scene: Scene) -> Array:
    """Grey levels 0 … 1 between the 1st and 99th percentile, without noise, lattice.

    The standard deviation is 2 pixels, with a lattice 0.7 of its spacing, which
    leaves less than a thousandth of its contrast.
    """
    spacing = scene.lattice_spacing_px
    image = gaussian_filter(scene.image.astype(float), _sigma(spacing))
    low, high = np.percentile(image, [1, 99])
    return np.clip((image - low) / max(high - low, 1e-9), 0, 1)


def _sigma(spacing: float | None) -> float:
    return 2.0 if spacing is None else 0.7 * spacing


def _classes(scene: Scene) -> int:
    """Number of true grey levels, 2 … 4: regions whose means differ by a tenth."""
    values = np.unique(scene.truth)
    means = np.sort([scene.image[scene.truth == value].mean() for value in values])
    gaps = np.diff(means)
    return int(np.clip(1 + (gaps > 0.1 * np.ptp(means)).sum(), 2, 4))


def _grown(parts: Array, relief: Array | None = None) -> Array:
    """Parts but the smallest ones, grown over the image; 0 is no part."""
    keep = np.bincount(parts.ravel()) >= SMALLEST * parts.size
    keep[0] = False
    markers = np.where(keep[parts], parts, 0)
    if not markers.any():
        return np.ones(parts.shape, int)
    return watershed(np.zeros(parts.shape) if relief is None else relief, markers)


def felzenszwalb_(scene: Scene) -> Array:
    """Scale 100 as in scikit-image's gallery, smallest region 0.1 % of the image."""
    image = _smooth(scene)
    smallest = int(SMALLEST * image.size)
    return felzenszwalb(image, scale=100, sigma=0, min_size=smallest) + 1


def chan_vese_(scene: Scene) -> Array:
    """Two classes by design; scikit-image's defaults, on at most 512² pixels."""
    image = _smooth(scene)
    factor = int(np.ceil(max(image.shape) / 512))
    small = downscale_local_mean(image, (factor, factor))
    inside = chan_vese(small, mu=0.25, tol=1e-3, max_num_iter=200)
    inside = np.kron(inside, np.ones((factor, factor), int))
    inside = inside[: image.shape[0], : image.shape[1]]
    return _grown(label(inside, background=-1, connectivity=1))


def multi_otsu(scene: Scene) -> Array:
    """Otsu's thresholds, their insides as markers of a watershed of the gradient."""
    image = _smooth(scene)
    try:
        thresholds = threshold_multiotsu(image, _classes(scene))
    except ValueError:  # fewer grey levels than classes
        thresholds = [0.5]
    parts = label(np.digitize(image, thresholds), background=-1, connectivity=1)
    edge = _boundary(parts)
    markers = np.where(distance_transform_edt(~edge) > 2, parts, 0)
    relief = np.hypot(sobel(image, 0), sobel(image, 1))
    return _grown(label(markers, connectivity=1), relief)


def canny_fill(scene: Scene) -> Array:
    """What Canny's edges, one pixel thicker, enclose.

    The upper threshold is Otsu's of the gradient, the lower half of it.
    """
    image = _smooth(scene)
    high = threshold_otsu(np.hypot(sobel(image, 0), sobel(image, 1)))
    edges = canny(image, sigma=0, low_threshold=high / 2, high_threshold=high)
    near = distance_transform_edt(~edges) <= 1 if edges.any() else edges
    return _grown(label(~near, connectivity=1))


def sliding_fft(scene: Scene, *, window: int = 96, step: int = 16) -> Array:
    """k-means of 8 principal components of spectra, told the number of regions.

    The only one of the other methods that looks at lattices.
    """
    count = int(scene.truth.max())
    patches = np.lib.stride_tricks.sliding_window_view(
        scene.image.astype(np.float32), (window, window)
    )[::step, ::step]
    shape = patches.shape[:2]
    taper = np.hanning(window).astype(np.float32)
    spectra = np.empty((shape[0] * shape[1], window // 2 * (window // 4 + 1)))
    rows = np.r_[: window // 4, -window // 4 : 0]
    for i, patch in enumerate(patches.reshape(-1, window, window)):
        spectrum = np.fft.rfft2((patch - patch.mean()) * np.outer(taper, taper))
        spectra[i] = np.log1p(np.abs(spectrum[rows, : window // 4 + 1])).ravel()
    spectra -= spectra.mean(0)
    u, s, _ = svds(spectra, k=8, rng=np.random.default_rng(0))
    found = _best_kmeans(u * s, count).reshape(shape)
    first = (window - step) // 2
    index = [
        np.clip((np.arange(n) - first) // step, 0, m - 1)
        for n, m in zip(scene.image.shape, shape, strict=True)
    ]
    return _grown(label(found[np.ix_(*index)], background=-1, connectivity=1))


def _best_kmeans(features: Array, count: int) -> Array:
    """The best of ten runs."""
    results = []
    for seed in range(10):
        centres, index = kmeans2(features, count, minit="++", seed=seed)
        results.append((((features - centres[index]) ** 2).sum(), seed, index))
    return min(results)[2]


def told(scene: Scene) -> Array:
    """What smoothing can reach: told the truth but for the place of the borders.

    Level and rough place of every region are known; each is the part of the image,
    within 12 pixels of it, that is nearer to its level than to that of the largest
    region. Of several widths of the Gaussian the one is taken that scores best.
    """
    truth = scene.truth
    largest = int(np.bincount(truth.ravel()).argmax())
    image = scene.image.astype(float)
    found = []
    for sigma in (2, 2.5, 3, 3.5, 4, 5):
        smooth = gaussian_filter(image, sigma)
        labels = np.full(truth.shape, largest)
        for k in np.unique(truth)[np.unique(truth) != largest]:
            level, ground = image[truth == k].mean(), image[truth == largest].mean()
            near = distance_transform_edt(truth != k) < 12
            side = (smooth - (level + ground) / 2) * np.sign(level - ground)
            parts = label(near & (side > 0))
            if parts.any():
                labels[parts == np.bincount(parts.ravel())[1:].argmax() + 1] = k
        found.append((_adjusted_rand(_overlaps(truth, labels)), labels))
    return max(found, key=lambda pair: pair[0])[1]


RIVALS = {
    "felzenszwalb": felzenszwalb_,
    "chan_vese": chan_vese_,
    "multi_otsu": multi_otsu,
    "canny": canny_fill,
    "sliding_fft": sliding_fft,
    "told": told,
}


# Table ------------------------------------------------------------------------------


def measure(method: str, scene: Scene) -> tuple[Score, float]:
    """Score and CPU seconds of a method on one scene."""
    start = time.process_time()
    crystals = None
    if method == "ours":
        labels, crystals = ours(scene)
    else:
        labels = RIVALS[method](scene)
    seconds = time.process_time() - start
    lattice = scene.crystalline is not None
    both = None
    if lattice and crystals is not None:
        true = [k for k, value in scene.crystalline.items() if value]
        both = (np.isin(scene.truth, true), crystals())
    tolerance = 0.5 if lattice else 2 * scene.pixel_size
    result = score(
        scene.truth, labels, scene.pixel_size, tolerance=tolerance, crystalline=both
    )
    return result, seconds


def variants(family: str, names: str | None) -> dict[str, dict]:
    """The options of a family of scenes under the name of each variant."""
    known = GREY_VARIANTS if family in GREY else LATTICE_VARIANTS
    wanted = known if names is None else names.split(",")
    return {name: options for name, options in known.items() if name in wanted}


def row(name: str, method: str, results: list[tuple[Score, float]]) -> str:
    """A line of the table."""
    scores = [result for result, _ in results]
    median = Score(*np.median(np.array(scores, float), axis=0))
    worst = min(s.iou for s in scores)
    exact = sum(s.found == s.true for s in scores)
    crystal = "–" if np.isnan(median.crystal_iou) else f"{median.crystal_iou:.3f}"
    return (
        f"| {name} | {method} | {median.rand:.3f} | {median.iou:.3f} | {worst:.3f} "
        f"| {median.boundary_median:.1f} | {median.boundary_mean:.1f} "
        f"| {median.boundary_f1:.3f} | {median.found:g}/{median.true:g} "
        f"| {exact}/{len(scores)} | {crystal} "
        f"| {np.median([seconds for _, seconds in results]):.2f} |"
    )


def rows(family: str, arguments: argparse.Namespace) -> list[str]:
    """Lines of the table for one family of scenes."""
    methods = arguments.only.split(",")
    if family not in LATTICE and "sliding_fft" in methods:
        methods.remove("sliding_fft")  # no lattice, or the answer in the question
    results: dict[tuple[str, str], list] = {}
    for variant, options in variants(family, arguments.variants).items():
        name = f"{family} {variant}" if arguments.detail else family
        for seed in range(arguments.first, arguments.first + arguments.seeds):
            scene = scenes()[family](seed, **options)
            for method in methods:
                measured = measure(method, scene)
                results.setdefault((name, method), []).append(measured)
    return [row(*key, values) for key, values in results.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--scenes", default=",".join(GREY + LATTICE + SINGLE))
    parser.add_argument("--variants", help="by default all of a family")
    parser.add_argument("--only", default=",".join(["ours", *RIVALS][:-1]))
    parser.add_argument("--detail", action="store_true", help="a row per variant")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    hs.preferences.General.show_progressbar = False
    ours(scenes()["poly"](0, shape=256))  # compile and import
    print(
        "| scene | method | ARI | mIoU | worst mIoU | boundary median, px | mean, px "
        "| boundary F1 | regions found/true | right number | crystal IoU | CPU s |\n"
        "|" + "---|" * 12
    )
    for family in arguments.scenes.split(","):
        print(*rows(family, arguments), sep="\n", flush=True)


if __name__ == "__main__":
    main()
