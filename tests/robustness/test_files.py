# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Nothing half-written, and nothing lost, when files cannot be written."""

import os

import dask.array as da
import hyperspy.api as hs
import numpy as np
import pytest

STAGES = ("micrograph", "segmented", "peaks", "strain", "atoms")


def content(folder):
    """Bytes of every file below a folder."""
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def interrupted(block):
    raise KeyboardInterrupt


def broken(signal):
    """A lazy copy of which no pixel can be computed."""
    data = da.from_array(np.asarray(signal.data), chunks=-1)
    nothing = np.empty((0,) * data.ndim, data.dtype)
    data = data.map_blocks(interrupted, dtype=data.dtype, meta=nothing)
    return signal.as_lazy()._deepcopy_with_new_data(data)


@pytest.mark.parametrize("suffix", ["hspy", "zspy"])
@pytest.mark.parametrize("stage", STAGES)
def test_interrupted_save(small, tmp_path, stage, suffix):
    signal, path = getattr(small, stage), tmp_path / f"x.{suffix}"
    signal.save(path)
    before = content(tmp_path)
    for target in (path, tmp_path / f"new.{suffix}"):
        with pytest.raises(KeyboardInterrupt):
            broken(signal).save(target, overwrite=True)
        assert content(tmp_path) == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", ["hspy", "zspy"])
def test_save_again(small, tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    peaks = small.peaks.deepcopy()
    peaks.save(path)
    peaks.metadata.General.title = "again"
    peaks.save(path, overwrite=False)
    assert hs.load(path).metadata.General.title != "again"
    peaks.save(overwrite=True)  # where it was saved before
    lazy = hs.load(path, lazy=True)
    assert lazy.metadata.General.title == "again"
    lazy.metadata.General.title = "from itself"
    lazy.save(path, overwrite=True)
    assert hs.load(path).metadata.General.title == "from itself"
    np.testing.assert_array_equal(hs.load(path).table, small.peaks.table)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_save_without_a_suffix_or_to_other_formats(small, tmp_path):
    small.peaks.save(tmp_path / "peaks")
    small.micrograph.deepcopy().save(tmp_path / "image.tif")
    small.micrograph.save(tmp_path / "copy", file_format="zspy")
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == ["copy.zspy", "image.tif", "peaks.hspy"]


def actions(small, folder, name):
    return {
        "hspy": lambda: small.peaks.save(folder / "x.hspy", overwrite=True),
        "zspy": lambda: small.peaks.save(folder / "x.zspy", overwrite=True),
        "xyz": lambda: small.atoms.write(folder / "x.xyz"),
        "ase": lambda: small.atoms.write(folder / "x.vasp"),
        "export": lambda: small.strain.export(
            folder, formats=("csv", "tif"), overwrite=True
        ),
    }[name]


WAYS = ["hspy", "zspy", "xyz", "ase", "export"]


@pytest.mark.parametrize("name", WAYS)
def test_places_that_take_no_file(small, answer, tmp_path, name):
    (tmp_path / "file").write_text("kept")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        act = actions(small, folder, name)
        with pytest.raises(OSError, match="Expected"):
            act()
    assert content(tmp_path) == {(tmp_path / "file").relative_to(tmp_path): b"kept"}


@pytest.mark.parametrize("name", WAYS)
def test_a_disk_that_fails_at_the_end(small, tmp_path, monkeypatch, name):
    act = actions(small, tmp_path, name)
    act()
    before = content(tmp_path)

    def fails(source, target):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fails)
        with pytest.raises(OSError, match="No space left"):
            act()
    assert content(tmp_path) == before


def test_write_refuses_a_folder_and_an_unknown_format(small, tmp_path):
    with pytest.raises(IsADirectoryError, match="Expected a file, got the folder"):
        small.atoms.write(tmp_path, format="xyz")
    with pytest.raises(ValueError, match=r"format that ase.io.write knows, got 'foo'"):
        small.atoms.write(tmp_path / "x.xyz", format="foo")
    assert not list(tmp_path.iterdir())
