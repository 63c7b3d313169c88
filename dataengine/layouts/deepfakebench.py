"""A dataset as DeepfakeBench lists it: one JSON file of its videos and their frames, which are cropped already.

    {DATASET: {LABEL: {SPLIT: {[COMPRESSION:] {VIDEO: {"label": LABEL, "frames": [PATH, ...]}}}}}}

What is not in that form is an error; what is in it and odd is said:

- Paths begin with whatever folder their author had, with either slash. What most of a sample of them must lose at their
  beginning to be files below the root is taken off all of them.
- Videos stand in several splits: all of Celeb-DF's in train, its test videos in test and val too; DFD's and UADFV's in
  all three. A test video is a test video alone. A split that tells nothing apart is derived: all, where train and test
  are the same videos; train and val, where no video is in val alone.
- A video without frames is left out; one that stands under several labels of one kind is taken once.

A label is real or fake as DeepfakeBench calls it, never by guess. Those of FF++, DFD, Celeb-DF and both DFDC releases
get the dataset and method that dfx has for them; others keep the names that the file gives them.
Source: github.com/SCLBD/DeepfakeBench (preprocessing/rearrange.py writes the files and names the folders behind each
label, training/dataset/abstract_dataset.py reads them); github.com/YZY-stack/DF40 (training/config/test_config.yaml
lists the labels).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from dataengine import methods
from dataengine.errors import LayoutError
from dataengine.layouts.listed import none_there, text_of
from dataengine.layouts.metadata import parsed_json
from dataengine.layouts.scan import Layout, Scan, ScanOptions, scan_of
from dataengine.records import REAL, Clip, clip_id
from dataengine.source import SourceTree, as_counted

_SPLITS = ("train", "val", "test")
_SAMPLE = 500  # videos by whose first frames the beginning of all paths is found


class Label(NamedTuple):
    """What a label of the file stands for."""

    dataset: str
    """"" for the name of the file's own."""
    raw_method: str
    fake: bool


_LABELS = {
    "FF-real": Label("ff++", "original", False),
    "FF-DF": Label("ff++", "Deepfakes", True),
    "FF-F2F": Label("ff++", "Face2Face", True),
    "FF-FS": Label("ff++", "FaceSwap", True),
    "FF-NT": Label("ff++", "NeuralTextures", True),
    "FF-FH": Label("ff++", "FaceShifter", True),
    "DFD_real": Label("dfd", "original", False),
    "DFD_fake": Label("dfd", "DeepFakeDetection", True),
    "CelebDFv1_real": Label("celeb-df", "real", False),
    "CelebDFv1_fake": Label("celeb-df", "Celeb-synthesis", True),
    "CelebDFv2_real": Label("celeb-df", "real", False),
    "CelebDFv2_fake": Label("celeb-df", "Celeb-synthesis", True),
    "DFDCP_Real": Label("dfdc-preview", "original_videos", False),
    "DFDCP_FakeA": Label("dfdc-preview", "method_A", True),
    "DFDCP_FakeB": Label("dfdc-preview", "method_B", True),
    "DFDC_Real": Label("dfdc", "REAL", False),
    "DFDC_Fake": Label("dfdc", "FAKE", True),
}
"""As rearrange.py assigns them from the folder or the metadata that it finds a video in."""

_KIND = re.compile(r"(?P<name>.*?)[_-]?(?P<kind>real|fake)", re.IGNORECASE)
_PEOPLE = {
    "ff++": re.compile(r"(\d{3})(?:_(\d{3}))?"),
    "dfd": re.compile(r"(\d+)(?:_(\d+))?__.+"),
    "celeb-df": re.compile(r"(id\d+)(?:_(id\d+))?_\d+"),
}
"""Target and source in the name of a video, as the layouts of these datasets read them."""


@dataclass(slots=True)
class _Video:
    """One video of the index."""

    dataset: str
    label: str
    compression: str
    name: str
    frames: Sequence[str]
    splits: set[str] = field(default_factory=set)


def scan(tree: SourceTree, options: ScanOptions) -> Scan:
    """All videos with a frame below the root. Raises LayoutError where the file is not in DeepfakeBench's form."""
    listing = options.listing
    notes: list[str] = []
    index = _index(parsed_json(text_of(listing), listing), listing, notes)
    videos = _of_one_compression(index, listing, options.quality, notes)
    begin = _beginning(videos, tree)
    if begin:
        notes.append(f"the paths of the list are read from behind '{begin}'")
    split_of = _splits(videos, notes)
    clips: dict[str, Clip] = {}
    label_of: dict[str, int] = {}
    missing: list[str] = []
    num_empty = num_again = 0
    for number, video in enumerate(videos):
        listed = [_below(path, begin) for path in video.frames]
        paths = sorted(sorted({path for path in listed if path in tree.sizes}), key=as_counted)
        missing += (path for path in listed if path not in tree.sizes)
        if not paths:
            num_empty += not listed
            continue
        clip = _clip(video, paths, split_of[number], options.name)
        other = clips.setdefault(paths[0], clip)
        for path in paths:
            if label_of.setdefault(path, clip.label) != clip.label:
                raise LayoutError(f"{listing}: {path} is real in one place and fake in another; mend the list")
        if other is not clip:
            num_again += 1
            if clip.split == "test":
                clips[paths[0]] = replace(other, split="test")
    if not clips:
        raise none_there(listing, tree, missing)
    if num_empty:
        notes.append(f"{num_empty:,} videos have no frames in the list and are left out")
    if num_again:
        notes.append(f"{num_again:,} videos stand under several labels and are taken once")
    origin = "the list's; derived by identity where it parts nothing"
    return scan_of(clips.values(), tree, origin, notes, missing=missing)


def _index(value: Any, name: str, notes: list[str]) -> list[_Video]:
    """The videos of all datasets, labels and compressions, each once, with the splits that they stand in."""
    videos: dict[tuple[str, str, str, str], _Video] = {}
    for dataset, labels in _items(value, name, "a dataset"):
        for label, splits in _items(labels, f"{name}: {dataset}", "a label"):
            _meaning(label, name)
            for split, entries in _items(splits, f"{name}: {dataset}/{label}", "a split"):
                where = f"{name}: {dataset}/{label}/{split}"
                if split not in _SPLITS:
                    raise LayoutError(f"{where}: '{split}' is none of train, val, test; give DeepfakeBench's own file")
                for compression, video, frames in _videos(entries, where, notes):
                    key = (dataset, label, compression, video)
                    found = videos.setdefault(key, _Video(dataset, label, compression, video, frames))
                    found.splits.add(split)
                    if frames != found.frames:  # each split may list some of them
                        found.frames = [*found.frames, *frames]
    return list(videos.values())


def _of_one_compression(videos: list[_Video], name: str, quality: str, notes: list[str]) -> list[_Video]:
    held = sorted({video.compression for video in videos} - {""})
    if quality and quality not in held:
        raise LayoutError(f"{name} has no compression {quality} (it has {', '.join(held) or 'none'}); mend --quality")
    taken = quality or ("c23" if "c23" in held or not held else held[0])
    if others := [compression for compression in held if compression != taken]:
        notes.append(f"{taken} is taken; the list has {', '.join(others)} as well: choose with --quality")
    return [video for video in videos if video.compression in ("", taken)]


def _videos(entries: Any, where: str, notes: list[str]) -> Iterator[tuple[str, str, list[str]]]:
    """Compression, name and frames of each video of a split."""
    for name, entry in _items(entries, where, "a video"):
        if name in ("label", "frames"):
            # DeepfakeBench writes DFDC's val as one video without a name, over and over; it stands in test too.
            note = f"{where.partition(': ')[2]} holds a video without a name, which is left out"
            if note not in notes:
                notes.append(note)
        elif isinstance(entry, dict) and "frames" not in entry:
            for video, inner in _items(entry, f"{where}/{name}", "a video"):
                yield name, video, _frames(inner, f"{where}/{name}/{video}")
        else:
            yield "", name, _frames(entry, f"{where}/{name}")


def _items(value: Any, where: str, what: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        raise LayoutError(f"{where} holds no object with the name of {what}; give DeepfakeBench's own file")
    return iter(value.items())


def _frames(video: Any, where: str) -> list[str]:
    frames = video.get("frames") if isinstance(video, dict) else None
    if not isinstance(frames, list) or not all(isinstance(path, str) for path in frames):
        raise LayoutError(f"{where} is no video with a list of frames; give DeepfakeBench's own file")
    return frames


def _meaning(label: str, name: str) -> Label:
    """What a label stands for. Raises LayoutError where it does not say real or fake."""
    if label in _LABELS:
        return _LABELS[label]
    match = _KIND.fullmatch(label)
    if match is None:
        raise LayoutError(f"{name}: label '{label}' does not say real or fake; let it end in _Real or _Fake")
    fake = match["kind"].lower() == "fake"
    return Label("", match["name"] or match["kind"].lower() if fake else REAL, fake)


def _beginning(videos: Sequence[_Video], tree: SourceTree) -> str:
    """What all paths must lose to be files below the root: the beginning that serves most of a sample of them."""
    hits: Counter[str] = Counter()
    framed = [video for video in videos if video.frames]
    for video in framed[:: max(1, len(framed) // _SAMPLE)]:
        path = video.frames[0].replace("\\", "/")
        parts = path.split("/")
        for count in range(len(parts)):
            if "/".join(parts[count:]) in tree.sizes:
                hits["/".join([*parts[:count], ""])] += 1
                break
    return hits.most_common(1)[0][0] if hits else ""


def _below(path: str, begin: str) -> str:
    return path.replace("\\", "/").removeprefix(begin)


def _splits(videos: Sequence[_Video], notes: list[str]) -> list[str]:
    """The one split of each video, "" where one is to be derived."""
    split_of = [""] * len(videos)
    labels: dict[tuple[str, str], list[int]] = {}
    for number, video in enumerate(videos):
        labels.setdefault((video.dataset, video.label), []).append(number)
    for (_, label), members in labels.items():
        train, val, test = ({n for n in members if split in videos[n].splits} for split in _SPLITS)
        if test and test == train | val:
            notes.append(f"{label}: train and test are the same videos; their splits are derived by identity")
            continue
        if both := (train | val) & test:
            notes.append(f"{label}: {len(both):,} test videos stand in train or val too; they are test videos alone")
        own_val = val - train - test
        if (train | val) - test and not own_val:
            notes.append(f"{label}: no video is in val alone; train and val are derived by identity")
        for n in members:
            split_of[n] = "test" if n in test else "val" if n in own_val else "train" if own_val else ""
    return split_of


def _clip(video: _Video, paths: Sequence[str], split: str, name: str) -> Clip:
    known, raw, fake = _meaning(video.label, "")
    dataset = known or name or video.dataset
    if known == "celeb-df" and not fake:
        raw = next((folder for folder in ("Celeb-real", "YouTube-real") if f"{folder}/" in paths[0]), raw)
    method = methods.named_by_user(raw, dataset) if fake else methods.METHODS[REAL]
    people = _PEOPLE[known].fullmatch(video.name) if known in _PEOPLE else None
    target, source = people.groups() if people else (video.name, None)
    if raw == "YouTube-real":
        target = f"youtube-{video.name}"
    return Clip(
        clip=clip_id(dataset, "/".join(filter(None, (video.label, video.compression, video.name))), keep_suffix=True),
        paths=tuple(paths),
        media="images",
        dataset=dataset,
        split=split,
        raw_method=raw,
        method=method.name,
        category=method.category,
        quality=video.compression,
        target_id=f"{dataset}/{target}",
        source_id=f"{dataset}/{source}" if source and fake else "",
    )


LAYOUT = Layout(
    name="manifest",
    scan=scan,
    is_tree=lambda tree: bool(tree.sizes),
    expects="the frames that the list names: dfx shard manifest --from deepfakebench FILE.json",
    title="A dataset as DeepfakeBench lists it",
    certainty="form, labels and splits: the code of DeepfakeBench and DF40; files as others publish them: not seen",
    cropped=True,
    named=True,
    listing="must",
    forms=("deepfakebench",),
)
