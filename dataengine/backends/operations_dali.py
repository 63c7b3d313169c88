"""The drawn operations as a DALI graph: only those that may be drawn are built, each behind a condition a sample.

A neutral value would not do: DALI refuses a blur of 0, and JPEG of quality 100 changes pixels. DALI is imported where
the graph is made, so that this module can be imported without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dataengine.augment import OPERATIONS, Edits
from dataengine.augment.noise import STEPS_PER_STD, ZERO, noise_tile
from dataengine.backends.operations_cpu import small_side

Node = Any
"""A DataNode: DALI's types are not checked."""

_ARGUMENTS = {
    "rotate": (("angle", np.float32, 0),),
    "colour": (
        ("coloured", np.bool_, 0),
        ("brightness", np.float32, 0),
        ("contrast", np.float32, 0),
        ("saturation", np.float32, 0),
        ("hue", np.float32, 0),
    ),
    "scale": (("scale", np.float32, 0), ("small_size", np.float32, 1)),
    "blur": (("blur", np.float32, 0),),
    "noise": (("noise", np.float32, 0), ("tile_corner", np.int32, 1)),
    "jpeg": (("jpeg", np.int32, 0),),
}
"""Operation -> what is fed for it: name, type and number of dimensions of each sample's value."""


def arguments(operations: frozenset[str]) -> list[tuple[str, Any, int]]:
    """What `values` feeds, in its order: name, numpy type and number of dimensions of each."""
    return [argument for name in OPERATIONS if name in operations for argument in _ARGUMENTS[name]]


def values(edits: Edits, view: int, size: int, operations: frozenset[str]) -> list[npt.NDArray[Any]]:
    """The arguments of a batch for one view, an array (B, ...) each."""
    made: dict[str, Callable[[], npt.NDArray[Any]]] = {
        "coloured": lambda: edits.coloured()[view],
        "small_size": lambda: np.array(
            [[small_side(size, float(factor))] * 2 for factor in edits.scale[view]], np.float32
        ),
        "tile_corner": lambda: np.stack([edits.tile_y[view], edits.tile_x[view]], axis=-1),
    }
    names = (name for name, *_ in arguments(operations))
    return [made[name]() if name in made else getattr(edits, name)[view] for name in names]


def edit(images: Node, size: int, operations: frozenset[str], fed: Mapping[str, Node], device: str) -> Node:
    """The graph that executes `operations` on images (size, size, 3), with the nodes of their arguments by name.

    It is called while a pipeline with conditionals is defined: its `if` on a node becomes a part of the graph.
    """
    from nvidia.dali import fn, types

    if "rotate" in operations and fed["angle"] != 0.0:
        images = fn.rotate(images, angle=fed["angle"], keep_size=True, interp_type=types.INTERP_LINEAR)
    if "colour" in operations and fed["coloured"]:
        images = fn.color_twist(
            images,
            brightness=fed["brightness"],
            contrast=fed["contrast"],
            saturation=fed["saturation"],
            hue=fed["hue"],
        )
    if "scale" in operations and fed["scale"] != 1.0:
        images = _resize(_resize(images, fed["small_size"]), [size, size])
    if "blur" in operations and fed["blur"] > 0.0:
        images = fn.gaussian_blur(images, sigma=fed["blur"])
    if "noise" in operations and fed["noise"] > 0.0:
        tile = types.Constant(np.array(noise_tile(size)), device=device)
        window = fn.slice(tile, start=fed["tile_corner"], shape=[size, size], axes=(0, 1))
        noisy = images + (window - float(ZERO)) * (fed["noise"] / float(STEPS_PER_STD))
        images = fn.cast(noisy, dtype=types.UINT8)
    if "jpeg" in operations and fed["jpeg"] > 0:
        images = fn.jpeg_compression_distortion(images, quality=fed["jpeg"])
    return images


def _resize(images: Node, size: Node | Sequence[int]) -> Node:
    from nvidia.dali import fn, types

    return fn.resize(images, size=size, interp_type=types.INTERP_LINEAR, antialias=False)
