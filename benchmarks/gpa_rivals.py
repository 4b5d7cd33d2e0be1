# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Other programs for geometric phase analysis, for benchmarks/gpa.py, which runs this.

python benchmarks/gpa_rivals.py TOOL IN.npz OUT.npz [REPEATS]

Needs nothing of this package, so that a tool may live in an environment of its own.
IN holds image, pixel (x, y) in nm, g (2, 2) in 1/nm at whole pixels of the spectrum,
sigma_g in 1/nm (0: what the tool's own example takes), box (left, top, right, bottom)
in nm. OUT holds exx, eyy, exy, rotation in the "gpa" convention (4, ny, nx), CPU
seconds of each repeat, and the memory of the process in MiB before and at its peak.

kemstem   0.0.6 from PyPI: its Fourier filter, Gaussian fit of the spots in the
          smoothed logarithm of the spectrum, and strain tensor, as in its example
          notebook, whose filter is 10 pixels of the spectrum wide. It has no
          reference: the mean strain in the box is subtracted, and it knows square
          images only.
textbook  The algorithm of Hÿtch, Snoeck, Kilaas (1998) with numpy, which is also that
          of Strain++: masks at two spots, phase, its mean gradient in the box as
          correction of g, wrapped differences. Mask of |g|/4 by default.
"""

import sys
import time
from importlib.util import find_spec
from typing import Any

import numpy as np
from measuring import peak_memory

Array = np.ndarray


def kemstem(job: dict[str, Any]) -> Array:
    """exx, eyy, exy, rotation by kemstem."""
    from kemstem.fourier import (
        fourier_filter,
        gpa,
        prepare_fourier_pattern,
        refine_peaks_gf,
    )
    from kemstem.fourier.strain import calculate_strain_tensor
    from scipy.ndimage import gaussian_filter

    image, size = job["image"], job["image"].shape[0]
    field = size * job["pixel"][0]
    sigma = job["sigma_g"] * field or 10.0
    clicked = (job["g"] * field + size / 2)[:, ::-1]
    pattern = prepare_fourier_pattern(image)
    smooth = gaussian_filter(np.log(1 + np.abs(pattern)), 1)
    peaks = refine_peaks_gf(
        smooth, clicked, window_dimension=9, remove_unfit=False, verbose=False
    )[0]
    # A fit that failed or left its window: the click itself.
    lost = np.linalg.norm(peaks - clicked, axis=1) > 5
    peaks = np.where(lost[:, None], clicked, peaks)
    phases = [gpa(fourier_filter(pattern, one, sigma)[0], one) for one in peaks]
    exx, eyy, exy, turn = calculate_strain_tensor(*phases, *peaks)
    return np.array([exx, eyy, exy, -turn])  # its rotation is (∂u/∂y − ∂v/∂x)/2


def textbook(job: dict[str, Any]) -> Array:
    """exx, eyy, exy, rotation by Fourier masks, phases and wrapped differences."""
    image, pixel, g = job["image"], job["pixel"], job["g"]
    sigma = job["sigma_g"] or np.linalg.norm(g, axis=1).min() / 4
    fx = np.fft.fftfreq(image.shape[1], pixel[0])[None]
    fy = np.fft.fftfreq(image.shape[0], pixel[1])[:, None]
    x = np.arange(image.shape[1])[None] * pixel[0]
    y = np.arange(image.shape[0])[:, None] * pixel[1]
    spectrum = np.fft.fft2(image)
    inside = in_box(job)
    slopes, refined = [], []
    for gx, gy in g:
        mask = np.exp(-((fx - gx) ** 2 + (fy - gy) ** 2) / (2 * sigma**2))
        phase = np.angle(
            np.fft.ifft2(spectrum * mask) * np.exp(-2j * np.pi * (gx * x + gy * y))
        )
        slope = np.stack([wrapped_slope(phase, axis, pixel) for axis in (1, 0)])
        mean = slope[:, inside].mean(axis=1)
        slopes.append(slope - mean[:, None, None])
        refined.append(np.array([gx, gy]) + mean / (2 * np.pi))
    inverse = np.linalg.inv(np.array(refined))
    beta = -np.einsum("ik,kjyx->ijyx", inverse, np.array(slopes)) / (2 * np.pi)
    return np.array(
        [
            beta[0, 0],
            beta[1, 1],
            (beta[0, 1] + beta[1, 0]) / 2,
            (beta[1, 0] - beta[0, 1]) / 2,
        ]
    )


def wrapped_slope(phase: Array, axis: int, pixel: Array) -> Array:
    """Central differences of a wrapped phase in radians per nm."""
    step = np.diff(phase, axis=axis)
    step = np.angle(np.exp(1j * step)) / pixel[1 - axis]
    edge = [(0, 0), (0, 0)]
    edge[axis] = (1, 1)
    padded = np.pad(step, edge, mode="edge")
    first = [slice(None)] * 2
    last = [slice(None)] * 2
    first[axis], last[axis] = slice(None, -1), slice(1, None)
    return (padded[tuple(first)] + padded[tuple(last)]) / 2


def in_box(job: dict[str, Any]) -> Array:
    """Pixels of the reference box, (ny, nx)."""
    ny, nx = job["image"].shape
    x, y = (
        np.arange(nx)[None] * job["pixel"][0],
        np.arange(ny)[:, None] * job["pixel"][1],
    )
    left, top, right, bottom = job["box"]
    return (x >= left) & (x <= right) & (y >= top) & (y <= bottom)


TOOLS = {"kemstem": kemstem, "textbook": textbook}


def main() -> None:
    tool, source, target = sys.argv[1:4]
    repeats = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    if tool == "kemstem":
        if find_spec("kemstem") is None:
            sys.exit("kemstem is not installed here: pip install kemstem==0.0.6")
        import kemstem.fourier.strain  # noqa: F401  before memory is looked at
    job = dict(np.load(source))
    job["image"] = job["image"].astype(float)
    before, seconds = peak_memory(), []
    for _ in range(repeats):
        start = time.process_time()
        strain = TOOLS[tool](job)
        seconds.append(time.process_time() - start)
    peak = peak_memory()
    strain = strain - strain[:, in_box(job)].mean(axis=1)[:, None, None]
    np.savez(
        target, strain=strain.astype(np.float32), seconds=seconds,
        memory=[before, peak],
    )  # fmt: skip


if __name__ == "__main__":
    main()
