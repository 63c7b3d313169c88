"""The settings line of `dfx info`."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from cli.taken import taken
from dataengine.settings import ExtractSettings

HASH = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("settings", "weights", "boxes", "said"),
    [
        (
            {},
            HASH,
            None,
            "frames 32, faces track, detector mtcnn, detector-weights 01234567, min-face 40, detect-stride 4, "
            "margin 1.3, size 256, codec jpeg, jpeg-quality 95",
        ),
        (
            {"faces": "largest", "align": True, "codec": "png", "min_score": 0.5},
            HASH,
            None,
            "frames 32, faces largest, detector mtcnn, detector-weights 01234567, align, min-score 0.5, min-face 40, "
            "margin 1.3, size 256, codec png",
        ),
        ({}, None, HASH, "frames 32, faces track, boxes 01234567, margin 1.3, size 256, codec jpeg, jpeg-quality 95"),
        (
            {"detector": "none"},
            None,
            None,
            "frames 32, faces track, detector none, margin 1.3, size 256, codec jpeg, jpeg-quality 95",
        ),
        ({"faces": "none"}, None, None, "frames 32, faces none, codec jpeg, jpeg-quality 95"),
    ],
)
def test_only_what_had_a_say_is_told_as_the_options_are_called(settings, weights, boxes, said) -> None:
    recorded = {**asdict(ExtractSettings(**settings)), "weights": weights, "boxes": boxes}
    assert taken(recorded, videos=True, images=False) == said


def test_images_that_went_in_untouched_have_no_settings() -> None:
    recorded = asdict(ExtractSettings(faces="none"))
    assert taken(recorded, videos=False, images=True) == "faces none, images untouched"
