"""Which backend is taken, and why."""

from __future__ import annotations

import sys

import pytest
import torch

from dataengine.backends import choose_backend
from dataengine.errors import DfxError


@pytest.fixture
def no_dali(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "dataengine.backends.dali", raising=False)
    monkeypatch.setitem(sys.modules, "nvidia.dali", None)


def test_auto_is_cpu_where_the_device_is_and_says_why() -> None:
    assert choose_backend("auto", torch.device("cpu"))[0] == "cpu"
    assert "device is cpu" in choose_backend("auto", torch.device("cpu"))[1]


@pytest.mark.usefixtures("no_dali")
def test_auto_is_cpu_on_a_gpu_without_dali_and_says_why() -> None:
    name, reason = choose_backend("auto", torch.device("cuda"))
    assert name == "cpu"
    assert "DALI cannot be imported" in reason


@pytest.mark.usefixtures("no_dali")
def test_asking_for_dali_where_it_is_absent_names_the_remedy() -> None:
    with pytest.raises(DfxError, match="pip install nvidia-dali-cuda130"):
        choose_backend("dali", torch.device("cpu"))


@pytest.mark.skipif(sys.platform != "linux", reason="DALI is for Linux")
def test_a_dali_that_is_too_old_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "dataengine.backends.dali", raising=False)
    monkeypatch.setattr("nvidia.dali.__version__", "2.1.1")
    with pytest.raises(
        DfxError, match=r"DALI 2\.1\.1 is older than 2\.2: add --upgrade.*pip install nvidia-dali-cuda130"
    ):
        choose_backend("dali", torch.device("cpu"))


@pytest.mark.skipif(sys.platform != "linux", reason="DALI is for Linux")
def test_auto_is_dali_for_a_cuda_device() -> None:
    assert choose_backend("auto", torch.device("cuda"))[0] == "dali"


def test_an_unknown_backend_names_the_known_ones() -> None:
    with pytest.raises(DfxError, match="did you mean dali"):
        choose_backend("daly", torch.device("cpu"))
