"""The names of what measures a network before training, for whoever validates names and computes nothing.

Light on purpose: the registries of the functions (`pntk.structure.silhouette.ESTIMATORS`,
`pntk.predictors.registry.PREDICTORS`) take seconds to import. The tests hold the names to be theirs, in their order.
"""

from __future__ import annotations

ESTIMATOR_NAMES = ("eig", "svd_right", "svd_left", "svd_right_scaled", "ntk", "inputs", "input_gram")
RIDGES = ("1e-2", "1e-4", "1e-6")  # of the linearised predictors
PREDICTOR_NAMES = (
    *(f"linearised_{space}_{ridge}" for space in ("output", "logit") for ridge in RIDGES),
    "learning_curve",
    "kare",
    "cumulative_power",
    "kernel_target_alignment",
    "specialisation",
    "entk_target_alignment",
    "entk_unseen_alignment",
    "entk_effective_rank",
    "ntk_effective_rank",
    "ntk_trace",
    "ntk_top_eigenvalue",
    "spectral_gap",
    "task_group_ari",
    "gradient_norm",
    "initial_loss",
    "snip",
    "grasp",
    "synflow",
    "naswot",
    "jacobian_covariance",
    "fisher",
    "distinct_patterns",
    "coverage",
    "input_regression",
)
