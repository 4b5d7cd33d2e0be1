# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The quality of the data, as methods of a StrainMap."""

from typing import Any

from hyperspy_t2t.signals._carried.mixin import SignalMixin


class StrainQuality(SignalMixin):
    """Whether the micrograph of a StrainMap is good enough."""

    metadata: Any

    def quality(self) -> dict[str, Any]:
        """What limits the strain of this map, as numbers and sentences.

        Returns
        -------
        dict
            ``fit_for_model``: "yes", "with care" or "no"; ``findings``: a sentence for
            each, with what to do; and groups of numbers, in nm, 1/nm and degrees:

            - ``sampling``: pixels per fringe, share of the Nyquist frequency
            - ``levels``: shares of missing, saturated and darkest pixels, faulty rows
            - ``banding``: offsets of the grey level of rows
            - ``signal``: fringes over noise, noise of the strain, resolution
            - ``scan``: jitter of the rows, what would have been seen, and drift; of the
              image as it was taken, also where ``correct_scan=True`` corrected it
            - ``distortion``: of the reference against its bulk cell, if indexed
            - ``fringes``: amplitude, noise and strain noise of each g, arrays

        Raises
        ------
        ValueError
            The map does not carry its micrograph, or is that of a stack.

        See Also
        --------
        report
        """
        from hyperspy_t2t.signals._strain.data_quality import quality_of

        return quality_of(self)

    def report(self) -> str:
        """Whether the micrograph is fit for a model, and why: :meth:`quality` in words.

        Returns
        -------
        str
            The verdict, then a line for each finding.

        Examples
        --------
        >>> import hyperspy_t2t.data
        >>> s = hyperspy_t2t.data.scene("single_crystal", shape=(256, 256), dose=50)
        >>> strain = s.segment().find_peaks().gpa()
        >>> strain.report().splitlines()[0]
        'Fit for a model: yes.'
        """
        from hyperspy_t2t.signals._strain.data_quality import text_of

        return text_of(self.quality())
