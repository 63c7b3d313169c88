"""What learns: a model with its objective, optimizer and running mean, and one step of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dataengine.batches import Batch
from dataengine.errors import DfxError
from dataengine.sending import send
from trainers import distributed
from trainers.averaging import RunningMean
from trainers.config import TrainConfig
from trainers.losses.objective import Objective
from trainers.models.catalogue import Classifier
from trainers.optimise import amp_dtype, learning_rate, optimizer_of
from trainers.step import Step, draw_corners

TRANSFERS = ("transfer", "transfer-moving")
"""Values of `frozen` with which the last layers learn."""

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class Learner:
    """One process's part of what learns. Weights are the same in all of them after every update."""

    def __init__(
        self, config: TrainConfig, model: Classifier, objective: Objective, *, num_steps: int, device: torch.device
    ) -> None:
        """`num_steps` of the whole training: the learning rate follows from it."""
        memory = torch.channels_last if config.channels_last else torch.contiguous_format
        self.model = model.to(device).to(memory_format=memory)
        self.objective = objective.to(device)
        self.num_steps = num_steps
        self.step = 0
        """Batches learnt from."""
        self._config, self._device = config, device
        if config.frozen == "backbone":
            model.network.requires_grad_(False)
        elif config.frozen in TRANSFERS:
            for name, parameter in model.named_parameters():
                parameter.requires_grad_(name.startswith(model.transfer_layers))
        if config.loss_spec.classification is None:  # no term reaches the classifier: class prototypes will be it
            model.head.requires_grad_(False)
            if not any(parameter.requires_grad for parameter in model.network.parameters()):
                raise DfxError(
                    f"with frozen {config.frozen} '{config.loss}' trains nothing of {config.model} that is kept; add a "
                    "classification term, as --loss ce, or train all layers"
                )
        amp = amp_dtype(config.amp, device)
        self._step = _parallel(Step(self.model, self.objective, amp=amp), device)
        self._ema = RunningMean(self.model, config.ema) if config.ema else None
        if (
            config.compile
        ):  # the model alone: a loss that is its only term is its own detached value, which a graph confuses
            self.model.network.compile()
        self._optimizer = optimizer_of(config, model.network, [model.head, self.objective])
        self._scaler = torch.amp.GradScaler(device.type, enabled=amp == torch.float16)

    @property
    def judged(self) -> Classifier:
        """The model that is validated and kept: the running mean of the weights where there is one."""
        return self._ema.module if self._ema is not None else self.model  # type: ignore[return-value]

    def to_train(self) -> None:
        """Put the model into training mode; a frozen backbone stays out of it, or batch norm would go on counting.

        So do the batch norms of what `transfer` freezes; its dropouts go on, as those before layers that learn must.
        """
        self.model.train()
        if self._config.frozen == "backbone":
            self.model.network.eval()
        elif self._config.frozen == "transfer":
            for name, module in self.model.named_modules():
                if isinstance(module, BATCH_NORMS) and not f"{name}.".startswith(self.model.transfer_layers):
                    module.eval()

    def lr(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        return learning_rate(step, self.num_steps, self._config)

    def learn(self, batch: Batch, *, update: bool = True, of: int = 1) -> tuple[Tensor, dict[str, Tensor]]:
        """One step on a batch of the stream's: the loss and its detached terms. A GPU may still be at work on it.

        Without `update` the gradient is kept for the next step; `of` so many steps it is averaged.
        """
        try:
            total, terms = self._step(batch.images, batch.labels, self._corners(batch.images), self._config.patch_px)
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise DfxError("batch norm needs more than one image a step and process; raise --batch") from None
        self._scaler.scale(total / of).backward()
        self.step += 1
        if update:
            self._update()
        return total, terms

    def _corners(self, images: Tensor) -> Tensor | None:
        if self._config.patches is None:
            return None
        views, part = (1, *images.shape[:1]) if images.dim() == 4 else images.shape[:2]
        view, sample = np.arange(views)[:, None], np.arange(part) + distributed.rank() * part
        corners = draw_corners(
            self._config.seed,
            self.step,
            (view * part * distributed.world_size() + sample).reshape(-1),
            patches=self._config.patches,
            px=self._config.patch_px,
            size=images.shape[-1],
        )
        return send(corners, self._device)

    def _update(self) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = self.lr(self.step - 1) * group["lr_scale"]
        if self._config.grad_clip:
            self._scaler.unscale_(self._optimizer)
            learnt = (p for group in self._optimizer.param_groups for p in group["params"])
            nn.utils.clip_grad_norm_(learnt, self._config.grad_clip)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._optimizer.zero_grad(set_to_none=True)
        if self._ema is not None:
            self._ema.update_parameters(self.model)

    def state_dict(self) -> dict[str, Any]:
        """All that going on takes, where no gradient is kept."""
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "ema": self._ema.state_dict() if self._ema is not None else None,
            "objective": self.objective.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self.step = state["step"]
        self.model.load_state_dict(state["model"])
        if self._ema is not None:
            self._ema.load_state_dict(state["ema"])
        self.objective.load_state_dict(state["objective"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])


def _parallel(step: Step, device: torch.device) -> nn.Module:
    """The step as one of several processes takes it: gradients are means over all of them."""
    if distributed.world_size() == 1:
        return step
    if device.type == "cuda":
        step = nn.SyncBatchNorm.convert_sync_batchnorm(step)  # type: ignore[no-untyped-call]  # it knows no CPU
    devices = [device.index] if device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(step, device_ids=devices)
