"""Files of a run that are whole or not there, and a training's state that loads without unpickling code."""

from __future__ import annotations

import json
import os
import random
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from dataengine.errors import StateError

STATE_FORMAT = 1

PART = ".part"
"""The end of the name of a file that is still being written."""


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file beside `path`, then give it its name.

    Raises StateError where the file cannot be written (a full disk); `path` is then what it was before.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=PART)
        os.close(handle)
        temporary = Path(name)
        write(temporary)
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o644)  # mkstemp's own mode shuts the group out
        os.replace(temporary, path)
    except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors wrap what the disk said
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise StateError(f"{path} cannot be written ({reason}); free space or choose another folder") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def sweep_parts(folder: Path) -> None:
    """Remove what killed writes left in a folder."""
    for part in folder.glob(f".*{PART}"):
        part.unlink(missing_ok=True)


def write_json(path: Path, payload: Any) -> None:
    """Write JSON, whole or not at all."""
    write_whole(path, lambda file: _dump(file, json.dumps(payload, indent=2, allow_nan=False) + "\n"))


def write_json_lines(path: Path, lines: list[dict[str, Any]]) -> None:
    """Write an object a line, whole or not at all."""
    write_whole(path, lambda file: _dump(file, "".join(json.dumps(x, allow_nan=False) + "\n" for x in lines)))


def _dump(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")


def write_weights(path: Path, state: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write a state dict as safetensors; `facts` (model, taxonomy, ...) go into its metadata as JSON."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    write_whole(path, lambda file: save_file(tensors, file, metadata={"dfx": json.dumps(facts)}))


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    """The tensors of a safetensors file, on the CPU, and dfx's facts about them (None: another program's file).

    Raises StateError where the file is missing or damaged.
    """
    try:
        with safe_open(path, framework="pt") as stream:
            written = (stream.metadata() or {}).get("dfx")
            return {name: stream.get_tensor(name) for name in stream.keys()}, json.loads(written) if written else None  # noqa: SIM118
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise StateError(f"{path} cannot be read as safetensors ({error}); give another file of weights") from None


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a training's state: tensors, numbers, texts, lists and dicts of them."""
    write_whole(path, lambda file: torch.save({"format": STATE_FORMAT, **state}, file))


def read_state(path: Path) -> dict[str, Any]:
    """The inverse of `write_state`, tensors on the CPU. Raises StateError where the file is damaged or another's."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zip, end-of-file: torch lets each kind through
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise StateError(f"{path} is damaged ({reason}); delete it to train from the start") from None
    if not isinstance(state, dict) or state.get("format") != STATE_FORMAT:
        raise StateError(f"{path} is no training state of format {STATE_FORMAT}; delete it to train from the start")
    return state


def seed_generators(seed: int) -> None:
    """Seed Python's, NumPy's and torch's global generators, the GPUs' too."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  the global generator is what libraries draw from
    torch.manual_seed(seed)


def generator_states() -> dict[str, Any]:
    """The state of every global generator, of types that load with `weights_only=True`."""
    name, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)  # noqa: NPY002
    return {
        "python": random.getstate(),
        "numpy": (name, torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, gauss),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore_generators(states: Mapping[str, Any]) -> None:
    """Put every global generator where `generator_states` found it."""
    random.setstate(states["python"])
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(states["torch"])
    if states["cuda"] and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])
