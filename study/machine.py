"""Cores and memory that this process may use: those of the machine, or of the batch job or container that it is in.

The least of all that is said counts: affinity, control groups (also nested ones, of both versions), LOKY_MAX_CPU_COUNT and
what SLURM allots. A limit that cannot be read is none.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import joblib

CONTROL_GROUPS, OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
MEGABYTE = 2.0**20  # in which SLURM counts


def cores(groups: Path = CONTROL_GROUPS, own: Path = OWN_GROUPS, environment: Mapping[str, str] = os.environ) -> int:
    """How many processes of ours can run at once, at least 1.

    Args:
        groups, own: where control groups are and which this process is in. environment: with SLURM's variables.
    """
    try:
        known = float(joblib.cpu_count())  # affinity, LOKY_MAX_CPU_COUNT, and the control group of a container
    except (ValueError, OSError):
        known = float(os.cpu_count() or 1)
    limits = [known]
    for folder in _groups("cpu", groups, own):
        limits.append(_share(_words(folder / "cpu.max")))
        limits.append(_share(_words(folder / "cpu.cfs_quota_us") + _words(folder / "cpu.cfs_period_us")))
    limits += [_positive(environment.get(name)) for name in ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE")]
    return max(math.ceil(min(limits)), 1)


def memory(groups: Path = CONTROL_GROUPS, own: Path = OWN_GROUPS, environment: Mapping[str, str] = os.environ) -> float:
    """Bytes that we may take; infinite where nothing is known.

    Args:
        groups, own, environment: as of `cores`.
    """
    limits = [math.inf]
    with contextlib.suppress(ValueError, OSError, AttributeError):
        limits.append(float(os.sysconf("SC_PAGE_SIZE")) * os.sysconf("SC_PHYS_PAGES"))
    for folder in _groups("memory", groups, own):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limits += [_positive(word) for word in _words(folder / name)]
    limits.append(MEGABYTE * _positive(environment.get("SLURM_MEM_PER_NODE")))
    allotted = _positive(environment.get("SLURM_CPUS_ON_NODE"))
    allotted = allotted if math.isfinite(allotted) else cores(groups, own, environment)
    limits.append(MEGABYTE * _positive(environment.get("SLURM_MEM_PER_CPU")) * allotted)
    return min(limits)


def _groups(controller: str, groups: Path, own: Path) -> Iterator[Path]:
    """Folders of the control groups that bound this process: its own and all above it, as far as they can be seen."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    roots = {groups: "/"}
    for line in lines:
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if not names:  # version 2
            roots |= {groups: path, groups / "unified": path}
        elif controller in names.split(","):
            roots |= {groups / names: path, groups / controller: path}
    for root, path in roots.items():
        parts = [part for part in path.split("/") if part not in ("", "..")]
        yield from (root.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1))


def _words(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        return []


def _share(words: list[str]) -> float:
    """Cores of a quota and its period in microseconds."""
    quota, period = (_positive(word) for word in words) if len(words) == 2 else (math.inf, math.inf)
    return quota / period if math.isfinite(quota) and math.isfinite(period) else math.inf


def _positive(word: str | None) -> float:
    """A limit; infinite where it is none: absent, `max`, 0 or below."""
    try:
        value = float(word or "")
    except ValueError:
        return math.inf
    return value if value > 0 else math.inf
