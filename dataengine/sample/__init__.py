"""Miniature datasets: portraits in motion and their manipulations, generated in the official trees.

No deepfake dataset may be passed on, so a first run, a demo or a test starts from one of these. They show whether
a pipeline works; what a detector scores on them says nothing about real forgeries.
"""

from __future__ import annotations

from dataengine.sample.generate import SampleReport, Settings, generate
from dataengine.sample.trees import MINIATURES

__all__ = ["MINIATURES", "SampleReport", "Settings", "generate"]
