# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The order of the examples."""


class FirstHourFirst:
    """Sort key of Sphinx-Gallery: the page for beginners, then all by name."""

    def __init__(self, src_dir: str) -> None:
        pass

    def __call__(self, filename: str) -> tuple[bool, str]:
        return filename != "first_hour.py", filename
