"""The tables of an attribution: each title carries the completeness error of what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from pntk.structure.attribution import RELATIONS
from pntk.tasks import Environment
from study.sheets import Sheet

if TYPE_CHECKING:
    from study.attribute import PhaseTrace


def feature_names(environment: Environment) -> list[str]:
    """Stimulus features as "pool.feature", counted from 1."""
    return [f"{pool + 1}.{f + 1}" for pool in range(environment.stimulus_pools) for f in range(environment.features)]


def output_names(environment: Environment) -> list[str]:
    """Outputs as "pool.position", counted from 1."""
    return [f"{pool + 1}.{f + 1}" for pool in range(environment.response_pools) for f in range(environment.features)]


def task_names(environment: Environment) -> list[str]:
    """Tasks as "stimulus pool>response pool", counted from 1."""
    return [f"{i + 1}>{j + 1}" for i in range(environment.stimulus_pools) for j in range(environment.response_pools)]


def sheets_of(environment: Environment, traces: Sequence[PhaseTrace]) -> list[Sheet]:
    """Overview, relations, outputs by feature and by task, and the strongest training patterns, for one network.

    A wanted output is one that should be on. The features of each pool add up to the change, and so do the tasks.
    """
    sheets = [_overview(traces), _relations(traces)]
    for traced in traces:
        sheets += [_outputs(environment, traced, kind) for kind in ("feature", "task")]
        sheets.append(_strongest(environment, traced))
    return sheets


def _title(traced: PhaseTrace, text: str) -> str:
    return f"{traced.cell}, {traced.phase}: {text} (completeness error {traced.completeness_error:.1e})"


def _overview(traces: Sequence[PhaseTrace]) -> Sheet:
    rows = []
    for t in traces:
        counts = sorted(t.path.nodes)
        nodes = f"{counts[0]} to {counts[-1]}"
        losses = [f"{loss:.3g}" for loss in t.losses]
        end = "diverged" if t.diverged else ""
        rows.append(
            [
                t.phase,
                str(t.steps),
                f"{t.learning_rate:g}",
                *losses,
                nodes,
                f"{t.completeness_error:.1e}",
                f"{t.seconds:.0f}",
                end,
            ]
        )
    headings = ["phase", "steps", "rate", "train loss before", "after", "test loss", "nodes", "completeness error", "CPU s", ""]
    return Sheet(f"{traces[0].cell}: the path", headings, rows)


def _relations(traces: Sequence[PhaseTrace]) -> Sheet:
    rows = []
    for number, name in enumerate(RELATIONS):
        rows.append([name, *(_text(v) for t in traces for v in (t.wanted.by_relation[number], t.unwanted.by_relation[number]))])
    rows.append(["all", *(_text(v.sum()) for t in traces for v in (t.wanted.by_relation, t.unwanted.by_relation))])
    headings = ["training task shares with test task", *(f"{t.phase}: {side}" for t in traces for side in ("on", "off"))]
    worst = max(t.completeness_error for t in traces)
    title = f"{traces[0].cell}: mean change of wanted (on) and unwanted (off) outputs (completeness error at most {worst:.1e})"
    return Sheet(title, headings, rows, sections=frozenset({len(RELATIONS)}))


def _outputs(environment: Environment, traced: PhaseTrace, kind: str) -> Sheet:
    """Outputs by the features or tasks of training patterns."""
    values = traced.wanted.by_feature if kind == "feature" else traced.wanted.by_task
    names = feature_names(environment) if kind == "feature" else task_names(environment)
    change = traced.wanted.by_pattern.sum(dim=1)
    outputs = output_names(environment)
    rows = [[outputs[o], *map(_text, values[o]), _text(change[o])] for o in range(len(outputs))]
    return Sheet(_title(traced, f"wanted outputs by training {kind}"), ["output", *names, "change"], rows)


def _strongest(environment: Environment, traced: PhaseTrace, most: int = 3) -> Sheet:
    rows = []
    for number, name in enumerate(output_names(environment)):
        column = traced.wanted.by_pattern[number].nan_to_num()
        order = column.abs().argsort(descending=True)[:most].tolist()
        rows.append([name, *(f"{_pattern(environment, traced.train.inputs[0, m])}: {column[m]:+.3f}" for m in order)])
    title = _title(traced, "strongest training patterns")
    return Sheet(title, ["output", *(f"number {i + 1}" for i in range(most))], rows, 1 + most)


def _pattern(environment: Environment, inputs: Tensor) -> str:
    """A pattern as its tasks and the active feature of each stimulus pool."""
    split = environment.stimulus_width
    features = inputs[:split].reshape(environment.stimulus_pools, -1).argmax(dim=1) + 1
    tasks = [name for name, on in zip(task_names(environment), inputs[split:].tolist(), strict=True) if on]
    return f"{'+'.join(tasks)} on {'-'.join(map(str, features.tolist()))}"


def _text(value: Tensor) -> str:
    number = float(value)
    return "" if number != number else f"{number:.3f}".replace("-0.000", "0.000").replace("0.", ".", 1)
