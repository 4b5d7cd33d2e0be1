# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Spots of a spectrum as a network trained on drawn micrographs sees them."""

import threading
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from hyperspy_t2t.array_types import Array, Ints

_ONE_AT_A_TIME = threading.Lock()
WEIGHTS = Path(__file__).with_name("unet_weights.npz")
SMALLEST = 16
"""Least size of a spectrum in pixels: two on the coarsest level of the network."""
_MARGIN = 48
"""Pixels beyond the half plane that a mark in it can depend on."""


def spot_probability(
    power: Array, floor: Array, *, device: str = "cpu", weights: Path = WEIGHTS
) -> Array:
    """Probability that a crystallographic spot is centred on each pixel of a spectrum.

    A U-Net looks at ln(1 + power/floor). Only the half plane gx ≥ 0 is computed; the
    other follows from Friedel's law.

    Parameters
    ----------
    power
        Power spectrum of a region with zero frequency in the centre, as in
        :class:`hyperspy_t2t.peaks.spectrum.Spectrum`, shape (ny, nx).
    floor
        Expected noise power at each pixel, as
        :func:`hyperspy_t2t.peaks.floor.radial_floor` gives it, same shape.
    device
        Where torch computes, for example "cpu" or "cuda".
    weights
        What the training wrote; that of the package unless given.

    Returns
    -------
    ndarray
        From 0 to 1, shape (ny, nx).

    Raises
    ------
    ValueError
        Where the shapes differ or are below 16 pixels, or a value is not finite.
    """
    _check(power, floor)
    import torch

    nx = power.shape[1]
    middle = nx // 2
    start = max(0, middle - _MARGIN)
    # An even axis has its highest frequency on pixel 0 alone: it closes the half.
    columns = np.arange(start, nx + 1 - nx % 2) % nx
    values = log_contrast(power[:, columns], floor[:, columns])
    # One at a time: it uses all cores, which two would take from each other.
    with _ONE_AT_A_TIME, torch.inference_mode():
        image = torch.from_numpy(values).to(device)
        marks = torch.sigmoid(_network(weights, device)(image[None])[0])
    return _mirrored(marks.cpu().numpy()[:, middle - start :], nx)


def network_maxima(probability: Array, *, threshold: float = 0.5) -> tuple[Ints, Ints]:
    """Local maxima of the probability, one of each Friedel pair.

    Parameters
    ----------
    probability
        Of :func:`spot_probability`, shape (ny, nx).
    threshold
        Least probability.

    Returns
    -------
    rows, columns
        Pixels with gx > 0, or gx = 0 and gy > 0, most probable first. The highest
        frequency of an even axis, which is its own partner, is left out.
    """
    from scipy.ndimage import center_of_mass, label, maximum_filter

    ny, nx = probability.shape
    peak = (probability > threshold) & (probability == maximum_filter(probability, 3))
    # Where the probability rounds to one, a maximum can be several pixels.
    parts, number = label(peak, np.ones((3, 3)))
    centres = np.reshape(center_of_mass(peak, parts, range(1, number + 1)), (-1, 2))
    rows, columns = np.rint(centres).astype(np.intp).T
    y, x = rows - ny // 2, columns - nx // 2
    keep = (x > 0) | ((x == 0) & (y > 0))
    keep &= 2 * abs(y) < ny
    rows, columns = rows[keep], columns[keep]
    order = np.argsort(-probability[rows, columns], kind="stable")
    return rows[order], columns[order]


def log_contrast(power: Array, floor: Array) -> Array:
    """What the network sees: ln(1 + power/floor), shape (ny, nx)."""
    # Rounding leaves a floor of its own under a noise-free image.
    smallest = max(float(power.max()) * 1e-12, 1e-300)
    ratio = np.divide(power, np.maximum(floor, smallest), dtype=np.float64)
    return np.log1p(ratio.astype(np.float32))


def _check(power: Array, floor: Array) -> None:
    if power.ndim != 2 or power.shape != floor.shape:
        raise ValueError(
            "Expected a power spectrum (ny, nx) and its noise floor of the same "
            f"shape, got {power.shape} and {floor.shape}."
        )
    if min(power.shape) < SMALLEST:
        raise ValueError(
            f"Expected a spectrum of {SMALLEST} pixels or more along both axes, got "
            f"{power.shape}. A region this small holds too few lattice periods."
        )
    for name, values in (("power", power), ("floor", floor)):
        # A sum is finite only where all of its terms are.
        if not np.isfinite(values.sum()) or values.min() < 0:
            raise ValueError(
                f"Expected a {name} of finite numbers, 0 or more; got "
                f"{np.count_nonzero(~(np.isfinite(values) & (values >= 0)))} others. "
                "Replace pixels that are not finite before the Fourier transform."
            )


def _mirrored(half: Array, nx: int) -> Array:
    """The whole plane from its columns gx ≥ 0."""
    ny, middle = half.shape[0], nx // 2
    partner = (2 * (ny // 2) - np.arange(ny)) % ny
    whole = np.empty((ny, nx), np.float32)
    whole[:, middle:] = half[:, : nx - middle]
    whole[:, :middle] = half[partner, :0:-1][:, :middle]
    for column in (middle, 0) if nx % 2 == 0 else (middle,):  # their own partners
        whole[: ny // 2, column] = whole[partner[: ny // 2], column]
    return whole


@cache
def _network(weights: Path, device: str) -> Any:
    """The trained network, with its normalisations merged into the convolutions."""
    import torch

    from hyperspy_t2t.peaks.unet import UNet, merged

    with np.load(weights, allow_pickle=False) as stored:
        state = {name: torch.from_numpy(stored[name]) for name in stored.files}
    channels = [int(n) for n in state.pop("channels")]
    network = UNet(channels)
    network.load_state_dict(state)
    network = merged(network.eval()).to(device, memory_format=torch.channels_last)
    return network.requires_grad_(False)
