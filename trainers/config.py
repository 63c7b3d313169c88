"""The settings of one training: everything that decides its result, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from dataengine.errors import DfxError, unknown_name
from dataengine.order import Balanced, Groups, Mixed, Policy, parse_policy
from trainers.taxonomy import TASKS

LOSSES = ("ce", "ce+supcon")
"""ce: cross-entropy. ce+supcon: and supervised contrastive (Khosla et al., NeurIPS 2020) on a projection."""

CLASS_WEIGHTS = ("none", "balanced")
AMP = ("auto", "off", "bf16", "fp16")
BACKENDS = ("auto", "cpu", "dali")

MACHINE = ("device", "backend", "threads")
"""Settings that say where a training runs, not what it is: a resumed run may change them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """One training. Round-trips through JSON: `TrainConfig.of(json.loads(json.dumps(config.as_dict())))`."""

    data: tuple[str, ...]
    """Store references without a split: `train` is learnt from, `val` selects the epoch."""
    task: str = "attribution"
    """One of TASKS."""
    model: str = "tf_efficientnetv2_b0"
    """Any timm backbone. The default has 5.9 million weights: strong for its cost, and a CPU can train it too."""
    weights: str = "imagenet"
    """`imagenet` (timm's own, fetched on first use: far fewer epochs are needed), `none`, or a run or file."""
    loss: str = "ce"
    """One of LOSSES. ce+supcon shows the model two views of each image and wants every class in every batch, which
    the default policy gives."""
    supcon_weight: float = 0.5
    """Of the contrastive term; its value is about log(batch), several times that of cross-entropy."""
    temperature: float = 0.07
    """Of the contrastive term: the papers' value."""
    class_weights: str = "none"
    """`balanced` weighs each class by rows / (classes * rows of the class). It goes with the policy `shuffled`:
    `balanced` batches have evened the classes out already."""
    policy: str = "balanced"
    """The order of an epoch, as `dataengine.order.parse_policy` reads it. balanced: every batch holds each class
    equally often (models are selected by balanced accuracy, and contrastive terms need every class). shuffled: each
    row once an epoch."""
    frames_per_clip: int | None = None
    """Frames of a clip an epoch, other ones each epoch; None: all. Neighbouring frames hardly differ: 8 of 32 give
    epochs of a quarter of the time and nearly the same variety."""
    augment: str = "crop"
    """A name that `dataengine.augment.augment_preset` knows, or a TOML file. Random crop and flip leave forensic traces
    alone."""
    size: int | None = None
    """Side of the input in pixels; None: what the backbone was made for."""
    epochs: int = 10
    batch: int = 64
    """Images a step; with two views twice as many go through the model."""
    lr: float = 3e-4
    """AdamW's, at its highest. Fits fine-tuning at batch 64; large transformers want less (1e-4)."""
    weight_decay: float = 0.01
    """AdamW's; on weight matrices only, not on biases and norms."""
    warmup: float = 0.05
    """Share of the steps in which the learning rate rises to `lr`, before it falls to 0 along a cosine."""
    grad_clip: float = 1.0
    """Largest norm of the gradient: rare bad batches then do no harm. 0: off."""
    patience: int | None = None
    """Stop after so many epochs without improvement; None: never, since the cosine's last epochs are often the best."""
    amp: str = "auto"
    """auto: bf16 on a GPU that has it, else off. bf16, fp16 (GPU), off."""
    seed: int = 0
    device: str = "auto"
    """auto: the first GPU, else cpu."""
    backend: str = "auto"
    """Of the loader: auto, cpu, dali."""
    threads: int | None = None
    """CPU threads, of the loader and of torch each; None: all cores."""

    def __post_init__(self) -> None:
        if isinstance(self.data, str):
            raise DfxError(f"data is the text '{self.data}'; give a list of store references")
        object.__setattr__(self, "data", tuple(self.data))
        if self.augment.endswith(".toml"):  # a trial has another current folder
            object.__setattr__(self, "augment", str(Path(self.augment).absolute()))
        if not self.data:
            raise DfxError("no store to train on; give at least one, such as --data shards/ff++")
        for text in self.data:
            if "@split=" in text:
                raise DfxError(f"'{text}' selects a split; leave it out: training learns from train and selects on val")
        loss_terms(self.loss)
        _one_of("task", self.task, TASKS)
        _one_of("class weights", self.class_weights, CLASS_WEIGHTS)
        _one_of("amp mode", self.amp, AMP)
        _one_of("loader backend", self.backend, BACKENDS)
        for name in ("epochs", "batch", "size", "frames_per_clip", "patience", "threads"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise DfxError(f"{name} is {value}; give a whole number of at least 1")
        order = self.order
        evened_out = order.within if isinstance(order, Mixed) else order
        if self.class_weights == "balanced" and isinstance(evened_out, Balanced | Groups):
            raise DfxError("balanced class weights on balanced batches count twice; add --policy shuffled")
        if not isinstance(self.seed, int) or not 0 <= self.seed < 2**32:
            raise DfxError(f"seed is {self.seed}; give a whole number from 0 to {2**32 - 1}")
        for name in ("lr", "temperature"):
            if not 0 < getattr(self, name) < float("inf"):
                raise DfxError(f"{name} is {getattr(self, name)}; give a number above 0")
        for name in ("supcon_weight", "weight_decay", "grad_clip"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise DfxError(f"{name} is {getattr(self, name)}; give a number of at least 0")
        if not 0 <= self.warmup < 1:
            raise DfxError(f"warmup is {self.warmup}; give a share of the steps in [0, 1)")

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return {**asdict(self), "data": list(self.data)}

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> TrainConfig:
        """The inverse of `as_dict`. Raises DfxError for a setting that there is none of."""
        known = [field.name for field in fields(cls)]
        for name in settings:
            if name not in known:
                raise unknown_name("training setting", name, known)
        return cls(**settings)

    @property
    def order(self) -> Policy:
        """The policy, by the task's classes where its text names no others."""
        policy = parse_policy(self.policy, by=("label",) if self.task == "detection" else ("method",))
        if self.frames_per_clip is None:
            return policy
        if policy.frames_per_clip not in (None, self.frames_per_clip):
            raise DfxError(
                f"frames_per_clip is {self.frames_per_clip}, and {policy.frames_per_clip} in the policy "
                f"'{self.policy}'; give it once"
            )
        return replace(policy, frames_per_clip=self.frames_per_clip)


def loss_terms(loss: str) -> tuple[str, ...]:
    """The terms of a loss: "ce+supcon" -> ("ce", "supcon"). Raises DfxError for an unknown one."""
    _one_of("loss", loss, LOSSES)
    return tuple(loss.split("+"))


def _one_of(kind: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise unknown_name(kind, name, known)
