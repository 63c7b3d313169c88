"""DFDM in miniature."""

from __future__ import annotations

from dataengine.errors import DfxError
from dataengine.sample.trees.base import Item, Shot, Tree

MADE_BY = {
    "1original": "Deepfakes",
    "2lightweight": "FaceSwap",
    "3iae": "DeepFakeDetection",
    "4dfaker": "Celeb-synthesis",
    "5dfl-h128": "FaceShifter",
}
"""By the tags of its five models; `original` is a model's name."""


def plan_dfdm(clips: int, quality: str) -> Tree:
    """DFDM at one compression: five models on Celeb-DF's people, who swap in pairs; fakes alone."""
    if quality != "c23":
        raise DfxError(f"the miniature of dfdm comes at crf 23 alone, not {quality}; leave --quality out")
    celebrities = max(2, (clips + 1) // 2)
    items = []
    for i in range(clips):
        star, number = i % celebrities, i // celebrities
        target = Shot("celeb-df", f"id{star}", f"id{star}_{number:04d}")
        other = (star ^ 1) if (star ^ 1) < celebrities else 0
        source = Shot("celeb-df", f"id{other}", f"id{other}_0000")
        for tag, method in MADE_BY.items():
            name = f"{target.identity}_{source.identity}_{number:04d}_{tag}"
            items.append(Item(f"DFDM_crf23/{name}.mp4", target, source, method))
    return Tree(tuple(items))
