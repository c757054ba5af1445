"""Files of reference networks, DIR/references/<key>.npz: written once, read by every trial that needs one."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pntk.influence.reference import Reference, Response
from pntk.network import Networks
from study.foreign import Refused, memory_for_rows, read_arrays
from study.plan import Cell
from study.references import Answer, Wanted, asked, drawn_for, ends, patterns_of, rates_of, train, wanted_of
from study.storage import Location, exists, read_bytes, write_bytes

FOLDER = "references"


def place_of(out: Location, wanted: Wanted) -> Location:
    """The file of a reference."""
    return out / FOLDER / f"{wanted.key}.npz"


def write(out: Location, wanted: Wanted, answers: dict[str, Answer]) -> None:
    """Keep a reference: arrays only; patterns are drawn again when it is read."""
    arrays: dict[str, NDArray[np.generic]] = {"key": np.array(wanted.key)}
    for phase, answer in answers.items():
        found = answer.reference
        arrays[f"{phase}/numbers"] = np.array([found.loss, answer.mean])
        arrays[f"{phase}/losses"], arrays[f"{phase}/adjoint"] = found.losses, found.adjoint
        arrays[f"{phase}/goal"] = found.weights.cpu().numpy()
        for number, response in enumerate(found.responses):
            arrays[f"{phase}/{number}/impulses"] = response.impulses.cpu().numpy()
            arrays[f"{phase}/{number}/weights"] = response.weights.cpu().numpy()
    sink = io.BytesIO()
    np.savez(sink, **arrays)  # type: ignore[arg-type]
    write_bytes(place_of(out, wanted), sink.getbuffer())


def read(out: Location, wanted: Wanted, device: str = "cpu") -> dict[str, Answer] | None:
    """A reference that was kept; None where there is none, or a file that is not of it."""
    with contextlib.suppress(OSError, ValueError, LookupError, Refused):
        most = memory_for_rows()
        arrays = read_arrays(read_bytes(place_of(out, wanted), most=int(min(most, 2**62))), most)
        if str(arrays["key"]) == wanted.key:
            return _answers(wanted, arrays, device)
    return None


def _answers(wanted: Wanted, arrays: dict[str, NDArray[np.generic]], device: str) -> dict[str, Answer]:
    cell, dtype = wanted.cell, getattr(torch, wanted.cell.settings.precision)
    sets = {}
    for own in cell.curriculum.phases:
        sets[own.name] = [patterns_of(cell, ids, dtype, device) for ids in drawn_for(wanted, own)]

    def tensor(name: str, *shape: int) -> Tensor:
        found = torch.from_numpy(np.asarray(arrays[name])).to(dtype=dtype, device=device)
        if tuple(found.shape[-len(shape) :]) != shape or not torch.isfinite(found).all():
            raise ValueError(name)
        return found

    answers = dict[str, Answer]()
    for phase, end in ends(cell).items():
        if not len(sets[phase][1].inputs):
            continue
        responses = []
        for number, turn in enumerate(cell.curriculum.turns[:end]):
            patterns = sets[turn.name][0]
            shape = patterns.targets.shape
            impulses, weights = (tensor(f"{phase}/{number}/{name}", *shape) for name in ("impulses", "weights"))
            if len(weights) != len(impulses) + 1:
                raise ValueError(phase)
            responses.append(Response(patterns, impulses, weights, len(impulses) == len(rates_of(turn))))
        goal = sets[phase][1]
        loss, mean = (float(number) for number in np.asarray(arrays[f"{phase}/numbers"], dtype=float))
        losses, adjoint = (np.asarray(arrays[f"{phase}/{name}"], dtype=float) for name in ("losses", "adjoint"))
        weights, bias = tensor(f"{phase}/goal", *goal.targets.shape), cell.settings.bias
        found = Reference(loss, 0.0, tuple(responses), goal, weights, losses, adjoint, bias)
        answers[phase] = Answer(found, mean)
    return answers


class References:
    """The references of a folder as a trial asks for them: read once, trained and kept where they are not there.

    Without a folder they are trained each time a process first needs them.
    """

    def __init__(self, out: Location | None, device: str = "cpu") -> None:
        self.out, self.device = out, device
        self.answers = lru_cache(maxsize=16)(self._found)

    def _found(self, wanted: Wanted) -> dict[str, Answer]:
        kept = None if self.out is None else read(self.out, wanted, self.device)
        if kept is not None:
            return kept
        answers = train(wanted, self.device)
        if self.out is not None:
            write(self.out, wanted, answers)
        return answers

    def missing(self, wanted: Sequence[Wanted]) -> list[Wanted]:
        """Those that have no file yet."""
        return [one for one in wanted if self.out is None or not exists(place_of(self.out, one))]

    def predicted(self, cell: Cell, data_seed: int, networks: Networks) -> list[dict[str, float]]:
        """Of each network before training, "<phase>_<predictor>" to the mean over references, NaN where nothing is unseen."""
        found: list[dict[str, float]] = [{} for _ in range(len(networks))]
        for name in asked(cell):
            wanted = wanted_of(replace(cell, settings=cell.settings.model_copy(update={"predictors": (name,)})), [data_seed])
            answers = [self.answers(one) for one in wanted]
            for phase in ends(cell):
                losses = [each[phase].losses(networks) for each in answers if phase in each]
                means = np.mean(losses, axis=0) if losses else np.full(len(networks), np.nan)
                for own_values, value in zip(found, means, strict=True):
                    own_values[f"{phase}_{name}"] = float(value)
        return found
