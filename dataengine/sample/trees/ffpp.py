"""FaceForensics++ and DeepFakeDetection in miniature."""

from __future__ import annotations

import json

from dataengine.errors import DfxError
from dataengine.sample.identity import generator
from dataengine.sample.trees.base import FACE_METHODS, Item, Shot, Tree
from dataengine.splits import split_sizes

DFD_SCENES = (
    "exit_phone_room",
    "hugging_happy",
    "kitchen_pan",
    "kitchen_still",
    "outside_talking_pan_laughing",
    "outside_talking_still_laughing",
    "podium_speech_happy",
    "secret_conversation",
    "talking_against_wall",
    "talking_angry_couch",
    "walk_down_hall_angry",
    "walking_and_outside_surprised",
    "walking_down_indoor_hall_disgust",
    "walking_down_street_outside_angry",
    "walking_outside_cafe_disgusted",
    "meeting_serious",
)
DFD_ACTORS = 28


def plan_ffpp(clips: int, seed: int, quality: str, dfd: bool) -> Tree:
    """FaceForensics++: identities in pairs, each the source of the other; pairs are dealt out as `split_sizes` says."""
    if clips % 2:
        raise DfxError(f"ff++ clips come in pairs that swap faces, {clips} is odd; take --clips {clips + 1}")
    if clips > 1000:
        raise DfxError(f"ff++ numbers its clips 000 to 999, {clips} are too many; take --clips 1000 or fewer")
    shots = [Shot("ff++", f"{i:03d}", f"{i:03d}") for i in range(clips)]
    items = []
    for i, shot in enumerate(shots):
        source = shots[i ^ 1]
        items.append(Item(f"original_sequences/youtube/{quality}/videos/{shot.name}.mp4", shot))
        for method in FACE_METHODS:
            name = f"{shot.name}_{source.name}.mp4"
            items.append(Item(f"manipulated_sequences/{method}/{quality}/videos/{name}", shot, source, method))
    pairs = [[shots[i].name, shots[i + 1].name] for i in range(0, clips, 2)]
    order = generator("pairs", seed).permutation(len(pairs))
    sizes = split_sizes(clips)
    val = max(sizes["val"] // 2, int(len(pairs) > 2))
    test = max(sizes["test"] // 2, int(len(pairs) > 1))
    dealt = {"val": order[:val], "test": order[val : val + test], "train": order[val + test :]}
    lists = {
        f"splits/{split}.json": json.dumps([pairs[i] for i in sorted(chosen.tolist())], indent=2) + "\n"
        for split, chosen in dealt.items()
    }
    return Tree((*items, *(_dfd_items(clips, seed, quality) if dfd else ())), lists)


def _dfd_items(clips: int, seed: int, quality: str) -> list[Item]:
    """DeepFakeDetection: actors in scenes, no official split."""
    actors = min(DFD_ACTORS, max(2, (clips + 1) // 2))
    if clips > actors * len(DFD_SCENES):
        raise DfxError(f"dfd has {DFD_ACTORS} actors in {len(DFD_SCENES)} scenes; take --clips 448 or fewer, or no dfd")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

    def shot(actor: int, scene: str) -> Shot:
        return Shot("dfd", f"{actor + 1:02d}", f"{actor + 1:02d}__{scene}")

    items = []
    for i in range(clips):
        target = shot(i % actors, DFD_SCENES[i // actors])
        source = shot((i + 1) % actors, DFD_SCENES[0])
        tag = "".join(letters[k] for k in generator("dfd", seed, target.name).integers(0, len(letters), 8))
        name = f"{target.identity}_{source.identity}__{DFD_SCENES[i // actors]}__{tag}.mp4"
        items.append(Item(f"original_sequences/actors/{quality}/videos/{target.name}.mp4", target))
        folder = f"manipulated_sequences/DeepFakeDetection/{quality}/videos"
        items.append(Item(f"{folder}/{name}", target, source, "DeepFakeDetection"))
    return items
