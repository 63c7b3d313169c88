"""DF-Platter in miniature."""

from __future__ import annotations

from dataengine.sample.trees.base import Item, Shot, Tree

MADE_BY = {"fsgan": "Deepfakes", "faceswap": "FaceSwap", "faceshifter": "FaceShifter"}


def plan_dfplatter(clips: int, quality: str) -> Tree:
    """DF-Platter: frames of reals and of Set A in high resolution; people swap in pairs."""
    top = f"frames_{quality.upper()}"
    items = []
    for i in range(clips):
        target, source = (
            Shot("df-platter", f"{k + 100}", f"{k + 100}") for k in (i, (i ^ 1) if (i ^ 1) < clips else 0)
        )
        gender, pair = ("male", "female")[i % 2], f"{target.name}_{source.name}"
        items.append(_frames(f"{top}/real/HR/{gender}/{target.name}", target))
        for method, made_by in MADE_BY.items():
            items.append(_frames(f"{top}/SetA/{method}/HR/{gender}/{pair}", target, source, made_by))
    return Tree(tuple(items))


def _frames(path: str, target: Shot, source: Shot | None = None, method: str = "") -> Item:
    return Item(path, target, source, method, form="frames", frame=f"{path.rpartition('/')[2]}_frame_{{}}")
