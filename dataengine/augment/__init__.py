"""What is done to the sample at a position: a spec, and pure draws of parameters, which the backends only execute."""

from __future__ import annotations

from dataengine.augment.draws import Draws, Edits, draw
from dataengine.augment.presets import PRESETS, ROBUSTNESS, augment_preset
from dataengine.augment.spec import OPERATIONS, Augment

__all__ = ["OPERATIONS", "PRESETS", "ROBUSTNESS", "Augment", "Draws", "Edits", "augment_preset", "draw"]
