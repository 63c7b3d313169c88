"""What each manipulation does to the pixels of a recorded frame, between a target and a source identity.

A manipulation is set up once a clip from the target's footage, the source's, and a generator of its own; it then
maps a recorded frame and its number to the manipulated frame. It knows the face's geometry as a tracker would.
Each follows the mechanism of its family as the paper or tool describes it, since that is what leaves the traces:
resolution, blending, colour, geometry, upsampling. None sees the compressed video: like a real frame, a
manipulated one is encoded once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np

from dataengine.sample.actor import Look, cast, coordinates, portrayed, region, sample, shifted, texture
from dataengine.sample.footage import Footage, Take
from dataengine.sample.identity import F32, U8, Face
from dataengine.sample.placing import (
    blend,
    colour_matched,
    composed,
    contour,
    crop_matrix,
    inverted,
    laid_in,
    mean_offset,
    polygon_mask,
)
from dataengine.sample.portrait import WINDOW, axes, bump, noise

Step = Callable[[U8, int], U8]
Manipulation = Callable[[Footage, Take, np.random.Generator], Step]


def wobble(take: Take, amount: float, rng: np.random.Generator) -> Callable[[int], F32]:
    """The target's face geometry as a tracker reports it: off by `amount` of a face unit, anew each frame."""
    frames = len(take.motion.x)
    error = (rng.normal(0, amount, (frames, 2)) * take.px).astype(np.float32)
    size = np.exp(rng.normal(0, amount, frames)).astype(np.float32)

    def matrix(frame: int) -> F32:
        tracked = take.matrix(frame)
        tracked[:, :2] *= size[frame]
        tracked[:, 2] += error[frame]
        return tracked

    return matrix


def on_skin(rgba: U8, skin: tuple[float, float, float]) -> U8:
    """A premultiplied head over its own skin colour, so that a wider mask shows no hole."""
    ground = (np.float32(255) - rgba[..., 3:]) * np.asarray(skin, np.float32) * np.float32(0.6)
    return (rgba[..., :3] + ground).astype(np.uint8)


def shorn(face: Face) -> Face:
    """The face without hair over it, for what shows a face alone."""
    return replace(face, hair_end=-0.5, hairline=-1.0)


def driven(look: Look, driver: Look) -> Look:
    """A look with the driver's mouth and brows."""
    return replace(look, jaw=driver.jaw, smile=driver.smile, brow=driver.brow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoencoder:
    """The settings in which the face swaps by autoencoder differ."""

    side: int
    """Pixels a side of the decoded face."""
    feather: float
    """Softness of the blending mask in face units."""
    jitter: float
    """Error of the landmarks in face units, anew each frame."""
    spread: bool
    """Whether colour transfer matches the spread of each channel as well as its mean."""
    top: float
    """How far above the brows the mask reaches, in face units."""


def autoencoder_swap(how: Autoencoder, target: Footage, source: Take, rng: np.random.Generator) -> Step:
    """The source's face decoded at a low resolution with the target's expression, placed by an affine map."""
    side, matrix = how.side, crop_matrix(how.side)
    hull = contour(target.actor.face, 40, shrink=0.9, top=target.actor.face.brow_y - how.top)
    mask = polygon_mask(hull, matrix, (side, side), how.feather)
    tracked = wobble(target.take, how.jitter, rng)
    actor = cast(shorn(source.face), source.light, side)

    def step(frame: U8, number: int) -> U8:
        to_frame = composed(tracked(number), inverted(matrix))
        fine = portrayed(actor, target.take.look(number), crop_matrix(side * 2), (side * 2, side * 2))
        decoded = cv2.resize(on_skin(fine, source.face.skin), (side, side), interpolation=cv2.INTER_AREA)
        decoded = cv2.GaussianBlur(source.developed(decoded), (0, 0), 0.7).astype(np.float32)
        there = cv2.warpAffine(frame, inverted(to_frame), (side, side), flags=cv2.INTER_LINEAR).astype(np.float32)
        moved = colour_matched(decoded, there, mask) if how.spread else decoded + mean_offset(decoded, there, mask)
        return blend(frame, moved, mask, to_frame)

    return step


def face_swap(target: Footage, source: Take, rng: np.random.Generator) -> Step:
    """The source's texture on a fitted model, lit from the wrong side, pasted inside a hard polygon."""
    light = target.actor.light
    wrong = replace(source.light, x=-light.x if abs(light.x) > 0.3 else 0.6, warmth=-light.warmth)
    actor = cast(shorn(source.face), wrong, target.actor.px)
    hull = contour(target.actor.face, 14, shrink=0.93, top=target.actor.face.brow_y - 0.16)
    gain = (1 + rng.choice((-1, 1)) * rng.uniform(0.06, 0.14) + rng.normal(0, 0.03, 3)).astype(np.float32)
    tracked = wobble(target.take, 0.008, rng)
    loose = rng.normal(0, 0.012, (len(target.take.motion.x), *hull.shape)).astype(np.float32)
    skin = actor.face.skin

    def step(frame: U8, number: int) -> U8:
        matrix = tracked(number)
        x0, y0, x1, y1 = box = region(matrix, target.take.size)
        local, size = shifted(matrix, x0, y0), (x1 - x0, y1 - y0)
        mask = polygon_mask(hull + loose[number], local, size, 0.0)
        pasted = source.developed(on_skin(portrayed(actor, target.take.look(number), local, size), skin))
        there = frame[y0:y1, x0:x1].astype(np.float32)
        nearer = pasted + np.float32(0.65) * mean_offset(pasted.astype(np.float32), there, mask)
        return laid_in(frame, nearer * gain, mask, box)

    return step


def face_to_face(target: Footage, source: Take, rng: np.random.Generator) -> Step:
    """The target's own face, rendered from a coarse mesh with the driver's mouth and brows."""
    actor = target.actor
    height, width = actor.head.shape[:2]
    u, v = axes(actor.px)
    cells = 5.0
    x, y = (u + 2) * cells, (v + 2) * cells + 0.35 * u
    y = np.broadcast_to(y, (height, width))
    corner = ((x % 1) + (y % 1) > 1).astype(int)
    facets = rng.normal(1, 0.036, (32, 32, 2)).astype(np.float32)
    mesh = np.clip(facets[y.astype(int), np.broadcast_to(x, (height, width)).astype(int), corner] * 128, 0, 255)
    face = actor.face
    at = np.array([[actor.px, 0, -WINDOW[0] * actor.px], [0, actor.px, -WINDOW[1] * actor.px]], np.float32)
    mask = polygon_mask(contour(face, 40, shrink=0.94, top=face.brow_y - 0.14), at, (width, height), 0.018)
    for side in (-1, 1):
        mask *= 1 - np.clip(1.6 * bump(u, v, (side * face.eye_x, face.eye_y), (0.17, 0.09)), 0, 1)
    guide = np.dstack([mesh, mask * 255]).astype(np.uint8)
    tracked = wobble(target.take, 0.004, rng)

    def step(frame: U8, number: int) -> U8:
        matrix = tracked(number)
        x0, y0, x1, y1 = box = region(matrix, target.take.size)
        look = driven(target.take.look(number), source.look(number))
        where = coordinates(actor, look, shifted(matrix, x0, y0), (x1 - x0, y1 - y0))
        drawn = target.take.developed(sample(texture(actor, look), where)[..., :3])
        drawn = cv2.GaussianBlur(drawn, (0, 0), max(0.6, target.blur))
        seen = sample(guide, where).astype(np.float32)
        return laid_in(frame, drawn * (seen[..., :1] / np.float32(128)), seen[..., 1] / np.float32(255), box)

    return step


def checkerboard(side: int, ripples: tuple[float, ...]) -> F32:
    """The gain (side, side) that transposed convolutions of stride 2 leave, one a stage, the coarsest first.

    Their kernels overlap unevenly: Odena et al. (2016), "Deconvolution and Checkerboard Artifacts".
    """
    gain = np.ones((1, 1), np.float32)
    for ripple in ripples:
        cells = np.array([[1 + ripple, 1 - ripple], [1 - ripple, 1 + ripple]], np.float32)
        gain = np.kron(gain, np.ones((2, 2), np.float32)) * np.tile(cells, gain.shape)
    tiles = side // gain.shape[0]
    return np.tile(gain, (tiles, tiles))


def neural_textures(target: Footage, source: Take, rng: np.random.Generator) -> Step:
    """The mouth region alone, re-synthesised with the driver's mouth by a network that upsamples its features."""
    side = 128
    matrix, face = crop_matrix(side), target.actor.face
    gain = checkerboard(side, (0.03, 0.04, 0.02))[..., None]
    u, v = axes(side / 2, (-1.0, -0.85, 1.0, 1.15))
    distance = (u / np.float32(0.56)) ** 2 + ((v - np.float32(face.mouth_y + 0.02)) / np.float32(0.4)) ** 2
    mask = np.clip((1.15 - distance) / 0.3, 0, 1).astype(np.float32)
    flicker = (1 + rng.normal(0, 0.012, (len(target.take.motion.x), 1, 1, 3))).astype(np.float32)
    tracked = wobble(target.take, 0.004, rng)

    def step(frame: U8, number: int) -> U8:
        look = driven(target.take.look(number), source.look(number))
        drawn = target.take.developed(on_skin(portrayed(target.actor, look, matrix, (side, side)), face.skin))
        smooth = cv2.GaussianBlur(drawn, (0, 0), 1.1).astype(np.float32)
        return blend(frame, smooth * gain * flicker[number], mask, composed(tracked(number), inverted(matrix)))

    return step


def face_shifter(target: Footage, source: Take, rng: np.random.Generator) -> Step:
    """The whole of the source's face under the target's light, over-sharp and tinted, softly blended in."""
    side = 160
    matrix = crop_matrix(side)
    actor = cast(shorn(source.face), target.actor.light, side / 2)
    mask = polygon_mask(contour(target.actor.face, 40, shrink=0.9, top=-0.72), matrix, (side, side), 0.09)
    stain = np.dstack([noise((side, side), (7, 7), rng) for _ in range(3)]) * np.float32(4.5)
    tracked = wobble(target.take, 0.003, rng)

    def step(frame: U8, number: int) -> U8:
        to_frame = composed(tracked(number), inverted(matrix))
        head = portrayed(actor, target.take.look(number), matrix, (side, side))
        drawn: F32 = target.take.developed(on_skin(head, actor.face.skin)).astype(np.float32)
        there = cv2.warpAffine(frame, inverted(to_frame), (side, side), flags=cv2.INTER_LINEAR).astype(np.float32)
        adapted = np.float32(0.45) * drawn + np.float32(0.55) * colour_matched(drawn, there, mask)
        crisp = adapted + np.float32(0.9) * (adapted - cv2.GaussianBlur(adapted, (0, 0), 2.2))
        vivid = crisp + np.float32(0.12) * (crisp - crisp.mean(2, keepdims=True))
        return blend(frame, vivid + stain, mask, to_frame)

    return step


MANIPULATIONS: dict[str, Manipulation] = {
    "Deepfakes": partial(autoencoder_swap, Autoencoder(side=64, feather=0.03, jitter=0.008, spread=True, top=0.06)),
    "Face2Face": face_to_face,
    "FaceSwap": face_swap,
    "NeuralTextures": neural_textures,
    "FaceShifter": face_shifter,
    "DeepFakeDetection": partial(
        autoencoder_swap, Autoencoder(side=96, feather=0.05, jitter=0.004, spread=False, top=0.12)
    ),
    "Celeb-synthesis": partial(
        autoencoder_swap, Autoencoder(side=128, feather=0.1, jitter=0.002, spread=True, top=0.2)
    ),
}
"""By the name of the folder that a dataset keeps its fakes in."""
