"""The experiment around `pntk`: sweep files, Ray Tune, Weights & Biases, rows, statistics, command line.

From Python: `study.open("results/paper")` is a study as tables, an answer and figures; `study.run("quick", seeds=4)` runs one;
`study.analyse(frame)` takes rows from anywhere.
"""

from study.door import Study, analyse, open, run

__version__ = "0.1.0"
__all__ = ["Study", "analyse", "open", "run"]
