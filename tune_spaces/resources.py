"""How a machine, or a cluster, is divided among trials that run at once: pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dataengine.errors import DfxError

CPU_TRIAL_CORES = 4
"""Cores of a trial where there is no GPU: beyond about four, small networks at small batches gain little."""

GPUS_PER_TRIAL = 1.0
"""Part of a GPU that a trial gets unless another is asked for. Not measured: where trials that share a GPU stop to
gain by it is what `benchmarks/gpu/sharing.py` measures, and a GPU of its own is what cannot run out of memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One machine, as Ray counts it."""

    cpus: int
    gpus: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one trial gets, and how many run at once."""

    at_once: int
    cpus: int
    """Whole cores: also the trial's torch threads and its loader's threads."""
    gpus: float
    """0 trains on the CPU; below 1, trials share a GPU."""

    @property
    def device(self) -> str:
        """The device a trial trains on."""
        return "cuda" if self.gpus else "cpu"


def divide(nodes: Sequence[Node], *, gpus: int | None, gpus_per_trial: float) -> Share:
    """Divide nodes among trials.

    `gpus` is how many GPUs to use, None for all there are, 0 for none. Cores are divided evenly, so that trials do
    not take each other's: a GPU trial decodes and feeds its images with them.

    Raises DfxError where more GPUs are asked for than there are, or a trial's part is none.
    """
    there = sum(node.gpus for node in nodes)
    if gpus is not None and gpus < 0:
        raise DfxError(f"--gpus {gpus} is no number of GPUs; 0 trains on the CPU")
    if gpus is not None and gpus > there:
        have = "no GPU" if there == 0 else "1 GPU" if there == 1 else f"{there} GPUs"
        raise DfxError(
            f"--gpus {gpus} asks for more than there is ({have} here); use --gpus {there}"
            f"{' to train on the CPU' if there == 0 else ', or --gpus 0 for the CPU'}, "
            "or --address HOST:PORT for a Ray cluster that has them"
        )
    if not 0 < gpus_per_trial <= 1:
        raise DfxError(
            f"--gpus-per-trial {gpus_per_trial:g} must be above 0 and at most 1: a trial trains on one device; "
            "write 0.5 for two trials on each GPU"
        )
    used = there if gpus is None else gpus
    if used == 0:
        at_once = max(1, sum(_cpu_trials(node) for node in nodes))
        return Share(at_once=at_once, cpus=min(max(1, node.cpus // _cpu_trials(node)) for node in nodes), gpus=0.0)
    per_gpu = math.floor(1 / gpus_per_trial + 1e-9)
    with_gpus = [node for node in nodes if node.gpus]
    # With fewer GPUs than a node has, its cores still go to the trials that run there.
    cpus = min(max(1, node.cpus // (min(node.gpus, used) * per_gpu)) for node in with_gpus)
    fits = sum(min(node.gpus * per_gpu, max(1, node.cpus // cpus)) for node in with_gpus)
    return Share(at_once=min(used * per_gpu, fits), cpus=cpus, gpus=gpus_per_trial)


def _cpu_trials(node: Node) -> int:
    """Trials at once on a node without a GPU: two at least where there are two cores."""
    return max(1, min(node.cpus, 2), node.cpus // CPU_TRIAL_CORES)
