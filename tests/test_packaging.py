"""What HyperSpy and pip see of the package."""

import importlib
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import hyperspy_t2t

PACKAGE = Path(hyperspy_t2t.__file__).parent
ROOT = PACKAGE.parent
EXTENSION_FILE = "hyperspy_extension.yaml"
SIGNALS = yaml.safe_load((PACKAGE / EXTENSION_FILE).read_text("utf-8"))["signals"]
HEAVY = {
    "ase",
    "diffsims",
    "exspy",
    "matplotlib.pyplot",
    "numba",
    "orix",
    "skimage",
    "spglib",
    "torch",
}

CONDA_NAMES = {
    "dask": "dask-core",  # with numpy, which is there, all that dask[array] needs
    "hyperspy": "hyperspy-base",  # without the widgets, as with pip
    "lazy_loader": "lazy-loader",
    "matplotlib": "matplotlib-base",  # without Qt, as with pip
    "torch": "pytorch",
}
"""Packages that conda-forge has under another name than PyPI."""

IMPORT_NAMES = {"scikit-image": "skimage", "rosettasciio": "rsciio"}
NOT_REQUIRED = {
    "diffpy",  # comes with orix
    "mpl_toolkits",  # comes with matplotlib
    "IPython", "ipywidgets",  # in notebooks only
    "transformers",  # the extra "sam"
}  # fmt: skip

needs_source_tree = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").exists(), reason="installed without its source tree"
)


def _run_python(code: str) -> str:
    """Standard output of `code` in a fresh interpreter."""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def _pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def _recipe() -> dict:
    """The conda recipe, with the values of its context put in."""
    text = (ROOT / "conda" / "recipe.yaml").read_text("utf-8")
    for name, value in yaml.safe_load(text)["context"].items():
        text = text.replace(f"${{{{ {name} }}}}", value)
    return yaml.safe_load(text)


def _bounds(lines: list[str]) -> dict[str, SpecifierSet]:
    """{package: versions} of requirements as pip and conda write them."""
    found = [Requirement(line) for line in lines]
    return {requirement.name: requirement.specifier for requirement in found}


def _names(signals: dict) -> set[str]:
    """Signal types and aliases in lower case, as HyperSpy would confuse them."""
    types = {entry["signal_type"] for entry in signals.values()}
    aliases = {
        alias
        for entry in signals.values()
        for alias in entry.get("signal_type_aliases", [])
    }
    return {name.lower() for name in types | aliases}


@needs_source_tree
def test_the_two_extension_files_are_byte_identical():
    root = (ROOT / EXTENSION_FILE).read_bytes()
    assert root == (PACKAGE / EXTENSION_FILE).read_bytes()


@needs_source_tree
def test_no_extension_file_is_a_link():
    # A link in the package would be a text file in a checkout on Windows.
    for folder in (ROOT, PACKAGE):
        assert not (folder / EXTENSION_FILE).is_symlink()


def test_entry_point_has_the_name_hyperspy_looks_up():
    points = entry_points(group="hyperspy.extensions", name="hyperspy_t2t")
    assert {point.value for point in points} == {"hyperspy_t2t"}


@needs_source_tree
def test_citation_has_the_version_of_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == hyperspy_t2t.__version__


@needs_source_tree
def test_what_is_imported_is_required():
    pattern = re.compile(r"^ *(?:import (\w+)|from (\w+)[\w.]* import)", re.MULTILINE)
    imported = {
        first or second
        for path in PACKAGE.rglob("*.py")
        for first, second in pattern.findall(path.read_text("utf-8"))
    }
    required = {IMPORT_NAMES.get(name, name) for name in _bounds(_dependencies())}
    others = imported - required - set(sys.stdlib_module_names) - {"hyperspy_t2t"}
    assert others <= NOT_REQUIRED


def _dependencies() -> list[str]:
    return _pyproject()["project"]["dependencies"]


@needs_source_tree
def test_ci_installs_the_lower_bounds():
    project = _pyproject()["project"]
    promised = _bounds(project["dependencies"])
    for extra in ("sam", "tests"):
        promised |= _bounds(project["optional-dependencies"][extra])
    text = (ROOT / ".github" / "minimum-constraints.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    installed = dict(line.split("==") for line in lines)
    # "distributed" comes with dask, in step with it.
    assert installed.pop("distributed") == installed["dask"]

    lowest = {name: _lowest(versions) for name, versions in promised.items()}
    assert {name: Version(one) for name, one in installed.items()} == lowest


def _lowest(versions: SpecifierSet) -> Version:
    """The bound of a requirement that has a lower bound and no upper one."""
    assert [bound.operator for bound in versions] == [">="]
    return Version(next(iter(versions)).version)


@needs_source_tree
def test_conda_recipe_requires_what_pip_does():
    pyproject, recipe = _pyproject(), _recipe()
    project = pyproject["project"]
    pip = _bounds([*project["dependencies"], f"python{project['requires-python']}"])
    conda = _bounds(recipe["requirements"]["run"])
    assert conda == {CONDA_NAMES.get(name, name): pip[name] for name in pip}

    built_with = {line.replace(" ", "") for line in recipe["requirements"]["host"]}
    assert built_with >= set(pyproject["build-system"]["requires"])


@needs_source_tree
def test_conda_recipe_describes_this_package():
    project, recipe = _pyproject()["project"], _recipe()
    version = Version(hyperspy_t2t.__version__).base_version
    assert recipe["package"] == {"name": "hyperspy-t2t", "version": version}
    assert recipe["source"]["url"].endswith(f"{project['name']}-{version}.tar.gz")
    assert recipe["about"]["license"] == project["license"]
    assert project["license-files"] == [recipe["about"]["license_file"]]


@needs_source_tree
def test_supported_pythons_are_tested():
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text("utf-8")
    tested = yaml.safe_load(workflow)["jobs"]["tests"]["strategy"]["matrix"]["python"]
    project = _pyproject()["project"]
    named = [
        line.removeprefix("Programming Language :: Python :: ")
        for line in project["classifiers"]
        if line.startswith("Programming Language :: Python :: 3.")
    ]
    assert named == tested
    assert project["requires-python"] == f">={tested[0]}"


@pytest.mark.parametrize("name", SIGNALS)
def test_class_agrees_with_its_registration(name):
    entry = SIGNALS[name]
    signal_class = getattr(importlib.import_module(entry["module"]), name)

    assert signal_class.__name__ == name
    assert signal_class._signal_type == entry["signal_type"]
    assert signal_class._signal_dimension == entry["signal_dimension"]
    assert signal_class._dtype == entry["dtype"]
    assert signal_class._lazy is entry["lazy"]
    assert signal_class._alias_signal_types == entry.get("signal_type_aliases", [])


@pytest.mark.parametrize("name", [name for name in SIGNALS if "Lazy" + name in SIGNALS])
def test_lazy_twin_differs_in_laziness_only(name):
    eager, lazy = SIGNALS[name], SIGNALS["Lazy" + name]
    assert lazy == eager | {"lazy": True}
    assert not eager["lazy"]


def test_every_class_has_a_lazy_twin():
    eager = {name for name, entry in SIGNALS.items() if not entry["lazy"]}
    assert SIGNALS.keys() == eager | {"Lazy" + name for name in eager}


def test_names_are_not_taken_by_another_extension():
    # HyperSpy lets the last class of a name win, without a word.
    packages = {point.name for point in entry_points(group="hyperspy.extensions")}
    for package in (packages | {"hyperspy"}) - {"hyperspy_t2t"}:
        folder = Path(find_spec(package).origin).parent
        registered = yaml.safe_load((folder / EXTENSION_FILE).read_text("utf-8"))
        signals = registered.get("signals") or {}
        assert not SIGNALS.keys() & signals.keys(), package
        assert not _names(SIGNALS) & _names(signals), package


def test_import_leaves_heavy_modules_alone():
    loaded = "import sys, hyperspy_t2t; print(*sys.modules)"
    assert not HEAVY & set(_run_python(loaded).split())


def test_hyperspy_finds_the_signals_without_importing_the_package():
    code = (
        "import sys, hyperspy.api as hs, numpy as np\n"
        "assert 'hyperspy_t2t' not in sys.modules\n"
        "s = hs.signals.Signal2D(np.zeros((4, 4)))\n"
        "s.set_signal_type('STEM micrograph')\n"
        "print(type(s).__name__, type(s.as_lazy()).__name__)"
    )
    assert _run_python(code).split() == ["Micrograph", "LazyMicrograph"]


@pytest.mark.slow
@needs_source_tree
def test_wheel_holds_every_file_of_the_package(tmp_path):
    pytest.importorskip("hatchling")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())

    files = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert f"hyperspy_t2t/{EXTENSION_FILE}" in files
    assert files <= packed
    extra = {name for name in packed - files if ".dist-info/" not in name}
    assert not extra
