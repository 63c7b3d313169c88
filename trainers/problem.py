"""What a training learns and is judged by: the methods of stores, told apart by their labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataengine.augment import augment_preset
from dataengine.selection import Rows
from dataengine.store import file_sha256
from dataengine.stream import Stream
from trainers import distributed
from trainers.config import TrainConfig
from trainers.predict import predict_rows, prediction_path, unreadable, write_predictions
from trainers.prototypes import class_prototypes, classify_by, write_prototypes
from trainers.run import WEIGHTS_FILE
from trainers.stream import needs_said, train_stream
from trainers.taxonomy import Taxonomy, check_validation, taxonomy_of
from trainers.transfer.alternating import Alternating
from trainers.transfer.sides import rows_of
from trainers.validation import Validation, validate

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from trainers.models.classifier import Classifier, InputSpec


class Problem(Protocol):
    """What `fit` asks of a problem. In a training of several processes, every one of them calls each method."""

    taxonomy: Taxonomy
    train: Rows
    val: Rows
    said: list[str]
    """What follows from settings that were left open, a sentence each."""
    unreadable: dict[str, str]
    """Key and reason of each validation sample that could not be read."""

    def labels(self) -> npt.NDArray[np.int64]:
        """The class of every training row, for class weights: int64 (len(train),)."""

    def stream(self) -> Stream | Alternating:
        """What is learnt from."""

    def validate(self, model: Classifier, spec: InputSpec, device: torch.device) -> Validation:
        """Score a model; it leaves in evaluation mode."""

    def finish(self, run: Path, model: Classifier, spec: InputSpec, device: torch.device) -> list[str]:
        """What a finished run holds of the model that was kept, whose weights are in the run: the names of its files
        of validation predictions."""


class Methods:
    """Which method made a fake, or whether it is one: the tasks `attribution` and `detection`."""

    def __init__(self, config: TrainConfig, *, validated: bool = True) -> None:
        """Raises DfxError for stores and splits that cannot train or, where it shall be `validated`, select a model."""
        self._config = config
        self.train = rows_of(config, "train")
        self.val = rows_of(config, "val") if validated else self.train
        self.taxonomy = taxonomy_of(config.task, self.train)
        if validated:
            check_validation(self.taxonomy, self.val)
        self.said = needs_said(config, self.taxonomy, augment_preset(config.augment))
        self.unreadable: dict[str, str] = {}

    def labels(self) -> npt.NDArray[np.int64]:
        """See `Problem`."""
        return self.taxonomy.labels(self.train)

    def stream(self) -> Stream | Alternating:
        """See `Problem`."""
        return train_stream(self._config, self.taxonomy, self.train, augment_preset(self._config.augment))

    def validate(self, model: Classifier, spec: InputSpec, device: torch.device) -> Validation:
        """See `Problem`. Without a classification term the classifier is set to the class prototypes first."""
        if self._config.loss_spec.classification is None:
            classify_by(model, self._prototypes(model, spec, device))
        return validate(self._predict(model, spec, device), self.taxonomy, self.val)

    def finish(self, run: Path, model: Classifier, spec: InputSpec, device: torch.device) -> list[str]:
        """See `Problem`: class prototypes, and the validation split's predictions, a file a store."""
        prototypes = self._prototypes(model, spec, device)
        table = self._predict(model, spec, device, prototypes)
        sources = list(enumerate(zip(self.val.stores, self.val.refs, strict=True)))
        if distributed.rank() == 0:
            write_prototypes(run, prototypes)
            weights = file_sha256(run / WEIGHTS_FILE)
            for i, (store, ref) in sources:
                mine = table.filter(pa.array(self.val.column("store") == i))
                write_predictions(run, self.taxonomy, mine, store, ref, weights=weights)
        files = [prediction_path(run, store, ref, None) for _, (store, ref) in sources]
        return [file.relative_to(run).as_posix() for file in files]

    def _prototypes(self, model: Classifier, spec: InputSpec, device: torch.device) -> Tensor:
        config = self._config
        return class_prototypes(
            model,
            self.train,
            self.labels(),
            len(self.taxonomy.classes),
            spec=spec,
            seed=config.seed,
            batch=config.batch,
            device=device,
            backend=config.backend,
            threads=config.threads,
        )

    def _predict(
        self, model: Classifier, spec: InputSpec, device: torch.device, prototypes: Tensor | None = None
    ) -> pa.Table:
        table = predict_rows(
            model,
            self.taxonomy,
            self.val,
            spec=spec,
            prototypes=prototypes,
            batch=self._config.batch,
            device=device,
            backend=self._config.backend,
            threads=self._config.threads,
        )
        self.unreadable.update((bad["key"], bad["reason"]) for bad in unreadable(table))
        return table


def problem_of(config: TrainConfig) -> Problem:
    """The problem of a training's task. Raises DfxError for stores that do not pose it."""
    if config.task in ("attribution", "detection"):
        return Methods(config)
    from trainers.dnadet.pretext import Transformations

    return Transformations(config)
