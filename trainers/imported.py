"""Weights that others published, as a finished run: evaluated and reported like any other, it says where it is from."""

from __future__ import annotations

from pathlib import Path

from dataengine.errors import StateError
from dataengine.store import file_sha256
from dataengine.version import VERSION
from trainers import checkpoint
from trainers import run as runs
from trainers.models.keras import read_mesonet
from trainers.models.mesonet import INPUT
from trainers.taxonomy import Taxonomy


def import_mesonet(file: Path, out: Path) -> runs.Run:
    """A run folder of MesoNet weights that Keras wrote, such as Meso4_DF.h5.

    What is not known stays so: the run has no sources, no epochs and no settings but task, model and weights.
    Raises StateError for a file that `read_mesonet` refuses and for a folder that holds a run already.
    """
    if runs.read_config(out) is not None:
        raise StateError(f"{out} holds a run already; choose another folder")
    name, model = read_mesonet(file)
    taxonomy = Taxonomy(task="detection", classes=("real", "fake"))
    digest = file_sha256(file)
    train = {
        "data": [],
        "task": taxonomy.task,
        "model": name,
        "weights": f"{file.name}, sha256 {digest[:12]}",
        "loss": "unknown",
    }
    config = {
        "format": runs.FORMAT,
        "dfx": VERSION,
        "versions": runs.versions_here(),
        "created": runs.now(),
        "train": train,
        "imported": {"file": file.name, "sha256": digest, "written_by": "Keras"},
        "taxonomy": taxonomy.as_dict(),
        "sources": [],
        "model": {
            "name": name,
            "params": sum(p.numel() for p in model.parameters()),
            "input_size": INPUT.size,
            "mean": list(INPUT.mean),
            "std": list(INPUT.std),
        },
    }
    result: dict[str, object] = {
        "finished": runs.now(),
        "metric": None,
        "best_epoch": None,
        "num_epochs": 0,
        "validation": [],
        "unreadable": [],
    }
    facts = {"model": name, "taxonomy": taxonomy.as_dict()}
    checkpoint.write_weights(out / runs.WEIGHTS_FILE, model.state_dict(), facts)
    checkpoint.write_json_lines(out / runs.METRICS_FILE, [])
    checkpoint.write_json(out / runs.RESULT_FILE, result)
    checkpoint.write_json(out / runs.CONFIG_FILE, config)  # last: without it there is no run, and a kill leaves none
    return runs.open_run(out)
