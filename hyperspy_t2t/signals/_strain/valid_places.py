# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Where the strain of a map is that of one lattice alone."""

from typing import Any

import numpy as np

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.signals._carried.source import Source
from hyperspy_t2t.signals._strain.fields import by_blocks, fields_of, when_needed
from hyperspy_t2t.strain.validity import unmixed, validity_block

_BORDER = 2.0
"""Standard deviations of the average within which a border counts."""


def valid_places(strain: Any, source: Source) -> Any:
    """1 where the strain is that of one lattice alone, else 0, on the pixels of source.

    Shape (ny, nx); lazy if the source is.
    """
    domains = list(strain._domains().values())
    places = []
    for domain in domains:
        grid = ImageGrid.from_dict(domain["grid"])
        members = tuple(np.asarray(domain["members"]).tolist())
        reach = _BORDER * float(domain["resolution"])
        places.append(unmixed(source.labels_at(grid), grid, members, reach=reach))
    fields = when_needed(source, fields_of, domains)
    return by_blocks(source, 1, validity_block, fields, places)[0]
