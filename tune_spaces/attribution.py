"""The search space of attribution: which method made a fake. Edit it; `dfx tune attribution` reads it from here.

Names are those of `TrainConfig`. What is not listed keeps its value from the command line (`--epochs`, `--batch`,
`--size`, ...).
"""

from __future__ import annotations

from tune_spaces.space import Choice, Range, Space

TASK = "attribution"

SPACE: Space = {
    "model": Choice(
        ("tf_efficientnetv2_b0", "resnet50", "convnext_tiny", "vit_small_patch16_224"),
        why="Two convolutional families, their modern successor and a transformer: they fail on different datasets.",
    ),
    "loss": Choice(
        ("ce", "ce+supcon"),
        why="Whether pulling a method's samples together helps on a dataset that was not seen is the open question.",
    ),
    "loss_weight": Range(
        0.05,
        1.0,
        log=True,
        when=("loss", "ce+supcon"),
        why="Published weights beside cross-entropy lie from 0.1 to 1; below 0.05 the term does nothing.",
    ),
    "temperature": Range(
        0.03,
        0.3,
        log=True,
        when=("loss", "ce+supcon"),
        why="0.07 is the common value; lower sharpens on hard negatives, higher keeps the structure between methods.",
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
        why="Cropping takes away the frame's geometry, but also rescales the traces that tell methods apart.",
    ),
    "frames_per_clip": Choice(
        (4, 8, 16),
        why="Frames of a clip are near copies: fewer make an epoch shorter and shift weight to different clips.",
    ),
}
