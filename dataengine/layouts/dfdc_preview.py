"""The DFDC preview set.

    dataset.json
    original_videos/643049/643049_A_001.mp4
    method_{A,B}/1260311/1260311_C/1255229_1260311_C_001.mp4

dataset.json is keyed by path: {"label": "fake", "set": "train", "target_id": "1260311", "swapped_id": "1255229",
"augmentations": []}. There is no validation set: it is dealt from the training set by identity, and the test set is
left alone. What was done to a video afterwards (`augmentations`) stands in `quality`.
Source: the readers in github.com/mever-team/DeepFakeChain and others. That `target_id` is the person of the footage
and `swapped_id` the face put in is read from their names, and from neither a paper nor code.
"""

from __future__ import annotations

from collections.abc import Mapping

from dataengine import methods
from dataengine.errors import LayoutError
from dataengine.layouts.metadata import inside, read_json
from dataengine.layouts.scan import Layout, Published, Scan, ScanOptions, scan_of
from dataengine.records import REAL, Clip, clip_id
from dataengine.source import VIDEO_SUFFIXES, SourceTree

LIST = "dataset.json"
FOLDERS = ("original_videos", "method_A", "method_B")
_SPLITS = {"train": "", "test": "test"}  # val is derived from train


def is_tree(tree: SourceTree) -> bool:
    """Whether the root looks like the DFDC preview."""
    return tree.is_file(LIST) and any(tree.is_dir(folder) for folder in FOLDERS)


def scan(tree: SourceTree, options: ScanOptions) -> Scan:
    """All listed videos. Raises LayoutError where the list is broken or contradicts the folders."""
    entries = read_json(tree, LIST)
    if not isinstance(entries, dict):
        raise LayoutError(f"{tree.shown(LIST)} is no object of videos; get the file again")
    clips = [_clip(name, entry, tree.shown(LIST)) for name, entry in entries.items()]
    listed = {clip.paths[0] for clip in clips}
    return scan_of(
        (clip for clip in clips if tree.is_file(clip.paths[0])),
        tree,
        "official test set; train and val dealt from the official training set by identity",
        missing=(path for path in listed if not tree.is_file(path)),
        unexpected=(path for path in tree.below("", VIDEO_SUFFIXES) if path not in listed),
    )


def _clip(name: str, entry: object, source: str) -> Clip:
    where = f"{source}: {name}"
    path = inside(name, source)
    folder = path.partition("/")[0]
    if folder not in FOLDERS or not isinstance(entry, dict):
        raise LayoutError(f"{where} is no video of {', '.join(FOLDERS)} with its facts; get the file again")
    method = methods.canonical("dfdc-preview", folder)
    if entry.get("label") != ("real" if method.name == REAL else "fake"):
        raise LayoutError(f"{where} has the label {entry.get('label')!r}, which its folder denies; get the file again")
    if entry.get("set") not in _SPLITS:
        raise LayoutError(f"{where} has the set {entry.get('set')!r}; it must be train or test: get the file again")
    augmentations = entry.get("augmentations") or []
    if not isinstance(augmentations, list):
        raise LayoutError(f"{where} has the augmentations {augmentations!r}; it must be a list: get the file again")
    return Clip(
        clip=clip_id("dfdc-preview", path),
        paths=(path,),
        media="video",
        dataset="dfdc-preview",
        split=_SPLITS[entry["set"]],
        raw_method=folder,
        method=method.name,
        category=method.category,
        quality="+".join(map(str, augmentations)),
        target_id=f"dfdc-preview/{_person(entry, 'target_id', where)}",
        source_id="" if method.name == REAL else f"dfdc-preview/{_person(entry, 'swapped_id', where)}",
    )


def _person(entry: Mapping[str, object], field: str, where: str) -> str:
    person = entry.get(field)
    if not isinstance(person, str | int) or not str(person):
        raise LayoutError(f"{where} has the {field} {person!r}; it must name a person: get the file again")
    return str(person)


LAYOUT = Layout(
    name="dfdc-preview",
    scan=scan,
    is_tree=is_tree,
    expects="dataset.json, original_videos/, method_A/, method_B/",
    title="DeepFake Detection Challenge, preview set",
    size="about 5 GB",
    licence="the challenge's data terms",
    access="Meta AI's dataset page",
    certainty="tree, list and counts: other people's readers; which of the two ids is the footage's: from their names",
    published=(
        Published(where={"label": "0"}, clips=1131),
        Published(where={"label": "1"}, clips=4119),
    ),
)
