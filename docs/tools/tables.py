"""Tables of the documentation that the package computes itself."""

import csv

import numpy as np

from hyperspy_t2t import frames


def write(folder):
    """Write every table as a CSV file into `folder`."""
    folder.mkdir(exist_ok=True)
    with (folder / "strain_conventions.csv").open("w", newline="") as file:
        csv.writer(file).writerows(strain_conventions())


def strain_conventions():
    """Header and rows: what each convention reads for known deformations."""
    cases = {
        "film, +10 % along y": np.diag([1.0, 1.1]),
        "film, −10 % along y": np.diag([1.0, 0.9]),
        "grain turned by +5°": frames.rotation_2d(np.radians(5)),
        "turned by +5°, +2 % along x and y": 1.02 * frames.rotation_2d(np.radians(5)),
    }
    yield "deformation", "convention", "exx (%)", "eyy (%)", "exy (%)", "rotation (°)"
    for name, deformation in cases.items():
        for convention in frames.CONVENTIONS:
            *strain, turn = frames.strain_components(deformation, convention=convention)
            numbers = [100 * value for value in strain] + [np.degrees(turn)]
            # Adding zero makes −0 plain.
            numbers = [f"{np.round(value, 2) + 0.0:.2f}" for value in numbers]
            yield name, f"``{convention}``", *numbers
            name = ""
