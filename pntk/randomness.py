"""Random streams: one independent stream per (seed, purpose), so that a seed is common random numbers."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, purpose: str) -> np.random.Generator:
    """The random stream of one purpose ("base weights", "single/train", ...) of one seed.

    Streams of different purposes are independent, so adding a purpose never moves the draws of another, and a
    seed means the same draws in every cell, block, worker and device.

    Raises:
        ValueError: the seed is negative.
    """
    words = np.frombuffer(hashlib.sha256(purpose.encode()).digest(), dtype="<u4")
    key = np.random.SeedSequence(entropy=seed, spawn_key=tuple(int(word) for word in words))
    return np.random.Generator(np.random.Philox(key))
