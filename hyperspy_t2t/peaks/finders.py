# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Names of the finders of spots."""

from enum import IntFlag


class Finder(IntFlag):
    """Who saw a spot; the values add up."""

    STATISTICS = 1
    NETWORK = 2
    PROFILES = 4
    AVERAGE = 8
    LATTICE = 16
    HAND = 32
