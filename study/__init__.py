"""The experiment around `pntk`: sweep files, Ray Tune, Weights & Biases, rows, statistics, command line."""

__version__ = "0.1.0"
