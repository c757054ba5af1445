"""Figures: plain functions from numbers to a matplotlib figure."""
