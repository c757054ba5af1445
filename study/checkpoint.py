"""Checkpoints of a block in work: DIR/checkpoints/<cell>/<as its rows>.npz, arrays and JSON, no pickles.

A checkpoint holds what a trial knows: the t = 0 measurement of networks that have one, every trained network and where the
others stand, and what was measured during training. It is written at most every so many seconds, belongs to exactly one
block, configuration, code and device, and goes when the block has rows. Rows are the truth; a checkpoint only saves time.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch

from pntk.network import WEIGHT_NAMES, Networks
from pntk.training.bookmarks import Bookmark, Bookmarks
from study.foreign import memory_for_rows, read_arrays
from study.plan import Block
from study.rows import file_of
from study.storage import Location, files, read_bytes, remove, write_bytes
from study.written import NAMES

FOLDER = "checkpoints"
PATIENCE_SECONDS = 5.0  # with storage that is away: work that goes on is worth more than a checkpoint of it

Watched = tuple[dict[str, Any], dict[str, np.ndarray]]  # what an observer knows, as plain data and arrays


def place_of(out: Location, block: Block[Any]) -> Location:
    """The file of a block's checkpoint."""
    return out / FOLDER / block.cell.name / file_of(out, block).name.replace(".parquet", ".npz")


def key_of(block: Block, device: str, provenance: Mapping[str, str]) -> str:
    """What a checkpoint belongs to: everything that decides the numbers in it."""
    cell = block.cell
    parts = cell.name, cell.settings.model_dump_json(), cell.environment, cell.curriculum, block.draws, device
    return hashlib.sha256(repr((*parts, sorted(provenance.items()))).encode()).hexdigest()


class Checkpoint:
    """The checkpoint of one block.

    Attributes:
        measured: plain data of the t = 0 measurements that are done, in the order of the draws.
        marks: turn and place in the block to where the networks from that place on stand.
        watched: of an observer, as it was when the checkpoint was written.
    """

    def __init__(self, where: Location, key: str, seconds: float) -> None:
        self.where, self.key, self.seconds = where, key, seconds
        self.measured: list[dict[str, Any]] = []
        self.marks: dict[tuple[int, int], Bookmark] = {}
        self.watched: Watched = {}, {}
        self.watch: Callable[[], Watched] = lambda: self.watched
        self._bias = 0.0
        self._written = time.monotonic()

    def due(self) -> bool:
        return time.monotonic() - self._written >= self.seconds

    def read(self, bias: float) -> Checkpoint:
        """Take up what is there and belongs to this block; anything else counts as nothing.

        Args:
            bias: of the networks, which is a setting and not in the file.
        """
        self._bias = bias
        try:
            most = memory_for_rows()
            arrays = read_arrays(read_bytes(self.where, most=int(min(most, 2**62))), most)
            if str(arrays["key"]) == self.key:
                self._take(json.loads(str(arrays["plain"])), arrays)
        except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
            self.measured, self.marks, self.watched = [], {}, ({}, {})
        return self

    def _take(self, plain: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        marks = {}
        for turn, place, step in plain["marks"]:
            name = f"mark.{turn}.{place}."
            w1, w2, v1, v2 = (torch.from_numpy(arrays[name + part]) for part in WEIGHT_NAMES)
            networks = Networks(w1, w2, v1, v2, self._bias)
            marks[turn, place] = Bookmark(step, networks, arrays[name + "train"], arrays[name + "test"])
        watched = {name: arrays[f"watched.{name}"] for name in plain["arrays"]}
        self.measured, self.marks, self.watched = plain["measured"], marks, (plain["watched"], watched)

    def write(self) -> None:
        """Write all that is known now. Storage that is full or away costs the checkpoint, not the trial."""
        plain, arrays = self.watch()
        marks = [(turn, place, mark.step) for (turn, place), mark in self.marks.items()]
        everything = {"measured": self.measured, "marks": marks, "watched": plain, "arrays": list(arrays)}
        packed = {"key": np.array(self.key), "plain": np.array(json.dumps(everything))}
        packed |= {f"watched.{name}": array for name, array in arrays.items()}
        for (turn, place), mark in self.marks.items():
            name = f"mark.{turn}.{place}."
            packed |= {name + part: w.cpu().numpy() for part, w in zip(WEIGHT_NAMES, mark.networks.weights, strict=True)}
            packed |= {name + "train": mark.train, name + "test": mark.test}
        sink = io.BytesIO()
        np.savez(sink, **packed)  # type: ignore[arg-type]
        with contextlib.suppress(OSError):
            write_bytes(self.where, sink.getbuffer(), PATIENCE_SECONDS)
        self._written = time.monotonic()

    def measure(self, done: Any) -> None:
        """The t = 0 measurement of the next network is done."""
        self.measured.append(asdict(done))
        if self.due():
            self.write()

    def left(self, turn: int, device: str) -> dict[int, Bookmark]:
        """Place in the block to where networks stand in this turn of the curriculum."""
        marks = {place: mark for (at, place), mark in self.marks.items() if at == turn}
        return {place: replace(mark, networks=mark.networks.to(device=device)) for place, mark in marks.items()}

    def bookmarks(self, turn: int, device: str) -> Bookmarks:
        """Those of one turn."""
        marks = self.left(turn, device)

        def save(place: int, mark: Bookmark) -> None:
            self.marks[turn, place] = mark
            if self.due():
                self.write()

        return Bookmarks(marks.get, self.due, save)

    def remove(self) -> None:
        """The block has rows."""
        with contextlib.suppress(OSError):
            remove(self.where)


def clear(out: Location, cells: Iterable[str]) -> None:
    """Remove the checkpoints of a finished study, such as those of blocks that were laid out anew, and nothing else: files
    that bear the name of a block, in the folder of a cell.

    Args:
        cells: the names of the study's cells.
    """
    wanted = set(cells)
    with contextlib.suppress(OSError):
        for where in files(out / FOLDER, ".npz"):
            cell, _, name = str(where).removeprefix(f"{out / FOLDER}/").rpartition("/")
            if cell in wanted and re.fullmatch(NAMES[FOLDER], name):
                remove(where)
