"""Numbers on their way from a device to the host."""

from __future__ import annotations

import pytest
import torch

from trainers.readback import Readback


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_the_numbers_are_those_that_the_device_made(device: str) -> None:
    values = torch.arange(3, dtype=torch.float32, device=device) / 2
    assert Readback(values).numbers() == [0.0, 0.5, 1.0]


@pytest.mark.gpu
def test_the_host_does_not_wait_for_what_the_device_was_given_since() -> None:
    values = torch.ones(2, device="cuda")
    torch.cuda.synchronize()
    read = Readback(values)
    torch.cuda._sleep(10**9)  # cycles: about half a second
    after = torch.cuda.Event()
    after.record()
    assert read.numbers() == [1.0, 1.0]
    assert not after.query()
    torch.cuda.synchronize()
