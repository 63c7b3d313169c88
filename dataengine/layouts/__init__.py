"""Dataset layouts: one file each, from a tree of files to its clips."""

from __future__ import annotations

from collections.abc import Mapping

from dataengine.errors import LayoutError, unknown_name
from dataengine.layouts import (
    celebdf,
    deeperforensics,
    df40,
    dfdc,
    dfdc_preview,
    dfdm,
    dfplatter,
    fakeavceleb,
    ffpp,
    folder,
    forgerynet,
    kodf,
    wilddeepfake,
)
from dataengine.layouts.scan import Layout, Scan, ScanOptions
from dataengine.place import Place
from dataengine.source import SourceTree, list_source

LAYOUTS: Mapping[str, Layout] = {
    layout.name: layout
    for layout in (
        ffpp.LAYOUT,
        celebdf.LAYOUT,
        dfdc.LAYOUT,
        fakeavceleb.LAYOUT,
        forgerynet.LAYOUT,
        dfdc_preview.LAYOUT,
        wilddeepfake.LAYOUT,
        df40.LAYOUT,
        deeperforensics.LAYOUT,
        dfdm.LAYOUT,
        dfplatter.LAYOUT,
        kodf.LAYOUT,
        folder.LAYOUT,
    )
}
"""By name. The last ones are the most general: they are asked last what a tree looks like."""


def layout_named(name: str) -> Layout:
    """Raises DfxError for a layout that dfx does not know, naming the nearest."""
    if name not in LAYOUTS:
        raise unknown_name("layout", name, LAYOUTS)
    return LAYOUTS[name]


def scan(name: str, root: str | Place, options: ScanOptions) -> Scan:
    """The clips below `root`, read as layout `name`.

    Raises LayoutError where the root does not exist or holds another layout, naming that one, and where
    `options.name` is given to a layout that has a name.
    """
    return scan_with(name, root, options)[1]


def scan_with(name: str, root: str | Place, options: ScanOptions) -> tuple[SourceTree, Scan]:
    """The listed tree beside its clips; see `scan`."""
    layout = layout_named(name)
    if options.name and not layout.named:
        raise LayoutError(f"--name {options.name} is for layouts without a name; leave it out: {name} has its own")
    tree = list_source(root)
    return tree, scan_tree(layout, tree, options)


def scan_tree(layout: Layout, tree: SourceTree, options: ScanOptions) -> Scan:
    """The clips of a listed tree. Raises LayoutError where it holds another layout, naming that one."""
    others = (known for known in LAYOUTS.values() if known is not layout and not known.named)
    other = next((known.name for known in others if known.is_tree(tree)), None)
    # `folder` would take any tree, and the folders of another dataset for methods: its reals for fakes.
    if not layout.is_tree(tree) or (layout is LAYOUTS["folder"] and other):
        hint = f"; it looks like {other}: use `dfx shard {other}`" if other else ""
        if layout is LAYOUTS["folder"] and other:
            raise LayoutError(f"{tree.root} is no tree of class folders{hint}")
        raise LayoutError(f"{tree.root} is no {layout.name} tree (it has no {layout.expects}){hint}")
    return layout.scan(tree, options)
