"""A store as pictures: a sheet of its methods, one clip over time, what an augmentation does."""

from __future__ import annotations

from dataengine.preview.augmented import caption as caption
from dataengine.preview.augmented import draw_preview as draw_preview
from dataengine.preview.augmented import shown_samples as shown_samples
from dataengine.preview.names import clip_named as clip_named
from dataengine.preview.samples import clip_strips as clip_strips
from dataengine.preview.samples import method_strips as method_strips
from dataengine.preview.sheet import draw_sheet as draw_sheet
