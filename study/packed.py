"""The blocks of a launch as a few arrays, so that every trial of a large study does not unpack a million objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.plan import Block, Draw


@dataclass(frozen=True)
class PackedBlocks:
    """What `pack` makes: `packed[i]` is the i-th block, whose cell has no draws but the block's own.

    Attributes:
        cells: each once, without draws.
        cell: (blocks,) number of a block's cell. ends: (blocks,) where its networks end in `draws`.
        draws: (networks, 2) seeds of weights and of data.
    """

    cells: tuple[Any, ...]
    cell: NDArray[np.int64]
    ends: NDArray[np.int64]
    draws: NDArray[np.int64]

    def __getitem__(self, number: int) -> Block[Any]:
        start = int(self.ends[number - 1]) if number else 0
        own = tuple(Draw(seed, data_seed) for seed, data_seed in self.draws[start : int(self.ends[number])].tolist())
        return Block(replace(self.cells[int(self.cell[number])], draws=own), own)


def pack(blocks: Sequence[Block[Any]]) -> PackedBlocks:
    """Any number of blocks, also none."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys(block.cell.name for block in blocks))}
    cells = {block.cell.name: replace(block.cell, draws=()) for block in blocks}
    return PackedBlocks(
        tuple(cells[name] for name in numbers),
        np.array([numbers[block.cell.name] for block in blocks], dtype=np.int64),
        np.cumsum([len(block.draws) for block in blocks], dtype=np.int64),
        np.array([(d.seed, d.data_seed) for block in blocks for d in block.draws], dtype=np.int64),
    )
