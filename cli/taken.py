"""What was taken from a dataset's clips, in the words of `dfx shard`'s options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_HASH_DIGITS = 8


def taken(settings: Mapping[str, Any], *, videos: bool, images: bool) -> str:
    """The recorded settings of an extraction that had a say in a store of `videos` or `images`, in one line."""
    faces = settings["faces"]
    cut, boxes = faces != "none", settings.get("boxes")
    looks = cut and (boxes or settings["detector"] != "none")
    asked = looks and not boxes
    told: dict[str, Any] = {"frames": settings["frames"] if videos else None, "faces": faces}
    if boxes:
        told["boxes"] = cut and boxes[:_HASH_DIGITS]
    elif cut:
        told["detector"] = settings["detector"]
        told["detector-weights"] = (settings.get("weights") or "")[:_HASH_DIGITS]
    if looks:
        told |= {"align": settings["align"], "min-score": settings["min_score"]}
    if asked:
        told["min-face"] = settings["min_face"]
        told["detect-stride"] = settings["detect_stride"] if faces != "largest" else None
    if cut:
        told |= {"margin": settings["margin"], "size": settings["size"]}
    if cut or videos:
        told["codec"] = settings["codec"]
        told["jpeg-quality"] = settings["quality"] if settings["codec"] == "jpeg" else None
    told["decoder"] = settings["decoder"] if videos and settings["decoder"] != "cpu" else None
    said = [name if value is True else f"{name} {value}" for name, value in told.items() if value]
    return ", ".join([*said, *(["images untouched"] if images and not cut else [])])
