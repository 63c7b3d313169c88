"""What a training is made of, and one epoch of it: model, objective, optimizer, stream, and their joint state."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn

from dataengine.augment import augment_preset
from dataengine.batches import Batch
from dataengine.errors import DfxError
from dataengine.loader import Loader
from dataengine.store import Rows
from trainers.checkpoint import generator_states, restore_generators
from trainers.config import TrainConfig
from trainers.losses import objective_of
from trainers.metrics import clip_table, score, selection_metric
from trainers.models.catalogue import build, input_spec
from trainers.optimise import amp_dtype, learning_rate, parameter_groups
from trainers.predict import pick_device, predict_rows, unreadable
from trainers.stream import train_loader
from trainers.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """How training stands after a step."""

    epoch: int
    """From 0."""
    step: int
    """From 1."""
    num_steps: int
    """Of the whole training."""
    loss: float
    images_per_s: float
    """Since the epoch began."""
    input_wait: float
    """Share of the time since the epoch began spent waiting for the loader, in [0, 1]."""


OnStep = Callable[[StepRecord], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedEpoch:
    """An epoch's means."""

    loss: float
    terms: dict[str, float]
    """Each term of the loss before its weight."""
    lr: float
    images_per_s: float
    input_wait: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What the source's validation split says: the loss of frames, the rest of clips."""

    loss: float
    balanced_accuracy: float
    auc: float | None


class Training:
    """A training in memory. Nothing here writes a file."""

    def __init__(self, config: TrainConfig, taxonomy: Taxonomy, train: Rows, val: Rows, *, fresh: bool) -> None:
        """`fresh` False: the weights will be restored, so none are fetched or read."""
        self.config, self.taxonomy = config, taxonomy
        self._val = val
        self._device = pick_device(config.device)
        self._amp = amp_dtype(config.amp, self._device)
        augment = augment_preset(config.augment)
        self.spec = input_spec(config.model, config.size)
        model = build(config.model, taxonomy, size=self.spec.size, weights=config.weights if fresh else "none")
        self.model = model.to(self._device).to(memory_format=torch.channels_last)
        labels = taxonomy.labels(train)
        objective = objective_of(config, labels, len(taxonomy.classes), model.num_features)
        self.objective = objective.to(self._device)
        self._optimizer = torch.optim.AdamW(
            parameter_groups([self.model, self.objective], config.weight_decay), lr=config.lr
        )
        self._scaler = torch.amp.GradScaler(self._device.type, enabled=self._amp == torch.float16)
        self._loader = train_loader(config, taxonomy, train, augment)
        self.num_steps = config.epochs * len(self._loader)
        self.step = 0
        """Steps taken."""
        self._epoch = 0
        self.best: dict[str, Tensor] = {}
        """The weights that `keep` kept, on the CPU."""
        self.unreadable: dict[str, str] = {}
        """Key and reason of every sample that could not be read: replaced in training, left out in validation."""

    @property
    def backend(self) -> str:
        """What decodes the images."""
        return self._loader.backend

    def model_facts(self) -> dict[str, Any]:
        """What a run records of its model."""
        return {
            "name": self.config.model,
            "params": sum(p.numel() for p in self.model.parameters()),
            "input_size": self.spec.size,
            "mean": list(self.spec.mean),
            "std": list(self.spec.std),
        }

    def epoch(self, on_step: OnStep | None = None) -> TrainedEpoch:
        """Train on one epoch. Raises DfxError at the first loss that is not finite."""
        self.model.train()
        meter = _Meter(self._loader)
        late: Callable[[], None] | None = None
        for batch in self._loader:
            total, terms = self.train_on(batch)
            meter.num_images += len(batch.labels)
            if late is not None:  # reading a loss at once would leave the GPU without work
                late()
            late = partial(self._settle, meter, self.step, {"loss": total.detach(), **terms}, on_step)
        if late is not None:
            late()
        self._note_unreadable((bad.key, bad.reason) for bad in self._loader.bad)
        self._epoch += 1
        means = meter.means()
        return TrainedEpoch(
            loss=means.pop("loss"),
            terms=means,
            lr=self._lr(self.step - 1),
            images_per_s=meter.images_per_s(),
            input_wait=meter.input_wait(),
        )

    def train_on(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """One step on a batch of the loader's: the loss and its detached terms. A GPU may still be at work on it."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._lr(self.step)
        images, labels = batch.images, batch.labels
        if images.dim() == 5:
            labels = labels.repeat(len(images))
            images = images.flatten(0, 1)
        with torch.autocast(self._device.type, dtype=self._amp, enabled=self._amp is not None):
            logits, features = self.model(images)
        total, terms = self.objective(logits, features, labels)
        self._optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(total).backward()
        if self.config.grad_clip:
            self._scaler.unscale_(self._optimizer)
            nn.utils.clip_grad_norm_([*self.model.parameters(), *self.objective.parameters()], self.config.grad_clip)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self.step += 1
        return total, terms

    def _settle(self, meter: _Meter, step: int, losses: dict[str, Tensor], on_step: OnStep | None) -> None:
        values = dict(zip(losses, torch.stack(list(losses.values())).tolist(), strict=True))
        if not all(math.isfinite(value) for value in values.values()):
            raise DfxError(
                f"the loss is {values['loss']} at step {step} of {self.num_steps} (learning rate "
                f"{self._lr(step - 1):.3g}); lower --lr{', or train with --amp off' if self._amp else ''}"
            )
        meter.add(values)
        if on_step is not None:
            on_step(
                StepRecord(
                    epoch=self._epoch,
                    step=step,
                    num_steps=self.num_steps,
                    loss=values["loss"],
                    images_per_s=meter.images_per_s(),
                    input_wait=meter.input_wait(),
                )
            )

    def _lr(self, step: int) -> float:
        return learning_rate(step, self.num_steps, peak=self.config.lr, warmup=self.config.warmup)

    def predict(self) -> pa.Table:
        """The validation split's predictions, as `predict_rows` gives them."""
        table = predict_rows(
            self.model,
            self.taxonomy,
            self._val,
            size=self.spec.size,
            mean=self.spec.mean,
            std=self.spec.std,
            batch=self.config.batch,
            device=self._device,
            backend=self.config.backend,
            threads=self.config.threads,
        )
        self._note_unreadable((bad["key"], bad["reason"]) for bad in unreadable(table))
        return table

    def validate(self) -> Validation:
        """Score the validation split. Raises DfxError where what could be read of it cannot be scored."""
        table = self.predict()
        scores = score(clip_table(table), self.taxonomy, threshold=0.5)
        balanced = scores[selection_metric(self.taxonomy.task)]
        if balanced is None:
            raise DfxError(
                f"the validation split cannot be scored: {len(self.unreadable)} samples could not be read, and what is "
                "left is of one class; look at the store with `dfx info`"
            )
        return Validation(
            loss=cross_entropy(table, self.taxonomy, self._val),
            balanced_accuracy=float(balanced),
            auc=scores["detection_auc"],
        )

    def keep(self) -> None:
        """Keep the present weights as the best."""
        self.best = {name: tensor.detach().cpu().clone() for name, tensor in self.model.state_dict().items()}

    def recall(self) -> None:
        """Go back to the weights that were kept."""
        self.model.load_state_dict(self.best)

    def state_dict(self) -> dict[str, Any]:
        """All that going on takes, of types that load with `weights_only=True`."""
        return {
            "step": self.step,
            "epoch": self._epoch,
            "model": self.model.state_dict(),
            "best": self.best,
            "objective": self.objective.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "loader": self._loader.state_dict(),
            "generators": generator_states(),
            "unreadable": self.unreadable,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken. Raises StateError where the rows are no longer the same stream."""
        self._loader.load_state_dict(state["loader"])
        self.model.load_state_dict(state["model"])
        self.objective.load_state_dict(state["objective"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])
        self.step, self._epoch = state["step"], state["epoch"]
        self.best, self.unreadable = state["best"], state["unreadable"]
        restore_generators(state["generators"])

    def _note_unreadable(self, found: Iterable[tuple[str, str]]) -> None:
        self.unreadable.update(found)

    def close(self) -> None:
        """End the stream."""
        self._loader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class _Meter:
    """What an epoch adds up to so far."""

    def __init__(self, loader: Loader) -> None:
        self._loader, self._waited, self._start = loader, loader.wait_s, time.perf_counter()
        self._sums: Counter[str] = Counter()
        self._num_steps = 0
        self.num_images = 0

    def add(self, losses: dict[str, float]) -> None:
        for name, value in losses.items():
            self._sums[name] += value  # type: ignore[assignment]
        self._num_steps += 1

    def means(self) -> dict[str, float]:
        return {name: value / self._num_steps for name, value in self._sums.items()}

    def images_per_s(self) -> float:
        return self.num_images / max(time.perf_counter() - self._start, 1e-9)

    def input_wait(self) -> float:
        return min((self._loader.wait_s - self._waited) / max(time.perf_counter() - self._start, 1e-9), 1.0)


def cross_entropy(predictions: pa.Table, taxonomy: Taxonomy, rows: Rows) -> float:
    """The mean cross-entropy of the readable rows' predictions, in nats."""
    valid = predictions.column("valid").to_numpy()
    p = np.stack([predictions.column(f"p_{name}").to_numpy() for name in taxonomy.classes], axis=1)[valid]
    truth = taxonomy.labels(rows)[valid]
    return float(-np.log(np.maximum(p[np.arange(len(p)), truth].astype(np.float64), 1e-12)).mean())
