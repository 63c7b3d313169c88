"""A dataset of one's own in miniature: videos and folders of frames, and the CSV file that describes them."""

from __future__ import annotations

from dataengine.sample.trees.base import FACE_METHODS, Item, Shot, Tree

_AS_FRAMES = frozenset({"Face2Face", "NeuralTextures"})


def plan_manifest(clips: int, quality: str) -> Tree:
    """Reals and three methods as videos, two as folders of frames; names say nothing, `manifest.csv` everything."""
    shots = [Shot("manifest", f"m{i:03d}", f"m{i:03d}") for i in range(clips)]
    items: list[Item] = []
    rows = ["path,label,method,target_id,source_id,quality"]
    for i, target in enumerate(shots):
        source = shots[(i ^ 1) if (i ^ 1) < clips else 0]
        items.append(Item(f"videos/{len(items):05d}.mp4", target))
        rows.append(f"{items[-1].path},real,,{target.identity},,{quality}")
        for method in FACE_METHODS:
            if method in _AS_FRAMES:
                item = Item(f"frames/{len(items):05d}", target, source, method, form="frames")
            else:
                item = Item(f"videos/{len(items):05d}.mp4", target, source, method)
            items.append(item)
            compression = "" if method in _AS_FRAMES else quality
            rows.append(f"{item.path},fake,{method},{target.identity},{source.identity},{compression}")
    return Tree(tuple(items), {"manifest.csv": "".join(f"{row}\n" for row in rows)})
