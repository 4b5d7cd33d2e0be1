# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Whether a micrograph is good enough for strain and for an atomic model."""

from collections.abc import Mapping

import numpy as np

from hyperspy_t2t.array_types import Array, Mask
from hyperspy_t2t.calibration import ImageGrid

Numbers = dict[str, float]
Quality = Mapping[str, Mapping[str, float]]
FIT = ("yes", "with care", "no")
_SIGMA_ROWS = 3.0
"""Standard errors from which a difference of whole rows counts."""


def sampling_quality(grid: ImageGrid, g_vectors: Array) -> Numbers:
    """How finely the pixels sample the fringes.

    Parameters
    ----------
    grid
        Pixels in nm.
    g_vectors
        Those used for strain, in 1/nm, shape (n, 2).

    Returns
    -------
    dict
        ``pixels_per_fringe``: pixels along the finest fringe's normal, the coarser
        axis counts; ``nyquist_share_x`` and ``_y``: largest |gx| and |gy| over the
        Nyquist frequency of the axis.
    """
    g = np.abs(np.asarray(g_vectors, float))
    step = np.array(grid.pixel_size)[::-1]
    share = 2 * (g * step).max(axis=0)
    finest = float(np.linalg.norm(g * step, axis=1).max())
    return {
        "pixels_per_fringe": 1 / finest,
        "nyquist_share_x": float(share[0]),
        "nyquist_share_y": float(share[1]),
    }


def grey_level_quality(image: Array) -> Numbers:
    """What the grey levels say of the detector.

    Parameters
    ----------
    image
        Shape (ny, nx); pixels that are not finite are missing.

    Returns
    -------
    dict
        ``missing_share`` of the pixels; ``saturated_share``: that have the largest
        value, zero if it is as rare as in an image that isn't cut; ``mean`` and
        ``darkest_share``: the mean over the range, and how many have the smallest
        value; ``flat_rows`` with one value only and ``repeated_rows`` equal to the row
        before, both numbers.
    """
    image = np.asarray(image)
    finite = np.isfinite(image)
    values = image[finite]
    if not values.size:
        return {"missing_share": 1.0}
    low, high = float(values.min()), float(values.max())
    # Counts repeat their largest value by chance when it is small: a cut image has
    # more pixels at its end than just below it.
    below = values[values < high]
    ends = np.count_nonzero(values == high)
    rival = np.count_nonzero(below == below.max()) if below.size else 0
    cut = ends > max(3, 3 * rival)
    whole = np.all(finite, axis=1)
    filled = np.where(finite, image, low)
    flat = whole & (np.ptp(filled, axis=1) == 0)
    again = np.all(filled[1:] == filled[:-1], axis=1)
    again &= whole[1:] & whole[:-1] & ~flat[1:]
    return {
        "missing_share": float(1 - finite.mean()),
        "saturated_share": ends / values.size if cut else 0.0,
        "darkest_share": float(np.mean(values == low)),
        "mean_level": float((values.mean() - low) / (high - low))
        if high > low
        else 0.0,
        "flat_rows": float(flat.sum()),
        "repeated_rows": float(again.sum()),
    }


def banding_quality(image: Array) -> Numbers:
    """Offsets of the grey level of whole rows.

    The power of the row means is compared with that of neighbouring frequencies along
    x, at each frequency along y; the median over those leaves out the lattice. White
    noise has the same in all.

    Returns
    -------
    dict
        ``row_banding``: root mean square offset of a row over the standard deviation
        of the noise of a pixel; ``row_banding_significance``: the excess power of
        the row means over its standard error.
    """
    finite = np.isfinite(image)
    if not finite.any() or min(image.shape) < 64:
        return {"row_banding": 0.0, "row_banding_significance": 0.0}
    values = np.where(finite, image, np.mean(image[finite])).astype(float)
    ny, nx = values.shape
    window = np.sin(np.pi * (np.arange(nx) + 0.5) / nx) ** 2
    order = np.concatenate([[0], np.arange(3, 19)])
    wave = np.exp(-2j * np.pi * np.outer(np.arange(nx) / nx, order)) * window[:, None]
    lines = (values - values.mean()) @ wave
    taper = np.sin(np.pi * (np.arange(ny) + 0.5) / ny)[:, None] ** 2
    power = np.abs(np.fft.fft(lines * taper, axis=0)[ny // 16 : ny // 2]) ** 2
    of_rows, others = np.median(power[:, 0]), np.median(power[:, 1:])
    noise = others / np.log(2) / ((window**2).sum() * (taper**2).sum())
    excess = (of_rows - others) / max(others, 1e-300)
    # A median of m exponential numbers is known to 1/(ln 2 √m) of itself; a window
    # makes neighbours alike.
    error = 1.5 / (np.log(2) * np.sqrt(len(power)))
    spread = max(excess, 0.0) * (window**2).sum() / window.sum() ** 2
    return {
        "row_banding": float(np.sqrt(spread)) if noise > 0 else 0.0,
        "row_banding_significance": float(excess / error),
    }


def fringe_quality(
    image: Array,
    inside: Mask,
    grid: ImageGrid,
    g_vectors: Array,
    noise_density: Array,
    resolution: float,
) -> dict[str, Array]:
    """Signal, noise and expected strain noise of each g in the reference.

    Within a Gaussian of standard deviation σ white noise of density S has the power
    S/(4πσ²). A phase whose fringes have |z| then has the standard deviation
    n/(√2 |z|), its slope n/(2 |z| σ), and strain along g that over 2π|g|.

    Parameters
    ----------
    image, inside, grid
        Grey levels and pixels of the reference, shape (ny, nx), and pixels in nm.
    g_vectors
        In 1/nm, shape (n, 2).
    noise_density
        At each g in squared grey levels times nm², shape (n,).
    resolution
        σ in nm.

    Returns
    -------
    dict
        ``amplitude`` |z| in grey levels, ``noise`` of it, ``snr``: their ratio,
        ``phase_noise`` in radians and ``strain_noise``, shape (n,) each.
    """
    from hyperspy_t2t.strain.demodulation import local_amplitude

    values = np.where(inside & np.isfinite(image), image, np.nan)
    local = local_amplitude(values, grid, g_vectors, sigma=resolution)
    weight = local.coverage * (local.coverage > 0.5 * local.coverage.max())
    power = (local.amplitude**2 * weight).sum(axis=(1, 2)) / weight.sum()
    noise = np.sqrt(np.asarray(noise_density, float) / (4 * np.pi)) / resolution
    amplitude = np.sqrt(np.maximum(power - noise**2, 0))
    seen = np.maximum(amplitude, 1e-300)
    length = np.linalg.norm(g_vectors, axis=1)
    return {
        "amplitude": amplitude,
        "noise": noise,
        "snr": amplitude / np.maximum(noise, 1e-300),
        "phase_noise": noise / (np.sqrt(2) * seen),
        "strain_noise": noise / (4 * np.pi * length * resolution * seen),
    }


def distortion_quality(distortion: Array, scale_std: float = np.nan) -> Numbers:
    """Affine distortion against the bulk cell.

    It is scale error, skew, constant drift and uniform strain of the reference in one:
    an image alone can't tell them apart.

    Parameters
    ----------
    distortion
        D, symmetric: a vector r of the bulk crystal is imaged at D r, shape (2, 2).
    scale_std
        Standard error of the relative length, NaN if not known.

    Returns
    -------
    dict
        ``scale`` (√det D), ``scale_std``, ``anisotropy``: larger over smaller
        principal stretch minus one, and ``shear`` in degrees: by how much the angle
        between x and y is off.
    """
    matrix = np.asarray(distortion, float)
    larger, smaller = np.linalg.svd(matrix, compute_uv=False)
    x, y = matrix.T
    cosine = x @ y / (np.linalg.norm(x) * np.linalg.norm(y))
    return {
        "scale": float(np.sqrt(abs(np.linalg.det(matrix)))),
        "scale_std": float(scale_std),
        "anisotropy": float(larger / smaller - 1),
        "shear": float(np.rad2deg(np.arcsin(np.clip(cosine, -1, 1)))),
    }


def verdict(quality: Quality) -> tuple[str, list[str]]:
    """Whether an image is fit for a model, and a sentence for each finding.

    Parameters
    ----------
    quality
        Groups of numbers: ``sampling``, ``levels``, ``banding``, ``signal`` (smallest
        ``snr``, ``strain_noise`` per component at most), ``scan`` and, if a phase was
        found, ``distortion``. Groups that lack are not judged.

    Returns
    -------
    str, list of str
        One of `FIT`, and what was found, with unit and what to do.
    """
    grades, sentences = [0], []
    for judge in (_of_sampling, _of_signal, _of_levels, _of_rows, _of_scan, _of_cell):
        for grade, sentence in judge(quality):
            grades.append(grade)
            sentences.append(sentence)
    return FIT[max(grades)], sentences


Judged = list[tuple[int, str]]


def _of_sampling(quality: Quality) -> Judged:
    known = quality.get("sampling")
    if not known:
        return []
    pixels = known["pixels_per_fringe"]
    share = max(known["nyquist_share_x"], known["nyquist_share_y"])
    text = (
        f"The finest fringes have {pixels:.1f} pixels per period ({100 * share:.0f} % "
        "of the Nyquist frequency)"
    )
    if pixels < 2.5 or share > 0.9:
        return [(2, f"{text}: too few. Record with smaller pixels.")]
    if pixels < 4:
        return [(1, f"{text}: 4 or more are safer. Leave out the longest g.")]
    return [(0, f"{text}: enough.")]


def _of_signal(quality: Quality) -> Judged:
    known = quality.get("signal")
    if not known:
        return []
    noise, snr = 100 * known["strain_noise"], known["snr"]
    text = (
        f"The weakest fringes stand {snr:.1f} times above the noise; expected noise of "
        f"the strain at {known['resolution']:.2g} nm is {noise:.2g} %"
    )
    if snr < 3 or noise > 1:
        return [(2, f"{text}: too much. Average over more, or record more counts.")]
    if snr < 10 or noise > 0.2:
        return [(1, f"{text}: small strains are lost. A larger resolution helps.")]
    return [(0, f"{text}: good.")]


def _of_levels(quality: Quality) -> Judged:
    known = quality.get("levels", {})
    found: Judged = []
    if known.get("missing_share", 0) > 0.001:
        found.append(
            (
                int(known["missing_share"] > 0.05),
                f"{100 * known['missing_share']:.2g} % of the pixels hold no number: "
                "they have no weight.",
            )
        )
    if known.get("saturated_share", 0) > 1e-3:
        share = 100 * known["saturated_share"]
        found.append(
            (
                1,
                f"{share:.2g} % of the pixels are at the largest value: the detector "
                "was saturated. Strain suffers little, column intensities do.",
            )
        )
    bad = known.get("flat_rows", 0) + known.get("repeated_rows", 0)
    if bad:
        found.append(
            (
                1,
                f"{bad:.0f} rows are flat or repeat the row before: crop them, or set "
                "them to NaN.",
            )
        )
    return found


def _of_rows(quality: Quality) -> Judged:
    known = quality.get("banding")
    if not known or known["row_banding_significance"] < _SIGMA_ROWS:
        return []
    size = known["row_banding"]
    return [
        (
            int(size > 0.5),
            f"Rows differ in grey level by {size:.2g} of the noise of a pixel: the "
            "beam or the detector is not steady. Strain does not feel it, composition "
            "does.",
        )
    ]


def _of_scan(quality: Quality) -> Judged:
    known = quality.get("scan")
    if not known:
        return []
    if not known["rows_measured"]:
        return [(0, "Scan distortion could not be measured: too few rows.")]
    found = [
        _of_jitter(known, a) for a in "xy" if known[f"jitter_significance_{a}"] > 4
    ]
    if not found:
        least = 1e3 * max(known[f"jitter_detectable_{a}"] for a in "xy")
        found = [
            (
                0,
                "No displacement of single rows above the noise was found; more than "
                f"{least:.2g} pm would have been.",
            )
        ]
    bend = max(known["drift_range_x"], known["drift_range_y"])
    if bend > 0:
        text = (
            f"The reference is bent by {1e3 * bend:.2g} pm along the slow scan "
            "direction, as by uneven drift"
        )
        if known["corrected"]:
            found.append((0, f"{text}: straightened."))
        else:
            found.append(
                (
                    1,
                    f"{text}: gpa(correct_scan=True) straightens it, if the reference "
                    "has no strain of its own.",
                )
            )
    return found


def _of_jitter(known: Mapping[str, float], axis: str) -> tuple[int, str]:
    """Of significant jitter along x or y."""
    size, pixels = known[f"jitter_{axis}"], known[f"jitter_{axis}_pixels"]
    text = (
        f"Rows are displaced along {axis} by {1e3 * size:.2g} pm ({pixels:.2g} pixels) "
        f"from row to row, {known[f'jitter_significance_{axis}']:.0f} standard errors"
    )
    if not known["corrected"]:
        quoted = 1e3 * known.get(f"jitter_quoted_{axis}", 0.0)
        if quoted > 0:
            text += f"; the quoted errors allow for {quoted:.2g} pm"
        return int(pixels > 0.1), f"{text}: gpa(correct_scan=True) corrects it."
    left = known[f"jitter_left_{axis}"]
    return (
        int(left > 0.1 * size / max(pixels, 1e-300)),
        f"{text}: corrected, about {1e3 * left:.2g} pm are left.",
    )


def _of_cell(quality: Quality) -> Judged:
    known = quality.get("distortion")
    if not known:
        return []
    off = 100 * max(abs(known["scale"] - 1), known["anisotropy"])
    text = (
        f"Against the bulk cell of the reference lengths are {known['scale']:.4f} "
        f"times, stretched by {100 * known['anisotropy']:.2g} % along one direction "
        f"and sheared by {known['shear']:.2g}°"
    )
    if off > 10:
        return [(2, f"{text}: check the pixel size and the phase.")]
    if off > 1:
        return [
            (
                1,
                f"{text}: calibration and drift, or strain. Strain relative to the "
                "reference is free of it; a model takes calibration='reference'.",
            )
        ]
    return [(0, f"{text}: the calibration is good.")]
