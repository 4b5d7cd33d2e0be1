# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The code blocks of the documentation do what the pages say."""

import doctest
import io
import os
from functools import partialmethod
from pathlib import Path

import hyperspy.api as hs
import pytest
from dask.diagnostics import ProgressBar

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.rst") if "_build" not in path.parts)
PAGES = [path for path in PAGES if ">>> " in path.read_text(encoding="utf-8")]
FLAGS = (
    doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_page(page: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hs.preferences.General, "show_progressbar", False)
    # RosettaSciIO draws bars for arrays in metadata whatever the preference.
    quiet = partialmethod(ProgressBar.__init__, out=io.StringIO())
    monkeypatch.setattr(ProgressBar, "__init__", quiet)
    results = doctest.testfile(
        os.fspath(page), module_relative=False, optionflags=FLAGS, encoding="utf-8"
    )
    assert results.failed == 0, capsys.readouterr().out
    assert results.attempted > 0
