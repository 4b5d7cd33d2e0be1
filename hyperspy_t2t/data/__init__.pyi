from .displacements import (
    EdgeDislocation,
    GaussianBump,
    Gradient,
    Sum,
    Uniform,
    coherent_epitaxy,
    relaxed_epitaxy,
    strained,
)
from .real import gold_nanoparticles
from .scenes import scene, scene_names
from .synthetic import Region, synthetic_micrograph, vegard

__all__ = [
    "EdgeDislocation",
    "GaussianBump",
    "Gradient",
    "Region",
    "Sum",
    "Uniform",
    "coherent_epitaxy",
    "gold_nanoparticles",
    "relaxed_epitaxy",
    "scene",
    "scene_names",
    "strained",
    "synthetic_micrograph",
    "vegard",
]
