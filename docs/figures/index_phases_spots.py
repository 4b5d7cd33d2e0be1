"""Spots and names that the pictures about phases have in common."""

import numpy as np

from hyperspy_t2t.phases.simulation import simulated_spots


def axis_text(solution):
    return f"[{' '.join(str(i) for i in solution.zone_axis)}]"


def hkl_text(hkl):
    return "$" + "".join(rf"\bar{{{-i}}}" if i < 0 else str(i) for i in hkl) + "$"


def expected(ax, peaks, label, solution, colour, *, named=None, side="above"):
    """Dots where a solution expects spots; the strongest `named` have indices."""
    place, ha, va = {
        "above": ((0, 6), "center", "bottom"),
        "left": ((-6, 0), "right", "center"),
        "right": ((6, 0), "left", "center"),
    }[side]
    hkl, g, amplitude = simulated_spots(solution, peaks.region(label)[:, :2])
    ax.scatter(*g.T, s=4 + 40 * amplitude, color=colour, linewidths=0)
    inside = (np.abs(g) < 0.9 * ax.get_xlim()[1]).all(axis=1)
    order = np.argsort(-amplitude, kind="stable")
    for i in order[inside[order]][:named]:
        ax.annotate(
            hkl_text(hkl[i]), g[i], place, textcoords="offset points", color=colour,
            ha=ha, va=va, size=9,
        )  # fmt: skip
