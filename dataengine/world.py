"""Which rank this process is, of how many."""

from __future__ import annotations

import os

from torch import distributed

from dataengine.errors import DfxError


def rank_of(rank: int | None, world_size: int | None) -> tuple[int, int]:
    """(rank, world size) as given; what is None is that of `torch.distributed` where it is initialised, else
    torchrun's RANK and WORLD_SIZE, else 0 and 1.

    DistributedDataParallel, Lightning and Ray Train initialise it before a loader is made; a script under torchrun
    that makes its loader first still gets its own part. Raises DfxError for a rank outside the world.
    """
    if distributed.is_available() and distributed.is_initialized():
        found = distributed.get_rank(), distributed.get_world_size()
    else:
        found = _of_environment() if rank is None or world_size is None else (0, 1)
    rank, world_size = found[0] if rank is None else rank, found[1] if world_size is None else world_size
    if not 0 <= rank < world_size:
        raise DfxError(f"rank {rank} is not within a world of {world_size}")
    return rank, world_size


def _of_environment() -> tuple[int, int]:
    rank, world_size = os.environ.get("RANK"), os.environ.get("WORLD_SIZE")
    if rank is None and world_size is None:
        return 0, 1
    try:
        return int(rank or ""), int(world_size or "")
    except ValueError:
        raise DfxError(
            f"RANK is {rank!r} and WORLD_SIZE is {world_size!r} in the environment; set both as whole numbers, as "
            "torchrun does, or neither, or give rank and world_size"
        ) from None
