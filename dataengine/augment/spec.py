"""What may be drawn for a sample: one value, checked, with the unit and the reason of each setting."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields

from dataengine.errors import DfxError

Range = tuple[float, float]

OPERATIONS = ("rotate", "colour", "scale", "blur", "noise", "jpeg")
"""What is done to the pixels after the window was cut out, scaled to the loader's size and flipped, in this order. It
is the order in which a picture meets them on its way: it is shot (geometry), edited (colour), resampled by a platform
(scale, blur), and compressed last. So the block grid of JPEG lies on the pixel grid that the model sees, and noise is
not smoothed away again by what follows."""

_COLOURS = ("brightness", "contrast", "saturation", "hue", "grey")
_PROBABILITIES = ("flip", "rotate", *_COLOURS, "scale", "blur", "noise", "jpeg")
_BOUNDS: dict[str, Range] = {
    "rotate_degrees": (-180, 180),
    "brightness_factor": (0, 4),
    "contrast_factor": (0, 4),
    "saturation_factor": (0, 4),
    "hue_degrees": (-180, 180),
    "scale_factor": (0.01, 1),
    "blur_sigma": (0.1, 10),
    "noise_std": (0, 128),
    "jpeg_quality": (1, 100),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Augment:
    """What is drawn for each view of a sample. The window is scaled to the loader's size.

    Each operation has a probability and a range from which its strength is drawn evenly; where it is not drawn, the
    pixels stay as they are. The fixed order is that of `OPERATIONS`. Ranges that no probability uses change nothing.
    """

    name: str
    crop_scale: Range | None = None
    """The window's share of the image's area; None: the largest centred square."""
    crop_ratio: Range = (1.0, 1.0)
    """The window's width / height, drawn evenly in its logarithm."""
    flip: float = 0.0
    """Probability of a horizontal flip."""
    views: int = 1
    """Independent draws of each sample in a batch."""
    rotate: float = 0.0
    """Probability of a rotation about the centre; what comes into view repeats the nearest pixel of the border."""
    rotate_degrees: Range = (-10.0, 10.0)
    """Counter-clockwise. Faces of video stand nearly upright."""
    brightness: float = 0.0
    """Probability that all channels are multiplied by a factor."""
    brightness_factor: Range = (0.8, 1.2)
    contrast: float = 0.0
    """Probability that the distance of all channels from mid-grey (128) is multiplied by a factor."""
    contrast_factor: Range = (0.8, 1.2)
    saturation: float = 0.0
    """Probability that the colour (I and Q of YIQ) is multiplied by a factor; 0 is grey."""
    saturation_factor: Range = (0.7, 1.3)
    hue: float = 0.0
    """Probability that the colour is turned in the IQ plane."""
    hue_degrees: Range = (-10.0, 10.0)
    grey: float = 0.0
    """Probability that all colour is taken out."""
    scale: float = 0.0
    """Probability that the image is scaled down and up again, linearly, without antialiasing."""
    scale_factor: Range = (0.5, 1.0)
    """Side of the small copy over the loader's size."""
    blur: float = 0.0
    """Probability of a gaussian blur."""
    blur_sigma: Range = (0.3, 1.5)
    """Standard deviation in pixels of the output."""
    noise: float = 0.0
    """Probability of gaussian noise, another value for each pixel and channel."""
    noise_std: Range = (1.0, 8.0)
    """Standard deviation in levels of 255."""
    jpeg: float = 0.0
    """Probability of a round trip through JPEG with 4:2:0 chroma, what platforms and cameras write."""
    jpeg_quality: Range = (60, 100)
    """libjpeg's quality, whole numbers, both ends included."""
    fixed: bool = False
    """Drawn from a sample's key instead of (seed, epoch, position): the same for a sample wherever it stands, in any
    selection. What evaluation under degradation needs."""

    def __post_init__(self) -> None:
        low, high = self.crop_scale or (1.0, 1.0)
        if not 0.0 < low <= high <= 1.0:
            raise self._wrong("crop_scale", "no range within (0, 1]")
        if not 0.0 < self.crop_ratio[0] <= self.crop_ratio[1]:
            raise self._wrong("crop_ratio", "no range above 0")
        for name in _PROBABILITIES:
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise self._wrong(name, "no probability; give 0 to 1")
        for name, (least, most) in _BOUNDS.items():
            low, high = getattr(self, name)
            if not least <= low <= high <= most:
                raise self._wrong(name, f"no range; give the lower and the upper end, within {least} to {most}")
        if any(end != int(end) for end in self.jpeg_quality):
            raise self._wrong("jpeg_quality", "no range of whole numbers")
        if self.views < 1:
            raise self._wrong("views", "too few; give at least 1")

    def _wrong(self, name: str, why: str) -> DfxError:
        return DfxError(f"{name} of augmentation '{self.name}' is {getattr(self, name)}, which is {why}")

    @property
    def operations(self) -> frozenset[str]:
        """Those of `OPERATIONS` that may be drawn."""
        chances = {name: getattr(self, name) for name in OPERATIONS if name != "colour"}
        chances["colour"] = max(getattr(self, name) for name in _COLOURS)
        return frozenset(name for name, chance in chances.items() if chance > 0)

    @property
    def random(self) -> bool:
        """Whether two draws for one sample may differ; where not, two views of it would be one image."""
        return self.crop_scale is not None or self.flip > 0 or bool(self.operations)

    @property
    def settings(self) -> dict[str, float | list[float]]:
        """What differs from the defaults, without the name, as JSON values: a spec of its own."""
        settings: dict[str, float | list[float]] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "name" and value != field.default:
                settings[field.name] = [float(end) for end in value] if isinstance(value, tuple) else float(value)
        return settings

    @property
    def digest(self) -> str:
        """Hex, the same for the same settings under any name; a setting that stands at its default does not enter."""
        return hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()[:16]
