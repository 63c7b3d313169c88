"""The machine that a measurement belongs to, and the CPU time that it took."""

from __future__ import annotations

import multiprocessing
import os
import platform
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from dataengine.backends.slices import usable_cpus

_PACKAGES = (
    "torch",
    "numpy",
    "simplejpeg",
    "opencv-python-headless",
    "nvidia-dali-cuda130",
    "nvidia-nvimgcodec-cu13",
    "nvidia-nvjpeg",
    "torchvision",
    "pillow",
    "webdataset",
    "ffcv",
    "litdata",
    "mosaicml-streaming",
    "spdl",
)


def machine() -> dict[str, Any]:
    """The processor, the GPUs with their driver, and the versions that a measurement depends on."""
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "usable_cpus": usable_cpus(),
        "gpus": gpus,
        "driver": _driver() if gpus else None,
        "cuda": torch.version.cuda,
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _PACKAGES},
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _driver() -> str | None:
    """The NVIDIA driver's version, as its own tool tells it."""
    ask = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        told = subprocess.run(ask, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return told.splitlines()[0].strip() if told.strip() else None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def cpu_seconds() -> float:
    """CPU time of this process so far, and of its living workers where /proc tells it (to 10 ms)."""
    return time.process_time() + sum(_worker_seconds(child.pid) for child in multiprocessing.active_children())


def _worker_seconds(pid: int | None) -> float:
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")
