"""DALI and Ray are optional: with either one blocked, all else imports and works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dataengine.store import Store

SCRIPT = """
import importlib.abc, pkgutil, sys
from pathlib import Path

blocked, store, out = sys.argv[1], sys.argv[2], Path(sys.argv[3])

class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == blocked or name.startswith(blocked + "."):
            raise ModuleNotFoundError(f"No module named {name!r} (blocked)", name=name)

sys.meta_path.insert(0, Block())
import cli, dataengine, trainers, tune_spaces

optional = {"nvidia.dali": "dataengine.backends.dali", "ray": "tune_spaces.hooks"}[blocked]
for package in (dataengine, trainers, tune_spaces, cli):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if module.name != optional:
            importlib.import_module(module.name)

from cli.doctor import examine
from dataengine.errors import DfxError
from dataengine.loader import Loader
from dataengine.selection import select
from trainers.config import TrainConfig
from trainers.evaluation.evaluate import evaluate
from trainers.fit import fit
from trainers.report.page import build_report

rows = select([store], split="train")
with Loader(rows, rows.codes("method")[0], batch=8, mode="train", size=32, augment="crop") as loader:
    assert loader.backend == "cpu"
    assert sum(len(batch.rows) for batch in loader) == len(rows) // 8 * 8
config = TrainConfig(data=(store,), model="test_resnet", weights="none", size=32, epochs=1, batch=12, threads=1)
fit(config, out / "run")
evaluate(out / "run", [store], threads=1)
build_report([out / "run"], out / "report.html")
assert examine()["backend"] == "cpu"
if blocked == "ray":
    from tune_spaces.sweep import SweepConfig, sweep
    attempt = lambda: sweep(SweepConfig(train=config, targets=(store,), models=("test_resnet",), gpus=0), out / "sweep")
else:
    attempt = lambda: Loader(rows, rows.codes("method")[0], batch=8, mode="train", size=32, backend="dali")
try:
    attempt()
except DfxError as error:
    print("refused:", error)
"""


@pytest.mark.parametrize("blocked", ["nvidia.dali", "ray"])
def test_all_else_works_without(blocked: str, whole_store: Store, tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, blocked, str(whole_store.root), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-3000:]
    (refusal,) = [line for line in done.stdout.splitlines() if line.startswith("refused:")]
    assert "install" in refusal
    assert (tmp_path / "report.html").exists()
