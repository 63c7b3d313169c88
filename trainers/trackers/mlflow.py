"""MLflow: a run in the store that MLFLOW_TRACKING_URI names."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

SEND_EVERY_S = 10.0
"""Seconds of metrics that go to the store in one request: it takes tens of milliseconds, in which training waits."""

_DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""What the environment does not say otherwise. A server that stops answering then holds a training up for less than a
minute, once; by MLflow's own defaults it is a quarter of an hour, and other processes of the training give up waiting.
Standard output belongs to the command line."""


class Mlflow:
    """Settings as params, numbers as metrics by step, of a run in the experiment MLFLOW_EXPERIMENT_NAME (`dfx`).

    It uses a client of its own, so that a run which the calling program has active is left alone.
    """

    def __init__(self, run: Path, settings: Mapping[str, Any], continued: str | None) -> None:
        """Begin a run, or go on in the one of the id `continued`."""
        from mlflow import MlflowClient
        from mlflow.entities import Param

        for name, value in _DEFAULTS.items():
            os.environ.setdefault(name, value)
        self._client = MlflowClient()
        self._waiting: list[Metric] = []
        self._sent = float("-inf")
        self._last: dict[str, int] = {}
        if continued is None:
            self.id: str = self._client.create_run(_experiment(self._client), run_name=run.name).info.run_id
            params = [Param(name, str(value)) for name, value in settings.items()]
            self._client.log_batch(self.id, params=params)
            return
        self.id = continued
        for name in self._client.get_run(continued).data.metrics:
            self._last[name] = max(metric.step for metric in self._client.get_metric_history(continued, name))
        self._client.update_run(continued, status="RUNNING")

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Send the values, or keep them for the next request; what an earlier process has sent stays as it is."""
        from mlflow.entities import Metric

        now_ms = int(time.time() * 1000)
        self._waiting += [
            Metric(name, value, now_ms, step) for name, value in values.items() if step > self._last.get(name, -1)
        ]
        if time.monotonic() - self._sent >= SEND_EVERY_S:
            self._send()

    def close(self, *, failed: bool) -> None:
        """Send what is left and end the run."""
        self._send()
        self._client.set_terminated(self.id, status="FAILED" if failed else "FINISHED")

    def _send(self) -> None:
        if self._waiting:
            self._client.log_batch(self.id, metrics=self._waiting)
        self._waiting = []
        self._sent = time.monotonic()


def _experiment(client: MlflowClient) -> str:
    """The id of the experiment, which is made where there is none."""
    from mlflow.exceptions import MlflowException

    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "dfx")
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name))
        except MlflowException:  # another training may have made it in between
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    return str(found.experiment_id)
