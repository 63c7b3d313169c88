"""DFDM, Deepfakes from Different Models: five models of one tool, each at three compressions. Fakes alone.

    DFDM_crf{0,10,23}/.../<target>_<source>_<scene>_<model>.mp4        id28_id20_0008_4dfaker.mp4

The model is read from the name, whatever folder a file lies in. TRAP: the tag of the Faceswap model is `original`,
the name of that model in the tool; it does not mean a real. The reals are Celeb-DF's (`dfx shard celeb-df`): inferred
from the ids and scenes, which are those of its Celeb-real, and so is that the first id is the footage. There is no
official split.

Source: github.com/shanface33/Deepfake_Model_Attribution (compressions, models, counts, the form of a name); how tags
are written and that the reals are Celeb-DF's: other people's programs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from dataengine import methods
from dataengine.errors import LayoutError, unknown_name
from dataengine.layouts.scan import Layout, Published, Scan, ScanOptions, scan_of
from dataengine.records import Clip, clip_id
from dataengine.source import VIDEO_SUFFIXES, SourceTree

QUALITIES = ("crf0", "crf10", "crf23")
MODELS = ("Faceswap", "Lightweight", "IAE", "Dfaker", "DFL-H128")
_TAGS = {**{model.lower(): model for model in MODELS}, "original": "Faceswap", "dfl_h128": "DFL-H128"}
_NAME = re.compile(r"(?P<target>id\d+)_(?P<source>id\d+)_(?P<scene>\d+)_\d?(?P<tag>[A-Za-z][\w-]*)")


def is_tree(tree: SourceTree) -> bool:
    """Whether the root looks like DFDM."""
    return any(tree.is_dir(f"DFDM_{quality}") for quality in QUALITIES)


def scan(tree: SourceTree, options: ScanOptions) -> Scan:
    """The clips of one compression. Raises LayoutError for one, or a file name, that DFDM does not have."""
    quality = options.quality or "crf23"
    if quality not in QUALITIES:
        raise unknown_name("quality of dfdm", quality, QUALITIES)
    clips = list(_clips(tree, quality))
    if not clips:
        there = [other for other in QUALITIES if tree.below(f"DFDM_{other}", VIDEO_SUFFIXES)]
        remedy = f"take --quality {there[0]}" if there else "give the folder that holds them with --root"
        raise LayoutError(f"{tree.root} holds no {quality} videos; {remedy}")
    notes = [
        "the reals of its fakes are Celeb-DF's (`dfx shard celeb-df`)",
        "its people are Celeb-DF's, which has splits of its own: score what was trained on Celeb-DF with "
        "`dfx eval --unseen-people`",
    ]
    return scan_of(clips, tree, "derived by identity", notes)


def _clips(tree: SourceTree, quality: str) -> Iterator[Clip]:
    seen: dict[tuple[str, ...], str] = {}
    for path in tree.below(f"DFDM_{quality}", VIDEO_SUFFIXES):
        match = _NAME.fullmatch(PurePosixPath(path).stem)
        if match is None or match["tag"].lower() not in _TAGS:
            raise LayoutError(
                f"{tree.shown(path)} is not named idN_idN_SCENE_MODEL.mp4 with a model of dfdm "
                f"({', '.join(sorted(_TAGS))}); rename it or move it away"
            )
        raw_method = _TAGS[match["tag"].lower()]
        video = (*match.group("target", "source", "scene"), raw_method)  # tags are spelt in several ways
        if other := seen.get(video):
            raise LayoutError(f"{tree.shown(path)} and {other} are one video of dfdm; keep one of them")
        seen[video] = path
        method = methods.canonical("dfdm", raw_method)
        yield Clip(
            clip=clip_id("dfdm", path),
            paths=(path,),
            media="video",
            dataset="dfdm",
            split="",
            raw_method=raw_method,
            method=method.name,
            category=method.category,
            quality=quality,
            target_id=f"celeb-df/{match['target']}",
            source_id=f"celeb-df/{match['source']}",
        )


LAYOUT = Layout(
    name="dfdm",
    scan=scan,
    is_tree=is_tree,
    expects="DFDM_crf0/, DFDM_crf10/ or DFDM_crf23/",
    title="DFDM: Deepfakes from Different Models",
    size="82.4 GB in three compressions",
    licence="academic use by form",
    access="the form in the repository shanface33/Deepfake_Model_Attribution",
    certainty="models, compressions and counts: the authors' repository; tags in the names: other people's parsers; "
    "reals and order of the ids: inferred",
    reals="celeb-df",
    published=tuple(Published(where={"raw_method": model}, clips=430) for model in MODELS),
)
