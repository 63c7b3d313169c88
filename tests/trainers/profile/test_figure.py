"""A profile as a picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from tests.trainers.profile.made import GB, made
from trainers.profile.figure import draw_profile
from trainers.profile.record import Profile
from trainers.profile.verdict import verdict

COLD = made(first=300, data_bytes=10**4 * GB)
DISTURBED = made(step=9000, device="cpu")


@pytest.mark.parametrize("profile", [made(), made(loader=300, decode=100), made(step=180), COLD, DISTURBED])
def test_every_kind_of_profile_is_drawn(profile: Profile, tmp_path: Path) -> None:
    draw_profile(profile, tmp_path / "profile.png")
    height, width, _ = cv2.imread(str(tmp_path / "profile.png")).shape
    assert width == 1440
    assert height > 500


def test_the_picture_is_headed_by_the_verdict_and_the_same_each_time(tmp_path: Path) -> None:
    profile = made(decode=135, loader=145)
    for name in ("a.svg", "b.svg"):
        draw_profile(profile, tmp_path / name)
    drawn = (tmp_path / "a.svg").read_text()
    assert drawn == (tmp_path / "b.svg").read_text()
    title, _, remedy = verdict(profile).sentence.partition("; ")
    assert f"<!-- {title} -->" in drawn
    assert f"<!-- {remedy} -->" in drawn


def test_a_stage_that_is_too_short_to_be_seen_is_named_in_the_caption_alone(tmp_path: Path) -> None:
    draw_profile(made(storage=0.1), tmp_path / "p.svg")
    drawn = (tmp_path / "p.svg").read_text()
    assert "<!-- storage -->" not in drawn
    assert "<!-- decode -->" in drawn
    assert "Too short to be seen: storage (0.1 ms)." in " ".join(drawn.split())
