"""What each rank runs under torchrun: `-m tests.dataengine.rank_program STORE OUT [STATE]`.

No rank or world size is ever passed to a loader. Writes OUT/rank-R.json.
"""

from __future__ import annotations

import json
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from dataengine.errors import DfxError
from dataengine.loader import Loader
from dataengine.selection import Rows, select

BATCH = 8
SIDE = 8
TAKEN = 3
"""Batches of the second epoch before the state is saved, and after it is restored."""


def open_loader(rows: Rows, **changes: Any) -> Loader:
    chosen = {"batch": BATCH, "mode": "train", "size": SIDE, "threads": 1, "seed": 5, "augment": "crop", **changes}
    return Loader(rows, rows.codes("method")[0], **chosen)


def rows_of(loader: Loader, most: int | None = None) -> list[list[int]]:
    return [batch.rows.tolist() for batch in islice(loader, most)]


def trained(rows: Rows) -> list[float]:
    """The weights of a tiny model after an epoch, on all ranks together where there are several."""
    torch.manual_seed(0)
    model: nn.Module = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 3))
    if distributed.is_initialized():
        model = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with open_loader(rows) as loader:
        for batch in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(batch.images), batch.labels).backward()
            optimizer.step()
    return torch.cat([p.detach().flatten() for p in model.parameters()]).tolist()


def main() -> None:
    store, out, *state = map(Path, sys.argv[1:])
    rows = select([str(store)])
    said: dict[str, Any] = {}
    if state:
        distributed.init_process_group("gloo")
        with open_loader(rows) as loader:
            loader.load_state_dict(json.loads(state[0].read_text()))
            said["resumed"] = rows_of(loader, TAKEN)
    else:
        with open_loader(rows, mode="eval") as loader:
            said["before_init"] = rows_of(loader)
        distributed.init_process_group("gloo")
        with open_loader(rows, mode="eval") as loader:
            said["evaluated"] = rows_of(loader)
        with open_loader(rows) as loader:
            said["epoch"] = rows_of(loader)
            said["begun"] = rows_of(loader, TAKEN)
            said["state"] = loader.state_dict()
        try:
            open_loader(rows, batch=BATCH + 1)
        except DfxError as error:
            said["refused"] = str(error)
        said["weights"] = trained(rows)
    (out / f"rank-{distributed.get_rank()}.json").write_text(json.dumps(said))
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
