from __future__ import annotations

import pytest

from dataengine.augment import augment_preset
from dataengine.errors import DfxError
from dataengine.order import Balanced, Groups, Shuffled
from trainers.config import TrainConfig
from trainers.losses.spec import TERMS
from trainers.stream import needs_said, policy_of
from trainers.taxonomy import Taxonomy

SIX = Taxonomy(task="attribution", classes=("real", "a", "b", "c", "d", "e"))
TWO = Taxonomy(task="detection", classes=("real", "fake"))


def test_a_loss_on_single_samples_has_balanced_batches() -> None:
    assert policy_of(TrainConfig(data=("s",)), len(SIX.classes)) == Balanced(by=("method",))
    assert policy_of(TrainConfig(data=("s",), task="detection"), len(TWO.classes)) == Balanced(by=("label",))


@pytest.mark.parametrize("name", [name for name, term in TERMS.items() if term.groups])
@pytest.mark.parametrize("batch", [8, 12, 32, 60, 64, 250])
def test_a_loss_that_compares_samples_has_groups_that_divide_the_batch(name: str, batch: int) -> None:
    for taxonomy in (SIX, TWO):
        task = taxonomy.task
        policy = policy_of(TrainConfig(data=("s",), task=task, loss=f"ce+{name}", batch=batch), len(taxonomy.classes))
        assert isinstance(policy, Groups)
        assert batch % policy.group == 0
        assert 2 <= policy.classes <= len(taxonomy.classes)
        assert 2 <= policy.per_class <= 8


def test_groups_hold_as_many_classes_as_divide_the_batch() -> None:
    policy = policy_of(TrainConfig(data=("s",), loss="ce+supcon", batch=24), len(SIX.classes))
    assert (policy.classes, policy.per_class) == (6, 4)  # type: ignore[union-attr]


def test_a_batch_without_groups_is_refused_with_one_that_has_them() -> None:
    with pytest.raises(DfxError, match=r"a batch of 62 cannot be cut into groups .* take a batch of 60"):
        policy_of(TrainConfig(data=("s",), loss="ce+supcon", batch=62), len(SIX.classes))


def test_a_policy_that_was_asked_for_stays() -> None:
    assert policy_of(TrainConfig(data=("s",), loss="ce+supcon", policy="shuffled"), len(SIX.classes)) == Shuffled()


def test_frames_per_clip_enter_what_the_loss_chose() -> None:
    policy = policy_of(TrainConfig(data=("s",), loss="ce+supcon", frames_per_clip=2), len(SIX.classes))
    assert policy.frames_per_clip == 2


def test_what_the_loss_chose_is_said() -> None:
    crop, none = augment_preset("crop"), augment_preset("none")
    assert needs_said(TrainConfig(data=("s",)), SIX, crop) == []
    said = needs_said(TrainConfig(data=("s",), loss="ce+supcon", batch=24), SIX, crop)
    assert said == [
        "supcon compares samples of a class: batches are groups:classes=6,per_class=4",
        "supcon compares views: the model sees two views of each image",
    ]
    said = needs_said(TrainConfig(data=("s",), loss="supcon", augment="none", policy="shuffled"), SIX, none)
    assert said == ["supcon compares views: the model sees one view of each image: 'none' draws nothing"]
