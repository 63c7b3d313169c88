"""Who is measured: dfx's own loader, and the loaders that a user could take instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from dataengine.errors import DfxError
from dataengine.throughput.race import Entry, Race


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One loader. Its packages are imported when it enters, not before."""

    name: str
    what: str
    enter: Callable[[Race], Entry]
    """Raises DfxError where it cannot take part."""


def _peer(
    name: str, what: str, module: str, entry: str, needs: tuple[str, ...], install: str, **options: str
) -> Contender:
    """A peer's file is `peers/<module>.py`; `needs` are the modules that `install` brings."""

    def enter(race: Race) -> Entry:
        for needed in needs:
            try:
                import_module(needed)
            except ImportError as error:
                absent = isinstance(error, ModuleNotFoundError) and error.name == needed.partition(".")[0]
                reason = "not installed" if absent else f"cannot be imported ({error})"
                raise DfxError(f"{reason}; {install}") from None
        made: Entry = getattr(import_module(f"dataengine.throughput.peers.{module}"), entry)(race, **options)
        return made

    return Contender(name=name, what=what, enter=enter)


def own(name: str, what: str, backend: str, device: str, **options: Any) -> Contender:
    """dfx's loader with a backend on a device, and with `options` of `Loader`."""

    def enter(race: Race) -> Entry:
        from dataengine.throughput.loaders import OwnLoader

        return OwnLoader(race, backend=backend, device=device, **options)

    return Contender(name=name, what=what, enter=enter)


OWN = (
    own("cpu", "dfx, cpu", "cpu", "cpu"),
    own("dali_cpu", "dfx, DALI on CPU", "dali", "cpu"),
    own("dali_gpu", "dfx, DALI on GPU", "dali", "cuda"),
)

_DALI = "pip install nvidia-dali-cuda130 (Linux)"

# Those with worker processes come first: they fork, and do so before the others have started threads.
PEERS = (
    _peer(
        "torchvision",
        "ImageFolder + DataLoader",
        "torchvision",
        "ImageFolderEntry",
        ("torchvision",),
        "pip install torchvision",
    ),
    _peer(
        "webdataset_pil",
        "webdataset + PIL",
        "webdataset",
        "WebDatasetEntry",
        ("webdataset", "torchvision"),
        "pip install webdataset torchvision",
        decoder="pil",
    ),
    _peer(
        "webdataset_turbo",
        "webdataset + libjpeg-turbo",
        "webdataset",
        "WebDatasetEntry",
        ("webdataset",),
        "pip install webdataset",
        decoder="turbo",
    ),
    _peer(
        "litdata",
        "litdata",
        "litdata",
        "LitdataEntry",
        ("litdata", "torchvision"),
        "pip install litdata",
    ),
    _peer(
        "mosaic",
        "mosaic streaming",
        "mosaic",
        "MosaicEntry",
        ("streaming", "torchvision"),
        "pip install mosaicml-streaming",
    ),
    _peer("spdl", "SPDL", "spdl", "SpdlEntry", ("spdl.pipeline",), "pip install spdl"),
    _peer("ffcv", "FFCV", "ffcv", "FfcvEntry", ("ffcv.loader",), "see benchmarks/peers.txt"),
    _peer(
        "torchvision_gpu",
        "torchvision, GPU",
        "nvjpeg",
        "DecodeJpegEntry",
        ("torchvision",),
        "pip install torchvision",
        device="cuda",
    ),
    _peer("dali_native_cpu", "DALI's reader, CPU", "dali", "DaliEntry", ("nvidia.dali",), _DALI, device="cpu"),
    _peer("dali_native_gpu", "DALI's reader, GPU", "dali", "DaliEntry", ("nvidia.dali",), _DALI, device="gpu"),
)

CONTENDERS = (*OWN, *PEERS)
