# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What to_atoms was asked for, checked."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from hyperspy_t2t.composition.drawing import Arrangement

_CHOICES = {
    "calibration": ("reference", "nominal"),
    "arrangement": ("random", "columns"),
    "contrast": ("bright", "dark"),
    "faults": ("auto", None),
}

_THICKEST = 10_000
"""nm: no beam passes more, and no memory holds the atoms."""
_THICK = f"above 0 nm and up to {_THICKEST} nm"


@dataclass(frozen=True)
class AtomOptions:
    """Options of ``StrainMap.to_atoms``, see there."""

    thickness: float
    seed: int
    calibration: str
    beam_direction: str | float
    periodic: bool
    tilt: tuple[float, float]
    amorphous: Mapping[int, Any] | None
    faults: str | None
    passivate: bool
    vacuum: float
    arrangement: Arrangement
    order: float
    register: Any
    contrast: str

    def __post_init__(self) -> None:
        _check_number("thickness", self.thickness, _THICK, lambda t: 0 < t <= _THICKEST)
        _check_number("vacuum", self.vacuum, "of 0 nm or more", lambda v: v >= 0)
        _check_number("order", self.order, "from -1 to 1", lambda a: -1 <= a <= 1)
        if not isinstance(self.seed, Integral) or self.seed < 0:
            raise ValueError(
                f"Expected a seed that is a whole number from 0 on, got {self.seed!r}."
            )
        for name, known in _CHOICES.items():
            value = getattr(self, name)
            if not any(value is one or value == one for one in known):
                text = ", ".join(repr(one) for one in known)
                raise ValueError(f"Expected {name} to be one of {text}; got {value!r}.")
        for name in ("periodic", "passivate"):
            if not isinstance(getattr(self, name), (bool, np.bool_)):
                raise TypeError(
                    f"Expected {name} to be True or False, got {getattr(self, name)!r}."
                )
        self._check_beam_direction()
        self._check_tilt()
        self._check_amorphous()

    def _check_beam_direction(self) -> None:
        given = self.beam_direction
        if isinstance(given, str) and given in ("bulk", "elastic"):
            return
        if isinstance(given, str) or not isinstance(given, Real):
            raise ValueError(
                "Expected beam_direction 'bulk', 'elastic' or a strain along the beam "
                f"such as -0.005, got {given!r}."
            )
        _check_number(
            "beam_direction", given, "from -0.5 to 0.5", lambda s: -0.5 <= s <= 0.5
        )

    def _check_tilt(self) -> None:
        tilt = np.asarray(self.tilt, dtype=object)
        if tilt.shape != (2,) or not all(
            isinstance(angle, Real) and np.isfinite(float(angle)) for angle in tilt
        ):
            raise ValueError(
                "Expected tilt as two angles in degrees, about x and y, such as "
                f"(1.5, 0); got {self.tilt!r}."
            )

    def _check_amorphous(self) -> None:
        if self.amorphous is None:
            return
        if not isinstance(self.amorphous, Mapping) or not all(
            isinstance(label, Integral) for label in self.amorphous
        ):
            raise TypeError(
                "Expected amorphous as {label of a region: material}, for example "
                f"{{3: 'SiO2'}}; got {self.amorphous!r}."
            )

    def to_dict(self) -> dict[str, Any]:
        """For ``metadata.Processing``."""
        given = asdict(replace_images(self))
        return {**given, "tilt": list(self.tilt)}


def replace_images(options: AtomOptions) -> AtomOptions:
    """The options with a word in place of an image to register with."""
    from dataclasses import replace

    register = options.register
    if register is None or isinstance(register, str):
        return options
    return replace(options, register="a survey image")


def _check_number(name: str, value: Any, range_text: str, good: Any) -> None:
    if (
        isinstance(value, (bool, str))
        or not isinstance(value, Real)
        or not math.isfinite(value)
        or not good(value)
    ):
        raise ValueError(
            f"Expected a {name} {range_text}, as one number, got {value!r}."
        )
