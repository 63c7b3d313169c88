"""Arrays on their way to a device."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dataengine.sending import send


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_an_array_arrives_as_it_was(device: str) -> None:
    for values in (np.array([3, -1, 7]), np.array([True, False])):
        found = send(values, torch.device(device))
        assert found.device.type == device
        assert found.cpu().numpy().tolist() == values.tolist()
        assert found.cpu().numpy().dtype == values.dtype
