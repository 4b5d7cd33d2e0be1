# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Ready-made synthetic micrographs.

Each function returns the signal of
:func:`hyperspy_t2t.data.synthetic.synthetic_micrograph`, truth included, and hands
it every imaging option given (``shape``, ``pixel_size``, ``dose``, ``seed``, ...).
Outlines scale with the field, so that a smaller shape shows the same scene.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from hyperspy_t2t.array_types import Array
from hyperspy_t2t.data.displacements import (
    EdgeDislocation,
    Uniform,
    coherent_epitaxy,
    strained,
)
from hyperspy_t2t.data.synthetic import synthetic_micrograph
from hyperspy_t2t.data.synthetic_regions import Region, vegard
from hyperspy_t2t.phases.crystal_phase import CrystalPhase

if TYPE_CHECKING:
    from hyperspy.signals import Signal2D

Scene = Callable[..., "Signal2D"]
GE_ELASTIC_RATIO = 2 * 48.3 / 128.5
"""2 C12/C11 of Ge, in GPa: Niquet et al., Phys. Rev. B 79 (2009) 245201,
https://doi.org/10.1103/PhysRevB.79.245201."""


def scene_names() -> list[str]:
    """Names that :func:`scene` takes."""
    return list(_SCENES)


def scene(name: str, **overrides: Any) -> "Signal2D":
    """A ready-made synthetic micrograph with its truth.

    Parameters
    ----------
    name
        One of :func:`scene_names`.
    **overrides
        Options of the function of that name, and imaging options of
        :func:`~hyperspy_t2t.data.synthetic.synthetic_micrograph`.

    Examples
    --------
    >>> image = scene("two_layers", shape=(256, 256), dose=500.0, seed=1)
    >>> image.metadata.Truth.labels.shape
    (256, 256)
    """
    if name not in _SCENES:
        raise ValueError(
            f"Expected the name of a scene: {', '.join(_SCENES)}; got {name!r}."
        )
    return _SCENES[name](**overrides)


def single_crystal(
    *,
    phase: Any = "Si diamond",
    zone_axis: tuple[int, ...] = (1, 1, 0),
    rotation: float = 0.0,
    thickness: float = 10.0,
    **imaging: Any,
) -> "Signal2D":
    """One perfect crystal over the whole field, Si [110] by default.

    Parameters
    ----------
    phase, zone_axis, rotation, thickness
        As in :class:`~hyperspy_t2t.data.synthetic.Region`.
    **imaging
        Imaging options.
    """
    region = Region(phase, zone_axis, rotation, thickness=thickness, name="crystal")
    return _draw([region], imaging, title="Single crystal")


def two_layers(
    *, strain: float = 0.02, rotation: float = 5.0, **imaging: Any
) -> "Signal2D":
    """Si [110]: the upper half is the reference, the lower is strained and turned.

    (001) planes stand upright, ⟨001⟩ along x. The lower layer is a fifth thicker
    and so a little brighter. Noise-free unless a dose is given; 20 nm, 1024².

    Parameters
    ----------
    strain
        Uniform expansion of the lower layer, 0.02 for 2 %.
    rotation
        Of the lower layer in degrees from +x towards +y, as F = R(rotation)(1 + ε).
    **imaging
        Imaging options.
    """
    imaging = {"shape": (1024, 1024), "pixel_size": 0.02, **imaging}
    width, height = _field(imaging)
    lower = _band(height / 2, 2 * height, width)
    regions = [
        Region("Si diamond", (1, 1, 0), name="substrate"),
        Region(
            "Si diamond",
            (1, 1, 0),
            outline=lower,
            thickness=12.0,
            displacement=strained(
                strain, strain, rotation=rotation, origin=(width / 2, height / 2)
            ),
            name="layer",
        ),
    ]
    return _draw(regions, imaging, title="Two layers")


def quantum_well(
    *,
    buffer_ge: float = 0.7,
    well_ge: float = 0.97,
    well: tuple[float, float] = (0.35, 0.65),
    interface_width: float = 0.4,
    thickness: float = 30.0,
    **imaging: Any,
) -> "Signal2D":
    """SiGe/Ge/SiGe quantum well, coherent on the lower buffer, [110] zone axis.

    Si0.3Ge0.7 buffers and a Si0.03Ge0.97 well, grown along [001], up on screen
    (−y). All three regions are drawn from the lattice of the buffer, by Vegard's
    law; the well is stretched along the growth direction only, by
    f (1 + 2 C12/C11), f being the mismatch, and lifts the upper buffer rigidly.
    The composition passes over from buffer to well along a tanh profile, the strain
    changes at once. The elements are drawn atom by atom; the atomic fractions per
    pixel are in ``Truth.composition``. 20.5 nm, 1024².

    Parameters
    ----------
    buffer_ge, well_ge
        Fraction of Ge.
    well
        Top and bottom of the well as fractions of the image height.
    interface_width
        Distance in nm over which the composition goes from 12 % to 88 % of a step.
    thickness
        Along the beam in nm.
    **imaging
        Imaging options.
    """
    imaging = {"shape": (1024, 1024), "pixel_size": 0.02, **imaging}
    width, height = _field(imaging)
    top, bottom = well[0] * height, well[1] * height
    buffer, film = _silicon_germanium(buffer_ge), _silicon_germanium(well_ge)
    ge = _well_profile(buffer_ge, well_ge, top, bottom, interface_width)
    coherent = coherent_epitaxy(
        film.cell[0] / buffer.cell[0] - 1,
        elastic_ratio=GE_ELASTIC_RATIO,
        interface=(0.0, bottom),
    )
    lift = coherent.displacement(np.array([0.0, top]))
    layers = [
        ("lower buffer", None, Uniform()),
        ("well", _band(top, bottom, width), coherent),
        ("upper buffer", _band(-height, top, width), Uniform(translation=tuple(lift))),
    ]
    regions = [
        Region(
            buffer,
            (1, 1, 0),
            rotation=-90.0,
            outline=outline,
            thickness=thickness,
            displacement=displacement,
            composition={"Ge": {"Ge": ge, "Si": lambda r: 1 - ge(r)}},
            origin=(0.0, bottom),
            name=name,
        )
        for name, outline, displacement in layers
    ]
    return _draw(regions, imaging, title="SiGe quantum well")


def nanoparticles(*, particles: int = 4, **imaging: Any) -> "Signal2D":
    """Au particles in different orientations on amorphous carbon beside vacuum.

    The carbon film ends along a slanted edge; the particles sit along it, partly
    over the vacuum, and the carbon is drawn beneath them as well. 25.6 nm, 1024².

    Parameters
    ----------
    particles
        How many.
    **imaging
        Imaging options; the seed also chooses shapes and orientations.
    """
    imaging = {
        "shape": (1024, 1024), "pixel_size": 0.025, "probe_size": 0.05, **imaging
    }  # fmt: skip
    width, height = _field(imaging)
    size = np.array([width, height])
    rng = np.random.default_rng([imaging.get("seed", 0), 1])
    film = size * [
        (-1, 0.62),
        (0.3, 0.55),
        (0.7, 0.66),
        (1, 0.5),
        (2, 0.5),
        (2, 2),
        (-1, 2),
    ]
    regions = [Region("amorphous", outline=film, thickness=12.0, name="carbon")]
    zones = [(1, 1, 0), (0, 0, 1), (1, 1, 1), (1, 1, 2)]
    for number in range(particles):
        across = (number + 0.7) / (particles + 0.4)
        centre = size * [across, 0.58 + 0.1 * (-1) ** number]
        radius = 0.55 * width / particles * rng.uniform(0.8, 1.0)
        regions.append(
            Region(
                "Au fcc",
                zones[number % len(zones)],
                rotation=float(rng.uniform(0, 90)),
                outline=_polygon(centre, radius, 8, rng),
                thickness=3.0,
                origin=tuple(centre),
                overlay=True,
                name=f"particle {number + 1}",
            )
        )
    return _draw(regions, imaging, title="Au nanoparticles on carbon")


def edge_dislocation(*, poisson: float = 0.28, **imaging: Any) -> "Signal2D":
    """Edge dislocation in the middle of Si [110], Burgers vector ½[−110] along x.

    It is turned by 90°, so that [001] points along +y. 15.4 nm, 768².

    Parameters
    ----------
    poisson
        Poisson ratio.
    **imaging
        Imaging options.
    """
    from hyperspy_t2t.phases.library import library_phase

    imaging = {"shape": (768, 768), "pixel_size": 0.02, **imaging}
    width, height = _field(imaging)
    silicon = library_phase("Si diamond")
    burgers = silicon.cell[0] / 10 / np.sqrt(2)
    centre = (width / 2 + 0.04, height / 2 + 0.03)
    region = Region(
        silicon,
        (1, 1, 0),
        rotation=90.0,
        displacement=EdgeDislocation((burgers, 0.0), centre, poisson),
        name="crystal",
    )
    return _draw([region], imaging, title="Edge dislocation")


def hexagonal(*, rotation: float = 17.0, **imaging: Any) -> "Signal2D":
    """ZnO wurtzite along [11-20], turned in the plane; 512² at 0.02 nm.

    Parameters
    ----------
    rotation
        Degrees from +x towards +y; at 0 the c axis lies along +x.
    **imaging
        Imaging options.
    """
    region = Region("ZnO wurtzite", (1, 1, -2, 0), rotation=rotation, name="crystal")
    return _draw([region], imaging, title="Wurtzite")


def polycrystal(
    *,
    grains: int = 6,
    phase: Any = "Au fcc",
    zone_axis: tuple[int, ...] = (1, 1, 0),
    **imaging: Any,
) -> "Signal2D":
    """Grains of one phase and zone axis turned at random; 20.5 nm, 1024².

    The outlines are the Voronoi cells of random points.

    Parameters
    ----------
    grains
        How many.
    phase, zone_axis
        Of all grains.
    **imaging
        Imaging options; the seed also chooses the grains.
    """
    imaging = {"shape": (1024, 1024), "pixel_size": 0.02, **imaging}
    rng = np.random.default_rng([imaging.get("seed", 0), 2])
    regions = [
        Region(
            phase,
            zone_axis,
            rotation=float(rng.uniform(0, 180)),
            outline=cell,
            thickness=float(rng.uniform(9, 11)),
            name=f"grain {number + 1}",
        )
        for number, cell in enumerate(
            voronoi_cells(grains, np.array(_field(imaging)), rng)
        )
    ]
    return _draw(regions, imaging, title="Polycrystal")


_SCENES: dict[str, Scene] = {
    function.__name__: function
    for function in (
        single_crystal,
        two_layers,
        quantum_well,
        nanoparticles,
        edge_dislocation,
        hexagonal,
        polycrystal,
    )
}


def _draw(regions: list[Region], imaging: dict[str, Any], *, title: str) -> "Signal2D":
    return synthetic_micrograph(regions, **{"title": title, **imaging})


def _field(imaging: dict[str, Any]) -> tuple[float, float]:
    """Nominal width and height in nm."""
    pixel = np.broadcast_to(imaging["pixel_size"], 2)
    return float(imaging["shape"][1] * pixel[0]), float(imaging["shape"][0] * pixel[1])


def _silicon_germanium(ge: float) -> CrystalPhase:
    """Ge lattice with the cell of an alloy by Vegard's law."""
    from hyperspy_t2t.phases.library import library_phase

    silicon, germanium = library_phase("Si diamond"), library_phase("Ge diamond")
    return vegard(germanium, silicon, 1 - ge, name=f"Si{1 - ge:.2f}Ge{ge:.2f}")


def _well_profile(
    outside: float, inside: float, top: float, bottom: float, width: float
) -> Callable[[Array], Array]:
    """Fraction at points (n, 2) in nm that steps twice, along tanh profiles."""

    def fraction(r: Array) -> Array:
        rise = np.tanh(2 * (r[:, 1] - top) / width)
        fall = np.tanh(2 * (r[:, 1] - bottom) / width)
        return outside + (inside - outside) * 0.5 * (rise - fall)

    return fraction


def _band(top: float, bottom: float, width: float) -> Array:
    """Layer between two heights that reaches far past both sides, (4, 2) nm."""
    left, right = -width, 2 * width
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])


def _polygon(
    centre: Array, radius: float, corners: int, rng: np.random.Generator
) -> Array:
    """Slightly irregular polygon, (corners, 2) nm."""
    angle = 2 * np.pi * (np.arange(corners) + rng.uniform(0, 1)) / corners
    reach = radius * rng.uniform(0.85, 1.0, corners)
    return centre + reach[:, None] * np.stack([np.cos(angle), np.sin(angle)], -1)


def voronoi_cells(count: int, size: Array, rng: np.random.Generator) -> list[Array]:
    """Voronoi cells of random points in a field, (n, 2) nm each.

    The points are mirrored a quarter of a field outside each edge, which closes the
    cells there.
    """
    from scipy.spatial import Voronoi

    rank = np.stack([rng.permutation(count), np.arange(count)], -1)
    points = (rank + rng.random((count, 2))) / count
    mirrored = [points]
    for axis in (0, 1):
        for edge in (-0.25, 1.25):
            copy = points.copy()
            copy[:, axis] = 2 * edge - copy[:, axis]
            mirrored.append(copy)
    diagram = Voronoi(np.concatenate(mirrored))
    return [
        diagram.vertices[diagram.regions[diagram.point_region[number]]] * size
        for number in range(count)
    ]
