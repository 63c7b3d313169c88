"""How fast a store is read, decoded and handed out, in one run, on the same samples, with the same output."""

from dataengine.throughput.contenders import CONTENDERS, OWN, PEERS, Contender, own
from dataengine.throughput.machine import machine
from dataengine.throughput.measure import measure
from dataengine.throughput.records import OURS, REFERENCE, Report, Result, Settings

__all__ = [
    "CONTENDERS",
    "OURS",
    "OWN",
    "PEERS",
    "REFERENCE",
    "Contender",
    "Report",
    "Result",
    "Settings",
    "machine",
    "measure",
    "own",
]
