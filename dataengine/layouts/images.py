"""Single images and what made them, stored as they are: lists of `path<TAB>label`, or class folders.

    train.txt  val.txt  test.txt  [classes.txt]       lists, each line  PATH<TAB>LABEL
    <class>/**/*.png  or  <split>/<class>/**/*.png    class folders, where there is no list

The lists are DNA-Det's: one for each split, with whole numbers for labels. `classes.txt` beside them names the
classes, line by line from 0; a number without a name makes the method `class-N`, a fake. A label may be a name as well.
The class `real` (any case) is real. Unlike in `folder`, every image is a clip and an identity of its own, at any depth
and whatever its name, and nobody looks for faces.
Source: github.com/ICTMCG/DNA-Det (generate_data_multiple_cross.py writes the lists, {mode}_train/annotations/
{mode}_train.txt, and labels each image with the position of its class; in data_paths.py the first class is real).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from dataengine import methods
from dataengine.errors import LayoutError
from dataengine.layouts.folder import SPLIT_FOLDERS, class_folders, inside_class
from dataengine.layouts.listed import below, beside, name_of, none_there, text_of
from dataengine.layouts.metadata import whole_number
from dataengine.layouts.scan import Layout, Scan, ScanOptions, scan_of
from dataengine.records import REAL, Clip, clip_id
from dataengine.source import IMAGE_SUFFIXES, SourceTree, list_source, suffix

CLASSES = "classes.txt"
_LIST_SUFFIXES = frozenset({".txt"})
_SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class _List:
    """One list file."""

    shown: str
    """As messages name it."""
    text: str
    split: str


def is_tree(tree: SourceTree) -> bool:
    """Whether the root holds anything: what it is, lists or class folders say."""
    return bool(tree.sizes)


def scan(tree: SourceTree, options: ScanOptions) -> Scan:
    """All images. Raises LayoutError, with file and line, for a line that is wrong and for an image listed twice."""
    lists, names = _lists(tree, options)
    dataset = options.name or (name_of(options.listing) if options.listing else tree.root.resolve().name)
    if not lists:
        return _in_class_folders(tree, dataset)
    clips: list[Clip] = []
    missing: list[str] = []
    seen: dict[str, tuple[str, int]] = {}
    for each in lists:
        for number, path, label in _lines(each, tree):
            first, line = seen.setdefault(path, (each.shown, number))
            if (first, line) != (each.shown, number):
                raise LayoutError(f"{each.shown} line {number}: {path} is in {first} line {line} too; take one out")
            if path in tree.sizes:
                clips.append(_clip(path, _named(label, names), dataset, each.split))
            else:
                missing.append(path)
    if not clips:
        raise none_there(lists[0].shown, tree, missing)
    notes = []
    if unnamed := sorted({clip.raw_method for clip in clips if clip.raw_method.startswith("class-")}):
        notes.append(f"{', '.join(unnamed)} have no name and count as fakes; name the classes in {CLASSES}, one a line")
    if all(clip.label for clip in clips):
        notes.append("no class is named 'real': every image counts as a fake")
    has_splits = any(each.split for each in lists)
    return scan_of(clips, tree, "the lists'" if has_splits else "derived, image by image", notes, missing=missing)


def _lists(tree: SourceTree, options: ScanOptions) -> tuple[list[_List], list[str]]:
    """The list files, none for class folders, and the names of the classes."""
    if options.listing:
        split = _only_split(name_of(options.listing))
        return [_List(options.listing, text_of(options.listing), split)], beside(options.listing, CLASSES).splitlines()
    where = list_source(options.splits) if options.splits else tree
    # At any depth of a folder that is named for its lists; among pictures, a text file below may be anything.
    texts = where.below("", _LIST_SUFFIXES) if options.splits else where.files("", _LIST_SUFFIXES)
    lists = []
    for split in _SPLITS:
        found = [path for path in texts if SPLIT_FOLDERS.get(PurePosixPath(path).stem.rpartition("_")[2]) == split]
        if len(found) > 1:
            raise LayoutError(
                f"{where.root} has two lists for {split} ({found[0]}, {found[1]}); leave one of them there"
            )
        lists += [_List(where.shown(path), where.read_text(path), split) for path in found]
    if options.splits and not lists:
        raise LayoutError(f"{where.root} holds no train.txt, val.txt or test.txt; name the folder of the lists")
    names = next((where.read_text(path) for path in texts if PurePosixPath(path).name == CLASSES), "")
    return lists, names.splitlines()


def _only_split(name: str) -> str:
    """The split that a list given alone is named after, as celeba_test_cross_seed is; "" for none or several."""
    named = {SPLIT_FOLDERS[part] for part in name.split("_") if part in SPLIT_FOLDERS}
    return named.pop() if len(named) == 1 else ""


def _lines(listed: _List, tree: SourceTree) -> Iterator[tuple[int, str, str]]:
    """Number, path below the root and label of each line."""
    place = below(tree)
    for number, line in enumerate(listed.text.splitlines(), start=1):
        if not line.strip():
            continue
        name, _, label = (part.strip() for part in line.rpartition("\t"))
        if not name or not label:
            raise LayoutError(f"{listed.shown} line {number} is not PATH<TAB>LABEL; put a tab between the two")
        try:
            path = place(name)
        except LayoutError as error:
            raise LayoutError(f"{listed.shown} line {number}: {error}") from None
        if suffix(path) not in IMAGE_SUFFIXES:
            raise LayoutError(f"{listed.shown} line {number}: {path} is no image; take the line out")
        yield number, path, label


def _named(label: str, names: list[str]) -> str:
    number = whole_number(label)
    if number < 0:
        return label
    return names[number].strip() if number < len(names) and names[number].strip() else f"class-{number}"


def _clip(path: str, raw: str, dataset: str, split: str) -> Clip:
    method = methods.named_by_user(raw)
    return Clip(
        clip=clip_id(dataset, path),
        paths=(path,),
        media="images",
        dataset=dataset,
        split=split,
        raw_method=raw,
        method=method.name,
        category=method.category,
        quality="",
        target_id=f"{dataset}/{path}",
        source_id="",
    )


def _in_class_folders(tree: SourceTree, dataset: str) -> Scan:
    classes = class_folders(tree)
    for label, _ in classes:
        _refuse_classes_inside(tree, label)
    clips = [
        _clip(path, label.rpartition("/")[2], dataset, split)
        for label, split in classes
        for path in tree.below(label, IMAGE_SUFFIXES)
    ]
    notes = [] if any(clip.label == 0 for clip in clips) else ["no class folder is named 'real': every image is a fake"]
    has_splits = any(split for _, split in classes)
    return scan_of(clips, tree, "the tree's own folders" if has_splits else "derived, image by image", notes)


def _refuse_classes_inside(tree: SourceTree, label: str) -> None:
    """Generators' test sets often are <method>/0_real and <method>/1_fake: their reals would be the method's fakes."""
    name = label.rpartition("/")[2]
    pending = tree.folders(label)
    while pending:
        folder = pending.pop()
        inner = folder.rpartition("/")[2]
        reals = name.lower() != REAL and methods.is_called_real(inner)
        if reals or inner.lower().strip("01_-") in (REAL, "fake"):
            raise inside_class(tree, folder, name)
        pending += tree.folders(folder)


LAYOUT = Layout(
    name="images",
    scan=scan,
    is_tree=is_tree,
    expects="train.txt, val.txt and test.txt of PATH<TAB>LABEL, or <class>/... of images",
    title="Single images, as generators leave them: no faces looked for, bytes untouched",
    certainty="the lists: the authors' code of DNA-Det",
    cropped=True,
    named=True,
    listing="may",
)
