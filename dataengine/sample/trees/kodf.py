"""KoDF in miniature."""

from __future__ import annotations

from dataengine.sample.identity import generator
from dataengine.sample.trees.base import Item, Shot, Tree

MADE_BY = {
    "dfl": ("1", "Deepfakes"),
    "dffs": ("2", "DeepFakeDetection"),
    "fsgan": ("3", "FaceShifter"),
    "fo": ("4", "Face2Face"),
    "audio-driven": ("5", "NeuralTextures"),
}
"""The number that a method has in a name, and what stands for it."""

_PARTS = {"training": ("1.Training", "train"), "validation": ("2.Validation", "validate")}


def plan_kodf(clips: int, seed: int) -> Tree:
    """KoDF as AI-Hub gives it out: a quarter of the people is for validation, where those are two or more."""
    people = ["".join(f"{k:x}" for k in generator("kodf", seed, i).integers(0, 16, 20)) for i in range(clips)]
    held_out = clips // 4 if clips >= 8 else 0
    items, lists = [], {}
    for part, group in (("training", people[held_out:]), ("validation", people[:held_out])):
        top, tag = _PARTS[part]
        reals, fakes = ["영상ID,UUID,인물성별"], ["영상ID,타겟영상,타겟UUID,소스UUID,변조모델,인물성별"]
        for i, person in enumerate(group):
            other = group[(i + 1) % len(group)]
            target, source = (Shot("kodf", name, f"{name}_001") for name in (person, other))
            reals.append(f"{target.name}.mp4,{person},여성")
            items.append(Item(f"{top}/원천데이터/{tag}_원본/원본1/{person}/{target.name}.mp4", target))
            for method, (number, made_by) in MADE_BY.items():
                name = f"{person}_{other}_{number}_{i:04d}.mp4"
                fakes.append(f"{name},{target.name}.mp4,{person},{other},{method},여성")
                folder = f"{method.replace('-', '_')}1"
                items.append(Item(f"{top}/원천데이터/{tag}_변조/{folder}/{person}/{name}", target, source, made_by))
        for kind, rows in (("원본", reals), ("변조", fakes)) if group else ():
            path = f"{top}/라벨링데이터/{tag}_meta_data/{kind}영상_{part}_메타데이터.csv"
            lists[path] = "\ufeff" + "".join(f"{row}\n" for row in rows)
    return Tree(tuple(items), lists)
