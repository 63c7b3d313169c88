"""DNA-Det's pre-training as a problem: which of 170 transformations a picture went through."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from dataengine.errors import DfxError
from dataengine.selection import select
from trainers import distributed
from trainers.config import TrainConfig
from trainers.dnadet.pretrain import PretrainStream
from trainers.dnadet.transforms import TRANSFORMS
from trainers.dnadet.untouched import check_untouched
from trainers.models.catalogue import input_spec
from trainers.predict import pick_device, torch_threads
from trainers.taxonomy import TRANSFORMATION, Taxonomy
from trainers.validation import Validation

if TYPE_CHECKING:
    from trainers.models.classifier import Classifier, InputSpec


class Transformations:
    """The task `transformation`. See `trainers.problem.Problem`, whose methods these are."""

    def __init__(self, config: TrainConfig) -> None:
        """Raises DfxError for a store whose images are compressed, unless the settings force it."""
        self._config = config
        self.taxonomy = Taxonomy(task=TRANSFORMATION, classes=tuple(map(str, TRANSFORMS)))
        self.train, self.val = select(config.data, split="train"), select(config.data, split="val")
        self.said = [
            *check_untouched(self.train, force=config.force),
            f"each image goes through one of {len(TRANSFORMS)} transformations, which is its class",
        ]
        self.unreadable: dict[str, str] = {}
        self._spec = input_spec(config.model, config.size)

    def labels(self) -> npt.NDArray[np.int64]:
        """All classes alike: they are drawn evenly."""
        return np.resize(np.arange(len(TRANSFORMS)), len(self.train))

    def stream(self) -> PretrainStream:
        """The train split's images, transformed."""
        term = self._config.loss_spec.term
        return PretrainStream(
            self.train,
            batch=self._config.batch,
            policy=self._config.order,
            size=self._spec.size,
            seed=self._config.seed,
            gathered=term is not None,
            device=pick_device(self._config.device),
            threads=self._config.threads,
            mean=self._spec.mean,
            std=self._spec.std,
        )

    def validate(self, model: Classifier, spec: InputSpec, device: torch.device) -> Validation:
        """Balanced accuracy over the transformations of the validation split's images, each with its own one."""
        model = model.eval()
        truths, answers, losses = [], [], []
        stream = PretrainStream(
            self.val,
            batch=self._config.batch,
            mode="eval",
            size=spec.size,
            device=device,
            threads=self._config.threads,
            mean=spec.mean,
            std=spec.std,
        )
        with stream, torch_threads(self._config.threads), torch.inference_mode():
            for batch in stream:
                read = batch.valid.to(device)
                logits, labels = model(batch.images)[0].float()[read], batch.labels[read]
                losses.append(F.cross_entropy(logits, labels, reduction="none").cpu())
                truths.append(labels.cpu())
                answers.append(logits.argmax(dim=1).cpu())
            self.unreadable.update((bad.key, bad.reason) for bad in stream.bad)
        every = distributed.gathered(tuple(torch.cat(parts) for parts in (truths, answers, losses)))
        truth, answer, loss = (torch.cat(parts).numpy() for parts in zip(*every, strict=True))
        if not len(truth):
            raise DfxError("no validation image could be read; look at the store with `dfx verify STORE`")
        recall = [np.mean(answer[truth == label] == label) for label in np.unique(truth)]
        return Validation(loss=float(loss.mean()), balanced_accuracy=float(np.mean(recall)), auc=None)

    def finish(self, run: Path, model: Classifier, spec: InputSpec, device: torch.device) -> list[str]:
        """Nothing: what was learnt is not told from reals and fakes."""
        return []
