"""Theories with a closed form or a small equation to solve, to hold against measurements."""
