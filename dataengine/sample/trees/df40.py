"""DF40 in miniature."""

from __future__ import annotations

from dataengine.errors import DfxError
from dataengine.sample.trees.base import Item, Shot, Tree

MADE_BY = {
    "simswap": "FaceShifter",
    "inswap": "Deepfakes",
    "danet": "Face2Face",
    "one_shot_free": "NeuralTextures",
    "ddim": "FaceSwap",
}
"""What stands for a method of FF++'s and Celeb-DF's footage, each under its folder's name."""


def plan_df40(clips: int) -> Tree:
    """DF40: five known methods of FF++'s and Celeb-DF's people, and one with reals of its own; faces cut out.

    People swap in pairs; two thirds of FF++'s are in the train tree. The folders of whole synthesised faces (ddim)
    bear one id, as their reals do.
    """
    if clips > 1000:
        raise DfxError(f"df40 takes ff++'s numbers, 000 to 999, {clips} clips are too many; take --clips 1000 or fewer")
    items = []
    for i in range(clips):
        other = (i ^ 1) if (i ^ 1) < clips else 0
        ff, second = (Shot("ff++", f"{k:03d}", f"{k:03d}") for k in (i, other))
        star, third = (Shot("celeb-df", f"id{k}", f"id{k}_0000") for k in (i, other))
        own, fourth = (Shot("df40", f"u{k}", f"u{k}") for k in (i, other))
        for method, made_by in MADE_BY.items():
            whole = method == "ddim"
            top = f"DF40_train/{method}" if i < clips // 3 * 2 else f"DF40/{method}/ff"
            name = ff.name if whole else f"{ff.name}_{second.name}"
            items.append(_faces(f"{top}/{'' if whole else 'frames/'}{name}", ff, second, made_by))
            name = star.name if whole else f"{star.identity}_{third.identity}_0000"
            inside = "Fake_from_Celeb-real" if whole else "frames"
            items.append(_faces(f"DF40/{method}/cdf/{inside}/{name}", star, third, made_by))
        items.append(_faces(f"DF40/deepfacelab/real/frames/{i:04d}", own))
        items.append(_faces(f"DF40/deepfacelab/fake/frames/{i:04d}_fake", own, fourth, "DeepFakeDetection"))
    return Tree(tuple(items))


def _faces(path: str, target: Shot, source: Shot | None = None, method: str = "") -> Item:
    return Item(path, target, source, method, form="faces")
