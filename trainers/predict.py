"""From a model and rows to a table of predictions: the file that every number and figure is made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from dataengine.augment import augment_preset
from dataengine.errors import DfxError, StateError
from dataengine.loader import Loader
from dataengine.selection import Rows, select
from dataengine.store import Store, StoreRef, file_sha256
from trainers.checkpoint import write_whole
from trainers.distributed import gathered, rank, world_size
from trainers.models.classifier import Classifier, InputSpec
from trainers.run import PREDICTIONS, WEIGHTS_FILE, Run
from trainers.taxonomy import Taxonomy

OnBatch = Callable[[int, int], None]
"""Called with (samples done, samples in all)."""

AUGMENTED = "augmented"
"""The folder within `predictions` for those of augmented samples."""

FACTS = ("key", "clip", "group", "label", "method")


def pick_device(name: str) -> torch.device:
    """The device called `name`; "auto" is the first GPU, else the CPU. Raises DfxError for one that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise DfxError(f"'{name}' is no device; use auto, cpu, cuda or cuda:N") from None
    if device.type not in ("cpu", "cuda"):
        raise DfxError(f"device {name} is not supported; use auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DfxError(f"device {name} is not there ({torch.cuda.device_count()} GPUs found); use --device cpu")
    return device


@contextmanager
def torch_threads(threads: int | None) -> Iterator[None]:
    """Limit torch's own CPU threads meanwhile; None: leave them."""
    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def predict(
    run: Run,
    ref: str,
    *,
    split: str | None = "test",
    augment: str = "none",
    device: str = "cpu",
    backend: str = "auto",
    batch: int = 64,
    threads: int | None = None,
    on_batch: OnBatch | None = None,
) -> pa.Table:
    """Predict the samples of a store reference with a finished run, and write the table into the run's folder.

    `split` is what the reference selects where it names none itself. The table is that of `predict_rows`.
    """
    rows = select([ref], split=split)
    table = predict_rows(
        run.model(),
        run.taxonomy,
        rows,
        spec=run.input,
        prototypes=run.prototypes(),
        augment=augment,
        batch=batch,
        device=device,
        backend=backend,
        threads=threads,
        on_batch=on_batch,
    )
    weights = file_sha256(run.path / WEIGHTS_FILE)
    return write_predictions(
        run.path, run.taxonomy, table, rows.stores[0], rows.refs[0], augment=augment, weights=weights
    )


def predict_rows(
    model: Classifier,
    taxonomy: Taxonomy,
    rows: Rows,
    *,
    spec: InputSpec,
    prototypes: Tensor | None = None,
    augment: str = "none",
    batch: int = 64,
    device: str | torch.device = "cpu",
    backend: str = "auto",
    threads: int | None = None,
    on_batch: OnBatch | None = None,
) -> pa.Table:
    """The model's probabilities for every row, once each, in the rows' order; computed in float32.

    Columns: key, clip, group (text), label (int8: 0 real, 1 fake), method (text), valid (bool: False where the sample
    could not be read), `p_{class}`, float32, a class of the taxonomy, summing to 1; `energy`, float32, -logsumexp of
    the logits (Liu et al., NeurIPS 2020); and with `prototypes` (C, d) `distance`, float32 in [0, 2], 1 - the largest
    cosine similarity to one of them. All numbers are null where not valid.
    The schema's metadata hold JSON under `dfx`: `unreadable` lists {key, reason}. `threads` limits
    the loader's and torch's. The model moves to the device, and leaves in evaluation mode.

    Processes that train together predict a part each, and every one has the whole table.
    """

    def numbers(logits: Tensor, embeddings: Tensor) -> dict[str, Tensor]:
        found = {"p": torch.softmax(logits, dim=1), "energy": -torch.logsumexp(logits, dim=1)}
        if prototypes is not None:
            near = torch.nn.functional.normalize(embeddings, dim=1) @ prototypes.to(embeddings).T
            found["distance"] = 1 - near.amax(dim=1)
        return found

    found = run_over(
        model,
        rows,
        taxonomy.labels(rows),
        numbers,
        spec=spec,
        augment=augment,
        batch=batch,
        device=device,
        backend=backend,
        threads=threads,
        on_batch=on_batch,
    )
    valid = np.zeros(len(rows), dtype=bool)
    valid[found.rows] = True
    p = found.values.pop("p")
    facts = rows.facts(FACTS)
    columns = {name: facts.column(name) for name in FACTS}
    columns["valid"] = pa.array(valid)
    for name, values in {**{f"p_{name}": p[:, i] for i, name in enumerate(taxonomy.classes)}, **found.values}.items():
        whole = np.zeros(len(rows), dtype=np.float32)
        whole[found.rows] = values
        columns[name] = pa.array(whole, mask=~valid)
    return pa.table(columns).replace_schema_metadata({"dfx": json.dumps({"unreadable": found.unreadable})})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What came of a model's outputs for the rows that could be read."""

    rows: npt.NDArray[np.int64]
    """(N,): which they are, ascending."""
    values: dict[str, npt.NDArray[np.float32]]
    """(N, ...) each."""
    unreadable: list[dict[str, str]]
    """Key and reason of the others."""


def run_over(
    model: Classifier,
    rows: Rows,
    labels: npt.NDArray[np.int64],
    reduce: Callable[[Tensor, Tensor], dict[str, Tensor]],
    *,
    spec: InputSpec,
    augment: str = "none",
    batch: int = 64,
    device: str | torch.device = "cpu",
    backend: str = "auto",
    threads: int | None = None,
    on_batch: OnBatch | None = None,
) -> Outputs:
    """Run a model over rows as `predict_rows` does, and keep what `reduce(logits (B, C), embeddings (B, d))`, both
    float32, makes of each batch.
    """
    where = pick_device(str(device))
    model = model.to(where).to(memory_format=torch.channels_last).eval()
    loader = Loader(
        rows,
        labels,
        batch=batch * world_size(),
        mode="eval",
        augment=augment,
        size=spec.size,
        rank=rank(),
        world_size=world_size(),
        mean=spec.mean,
        std=spec.std,
        device=where,
        backend=backend,
        threads=threads,
    )
    done, parts = 0, []
    with loader, torch_threads(threads):
        for item in loader:
            with torch.inference_mode():
                found = reduce(*(value.float() for value in model(item.images)))
            read = item.valid.numpy()
            values = {name: value.float().cpu().numpy()[read] for name, value in found.items()}
            parts.append({"row": item.rows.numpy()[read], **values})
            done += int((item.rows >= 0).sum())
            if on_batch is not None:
                on_batch(min(done * world_size(), len(rows)), len(rows))
        failed = [{"key": bad.key, "reason": bad.reason} for bad in loader.bad]
    mine = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    every = gathered((mine, failed))
    whole = {name: np.concatenate([values[name] for values, _ in every]) for name in mine}
    order = np.argsort(whole["row"])
    return Outputs(
        rows=whole.pop("row")[order],
        values={name: values[order] for name, values in whole.items()},
        unreadable=sorted((bad for _, found in every for bad in found), key=lambda bad: bad["key"]),
    )


def prediction_path(run: Path, store: Store, ref: StoreRef, split: str | None, augment: str = "none") -> Path:
    """Where a run keeps its predictions of a selection: `predictions/{store}-{split}-{digest}.parquet`.

    The digest is of the store's fingerprint and the selection, so that two stores of one name do not meet. Predictions
    of augmented samples have the augmentation's digest in theirs and lie in `predictions/augmented`: who reads all of a
    run's predictions never takes them for those of the samples as they are.
    """
    where = dict(ref.where)
    splits = where.pop("split", (split,) if split else ("all",))
    untouched = augment == "none"
    given = [store.fingerprint, sorted(where.items()), splits]
    text = json.dumps(given if untouched else [*given, augment_preset(augment).digest])
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    folder = run / PREDICTIONS if untouched else run / PREDICTIONS / AUGMENTED
    return folder / f"{store.name}-{'+'.join(splits)}-{digest}.parquet"


def write_predictions(
    run: Path,
    taxonomy: Taxonomy,
    table: pa.Table,
    store: Store,
    ref: StoreRef,
    *,
    weights: str,
    augment: str = "none",
) -> pa.Table:
    """Write the predictions of one store, and give them back with what they are of in their metadata.

    Under `dfx`, as JSON: run, task, classes, store, ref, selection, fingerprint, split, augment, weights (the sha256 of
    those that made it), unreadable.
    """
    where = dict(ref.where)
    split = "+".join(where.pop("split", ("all",)))
    keys = set(table.column("key").to_pylist())
    facts = {
        "run": run.name,
        "task": taxonomy.task,
        "classes": list(taxonomy.classes),
        "store": store.name,
        "ref": str(ref),
        "selection": StoreRef("", tuple(sorted(where.items()))).selection,
        "fingerprint": store.fingerprint,
        "split": split,
        "augment": augment,
        "weights": weights,
        "unreadable": [bad for bad in unreadable(table) if bad["key"] in keys],
    }
    table = table.replace_schema_metadata({"dfx": json.dumps(facts)})
    write_whole(prediction_path(run, store, ref, None, augment), lambda file: pq.write_table(table, file))
    return table


def unreadable(table: pa.Table) -> list[dict[str, str]]:
    """Key and reason of the samples of a table that could not be read."""
    return list(json.loads(table.schema.metadata[b"dfx"])["unreadable"])


def read_predictions(path: Path) -> tuple[pa.Table, dict[str, Any]]:
    """A table that `write_predictions` wrote, and its metadata. Raises StateError where it is damaged or another's."""
    try:
        table = pq.read_table(path)
        return table, json.loads(table.schema.metadata[b"dfx"])
    except (pa.ArrowInvalid, OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise StateError(f"{path} holds no predictions ({reason}); delete it and predict again") from None
