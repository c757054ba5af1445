"""What a million networks would take, from the numbers that `bench sweep` has measured, and which limit comes first.

Everything grows in proportion to networks or to trials, so a page is arithmetic on slopes: nothing here is measured, and
nothing is assumed but the cluster of `ray_cluster.yaml`. Hours of a GPU cannot be had this way; what a GPU would have to
beat can.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from study.sheets import Sheet, print_sheet
from study.sweep import Compute

NETWORKS = 1_000_000
DEFAULT_BLOCK = Compute().block
BLOCKS = (DEFAULT_BLOCK, 50, 500)
# The cluster of `ray_cluster.yaml`: its head (m7i.xlarge) and its CPU workers.
HEAD_BYTES = 16e9
CORES = 256
READING_SECONDS = 3600.0  # nobody wants to wait longer than this for tables


@dataclass(frozen=True)
class Slopes:
    """What one network or one trial adds, as measured.

    Attributes:
        network_seconds: core seconds of a network's training and measurement.
        row_bytes, frame_bytes: of a network's row on disk, and in memory where tables are made.
        trial_seconds: core seconds of all processes together that a trial takes beyond its networks.
        driver_seconds: those of the driver's process alone.
        file_seconds: to open and read a file of rows on a local disk.
        driver_base, driver_bytes: memory of the driver without trials, and with each; gcs_base, gcs_bytes: the GCS's.
    """

    network_seconds: float
    row_bytes: float
    frame_bytes: float
    trial_seconds: float
    driver_seconds: float
    file_seconds: float
    driver_base: float
    driver_bytes: float
    gcs_base: float
    gcs_bytes: float


@dataclass(frozen=True)
class Limit:
    """How near a million networks come to a limit.

    Attributes:
        what: it is about.
        share: of what there is; the largest comes first, and from 1 on it is reached.
        setting: what moves it.
    """

    name: str
    what: str
    share: float
    setting: str


def line(points: Sequence[dict[str, Any]], value: Sequence[float]) -> tuple[float, float]:
    """What is there without trials, and what each adds, from the fewest and the most trials; noise never shrinks."""
    few, most = points[0]["trials"], points[-1]["trials"]
    slope = max((value[-1] - value[0]) / (most - few), 0.0) if most > few else 0.0
    return max(value[0] - slope * few, 0.0), slope


def slopes(numbers: dict[str, Any]) -> Slopes:
    """From what `bench_sweep` returns."""
    points = numbers["simulated"]
    driver = line(points, [1e6 * p["megabytes"].get("driver", 0.0) for p in points])
    gcs = line(points, [1e6 * p["megabytes"].get("GCS", 0.0) for p in points])
    return Slopes(
        network_seconds=numbers["pure_cpu"] / numbers["networks"],
        row_bytes=numbers["bytes_a_row"],
        frame_bytes=numbers["frame_bytes_a_row"],
        trial_seconds=line(points, [p["cpu"] for p in points])[1],
        driver_seconds=line(points, [p["cpu_by_kind"].get("driver", 0.0) for p in points])[1],
        file_seconds=points[-1]["read"] / points[-1]["trials"],
        driver_base=driver[0],
        driver_bytes=driver[1],
        gcs_base=gcs[0],
        gcs_bytes=gcs[1],
    )


def limits(s: Slopes, block: int, networks: int = NETWORKS) -> list[Limit]:
    """The limits of a sweep in one folder, on the cluster of `ray_cluster.yaml`, the first to come first."""
    trials = networks / block
    more = f"compute.block (now {block})"
    fed = block * s.network_seconds / s.driver_seconds if s.driver_seconds else float("inf")
    found = [
        Limit("tables", "every row in the driver's memory at once", networks * s.frame_bytes / HEAD_BYTES,
              "a head with more memory; folders of fewer seeds each (seeds.first, seeds.count)"),
        Limit("driver's memory", "what Tune keeps of trials", (s.driver_base + s.driver_bytes * trials) / HEAD_BYTES, more),
        Limit("driver's speed", f"to keep {CORES} cores busy", CORES / fed, more),
        Limit("GCS's memory", "what Ray keeps of tasks and actors", (s.gcs_base + s.gcs_bytes * trials) / HEAD_BYTES, more),
        Limit("small files", "an hour to read them all once", trials * s.file_seconds / READING_SECONDS, more),
    ]  # fmt: skip
    return sorted(found, key=lambda limit: -limit.share)


def sheet_of(s: Slopes) -> Sheet:
    """What a million networks take, by networks per trial."""
    rows = []
    for block in BLOCKS:
        trials = NETWORKS / block
        seconds = block * s.network_seconds
        first = limits(s, block)[0]
        rows.append([
            f"{block}",
            f"{trials:,.0f}",
            f"{seconds / 60:.2g}",
            f"{s.trial_seconds / seconds:.1%}",
            f"{block * s.row_bytes / 1e3:,.0f}",
            f"{trials * s.file_seconds / 60:.2g}",
            f"{(s.driver_base + s.driver_bytes * trials) / 1e9:.2g}",
            f"{(s.gcs_base + s.gcs_bytes * trials) / 1e9:.2g}",
            f"{seconds / s.driver_seconds:,.0f}" if s.driver_seconds else "-",
            f"{first.name} ({first.share:.0%})",
        ])  # fmt: skip
    headings = ["compute.block", "trials = objects", "core min a trial", "Ray's share", "kB an object", "min to read all",
                "driver, GB", "GCS, GB", "cores it feeds", "first limit (used)"]  # fmt: skip
    return Sheet(f"{NETWORKS:,} networks in one folder, extrapolated from the numbers above", headings, rows, 0)


def print_million(console: Console, numbers: dict[str, Any]) -> dict[str, Any]:
    """Print the page; returns its numbers."""
    s = slopes(numbers)
    hours = NETWORKS * s.network_seconds / 3600
    print_sheet(console, sheet_of(s))
    console.print(
        f"{hours:,.0f} core hours, {hours / CORES:,.1f} hours on the {CORES} cores of ray_cluster.yaml; "
        f"{NETWORKS * s.row_bytes / 1e9:.1f} GB of rows, {NETWORKS * s.frame_bytes / 1e9:.1f} GB in memory for tables. "
        f"Extrapolated from at most {numbers['simulated'][-1]['trials']:,} trials.\n"
        f"GPU hours: not measured, no GPU was here. One core trains and measures {3600 / s.network_seconds:,.0f} such networks "
        f"an hour: a GPU that costs as much as k cores has to do more than k times as many, and then takes fewer than "
        f"{hours:,.0f} / k hours.",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    rows = [[limit.name, limit.what, f"{limit.share:.1%}", limit.setting] for limit in limits(s, DEFAULT_BLOCK)]
    title = f"Limits, nearest first, with compute.block {DEFAULT_BLOCK} (the default) and a head of {HEAD_BYTES / 1e9:.0f} GB"
    print_sheet(console, Sheet(title, ["limit", "of what", "used", "what moves it"], rows, 2))
    by_block = {block: [vars(limit) for limit in limits(s, block)] for block in BLOCKS}
    return {"slopes": vars(s), "core_hours": hours, "limits": by_block}
