# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The same few array operations in SciPy and, on any of its devices, in PyTorch."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

_LINES = 64
"""Lines that are transformed at once."""


class ArrayLibrary(NamedTuple):
    """What the cutting of sidebands needs of a library; all in double precision."""

    asarray: Callable[[np.ndarray], Any]
    """Of numpy's array, on the device."""
    fetch: Callable[[Any], np.ndarray]
    """Back to numpy."""
    spectrum: Callable[[np.ndarray, tuple[int, int], np.ndarray], Any]
    """Some columns of the half spectrum of a real array padded to a shape."""
    ifft: Callable[[Any, int], Any]
    """Inverse transform along an axis; may use its argument as memory."""
    where: Callable[[Any, Any, Any], Any]


def array_library(device: Any) -> ArrayLibrary:
    """SciPy for "cpu", PyTorch for any other of its devices.

    Parameters
    ----------
    device
        "cpu", "cuda", "cuda:1", …, or a `torch.device` (also that of the CPU).

    Raises
    ------
    ValueError
        The device is unknown, missing, or has no double precision.
    """
    if isinstance(device, str) and device == "cpu":
        return _of_scipy()
    return _of_torch(device)


def _of_scipy() -> ArrayLibrary:
    from scipy.fft import ifft

    return ArrayLibrary(
        asarray=np.asarray,
        fetch=np.asarray,
        spectrum=_scipy_spectrum,
        ifft=lambda values, axis: ifft(values, axis=axis, overwrite_x=True),
        where=np.where,
    )


def _scipy_spectrum(
    values: np.ndarray, shape: tuple[int, int], columns: np.ndarray
) -> np.ndarray:
    """See :class:`ArrayLibrary`; a few lines at once, to stay in the cache."""
    from scipy.fft import fft, rfft

    lines = np.zeros((shape[0], len(columns)), complex)
    for start in range(0, len(values), _LINES):
        part = np.asarray(values[start : start + _LINES], float)
        lines[start : start + len(part)] = rfft(part, n=shape[1])[:, columns]
    return fft(lines, axis=0, overwrite_x=True)


def _of_torch(device: Any) -> ArrayLibrary:
    import torch

    try:
        place = torch.device(device)
        torch.zeros(1, dtype=torch.complex128, device=place)
    except (RuntimeError, TypeError, ValueError, AssertionError,
            NotImplementedError) as error:  # fmt: skip
        raise ValueError(
            "Expected device as 'cpu' or a PyTorch device with double precision that "
            f"this computer has, such as 'cuda', got {device!r} ({error})."
        ) from error

    def spectrum(values: Any, shape: tuple[int, int], columns: Any) -> Any:
        values = torch.as_tensor(np.asarray(values, float), device=place)
        lines = torch.fft.rfft(values, n=shape[1])[:, asarray(columns)]
        return torch.fft.fft(lines, n=shape[0], dim=0)

    def asarray(values: np.ndarray) -> Any:
        return torch.as_tensor(values, device=place)

    return ArrayLibrary(
        asarray=asarray,
        fetch=lambda values: values.cpu().numpy(),
        spectrum=spectrum,
        ifft=lambda values, axis: torch.fft.ifft(values, dim=axis),
        where=torch.where,
    )
