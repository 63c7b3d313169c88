"""ForgeryNet: videos, and a set of images of its own.

    {Training,Validation}/video_list.txt   {Training,Validation}/video/train_video_release/5/HASH.mp4
    {Training,Validation}/image_list.txt   {Training,Validation}/image/train_release/5/HASH/HASH/frame00019.jpg

A line of the lists is

    SEGMENTS VIDEO [START COUNT FAKE]*SEGMENTS BINARY THREE SIXTEEN
    IMAGE BINARY THREE SIXTEEN

with SIXTEEN 0 for real and 1 to 15 for a method (`CLASSES`); some copies have a header. Names lie below a folder that
begins with `video` or `image` (image, image2, images) or below the set's own; a numbered folder is no class. Lists may
also be named training_image_list.txt and lie at the root. Videos and images are two stores: `ScanOptions.form` says
which, videos by default.

The frames of a video that is manipulated in part are two clips: the fake segments, and ID/real with the real ones (raw
method Rest). A frame that no segment holds is in neither.

Identities are not published: a video, or the folder of an image, is its own. FAKE is read as 1 or fake, which the
authors do not spell out; a real video with a fake segment, a fake one without, and a method with two values of THREE
are refused. Which of THREE's 1 and 2 replaces an identity is not known, and not used.
Source: Readme.txt of github.com/yinanhe/ForgeryNet (lists); the classes in github.com/mever-team/DeepFakeChain and
another reader, which agree; folders in github.com/zhangchaosd/DeepfakeDatasetsParser (images) and
github.com/davide-coccomini/MINTIME-Multi-Identity-size-iNvariant-TIMEsformer-for-Video-Deepfake-Detection (videos).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from sys import intern

from dataengine import methods
from dataengine.errors import LayoutError
from dataengine.layouts.metadata import inside, whole_number
from dataengine.layouts.scan import Layout, Published, Scan, ScanOptions, scan_of
from dataengine.records import REAL, Clip, Media, clip_id
from dataengine.source import IMAGE_SUFFIXES, VIDEO_SUFFIXES, SourceTree, suffix

CLASSES = (
    "Real",
    "FaceShifter",
    "FS-GAN",
    "DeepFakes",
    "BlendFace",
    "MMReplacement",
    "DeepFakes-StarGAN-Stack",
    "Talking Head Video",
    "ATVG-Net",
    "StarGAN-BlendFace-Stack",
    "First Order Motion",
    "StyleGAN2",
    "MaskGAN",
    "StarGAN2",
    "SC-FEGAN",
    "DiscoFaceGAN",
)
REST = "Rest"
SETS = {"Training": "train", "Validation": "val", "Test": "test"}
FORMS = {"video": VIDEO_SUFFIXES, "image": IMAGE_SUFFIXES}
_HEADER = ["binary_cls_label", "triple_cls_label", "16cls_label"]
_FLAGS = {"0": 0, "real": 0, "1": 1, "fake": 1}
_MASKS = "spatial_localize"
_NUMBERED = re.compile(r"/\d{1,2}$")

Ranges = tuple[tuple[int, int], ...]


@dataclass(slots=True)
class _Reading:
    """What is gathered over all lists of a form: the index of a path's class, and what is said at the end."""

    listed: dict[str, int] = field(default_factory=dict)
    three: dict[int, str] = field(default_factory=dict)
    """The value of THREE that each class has."""
    parts: dict[str, tuple[Ranges, Ranges]] = field(default_factory=dict)
    """Of each video: its clip's frames, and its rest's."""
    missing: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)


def is_tree(tree: SourceTree) -> bool:
    """Whether the root looks like ForgeryNet."""
    return any(tree.is_dir(folder) for folder in SETS) and any(_candidates(tree, form) for form in FORMS)


def scan(tree: SourceTree, options: ScanOptions) -> Scan:
    """The videos or the images. Raises LayoutError for a line of a list that is malformed or contradicts itself."""
    there = [form for form in FORMS if _candidates(tree, form)]
    form = options.form or there[0]
    lists = _lists(tree, form)
    reading = _Reading()
    clips = [clip for folder, path in lists.items() for clip in _clips(tree, folder, path, form, reading)]
    notes = []
    if not options.form and len(there) > 1:
        notes.append("videos alone: ForgeryNet's images are another store (--from image)")
    if reading.twice:
        notes.append(f"{len(reading.twice):,} lines name a file again (first: {reading.twice[0]}); it is one clip")
    return scan_of(
        clips,
        tree,
        "the dataset's own sets",
        notes,
        missing=reading.missing,
        unexpected=_unexpected(tree, form, reading),
    )


def _candidates(tree: SourceTree, form: str) -> list[str]:
    ending = f"{form}_list.txt"
    texts = [path for folder in ("", *SETS) for path in tree.files(folder, frozenset({".txt"}))]
    return [path for path in texts if path.endswith(ending)]


def _lists(tree: SourceTree, form: str) -> dict[str, str]:
    """The list of each set that has one."""
    lists: dict[str, str] = {}
    for path in _candidates(tree, form):
        folder, _, name = path.rpartition("/")
        sides = [side for side, split in SETS.items() if side == folder or (not folder and name.startswith(split))]
        if not sides:
            raise LayoutError(f"{tree.shown(path)} does not say of which set it is; move it into {', '.join(SETS)}")
        if sides[0] in lists:
            raise LayoutError(f"{tree.shown(path)} and {lists[sides[0]]} list one set; keep one of them")
        lists[sides[0]] = path
    if not lists:
        raise LayoutError(f"{tree.root} has no {form}_list.txt in {', '.join(SETS)}; put the dataset's lists back")
    return lists


def _lines(tree: SourceTree, path: str) -> Iterator[tuple[str, list[str]]]:
    """The lines that are not empty, in fields, each with where it stands; the text is never split as a whole."""
    shown = tree.shown(path)
    for number, match in enumerate(re.finditer(r"(?m)^.*$", tree.read_text(path)), start=1):
        fields = match[0].split()
        if number == 1 and fields and not fields[-1].isdigit():
            if fields[-3:] != _HEADER:
                raise LayoutError(f"{shown} has a header that does not end in {' '.join(_HEADER)}; get the list again")
        elif fields:
            yield f"{shown} line {number}", fields


def _clips(tree: SourceTree, folder: str, path: str, form: str, reading: _Reading) -> Iterator[Clip]:
    bases = [base for base in tree.folders(folder) if base.rpartition("/")[2].startswith(form)]
    bases.append(folder)
    split = SETS[folder]
    media: Media = "video" if form == "video" else "images"
    ranges: Ranges = ()
    rest: Ranges = ()
    for where, fields in _lines(tree, path):
        name = fields[1] if form == "video" and len(fields) > 1 else fields[0]
        number = _class(fields, where, reading)
        if form == "video":
            ranges, rest = _segments(fields, where, number)
        elif len(fields) != 4:
            raise LayoutError(f"{where} has {len(fields)} fields; it must be IMAGE BINARY THREE SIXTEEN: mend it")
        below = inside(name, where)
        file = next((f"{base}/{below}" for base in bases if tree.is_file(f"{base}/{below}")), "")
        listed = file or f"{bases[0]}/{below}"
        before = reading.listed.get(listed)
        if before is not None:
            if before != number:
                raise LayoutError(f"{where}: {name} is {CLASSES[number]}, above it is {CLASSES[before]}; mend the list")
            if reading.parts.get(listed, (ranges, rest)) != (ranges, rest):
                raise LayoutError(f"{where}: {name} has other segments here than above; mend the list")
            reading.twice.append(listed)
            continue
        reading.listed[listed] = number
        if rest or ranges:
            reading.parts[listed] = (ranges, rest)
        if not file:
            reading.missing.append(listed)
            continue
        clip = _clip(file, tree.sizes[file], media, split, CLASSES[number], ranges)
        yield clip
        if rest:
            real = methods.canonical("forgerynet", REST)
            name = f"{clip.clip}/{REAL}"
            yield replace(clip, clip=name, raw_method=REST, method=real.name, category=real.category, ranges=rest)


def _class(fields: list[str], where: str, reading: _Reading) -> int:
    binary, three, sixteen = fields[-3:] if len(fields) > 3 else ("", "", "")
    number = whole_number(sixteen)
    if (
        not 0 <= number < len(CLASSES)
        or binary != str(int(number > 0))
        or three not in (("1", "2") if number else ("0",))
    ):
        raise LayoutError(
            f"{where} ends in '{' '.join(fields[-3:])[:80]}': no agreeing labels of 2, 3 and 16 classes; mend the list"
        )
    if reading.three.setdefault(number, three) != three:
        raise LayoutError(
            f"{where}: {CLASSES[number]} has the label {three} of 3 classes, in lines above {reading.three[number]}; "
            "mend the list"
        )
    return number


def _segments(fields: list[str], where: str, number: int) -> tuple[Ranges, Ranges]:
    """The frames of the video's clip, and those of its rest. () and () for a real: all of its frames."""
    count = whole_number(fields[0])
    if count < 0 or len(fields) != 2 + 3 * count + 3:
        raise LayoutError(
            f"{where} is not SEGMENTS VIDEO [START COUNT FAKE]*SEGMENTS BINARY THREE SIXTEEN; mend the list"
        )
    segments = []
    for start, frames, flag in zip(*(fields[2 + k : -3 : 3] for k in range(3)), strict=True):
        first, length = whole_number(start), whole_number(frames)
        if first < 0 or length < 1 or flag.lower() not in _FLAGS:
            segment = f"{start} {frames} {flag}"[:80]
            raise LayoutError(f"{where} has the segment '{segment}', not START COUNT 0|1; mend the list")
        segments.append((first, first + length, _FLAGS[flag.lower()]))
    segments.sort()
    if any(one[1] > other[0] for one, other in pairwise(segments)):
        raise LayoutError(f"{where} has segments that overlap; mend the list")
    fake = tuple((start, stop) for start, stop, flag in segments if flag)
    if bool(fake) != bool(number):
        raise LayoutError(
            f"{where} is {CLASSES[number]} and has {len(fake)} fake segments; the list contradicts itself: get it again"
        )
    return (fake, tuple((start, stop) for start, stop, flag in segments if not flag)) if number else ((), ())


def _clip(path: str, size: int, media: Media, split: str, raw_method: str, ranges: Ranges) -> Clip:
    method = methods.canonical("forgerynet", raw_method)
    folder = path.rpartition("/")[0]
    # A numbered folder holds all of a method: too much to be one identity.
    footage = folder if media == "images" and not _NUMBERED.search(folder) else path.rpartition(".")[0]
    return Clip(
        clip=clip_id("forgerynet", path),
        paths=(path,),
        media=media,
        dataset="forgerynet",
        split=split,
        raw_method=raw_method,
        method=method.name,
        category=method.category,
        quality="",
        target_id=intern(f"forgerynet/{footage}"),  # one for all images of a folder
        source_id="",
        ranges=ranges,
        source_bytes=size,
    )


def _unexpected(tree: SourceTree, form: str, reading: _Reading) -> Iterator[str]:
    for path in tree.sizes:
        if suffix(path) in FORMS[form] and path not in reading.listed and _MASKS not in path:
            yield path


LAYOUT = Layout(
    name="forgerynet",
    forms=tuple(FORMS),
    scan=scan,
    is_tree=is_tree,
    expects="Training/ and Validation/ with video_list.txt or image_list.txt; videos and images are a store each",
    title="ForgeryNet",
    size="about 496 GB",
    licence="non-commercial research and education",
    access="the page that the repository yinanhe/ForgeryNet names",
    certainty="lists and counts: the authors' Readme.txt and paper; classes and folders: other people's readers; "
    "the spelling of a segment's label: not spelt out",
    published=(
        Published(where={"media": "video", "raw_method": "Real"}, clips=99630),
        Published(where={"media": "video", "label": "1"}, clips=121617),
        Published(where={"media": "images", "label": "0"}, clips=1438201),
        Published(where={"media": "images", "label": "1"}, clips=1457861),
    ),
)
