"""H.264 files that are the same bytes each time."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import av
import numpy as np

from dataengine.sample.encode import encode

ENCODE = """
import hashlib, numpy as np
from dataengine.sample.encode import encode
rng = np.random.default_rng(0)
base = np.repeat(np.repeat(rng.integers(0, 255, (15, 20, 3), dtype=np.uint8), 8, 0), 8, 1)
frames = [np.roll(base, 3 * i, 1) + rng.integers(0, 6, base.shape, dtype=np.uint8) for i in range(12)]
print(hashlib.sha256(encode(frames, (160, 120), crf=23, fps=25)).hexdigest())
"""


def test_the_bytes_do_not_depend_on_what_memory_held_before() -> None:
    # glibc fills what is freed with this byte; other systems ignore it.
    found = {
        subprocess.run(
            [sys.executable, "-c", ENCODE],
            env={**os.environ, "MALLOC_PERTURB_": fill, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for fill in ("0", "17", "200")
    }
    assert len(found) == 1


def test_a_video_decodes_to_its_frames_and_a_higher_factor_is_smaller() -> None:
    y, x = np.indices((120, 160))
    grating = 127 + 60 * np.sin(x / 9) * np.cos(y / 7)
    frames = [np.repeat(np.roll(grating, i, 1)[..., None], 3, 2).astype(np.uint8) for i in range(6)]
    fine, coarse = (encode(frames, (160, 120), crf=crf, fps=25) for crf in (23, 40))
    with av.open(io.BytesIO(fine)) as container:
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(decoded) == 6
    assert np.abs(np.stack(decoded).astype(int) - np.stack(frames)).mean() < 4
    assert len(coarse) < len(fine)
