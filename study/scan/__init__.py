"""Scans: Optuna proposes settings, Ray Tune trains them, rows say what they are worth."""
