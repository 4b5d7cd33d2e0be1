# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Share of the kernels' lines that the tests of the kernels run.

Usage::

    python scripts/kernel_coverage.py

Tests of signals and of real files do not count, nor does what is imported on the way to
a test's own call. What numba has compiled can't be traced. So the tests run twice: as
always, and with compilation switched off, where each is stopped after a few seconds,
for loops over images take minutes then. A line counts if it ran in either. Every line
that can be executed is counted, compiled or not. Takes about a quarter of an hour on
two cores. Exits with 1 below the least share, of all or of one module.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path

import pytest

FOLDERS = (
    "atoms", "composition", "imaging", "peaks", "phases", "physics", "segmentation",
    "strain",
)  # fmt: skip
MODULES = ("frames", "frequencies", "calibration")
LEAST, LEAST_OF_A_MODULE = 95.0, 90.0
UNCOMPILED = "NUMBA_DISABLE_JIT"
SECONDS = 8
"""Of processor time for a test without compilation."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup():
    """Stop fixtures that take too long; pytest loads this file as a plugin."""
    with stopped_in_time():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call():
    """Stop tests that take too long."""
    with stopped_in_time():
        return (yield)


@contextmanager
def stopped_in_time():
    """Without compilation, end a test as skipped once its time is over."""

    def stop(*_) -> None:
        pytest.skip("takes too long uncompiled")

    limit = SECONDS if UNCOMPILED in os.environ else 0  # 0 sets no timer
    signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, limit)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def started(data: Path, **environment: str) -> subprocess.Popen:
    """The tests of the kernels, with the lines they run in a file."""
    tests = [f"tests/{name}" for name in FOLDERS]
    tests += [f"tests/test_{name}.py" for name in MODULES]
    # tests/conftest.py runs the whole chain of signals; it lies above this folder.
    options = ["--confcutdir=tests/segmentation", "-m", "not realdata"]
    options += ["-p", "no:cacheprovider", "--hypothesis-profile=ci"]
    command = [sys.executable, "-m", "coverage", "run", f"--data-file={data}"]
    command += ["-m", "pytest", "-q", "-p", "kernel_coverage", *options, *tests]
    path = os.pathsep.join(
        [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    )
    alone = {"MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, env={**os.environ, **alone, "PYTHONPATH": path, **environment}
    )


def measured(folder: Path) -> dict[str, tuple[int, int]]:
    """Lines that ran and all lines of each module, by its path."""
    both = [
        started(folder / "compiled"),
        started(folder / "uncompiled", **{UNCOMPILED: "1"}),
    ]
    if any([run.wait() for run in both]):
        raise SystemExit("Tests failed: see above.")
    coverage = [sys.executable, "-m", "coverage"]
    data = f"--data-file={folder / 'both'}"
    parts = [str(folder / name) for name in ("compiled", "uncompiled")]
    subprocess.run([*coverage, "combine", "--quiet", data, *parts], check=True)
    report = folder / "lines.json"
    include = [f"*/hyperspy_t2t/{name}/*" for name in FOLDERS]
    include += [f"*/hyperspy_t2t/{name}.py" for name in MODULES]
    only = f"--include={','.join(include)}"
    subprocess.run(
        [*coverage, "json", "--quiet", data, only, "-o", str(report)], check=True
    )
    subprocess.run([*coverage, "report", data, only], check=True)
    files = json.loads(report.read_text())["files"]
    totals = {name: one["summary"] for name, one in files.items()}
    return {k: (t["covered_lines"], t["num_statements"]) for k, t in totals.items()}


def share(lines: list[tuple[int, int]]) -> float:
    """In per cent."""
    ran, every = map(sum, zip(*lines, strict=True))
    return 100 * ran / every if every else 100.0


def main() -> int:
    """Print the shares; 1 if one is too small."""
    with tempfile.TemporaryDirectory() as folder:
        modules = measured(Path(folder))
    of_folder = defaultdict(list)
    for name, lines in modules.items():
        of_folder[Path(name).parent.name].append(lines)
    for name, lines in sorted(of_folder.items()):
        print(f"{name:14} {share(lines):6.1f} % of {sum(n for _, n in lines)} lines")
    total = share(list(modules.values()))
    print(f"{'all kernels':14} {total:6.1f} %")
    low = [name for name, one in modules.items() if share([one]) < LEAST_OF_A_MODULE]
    for name in low:
        print(f"{name}: {share([modules[name]]):.1f} %, below {LEAST_OF_A_MODULE} %")
    return int(total < LEAST or bool(low))


if __name__ == "__main__":
    sys.exit(main())
