"""DF40: forty methods, most of them applied to FF++ and Celeb-DF, as frames with the face cut out.

    DF40/<method>/{ff,cdf}/[frames/]<video>/*.png        test, 31 methods; fakes of FF++ and Celeb-DF
    DF40/<method>/cdf/[Fake_from_]{Celeb,YouTube}-real/<video>/*.png      the same: all of them are fakes
    DF40/<method>/{fake,real}/[frames/][<video>/]*.png   test, 9 methods of other footage; a loose image is a clip
    DF40_train/<method>/[ff/][frames/]<video>/*.png      train, of FF++ alone

A folder named after its method, or `fake` in `fake`, is a trace of unpacking and is passed through; `landmarks` and
`masks` are no frames. The folders `Celeb-real` and `YouTube-real` say what a fake was made from.

Identities are those of FF++ and Celeb-DF where a folder bears such a name (NNN_NNN, idN_idN_NNNN; one number or id
for whole synthesised faces). That the first is the footage is inferred from FF++ and Celeb-DF: public programs
disagree. Splits: the authors give a train tree and a test tree, no val: it is dealt out of the train tree by identity.

Source: github.com/YZY-stack/DF40 (methods, trees, reals); the folders below a method as several public programs list
them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dataengine import methods
from dataengine.errors import LayoutError
from dataengine.layouts.scan import Layout, Scan, ScanOptions, scan_of
from dataengine.records import REAL, Clip, clip_id
from dataengine.source import IMAGE_SUFFIXES, SourceTree

_TREES = {"DF40_train": "", "DF40": "test"}
_SPELLINGS = {
    "facevid2vid": ("fsvid2vid",),
    "one_shot_free": ("oneshot",),
    "inswap": ("inswapper",),
    "danet": ("dagan",),
    "ddim": ("ddpm",),
    "sd2.1": ("sd21",),
    "whichfaceisreal": ("whichisreal",),
    "starganv2": ("stargan2",),
    "heygen": ("heygennew",),
    "MidJourney": ("midjourney6",),
}
_SIDES = ("ff", "cdf", "fake", "real")
_ORIGINS = frozenset({"celebreal", "youtubereal", "fakefromcelebreal", "fakefromyoutubereal"})
_NO_FRAMES = frozenset({"landmarks", "landmark", "masks", "mask"})
_FF = re.compile(r"(\d{3})(?:_(\d{3}))?")
_CDF = re.compile(r"(id\d+)(?:_(id\d+))?_\d+")
_YOUTUBE = re.compile(r"\d{5}")


def is_tree(tree: SourceTree) -> bool:
    """Whether the root holds DF40's trees."""
    return any(tree.is_dir(folder) for folder in _TREES)


def scan(tree: SourceTree, options: ScanOptions) -> Scan:
    """A clip for each folder of frames, and for each image that lies in none.

    Raises LayoutError for a method, or a folder below one, that DF40 does not have.
    """
    clips: list[Clip] = []
    for top, split in _TREES.items():
        folder_of: dict[str, str] = {}
        for folder in tree.folders(top):
            raw = _raw_method(tree, folder)
            if (other := folder_of.setdefault(raw, folder)) != folder:
                raise LayoutError(f"{tree.shown(folder)} and {other} are two names of one method; keep one of them")
            clips += _method(tree, folder, folder, raw, split)
    notes = [
        "the reals of its fakes are FF++'s and, below cdf, Celeb-DF's (`dfx shard ff++`, `dfx shard celeb-df`)",
        "its people are FF++'s and Celeb-DF's, which have splits of their own: score what was trained on them with "
        "`dfx eval --unseen-people`",
    ]
    return scan_of(clips, tree, _split_origin({clip.split for clip in clips}), notes)


def _split_origin(given: set[str]) -> str:
    derived = "val, of which the authors give none, is dealt with train out of DF40_train by identity"
    if given == {""}:
        return "derived by identity, without the test tree DF40"
    return "the official trees: DF40 is test" + (f"; {derived}" if "" in given else "; without DF40_train no train")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


_RAW = {
    **{_plain(raw): raw for (of, raw) in methods.known() if of == "df40" and raw != REAL},
    **{spelling: raw for raw, spellings in _SPELLINGS.items() for spelling in spellings},
}


def _raw_method(tree: SourceTree, folder: str) -> str:
    name = folder.rpartition("/")[2]
    if _plain(name) not in _RAW:
        raise LayoutError(
            f"{tree.shown(folder)} is no method of df40 that dfx knows (it knows {', '.join(sorted(_RAW.values()))}); "
            "move that folder out of the tree"
        )
    return _RAW[_plain(name)]


def _method(tree: SourceTree, top: str, folder: str, raw: str, split: str) -> Iterator[Clip]:
    """The clips below a folder of one method."""
    side, video = _place(tree, top, folder, raw, split)
    images = tree.files(folder, IMAGE_SUFFIXES)
    if images and not side:
        raise LayoutError(
            f"{tree.shown(folder)} holds images outside of ff, cdf, fake and real; move them there or away"
        )
    if images and video:
        yield _clip(tree, folder, images, raw, side, video, split)
    elif images:
        for image in images:
            yield _clip(tree, image, [image], raw, side, image.rpartition("/")[2].rpartition(".")[0], split)
    for inner in tree.folders(folder):
        if inner.rpartition("/")[2].lower() not in _NO_FRAMES:
            yield from _method(tree, top, inner, raw, split)


def _place(tree: SourceTree, top: str, folder: str, raw: str, split: str) -> tuple[str, str]:
    """Which of the four sides a folder belongs to, and its video; "" where its path does not say."""
    side, video = "", ""
    for part in folder[len(top) + 1 :].split("/"):
        plain = _plain(part)
        unpacked_twice = (not side and _RAW.get(plain) == raw) or (plain == side and side in ("fake", "real"))
        if not part or plain in ("frames", "inversions") or (unpacked_twice and not video):
            continue
        if not side and plain in _SIDES:
            side = plain
        elif side == "cdf" and not video and plain in _ORIGINS:
            continue
        elif not video and plain not in _SIDES and plain not in _ORIGINS:
            video = part
        else:
            raise LayoutError(
                f"{tree.shown(folder)}: dfx does not know a folder '{part}' there in df40; move it out of the tree, or "
                "list the images and use `dfx shard manifest`"
            )
    if not side and split != "test":
        side = "ff"  # the train tree is of FF++ alone
    return side, video


def _clip(tree: SourceTree, path: str, images: list[str], raw: str, side: str, video: str, split: str) -> Clip:
    raw_method = REAL if side == "real" else raw
    method = methods.canonical("df40", raw_method)
    target, source = _identities(side, video)
    return Clip(
        clip=clip_id("df40", path, keep_suffix=path not in images),
        paths=tuple(images),
        media="images",
        dataset="df40",
        split=split,
        raw_method=raw_method,
        method=method.name,
        category=method.category,
        quality="",
        target_id=target or f"df40/{raw}/{side}/{video}",
        source_id=source,
    )


def _identities(side: str, video: str) -> tuple[str, str]:
    if side == "ff" and (match := _FF.fullmatch(video)):
        return f"ff++/{match[1]}", f"ff++/{match[2]}" if match[2] else ""
    if side == "cdf" and (match := _CDF.fullmatch(video)):
        return f"celeb-df/{match[1]}", f"celeb-df/{match[2]}" if match[2] else ""
    if side == "cdf" and _YOUTUBE.fullmatch(video):
        return f"celeb-df/youtube-{video}", ""
    return "", ""


LAYOUT = Layout(
    name="df40",
    scan=scan,
    is_tree=is_tree,
    expects="DF40/METHOD/{ff,cdf,fake,real}/ or DF40_train/METHOD/",
    title="DF40: forty methods",
    size="test about 93 GB, train 50 GB",
    licence="CC BY-NC 4.0",
    access="the links in the repository YZY-stack/DF40",
    certainty="methods, categories and trees: the authors' repository; folders below a method: other people's "
    "programs; order of the identities: inferred",
    reals="ff++",
    cropped=True,
)
