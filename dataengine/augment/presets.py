"""Augmentations by name: the presets, the fixed degradations of evaluation, and specs in TOML."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from dataengine.augment.spec import Augment
from dataengine.errors import DfxError, unknown_name

# At least half of the face stays in view, its shape nearly so: a stronger crop resamples the traces that tell a method.
_CROP = Augment(name="crop", crop_scale=(0.5, 1.0), crop_ratio=(0.8, 1.25), flip=0.5)

PRESETS = {
    "none": Augment(name="none"),
    "flip": Augment(name="flip", flip=0.5),
    "crop": _CROP,
    # Half of the samples meet JPEG, as half of what circulates was compressed again; each of the other operations is
    # drawn for a minority, so that about one sample in ten keeps its traces but for the crop.
    "forensic": replace(
        _CROP,
        name="forensic",
        rotate=0.2,
        brightness=0.2,
        contrast=0.2,
        saturation=0.2,
        hue=0.1,
        grey=0.05,
        scale=0.2,
        blur=0.2,
        noise=0.2,
        jpeg=0.5,
    ),
    "supcon": replace(_CROP, name="supcon", views=2),
}
"""none: the centred largest square. flip: that, flipped half of the time. crop: a random window, flipped half of the
time. forensic: crop, and what happens to pictures that are passed on: rotation, colour, scaling, blur, noise, JPEG
60-100. supcon: two views of crop, for contrastive losses."""

ROBUSTNESS: dict[str, tuple[float, float, float, float, float]] = {
    "jpeg": (90, 75, 60, 45, 30),
    "blur": (7 / 6, 9 / 6, 13 / 6, 17 / 6, 21 / 6),
    "noise": (255 * 0.001**0.5, 255 * 0.002**0.5, 255 * 0.005**0.5, 255 * 0.01**0.5, 255 * 0.05**0.5),
    "scale": (1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6),
}
"""Strength of each fixed degradation at the levels 1 to 5, of the centred largest square at the loader's size.

blur (sigma in pixels), noise (standard deviation of 255) and scale (side of the small copy) are the levels of
DeeperForensics-1.0 (Jiang et al., CVPR 2020; `perturbation/` of its code): kernels of 7 to 21 px with sigma a sixth of
that, gaussian noise of variance 0.001 to 0.05, and scaling to 1/2 to 1/6, which its code calls JPEG. There noise is
added in YCbCr, here in RGB. jpeg is libjpeg's quality in even steps down to 30, the lowest that Wang et al. (CVPR
2020) train with: that protocol holds no JPEG of its own."""

_FIELD_OF = {"jpeg": "jpeg_quality", "blur": "blur_sigma", "noise": "noise_std", "scale": "scale_factor"}


def augment_preset(name: str) -> Augment:
    """The augmentation that `name` means: one of `PRESETS`, `robustness:KIND:LEVEL` with a kind of `ROBUSTNESS` and a
    level from 1 (weakest) to 5, or the path of a spec, ending in `.toml`.

    A spec's keys are the fields of `Augment`, and `base`: the preset whose settings hold where the spec gives none.
    Raises DfxError for a name that is none of these (it names the nearest), and for a spec that cannot be read or
    drawn (it names the file and the key).
    """
    if name.endswith(".toml"):
        return _read_toml(Path(name))
    if name == "robustness" or name.startswith("robustness:"):
        return _robustness(name)
    if name not in PRESETS:
        raise unknown_name("augmentation", name, (*PRESETS, "robustness:KIND:LEVEL", "FILE.toml"))
    return PRESETS[name]


def _robustness(name: str) -> Augment:
    parts = name.split(":")
    kinds = ", ".join(ROBUSTNESS)
    if len(parts) != 3:
        raise DfxError(f"augmentation '{name}' is incomplete; write robustness:KIND:LEVEL with a KIND of {kinds}")
    _, kind, level = parts
    if kind not in ROBUSTNESS:
        raise unknown_name("degradation", kind, ROBUSTNESS)
    if level not in ("1", "2", "3", "4", "5"):
        raise DfxError(f"level '{level}' of augmentation '{name}' is none; give 1 (weakest) to 5")
    strength = ROBUSTNESS[kind][int(level) - 1]
    settings: dict[str, Any] = {kind: 1.0, _FIELD_OF[kind]: (strength, strength)}
    return Augment(name=name, fixed=True, **settings)


def _read_toml(path: Path) -> Augment:
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DfxError(f"augmentation {path} cannot be read: {error.strerror}; check the path") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DfxError(f"augmentation {path} is no TOML: {error}; mend that line") from None
    base = given.pop("base", "none")
    if not isinstance(base, str) or base not in PRESETS:
        raise DfxError(f"{path}: {unknown_name('base', str(base), PRESETS)}")
    known = {field.name: _CHECKS[str(field.type)] for field in fields(Augment) if field.name != "name"}
    settings = {}
    for key, value in given.items():
        if key not in known:
            raise DfxError(f"{path}: {unknown_name('key', key, (*known, 'base'))}")
        what, check = known[key]
        settings[key] = check(value)
        if settings[key] is None:
            raise DfxError(f"{path}: {key} is {value!r}; give {what}")
    return replace(PRESETS[base], **{**settings, "name": str(path)})


def _number(value: Any) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
    return value if number else None


def _range(value: Any) -> tuple[float, float] | None:
    if not isinstance(value, list) or len(value) != 2 or None in (ends := [_number(end) for end in value]):
        return None
    return ends[0], ends[1]  # type: ignore[return-value]


# By the annotation of the field, which stands in the class as text.
_CHECKS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "float": ("a number", _number),
    "int": ("a whole number", lambda value: value if type(value) is int else None),
    "bool": ("true or false", lambda value: value if type(value) is bool else None),
    "Range": ("a range as [lower, upper]", _range),
    "Range | None": ("a range as [lower, upper]", _range),
}
