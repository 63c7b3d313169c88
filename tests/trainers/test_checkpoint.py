from __future__ import annotations

import errno
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from dataengine.errors import StateError
from trainers.checkpoint import (
    generator_states,
    read_state,
    read_weights,
    restore_generators,
    seed_generators,
    sweep_parts,
    write_state,
    write_weights,
    write_whole,
)


def draws() -> list[float]:
    return [random.random(), float(np.random.random()), float(np.random.standard_normal()), float(torch.rand(()))]  # noqa: NPY002


def test_generators_go_on_where_they_were_saved(tmp_path: Path) -> None:
    seed_generators(3)
    draws()
    write_state(tmp_path / "state.pt", {"generators": generator_states()})
    expected = draws()
    seed_generators(4)
    restore_generators(read_state(tmp_path / "state.pt")["generators"])
    assert draws() == expected


def test_a_full_disk_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    path.write_text("before")

    def fill_up(file: Path) -> None:
        file.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StateError, match=r"state.pt cannot be written .*No space left on device.*; free space"):
        write_whole(path, fill_up)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_write_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / ".state.pt.abc.part").touch()
    (tmp_path / "state.pt").touch()
    sweep_parts(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["state.pt"]


def test_weights_come_back_with_their_facts(tmp_path: Path) -> None:
    weight = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    write_weights(tmp_path / "w.safetensors", {"a.weight": weight}, {"model": "x"})
    state, facts = read_weights(tmp_path / "w.safetensors")
    assert torch.equal(state["a.weight"], weight)
    assert facts == {"model": "x"}


@pytest.mark.parametrize("damage", [b"", b"no archive", None])
def test_a_damaged_state_is_one_line_that_names_it(tmp_path: Path, damage: bytes | None) -> None:
    path = tmp_path / "state.pt"
    write_state(path, {"step": 1})
    path.write_bytes(path.read_bytes()[:-200] if damage is None else damage)
    with pytest.raises(StateError, match=r"state.pt is damaged .*; delete it") as caught:
        read_state(path)
    assert "\n" not in str(caught.value)


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("unpickled",)


def test_a_strangers_pickle_is_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"format": 1, "evil": Evil()}, tmp_path / "state.pt")
    with pytest.raises(StateError):
        read_state(tmp_path / "state.pt")
    assert "unpickled" not in capsys.readouterr().out
