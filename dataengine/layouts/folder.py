"""Any dataset sorted into class folders of videos or images: `<class>/...` or `<split>/<class>/...`.

The class `real` (any case) is real; every other folder's name is a method, the canonical one where it bears its exact
name (`methods.py`). A video is a clip. Images that lie directly in a class folder are a clip each; images in a folder
below it are the frames of one clip. Identities are read from names like TARGET__SOURCE (two underscores); a name
without them is an identity of its own, so that derived splits and intervals at least never part a clip.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dataengine import methods
from dataengine.errors import LayoutError
from dataengine.layouts.scan import IMAGE_SUFFIXES, VIDEO_SUFFIXES, Scan, ScanOptions, files, scan_of, subfolders
from dataengine.records import Clip, Media, clip_id

_NO_CLIP_NAMES = frozenset({"fake", "train", "val", "valid", "validation", "test", *map(str.lower, methods.METHODS)})
_SPLIT_FOLDERS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def is_tree(root: Path) -> bool:
    """Whether the root has class folders (of anything): the most general layout, so the last one to ask."""
    return bool(subfolders(root))


def scan(root: Path, options: ScanOptions) -> Scan:
    """All clips. Raises LayoutError where split folders stand beside other ones."""
    folders = subfolders(root)
    splits = [folder for folder in folders if folder.name.lower() in _SPLIT_FOLDERS]
    if splits and len(splits) != len(folders):
        other = next(folder.name for folder in folders if folder not in splits)
        raise LayoutError(
            f"{root} has split folders and '{other}' beside them; use <split>/<class>/ or <class>/ throughout"
        )
    dataset = options.name or root.resolve().name
    seen = {root.resolve(), *root.resolve().parents}
    clips: list[Clip] = []
    for folder in splits:
        split = _SPLIT_FOLDERS[folder.name.lower()]
        clips += [clip for label in subfolders(folder) for clip in _clips(root, label, dataset, split, seen)]
    if not splits:
        clips = [clip for label in folders for clip in _clips(root, label, dataset, "", seen)]
    reals = any(clip.label == 0 for clip in clips)
    notes = [] if reals else ["no class folder is named 'real': every clip counts as a fake"]
    return scan_of(clips, root, "the tree's own folders" if splits else "derived by identity", notes)


def _clips(root: Path, label: Path, dataset: str, split: str, seen: set[Path]) -> Iterator[Clip]:
    method = methods.named_by_user(label.name)

    def clip(name: Path, paths: list[Path], media: Media) -> Clip:
        target, source = _identities(name.relative_to(label))
        path = name.relative_to(root).as_posix()
        return Clip(
            clip=clip_id(dataset, path, keep_suffix=media == "images" and name not in paths),
            paths=tuple(part.relative_to(root).as_posix() for part in paths),
            media=media,
            dataset=dataset,
            split=split,
            raw_method=label.name,
            method=method.name,
            category=method.category,
            quality="",
            target_id=f"{dataset}/{target}",
            source_id=f"{dataset}/{source}" if source else "",
        )

    for image in files(label, IMAGE_SUFFIXES):
        yield clip(image, [image], "images")
    pending = [label]
    while pending:
        folder = pending.pop(0)
        _once(folder, seen)
        if folder != label and folder.name.lower() in _NO_CLIP_NAMES:
            raise LayoutError(
                f"{folder} is named like a class or a split, but lies inside the class folder '{label.name}'; give the "
                "folder that holds the class or split folders with --root"
            )
        for video in files(folder, VIDEO_SUFFIXES):
            yield clip(video, [video], "video")
        images = files(folder, IMAGE_SUFFIXES) if folder != label else []
        if images:
            yield clip(folder, images, "images")
        pending += subfolders(folder)


def _identities(name: Path) -> tuple[str, str]:
    """Target and source from the first part of a path that is named TARGET__SOURCE; else the whole path is one."""
    for part in (*name.parts[:-1], name.stem):
        target, _, source = part.partition("__")
        if source:
            return target, source
    return name.with_suffix("").as_posix(), ""


def _once(folder: Path, seen: set[Path]) -> None:
    real = folder.resolve()
    if real in seen:
        raise LayoutError(f"{folder} is a link to a folder that is read already; remove it, or its clips count twice")
    seen.add(real)
