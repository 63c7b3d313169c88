"""The settings with which a finished run learns from new data beside its own: transfer and merge.

Source: How Generalizable are Deepfake Detectors? An Empirical Study, and its code. Both strategies start from a trained
detector and alternate batches of original and new data; transfer freezes all but the last layers, merge nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dataengine.errors import DfxError, unknown_name
from trainers.config import MACHINE, TrainConfig
from trainers.recipes import RECIPES
from trainers.run import Run

STRATEGIES = ("transfer", "merge")
SETTINGS = ("corrected", "study")

SAMPLES = 2000
"""Frames of each side: the study's."""

STUDIED = ("mesonet4", "mesoinception4", "shallownet", "xception", "efficientnet-b0")
"""The study's models: here they learn with the loss, optimizer and rate that they were trained with."""

_SCHEDULE = {"epochs": 50, "batch": 64}
"""The study's."""

_MISTAKEN = {"shallownet": {"loss": "mse", "lr": 1e-3}}
"""What the study's code fine-tuned with by mistake: it compiles ShallowNet anew with MesoNet's settings."""


def transfer_config(
    run: Run,
    strategy: str,
    new: Sequence[str],
    *,
    settings: str = "corrected",
    samples: int = SAMPLES,
    original: Sequence[str] = (),
    given: Mapping[str, Any] | None = None,
) -> TrainConfig:
    """The training that takes `run` on with the stores `new`.

    `settings` "corrected": the study's, but ShallowNet keeps the loss and rate that it was trained with, and the batch
    norms of frozen layers keep their statistics. "study": as its code has it. A model that is not the study's keeps all
    that its run was trained with but the 50 epochs in batches of 64. `original` stands for the run's own stores;
    `given`, by names of `TrainConfig`, wins over everything.

    Raises DfxError for an unknown strategy or settings, for `study` with a model that it had none of, and for a run
    that knows no stores of its own where no `original` is given.
    """
    for kind, name, known in (("strategy", strategy, STRATEGIES), ("settings", settings, SETTINGS)):
        if name not in known:
            raise unknown_name(kind, name, known)
    facts = run.config["model"]
    model, studied = facts["name"], facts["name"] in STUDIED
    if settings == "study" and not studied:
        raise DfxError(f"the study has no {model}, only {', '.join(STUDIED)}; use --recipe corrected")
    data = tuple(original) or _sources(run)
    if not data:
        raise DfxError(f"{run.path} does not say what it was trained on; name its original data with --original")
    base = dict(RECIPES[model].settings) if studied else _kept(run)
    return TrainConfig.of(
        {
            **base,
            **_SCHEDULE,
            **(_MISTAKEN.get(model, {}) if settings == "study" else {}),
            "data": data,
            "mix": tuple(new),
            "samples": samples,
            "task": run.taxonomy.task,
            "model": model,
            "size": facts["input_size"],
            "weights": str(run.path),
            "frozen": _frozen(strategy, settings),
            **(given or {}),
        }
    )


def default_folder(run: Run, strategy: str, settings: str, seed: int) -> Path:
    """Where the new run goes: runs/RUN-STRATEGY, with `study` and a seed other than 0 in it."""
    parts = [run.name, strategy, *(["study"] if settings == "study" else []), *([f"s{seed}"] if seed else [])]
    return Path("runs") / "-".join(parts)


def _frozen(strategy: str, settings: str) -> str:
    if strategy == "merge":
        return "none"
    return "transfer-moving" if settings == "study" else "transfer"


def _sources(run: Run) -> tuple[str, ...]:
    return tuple(source["ref"] for source in run.config["sources"])


def _kept(run: Run) -> dict[str, Any]:
    return {name: value for name, value in run.train.as_dict().items() if name not in MACHINE}
