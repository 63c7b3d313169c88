"""Run folders without a model: predictions drawn at random with a given skill."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

METHODS = ("deepfakes", "face2face", "faceshifter", "faceswap", "neuraltextures")
CLASSES = ("real", *METHODS)
STORES = {
    "ff++": ("real", *METHODS),
    "lab": ("real", *METHODS),
    "celeb-df": ("real", "celeb-synthesis"),
}


def fingerprint(store: str) -> str:
    """A stand-in for a store's fingerprint: 64 hex digits."""
    return (store.encode().hex() * 64)[:64]


def predictions(
    methods: Sequence[str],
    *,
    classes: Sequence[str] = CLASSES,
    store: str = "ff++",
    split: str = "test",
    groups: int = 20,
    frames: int = 4,
    skill: float = 2.0,
    seed: int = 0,
    meta: Mapping[str, object] | None = None,
) -> pa.Table:
    """`groups` clips of each method, `frames` frames each; the true class's logit is raised by `skill`.

    A method that isn't among the classes is drawn towards the first fake class at half the skill.
    """
    rng = np.random.default_rng([seed, *store.encode(), *split.encode()])
    rows: dict[str, list] = {name: [] for name in ("key", "clip", "group", "label", "method", "valid")}
    logits = []
    for method in methods:
        for group in range(groups):
            clip = f"{store}/{split}/{method}/{group:03d}"
            raised = classes.index(method) if method in classes else 1
            lift = skill * (1.0 if method in classes else 0.5)
            of_clip = rng.normal(size=len(classes))
            for frame in range(frames):
                logit = of_clip + rng.normal(scale=0.7, size=len(classes))
                logit[raised] += lift
                logits.append(logit)
                values = (f"{clip}/{frame:06d}", clip, f"{store}/{split}/{group:03d}", int(method != "real"))
                for name, value in zip(rows, (*values, method, True), strict=True):
                    rows[name].append(value)
    p = np.exp(np.array(logits))
    p = (p / p.sum(axis=1, keepdims=True)).astype(np.float32)
    columns = {**rows, "label": pa.array(rows["label"], pa.int8())}
    columns |= {f"p_{name}": p[:, i] for i, name in enumerate(classes)}
    facts = {
        "task": "attribution" if len(classes) > 2 else "detection",
        "classes": list(classes),
        "store": store,
        "ref": f"shards/{store}@split={split}",
        "fingerprint": fingerprint(store),
        "selection": "",
        "split": split,
        "unreadable": [],
    }
    return pa.table(columns).replace_schema_metadata({b"dfx": json.dumps({**facts, **(meta or {})}).encode()})


def write_run(
    path: Path,
    *,
    source: str = "ff++",
    model: str = "tf_efficientnetv2_b0",
    loss: str = "ce",
    seed: int = 0,
    skill: Mapping[str, float] | None = None,
    classes: Sequence[str] = CLASSES,
    groups: int = 20,
    train: Mapping[str, object] | None = None,
) -> Path:
    """A finished run trained on `source`: predictions of its val, and of the test split of `skill`'s stores."""
    skill = skill or {"ff++": 3.0, "lab": 1.2, "celeb-df": 1.5}
    (path / "predictions").mkdir(parents=True)
    task = "attribution" if len(classes) > 2 else "detection"
    settings = {
        "task": task, "data": [f"shards/{source}"], "model": model, "weights": "imagenet", "loss": loss,
        "loss_weight": 0.5, "temperature": 0.07, "class_weights": "none", "lr": 1e-3, "weight_decay": 0.05,
        "epochs": 8, "batch": 64, "size": 224, "augment": "crop", "seed": seed, "device": "cpu", **(train or {}),
    }  # fmt: skip
    config = {
        "format": 1,
        "dfx": "0.1.0",
        "versions": {"python": "3.12.1", "torch": "2.9.0", "timm": "1.0.20"},
        "created": "2025-01-01T00:00:00+00:00",
        "train": settings,
        "taxonomy": {"task": task, "classes": list(classes)},
        "sources": [
            {
                "ref": f"shards/{source}",
                "name": source,
                "path": f"shards/{source}",
                "fingerprint": fingerprint(source),
                "selection": "",
            }
        ],
        "model": {"name": model, "params": 5_858_704, "input_size": 224, "mean": [0.5] * 3, "std": [0.2] * 3},
    }
    (path / "config.json").write_text(json.dumps(config, indent=2))
    result = {"metric": f"{task}_balanced_accuracy", "best_epoch": 0, "unreadable": []}
    (path / "result.json").write_text(json.dumps({**result, "validation": [f"predictions/{source}-val.parquet"]}))
    # A report is made from predictions: it never opens the weights.
    (path / "model.safetensors").write_bytes(b"")
    rng = np.random.default_rng([seed, *source.encode(), *model.encode(), *loss.encode()])
    pace = float(rng.uniform(1.5, 3.5))
    lines = []
    top = 0.0
    for epoch in range(8):
        accuracy = float(0.17 + 0.7 * (1 - np.exp(-epoch / pace)) + rng.normal(scale=0.015))
        lines.append(
            {
                "epoch": epoch, "step": (epoch + 1) * 40, "train_loss": 1.8 * float(np.exp(-epoch / pace)) + 0.1,
                "train_ce": 1.8 * float(np.exp(-epoch / pace)) + 0.1, "images_per_s": 800.0, "input_wait": 0.02,
                "val_loss": 1.7 * float(np.exp(-epoch / pace)) + 0.3 + float(rng.normal(scale=0.02)),
                "val_balanced_accuracy": accuracy, "val_auc": 0.9, "best": accuracy > top, "seconds": 12.0,
            }
        )  # fmt: skip
        top = max(top, accuracy)
    (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for store, split in [(source, "val"), *((name, "test") for name in skill)]:
        table = predictions(
            STORES[store] if task == "attribution" else ("real", "deepfakes", "face2face"),
            classes=classes,
            store=store,
            split=split,
            groups=groups,
            skill=skill.get(store, 3.0),
            seed=seed,
        )
        pq.write_table(table, path / "predictions" / f"{store}-{split}.parquet")
    return path


def write_trials(path: Path, runs: Sequence[Path]) -> Path:
    """A sweep's trials table that names these runs, and one trial that was stopped early."""
    rows = []
    for i, run in enumerate(runs):
        config = json.loads((run / "config.json").read_text())
        best = max(json.loads(line)["val_balanced_accuracy"] for line in (run / "metrics.jsonl").open())
        train = config["train"]
        rows.append(
            {
                "trial_id": f"t{i:03d}", "source": config["sources"][0]["name"], "model": train["model"],
                "loss": train["loss"], "seed": train["seed"], "status": "done", "score": best, "run": str(run),
                "config": json.dumps(train), "target/ff++/attribution_balanced_accuracy": 0.8,
                "target/lab/attribution_balanced_accuracy": 0.4,
                "target/celeb-df/attribution_balanced_accuracy": None, "epochs": 8, "seconds": 96.0,
            }
        )  # fmt: skip
    rows.append({**rows[0], "trial_id": "t999", "status": "stopped", "score": 0.2, "epochs": 2})
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path
