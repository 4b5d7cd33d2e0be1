# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""TEM to Twin: from electron micrographs to digital twins, as a HyperSpy extension.

Importing this package gives every ``Signal2D`` the method ``segment``, with which
the chain starts. The signal classes themselves are found by HyperSpy without it.
"""

import lazy_loader as lazy

from hyperspy_t2t._segment_method import attach_segment

__version__ = "0.1.0.dev0"

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
del lazy

attach_segment()
