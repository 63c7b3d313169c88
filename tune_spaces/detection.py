"""The search space of detection: real or fake. Edit it; `dfx tune detection` reads it from here.

Names are those of `TrainConfig`. What is not listed keeps its value from the command line.
"""

from __future__ import annotations

from tune_spaces.space import Choice, Range, Space

TASK = "detection"

SPACE: Space = {
    "model": Choice(
        ("tf_efficientnetv2_b0", "resnet50", "convnext_tiny"),
        why="A light, a classic and a modern convolutional network; two classes leave less for a larger one to learn.",
    ),
    "loss": Choice(
        ("ce", "ce+supcon"),
        why="With two classes the contrastive term merges all methods into one cluster: it may help or hide them.",
    ),
    "loss_weight": Range(
        0.05,
        1.0,
        log=True,
        when=("loss", "ce+supcon"),
        why="Published weights beside cross-entropy lie from 0.1 to 1; below 0.05 the term does nothing.",
    ),
    "policy": Choice(
        ("balanced", "shuffled"),
        why="Most datasets hold several fakes for each real: evened out, or learnt as they are, ratio and all.",
    ),
    "lr": Range(
        3e-5,
        1e-3,
        log=True,
        why="AdamW on pretrained weights: below 3e-5 a short training does not arrive, above 1e-3 it forgets them.",
    ),
    "weight_decay": Range(
        1e-5,
        1e-1,
        log=True,
        why="The cheapest guard against learning a dataset's camera and codec; its right size spans decades.",
    ),
    "augment": Choice(
        ("none", "flip", "crop"),
        why="Cropping takes away the frame's geometry, but also rescales the traces of a manipulation.",
    ),
}
