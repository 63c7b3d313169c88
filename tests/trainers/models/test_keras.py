from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from dataengine.errors import DfxError, StateError
from tests.trainers.models import keras_mesonets
from trainers.models.keras import read_mesonet

MADE = {"mesonet4": keras_mesonets.mesonet4, "mesoinception4": keras_mesonets.mesoinception4}


def as_save(model: Any, path: Path) -> None:
    model.save(path)


def as_save_weights(model: Any, path: Path) -> None:
    """The layout of Keras 2's `save_weights`, its names with ":0" and in bytes."""
    from keras.src.legacy.saving import legacy_h5_format

    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)
        for layer in file.attrs["layer_names"]:
            group = file[layer]
            names = list(group.attrs["weight_names"])
            for name in names:
                group.move(name, f"{name}:0")
            group.attrs["weight_names"] = [f"{name}:0".encode() for name in names]
        file.attrs["layer_names"] = [name.encode() for name in file.attrs["layer_names"]]


@pytest.mark.parametrize("write", [as_save, as_save_weights])
@pytest.mark.parametrize("name", MADE)
def test_imported_weights_say_what_keras_says(name: str, write: Callable[[Any, Path], None], tmp_path: Path) -> None:
    theirs = MADE[name]()
    write(theirs, tmp_path / "weights.h5")
    found, ours = read_mesonet(tmp_path / "weights.h5")
    assert found == name
    rng = np.random.default_rng(1)
    images = rng.random((4, 1, 1, 3), dtype=np.float32) * rng.random((4, 256, 256, 3), dtype=np.float32)
    p_real = np.asarray(theirs.predict_on_batch(images))[:, 0]
    with torch.inference_mode():
        logits, _ = ours(torch.from_numpy(images).permute(0, 3, 1, 2))
    assert np.ptp(p_real) > 0.01  # else a constant would do
    np.testing.assert_allclose(logits.softmax(1)[:, 0].numpy(), p_real, rtol=0, atol=1e-5)


def test_weights_of_another_network_are_refused_with_what_they_have(tmp_path: Path) -> None:
    import keras

    other = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3), keras.layers.Flatten()])
    other.save(tmp_path / "other.h5")
    with pytest.raises(StateError, match=r"other.h5 holds no MesoNet-4 or .*1 convolutions, 0 dense, 0 batch norms"):
        read_mesonet(tmp_path / "other.h5")


def test_a_file_that_keras_did_not_write_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("no HDF5")
    h5py.File(tmp_path / "empty.h5", "w").close()
    for name in ("text.h5", "empty.h5"):
        with pytest.raises(StateError, match=rf"{name} holds no weights that Keras wrote") as caught:
            read_mesonet(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(StateError, match="no file at"):
        read_mesonet(tmp_path / "absent.h5")


def test_without_h5py_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(DfxError, match=r"needs h5py; install it with pip install -e '\.\[keras\]'"):
        read_mesonet(tmp_path / "weights.h5")
