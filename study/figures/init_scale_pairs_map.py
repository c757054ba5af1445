"""The same map for pair differences: each cell against the same seeds at initial scale 1."""

from __future__ import annotations

from study.figures.init_scale_map import drawn_map
from study.figures.study import Drawn, Missing, Study


def init_scale_pairs_map(study: Study) -> Drawn | Missing:
    """The centred correlation of each cell's differences from initial scale 1."""
    return drawn_map(study, "pairs", "Where does the silhouette say for which seed a change of scale matters more?")
