# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""A real micrograph, shipped with the package."""

from pathlib import Path
from typing import Any

GOLD_FILE = Path(__file__).parent / "example_Au_nanoparticle.emd"


def gold_nanoparticles(*, lazy: bool = False) -> Any:
    """Gold nanoparticles on a dark support: HAADF-STEM, 300 kV, 2048² pixels.

    Parameters
    ----------
    lazy
        Whether to open it lazily.

    Returns
    -------
    Micrograph
        Nominally 7.498 pm per pixel; the lattice spacings of gold show that the
        true pixel is several per cent larger.

    Notes
    -----
    From temul-toolkit 0.1.9 by Eoghan O'Connell and Michael Hennessy,
    GPL-3.0, https://doi.org/10.5281/zenodo.3832143.
    """
    import hyperspy.api as hs

    return hs.load(GOLD_FILE, lazy=lazy, signal_type="micrograph")
