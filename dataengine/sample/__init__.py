"""Miniature datasets: portraits in motion and their manipulations in the official trees, and pictures from generators.

No deepfake dataset may be passed on, so a first run, a demo or a test starts from one of these. They show whether
a pipeline works; what a detector scores on them says nothing about real forgeries.
"""

from __future__ import annotations

from dataengine.sample.architectures import LISTED_NAME as IMAGES_NAME
from dataengine.sample.architectures import NAME as ARCHITECTURES_NAME
from dataengine.sample.architectures import PictureReport, generate_architectures
from dataengine.sample.generate import SampleReport, Settings, generate
from dataengine.sample.trees import MINIATURES

__all__ = [
    "ARCHITECTURES_NAME",
    "IMAGES_NAME",
    "MINIATURES",
    "PictureReport",
    "SampleReport",
    "Settings",
    "generate",
    "generate_architectures",
]
