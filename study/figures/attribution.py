"""A picture of an attribution: what moved the wanted outputs, by training feature, by training task, and task by task."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from pntk.tasks import Environment
from study.attribute import PhaseTrace
from study.attribution_sheets import feature_names, output_names, task_names


def attribution_figure(environment: Environment, traces: Sequence[PhaseTrace]) -> Figure:
    """One row of heat maps per network, all of one phase; one colour scale per column, so that networks compare."""
    outputs, features, tasks = (names(environment) for names in (output_names, feature_names, task_names))
    columns = [
        ("by_feature", "training feature", "output", features, outputs),
        ("by_task", "training task", "output", tasks, outputs),
        ("by_tasks", "training task", "test task", tasks, tasks),
    ]
    figure, axes = plt.subplots(len(traces), 3, figsize=(11, 3.4 * len(traces)), squeeze=False, layout="constrained")
    for column, (name, across, down, labels_across, labels_down) in enumerate(columns):
        values = [getattr(traced.wanted, name).numpy() for traced in traces]
        most = max((abs(v[v == v]).max(initial=0) for v in values), default=0) or 1
        for row, traced in enumerate(traces):
            axis = axes[row, column]
            image = axis.imshow(values[row], cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto")
            axis.set_xticks(range(len(labels_across)), labels_across, fontsize=6, rotation=90)
            axis.set_yticks(range(len(labels_down)), labels_down, fontsize=6)
            axis.set(xlabel=across, ylabel=down)
            if column == 0:
                axis.set_title(f"{traced.cell} (completeness error {traced.completeness_error:.0e})", fontsize=8, loc="left")
        figure.colorbar(image, ax=axes[:, column], shrink=0.6)
    figure.suptitle(f"{traces[0].phase}: mean movement of outputs that should be on", fontsize=10)
    return figure
