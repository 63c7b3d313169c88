"""One rank of a training: takes batches, logs what was in them, and saves the stream's state now and then."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, Literal

import torch
import xxhash

from dataengine.batches import Batch
from dataengine.loader import Loader
from dataengine.selection import select

SIDE = 32
STATE_FILE = "state.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What is streamed: the same for every rank, in every life."""

    stores: tuple[str, ...]
    mode: Literal["train", "eval"]
    policy: str
    batch: int
    gathered: bool
    augment: str
    seed: int
    epochs: int
    save_every: int
    """Steps from one saved state to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Where a rank runs: what may change from one life to the next."""

    rank: int = 0
    world_size: int = 1
    threads: int = 1
    backend: str = "cpu"


@dataclass(frozen=True, slots=True)
class Entry:
    """A sample as it was handed out."""

    row: int
    label: int
    valid: bool
    pixels: int
    """xxh3 of the image."""


def open_loader(stream: Stream, seat: Seat) -> Loader:
    """The loader of a rank."""
    rows = select(stream.stores)
    return Loader(
        rows,
        rows.codes("method")[0],
        batch=stream.batch,
        mode=stream.mode,
        policy=stream.policy,
        augment=stream.augment,
        size=SIDE,
        seed=stream.seed,
        rank=seat.rank,
        world_size=seat.world_size,
        gathered=stream.gathered,
        threads=seat.threads,
        backend=seat.backend,
        dtype=torch.uint8,
    )


def entries(batch: Batch) -> list[Entry]:
    """The samples of a batch."""
    columns = (batch.rows.tolist(), batch.labels.tolist(), batch.valid.tolist(), batch.images.numpy())
    return [
        Entry(row, label, valid, xxhash.xxh3_64_intdigest(image.tobytes()))
        for row, label, valid, image in zip(*columns, strict=True)
    ]


def saved_state(folder: Path) -> tuple[int, dict[str, Any] | None]:
    """(steps taken, the loader's state) as last saved."""
    try:
        saved = json.loads((folder / STATE_FILE).read_text())
    except FileNotFoundError:
        return 0, None
    return int(saved["step"]), saved["state"]


def log_path(folder: Path, life: int, rank: int) -> Path:
    """What a rank wrote in a life: one JSON line a step."""
    return folder / f"life-{life:05d}-rank-{rank}.jsonl"


def read_log(path: Path) -> Iterator[dict[str, Any]]:
    """The steps that a rank logged in full; its death may have cut the last line."""
    if path.exists():
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                yield json.loads(line)


def run_rank(stream: Stream, seat: Seat, folder: Path, life: int, all_ranks: Barrier, progress: Connection) -> None:
    """Go on from the saved state to the end of the last epoch. Ranks keep step, as a training's do.

    A line is on disk before any rank goes on, and the state is saved after that: the steps before it are all logged.
    `progress` hears of each step.
    """
    step, state = saved_state(folder)
    with open_loader(stream, seat) as loader, open(log_path(folder, life, seat.rank), "a") as log:
        if state is not None:
            loader.load_state_dict(state)
        while loader.state_dict()["epoch"] < stream.epochs:
            epoch = loader.state_dict()["epoch"]
            for batch in loader:
                state = loader.state_dict()
                samples = [(e.row, e.label, e.valid, e.pixels) for e in entries(batch)]
                line = {"step": step, "epoch": epoch, "next": [state["epoch"], state["position"]], "samples": samples}
                log.write(json.dumps(line) + "\n")
                log.flush()
                os.fsync(log.fileno())
                step += 1
                progress.send(step)
                all_ranks.wait()
                if seat.rank == 0 and step % stream.save_every == 0:
                    _save(folder, step, state)
        if seat.rank == 0:
            _save(folder, step, loader.state_dict())
        all_ranks.wait()


def _save(folder: Path, step: int, state: dict[str, Any]) -> None:
    unfinished = folder / f"{STATE_FILE}.unfinished"
    with unfinished.open("w") as file:
        json.dump({"step": step, "state": state}, file)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(folder / STATE_FILE)
