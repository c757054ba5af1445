"""What is logged of many steps at once, against one step after another."""

from __future__ import annotations

import numpy as np
import pytest

from study.tracking import _numbers


@pytest.mark.parametrize("lost", [0, 1, 4])
def test_means_and_quantiles_of_all_steps_are_those_of_each(lost: int) -> None:
    values = np.random.default_rng(0).normal(size=(4, 3))
    values[:lost, 1] = np.nan  # networks without a number at one of the steps
    found = _numbers("loss", values, None)
    for k, point in enumerate(found):
        column = values[np.isfinite(values[:, k]), k]
        if not len(column):
            assert point == {}
            continue
        low, middle, high = np.quantile(column, [0.1, 0.5, 0.9])
        assert point == pytest.approx({"loss_mean": column.mean(), "loss_q10": low, "loss_median": middle, "loss_q90": high})
    assert _numbers("loss", values, 3)[1] == {"loss": values[3, 1]} if lost < 4 else _numbers("loss", values, 3)[1] == {}
