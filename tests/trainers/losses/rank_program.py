"""What each process runs: the gradients of every loss, in worlds of 4, 2 and 1.

A world of fewer ranks is made of the first processes. Rank 0 of each writes world-R.pt.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from torch import Tensor, distributed, nn

from tests.trainers.losses.made_batch import CLASSES, WIDTH
from trainers.losses.objective import Objective
from trainers.losses.spec import TERMS, LossSpec

WORLDS = (4, 2, 1)
SAMPLES, VIEWS, INPUTS = 16, 2, 6
STEPS = 2
"""The second one sees what the first did to centres."""

CASES = {
    "ce": (LossSpec(loss="ce", smoothing=0.1), False),
    "ce weighted": (LossSpec(loss="ce", class_weights="balanced"), True),
    "focal weighted": (LossSpec(loss="focal", class_weights="balanced"), True),
    "mse": (LossSpec(loss="mse"), False),
    "softmax-ce": (LossSpec(loss="softmax-ce"), False),
    "supcon": (LossSpec(loss="supcon"), False),
    "ce+supcon learnt": (LossSpec(loss="ce+supcon", learnt_weights=True), False),
    **{f"ce+{name}": (LossSpec(loss=f"ce+{name}"), False) for name in TERMS},
}
"""Each loss, and whether its classes are weighed."""


class Tiny(nn.Module):
    """A linear embedding and a linear head."""

    def __init__(self) -> None:
        super().__init__()
        self.network, self.head = nn.Linear(INPUTS, WIDTH), nn.Linear(WIDTH, CLASSES)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.network(images)
        return self.head(features), features


def found(case: str, rank: int, world: int) -> dict[str, Tensor]:
    """The loss, its gradients and the buffers after it, each the mean over the ranks.

    That is what DistributedDataParallel makes of gradients; importing it takes longer than all cases together.
    """
    spec, weighed = CASES[case]
    torch.manual_seed(0)
    images, labels = torch.randn(VIEWS, SAMPLES, INPUTS), torch.randint(0, CLASSES, (SAMPLES,))
    model = Tiny()
    weights = torch.rand(CLASSES) + 0.5 if weighed else None
    objective = Objective(spec, num_features=WIDTH, num_classes=CLASSES, class_weights=weights)
    named = {**dict(model.named_parameters()), **dict(objective.named_parameters())}
    part = slice(rank * SAMPLES // world, (rank + 1) * SAMPLES // world)
    for _ in range(STEPS):
        for p in named.values():
            p.grad = None
        logits, features = model(images[:, part].flatten(0, 1))
        total, _ = objective(logits, features, labels[part].repeat(VIEWS), views=VIEWS)
        total.backward()
    values = {"total": total.detach(), **dict(objective.named_buffers())}
    for name, p in named.items():
        values[name] = torch.zeros(()) if p.grad is None else p.grad
    if world > 1:
        for value in values.values():
            distributed.all_reduce(value)
            value /= world
    return values


def run(process: int, folder: str) -> None:
    """What `torch.multiprocessing.spawn` starts."""
    torch.set_num_threads(1)
    if sys.platform == "linux":
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    for world in WORLDS:
        if process >= world:
            continue
        if world > 1:
            meeting = (Path(folder) / f"meeting-{world}").as_uri()
            distributed.init_process_group("gloo", init_method=meeting, rank=process, world_size=world)
        values = {case: found(case, process, world) for case in CASES}
        if world > 1:
            distributed.destroy_process_group()
        if process == 0:
            torch.save(values, Path(folder) / f"world-{world}.pt")
