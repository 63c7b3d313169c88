"""Any dataset sorted into class folders of videos or images: `<class>/...` or `<split>/<class>/...`.

The class `real` (any case) is real; every other folder's name is a method, the canonical one where it bears its exact
name (`methods.py`). A video is a clip. Images that lie directly in a class folder are a clip each; images in a folder
below it are the frames of one clip. Identities are read from names like TARGET__SOURCE (two underscores); a name
without them is an identity of its own, so that derived splits and intervals at least never part a clip.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import PurePosixPath

from dataengine import methods
from dataengine.errors import LayoutError
from dataengine.layouts.scan import Layout, Scan, ScanOptions, scan_of
from dataengine.records import REAL, Clip, Media, clip_id
from dataengine.source import IMAGE_SUFFIXES, VIDEO_SUFFIXES, SourceTree

_NO_CLIP_NAMES = frozenset({"fake", "train", "val", "valid", "validation", "test", *map(str.lower, methods.METHODS)})
SPLIT_FOLDERS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def is_tree(tree: SourceTree) -> bool:
    """Whether the root has class folders (of anything): the most general layout, so the last one to ask."""
    return bool(tree.folders())


def scan(tree: SourceTree, options: ScanOptions) -> Scan:
    """All clips. Raises LayoutError where split folders stand beside other ones."""
    dataset = options.name or tree.root.resolve().name
    classes = class_folders(tree)
    clips = [clip for label, split in classes for clip in _clips(tree, label, dataset, split)]
    reals = any(clip.label == 0 for clip in clips)
    notes = [] if reals else ["no class folder is named 'real': every clip counts as a fake"]
    has_splits = any(split for _, split in classes)
    return scan_of(clips, tree, "the tree's own folders" if has_splits else "derived by identity", notes)


def class_folders(tree: SourceTree) -> list[tuple[str, str]]:
    """The class folders of a tree with the split of each, "" where it has no split folders.

    Raises LayoutError where split folders stand beside other ones, and for a class that is called "0_real" or the like.
    """
    classes = _class_folders(tree)
    for label, _ in classes:
        if methods.is_called_real(label.rpartition("/")[2]):
            raise LayoutError(
                f"{tree.shown(label)} would be a class of fakes by its name; call the folder 'real' if it holds reals, "
                "else by its method"
            )
    return classes


def _class_folders(tree: SourceTree) -> list[tuple[str, str]]:
    folders = tree.folders()
    splits = [folder for folder in folders if folder.lower() in SPLIT_FOLDERS]
    if splits and len(splits) != len(folders):
        other = next(folder for folder in folders if folder not in splits)
        raise LayoutError(
            f"{tree.root} has split folders and '{other}' beside them; use <split>/<class>/ or <class>/ throughout"
        )
    if not splits:
        return [(label, "") for label in folders]
    return [(label, SPLIT_FOLDERS[folder.lower()]) for folder in splits for label in tree.folders(folder)]


def _clips(tree: SourceTree, label: str, dataset: str, split: str) -> Iterator[Clip]:
    name = label.rpartition("/")[2]
    method = methods.named_by_user(name)

    def clip(path: str, paths: list[str], media: Media) -> Clip:
        target, source = _identities(PurePosixPath(path).relative_to(label))
        return Clip(
            clip=clip_id(dataset, path, keep_suffix=media == "images" and path not in paths),
            paths=tuple(paths),
            media=media,
            dataset=dataset,
            split=split,
            raw_method=name,
            method=method.name,
            category=method.category,
            quality="",
            target_id=f"{dataset}/{target}",
            source_id=f"{dataset}/{source}" if source else "",
        )

    for image in tree.files(label, IMAGE_SUFFIXES):
        yield clip(image, [image], "images")
    pending = deque([label])
    while pending:
        folder = pending.popleft()
        inner = folder.rpartition("/")[2]
        reals = method.name != REAL and methods.is_called_real(inner)
        if folder != label and (reals or inner.lower() in _NO_CLIP_NAMES):
            raise inside_class(tree, folder, name)
        for video in tree.files(folder, VIDEO_SUFFIXES):
            yield clip(video, [video], "video")
        images = tree.files(folder, IMAGE_SUFFIXES) if folder != label else []
        if images:
            yield clip(folder, images, "images")
        pending += tree.folders(folder)


def inside_class(tree: SourceTree, folder: str, name: str) -> LayoutError:
    """The error for a folder in the class folder `name` whose own name says what it holds."""
    return LayoutError(
        f"{tree.shown(folder)} is named like a class or a split, but lies inside the class folder '{name}'; "
        "give the folder that holds the class or split folders with --root"
    )


def _identities(name: PurePosixPath) -> tuple[str, str]:
    """Target and source from the first part of a path that is named TARGET__SOURCE; else the whole path is one."""
    for part in (*name.parts[:-1], name.stem):
        target, _, source = part.partition("__")
        if source:
            return target, source
    return name.with_suffix("").as_posix(), ""


LAYOUT = Layout(
    name="folder",
    scan=scan,
    is_tree=is_tree,
    expects="<class>/... or <split>/<class>/... of videos or images",
    title="Any dataset sorted into class folders",
    certainty="your own",
    named=True,
)
