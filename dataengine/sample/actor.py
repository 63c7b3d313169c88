"""A face that can be posed: textures painted once a clip, warped and blended for each frame."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dataengine.sample.identity import F32, U8, Face, Light, Motion
from dataengine.sample.portrait import WINDOW, axes, bump, outline, paint_head, ramp, relief, rows_between

JAW_STATES = 7
LID_STATES = 5


@dataclass(frozen=True, slots=True)
class Look:
    """One frame's pose and expression, in the units of `Motion`."""

    yaw: float
    pitch: float
    jaw: float
    smile: float
    brow: float
    gaze: float
    lid: float


def look_at(motion: Motion, frame: int) -> Look:
    """Pose and expression of one frame."""
    return Look(
        *(float(getattr(motion, name)[frame]) for name in ("yaw", "pitch", "jaw", "smile", "brow", "gaze", "lid"))
    )


@dataclass(frozen=True, slots=True)
class Actor:
    """A face under a light, painted once in the states that its expressions are blended from."""

    face: Face
    light: Light
    px: float
    """Texture pixels a face unit."""
    head: U8
    """Mouth closed and eyes open: premultiplied RGBA (height, width, 4) over portrait.WINDOW."""
    jaws: tuple[U8, ...]
    """The rows `jaw_rows` of the head, from closed to open."""
    lids: tuple[U8, ...]
    jaw_rows: slice
    lid_rows: slice
    fields: dict[str, F32]
    """What each movement shifts the texture by, in texture pixels (height, width, 2), at its value 1."""


def cast(face: Face, light: Light, px: float) -> Actor:
    """Paint an actor at `px` texture pixels a face unit."""
    jaw_rows, lid_rows = rows_between(px, face.mouth_y - 0.16, WINDOW[3]), rows_between(px, -0.36, 0.24)
    u, v = axes(px)
    depth = relief(face, u, v, outline(face, u, v))
    zero = np.zeros_like(depth)

    def field(across: F32, down: F32) -> F32:
        return np.dstack([across, down]) * np.float32(px)

    corner = [bump(u, v, (side * face.mouth_w, face.mouth_y), (0.13, 0.12)) for side in (-1, 1)]
    eyes = bump(u, v, (-face.eye_x, face.eye_y), (0.09, 0.07)) + bump(u, v, (face.eye_x, face.eye_y), (0.09, 0.07))
    brows = ramp(v, -0.55, -0.28) * (1 - ramp(v, -0.24, -0.1)) * (1 - ramp(np.abs(u), 0.5, 0.75))
    return Actor(
        face=face,
        light=light,
        px=px,
        head=paint_head(face, light, px),
        jaws=tuple(paint_head(face, light, px, jaw=i / (JAW_STATES - 1), rows=jaw_rows) for i in range(JAW_STATES)),
        lids=tuple(paint_head(face, light, px, lid=i / (LID_STATES - 1), rows=lid_rows) for i in range(LID_STATES)),
        jaw_rows=jaw_rows,
        lid_rows=lid_rows,
        fields={
            "yaw": field(-depth, zero),
            "pitch": field(zero, -depth),
            "smile": field(np.float32(0.03) * (corner[0] - corner[1]), np.float32(0.045) * (corner[0] + corner[1])),
            "brow": field(zero, np.float32(0.045) * brows),
            "gaze": field(np.float32(-0.035) * eyes, zero),
        },
    )


def blended(states: tuple[U8, ...], value: float) -> U8:
    """The state at value in [0, 1], between its two neighbours."""
    place = min(max(value, 0.0), 1.0) * (len(states) - 1)
    k = min(int(place), len(states) - 2)
    mixed: U8 = cv2.addWeighted(states[k], 1 - place + k, states[k + 1], place - k, 0)
    return mixed


def texture(actor: Actor, look: Look) -> U8:
    """The actor's head with the mouth and the lids of a look, not yet posed."""
    head = actor.head.copy()
    head[actor.jaw_rows] = blended(actor.jaws, look.jaw)
    head[actor.lid_rows] = blended(actor.lids, look.lid)
    return head


def coordinates(actor: Actor, look: Look, matrix: F32, size: tuple[int, int]) -> F32:
    """For each pixel of a picture (width, height), where in the actor's texture it looks: (height, width, 2).

    `matrix` (2, 3) takes face units to pixels of that picture. Outside the texture the coordinates are -1e4.
    """
    height, width = actor.head.shape[:2]
    down, across = np.indices((height, width), np.float32)
    where = np.dstack([across, down])
    for name, field in actor.fields.items():
        where += np.float32(getattr(look, name)) * field
    placed: F32 = cv2.warpAffine(
        where,
        from_texture(matrix, actor.px),
        size,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(-1e4, -1e4),
    )
    return placed


def from_texture(matrix: F32, px: float) -> F32:
    """The matrix from pixels of a head texture, where `matrix` is from face units."""
    linear = matrix[:, :2] / np.float32(px)
    offset = matrix[:, :2] @ np.array([WINDOW[0] + 0.5 / px, WINDOW[1] + 0.5 / px], np.float32) + matrix[:, 2]
    return np.column_stack([linear, offset]).astype(np.float32)


def sample(picture: U8, where: F32) -> U8:
    """A texture seen at `coordinates`; transparent black outside."""
    seen: U8 = cv2.remap(picture, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return seen


def portrayed(actor: Actor, look: Look, matrix: F32, size: tuple[int, int]) -> U8:
    """The actor's head, posed: premultiplied RGBA (height, width, 4)."""
    return sample(texture(actor, look), coordinates(actor, look, matrix, size))


def lay_over(frame: U8, rgba: U8) -> None:
    """Lay a premultiplied RGBA picture over a frame of the same size, in place."""
    through = np.uint16(255) - rgba[..., 3:]
    frame[:] = rgba[..., :3] + ((frame * through + np.uint16(127)) // np.uint16(255)).astype(np.uint8)


def region(matrix: F32, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of the pixels of a picture (width, height) that a head under `matrix` can reach."""
    u0, v0, u1, v1 = WINDOW
    corners = np.array([[u0, v0, 1], [u1, v0, 1], [u0, v1, 1], [u1, v1, 1]], np.float32) @ matrix.T
    low, high = np.floor(corners.min(0)).astype(int), np.ceil(corners.max(0)).astype(int) + 1
    x0, y0 = max(0, int(low[0])), max(0, int(low[1]))
    return x0, y0, max(x0 + 1, min(size[0], int(high[0]))), max(y0 + 1, min(size[1], int(high[1])))


def shifted(matrix: F32, x: float, y: float) -> F32:
    """The matrix for a picture whose corner lies at (x, y)."""
    moved = matrix.copy()
    moved[:, 2] -= (x, y)
    return moved
