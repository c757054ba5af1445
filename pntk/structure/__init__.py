"""Measures of structure: leading vectors of kernels, and how well they cluster."""
