"""Figures: plain functions from numbers to a matplotlib figure."""

from __future__ import annotations

import logging
import os

# Before matplotlib is imported: a notebook's MPLBACKEND would end that where its backend is not installed.
os.environ["MPLBACKEND"] = "Agg"
logging.getLogger("matplotlib").setLevel(logging.ERROR)  # of fonts and cache folders nobody asked
