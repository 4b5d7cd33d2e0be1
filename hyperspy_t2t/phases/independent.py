# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""One spot of each Friedel pair of a region: what indexing looks at."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hyperspy_t2t.array_types import Array, Bools, Ints
from hyperspy_t2t.frequencies import upper_half
from hyperspy_t2t.phases.evidence import SpotModel
from hyperspy_t2t.phases.reflections import MIN_D

FAINT_SNR = 15.0
"""Power over noise at which a spot starts to count as evidence."""


@dataclass(frozen=True, eq=False)
class RegionSpots:
    """All spots of a region, Friedel partners included.

    Parameters
    ----------
    g
        (gx, gy) in 1/nm, shape (n, 2).
    std
        Their standard errors in 1/nm, shape (n,).
    snr
        Their power over the noise, shape (n,); 0 for those that take no part.
    intensity
        Their power in any unit, shape (n,); by default the noise is taken as white.
        Noise is often stronger at small \\|g\\|, and power over noise then is not
        proportional to power.
    shortest
        \\|g\\| in 1/nm below which the region's own spectrum may hide reflections.
    """

    g: Array
    std: Array
    snr: Array
    intensity: Array | None = None
    shortest: float = 0.0

    @cached_property
    def _folded(self) -> tuple[Ints, Ints]:
        """Spots that stand for others, strongest first; which stands for each.

        The second is signed and counts from 1: −k means the partner of spot k, 0 none.
        """
        upper = upper_half(self.g)
        folded = np.where(upper[:, None], self.g, -self.g)
        power = self.snr if self.intensity is None else self.intensity
        order = np.argsort(-power, kind="stable")
        taking_part = (np.linalg.norm(self.g, axis=1) <= 1 / MIN_D) & (self.snr > 0)
        chosen: list[int] = []
        representative = np.zeros(len(self.g), np.intp)
        for i in order[taking_part[order]]:
            own = 1 if upper[i] else -1
            for k, j in enumerate(chosen):
                for sign in (1, -1):
                    away = np.hypot(*(folded[i] - sign * folded[j]))
                    if away < 1e-6 + 2 * self.std[i]:
                        representative[i] = sign * (k + 1) * own
            if representative[i] == 0:
                chosen.append(int(i))
                representative[i] = len(chosen) * own
        return np.array(chosen, np.intp), representative

    @cached_property
    def model(self) -> SpotModel:
        """The spots that stand for all, as matching takes them."""
        chosen, _ = self._folded
        g = np.where(upper_half(self.g)[:, None], self.g, -self.g)[chosen]
        none = np.zeros(len(chosen), bool)
        power = self.snr[chosen]
        if self.intensity is not None and len(chosen):
            power = self.intensity[chosen]
            power = power / np.median(power / self.snr[chosen])
        return SpotModel(g, self.std[chosen], power, none, self.shortest)

    @cached_property
    def weight(self) -> Array:
        """Evidence that each spot of the model carries; it grows with ln snr."""
        above = np.maximum(self.snr[self._folded[0]] / FAINT_SNR - 1, 0.1)
        return np.log1p(above)

    def spread(self, hkl: Ints, matched: Bools) -> tuple[Ints, Bools]:
        """Indices and whether they are explained, from the model to all spots."""
        _, representative = self._folded
        if not len(hkl):
            return np.zeros((len(self.g), 3), np.int64), np.zeros(len(self.g), bool)
        explained = matched[np.abs(representative) - 1] & (representative != 0)
        signed = hkl[np.abs(representative) - 1] * np.sign(representative)[:, None]
        return np.where(explained[:, None], signed, 0), explained
