# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Seconds and memory of a step, for the scripts beside this one.

Standard library only: some of them run where little is installed.
"""

import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Spent(NamedTuple):
    """CPU and wall seconds of a step, peak memory of the process so far in MiB."""

    cpu: float
    wall: float
    peak: float

    def __str__(self) -> str:
        return f"{self.cpu:8.2f} CPU s {self.wall:8.2f} s wall {self.peak:6.0f} MiB"


def measured(step: Callable[[], T]) -> tuple[T, Spent]:
    """Result of a step and what it took."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = step()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return result, Spent(cpu, wall, peak_memory())


def peak_memory() -> float:
    """Largest resident size of this process so far in MiB."""
    # getrusage on Linux still holds the peak of the process that started this one.
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text().splitlines()
        return int(next(line for line in lines if "VmHWM" in line).split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
