"""A training: what learns, the stream it learns from, the split it is judged by, and their joint state."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor

from dataengine.errors import DfxError, line_of
from trainers import distributed
from trainers.checkpoint import generator_states, restore_generators, seed_generators
from trainers.config import TrainConfig
from trainers.learner import Learner
from trainers.losses.objective import Objective, class_weights
from trainers.models.catalogue import Classifier, build, input_spec
from trainers.predict import pick_device
from trainers.problem import Problem
from trainers.progress import Meter, OnStep, StepRecord
from trainers.readback import Readback
from trainers.validation import Validation

EXPLODED = 1000
"""A loss of so many times the first one (or of so much, where that was below 1) will not come back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedEpoch:
    """An epoch's means, over all processes."""

    loss: float
    terms: dict[str, float]
    """Each term of the loss before its weight."""
    lr: float
    images_per_s: float
    input_wait: float
    seconds: float


class Training:
    """A training in memory, one process's part of it. Nothing here writes a file."""

    def __init__(self, config: TrainConfig, problem: Problem, *, fresh: bool) -> None:
        """`fresh` False: the weights will be restored, so none are fetched or read."""
        self.config, self.problem = config, problem
        self.device = pick_device(config.device)
        self.spec = input_spec(config.model, config.size)
        if config.patches is not None and config.patch_px > self.spec.size:
            raise DfxError(f"patches of {config.patch_px} px do not fit images of {self.spec.size} px; raise --size")
        model = build(config.model, problem.taxonomy, size=self.spec.size, weights=config.weights if fresh else "none")
        if config.patches is not None:
            _check_takes(model, config.model, config.patch_px)
        num_classes = len(problem.taxonomy.classes)
        objective = Objective(
            config.loss_spec,
            num_features=model.num_features,
            num_classes=num_classes,
            class_weights=class_weights(config.class_weights, problem.labels(), num_classes),
        )
        self.stream = problem.stream()
        self.epoch_steps = len(self.stream)
        num_steps = config.epochs * self.epoch_steps
        self.learner = Learner(config, model, objective, num_steps=num_steps, device=self.device)
        if distributed.rank():
            seed_generators(config.seed + distributed.rank())  # the weights are drawn: each draws its own dropout now
        self._epoch = 0
        self._meter: Meter | None = None
        self._late: Callable[[], None] | None = None
        self._first_loss: float | None = None
        self.best: dict[str, Tensor] = {}
        """The weights that `keep` kept, on the CPU."""
        self._unreadable: dict[str, str] = {}

    def model_facts(self) -> dict[str, Any]:
        """What a run records of its model."""
        return {
            "name": self.config.model,
            "params": sum(p.numel() for p in self.learner.model.parameters()),
            "input_size": self.spec.size,
            "mean": list(self.spec.mean),
            "std": list(self.spec.std),
        }

    def epoch(self, on_step: OnStep | None = None, on_update: Callable[[], None] | None = None) -> TrainedEpoch:
        """Train on one epoch, or on the rest of it. Raises DfxError at the first loss that is not finite or explodes.

        `on_update` is called wherever the state is whole: after each update of the weights but the epoch's last.
        """
        self.learner.to_train()
        meter = self._meter = self._meter or Meter(self.stream.wait_s)
        done = self.learner.step - self._epoch * self.epoch_steps
        accumulate = self.config.accumulate
        for number, batch in enumerate(self.stream, done + 1):
            update = number % accumulate == 0 or number == self.epoch_steps
            of = min(accumulate, self.epoch_steps - (number - 1) // accumulate * accumulate)  # an epoch's last: fewer
            total, terms = self.learner.learn(batch, update=update, of=of)
            meter.num_images += len(batch.labels)
            losses = {"loss": total.detach(), **terms}
            # The mean of all processes', so that all stop at the same step.
            read = Readback(distributed.mean(torch.stack(list(losses.values()))))
            self._settle()  # only now: waiting for this step's loss would leave the GPU without work
            self._late = partial(
                self._note_loss, meter, self.learner.step, tuple(losses), read, self.stream.wait_s, on_step
            )
            if on_update is not None and update and number < self.epoch_steps:
                on_update()
        self._settle()
        self._unreadable.update((bad.key, bad.reason) for bad in self.stream.bad)
        self._epoch += 1
        self._meter = None
        means = meter.means()
        return TrainedEpoch(
            loss=means.pop("loss"),
            terms=means,
            lr=self.learner.lr(self.learner.step - 1),
            images_per_s=meter.images_per_s() * distributed.world_size(),
            input_wait=meter.input_wait(),
            seconds=meter.seconds,
        )

    def _settle(self) -> None:
        """Read the loss of the step before."""
        late, self._late = self._late, None
        if late is not None:
            late()

    def _note_loss(
        self,
        meter: Meter,
        step: int,
        names: tuple[str, ...],
        read: Readback,
        waited_s: float,
        on_step: OnStep | None,
    ) -> None:
        values = dict(zip(names, read.numbers(), strict=True))
        loss, lr, of = values["loss"], self.learner.lr(step - 1), self.learner.num_steps
        mend = f"lower --lr{'' if self.config.amp == 'off' else ', or train with --amp off'}"
        if not all(math.isfinite(value) for value in values.values()):
            raise DfxError(f"the loss is {loss} at step {step} of {of} (learning rate {lr:.3g}); {mend}")
        if self._first_loss is None:
            self._first_loss = loss
        if loss > EXPLODED * max(1.0, self._first_loss):
            raise DfxError(
                f"the loss has grown from {self._first_loss:.3g} to {loss:.3g} at step {step} of {of} (learning rate "
                f"{lr:.3g}); {mend}"
            )
        meter.add(values, waited_s)
        if on_step is not None:
            terms = {name: value for name, value in values.items() if name != "loss"}
            on_step(
                StepRecord(
                    epoch=(step - 1) // self.epoch_steps,
                    step=step,
                    num_steps=of,
                    loss=loss,
                    terms=terms,
                    lr=lr,
                    images_per_s=meter.images_per_s() * distributed.world_size(),
                    input_wait=meter.input_wait(),
                )
            )

    def validate(self) -> Validation:
        """Score the model that is judged on the sources' validation split."""
        # Batch norm's statistics are each process's own where it is not synchronised, and the first one's are kept.
        distributed.share(self.learner.judged.buffers())
        return self.problem.validate(self.learner.judged, self.spec, self.device)

    def finish(self, run: Path) -> list[str]:
        """Leave in the run what it holds of the kept weights; the names of its files of validation predictions."""
        self.learner.judged.load_state_dict(self.best)
        return self.problem.finish(run, self.learner.judged, self.spec, self.device)

    def keep(self) -> None:
        """Keep the present weights as the best."""
        self.best = {name: tensor.detach().cpu().clone() for name, tensor in self.learner.judged.state_dict().items()}

    @property
    def bad(self) -> dict[str, str]:
        """Key and reason of every sample that could not be read: replaced in training, left out in validation."""
        return {**self._unreadable, **self.problem.unreadable}

    def state_dict(self) -> dict[str, Any]:
        """All that going on takes, of types that load with `weights_only=True`. Every process must call it."""
        self._settle()
        return {
            "epoch": self._epoch,
            "meter": self._meter.state_dict() if self._meter else None,
            "first_loss": self._first_loss,
            "learner": self.learner.state_dict(),
            "best": self.best,
            "stream": self.stream.state_dict(),
            "generators": distributed.gathered(generator_states()),
            "unreadable": self.bad,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken. Raises StateError where the rows are no longer the same stream.

        With another number of processes the generators are seeded anew, by rank and step: what they drew was theirs.
        """
        self.stream.load_state_dict(state["stream"])
        self.learner.load_state_dict(state["learner"])
        self._epoch, self._first_loss = state["epoch"], state["first_loss"]
        self._meter = Meter(self.stream.wait_s, state["meter"]) if state["meter"] else None
        self.best, self._unreadable = state["best"], state["unreadable"]
        rank, generators = distributed.rank(), state["generators"]
        if len(generators) == distributed.world_size():
            restore_generators(generators[rank])
        else:
            seed_generators(self.config.seed + rank + self.learner.step * distributed.world_size())

    def close(self) -> None:
        """End the stream."""
        self.stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _check_takes(model: Classifier, name: str, px: int) -> None:
    """Raise DfxError for a model that cannot see squares of `px`: many find out about a size only when they run."""
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, 3, px, px))
    except (AssertionError, RuntimeError) as error:
        raise DfxError(
            f"{name} cannot see patches of {px} px ({line_of(error)}); choose another --patch-px or --model"
        ) from None
    model.train()
