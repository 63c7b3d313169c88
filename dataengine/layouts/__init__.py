"""Dataset layouts: one file each, from a tree on disk to its clips."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dataengine.errors import LayoutError, unknown_name
from dataengine.layouts import celebdf, ffpp, folder
from dataengine.layouts.scan import Scan, ScanOptions


@dataclass(frozen=True, slots=True)
class Layout:
    """One dataset's tree."""

    name: str
    scan: Callable[[Path, ScanOptions], Scan]
    is_tree: Callable[[Path], bool]
    expects: str
    """What the root must hold, in one line."""


LAYOUTS: Mapping[str, Layout] = {
    layout.name: layout
    for layout in (
        Layout("ff++", ffpp.scan, ffpp.is_tree, "original_sequences/ and manipulated_sequences/, splits/*.json"),
        Layout("celeb-df", celebdf.scan, celebdf.is_tree, "Celeb-real/, YouTube-real/, Celeb-synthesis/"),
        Layout("folder", folder.scan, folder.is_tree, "<class>/... or <split>/<class>/... of videos or images"),
    )
}


def scan(name: str, root: Path, options: ScanOptions) -> Scan:
    """The clips below `root`, read as layout `name`.

    Raises LayoutError where the root does not exist or holds another layout, naming that one, and where
    `options.name` is given to a layout that has a name.
    """
    if name not in LAYOUTS:
        raise unknown_name("layout", name, LAYOUTS)
    layout = LAYOUTS[name]
    if options.name and name != "folder":
        raise LayoutError(
            f"--name {options.name} is for the layout folder alone; leave it out: {name} has its own name"
        )
    if not root.is_dir():
        raise LayoutError(f"no folder {root}; give the dataset's folder with --root, or try `dfx sample {name}` first")
    other = next((known.name for known in LAYOUTS.values() if known is not layout and known.is_tree(root)), None)
    # `folder` would take any tree, and the folders of another dataset for methods: its reals for fakes.
    if not layout.is_tree(root) or (name == "folder" and other):
        hint = f"; it looks like {other}: use `dfx shard {other}`" if other else ""
        if name == "folder" and other:
            raise LayoutError(f"{root} is no tree of class folders{hint}")
        raise LayoutError(f"{root} is no {name} tree (it has no {layout.expects}){hint}")
    return layout.scan(root, options)
