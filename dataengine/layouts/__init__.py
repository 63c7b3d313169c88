"""Dataset layouts: one file each, from a tree of files to its clips."""

from __future__ import annotations

from collections.abc import Mapping

from dataengine.errors import LayoutError, unknown_name
from dataengine.layouts import (
    celebdf,
    deeperforensics,
    deepfakebench,
    df40,
    dfdc,
    dfdc_preview,
    dfdm,
    dfplatter,
    fakeavceleb,
    ffpp,
    folder,
    forgerynet,
    images,
    kodf,
    manifest,
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
        images.LAYOUT,
        manifest.LAYOUT,
    )
}
"""By name. The last ones are the most general: they are never guessed from what a tree looks like."""

FORMS: Mapping[str, Layout] = {"deepfakebench": deepfakebench.LAYOUT}
"""What a manifest may be beside a table of dfx's own columns, by name."""


def layout_named(name: str, form: str = "") -> Layout:
    """The layout, or with a `form` the manifest of that form.

    Raises DfxError for one that dfx does not know, naming the nearest, and for a form of another layout.
    """
    if name not in LAYOUTS:
        raise unknown_name("layout", name, LAYOUTS)
    if not form:
        return LAYOUTS[name]
    if name != manifest.LAYOUT.name:
        raise LayoutError(f"--from {form} is for the layout manifest; leave it out: {name} has a form of its own")
    if form not in FORMS:
        raise unknown_name("form of a manifest", form, FORMS)
    return FORMS[form]


def scan(name: str, root: str | Place, options: ScanOptions) -> Scan:
    """The clips below `root`, read as layout `name`.

    Raises LayoutError where the root does not exist or holds another layout, naming that one; where `options.name` is
    given to a layout that has a name, or a list to one that reads none; and where a list is needed and not given.
    """
    layout = layout_named(name, options.form)
    if options.name and not layout.named:
        raise LayoutError(f"--name {options.name} is for layouts without a name; leave it out: {name} has its own")
    if options.listing and not layout.listing:
        raise LayoutError(f"{name} reads no list, its files are where they are; leave {options.listing} out")
    if layout.listing == "must" and not options.listing:
        raise LayoutError(f"{name} needs the list of the dataset's files; name it: dfx shard {name} FILE")
    return scan_tree(layout, list_source(root), options)


def scan_tree(layout: Layout, tree: SourceTree, options: ScanOptions) -> Scan:
    """The clips of a listed tree. Raises LayoutError where it holds another layout, naming that one.

    A list says what the files are, whatever the tree looks like.
    """
    if options.listing:
        return layout.scan(tree, options)
    others = (known for known in LAYOUTS.values() if known is not layout and not known.named)
    other = next((known.name for known in others if known.is_tree(tree)), None)
    # Class folders would take any tree, and the folders of another dataset for methods: its reals for fakes.
    if not layout.is_tree(tree) or (layout.named and other):
        hint = f"; it looks like {other}: use `dfx shard {other}`" if other else ""
        if layout.named and other:
            raise LayoutError(f"{tree.root} is no tree of class folders{hint}")
        raise LayoutError(f"{tree.root} is no {layout.name} tree (it has no {layout.expects}){hint}")
    return layout.scan(tree, options)
