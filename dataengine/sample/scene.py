"""What surrounds a head: backdrops, shoulders, and what a camera does to light."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from dataengine.sample.identity import F32, U8, Face, Light, Style
from dataengine.sample.portrait import Paint, coverage, noise, outline, ramp, shading, tinted


def muted(rng: np.random.Generator, low: float, high: float) -> list[float]:
    """A random colour as rooms and clothes have them: less than half as saturated as an even draw."""
    colour = rng.uniform(low, high, 3)
    mixed: list[float] = (0.42 * colour + 0.58 * rng.uniform(low, high)).tolist()
    return mixed


def paint_backdrop(style: Style, size: tuple[int, int], rng: np.random.Generator) -> U8:
    """A room, a studio, a street out of focus: RGB (height, width, 3), of one of the style's kinds."""
    width, height = size
    kind = style.backdrop[int(rng.integers(len(style.backdrop)))]
    base = rng.uniform(0.2, 0.75) * (1 + rng.normal(0, 0.09, 3))
    down = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    across = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None, :]
    slope = 1 + np.float32(rng.uniform(-0.5, 0.5)) * across + np.float32(rng.uniform(-0.4, 0.2)) * down
    picture = (slope[..., None] * base.astype(np.float32)).astype(np.float32)
    short = min(size)
    soft = short * 0.012
    if kind == "street":
        for _ in range(int(rng.integers(14, 30))):
            at = (int(rng.integers(width)), int(rng.integers(height)))
            radius = int(short * rng.uniform(0.02, 0.12))
            cv2.circle(picture, at, radius, muted(rng, 0.05, 1.0), -1, cv2.LINE_AA)
        soft = short * 0.03
    elif kind == "shelf":
        x = 0
        while x < width:
            step = max(2, int(short * rng.uniform(0.02, 0.07)))
            for shelf in range(4):
                top = int(height * (shelf / 4 + rng.uniform(0.01, 0.08)))
                low = int(height * (shelf + 0.93) / 4)
                tone = (base * rng.uniform(0.3, 1.3) + rng.normal(0, 0.06, 3)).tolist()
                cv2.rectangle(picture, (x, top), (x + step - 1, low), tone, -1)
            x += step
    elif kind == "studio":
        for _ in range(int(rng.integers(2, 5))):
            at = (int(rng.integers(width)), int(rng.integers(height)))
            half = (int(width * rng.uniform(0.05, 0.25)), int(height * rng.uniform(0.08, 0.35)))
            tone = muted(rng, 0.1, 0.9)
            cv2.rectangle(picture, (at[0] - half[0], at[1] - half[1]), (at[0] + half[0], at[1] + half[1]), tone, -1)
        soft = short * 0.02
    picture *= 1 + np.float32(0.035) * noise((height, width), (36, 48), rng)[..., None]
    picture = cv2.GaussianBlur(picture, (0, 0), soft)
    levels: U8 = (np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return levels


def paint_body(
    face: Face, light: Light, size: tuple[int, int], centre: tuple[float, float], px: float, rng: np.random.Generator
) -> U8:
    """Neck, shoulders and the hair behind them, with the head at rest: premultiplied RGBA (height, width, 4)."""
    u = ((np.arange(size[0], dtype=np.float32) + 0.5 - centre[0]) / px)[None, :].astype(np.float32)
    v = ((np.arange(size[1], dtype=np.float32) + 0.5 - centre[1]) / px)[:, None].astype(np.float32)
    paint = Paint(u, v, px, np.zeros((size[1], size[0], 3), np.float32))
    alpha = np.zeros((size[1], size[0]), np.float32)
    warm = np.array([1 + light.warmth, 1.0, 1 - light.warmth], np.float32)

    if face.hair_end > 0.3:
        back = outline(face, u, np.where(v > 0, v / np.float32(0.75 + face.hair_end * 0.6), v), grow=face.hair_volume)
        mask = coverage(back)
        paint.over(tinted(face.hair, 0.55), mask)
        alpha = np.maximum(alpha, mask)

    half = np.float32(0.40 + 0.1 * (face.width - 0.74)) + np.float32(0.18) * ramp(v, 1.15, 1.6)
    column = 1 - (u / half) ** 2 + 0 * v
    neck = coverage(column) * ramp(v, 0.4, 0.5)
    lit, _ = shading(np.float32(0.3) * np.sqrt(np.maximum(column, 0)), px, light)
    under = np.float32(0.55) + np.float32(0.4) * ramp(v, face.chin + 0.02, face.chin + 0.5)
    paint.over(np.asarray(face.skin, np.float32) * warm * (lit * under)[..., None], neck)
    alpha = np.maximum(alpha, neck)

    broad = np.float32(rng.uniform(1.55, 1.95))
    collar = np.float32(face.chin + rng.uniform(0.28, 0.42))
    slope = np.float32(0.55) * (np.abs(u) / broad) ** 2 - np.float32(0.16) * np.exp(-((u / np.float32(0.42)) ** 2))
    chest = np.minimum((v - collar - slope) * 2, (broad - np.abs(u)) * 2)
    folds = np.float32(0.02) * noise((size[1], size[0]), (9, 14), rng)
    lit, _ = shading(np.float32(0.5) * np.sqrt(np.clip(chest, 0, 1)) + folds, px, light)
    cloth = coverage(chest)
    weave = np.asarray(face.cloth, np.float32) * warm * lit[..., None]
    paint.over(weave, cloth)
    alpha = np.maximum(alpha, cloth)
    rgba = np.dstack([np.clip(paint.rgb, 0, 1) * alpha[..., None], alpha]) * np.float32(255) + np.float32(0.5)
    return rgba.astype(np.uint8)


def tone_curve(style: Style, rng: np.random.Generator) -> U8:
    """Gamma, contrast and white balance of one clip's camera: what each level becomes, (1, 256, 3)."""
    level = np.linspace(0, 1, 256)[:, None] ** rng.uniform(*style.gamma)
    balance = 1 + rng.normal(0, style.tint, 3)
    curve = level * balance * rng.uniform(0.92, 1.04) + rng.uniform(0.0, 0.03)
    return (np.clip(curve, 0, 1) * 255 + 0.5).astype(np.uint8)[None]


def noise_tile(size: tuple[int, int], deviation: float, rng: np.random.Generator) -> npt.NDArray[np.int16]:
    """Sensor noise, mostly in brightness and a little correlated between neighbours, as demosaicing leaves it."""
    width, height = size
    grey: F32 = cv2.GaussianBlur(rng.standard_normal((height, width), dtype=np.float32), (3, 3), 0.5)
    colour: F32 = cv2.GaussianBlur(rng.standard_normal((height, width, 3), dtype=np.float32), (3, 3), 0.8)
    mixed = np.float32(1.25) * grey[..., None] + np.float32(1.1) * colour
    return np.rint(mixed * np.float32(deviation)).astype(np.int16)
