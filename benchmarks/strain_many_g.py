# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Noise of strain from two g, from all, and from all with correlated counting noise.

python benchmarks/strain_many_g.py

A substrate below, a film with eyy = 1.78 % above; 512² pixels of 0.02 nm, Poisson
noise, resolution 0.40 nm. Scored more than 1.5 nm from border and interface.
"""

import numpy as np

from hyperspy_t2t import frames
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.data.displacements import strained
from hyperspy_t2t.data.synthetic import Region, Scan, synthetic_arrays
from hyperspy_t2t.strain.counting_noise import phase_correlation
from hyperspy_t2t.strain.demodulation import coarse_grid, local_spectrum
from hyperspy_t2t.strain.gpa import phase_field

SIZE, PIXEL, RESOLUTION, DRAWS, MARGIN = 512, 0.02, 0.40, 6, 1.5
GRID = ImageGrid((SIZE, SIZE), (PIXEL, PIXEL))
LONGEST, MOST, CLEAR = 14.0, 12, 4.0
FILM = strained(0.0, 0.01778, origin=(0, SIZE * PIXEL / 2))
Array = np.ndarray


def drawn(phase: str, zone: tuple[int, int, int]) -> tuple[Array, Array]:
    """Film above substrate without noise, and the substrate's g, a pair first."""
    images = []
    for field in (FILM, strained()):
        region = Region(phase, zone, 0.0, displacement=field)
        scan = Scan(shape=GRID.shape, pixel_size=(PIXEL, PIXEL))
        image, truth = synthetic_arrays([region], scan)
        images.append(image)
    known = truth["regions"]["region_1"]
    g = known["g_reference"][known["strength"] > 0.05]
    g = g[((g[:, 0] > 0) | ((g[:, 0] == 0) & (g[:, 1] > 0)))
          & (np.linalg.norm(g, axis=1) < LONGEST)]  # fmt: skip
    g = g[np.argsort(np.linalg.norm(g, axis=1), kind="stable")]
    sine = np.abs(g[:, 0] * g[0, 1] - g[:, 1] * g[0, 0]) / np.linalg.norm(g, axis=1)
    second = np.flatnonzero(sine > 0.3 * np.hypot(*g[0]))[0]
    order = [0, second, *(k for k in range(1, len(g)) if k != second)]
    above = np.arange(SIZE)[:, None] < SIZE // 2
    return np.where(above, *images), g[order]


def useful(image: Array, g: Array, density: float) -> Array:
    """The pair and the strongest others, local power over noise of at least CLEAR."""
    local = local_spectrum(image, GRID, g, sigma=RESOLUTION)
    power = local.amplitude.mean(axis=(1, 2)) ** 2 * 4 * np.pi * RESOLUTION**2 / density
    further = 2 + np.flatnonzero(power[2:] >= CLEAR)
    gain = power[further] * (g[further] ** 2).sum(axis=1)
    return np.concatenate([[0, 1], further[np.argsort(-gain)][: MOST - 2]])


def errors(image: Array, g: Array, density: float, correlation: Array | None) -> Array:
    """Errors of the four components where they are scored, and their quoted errors."""
    coarse = coarse_grid(GRID, RESOLUTION)
    at = coarse.to_nm(*np.indices(coarse.shape))
    middle = SIZE * PIXEL / 2
    inside = ((at > at[0, 0] + MARGIN) & (at < at[-1, -1] - MARGIN)).all(axis=-1)
    film = inside & (at[..., 1] < middle - MARGIN)
    substrate = inside & (at[..., 1] > middle + MARGIN)
    found = phase_field(
        image, GRID, g, resolution=RESOLUTION, reference=substrate,
        inside=np.ones(coarse.shape, bool), noise=np.full(len(g), density),
        correlation=correlation,
    )  # fmt: skip
    beta = np.zeros((*coarse.shape, 2, 2))
    beta[at[..., 1] < middle] = FILM.constant_gradient
    components = [
        frames.strain_components(frames.deformation_gradient(one), convention="gpa")
        for one in (np.moveaxis(found.gradient, (0, 1), (-2, -1)), beta)
    ]
    scored = film | substrate
    difference = (components[0] - components[1])[:, scored]
    return np.stack([difference, found.std("gpa")[:, scored]])


def main() -> None:
    window = np.zeros(GRID.shape)
    window[300:] = np.outer(np.hanning(214)[1:-1], np.hanning(SIZE + 2)[1:-1])
    print(
        "| case | counts | g | exx / eyy / exy / rotation, 1e-4 | error over quoted |"
    )
    print("|---|---|---|---|---|")
    for phase, zone in (("Si diamond", (1, 1, 0)),
                        ("SrTiO3 cubic perovskite", (0, 0, 1))):  # fmt: skip
        clean, g = drawn(phase, zone)
        for counts in (2, 20, 200):
            image = clean * counts / clean.mean()
            density = counts * PIXEL**2
            chosen = g[useful(image, g, density)]
            for name, some in (("2", chosen[:2]), ("all", chosen),
                               ("all, correlated", chosen)):  # fmt: skip
                drawn_errors = []
                for seed in range(DRAWS):
                    noisy = np.random.default_rng(seed).poisson(image).astype(float)
                    correlation = (
                        phase_correlation(noisy, window, GRID, some)
                        if "correlated" in name
                        else None
                    )
                    drawn_errors.append(errors(noisy, some, density, correlation))
                difference, quoted = np.moveaxis(np.array(drawn_errors), 1, 0)
                rmse = 1e4 * np.sqrt((difference**2).mean(axis=(0, 2)))
                ratio = np.sqrt(((difference / quoted) ** 2).mean(axis=(0, 2)))
                cells = [" / ".join(f"{v:.2f}" for v in row) for row in (rmse, ratio)]
                print(f"| {phase} | {counts} | {name} ({len(some)}) | {cells[0]} | "
                      f"{cells[1]} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
