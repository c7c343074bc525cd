"""A body that takes other data in, sharing the network of the one it comes from."""

from __future__ import annotations

import copy

from landbridge.core.model import Body, Prepare, Views


def rerouted(body: Body, *, reads: str, prepare: Prepare, views: Views | None) -> Body:
    """A shallow copy: the same weights (training one trains both), another way in."""
    other = copy.copy(body)
    other._modules = dict(body._modules)
    other.reads = reads
    other.prepare = prepare
    other.views = views
    return other
