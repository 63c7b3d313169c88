from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models import group_parameters

from dataengine.errors import DfxError, StateError
from trainers.checkpoint import write_weights
from trainers.models.catalogue import MODELS, build, input_spec
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


FIVE = [
    "tf_efficientnetv2_b0",
    "resnet50",
    "convnext_tiny",
    "swinv2_small_window8_256",
    "vit_base_patch16_clip_224.openai",
]
"""The documented backbones."""


@pytest.mark.parametrize("size", [None, 256, 128])
@pytest.mark.parametrize("name", FIVE)
def test_a_documented_backbone_takes_its_own_size_and_others(name: str, size: int | None) -> None:
    with torch.device("meta"):
        model = build(name, THREE, size=size)
        side = input_spec(name, size).size
        logits, features = model(torch.zeros(2, 3, side, side))
    assert logits.shape == (2, 3)
    assert features.shape == (2, model.num_features)


@pytest.mark.parametrize(
    ("name", "trained", "in_all"),
    [
        ("mesonet4", 27_977, 28_073),
        ("mesoinception4", 28_615, 28_725),
        ("shallownet", 118_078_241, 118_080_289),
        ("xception", 20_811_050, 20_865_578),
        ("efficientnet-b0", 4_010_110, 4_052_126),
    ],
)
def test_a_named_model_has_its_references_parameters(name: str, trained: int, in_all: int) -> None:
    with torch.device("meta"):
        model = build(name, TWO)
        logits, features = model(torch.zeros(2, 3, 256, 256))
    assert (logits.shape, features.shape) == ((2, 2), (2, model.num_features))
    assert sum(p.numel() for p in model.parameters()) == trained
    assert trained + sum(b.numel() for name, b in model.named_buffers() if "running" in name) == in_all


@pytest.mark.parametrize("name", [*MODELS, *FIVE])
def test_what_transfer_trains_ends_with_the_head(name: str) -> None:
    with torch.device("meta"):
        model = build(name, TWO)
    names = [name for name, _ in model.named_parameters()]
    last = [name for name in names if name.startswith(model.transfer_layers)]
    assert last == names[-len(last) :]
    assert all(any(name.startswith(prefix) for name in last) for prefix in model.transfer_layers)
    assert len(last) < len(names)


@pytest.mark.parametrize("coarse", [True, False])
@pytest.mark.parametrize("name", [*MODELS, *FIVE])
def test_every_parameter_of_a_network_has_its_depth(name: str, coarse: bool) -> None:
    with torch.device("meta"):
        network = build(name, TWO).network
    depth = group_parameters(network, network.group_matcher(coarse=coarse), reverse=True)
    assert depth.keys() == {name for name, _ in network.named_parameters()}
    first, *_, last = depth.values()
    assert 0 == first < last == max(depth.values())


@pytest.mark.parametrize("name", ["mesonet4", "mesoinception4", "shallownet"])
@pytest.mark.parametrize("size", [20, 33, 64])
def test_a_small_detector_is_one_unit_for_two_classes_and_a_unit_a_class_for_more(name: str, size: int) -> None:
    images = torch.rand(2, 3, size, size)
    logits, _ = build(name, TWO, size=size).eval()(images)
    assert torch.allclose(logits.softmax(1)[:, 0], logits[:, 0].sigmoid())
    assert torch.equal(logits[:, 1], torch.zeros(2))
    assert build(name, THREE, size=size).eval()(images)[0].shape == (2, 3)


@pytest.mark.parametrize(("name", "least"), [("shallownet", 20), ("xception", 71)])
def test_a_size_too_small_for_a_named_model_gives_the_least(name: str, least: int) -> None:
    with pytest.raises(
        DfxError, match=f"{name} cannot be built for {least - 1} px; choose a --size of at least {least}"
    ):
        build(name, TWO, size=least - 1)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "dna-det"])
def test_a_model_of_the_study_takes_images_that_are_only_divided_by_255(name: str) -> None:
    spec = input_spec(name)
    assert (spec.size, spec.mean, spec.std) == (256, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def test_a_named_model_without_published_weights_says_so() -> None:
    with pytest.raises(DfxError, match="there are no pre-trained weights of mesonet4; use --weights none"):
        build("mesonet4", TWO, weights="imagenet")


@pytest.mark.parametrize("name", ["mesonet4", "xception"])
def test_a_named_models_run_is_loaded_again(tmp_path: Path, name: str) -> None:
    source = build(name, TWO, size=96)
    write_weights(tmp_path / "model.safetensors", source.state_dict(), facts(name, TWO))
    model = build(name, TWO, size=96, weights=str(tmp_path))
    assert all(torch.equal(source.state_dict()[name], value) for name, value in model.state_dict().items())


def test_the_penalty_is_kerass_l2_of_every_kernel_but_the_last_units() -> None:
    model = build("shallownet", TWO, size=32)
    penalty = model.penalty()
    kernels = [p for name, p in model.network.named_parameters() if name.endswith("weight")]
    assert len(kernels) == 9
    assert isinstance(penalty, torch.Tensor)
    assert penalty.detach().item() == pytest.approx(
        1e-4 * sum((k.detach().double() ** 2).sum().item() for k in kernels), rel=1e-5
    )
    penalty.backward()
    assert torch.allclose(kernels[0].grad, 2e-4 * kernels[0])
    assert all(p.grad is None for p in model.head.parameters())


@pytest.mark.parametrize("name", ["mesonet4", "test_resnet"])
def test_a_model_without_l2_has_no_penalty(name: str) -> None:
    assert build(name, TWO, size=32).penalty() == 0.0


def test_the_input_is_the_networks_own_unless_a_size_is_given() -> None:
    spec = input_spec("tf_efficientnetv2_b0")
    assert (spec.size, spec.mean, spec.std) == (192, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert input_spec("test_resnet", 64).size == 64
    assert input_spec("test_resnet", 64).mean == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("resent50", "resnet50"), ("mesonet", "mesonet4"), ("test_resnet.r160_in2k", "test_resnet.r160_in1k"), ("", "")],
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
    assert "(HF_HUB_OFFLINE is set, and the hub's cache does not hold them)" in str(caught.value)


def test_the_hubs_own_lines_on_its_attempts_are_not_shown(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def attempts(*_: object, **__: object) -> None:
        logging.getLogger("huggingface_hub.utils._http").warning("Retrying in 1s [Retry 1/5].")
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(logging.getLogger("huggingface_hub"), "propagate", True)
    monkeypatch.setattr(timm, "create_model", attempts)
    with pytest.raises(DfxError, match=r"could not be fetched \(Name or service not known\); use --weights none"):
        build("test_resnet", TWO, weights="imagenet")
    assert "Retrying" not in caplog.text


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
