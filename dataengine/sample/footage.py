"""A clip before anyone touched it: a moving head in front of a scene, seen through a camera."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from dataengine.sample.actor import Actor, Look, cast, lay_over, look_at, portrayed, region, shifted
from dataengine.sample.identity import F32, U8, Face, Light, Motion, Style, draw_light, draw_motion
from dataengine.sample.scene import noise_tile, paint_backdrop, paint_body, tone_curve

I16 = npt.NDArray[np.int16]
FPS = 25
OVERSAMPLING = 1.25
"""Texture pixels for each frame pixel, so that the warp into the frame does not soften the head."""
NOISE_MARGIN = 31


@dataclass(frozen=True, slots=True)
class Take:
    """Who was filmed how: all that a clip is rendered from, before anything is painted."""

    size: tuple[int, int]
    """Width, height."""
    face: Face
    light: Light
    motion: Motion
    centre: tuple[float, float]
    """Where the face's origin rests, in pixels."""
    px: float
    """Frame pixels a face unit at scale 1."""
    tone: U8
    """What the camera makes of each level: (1, 256, 3)."""

    def look(self, frame: int) -> Look:
        """Pose and expression at a frame."""
        return look_at(self.motion, frame)

    def matrix(self, frame: int) -> F32:
        """From face units to pixels of the frame, (2, 3)."""
        move, s = self.motion, float(self.px * self.motion.scale[frame])
        cos, sin = float(np.cos(move.roll[frame])), float(np.sin(move.roll[frame]))
        narrow = float(np.cos(move.yaw[frame]))
        x = self.centre[0] + self.px * float(move.x[frame] + move.shake[frame, 0])
        y = self.centre[1] + self.px * float(move.y[frame] + move.shake[frame, 1])
        return np.array([[s * cos * narrow, -s * sin, x], [s * sin * narrow, s * cos, y]], np.float32)

    def developed(self, rgb: U8) -> U8:
        """Scene colours as this clip's camera records them, without its noise."""
        toned: U8 = cv2.LUT(rgb, self.tone)
        return toned


def draw_take(face: Face, style: Style, size: tuple[int, int], frames: int, rng: np.random.Generator) -> Take:
    """Light, movement and camera of one clip."""
    px = min(size) * float(rng.uniform(*style.head)) / (face.crown + face.chin)
    return Take(
        size=size,
        face=face,
        light=draw_light(rng),
        motion=draw_motion(rng, frames, FPS, style.motion),
        centre=(size[0] * float(rng.uniform(0.45, 0.55)), size[1] * float(rng.uniform(0.44, 0.5))),
        px=px,
        tone=tone_curve(style, rng),
    )


@dataclass(frozen=True, slots=True)
class Footage:
    """A take with its layers painted: what `render` needs."""

    take: Take
    actor: Actor
    backdrop: U8
    body: U8
    """Premultiplied RGBA, with the head at rest."""
    blur: float
    """Lens blur, Gaussian sigma in pixels."""
    noise: tuple[I16, ...]
    """Tiles of sensor noise, NOISE_MARGIN larger than the frame: a window of one lies over each frame."""


def film(take: Take, style: Style, rng: np.random.Generator) -> Footage:
    """Paint everything that a take needs once."""
    size = take.size
    deviation = float(rng.uniform(*style.noise))
    margin = (size[0] + NOISE_MARGIN, size[1] + NOISE_MARGIN)
    return Footage(
        take=take,
        actor=cast(take.face, take.light, take.px * OVERSAMPLING),
        backdrop=paint_backdrop(style, size, rng),
        body=paint_body(take.face, take.light, size, take.centre, take.px, rng),
        blur=float(rng.uniform(*style.blur)) * min(size) / 1000,
        noise=tuple(noise_tile(margin, deviation, rng) for _ in range(2)),
    )


def render(footage: Footage, frame: int) -> U8:
    """One frame as the camera recorded it: RGB (height, width, 3)."""
    take, move = footage.take, footage.take.motion
    shake = move.shake[frame] * take.px
    picture: U8 = cv2.warpAffine(
        footage.backdrop,
        np.array([[1, 0, shake[0]], [0, 1, shake[1]]], np.float32),
        take.size,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    sway = np.array([move.x[frame] * 0.7, max(float(move.y[frame]), -0.05) * 0.5], np.float32) * take.px + shake
    body: U8 = cv2.warpAffine(
        footage.body,
        np.array([[1, 0, sway[0]], [0, 1, sway[1]]], np.float32),
        take.size,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    lay_over(picture, body)
    matrix = take.matrix(frame)
    x0, y0, x1, y1 = region(matrix, take.size)
    head = portrayed(footage.actor, take.look(frame), shifted(matrix, x0, y0), (x1 - x0, y1 - y0))
    lay_over(picture[y0:y1, x0:x1], head)
    if footage.blur > 0.25:
        picture = cv2.GaussianBlur(picture, (0, 0), footage.blur)
    left, top = frame * 17 % NOISE_MARGIN, frame * 23 % NOISE_MARGIN
    grain = footage.noise[frame % len(footage.noise)][top : top + take.size[1], left : left + take.size[0]]
    recorded: U8 = cv2.add(take.developed(picture), grain, dtype=cv2.CV_8U)
    return recorded
