from .atomic_model import AtomicModel, LazyAtomicModel
from .fft_peak_set import FFTPeakSet, LazyFFTPeakSet
from .micrograph import LazyMicrograph, Micrograph
from .segmented_image import LazySegmentedImage, SegmentedImage
from .strain_map import LazyStrainMap, StrainMap

__all__ = [
    "AtomicModel",
    "FFTPeakSet",
    "LazyAtomicModel",
    "LazyFFTPeakSet",
    "LazyMicrograph",
    "LazySegmentedImage",
    "LazyStrainMap",
    "Micrograph",
    "SegmentedImage",
    "StrainMap",
]
