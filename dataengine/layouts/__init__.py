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
from dataengine.miniature import refuse_unfinished
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

FORMS: Mapping[tuple[str, str], Layout] = {("manifest", "deepfakebench"): deepfakebench.LAYOUT}
"""Forms of a layout that are read by another, by the layout's name and their own."""


def layout_named(name: str, form: str = "") -> Layout:
    """The layout that reads the dataset `name`, in the `form` that is given.

    Raises DfxError for a name or a form that dfx does not know, naming the nearest.
    """
    if name not in LAYOUTS:
        raise unknown_name("layout", name, LAYOUTS)
    layout = LAYOUTS[name]
    if form and not layout.forms:
        several = ", ".join(known.name for known in LAYOUTS.values() if known.forms)
        raise LayoutError(f"--from {form} is for layouts of several forms ({several}); leave it out: {name} has one")
    if form and form not in layout.forms:
        raise unknown_name(f"form of {name}", form, layout.forms)
    return FORMS.get((name, form), layout)


def scan(name: str, root: str | Place, options: ScanOptions) -> Scan:
    """The clips below `root`, read as layout `name`.

    Raises LayoutError where the root does not exist or holds another layout, naming that one; where `options.name` is
    given to a layout that has a name, or a list to one that reads none; and where a list is needed and not given.
    """
    return scan_with(name, root, options)[1]


def scan_with(name: str, root: str | Place, options: ScanOptions) -> tuple[SourceTree, Scan]:
    """The listed tree beside its clips; see `scan`."""
    layout = layout_named(name, options.form)
    if options.name and not layout.named:
        raise LayoutError(f"--name {options.name} is for layouts without a name; leave it out: {name} has its own")
    if options.listing and not layout.listing:
        raise LayoutError(f"{name} reads no list, its files are where they are; leave {options.listing} out")
    if layout.listing == "must" and not options.listing:
        raise LayoutError(f"{name} needs the list of the dataset's files; name it: dfx shard {name} FILE")
    tree = list_source(root, sample=name)
    refuse_unfinished(tree.root)
    return tree, scan_tree(layout, tree, options)


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
