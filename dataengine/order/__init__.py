"""Which sample stands at which position: pure functions of (rows, policy, seed, epoch, position).

Workers, threads, ranks and backends never enter, so the global order is the same for any of them, and a stream is
resumed by its position alone. `policy` says what is promised, `parse` reads it from text, `epochs` makes an order of
it; each policy's arithmetic has a file of its own, over the keyed permutation of `permutation`.
"""

from __future__ import annotations

from dataengine.order.epochs import Order
from dataengine.order.hashing import counter_hash, text_hash, uniform
from dataengine.order.parse import POLICIES, parse_policy
from dataengine.order.permutation import permute
from dataengine.order.policy import Balanced, Blocked, Groups, Mixed, Policy, Sequential, Shuffled

__all__ = [
    "POLICIES",
    "Balanced",
    "Blocked",
    "Groups",
    "Mixed",
    "Order",
    "Policy",
    "Sequential",
    "Shuffled",
    "counter_hash",
    "parse_policy",
    "permute",
    "text_hash",
    "uniform",
]
