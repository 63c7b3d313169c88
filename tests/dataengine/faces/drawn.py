"""Faces drawn well enough for a detector to find them."""

from __future__ import annotations

import cv2
import numpy as np

from dataengine.video import Pixels


def portrait(width: int, height: int, *heads: tuple[int, int, int]) -> Pixels:
    """Drawn faces, each (centre x, centre y, radius), on a plain ground."""
    image = np.full((height, width, 3), (90, 110, 130), np.uint8)
    for x, y, r in heads:

        def oval(dx: float, dy: float, w: float, h: float, colour: tuple[int, int, int]) -> None:
            centre, axes = (int(x + dx * r), int(y + dy * r)), (int(w * r), int(h * r))  # noqa: B023
            cv2.ellipse(image, centre, axes, 0, 0, 360, colour, -1, cv2.LINE_AA)

        oval(0, -0.25, 0.95, 1.15, (50, 35, 25))
        oval(0, 0, 0.78, 1.05, (224, 180, 150))
        for side in (-0.33, 0.33):
            oval(side, -0.38, 0.2, 0.05, (60, 40, 30))
            oval(side, -0.18, 0.16, 0.09, (250, 250, 250))
            oval(side, -0.18, 0.075, 0.08, (40, 30, 20))
        oval(0, 0.15, 0.1, 0.12, (190, 140, 115))
        oval(0, 0.52, 0.3, 0.1, (160, 60, 60))
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 1.5), np.uint8)
