# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The quality of the data behind a StrainMap."""

from typing import Any

import numpy as np

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.peaks.manual import noise_densities
from hyperspy_t2t.signals._carried.companions import in_memory
from hyperspy_t2t.signals._carried.source import RegionImage, Source
from hyperspy_t2t.signals._peaks.solutions import best_of
from hyperspy_t2t.signals._strain.scan import offsets_of, scan_to_dict
from hyperspy_t2t.strain.quality import (
    banding_quality,
    distortion_quality,
    fringe_quality,
    grey_level_quality,
    sampling_quality,
    verdict,
)

_LONGEST = 1024
_CLEAR = 10.0
"""Fringes over noise from which a further g has weight."""


def quality_of(strain: Any) -> dict[str, Any]:
    """What limits the strain of a map, as numbers and sentences.

    Of the micrograph a window of at most 1024² pixels in the reference is read for
    noise and grey levels, of a lazy one at most 2048² for the rows.

    Parameters
    ----------
    strain
        A StrainMap that carries its micrograph.

    Returns
    -------
    dict
        ``fit_for_model`` ("yes", "with care", "no"), ``findings`` (list of str),
        ``sampling``, ``levels``, ``banding``, ``signal``, ``fringes``, ``scan`` and
        ``distortion`` (empty without a phase): numbers, in ``fringes`` arrays, see
        :mod:`hyperspy_t2t.strain.quality`.
    """
    source: Source = strain._source()
    domain = strain._domains()["domain_0"]
    label = int(domain["reference"])
    g = np.asarray(domain["g_vectors"])
    region = source.region(label, source.boxes()[label], longest=_LONGEST)
    pixel_size = region.grid.pixel_size
    density = noise_densities(region.image, region.mask, pixel_size, g)
    resolution = float(domain["resolution"])
    fringes = fringe_quality(
        region.image, region.mask, region.grid, g, density, resolution
    )
    quality: dict[str, Any] = {
        "sampling": sampling_quality(source.grid, g[_carrying(fringes["snr"])]),
        "levels": grey_level_quality(region.image),
        "banding": banding_quality(region.image),
        "signal": _signal(source, region, fringes, domain),
        "scan": {
            **_scan(_found_rows(strain), pixel_size),
            **_quoted_jitter(domain),
        },
        "distortion": _distortion(strain, label),
    }
    fit, findings = verdict(quality)
    fringes = {"g_vectors": g, **fringes}
    return {
        "fit_for_model": fit,
        "findings": findings,
        **quality,
        "fringes": fringes,
    }


def text_of(quality: dict[str, Any]) -> str:
    """The verdict and one line for each finding."""
    head = f"Fit for a model: {quality['fit_for_model']}."
    return "\n".join([head, *(f"- {finding}" for finding in quality["findings"])])


def _carrying(snr: np.ndarray) -> np.ndarray:
    """The first two g, and others that are clearly seen."""
    return (snr >= _CLEAR) | (np.arange(len(snr)) < 2)


def _signal(
    source: Source, region: RegionImage, fringes: dict, domain: dict
) -> dict[str, float]:
    """The weakest of the first two fringes, and the noise of the worst component."""
    inside = region.image[region.mask & np.isfinite(region.image)]
    noise = _strain_noise(source, domain)
    return {
        "snr": float(fringes["snr"][:2].min()),
        "strain_noise": noise
        if np.isfinite(noise)
        else float(fringes["strain_noise"][:2].max()),
        "resolution": float(domain["resolution"]),
        "mean": float(inside.mean()),
        "contrast": float(2 * fringes["amplitude"][:2].min() / abs(inside.mean()))
        if inside.mean()
        else 0.0,
    }


def _strain_noise(source: Source, domain: dict) -> float:
    """Median error in the reference region, of the worst component; NaN if unknown.

    Elsewhere the fringes of the reference may be none, and their errors endless.
    """
    if "std" not in domain:
        return np.nan
    labels = source.labels_at(ImageGrid.from_dict(domain["grid"]))
    std = np.asarray(domain["std"])[:, labels == int(domain["reference"])]
    std = std[:, np.isfinite(std).all(axis=0)]
    return float(np.median(std, axis=1).max()) if std.size else np.nan


def _found_rows(strain: Any) -> dict[str, Any]:
    """``metadata.Strain.scan``, measured now if it was not asked for."""
    stored = strain.metadata.get_item("Strain.scan")
    if stored is not None:
        return stored.as_dictionary()
    return scan_to_dict(offsets_of(strain), corrected=False)


def _quoted_jitter(domain: dict) -> dict[str, float]:
    """Row jitter by axis in nm that the standard errors allow for; older maps: none."""
    quoted = domain.get("row_jitter", np.zeros(2))
    return {f"jitter_quoted_{a}": float(s) for a, s in zip("xy", quoted, strict=True)}


def _scan(rows: dict[str, Any], pixel_size: tuple[float, float]) -> dict[str, float]:
    """Jitter and drift, numbers by axis."""
    std = np.asarray(rows["std"])
    known = np.isfinite(std).all(axis=1)
    left = np.sqrt((std[known] ** 2).mean(axis=0)) if known.any() else np.full(2, 0.0)
    numbers = {
        "corrected": float(rows["corrected"]),
        "rows_measured": float(np.sum(rows["rows_measured"])),
        "rows_by_reference": float(np.sum(rows["rows_by_reference"])),
    }
    for i, (axis, step) in enumerate(zip("xy", pixel_size[::-1], strict=True)):
        numbers |= {
            f"jitter_{axis}": float(rows["jitter"][i]),
            f"jitter_{axis}_pixels": float(rows["jitter"][i] / step),
            f"jitter_significance_{axis}": float(rows["jitter_significance"][i]),
            f"jitter_detectable_{axis}": float(rows["jitter_detectable"][i]),
            f"jitter_left_{axis}": float(left[i]),
            f"row_noise_{axis}": float(rows["noise"][i]),
            f"drift_range_{axis}": float(rows["drift_range"][i]),
        }
    return numbers


def _distortion(strain: Any, label: int) -> dict[str, float]:
    """Against the bulk cell, empty where the reference has no phase."""
    if not strain.metadata.has_item("Phases"):
        return {}
    stored = in_memory(strain.metadata.Phases)
    if label not in np.asarray(stored["regions"]):
        return {}
    best = best_of(stored, label)
    if best is None:
        return {}
    return distortion_quality(best.distortion, float(np.sqrt(best.covariance[0, 0])))
