"""Benchmarks: each measures against a named baseline in the same run and returns its numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Console

from study.bench.analysis import bench_analysis
from study.bench.entk import bench_entk
from study.bench.first import bench_first
from study.bench.flow import bench_flow
from study.bench.fused import bench_fused
from study.bench.path import bench_path
from study.bench.predictors import bench_predictors
from study.bench.response import bench_response
from study.bench.scale import bench_scale
from study.bench.scan import bench_scan
from study.bench.silhouette import bench_silhouette
from study.bench.sweep import bench_sweep
from study.bench.train import bench_train

BENCHES: dict[str, Callable[[Console], dict[str, Any]]] = {
    "first": bench_first,
    "train": bench_train,
    "entk": bench_entk,
    "silhouette": bench_silhouette,
    "analysis": bench_analysis,
    "flow": bench_flow,
    "scale": bench_scale,
    "fused": bench_fused,
    "path": bench_path,
    "sweep": bench_sweep,
    "predictors": bench_predictors,
    "response": bench_response,
    "scan": bench_scan,
}
