"""What an image looks like in 256 bits: a perceptual hash, and the detail that it leaves out.

The hash is the DCT hash of Zauner, *Implementation and Benchmarking of Perceptual Image Hash Functions* (2010), section
3.2.1, as pHash computes it: of the grey image at 32 x 32 the 8 x 8 lowest frequencies without the constant one, each
above their median or not. Faces that are cropped alike look alike to it, and so do dark frames; so two images count as
near only where the signs of the next 192 frequencies, up to 16 x 16, agree as well (`near.py`).
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import scipy.fft
import simplejpeg

from dataengine.backends.headers import JPEG, check_size
from dataengine.errors import MediaError

Words = npt.NDArray[np.uint64]
Grey = npt.NDArray[np.uint8]

WORDS = 4
"""64 bits each: the hash, then three of detail."""

SIDE = 32
_LOW, _HIGH = 8, 16
_PLAIN = 2.0
"""Grey levels: with a smaller standard deviation an image is plain, and what is left of it is noise."""

_DECODED_SIDE = 64  # a JPEG is decoded at the smallest scale that is at least so large: the rest would be averaged away


def grey_image(data: memoryview, width: int, height: int) -> Grey:
    """An encoded image of `width` x `height` px as grey (32, 32), uint8.

    Raises MediaError where it cannot be decoded, or is of another size.
    """
    check_size(data, width, height)
    try:
        if data[:2] == JPEG:
            grey = simplejpeg.decode_jpeg(data, "GRAY", min_width=_DECODED_SIDE, min_height=_DECODED_SIDE)[..., 0]
        else:
            grey = cv2.imdecode(
                np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
            )
    except (ValueError, cv2.error) as error:
        raise MediaError(f"image cannot be decoded: {error}") from None
    if grey is None:
        raise MediaError("image cannot be decoded: no known format, or damaged")
    return np.asarray(cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA))


def signatures(images: Grey) -> tuple[Words, npt.NDArray[np.bool_]]:
    """Of grey images (N, 32, 32): their signatures (N, 4), and which of them are too plain to be told apart."""
    plain = images.std(axis=(1, 2)) < _PLAIN
    spectrum = scipy.fft.dctn(images.astype(np.float32), axes=(1, 2), norm="ortho")
    low = spectrum[:, :_LOW, :_LOW].reshape(len(images), -1)
    above = low > np.median(low[:, 1:], axis=1, keepdims=True)
    above[:, 0] = False  # the constant one: brightness
    ring = np.ones((_HIGH, _HIGH), dtype=bool)
    ring[:_LOW, :_LOW] = False
    detail = spectrum[:, :_HIGH, :_HIGH][:, ring] > 0
    return np.packbits(np.hstack([above, detail]), axis=1).view(np.uint64), plain
