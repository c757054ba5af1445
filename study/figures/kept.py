"""What a study kept of chosen networks, as figures read it: which cells, which seeds, which patterns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from numbers import Real

import numpy as np

from pntk.structure.groups import group_count, memberships
from pntk.tasks import Environment, encode
from study.figures.study import Missing, Study
from study.kept import read_activity, read_vectors
from study.plan import Draw
from study.storage import files

GROUPINGS = {"task": "task", "input": "input", "task_input": "task by input", "output": "output"}


@dataclass(frozen=True)
class KeptCell:
    """A cell of which networks were kept, and their task environment."""

    study: Study
    name: str
    draws: tuple[Draw, ...]
    environment: Environment

    @property
    def label(self) -> str:
        layers = self.study.setting(self.name, "scaled_layers")
        scale = self.study.setting(self.name, "init_scale")
        return self.study.label(self.name) + (f"\n{layers} scaled" if scale != 1 else "")

    @property
    def phase(self) -> str:
        """The phase whose hidden activity was kept: the first."""
        return str(self.study.phase_settings(self.name)[0]["name"])

    def activity(self, draw: Draw, grouping: str) -> tuple[np.ndarray, np.ndarray]:
        """Steps (K,) and group means (K, G, H) of a grouping."""
        return read_activity(self.study.folder, self.name, draw, self.phase, grouping)

    def patterns(self, draw: Draw) -> np.ndarray:
        """(M, S + T) inputs of the training patterns at t = 0, as drawn."""
        return encode(self.environment, read_vectors(self.study.folder, self.name, draw)["pattern"])[0]

    def vectors(self, draw: Draw, name: str = "eig") -> tuple[str, np.ndarray]:
        """An estimator's vectors over training patterns, (R, M), and which one: `svd_right` where another was not kept."""
        found = read_vectors(self.study.folder, self.name, draw)
        name = name if name in found else "svd_right"
        return name, found[name].T

    def groups(self, draw: Draw, grouping: str) -> tuple[np.ndarray, int]:
        """The group of each training pattern (M,), and how many groups there are."""
        return memberships(self.environment, self.patterns(draw))[grouping], group_count(self.environment, grouping)


def kept_cells(study: Study, swapped: bool) -> list[KeptCell] | Missing:
    """The cells whose networks were kept, small initialisation first: one of each scale and choice of scaled layers.

    Args:
        swapped: those with fewer stimulus than response pools (the source study's appendix A.7.1) instead of the others.
    """
    found: dict[tuple[float, str], KeptCell] = {}
    kept: dict[str, list[tuple[int, int]]] = {}
    for path in files(study.folder / "kept", ".activity.parquet"):
        cell, name = str(path).split("/")[-2:]
        if (named := re.fullmatch(r"(\d{1,18})-(\d{1,18})\.activity\.parquet", name)) is not None:
            kept.setdefault(cell, []).append((int(named[1]), int(named[2])))
    for cell, numbers in sorted(kept.items()):
        known = {
            s: study.setting(cell, s) for s in ("stimulus_pools", "response_pools", "features", "init_scale", "scaled_layers")
        }
        numeric = all(isinstance(value, Real) for name, value in known.items() if name != "scaled_layers")
        if not numeric or known["scaled_layers"] is None or not study.phase_settings(cell):
            continue
        environment = Environment(*(int(known[s]) for s in ("stimulus_pools", "response_pools", "features")))
        if (environment.stimulus_pools < environment.response_pools) == swapped:
            draws = tuple(Draw(*pair) for pair in sorted(numbers))
            found.setdefault(
                (float(known["init_scale"]), str(known["scaled_layers"])), KeptCell(study, cell, draws, environment)
            )
    if len({scale for scale, _ in found}) < 2:
        pools = "fewer stimulus than response pools" if swapped else "at least as many stimulus as response pools"
        return Missing(f"it kept no two initialisation scales of networks with {pools} (settings.keep_seeds)")
    cells = [found[key] for key in sorted(found, key=lambda key: (key[0], key[1] == "both"))]
    for one in cells:
        for draw in one.draws:
            for grouping in ("task", "input"):
                labels, groups = one.groups(draw, grouping)
                if len(np.unique(labels)) < groups:
                    return Missing(
                        f"seed {draw.seed} of {one.name} has a {grouping} without training patterns; more are needed"
                    )
    return cells
