"""DF-Platter, as the frames that its authors' code reads: reals and the fakes of Set A, one face in a video.

    frames_{C0,C23,C40}/real/.../<video>/<video>_frame_<n>.jpg
    frames_{C0,C23,C40}/SetA/<method>/{HR,LR}/<gender>/<a>_<b>/<a>_<b>_frame_<n>.jpg

A clip is one folder of frames; all that name a frame end in `_frame_<n>`. The methods are fsgan, faceswap and
faceshifter. Sets B and C (real_SetB, SetB and so on) hold several faces in a frame of which some are real: their
labels belong to faces, in tables that give boxes, so that no label of a clip would be right. They are in no clip and
are said.

Source: github.com/thakral-kartik/DF-Platter: the tree in its README, and in evalSetabc.py the name of one frame of
Set A. The spelling of the other two methods is inferred from the paper, and so is that the first identity is the
footage. The folders below `real`, and how the raw videos lie, are not known. There is no official split that is
published.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dataengine import methods
from dataengine.errors import LayoutError, unknown_name
from dataengine.layouts.scan import Layout, Published, Scan, ScanOptions, scan_of
from dataengine.records import REAL, Clip, clip_id
from dataengine.source import IMAGE_SUFFIXES, VIDEO_SUFFIXES, SourceTree

QUALITIES = ("c0", "c23", "c40")
_ONE_FACE = ("real", "SetA")
_MANY_FACES = ("real_SetB", "real_SetC", "SetB", "SetC")
_RESOLUTIONS = ("HR", "LR")
_PAIR = re.compile(r"(?P<target>[^_]+)_(?P<source>[^_]+)")
_OTHERWISE = "dfx reads DF-Platter's frames as its authors' code does; list another tree and use `dfx shard manifest`"


def is_tree(tree: SourceTree) -> bool:
    """Whether the root holds DF-Platter's folders of frames."""
    return any(tree.is_dir(_top(quality)) for quality in QUALITIES)


def scan(tree: SourceTree, options: ScanOptions) -> Scan:
    """The clips of one compression. Raises LayoutError for a folder or frame that the authors' code does not have."""
    quality = options.quality or "c23"
    if quality not in QUALITIES:
        raise unknown_name("quality of df-platter", quality, QUALITIES)
    top = _top(quality)
    if not tree.is_dir(top):
        there = next(other for other in QUALITIES if tree.is_dir(_top(other)))
        raise LayoutError(f"{tree.root} holds no {quality} frames; take --quality {there}")
    for folder in tree.folders(top):
        if folder.rpartition("/")[2] not in (*_ONE_FACE, *_MANY_FACES):
            raise LayoutError(f"{tree.shown(folder)} is no folder of df-platter; {_OTHERWISE}")
    clips = [
        *_clips(tree, f"{top}/real", quality, REAL),
        *(clip for folder in tree.folders(f"{top}/SetA") for clip in _fakes(tree, folder, quality)),
    ]
    many = [path for name in _MANY_FACES for path in tree.below(f"{top}/{name}", IMAGE_SUFFIXES)]
    notes = ["Sets B and C are left out: a frame holds real faces beside fake ones"] if many else []
    loose = [
        *tree.files(top, IMAGE_SUFFIXES),
        *tree.files(f"{top}/SetA", IMAGE_SUFFIXES),
        *tree.below(top, VIDEO_SUFFIXES),
    ]
    return scan_of(clips, tree, "derived by identity", notes, unexpected=[*many, *loose])


def _top(quality: str) -> str:
    return f"frames_{quality.upper()}"


def _fakes(tree: SourceTree, folder: str, quality: str) -> Iterator[Clip]:
    method = folder.rpartition("/")[2].lower()
    for inner in tree.folders(folder):
        if inner.rpartition("/")[2] not in _RESOLUTIONS:
            raise LayoutError(f"{tree.shown(inner)} is neither HR nor LR; {_OTHERWISE}")
    yield from _clips(tree, folder, quality, method)


def _clips(tree: SourceTree, folder: str, quality: str, raw_method: str) -> Iterator[Clip]:
    """A clip for each folder of frames, at any depth."""
    method = methods.canonical("df-platter", raw_method)
    frames = tree.files(folder, IMAGE_SUFFIXES)
    if frames:
        video = folder.rpartition("/")[2]
        match = _PAIR.fullmatch(video)
        for frame in frames:
            if not re.fullmatch(rf"{re.escape(video)}_frame_\d+\.\w+", frame.rpartition("/")[2]):
                raise LayoutError(f"{tree.shown(frame)} is not named {video}_frame_N.jpg; {_OTHERWISE}")
        if raw_method != REAL and match is None:
            raise LayoutError(f"{tree.shown(folder)} is not named TARGET_SOURCE; {_OTHERWISE}")
        resolution = next((part.lower() for part in folder.split("/") if part in _RESOLUTIONS), "")
        pair = match if raw_method != REAL else None
        yield Clip(
            clip=clip_id("df-platter", folder, keep_suffix=True),
            paths=tuple(frames),
            media="images",
            dataset="df-platter",
            split="",
            raw_method=raw_method,
            method=method.name,
            category=method.category,
            quality=f"{quality}-{resolution}" if resolution else quality,
            target_id=f"df-platter/{pair['target'] if pair else video}",
            source_id=f"df-platter/{pair['source']}" if pair else "",
        )
    for inner in tree.folders(folder):
        yield from _clips(tree, inner, quality, raw_method)


LAYOUT = Layout(
    name="df-platter",
    scan=scan,
    is_tree=is_tree,
    expects="frames_C0/, frames_C23/ or frames_C40/ with real/ and SetA/, as its authors' code reads them; for another "
    "tree use `dfx shard manifest`",
    title="DF-Platter, reals and Set A",
    size="about 500 GB as videos in three compressions",
    licence="a licence that the institution signs",
    access="the IAB laboratory's page of the dataset",
    certainty="folders and a frame's name: the authors' code; names of two methods, order of the identities: inferred; "
    "folders below real, tree of the raw videos, whether the numbers count each compression: not known",
    published=(Published(where={"label": "0"}, clips=764), Published(where={"label": "1"}, clips=130_696)),
)
