"""DNA-Det's network."""

from __future__ import annotations

import pytest
import torch
from timm.models import group_parameters

from dataengine.errors import DfxError
from trainers.models import dnadet


def test_the_backbone_has_the_papers_number_of_weights() -> None:
    assert sum(p.numel() for p in dnadet.network().parameters()) == 5_894_784
    assert sum(p.numel() for p in dnadet.head(5).parameters()) == 2_565


def test_a_patch_and_a_whole_picture_give_an_embedding_of_one_width() -> None:
    network = dnadet.network().eval()
    with torch.inference_mode():
        for side in (16, 64, 96):
            assert network(torch.zeros(2, 3, side, side)).shape == (2, network.num_features)


def test_each_stage_halves_the_side_and_has_the_papers_width() -> None:
    x, shapes = torch.zeros(1, 3, 64, 64), []
    network = dnadet.network().eval()
    with torch.inference_mode():
        for stage in network.stages:
            x = stage(x)
            shapes.append(tuple(x.shape[1:]))
    assert shapes == [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4)]


def test_the_embedding_is_the_mean_over_the_last_map() -> None:
    network, image = dnadet.network().eval(), torch.rand(1, 3, 48, 64)
    with torch.inference_mode():
        torch.testing.assert_close(network(image), network.stages(image).mean(dim=(2, 3)))


def test_every_weight_is_in_a_layer_group() -> None:
    network = dnadet.network()
    for coarse, groups in ((True, 4), (False, 8)):
        found = group_parameters(network, network.group_matcher(coarse))
        assert len(found) == groups
        assert sum(map(len, found.values())) == len(list(network.parameters()))


def test_the_classifier_drops_a_fifth_in_training_alone() -> None:
    head, features = dnadet.head(3), torch.rand(2, 512)
    assert head[0].p == 0.2
    assert torch.equal(head.eval()(features), head[1](features))


def test_a_size_of_which_the_last_stage_has_nothing_left_is_refused() -> None:
    with pytest.raises(DfxError, match="dna-det cannot be built for 15 px, only from 16 px on; choose another --size"):
        dnadet.dnadet(2, 15)
