"""Before trials: every reference network that their predictors need and the folder has not, a Ray task each."""

from __future__ import annotations

import time
from collections.abc import Sequence

import ray
from rich.console import Console

from study.progress import duration
from study.reference_files import References
from study.references import Wanted
from study.storage import Location, location, spelled
from study.sweep import Compute
from study.threads import device_of, threads


def _train(wanted: Wanted, out: str, gpus: float) -> str:
    """In a worker: train one reference and keep it. Returns what went wrong, in one line, or nothing."""
    with threads(1):
        try:
            References(location(out), device_of(gpus)).answers(wanted)
        except Exception as error:  # would be the same again
            return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return ""


def prepare(wanted: Sequence[Wanted], out: Location, compute: Compute, console: Console) -> dict[str, str]:
    """Train what is missing; Ray is there, and its tasks are tried again if their workers die.

    Returns:
        of references that failed, their label to why.
    """
    missing = References(out).missing(wanted)
    if not missing:
        return {}
    start = time.monotonic()
    task = ray.remote(num_cpus=compute.cpus_per_trial, num_gpus=compute.gpus_per_trial)(_train)
    labels = {task.remote(one, spelled(out), compute.gpus_per_trial): one for one in missing}
    waiting, failed = list(labels), dict[str, str]()
    console.print(f"References of linear response: {len(missing)} to train, once for this folder.", highlight=False)
    while waiting:
        done, waiting = ray.wait(waiting, num_returns=1)
        for one in done:
            if why := ray.get(one):
                failed[f"{labels[one].cell.name}, reference {labels[one].number} of data set {labels[one].data_seed}"] = why
        text = f"{len(missing) - len(waiting)} of {len(missing)} references ({duration(time.monotonic() - start)} so far)"
        console.print(text, highlight=False)
    return failed
