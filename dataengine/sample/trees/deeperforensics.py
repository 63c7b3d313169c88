"""DeeperForensics-1.0 in miniature."""

from __future__ import annotations

from dataengine.errors import DfxError
from dataengine.sample.trees.base import Item, Shot, Tree
from dataengine.splits import split_sizes

MADE_BY = {"end_to_end": "FaceShifter", "reenact_postprocess": "Deepfakes"}


def plan_deeperforensics(clips: int) -> Tree:
    """DeeperForensics: FF++'s people with actors' faces in two variants, and the actors' recordings, not reals."""
    if clips > 1000:
        raise DfxError(f"deeperforensics takes ff++'s numbers, {clips} clips are too many; take --clips 1000 or fewer")
    items, names = [], []
    for i in range(clips):
        target = Shot("ff++", f"{i:03d}", f"{i:03d}")
        actor = f"{'MW'[i % 2]}{(101 + i // 2) % 1000:03d}"
        recording = f"{actor}_light_up_happy_camera_front"
        source = Shot("deeperforensics", actor, recording)
        names.append(f"{target.name}_{actor}.mp4")
        items.append(Item(f"source_videos/{actor}/light_up/happy/camera_front/{recording}.mp4", source))
        items += [
            Item(f"manipulated_videos/{variant}/{names[-1]}", target, source, method)
            for variant, method in MADE_BY.items()
        ]
    lists, start = {}, 0
    for split, size in split_sizes(clips).items():
        lists[f"lists/splits/{split}.txt"] = "".join(f"{name}\n" for name in names[start : start + size])
        start += size
    return Tree(tuple(items), lists)
