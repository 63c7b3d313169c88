"""Ray, started here or joined elsewhere, without its noise. Conversions, trainings and sweeps run on it."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from dataengine.errors import DfxError

OBJECT_STORE_BYTES = 80 * 2**20
"""Near Ray's smallest: dfx puts no tensors there, and Ray's default is 30 % of the memory."""

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_THRESHOLD_S": "60",
}
"""Ray's switches meanwhile: no telemetry, no warnings, no log files of its own, the working folder left alone, Ctrl-C
ends the work at once (what is on disk is whole at any time)."""

_LOGGERS = ("ray", "ray.tune", "ray.train")


@contextmanager
def connected(
    what: str,
    *,
    gpus: int | None,
    address: str | None,
    libraries: Sequence[str] = ("ray.train", "ray.tune"),
    variables: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Start Ray here with `gpus` GPUs (None: all), or join the cluster at `address`.

    Everything that was started is ended at exit. A Ray that already runs in this process is used and left running.
    `variables` are set in its worker processes. Raises DfxError, saying that `what` needs it, where Ray or one of its
    `libraries` is missing, or the cluster cannot be reached.
    """
    try:
        with _environment(QUIET):
            import ray

            for library in libraries:
                import_module(library)
    except ImportError as error:
        raise DfxError(
            f"{what} runs on Ray, which is not here ({error}); pip install 'ray[train,tune]' optuna"
        ) from None
    with _environment(QUIET), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        joined = ray.is_initialized()
        if not joined:
            terminated = signal.getsignal(signal.SIGTERM)
            _start(gpus=gpus, address=address, variables=variables or {})
            if callable(terminated) and threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, terminated)  # Ray has put its own in its place
        levels = {name: logging.getLogger(name).level for name in _LOGGERS}
        for name in levels:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
            if not joined:
                ray.shutdown()


def _start(*, gpus: int | None, address: str | None, variables: Mapping[str, str]) -> None:
    import ray

    # A worker finds these packages also where they run from a checkout; a working_dir would be uploaded instead.
    root = str(Path(__file__).resolve().parents[1])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    common: dict[str, Any] = {
        "runtime_env": {"env_vars": {"PYTHONPATH": os.pathsep.join(paths), **variables}},
        "log_to_driver": False,
        "logging_level": logging.CRITICAL,
    }
    if address is not None:
        try:
            _knock(address)
        except OSError as error:
            raise _nothing_there(address, error) from None
        try:
            ray.init(address=address, **common)
        except (OSError, RuntimeError, ValueError, ray.exceptions.AuthenticationError) as error:
            if address == "auto":
                raise _nothing_there(address, error) from None
            raise DfxError(
                f"--address {address}: a Ray cluster may be there, but does not let dfx in ({_line(error)}); if it "
                "asks for a token, set it here (RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token, docs/training.md), "
                "and use its versions of Ray and Python"
            ) from None
        return
    import torch

    ray.init(
        address="local",
        num_gpus=torch.cuda.device_count() if gpus is None else gpus,
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        **common,
    )


def _nothing_there(address: str, error: Exception) -> DfxError:
    return DfxError(
        f"--address {address}: no Ray cluster answers there ({_line(error)}); start one with `ray start --head`, or "
        "leave --address out to use this machine"
    )


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _knock(address: str) -> None:
    """Raise OSError where nothing listens: Ray itself would try for minutes, and fill the screen meanwhile."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set environment variables that the user has not set, for a while."""
    added = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
