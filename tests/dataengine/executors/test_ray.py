"""Conversions on a real Ray cluster of three nodes that asks for a token, all on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dataengine.errors import DfxError, StoreError
from dataengine.executors import Ray
from tests.dataengine.test_convert import digests, run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Ray's test cluster does not run on Windows")

# In processes of their own: Ray reads once, when it is imported, whether there are tokens.
CLUSTER = """
from ray.cluster_utils import Cluster
node = {"include_dashboard": False, "object_store_memory": 80 << 20}
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **node})
lost, kept = (cluster.add_node(num_cpus=1, **node) for _ in range(2))
print(cluster.address, flush=True)
input()
cluster.remove_node(lost, allow_graceful=False)
print("lost", flush=True)
input()
cluster.shutdown()
"""
DRIVER = """
import sys
from dataengine.executors import Ray
from tests.dataengine.test_convert import run
def on_clip(done):
    print(done.clip.clip, flush=True)
    input()
run(*sys.argv[1:], executor=Ray(ADDRESS), on_clip=on_clip)
"""


@dataclass(frozen=True, slots=True)
class Nodes:
    """A head without cores and two nodes with one each."""

    process: subprocess.Popen[str]
    environment: dict[str, str]
    address: str

    def lose_one(self) -> None:
        said(self.process, answer=True)

    def driver(self, tree: Path, out: Path) -> subprocess.Popen[str]:
        """A conversion that names each clip on a line and waits for an answer."""
        program = DRIVER.replace("ADDRESS", repr(self.address))
        return started(program, str(tree), str(out), environment=self.environment)


def started(program: str, *arguments: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )


def said(process: subprocess.Popen[str], *, answer: bool = False) -> str:
    """The next line of a process, after an answer to the last one; "" at its end."""
    assert process.stdin is not None
    assert process.stdout is not None
    if answer:
        process.stdin.write("\n")
        process.stdin.flush()
    return process.stdout.readline().rstrip()


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    pytest.importorskip("ray")
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 4, "RAY_USAGE_STATS_ENABLED": "0"}
    environment = {**os.environ, **token, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with started(CLUSTER, environment=environment) as process:
        yield Nodes(process, environment, said(process))
        process.communicate("\n\n")


@pytest.fixture(scope="module")
def expected(image_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("expected") / "store"
    run(image_tree, out)
    return digests(out)


def test_a_driver_that_is_killed_is_taken_up_when_a_node_is_lost_too_and_each_clip_told_once(
    nodes: Nodes, image_tree: Path, tmp_path: Path, expected: dict[str, str]
) -> None:
    out = tmp_path / "out"
    with nodes.driver(image_tree, out) as first:
        for number in range(12):
            assert said(first, answer=number > 0)
        with pytest.raises(StoreError, match="another run is writing"):
            run(image_tree, out, executor=Ray(nodes.address))
        first.send_signal(signal.SIGKILL)
    assert not (out / "dataset.json").exists()
    with nodes.driver(image_tree, out) as second:
        first_clip = said(second)
        nodes.lose_one()
        rest = second.communicate("\n" * 100)[0].splitlines()  # Ray says something of the node, too
    told = [first_clip, *(line for line in rest if line.startswith("mini/"))]
    assert len(told) == len(set(told)) < 36  # what was finished is kept
    assert second.returncode == 0
    assert digests(out) == expected


def test_an_address_where_nothing_listens_is_refused_at_once(image_tree: Path, tmp_path: Path) -> None:
    with pytest.raises(DfxError, match=r"--address 127\.0\.0\.1:9: no Ray cluster answers there"):
        run(image_tree, tmp_path / "out", executor=Ray("127.0.0.1:9"))
