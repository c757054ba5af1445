"""Every predictor at t = 0 by name, with what it says and where it comes from.

A predictor is a function of a `Case`: one network before training and the data of one phase. Silhouettes have a registry of
their own, `pntk.structure.silhouette.ESTIMATORS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from pntk.names import RIDGES
from pntk.predictors import alignment, controls, initialisation, spectrum
from pntk.predictors.case import Array, Case
from pntk.predictors.linearised import linearised_loss, unseen_errors


@dataclass(frozen=True)
class Predictor:
    """
    Attributes:
        function: the number, NaN where it is not defined.
        source: who proposed it, or for what it was built.
        errors: the error predicted for each unseen pattern, where there is such a prediction.
    """

    function: Callable[[Case], float]
    source: str
    errors: Callable[[Case], Array] | None = None


def _linearised(space: str, ridge: str) -> Predictor:
    loss = partial(linearised_loss, ridge=float(ridge), logits=space == "logit")
    errors = partial(unseen_errors, ridge=float(ridge), logits=space == "logit")
    return Predictor(loss, "Jacot et al. 2018; Lee et al. 2019", errors)


PREDICTORS: dict[str, Predictor] = {
    **{f"linearised_{space}_{ridge}": _linearised(space, ridge) for space in ("output", "logit") for ridge in RIDGES},
    "learning_curve": Predictor(spectrum.learning_curve, "Bordelon et al. 2020; Canatar et al. 2021"),
    "kare": Predictor(spectrum.kare, "Jacot, Simsek et al. 2020"),
    "cumulative_power": Predictor(spectrum.cumulative_power, "Canatar et al. 2021"),
    "kernel_target_alignment": Predictor(alignment.kernel_target_alignment, "Cristianini et al. 2001"),
    "specialisation": Predictor(alignment.specialisation, "kernel specialisation matrix of the multi-output NTK"),
    "entk_target_alignment": Predictor(alignment.entk_target_alignment, "built for this study"),
    "entk_unseen_alignment": Predictor(alignment.entk_unseen_alignment, "built for this study"),
    "entk_effective_rank": Predictor(spectrum.entk_effective_rank, "Roy and Vetterli 2007"),
    "ntk_effective_rank": Predictor(spectrum.ntk_effective_rank, "Roy and Vetterli 2007"),
    "ntk_trace": Predictor(spectrum.ntk_trace, "Jacot et al. 2018"),
    "ntk_top_eigenvalue": Predictor(spectrum.ntk_top_eigenvalue, "Jacot et al. 2018"),
    "spectral_gap": Predictor(spectrum.spectral_gap, "built for this study"),
    "task_group_ari": Predictor(alignment.task_group_ari, "the source study, figures 8 and 9"),
    "gradient_norm": Predictor(initialisation.gradient_norm, "Abdelfattah et al. 2021"),
    "initial_loss": Predictor(initialisation.initial_loss, "control"),
    "snip": Predictor(initialisation.snip, "Lee, Ajanthan and Torr 2019"),
    "grasp": Predictor(initialisation.grasp, "Wang, Zhang and Grosse 2020"),
    "synflow": Predictor(initialisation.synflow, "Tanaka et al. 2020"),
    "naswot": Predictor(initialisation.naswot, "Mellor et al. 2021"),
    "jacobian_covariance": Predictor(initialisation.jacobian_covariance, "Mellor et al. 2020"),
    "fisher": Predictor(initialisation.fisher, "Theis et al. 2018; Turner et al. 2020"),
    "distinct_patterns": Predictor(controls.distinct_patterns, "control: data only"),
    "coverage": Predictor(controls.coverage, "control: data only"),
    "input_regression": Predictor(controls.input_regression, "control: data only"),
}


def measure(case: Case, names: Sequence[str]) -> dict[str, float]:
    """The named predictors of one network.

    Raises:
        KeyError: no predictor has such a name.
    """
    return {name: PREDICTORS[name].function(case) for name in names}
