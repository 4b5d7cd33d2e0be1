# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What vibrational_dos was asked for, checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

from hyperspy_t2t.arguments import as_numbers

_CHOICES = {"method": ("kpm", "haydock", "exact"), "per": ("group", "atom")}
FEWEST_MOMENTS = 16


@dataclass(frozen=True)
class VibrationOptions:
    """Options of ``AtomicModel.vibrational_dos``, see there."""

    per: str
    method: str
    moments: int
    vectors: int | None
    energies: Any
    resolution: float | None
    isotopes: str | Mapping[str, Any]
    constants: Mapping[tuple[str, str], tuple[float, float, float]] | None
    seed: int
    device: str
    show_progressbar: bool | None

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                text = ", ".join(repr(one) for one in known)
                raise ValueError(
                    f"Expected {name} to be one of {text}; got {getattr(self, name)!r}."
                )
        if self.moments < FEWEST_MOMENTS or self.moments % 2:
            raise ValueError(
                f"Expected an even number of moments of {FEWEST_MOMENTS} or more, got "
                f"{self.moments!r}."
            )
        if self.vectors is not None and self.vectors < 1:
            raise ValueError(f"Expected 1 vector or more, got {self.vectors!r}.")
        if self.resolution is not None and not self.resolution > 0:
            raise ValueError(
                "Expected a resolution (FWHM) above 0 meV, or None, got "
                f"{self.resolution!r} meV."
            )
        if not isinstance(self.seed, Integral) or self.seed < 0:
            raise ValueError(
                f"Expected a seed that is a whole number from 0 on, got {self.seed!r}."
            )
        if self.energies is not None:
            self._check_energies()
        if not isinstance(self.isotopes, (str, Mapping)):
            raise TypeError(
                "Expected isotopes as 'average', 'natural' or a mapping such as "
                f"{{'Si': 28}}, got {self.isotopes!r:.80}."
            )

    def _check_energies(self) -> None:
        numbers = as_numbers(self.energies)
        energies = np.empty(0) if numbers is None else numbers
        steps = np.diff(energies) if energies.ndim == 1 else np.empty(0)
        if not steps.size or not steps[0] > 0 or np.ptp(steps) > 1e-6 * steps[0]:
            raise ValueError(
                "Expected two or more energies in meV that ascend in even steps, got "
                f"shape {energies.shape}"
                + (
                    f", steps {steps.min():g} to {steps.max():g} meV."
                    if steps.size
                    else "."
                )
            )
