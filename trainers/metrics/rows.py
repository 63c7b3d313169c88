"""The arrays behind a table of predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dataengine.errors import StateError
from trainers.taxonomy import Taxonomy

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What scoring needs of a prediction table, its invalid rows left out; n rows, arrays of shape (n,) but `p`."""

    p: Floats
    """(n, C): the probability of each class."""
    labels: Ints
    """0 real, 1 fake."""
    p_fake: Floats
    """1 - p(real), in [0, 1]."""
    truth: Ints
    """Index of the row's method in the taxonomy's classes; -1 for a method unseen in training."""
    predicted: Ints
    """Index of the most probable class."""
    method_names: tuple[str, ...]
    """The methods present, sorted."""
    methods: Ints
    """Index into `method_names`."""
    group_names: tuple[str, ...]
    """The identity groups present, sorted: equal stores resample alike whatever their order."""
    groups: Ints
    """Index into `group_names`."""
    threshold: float | None
    """The p(fake) from which a row is called fake; None: what needs one is undefined."""
    temperature: float | None
    """What calibration divides logits by; None: what needs one is undefined."""

    @property
    def seen(self) -> npt.NDArray[np.bool_]:
        """Rows whose method the taxonomy holds: the only ones that enter attribution."""
        return self.truth >= 0


def scored(
    predictions: pa.Table, taxonomy: Taxonomy, *, threshold: float | None = None, temperature: float | None = None
) -> Scored:
    """The arrays behind a prediction table. Raises StateError where it isn't of this taxonomy, or holds what is no
    probability.
    """
    predictions = predictions.filter(pc.field("valid"))
    p = probabilities(predictions, taxonomy)
    if wrong := int((~np.isfinite(p).all(axis=1)).sum()):
        raise StateError(f"{wrong} predictions of readable samples are not numbers; train the model again")
    labels = predictions["label"].to_numpy().astype(np.int64)
    method_names, methods = coded(predictions["method"])
    group_names, groups = coded(predictions["group"])
    truth = labels
    if taxonomy.task == "attribution":
        place = {name: i for i, name in enumerate(taxonomy.classes)}
        truth = np.array([place.get(name, -1) for name in method_names], dtype=np.int64)[methods]
    return Scored(
        p=p,
        labels=labels,
        p_fake=fake_probability(p),
        truth=truth,
        predicted=p.argmax(axis=1).astype(np.int64),
        method_names=method_names,
        methods=methods,
        group_names=group_names,
        groups=groups,
        threshold=threshold,
        temperature=temperature,
    )


def probabilities(predictions: pa.Table, taxonomy: Taxonomy) -> Floats:
    """(n, C) float64: the columns `p_{class}` in the taxonomy's order, nan where null. Raises StateError where one is
    absent.
    """
    columns = [f"p_{name}" for name in taxonomy.classes]
    if absent := [name for name in columns if name not in predictions.column_names]:
        raise StateError(
            f"the predictions have no column {', '.join(absent)}: they are of another taxonomy than "
            f"{taxonomy.task} over {', '.join(taxonomy.classes)}; predict again with this run"
        )
    return np.stack([predictions[name].to_numpy() for name in columns], axis=1).astype(np.float64)


def fake_probability(p: Floats) -> Floats:
    """(n, C) -> (n,): the sum over the classes that are fake, all but the first."""
    # Not 1 - p(real): next to 1 a float32 no longer tells one confident real from another.
    fake: Floats = p[:, 1:].sum(axis=1)
    return fake


def coded(column: pa.ChunkedArray) -> tuple[tuple[str, ...], Ints]:
    """The names in a column of text, sorted, and each row's place among them."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    names = encoded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    place = np.empty(len(names), dtype=np.int64)
    place[order] = np.arange(len(names))
    return tuple(names[i] for i in order), place[encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)]
