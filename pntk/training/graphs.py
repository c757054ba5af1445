"""Many repetitions of one step that works in place, as replays of a recorded graph where the device has them.

On a GPU a step of a network this small is a dozen kernels of a few microseconds: launching them costs more than they do.
A CUDA graph launches many steps at once. Tested on the CPU through the same code with a recorder that records nothing, and
on a GPU by `tests/study/test_gpu.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

STEPS_PER_GRAPH = 50

Step = Callable[[], None]
Recorder = Callable[[Step, int], Step]


def plainly(step: Step, count: int) -> Step:
    """What a CPU does: `count` steps, one after another."""

    def replay() -> None:
        for _ in range(count):
            step()

    return replay


def as_cuda_graph(step: Step, count: int) -> Step:
    """`count` steps recorded once as a CUDA graph. Takes real steps to warm up; see `repeated`."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(count):
            step()
    return graph.replay


def repeated(step: Step, state: Sequence[Tensor], recorder: Recorder, chunk: int = STEPS_PER_GRAPH) -> Callable[[int], None]:
    """A function that takes any number of steps: whole chunks from the record, the rest one by one.

    Args:
        step: changes `state` in place and nothing else that matters; always the same tensors.
        state: what recording may have changed and is put back.
    """
    chunks: list[Step] = []

    def take(steps: int) -> None:
        whole, rest = divmod(steps, chunk)
        if whole and not chunks:
            before = [tensor.clone() for tensor in state]
            chunks.append(recorder(step, chunk))
            for tensor, value in zip(state, before, strict=True):
                tensor.copy_(value)
        for _ in range(whole):
            chunks[0]()
        for _ in range(rest):
            step()

    return take
