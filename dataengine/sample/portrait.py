"""A head as a picture: signed shapes and a height field in face units, lit and painted.

Coordinates are kept as a row `u` (1, width) and a column `v` (height, 1): most shapes are products of a function
of each, and broadcasting makes those nearly free.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dataengine.sample.identity import F32, U8, Colour, Face, Light

WINDOW = (-1.3, -1.65, 1.3, 1.5)
"""What a head texture covers: u0, v0, u1, v1 in face units."""
DROP = 0.17
"""How far the lower lip falls, in face units, when the jaw is fully open."""


def axes(px: float, window: tuple[float, float, float, float] = WINDOW) -> tuple[F32, F32]:
    """Face coordinates u (1, width) and v (height, 1) of the pixel centres at `px` pixels a face unit."""
    u0, v0, u1, v1 = window
    u = (np.arange(round((u1 - u0) * px), dtype=np.float32) + np.float32(0.5)) / np.float32(px) + np.float32(u0)
    v = (np.arange(round((v1 - v0) * px), dtype=np.float32) + np.float32(0.5)) / np.float32(px) + np.float32(v0)
    return u[None, :], v[:, None]


def rows_between(px: float, v0: float, v1: float) -> slice:
    """The rows of a head texture that cover v0 to v1."""
    return slice(round((v0 - WINDOW[1]) * px), round((v1 - WINDOW[1]) * px))


def ramp(x: F32, low: float, high: float) -> F32:
    """0 below low, 1 above high, smooth between."""
    s = np.clip((x - np.float32(low)) / np.float32(high - low), 0, 1)
    smooth: F32 = s * s * (3 - 2 * s)
    return smooth


def ridge(x: F32, at: float | np.float32 | F32, size: float) -> F32:
    """A Gaussian of height 1."""
    hill: F32 = np.exp(-(((x - at) / np.float32(size)) ** 2))
    return hill


def bump(u: F32, v: F32, at: tuple[float, float], size: tuple[float, float]) -> F32:
    """A Gaussian hill of height 1."""
    return ridge(u, np.float32(at[0]), size[0]) * ridge(v, np.float32(at[1]), size[1])


def outline(face: Face, u: F32, v: F32, *, grow: float = 1.0) -> F32:
    """1 at the head's centre, 0 on its contour, negative outside."""
    half = np.float32(face.width * grow) * (1 - np.float32(face.taper) * ramp(v, 0.0, face.chin))
    up = np.maximum(-v, 0) / np.float32(face.crown * (1 + (grow - 1) * 0.8))
    down = np.maximum(v, 0) / np.float32(face.chin * grow)
    rise = 1 - up ** np.float32(2.2) - down ** np.float32(face.square)
    shape: F32 = rise - np.power(np.abs(u), np.float32(2.3)) * np.power(half, np.float32(-2.3))
    return shape


def coverage(shape: F32) -> F32:
    """Anti-aliased mask in [0, 1] of where a signed shape is positive."""
    dv, du = np.gradient(shape)
    mask: F32 = np.clip(shape / (np.sqrt(du * du + dv * dv) + np.float32(1e-4)) + np.float32(0.5), 0, 1)
    return mask


def noise(shape: tuple[int, int], cells: tuple[int, int], rng: np.random.Generator) -> F32:
    """Smooth noise with standard deviation near 1 and about `cells` (rows, columns) blobs."""
    coarse = rng.standard_normal(cells, dtype=np.float32)
    smooth: F32 = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return smooth


def jaw_drop(face: Face, v: F32, jaw: float) -> F32:
    """Where the skin at height v of an open-mouthed face lies on the closed-mouthed one."""
    return v - np.float32(jaw * DROP) * ramp(v, face.mouth_y - 0.06, face.mouth_y + 0.42)


def relief(face: Face, u: F32, v: F32, inside: F32) -> F32:
    """Height of the skin towards the camera, in face units."""
    z = np.float32(0.72) * np.sqrt(np.maximum(inside, 0))
    bridge = ramp(v, -0.22, face.nose_y) * (1 - ramp(v, face.nose_y + 0.02, face.nose_y + 0.13))
    z += np.float32(face.nose_ridge) * bridge * ridge(u, 0, 0.075)
    z += np.float32(0.09) * bump(u, v, (0, face.nose_y), (0.085, 0.075))
    z += np.float32(0.05) * bump(u, v, (0, 0.95), (0.17, 0.12))
    z += np.float32(0.035) * bump(u, v, (0, face.mouth_y + 0.03), (face.mouth_w, 0.13))
    z -= np.float32(0.03) * bump(u, v, (0, face.mouth_y + 0.17), (0.16, 0.05))
    for side in (-1, 1):
        z += np.float32(0.055) * bump(u, v, (side * face.nose_w * 0.8, face.nose_y + 0.035), (0.055, 0.055))
        z -= np.float32(0.07) * bump(u, v, (side * face.eye_x, face.eye_y), (0.2, 0.13))
        z += np.float32(0.035) * bump(u, v, (side * face.eye_x, face.eye_y), (0.12, 0.08))
        z += np.float32(face.cheek) * bump(u, v, (side * 0.46, 0.28), (0.19, 0.16))
        z += np.float32(0.03) * bump(u, v, (side * face.eye_x, face.brow_y), (0.24, 0.07))
    return z


def shading(z: F32, px: float, light: Light) -> tuple[F32, F32]:
    """Diffuse intensity (about 0.3 to 1.1) and highlight (0 to 1) of a height field in face units."""
    dv, du = np.gradient(z, np.float32(1 / px))
    length = 1 / np.sqrt(du * du + dv * dv + 1)
    across = du * np.float32(light.x) + dv * np.float32(light.y)
    facing = np.maximum(np.float32(0.82) * (np.float32(light.z) - across) * length + np.float32(0.18), 0)
    gloss = (np.float32(light.z + 1) - across) * length / np.float32(np.sqrt(2 + 2 * light.z))
    gloss = np.clip(gloss, 0, 1) ** 8
    return np.float32(light.ambient) + np.float32(light.key) * facing, gloss * gloss * gloss


def tinted(colour: Colour, factor: float) -> Colour:
    """A colour made darker or lighter."""
    return colour[0] * factor, colour[1] * factor, colour[2] * factor


@dataclass(frozen=True, slots=True)
class Paint:
    """A picture in face coordinates: float RGB (height, width, 3) in [0, 1] that colours are laid over."""

    u: F32
    v: F32
    px: float
    rgb: F32

    def part(self, u0: float, v0: float, u1: float, v1: float) -> Paint:
        """The same picture's rectangle; painting it paints the whole."""
        rows = slice(*np.searchsorted(self.v[:, 0], (v0, v1)))
        columns = slice(*np.searchsorted(self.u[0], (u0, u1)))
        return Paint(self.u[:, columns], self.v[rows], self.px, self.rgb[rows, columns])

    def over(self, colour: Colour | F32, mask: F32) -> None:
        """Lay `colour` (one, or an image) over where mask in [0, 1] says so."""
        self.rgb[:] += mask[..., None] * (np.asarray(colour, np.float32) - self.rgb)

    def edge(self, distance: F32) -> F32:
        """Mask of where a distance in face units is positive, one pixel soft."""
        mask: F32 = np.clip(distance * np.float32(self.px) + np.float32(0.5), 0, 1)
        return mask

    def spot(self, colour: Colour, strength: float, at: tuple[float, float], size: tuple[float, float]) -> None:
        """Lay a soft spot of a colour over."""
        near = self.part(at[0] - 2.5 * size[0], at[1] - 2.5 * size[1], at[0] + 2.5 * size[0], at[1] + 2.5 * size[1])
        near.over(colour, np.float32(strength) * bump(near.u, near.v, at, size))


def paint_skin(paint: Paint, face: Face, below: F32, strand: F32) -> None:
    """Blush, beard, and the shadows under the nose, before the light falls on them."""
    for side in (-1, 1):
        paint.spot((0.86, 0.42, 0.38), 0.22 * face.blush, (side * 0.45, 0.32), (0.2, 0.16))
    paint.spot((0.86, 0.42, 0.38), 0.16 * face.blush, (0, face.nose_y), (0.12, 0.1))
    if face.beard:
        lips = bump(paint.u, below, (0, face.mouth_y), (face.mouth_w * 1.1, 0.1))
        chin = ramp(below, 0.34, 0.6) * (1 - lips)
        chin = np.maximum(chin, np.float32(0.8) * bump(paint.u, below, (0, face.mouth_y - 0.11), (0.2, 0.035)))
        jaw = ramp(np.abs(paint.u), face.width * 0.7, face.width * 0.95) * ramp(below, 0.0, 0.3)
        grown = np.float32(face.beard) * np.maximum(chin, jaw) * (np.float32(0.9) + np.float32(0.2) * strand)
        paint.over(tinted(face.hair, 0.8), np.clip(grown, 0, 0.9))
    for side in (-1, 1):
        paint.spot(tinted(face.skin, 0.5), 0.4, (side * face.nose_w * 1.12, face.nose_y + 0.035), (0.018, 0.05))
        paint.spot(tinted(face.skin, 0.22), 0.9, (side * face.nose_w * 0.52, face.nose_y + 0.075), (0.038, 0.02))
    paint.spot(tinted(face.skin, 0.55), 0.4, (0, face.nose_y + 0.095), (face.nose_w * 0.9, 0.022))


def paint_eye(whole: Paint, face: Face, side: int, lid: float, light: Light) -> None:
    """One eye, closed by `lid` in [0, 1]."""
    centre = side * face.eye_x
    paint = whole.part(centre - 0.24, face.eye_y - 0.22, centre + 0.24, face.eye_y + 0.22)
    x = (paint.u - np.float32(centre)) * side / np.float32(face.eye_w)
    y = paint.v - np.float32(face.eye_y) + np.float32(face.eye_tilt * face.eye_w) * x
    within = (np.abs(x) < 1).astype(np.float32)
    almond = np.maximum(1 - x * x, 0)
    low = np.float32(0.62 * face.eye_h) * almond**0.8
    top = np.float32(-face.eye_h) * almond**0.6 * (1 - np.float32(0.12) * x)
    top = top + np.float32(lid) * (low - top)
    white = paint.edge(y - top) * paint.edge(low - y) * within
    paint.over(tinted(face.skin, 0.62), np.float32(0.55) * ridge(y, top - np.float32(0.045), 0.02) * within)
    shadow = 1 - np.float32(0.45) * ridge(y, top, 0.035) - np.float32(0.2) * np.abs(x) ** 3
    level = np.float32(min(1.0, light.ambient + 0.62 * light.key))
    paint.over(np.array([0.93, 0.90, 0.88], np.float32) * (shadow * level)[..., None], white)
    radius = np.float32(face.eye_w * 0.5)
    r = np.hypot(paint.u - np.float32(centre), paint.v - np.float32(face.eye_y - 0.012)) / radius
    depth = (np.float32(0.65) + np.float32(0.7) * np.clip(1 - np.abs(r - np.float32(0.6)) * 2.2, 0, 1)) * shadow
    paint.over(np.asarray(face.iris, np.float32) * depth[..., None], paint.edge((1 - r) * radius) * white)
    paint.over((0.03, 0.03, 0.03), paint.edge((np.float32(0.45) - r) * radius) * white)
    glint = bump(paint.u, paint.v, (centre + 0.03 * float(np.sign(light.x)), face.eye_y - 0.04), (0.02, 0.02))
    paint.over((1.0, 1.0, 1.0), np.float32(0.9) * glint * white)
    paint.over((0.07, 0.05, 0.05), np.float32(0.9) * ridge(y, top, 0.019) * within)
    paint.over(tinted(face.skin, 0.45), np.float32(0.5) * ridge(y, low, 0.013) * within)
    paint.over(tinted(face.skin, 0.72), np.float32(0.28) * ridge(y, low + np.float32(0.06), 0.025) * almond)


def paint_brow(whole: Paint, face: Face, side: int, strand: F32) -> None:
    """One eyebrow."""
    reach, middle = face.eye_w * 1.35, side * (face.eye_x + 0.01)
    x = (whole.u - np.float32(middle)) * side / np.float32(reach)
    line = np.float32(face.brow_y) - np.float32(face.brow_arch) * (1 - (x - np.float32(0.25)) ** 2)
    thick = np.float32(face.brow_thick) * (1 - np.float32(0.45) * np.clip(x, -0.2, 1))
    body = np.exp(-((np.abs(whole.v - line) / thick) ** 3)) * (1 - ramp(np.abs(x), 0.87, 1.05))
    whole.over(tinted(face.hair, 0.75), np.clip(body * (np.float32(0.82) + np.float32(0.14) * strand), 0, 0.95))


def paint_mouth(whole: Paint, face: Face, jaw: float, lit: F32) -> None:
    """Lips, and teeth and tongue where the jaw is down; `lit` is the light on the whole picture."""
    x = whole.u / np.float32(face.mouth_w)
    within = (np.abs(x) < 1).astype(np.float32)
    line = np.float32(face.mouth_y) - np.float32(0.008) * (1 - np.cos(3 * x))
    gap = np.float32(jaw * DROP) * np.maximum(1 - np.abs(x) ** 2.4, 0)
    bow = np.maximum(1 - x * x, 0) ** np.float32(0.75)
    top = line - np.float32(face.lip_upper * 1.35) * bow * (1 - np.float32(0.32) * ridge(x, 0, 0.16))
    bottom = line + gap + np.float32(face.lip_lower) * bow
    lips = whole.edge(0.7 * (whole.v - top)) * whole.edge(0.7 * (bottom - whole.v)) * within
    shine = bump(whole.u, whole.v, (0, face.mouth_y + 0.05 + jaw * DROP), (0.1, 0.03))
    fullness = np.where(whole.v < line, np.float32(0.78), np.float32(0.98) + np.float32(0.12) * shine)
    whole.over(np.asarray(face.lip, np.float32) * (lit * fullness)[..., None], np.float32(0.92) * lips)
    inner = whole.edge(0.7 * (whole.v - line)) * whole.edge(0.7 * (line + gap - whole.v)) * within
    inner = inner * np.clip(gap * np.float32(whole.px), 0, 1)
    whole.over((0.22, 0.07, 0.07), inner)
    tongue = bump(whole.u, whole.v, (0, face.mouth_y + jaw * 0.19), (face.mouth_w * 0.7, 0.04))
    whole.over((0.62, 0.27, 0.27), np.float32(0.8) * inner * tongue)
    teeth = whole.edge(0.7 * (line + np.float32(0.062) - whole.v)) * (np.abs(x) < 0.86)
    enamel = np.float32(0.9) + np.float32(0.05) * np.cos(whole.u * np.float32(2 * np.pi / 0.06)) ** 2
    whole.over(np.array([0.93, 0.91, 0.86], np.float32) * (lit * enamel)[..., None], inner * teeth)
    closed = (1 - np.clip(gap * np.float32(whole.px), 0, 1)) * (1 - ramp(np.abs(x), 0.9, 1.08))
    whole.over(tinted(face.lip, 0.4), np.float32(0.8) * ridge(whole.v, line, 0.011) * closed)


def hair_shape(face: Face, u: F32, v: F32) -> tuple[F32, F32]:
    """Mask of the hair in front of the head, and the signed volume its shading follows."""
    longer = 1 + 0.45 * max(0.0, face.hair_end)
    volume = outline(face, u, np.where(v > 0, v / np.float32(longer), v), grow=face.hair_volume)
    side = ramp(np.abs(u), face.width * 0.5, face.width * 0.98)
    edge = np.float32(face.hairline) + np.float32(face.part) * u * (1 - side)
    edge = edge + (np.float32(face.hair_end) - edge) * side * side
    edge = edge - np.float32(0.07) * np.cos(u * np.float32(2.4))
    return coverage(volume) * ramp(edge - v, -0.035, 0.035), volume


def paint_head(
    face: Face, light: Light, px: float, *, jaw: float = 0.0, lid: float = 0.0, rows: slice | None = None
) -> U8:
    """Head, ears and hair over WINDOW at `px` pixels a face unit: premultiplied RGBA (height, width, 4).

    `rows` paints those rows alone, the same as they are in the whole picture.
    """
    u, v = axes(px)
    shape = (v.shape[0], u.shape[1])
    rng = np.random.default_rng(face.grain)
    mottle = 1 + np.float32(0.018 * face.freckles) * noise(shape, (90, 75), rng)
    mottle += np.float32(0.022) * noise(shape, (14, 12), rng)
    comb = noise((8, 256), (8, 110), rng)
    first, last = (0, shape[0]) if rows is None else (max(0, rows.start - 2), min(shape[0], rows.stop + 2))
    v, mottle = v[first:last], mottle[first:last]
    fan = (np.arctan2(u, v + np.float32(2.2)) / np.float32(1.2) + 1) * np.float32(127)
    along = np.broadcast_to(np.clip((v + np.float32(1.65)) * np.float32(2.2), 0, 7), fan.shape)
    strand: F32 = cv2.remap(comb, fan, np.ascontiguousarray(along), cv2.INTER_LINEAR)

    below = jaw_drop(face, v, jaw)
    inside = outline(face, u, below)
    lit, gloss = shading(relief(face, u, below, inside), px, light)
    warm = np.array([1 + light.warmth, 1.0, 1 - light.warmth], np.float32)
    paint = Paint(u, v, px, np.tile(np.asarray(face.skin, np.float32), (*inside.shape, 1)))
    paint_skin(paint, face, below, strand)
    paint.rgb[:] = paint.rgb * (lit * mottle)[..., None] * warm + (np.float32(0.16) * gloss)[..., None]
    box = (-face.mouth_w - 0.05, face.mouth_y - 0.12, face.mouth_w + 0.05, face.mouth_y + 0.34)
    paint_mouth(paint.part(*box), face, jaw, Paint(u, v, px, lit[..., None]).part(*box).rgb[..., 0])
    for side in (-1, 1):
        paint_eye(paint, face, side, lid, light)
        middle = side * face.eye_x
        box = (middle - 0.3, face.brow_y - 0.2, middle + 0.3, face.brow_y + 0.16)
        paint_brow(paint.part(*box), face, side, Paint(u, v, px, strand[..., None]).part(*box).rgb[..., 0])

    alpha = coverage(inside)
    for side in (-1, 1):
        ear = 1 - ((u - np.float32(side * face.width)) / np.float32(0.12)) ** 2
        ear = ear - ((v - np.float32(0.12)) / np.float32(0.23)) ** 2
        pinna = coverage(ear) * (1 - alpha)
        level = np.float32(light.ambient + light.key * (0.5 + 0.5 * side * light.x))
        flesh = np.asarray(face.skin, np.float32) * np.array([1.0, 0.88, 0.86], np.float32)
        paint.over(flesh * (level * (np.float32(0.72) + np.float32(0.25) * ear))[..., None], pinna)
        alpha = np.maximum(alpha, pinna)
    hair, volume = hair_shape(face, u, v)
    lit, gloss = shading(np.float32(0.55) * np.sqrt(np.maximum(volume, 0)) + np.float32(0.006) * strand, px, light)
    tone = lit * (np.float32(0.92) + np.float32(0.13) * strand)
    tone += np.float32(0.3) * gloss * (1 + np.float32(0.4) * strand)
    paint.over((np.asarray(face.hair, np.float32) * warm) * tone[..., None], hair)
    alpha = np.maximum(alpha, hair)
    rgba = np.dstack([np.clip(paint.rgb, 0, 1) * alpha[..., None], alpha]) * np.float32(255) + np.float32(0.5)
    whole = rgba.astype(np.uint8)
    return whole if rows is None else whole[rows.start - first : rows.stop - first]
