# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The base of classes that are mixed into signals, for type checkers only."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hyperspy.signal import BaseSignal as SignalMixin
else:
    SignalMixin = object  # HyperSpy is imported by the signals themselves

__all__ = ["SignalMixin"]
