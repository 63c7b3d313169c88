from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest
import timm
import torch
from safetensors.torch import save_file

from dataengine.errors import DfxError, StateError
from trainers.checkpoint import write_weights
from trainers.models.catalogue import build, input_spec
from trainers.predict import torch_threads
from trainers.taxonomy import Taxonomy

TWO = Taxonomy(task="detection", classes=("real", "fake"))
THREE = Taxonomy(task="attribution", classes=("real", "a", "b"))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with torch_threads(1):
        yield


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "test_convnext", "test_vit", "test_mambaout"])
def test_every_family_gives_logits_and_their_embedding(name: str) -> None:
    model = build(name, THREE, size=32).eval()
    logits, features = model(torch.zeros(2, 3, 32, 32))
    assert logits.shape == (2, 3)
    assert features.shape == (2, model.num_features)
    assert torch.equal(model.head(features), logits)


def test_the_input_is_the_networks_own_unless_a_size_is_given() -> None:
    spec = input_spec("tf_efficientnetv2_b0")
    assert (spec.size, spec.mean, spec.std) == (192, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert input_spec("test_resnet", 64).size == 64
    assert input_spec("test_resnet", 64).mean == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("resent50", "resnet50"), ("test_resnet.r160_in2k", "test_resnet.r160_in1k"), ("", "")],
)
def test_an_unknown_model_is_named_with_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(DfxError, match=f"unknown model '{name}'.*{nearest}"):
        build(name, TWO)


def test_a_size_the_network_cannot_take_is_one_line() -> None:
    with pytest.raises(DfxError, match=r"test_vit cannot be built for 33 px .*choose another --size"):
        build("test_vit", TWO, size=33)


def test_weights_that_cannot_be_fetched_name_the_ways_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(DfxError, match=r"could not be fetched.*--weights none.*--weights FILE") as caught:
        build("test_resnet", TWO, weights="imagenet")
    assert "\n" not in str(caught.value)


def test_a_network_without_published_weights_says_so() -> None:
    with pytest.raises(DfxError, match="timm has no pre-trained weights of botnet50ts_256; use --weights none"):
        build("botnet50ts_256", TWO, weights="imagenet")


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_timms_own_state_dict_fills_the_network_alone(tmp_path: Path, suffix: str) -> None:
    source = timm.create_model("test_convnext", num_classes=7)
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": source.state_dict()}, path)
    else:
        save_file(source.state_dict(), path)
    model = build("test_convnext", TWO, weights=str(path))
    assert all(torch.equal(source.state_dict()[name], value) for name, value in model.network.state_dict().items())


def facts(model: str, taxonomy: Taxonomy) -> dict[str, object]:
    return {"model": model, "taxonomy": taxonomy.as_dict()}


def test_a_runs_weights_fill_network_and_head(tmp_path: Path) -> None:
    source = build("test_resnet", TWO)
    write_weights(tmp_path / "model.safetensors", source.state_dict(), facts("test_resnet", TWO))
    for given in (tmp_path / "model.safetensors", tmp_path):
        model = build("test_resnet", TWO, weights=str(given))
        assert all(torch.equal(source.state_dict()[name], value) for name, value in model.state_dict().items())


def test_weights_of_another_taxonomy_name_both(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_weights(path, build("test_resnet", THREE).state_dict(), facts("test_resnet", THREE))
    with pytest.raises(
        StateError, match="trained for attribution over real, a, b, the data are detection over real, fake"
    ):
        build("test_resnet", TWO, weights=str(path))


def test_weights_of_another_model_name_it(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_weights(path, build("test_resnet", TWO).state_dict(), facts("test_resnet", TWO))
    with pytest.raises(StateError, match="weights of test_resnet, not of test_convnext"):
        build("test_convnext", TWO, weights=str(path))


@pytest.mark.parametrize("name", ["absent.pth", "damaged.pth", "damaged.safetensors", "other.pth"])
def test_a_file_that_holds_no_fitting_weights_is_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.startswith("damaged"):
        path.write_bytes(b"damaged")
    if name.startswith("other"):
        torch.save({"stem.weight": torch.zeros(3)}, path)
    with pytest.raises(DfxError, match=name) as caught:
        build("test_resnet", TWO, weights=str(path))
    assert "\n" not in str(caught.value)
