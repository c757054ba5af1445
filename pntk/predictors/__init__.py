"""Predictors at t = 0: what may say, before training, how well a network will do. See `pntk.predictors.registry`."""
