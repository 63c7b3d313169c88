"""Which files a miniature dataset holds: the official trees, their names and their split lists. No pixels here."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from dataengine.errors import DfxError
from dataengine.sample.identity import generator
from dataengine.splits import split_sizes

FACE_METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")
"""FaceForensics++'s five, under its folders' names."""
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
TEST_SHARE = 1 / 2
"""Of Celeb-DF's identities. The official list takes a fifth of the reals; a miniature one would hardly hold a test."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One recording of one identity."""

    style: str
    """Key of styles.STYLES."""
    identity: str
    name: str
    """Of the recording, unique in its dataset."""


@dataclass(frozen=True, slots=True)
class Item:
    """One file to make."""

    path: str
    """Below the root, with forward slashes."""
    target: Shot
    source: Shot | None = None
    """Whose face or expression goes in; None for a real."""
    method: str = ""
    """Key of manipulate.MANIPULATIONS; "" for a real."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A miniature dataset before it is made."""

    items: tuple[Item, ...]
    """Videos, in the order they are made: everything of a target together, whatever its label."""
    lists: dict[str, str] = field(default_factory=dict)
    """Split files by path, written after all videos are there."""


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


def plan_celebdf(clips: int, seed: int) -> Tree:
    """Celeb-DF v2: two thirds of the reals are of celebrities, who are swapped; the others are YouTube's.

    As many fakes as reals: some celebrity clips get a second source. The test list holds whole target identities.
    """
    famous = max(1, round(clips * 2 / 3))
    celebrities = max(3, (famous + 1) // 2)

    def shot(celebrity: int, number: int) -> Shot:
        return Shot("celeb-df", f"id{celebrity}", f"id{celebrity}_{number:04d}")

    items, order = [], generator("test", seed).permutation(min(celebrities, famous)).tolist()
    tested = {f"id{i}" for i in order[: max(1, round(TEST_SHARE * len(order)))]}
    for i in range(famous):
        target = shot(i % celebrities, i // celebrities)
        items.append(Item(f"Celeb-real/{target.name}.mp4", target))
        for other in range(1, 3 if i < clips - famous else 2):
            source = shot((i + other) % celebrities, 0)
            number = target.name.rpartition("_")[2]
            path = f"Celeb-synthesis/{target.identity}_{source.identity}_{number}.mp4"
            items.append(Item(path, target, source, "Celeb-synthesis"))
    strangers = [Shot("celeb-df", f"youtube{i}", f"{i:05d}") for i in range(clips - famous)]
    items += [Item(f"YouTube-real/{shown.name}.mp4", shown) for shown in strangers]
    tested |= {shown.identity for shown in strangers[: round(TEST_SHARE * len(strangers))]}
    listed = sorted(f"{int(not item.method)} {item.path}" for item in items if item.target.identity in tested)
    return Tree(tuple(items), {"List_of_testing_videos.txt": "".join(f"{line}\n" for line in listed)})


def plan_folder(clips: int) -> Tree:
    """Class folders, as people sort their own data: no split files, identities in the names."""
    shots = [Shot("folder", f"p{i:03d}", f"p{i:03d}") for i in range(clips)]
    items = []
    for i, target in enumerate(shots):
        source = shots[(i ^ 1) if (i ^ 1) < clips else 0]
        items.append(Item(f"real/{target.name}.mp4", target))
        for method in FACE_METHODS:
            items.append(Item(f"{method}/{target.name}__{source.name}.mp4", target, source, method))
    return Tree(tuple(items))


@dataclass(frozen=True, slots=True, kw_only=True)
class Miniature:
    """One dataset that can be made."""

    quality: str
    """Default compression: a key of encode.CRF."""
    plan: Callable[[int, int, str, bool], Tree]
    """From clips, seed, quality and whether DFD is wanted."""


MINIATURES = {
    "ff++": Miniature(quality="c23", plan=plan_ffpp),
    "celeb-df": Miniature(quality="c23", plan=lambda clips, seed, quality, dfd: plan_celebdf(clips, seed)),
    "folder": Miniature(quality="c40", plan=lambda clips, seed, quality, dfd: plan_folder(clips)),
}
