"""A run folder: complete in itself, and finished once it holds `result.json`."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataengine.augment import augment_preset
from dataengine.errors import StateError
from dataengine.place import place_of
from dataengine.selection import Rows
from dataengine.store import parse_ref
from dataengine.version import VERSION
from trainers.config import TrainConfig
from trainers.taxonomy import TRANSFORMATION, Taxonomy

if TYPE_CHECKING:
    from torch import Tensor

    from trainers.models.catalogue import Classifier, InputSpec

FORMAT = 1
"""The run format that this version writes and reads."""

CONFIG_FILE, METRICS_FILE, RESULT_FILE = "config.json", "metrics.jsonl", "result.json"
WEIGHTS_FILE, STATE_FILE = "model.safetensors", "state.pt"
PROTOTYPES_FILE = "prototypes.safetensors"
PREDICTIONS = "predictions"

CONFIG_HOLDS = {"train": dict, "taxonomy": dict, "sources": list, "model": dict}
RESULT_HOLDS = {"metric": str | None, "best_epoch": int | None, "validation": list, "unreadable": list}
EPOCH_HOLDS = {"epoch": int, "train_loss": float, "val_loss": float, "val_balanced_accuracy": float, "best": bool}
"""What readers of the three files take for granted; a file without it is damaged. Nothing selected an imported run's
weights, and it has no epochs and no sources."""

PACKAGES = ("torch", "timm", "numpy", "pyarrow", "pytorch-metric-learning", "nvidia-dali-cuda130")


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run."""

    path: Path
    config: dict[str, Any]
    """config.json: every setting, the sources with their fingerprints and selections, the versions."""
    result: dict[str, Any]
    """result.json: the best epoch, what it reached, and which samples could not be read."""

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def taxonomy(self) -> Taxonomy:
        """What the model tells apart."""
        return Taxonomy(**self.config["taxonomy"])

    @property
    def train(self) -> TrainConfig:
        """The settings it was trained with."""
        return TrainConfig.of(self.config["train"])

    @property
    def input(self) -> InputSpec:
        """What images the model takes."""
        from trainers.models.catalogue import InputSpec  # timm takes seconds to import; reading a run needs none

        model = self.config["model"]
        return InputSpec(size=model["input_size"], mean=tuple(model["mean"]), std=tuple(model["std"]))

    def model(self) -> Classifier:
        """The model of the best epoch, on the CPU, in evaluation mode. Raises StateError where it is damaged."""
        from trainers.models.catalogue import build

        size = self.config["model"]["input_size"]
        weights = str(self.path / WEIGHTS_FILE)
        return build(self.config["model"]["name"], self.taxonomy, size=size, weights=weights).eval()

    def prototypes(self) -> Tensor | None:
        """The class prototypes, float32 (C, d), of unit length; None for a run without them."""
        from trainers.checkpoint import read_weights

        file = self.path / PROTOTYPES_FILE
        return read_weights(file)[0]["prototypes"] if file.exists() else None

    def metrics(self) -> list[dict[str, Any]]:
        """metrics.jsonl: an object an epoch. Raises StateError where it is damaged."""
        file = self.path / METRICS_FILE
        try:
            lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        except ValueError:
            raise damaged(file) from None
        if not all(_holds(line, EPOCH_HOLDS) for line in lines):
            raise damaged(file)
        return lines


def open_run(path: str | Path, *, weights: bool = True, pretraining: bool = False) -> Run:
    """Open a finished run. Raises StateError where it is missing, unfinished, damaged or of another format, and where
    its weights are gone unless `weights` is False: predictions are scored without them. A run of pre-training is taken
    only with `pretraining`: it tells no real from a fake.
    """
    root = Path(path)
    config = read_config(root)
    if config is None:
        raise StateError(f"no run at {root}; train one with `dfx train TASK --data STORE --out {root}`")
    if config["taxonomy"].get("task") == TRANSFORMATION and not pretraining:
        raise StateError(
            f"{root} was pre-trained and tells no methods; train from it with `dfx train dna-det --from {root}`"
        )
    result = _read_json(root / RESULT_FILE)
    if result is None:
        raise StateError(
            f"{root} is not finished; continue it with `dfx train {config['train']['task']} --out {root} --resume`"
        )
    if not _holds(result, RESULT_HOLDS):
        raise damaged(root / RESULT_FILE)
    for name in (METRICS_FILE, *([WEIGHTS_FILE] if weights else [])):
        if not (root / name).exists():
            raise StateError(f"{root / name} is missing; train the run again")
    return Run(root, config, result)


def read_config(root: Path) -> dict[str, Any] | None:
    """config.json of a run, finished or not; None where there is none. Raises StateError where it is damaged or of
    another format.
    """
    config = _read_json(root / CONFIG_FILE)
    if config is None:
        return None
    if config.get("format") != FORMAT:
        raise StateError(f"{root} has run format {config.get('format')}; this version of dfx reads format {FORMAT}")
    if not _holds(config, CONFIG_HOLDS) or "task" not in config["train"]:
        raise damaged(root / CONFIG_FILE)
    return config


def damaged(path: Path) -> StateError:
    """The error for a file of a run that does not hold what it should."""
    return StateError(f"{path} is damaged; train the run again in another folder")


def _holds(found: Any, needed: Mapping[str, Any]) -> bool:
    return isinstance(found, dict) and all(
        name in found and isinstance(found[name], kind) for name, kind in needed.items()
    )


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        raise damaged(path) from None
    if not isinstance(found, dict):
        raise damaged(path)
    return found


def describe(config: TrainConfig, taxonomy: Taxonomy, train: Rows, val: Rows, model: dict[str, Any]) -> dict[str, Any]:
    """What config.json holds: all that a run came from, as JSON."""
    sources = [
        {
            "ref": text,
            "name": store.name,
            "path": str(store.root.resolve()),
            "fingerprint": store.fingerprint,
            "selection": parse_ref(text).selection,
            "num_train": int((train.column("store") == i).sum()),
            "num_val": int((val.column("store") == i).sum()),
        }
        for i, (text, store) in enumerate(zip(config.sources, train.stores, strict=True))
    ]
    return {
        "format": FORMAT,
        "dfx": VERSION,
        "versions": versions_here(),
        "created": now(),
        "train": config.as_dict(),
        "augment": augment_preset(config.augment).settings,
        "taxonomy": taxonomy.as_dict(),
        "sources": sources,
        "model": model,
    }


def default_name(config: TrainConfig) -> str:
    """A run's name from what tells it apart: `attribution-ff++-c23-tf_efficientnetv2_b0-ce+supcon-s0`.

    A policy or an augmentation that is not the default one stands in it too.
    """
    stores = "+".join(place_of(ref.path).name + ref.selection.replace("@", "-") for ref in map(parse_ref, config.data))
    augment = Path(config.augment).stem if config.augment.endswith(".toml") else config.augment
    default = {field.name: field.default for field in fields(TrainConfig)}
    given = {"policy": config.policy, "augment": augment}
    others = [value for name, value in given.items() if value != default[name]]
    parts = [config.task, stores, config.model, config.loss, *others, f"s{config.seed}"]
    return "-".join(parts).replace("/", "_").replace(":", "_")


def versions_here() -> dict[str, str]:
    """The versions of Python and of the packages that decide a result; "" for one that is not installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = ""
    return found


def now() -> str:
    """The time, ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
