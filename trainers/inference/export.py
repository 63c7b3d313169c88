"""A run's model as one file for programs that do not have dfx: ONNX or TorchScript, compared with the run itself."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dataengine.errors import DfxError, StoreError, unknown_name
from dataengine.loader import Loader
from dataengine.selection import select
from dataengine.version import VERSION
from trainers.checkpoint import write_whole
from trainers.run import Run

SUFFIX = {"onnx": ".onnx", "torchscript": ".torchscript"}
"""The formats, and how their files' names end."""

INPUT, OUTPUT = "images", "probabilities"
"""The graph's: float32 (N, 3, size, size), RGB in [0, 1] less the mean and over the std by channel, for any N; and
float32 (N, classes), each row summing to 1."""

FACTS_FILE = "dfx.json"
"""The extra file of a TorchScript archive that holds the facts as JSON."""

LARGEST_DIFFERENCE = 1e-4
"""Of a probability: float32 runtimes differ by some 1e-6 on a network, and a wrong operator by far more."""

_IMAGES = 8

Runner = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A file that agrees with the run."""

    path: Path
    format: str
    num_random: int
    """Images of noise that it was compared on, in batches of two sizes."""
    num_real: int
    """Images of the run's validation split; 0 where its stores are not there."""
    difference: float
    """The largest between its probabilities and the run's."""


def export(run: Run, path: Path, *, format: str) -> Exported:
    """Write the run's model to `path` as one of the formats in SUFFIX; its probabilities come out, not its logits.

    What it takes to use the file is in it (`facts`): in ONNX as metadata_props, in TorchScript as FACTS_FILE. Before
    the file is written, the exported model is run, on noise and on images of the run's validation split.

    Raises DfxError for an unknown format, a package that is not installed, a file that is there already, a model that
    cannot be exported, and one whose probabilities differ by more than LARGEST_DIFFERENCE.
    """
    if format not in SUFFIX:
        raise unknown_name("export format", format, SUFFIX)
    if path.exists():
        raise DfxError(f"{path} exists already; delete it, or name another --out")
    make = _onnx if format == "onnx" else _torchscript
    model = _Probabilities(run.model()).eval()
    noise, real = _noise(run), _real_images(run)
    batches = [noise, noise[:1], *([real] if len(real) else [])]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporters', of themselves; what counts is the comparison
            data, runner = make(model, noise[:2], facts(run))
            difference = max(_difference(model, runner, images) for images in batches)
    except DfxError:
        raise
    except Exception as error:  # each exporter has error types of its own
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise DfxError(f"{run.name} cannot be exported as {format} ({reason}); try another --format") from error
    if not difference <= LARGEST_DIFFERENCE:  # not a number is no agreement
        raise DfxError(
            f"the exported {format} model's probabilities differ from the run's by up to {difference:.2g}, more than "
            f"{LARGEST_DIFFERENCE:g}; nothing was written, try another --format"
        )
    write_whole(path, partial(_write, data))
    return Exported(path=path, format=format, num_random=len(noise) + 1, num_real=len(real), difference=difference)


def facts(run: Run) -> dict[str, Any]:
    """What it takes to use an exported model."""
    spec = run.input
    return {
        "dfx": VERSION,
        "run": run.name,
        "model": run.config["model"]["name"],
        "task": run.taxonomy.task,
        "classes": list(run.taxonomy.classes),
        "input_size": spec.size,
        "mean": list(spec.mean),
        "std": list(spec.std),
    }


class _Probabilities(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return torch.softmax(self.model(images)[0], dim=1)


def _torchscript(model: nn.Module, example: Tensor, facts: dict[str, Any]) -> tuple[bytes, Runner]:
    buffer = io.BytesIO()
    traced = torch.jit.trace(model, example)  # type: ignore[no-untyped-call]
    torch.jit.save(traced, buffer, _extra_files={FACTS_FILE: json.dumps(facts)})
    return buffer.getvalue(), torch.jit.load(io.BytesIO(buffer.getvalue()))  # type: ignore[no-untyped-call]


def _onnx(model: nn.Module, example: Tensor, facts: dict[str, Any]) -> tuple[bytes, Runner]:
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401  what torch's exporter writes with
    except ModuleNotFoundError as error:
        raise DfxError(
            f"{error.name} is not installed; ONNX takes: pip install -e '.[export]' in dfx's folder"
        ) from None
    program = torch.onnx.export(
        model,
        (example,),
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes={INPUT: {0: torch.export.Dim("batch")}},
        dynamo=True,
        verbose=False,
    )
    assert program is not None, "what the exporter gives where it works on a graph"
    proto = program.model_proto
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in facts.items()}
    onnx.helper.set_model_props(proto, texts)
    onnx.checker.check_model(proto)
    data = proto.SerializeToString()
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])

    def runner(images: Tensor) -> Tensor:
        (p,) = session.run([OUTPUT], {INPUT: images.numpy()})
        return torch.from_numpy(np.asarray(p))

    return data, runner


def _noise(run: Run) -> Tensor:
    """Images of uniform noise, normalised, the same each time."""
    spec = run.input
    pixels = torch.rand((_IMAGES, 3, spec.size, spec.size), generator=torch.Generator().manual_seed(0))
    mean, std = (torch.tensor(value)[:, None, None] for value in (spec.mean, spec.std))
    return (pixels - mean) / std


def _real_images(run: Run) -> Tensor:
    """The first images of the run's validation split, as evaluation sees them; none where its stores are not there."""
    spec, sources = run.input, run.config["sources"]
    try:
        rows = select([source["path"] + source["selection"] for source in sources], split="val")
        loader = Loader(
            rows,
            batch=_IMAGES,
            mode="eval",
            size=spec.size,
            mean=spec.mean,
            std=spec.std,
            rank=0,
            world_size=1,
            backend="cpu",
            threads=1,
        )
        with loader:
            batch = next(iter(loader))
            return batch.images[batch.valid].contiguous()
    except StoreError:
        return torch.empty(0)


def _difference(model: nn.Module, runner: Runner, images: Tensor) -> float:
    with torch.inference_mode():
        return float((model(images) - runner(images)).abs().max())


def _write(data: bytes, file: Path) -> None:
    file.write_bytes(data)
