"""The settings of one training: everything that decides its result, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from dataengine.errors import DfxError, unknown_name
from dataengine.order import Balanced, Groups, Mixed, Policy, parse_policy
from trainers.losses.spec import LossSpec
from trainers.taxonomy import TASKS, TRANSFORMATION

AUTO = "auto"
"""The policy that follows from the loss: see `trainers.stream.policy_of`."""

AMP = ("auto", "off", "bf16", "fp16")
BACKENDS = ("auto", "cpu", "dali")
OPTIMIZERS = ("adamw", "adam", "sgd")
SCHEDULES = ("cosine", "step", "constant")
FROZEN = ("none", "backbone", "transfer", "transfer-moving")

MACHINE = ("device", "backend", "threads", "compile")
"""Settings that say where a training runs, not what it is: a resumed run may change them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """One training. Round-trips through JSON: `TrainConfig.of(json.loads(json.dumps(config.as_dict())))`."""

    data: tuple[str, ...]
    """Store references without a split: `train` is learnt from, `val` selects the epoch."""
    mix: tuple[str, ...] = ()
    """Stores of new data whose batches alternate with those of `data`; both are validated on. See `transfer.sides`."""
    samples: int | None = None
    """With `mix`: frames of each of the two sides, half real and half fake."""
    task: str = "attribution"
    """One of TASKS, or TRANSFORMATION: pre-training."""
    model: str = "tf_efficientnetv2_b0"
    """A network of `trainers.models.catalogue.MODELS` or any timm backbone. The default has 5.9 million weights: strong
    for its cost, and a CPU can train it too."""
    weights: str = "imagenet"
    """`imagenet` (timm's own, fetched on first use: far fewer epochs are needed), `none`, a run or a file, or
    `backbone:RUN`: all but the classifier of a run that may have had other classes."""
    frozen: str = "none"
    """`backbone`: only the classifier learns, a linear probe. `transfer`: only the model's last layers learn
    (`Classifier.transfer_layers`). Batch-norm statistics of what is frozen stay too, but with `transfer-moving` they go
    on counting, as they did where the study of detectors' generalisability froze layers."""

    loss: str = "ce"
    """A classification term, an embedding term, or both: see `trainers.losses.spec`."""
    loss_weight: float | None = None
    """Of the embedding term; None, as below: the term's own default."""
    temperature: float | None = None
    margin: float | None = None
    scale: float | None = None
    """Of the embedding term, where it has one."""
    smoothing: float = 0.0
    """Of the labels in cross-entropy, in [0, 1)."""
    focal_gamma: float = 2.0
    """Of the focal loss: the paper's value."""
    class_weights: str = "none"
    """`balanced` weighs each class by rows / (classes * rows of the class). It goes with the policy `shuffled`:
    `balanced` batches have evened the classes out already."""
    learnt_weights: bool = False
    """The weights of the two terms are learnt, as in DNA-Det."""
    patches: int | None = None
    """So many random squares of each image go through the model, one at a time, instead of the image; validation sees
    the image. None: 16 where the loss compares patches, else whole images."""
    patch_px: int = 64
    """Side of a patch: DNA-Det's."""

    policy: str = AUTO
    """The order of an epoch, as `dataengine.order.parse_policy` reads it. auto: `groups` for a loss that compares
    samples of a class, so that each has partners of other clips; else `balanced`, where every batch holds each class
    equally often, since models are selected by balanced accuracy. shuffled: each row once an epoch."""
    force: bool = False
    """Pre-train on images that are compressed already: then all transformations are learnt on top of that."""
    frames_per_clip: int | None = None
    """Frames of a clip an epoch, other ones each epoch; None: all. Neighbouring frames hardly differ: 8 of 32 give
    epochs of a quarter of the time and nearly the same variety."""
    augment: str = "crop"
    """A name that `dataengine.augment.augment_preset` knows, or a TOML file. Random crop and flip leave forensic traces
    alone."""
    size: int | None = None
    """Side of the input in pixels; None: what the model was made for."""

    epochs: int = 10
    batch: int = 64
    """Images a step, of all processes together; with two views twice as many go through the model."""
    accumulate: int = 1
    """Steps whose gradients are averaged before the weights move. Terms on embeddings still compare within a step."""
    optimizer: str = "adamw"
    """One of OPTIMIZERS; sgd has a momentum of 0.9."""
    lr: float = 3e-4
    """At its highest. Fits fine-tuning with AdamW at batch 64; large transformers want less (1e-4)."""
    layer_decay: float = 1.0
    """Each layer's learning rate is this times that of the one after it. Below 1 (0.65 to 0.9) what pre-training
    learnt in the first layers is kept longer; transformers profit."""
    weight_decay: float = 0.01
    """On weight matrices only, not on biases and norms. Decoupled from the gradient in adamw alone."""
    schedule: str = "cosine"
    """One of SCHEDULES. step: times `step_gamma` every `step_size` steps."""
    step_size: int = 500
    step_gamma: float = 0.9
    """DNA-Det's."""
    warmup: float = 0.05
    """Share of the steps in which the learning rate rises to `lr`, before it follows the schedule."""
    grad_clip: float = 1.0
    """Largest norm of the gradient: rare bad batches then do no harm. 0: off."""
    ema: float = 0.0
    """Decay of a running mean of the weights, which is then what is validated and kept (0.999 is usual). 0: off."""
    patience: int | None = None
    """Stop after so many epochs without improvement; None: never, since the cosine's last epochs are often the best."""
    seed: int = 0

    amp: str = "auto"
    """auto: bf16 on a GPU that has it, else off. bf16, fp16 (GPU), off."""
    channels_last: bool = True
    """Memory format of images and kernels: what tensor cores and the CPU's kernels are quickest with."""
    compile: bool = False
    """torch.compile: minutes at the start for a faster step on a GPU."""
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
        object.__setattr__(self, "mix", tuple(self.mix))
        for text in self.sources:
            if "@split=" in text:
                raise DfxError(f"'{text}' selects a split; leave it out: training learns from train and selects on val")
        _one_of("task", self.task, (*TASKS, TRANSFORMATION))
        _one_of("amp mode", self.amp, AMP)
        _one_of("loader backend", self.backend, BACKENDS)
        _one_of("optimizer", self.optimizer, OPTIMIZERS)
        _one_of("schedule", self.schedule, SCHEDULES)
        _one_of("frozen part", self.frozen, FROZEN)
        self._check_numbers()
        term = self.loss_spec.term
        if self.patches is None and term is not None and term.patches:
            object.__setattr__(self, "patches", 16)
        self._check_order()
        self._check_mix()

    def _check_numbers(self) -> None:
        whole = ("epochs", "batch", "accumulate", "size", "frames_per_clip", "patience", "threads", "step_size")
        for name in (*whole, "patches", "patch_px", "samples"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise DfxError(f"{name} is {value}; give a whole number of at least 1")
        if not isinstance(self.seed, int) or not 0 <= self.seed < 2**32:
            raise DfxError(f"seed is {self.seed}; give a whole number from 0 to {2**32 - 1}")
        if not 0 < self.lr < float("inf"):
            raise DfxError(f"lr is {self.lr}; give a number above 0")
        for name in ("weight_decay", "grad_clip"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise DfxError(f"{name} is {getattr(self, name)}; give a number of at least 0")
        for name in ("layer_decay", "step_gamma"):
            if not 0 < getattr(self, name) <= 1:
                raise DfxError(f"{name} is {getattr(self, name)}; give a number in (0, 1]")
        for name in ("warmup", "ema"):
            if not 0 <= getattr(self, name) < 1:
                raise DfxError(f"{name} is {getattr(self, name)}; give a number in [0, 1)")

    def _check_order(self) -> None:
        order = self.order
        evened_out = order.within if isinstance(order, Mixed) else order
        if self.class_weights == "balanced" and (order is None or isinstance(evened_out, Balanced | Groups)):
            raise DfxError("balanced class weights on balanced batches count twice; add --policy shuffled")
        if self.frozen == "backbone" and self.loss_spec.classification is None:
            raise DfxError(f"with a frozen backbone '{self.loss}' trains nothing that is kept; use --loss ce")

    def _check_mix(self) -> None:
        if bool(self.mix) != (self.samples is not None):
            raise DfxError("mix and samples go together: stores of new data, and how many frames of each side")
        if self.mix and self.task not in TASKS:
            raise DfxError(f"a mix of stores is for {' and '.join(TASKS)}, not for {self.task}; leave it out")
        if self.samples is not None and self.samples < self.batch:
            raise DfxError(f"samples is {self.samples}, less than a batch of {self.batch}; raise it or lower --batch")
        if twice := sorted(set(self.data) & set(self.mix)):
            raise DfxError(f"'{twice[0]}' is on both sides of the mix; give it on one")

    @property
    def sources(self) -> tuple[str, ...]:
        """All stores that it learns from."""
        return self.data + self.mix

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return {**asdict(self), "data": list(self.data), "mix": list(self.mix)}

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> TrainConfig:
        """The inverse of `as_dict`. Raises DfxError for a setting that there is none of."""
        known = [field.name for field in fields(cls)]
        for name in settings:
            if name not in known:
                raise unknown_name("training setting", name, known)
        return cls(**settings)

    @property
    def loss_spec(self) -> LossSpec:
        """The loss with its settings. Raises DfxError where they do not go together."""
        return LossSpec(
            loss=self.loss,
            weight=self.loss_weight,
            temperature=self.temperature,
            margin=self.margin,
            scale=self.scale,
            smoothing=self.smoothing,
            gamma=self.focal_gamma,
            class_weights=self.class_weights,
            learnt_weights=self.learnt_weights,
        )

    @property
    def order(self) -> Policy | None:
        """The policy, by the task's classes where its text names no others; None: it follows from the loss."""
        if self.policy == AUTO:
            return None
        return self.limited(parse_policy(self.policy, by=self.by))

    @property
    def by(self) -> tuple[str, ...]:
        """The columns whose values are the task's classes."""
        return ("label",) if self.task == "detection" else ("method",)

    def limited(self, policy: Policy) -> Policy:
        """The policy with `frames_per_clip`. Raises DfxError where it has another one."""
        if self.frames_per_clip is None:
            return policy
        if policy.frames_per_clip not in (None, self.frames_per_clip):
            raise DfxError(
                f"frames_per_clip is {self.frames_per_clip}, and {policy.frames_per_clip} in the policy "
                f"'{self.policy}'; give it once"
            )
        return replace(policy, frames_per_clip=self.frames_per_clip)


def _one_of(kind: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise unknown_name(kind, name, known)
