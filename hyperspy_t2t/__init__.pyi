from . import data, frames, signals
from .calibration import CalibrationError
from .phases.library import library_phase, phase_names, phases_of_elements

__all__ = [
    "CalibrationError",
    "data",
    "frames",
    "library_phase",
    "phase_names",
    "phases_of_elements",
    "signals",
]
