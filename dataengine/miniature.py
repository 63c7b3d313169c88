"""The mark of a miniature dataset at its root: what it is made with, and whether all of it is there."""

from __future__ import annotations

import json
from pathlib import Path

from dataengine.errors import LayoutError
from dataengine.place import Place

MARKER = ".miniature.json"
FINISHED = "finished"
"""Its key that is true once every file stands."""


def refuse_unfinished(root: Place) -> None:
    """Raise LayoutError for the root of a miniature whose making was interrupted: its lists come last."""
    try:
        about = json.loads((root / MARKER).read_text()) if isinstance(root, Path) else {}
    except (OSError, ValueError):
        return
    if isinstance(about, dict) and about.get(FINISHED) is False:
        raise LayoutError(
            f"{root} is an unfinished miniature; run `dfx sample {about.get('name')} --root {root}` again, with the "
            "options that it had"
        )
