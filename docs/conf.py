"""Sphinx configuration: ``python -m sphinx -W -b html docs docs/_build/html``.

The build needs no network. ``DOCS_ONLINE=1`` turns on the links into the
documentation of other packages, whose inventories are then downloaded.
"""

import os
import re
import shutil
import sys
from pathlib import Path

from hyperspy_t2t import __version__

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "tools"))

import members  # noqa: E402
import tables  # noqa: E402

# The examples write files where they run. Sphinx-Gallery runs them in the folder
# that holds them, so it is given a copy, inside the folder that is thrown away.
EXAMPLES = HERE / "_build" / "examples"
shutil.rmtree(EXAMPLES, ignore_errors=True)
shutil.copytree(
    HERE.parent / "examples", EXAMPLES, ignore=shutil.ignore_patterns("__pycache__")
)
shutil.copy(HERE / "gallery_header.rst", EXAMPLES / "README.rst")

project = "hyperspy_t2t"
author = "The hyperspy_t2t developers"
copyright = author
release = version = __version__

extensions = [
    "matplotlib.sphinxext.plot_directive",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "gallery_header.rst"]
templates_path = ["_templates"]

# -- Reference ---------------------------------------------------------------
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autosummary_generate = True
autodoc_typehints = "none"  # the docstrings say it with units
numpydoc_show_class_members = False  # the class template lists them
# What our classes define themselves; HyperSpy documents the rest.
autosummary_context = {"own_members": members.of_signals()}

# -- Pictures and tables made while building ----------------------------------
tables.write(HERE / "generated")
plot_formats = [("png", 110)]
plot_html_show_formats = False
plot_html_show_source_link = False
plot_rcparams = {"axes.titlesize": 10, "font.size": 9}
plot_apply_rcparams = True
plot_pre_code = """
__name__ = "__main__"
import hyperspy.api as hs
hs.preferences.General.show_progressbar = False
"""


def escape_symbols(app, what, name, obj, options, lines):
    """Docstrings write |g| and z* as formulas do; reStructuredText sees markup."""
    for number, line in enumerate(lines):
        if not line.lstrip().startswith(">>>"):
            parts = re.split(r"(``.*?``|`.*?`)", line)
            parts[::2] = [
                re.sub(r"\||(?<=[\w ])\*(?=[ )\]])|(?<= )\*(?=\w)", r"\\\g<0>", part)
                for part in parts[::2]
            ]
            lines[number] = "".join(parts)


def setup(app):
    # After numpydoc, which reads the docstrings as they are.
    app.connect("autodoc-process-docstring", escape_symbols, priority=900)


# -- Links into other documentation ------------------------------------------
if os.environ.get("DOCS_ONLINE"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_timeout = 20
    intersphinx_mapping = {
        "ase": ("https://ase-lib.org", None),
        "dask": ("https://docs.dask.org/en/stable", None),
        "exspy": ("https://hyperspy.org/exspy", None),
        "hyperspy": ("https://hyperspy.org/hyperspy-doc/current", None),
        "matplotlib": ("https://matplotlib.org/stable", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "orix": ("https://orix.readthedocs.io/en/stable", None),
        "python": ("https://docs.python.org/3", None),
        "pyxem": ("https://pyxem.readthedocs.io/en/stable", None),
        "rsciio": ("https://hyperspy.org/rosettasciio", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
        "skimage": ("https://scikit-image.org/docs/stable", None),
    }

# -- Gallery -----------------------------------------------------------------
sphinx_gallery_conf = {
    "examples_dirs": str(EXAMPLES),
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",  # run all; each sees no command line arguments
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "capture_repr": (),  # only what is printed
    "write_computation_times": False,
    "within_subsection_order": "gallery_order.FirstHourFirst",
}

# -- HTML --------------------------------------------------------------------
html_theme = "pydata_sphinx_theme"
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False}
html_title = f"{project} {version}"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
# Pages without a section of their own need no section navigation.
html_sidebars = {page: [] for page in ("getting_started", "conventions", "changes")}
html_show_sourcelink = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
