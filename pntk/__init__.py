"""Predicting what a network will learn from its kernel at t = 0: the science, tensors in and tensors out.

Nothing in this package knows about Ray, Weights & Biases, files or the command line.
"""
