# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Synthetic scanning-TEM micrographs with known truth."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.data import synthetic_columns as columns
from hyperspy_t2t.data import synthetic_truth as truth
from hyperspy_t2t.data.synthetic_regions import Region, contrast, labels_at, vegard
from hyperspy_t2t.data.synthetic_scan import Scan, expose, render

if TYPE_CHECKING:
    from hyperspy.signals import Signal2D

__all__ = [
    "Region", "Scan", "Specimen", "specimen_columns", "synthetic_arrays",
    "synthetic_micrograph", "vegard",
]  # fmt: skip
CHUNK = 2048
FRAMES = (
    "labels, strain, deformation_gradient, displacement and composition are given "
    "per pixel, at the point of the true specimen frame that the pixel sampled; x "
    "right, y down, nm, angles from +x towards +y. columns is in the nominal image "
    "frame, columns_specimen in the true one. g_reference and g are in the true "
    "specimen frame, g_image in the nominal image; 1/nm, no 2 pi. "
    "specimen position = specimen_from_image @ nominal position + (row_jitter, 0)."
)
COLUMN_NAMES = "x (nm), y (nm), region, intensity"


@dataclass(frozen=True, eq=False)
class Specimen:
    """All atoms or atomic columns to be drawn.

    Parameters
    ----------
    r
        Positions in the true specimen frame in nm, (n, 2).
    label
        Region number + 1, (n,).
    intensity
        Sum of Z^1.7 over the atoms, (n,).
    """

    r: Array
    label: Ints
    intensity: Array


def synthetic_micrograph(
    regions: Sequence[Region],
    *,
    shape: tuple[int, int] = (512, 512),
    pixel_size: float | tuple[float, float] = 0.02,
    probe_size: float = 0.04,
    dose: float | None = None,
    detector_noise: float = 0.0,
    row_jitter: float = 0.0,
    drift: tuple[float, float] = (0.0, 0.0),
    scale_error: float | tuple[float, float] = 0.0,
    skew: float = 0.0,
    background: float = 0.0,
    thickness_gradient: tuple[float, float] = (0.0, 0.0),
    seed: int = 0,
    title: str = "Synthetic micrograph",
) -> "Signal2D":
    """Draw an annular-dark-field micrograph of crystals and tell all about it.

    Each atomic column is a Gaussian of the probe's size whose integral is the sum of
    Z^1.7 over its atoms; each pixel takes the value at the very point its probe
    stood, so that drift, jitter and a wrong scale are exact.

    Parameters
    ----------
    regions
        Later ones overwrite earlier ones. Where there is none, there is vacuum.
    shape
        (rows, columns).
    pixel_size
        Nominal pixel in nm, one number or (x, y); it is what the axes say.
    probe_size
        Standard deviation of the probe in nm, in the specimen.
    dose
        Mean counts per pixel with Poisson noise. None: no counting noise, values
        are intensity per nm².
    detector_noise
        Standard deviation of Gaussian noise as a fraction of the mean level.
    row_jitter
        Root mean square shift of each row along x, in pixels.
    drift
        How far the specimen moves in (x, y) during the frame, in nm.
    scale_error
        e or (ex, ey): the true pixel is (1 + e) times the nominal one, so that a
        true length L appears as L/(1 + e).
    skew
        Degrees by which the slow scan direction leans from +y towards +x.
    background
        Constant added, as a fraction of the mean signal.
    thickness_gradient
        (direction in degrees from +x towards +y, relative change over the field).
    seed
        Of alloy disorder, amorphous atoms, jitter and noise.
    title
        Of the signal.

    Returns
    -------
    Signal2D
        float32, axes x and y in nm with pixel (0, 0) at (0, 0). Its metadata node
        ``Truth`` holds, as strings, numbers, arrays and dask arrays:

        labels
            int32 (ny, nx), number of the region + 1.
        strain
            ``reference`` and ``gpa``, (4, ny, nx): exx, eyy, exy, rotation in
            radians in both conventions (:func:`frames.strain_components`).
        deformation_gradient, displacement
            F (2, 2, ny, nx) and u (2, ny, nx) in nm, relative to the undistorted
            lattice of the pixel's own region.
        composition
            {element: atomic fraction (ny, nx)}, where a region is an alloy.
        columns
            (n, 4): x and y in nm in the nominal image, label, intensity (n atoms
            of the field; amorphous ones are left out); with jitter, x is the
            centre of mass over the rows that a column covers.
        columns_specimen
            (n, 2): the same columns in the true specimen frame.
        regions
            ``region_1`` and so on: kind, name, phase (as from
            ``CrystalPhase.to_dict``), zone_axis, rotation in degrees,
            crystal_to_image (3, 3), displacement as text, and of every reflection
            up to Nyquist hkl, g_reference, g, g_image (n, 2) in 1/nm and strength.
            g is the mean over the region where it varies.
        imaging, seed, frame, specimen_from_image, row_jitter
            How it was made; the last two in nm per nm and nm per row.

        Maps, g_reference and g are in the TRUE specimen frame, taken where each
        pixel's probe really stood; columns and g_image in the NOMINAL image. With
        no drift, jitter, skew or scale error the two frames are one. A deformation
        gradient F reads A⁻¹ F A in an image with specimen_from_image A. Truth
        describes the whole image and stays whole when the signal is cropped.

    References
    ----------
    Kirkland, Advanced Computing in Electron Microscopy (2010),
    https://doi.org/10.1007/978-1-4419-6533-2 (incoherent imaging).
    """
    from hyperspy.signals import Signal2D

    scan = Scan(
        shape=(int(shape[0]), int(shape[1])),
        pixel_size=_pair(pixel_size),
        probe_size=probe_size,
        scale_error=_pair(scale_error),
        skew=skew,
        drift=_pair(drift),
        row_jitter=row_jitter,
        dose=dose,
        detector_noise=detector_noise,
        background=background,
        thickness_gradient=_pair(thickness_gradient),
        seed=seed,
    )
    image, known = synthetic_arrays(list(regions), scan)
    metadata = {
        "General": {"title": title},
        "Signal": {"quantity": "Intensity" if dose is None else "Counts"},
        "Truth": _as_dask(known),
    }
    return Signal2D(image, axes=_axes(scan), metadata=metadata)


def synthetic_arrays(regions: list[Region], scan: Scan) -> tuple[Array, dict[str, Any]]:
    """The image, float32 (ny, nx), and its truth as a dictionary of numpy arrays.

    Parameters
    ----------
    regions
        Later ones overwrite earlier ones.
    scan
        Imaging conditions.

    Returns
    -------
    tuple
        Image and truth, as in :func:`synthetic_micrograph`.
    """
    streams = np.random.SeedSequence(scan.seed).spawn(len(regions) + 2)
    jitter = scan.jitter(np.random.default_rng(streams[-1]))
    row_x, row_y = scan.rows(jitter)
    generators = [np.random.default_rng(stream) for stream in streams[:-2]]
    specimen = specimen_columns(regions, scan, scan.field(row_x, row_y), generators)
    signal = render(
        scan.shape,
        specimen.r,
        specimen.intensity,
        row_x=row_x,
        row_y=row_y,
        step=scan.step,
        sigma=scan.probe_size,
    )
    image, factor = expose(signal, scan, np.random.default_rng(streams[-2]))
    known = {
        "frame": FRAMES,
        "seed": int(scan.seed),
        "specimen_from_image": scan.matrix,
        "row_jitter": jitter,
        "imaging": _imaging(scan, factor),
        **_column_tables(regions, specimen, scan, jitter),
        **_pixel_truth(regions, scan, row_x, row_y),
    }
    return image.astype(np.float32), known


def specimen_columns(
    regions: list[Region],
    scan: Scan,
    field: Array,
    generators: list[np.random.Generator],
) -> Specimen:
    """Columns and atoms of all regions in the field, where later ones don't cover.

    Parameters
    ----------
    regions, scan
        As in :func:`synthetic_arrays`.
    field
        Box ((x0, y0), (x1, y1)) in nm in the true specimen frame, (2, 2).
    generators
        One for each region.
    """
    parts = []
    for index, (region, rng) in enumerate(zip(regions, generators, strict=True)):
        box: Array | None = field
        if region.outline is not None:
            box = columns.clipped_box(np.asarray(region.outline, float), field)
        if box is None or region.kind == "vacuum":
            continue
        ramp = columns.thickness_ramp(region.thickness, *scan.thickness_gradient, field)
        place = _random_atoms if region.kind == "amorphous" else _columns
        r, kind = place(region, box, ramp, rng)
        keep = labels_at(regions, r, first=index) == index + 1
        r, label = r[keep], np.full(int(keep.sum()), index + 1, np.int32)
        parts.append(Specimen(r, label, _intensities(region, r, kind[keep], ramp, rng)))
    if not parts:
        return Specimen(np.empty((0, 2)), np.empty(0, np.int32), np.empty(0))
    return Specimen(
        np.concatenate([part.r for part in parts]),
        np.concatenate([part.label for part in parts]),
        np.concatenate([part.intensity for part in parts]),
    )


def _projection(region: Region) -> columns.Projection:
    phase = region.crystal
    return columns.project(
        phase.lattice / 10,
        _symbols(region),
        phase.fractional,
        phase.occupancy,
        region.zone_axis,
        region.crystal_to_image,
    )


def _symbols(region: Region) -> list[str]:
    from ase.data import chemical_symbols

    return [chemical_symbols[number] for number in region.crystal.numbers]


def _columns(
    region: Region, box: Array, ramp: columns.Thickness, rng: np.random.Generator
) -> tuple[Array, Ints]:
    """Columns of a crystalline region in a box, and which of the plane cell's."""
    return columns.column_positions(
        _projection(region), region.origin, region.displacement, box
    )


def _random_atoms(
    region: Region, box: Array, ramp: columns.Thickness, rng: np.random.Generator
) -> tuple[Array, Ints]:
    """Atoms of an amorphous region in a box; all of one kind.

    In a wedge, atoms that lie above the local thickness are left out.
    """
    corners = np.array([(x, y) for x in box[:, 0] for y in box[:, 1]])
    atoms = columns.amorphous_atoms(
        box, float(ramp(corners).max()), region.density, region.minimum_distance, rng
    )
    r = atoms[atoms[:, 2] <= ramp(atoms[:, :2]), :2]
    return r, np.zeros(len(r), np.int64)


def _intensities(
    region: Region,
    r: Array,
    kind: Ints,
    ramp: columns.Thickness,
    rng: np.random.Generator,
) -> Array:
    """Sum of Z^1.7 over the atoms at each position."""
    if region.kind == "crystalline":
        return columns.column_intensities(
            _projection(region), region.composition, r, kind, ramp(r), rng
        )
    symbols, fractions = region.fractions(region.element, r)
    weights = np.array([contrast(symbol) for symbol in symbols])
    drawn = rng.random((len(r), 1)) > np.cumsum(fractions, axis=1)[:, :-1]
    return weights[drawn.sum(axis=1)]


def _column_tables(
    regions: list[Region], specimen: Specimen, scan: Scan, jitter: Array
) -> dict[str, Any]:
    """Tables of the crystalline columns whose centres are in the image."""
    crystalline = [i + 1 for i, reg in enumerate(regions) if reg.kind == "crystalline"]
    nominal = scan.nominal(specimen.r, jitter)
    pixel = nominal / scan.pixel_size
    limit = np.array(scan.shape[::-1]) - 0.5
    keep = ((pixel >= -0.5) & (pixel < limit)).all(axis=1)
    keep &= np.isin(specimen.label, crystalline)
    table = np.column_stack([nominal, specimen.label, specimen.intensity])
    return {
        "columns": table[keep],
        "columns_names": COLUMN_NAMES,
        "columns_specimen": specimen.r[keep],
    }


def _pixel_truth(
    regions: list[Region], scan: Scan, row_x: Array, row_y: Array
) -> dict[str, Any]:
    """Maps and region dictionaries."""
    rows = (row_x, row_y, scan.step)
    labels = truth.label_raster(regions, scan.shape, *rows)
    maps = truth.distortion_maps(regions, labels, *rows)
    known: dict[str, Any] = {
        "labels": labels,
        "deformation_gradient": maps["deformation_gradient"],
        "displacement": maps["displacement"],
        "strain": {"reference": maps["reference"], "gpa": maps["gpa"]},
        "regions": {
            f"region_{index + 1}": _region_truth(
                region, index + 1, labels, maps["gpa"], scan, rows
            )
            for index, region in enumerate(regions)
        },
    }
    if any(region.composition for region in regions):
        known["composition"] = truth.composition_maps(regions, labels, *rows)
    return known


def _region_truth(
    region: Region,
    label: int,
    labels: truth.Labels,
    gpa: Array,
    scan: Scan,
    rows: tuple[Array, Array, float],
) -> dict[str, Any]:
    """What is known of one region."""
    known: dict[str, Any] = {
        "label": label,
        "kind": region.kind,
        "name": region.name,
        "thickness": float(region.thickness),
    }
    if region.kind == "amorphous":
        known |= {
            "element": region.element,
            "density": float(region.density),
            "minimum_distance": float(region.minimum_distance),
        }
    if region.kind != "crystalline":
        return known
    return known | {
        "phase": region.crystal.to_dict(),
        "zone_axis": np.array(region.zone_axis),
        "rotation": float(region.rotation),
        "origin": np.array(region.origin, float),
        "crystal_to_image": region.crystal_to_image,
        "displacement": repr(region.displacement),
        **_peaks(region, label, labels, gpa, scan, rows),
    }


def _peaks(
    region: Region,
    label: int,
    labels: truth.Labels,
    gpa: Array,
    scan: Scan,
    rows: tuple[Array, Array, float],
) -> dict[str, Array]:
    """Reflections of a crystalline region."""
    points = truth.sample_points(labels, label, *rows)
    return truth.reflections(
        _projection(region),
        region.crystal.fractional,
        truth.site_weights(region, _symbols(region), points),
        reciprocal=region.crystal.reciprocal_lattice,
        crystal_to_image=region.crystal_to_image,
        gradient=truth.mean_gradient(region, label, labels, gpa),
        image_matrix=scan.matrix,
        nyquist=0.5 / np.array(scan.pixel_size),
        probe_size=scan.probe_size,
    )


def _imaging(scan: Scan, factor: float) -> dict[str, Any]:
    """Imaging conditions as numbers and arrays; a dose of None becomes 0."""
    values = {
        name: np.array(value) if isinstance(value, tuple) else value
        for name, value in asdict(scan).items()
    }
    return values | {"dose": float(scan.dose or 0.0), "counts_per_intensity": factor}


def _axes(scan: Scan) -> list[dict[str, Any]]:
    """Nominally calibrated axes y and x, as HyperSpy takes them."""
    return [
        {"name": name, "size": size, "scale": scale, "units": "nm", "navigate": False}
        for name, size, scale in zip(
            "yx", scan.shape, scan.pixel_size[::-1], strict=True
        )
    ]


def _as_dask(value: Any) -> Any:
    """Wrap the per-pixel arrays of a truth dictionary in chunked dask arrays."""
    import dask.array as da

    if isinstance(value, dict):
        return {key: _as_dask(item) for key, item in value.items()}
    is_map = isinstance(value, np.ndarray) and value.dtype in (np.float32, np.int32)
    if not is_map:
        return value
    chunks = (*value.shape[:-2], CHUNK, CHUNK)
    return da.from_array(value, chunks=chunks, name=False)


def _pair(value: npt.ArrayLike) -> tuple[float, float]:
    """One number or (x, y) as two floats."""
    values = np.asarray(value, float)
    if values.shape not in ((), (2,)) or not np.isfinite(values).all():
        raise ValueError(f"Expected one finite number or (x, y); got {value!r}.")
    x, y = np.broadcast_to(values, 2)
    return float(x), float(y)
