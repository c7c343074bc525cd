"""Checks of what carries data to weights: sources, their bodies, and bridges."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from landbridge.core.contracts import Bridge, Source
from landbridge.core.domain import Domain
from landbridge.core.model import Body, Model, weights_hash
from landbridge.core.parts import name_of
from landbridge.nn.heads import Head
from landbridge.testing.data import toy_domain, toy_examples
from landbridge.testing.fields import check_fields
from landbridge.testing.toys import toy_body


def check_source(source: Source, address: str, *, modality: str | None = None) -> None:
    """A source opens an address (without scheme) to a body that keeps the contract; its files rebuild it."""
    check_fields("sources", source, cited=False)
    body = source.open(address, modality=modality)
    check_body(body)
    other = source.rebuild(body.files())
    other.net.load_state_dict(body.net.state_dict())
    inputs = _inputs(body)
    with torch.no_grad():
        same = [Model(b, Head(b.width, 1)).eval().features(inputs) for b in (body, other)]
    assert torch.equal(*same), f"{address}: rebuilt from its files, the body gives other numbers"
    assert json.dumps(other.prepare.spec()) == json.dumps(body.prepare.spec()), f"{address}: prepares otherwise"
    empty = source.open(address, weights=False, modality=modality).net
    shapes = [{n: t.shape for n, t in net.state_dict().items()} for net in (body.net, empty)]
    assert shapes[0] == shapes[1], f"{address}: without weights it is another architecture"
    if "sha256" in body.card:  # a pretrained one
        assert weights_hash(empty) != weights_hash(body.net), f"{address}: weights=False gives the weights"


def check_body(body: Body) -> None:
    """Blocks in a chain give what the whole gives, from every block; preparation and reset repeat exactly."""
    inputs, model = _inputs(body), Model(body, Head(body.width, 1)).eval()
    address = body.address
    with torch.no_grad():
        whole = model.features(inputs)
        assert whole.shape[1] == body.width, f"{address}: width is {body.width}, features are {whole.shape[1]} wide"
        assert bool(torch.isfinite(whole).all()), f"{address}: features are not finite"
        for k in range(len(body.blocks) + 1):
            tokens, mask = model.tokens_at(k, inputs)
            assert tokens.ndim == 3 and tuple(mask.flatten(1).shape) == tuple(tokens.shape[:2]), f"{address}: block {k}"
            torch.testing.assert_close(
                model.features_from(k, tokens, mask), whole, msg=f"{address}: from block {k} other features come out"
            )
    example = toy_examples(body.reads, 1)[0][0]
    first, second = body.prepare(example), body.prepare(example)
    assert all(np.array_equal(first[k], second[k]) for k in first), f"{address}: prepare does not repeat"
    json.dumps([body.prepare.spec(), body.card])
    before = {n: t.clone() for n, t in body.net.state_dict().items()}
    hashes = []
    for _ in range(2):
        body.reset(torch.Generator().manual_seed(5))
        hashes.append(weights_hash(body.net))
    body.net.load_state_dict(before)
    assert hashes[0] == hashes[1] != weights_hash(body.net), f"{address}: reset must redraw by the generator alone"


def check_bridge(bridge: Bridge, body: Body | None = None, domain: Domain | None = None) -> None:
    """A bridge gives a body that reads the domain's modality, the same from the same facts, which are JSON.

    Without body and domain, every route of the bridge is tried on toys of the two modalities.
    """
    check_fields("bridges", bridge, cited=False)
    assert bridge.routes, f"{name_of(bridge)}: names no route"
    if body is not None and domain is not None:
        _check_crossing(bridge, body, domain)
        return
    for data, reads in bridge.routes:
        pairs = [("text", "text"), ("image", "image")] if data == "*" else [(data, reads)]
        for modality, read in pairs:
            _check_crossing(bridge, toy_body(read), toy_domain(modality))


def _check_crossing(bridge: Bridge, body: Body, domain: Domain) -> None:
    name, rows = name_of(bridge), domain.folds[0].pairs[0].train
    facts: Mapping[str, Any] = json.loads(json.dumps(bridge.fit(body, domain, rows)))
    outputs = []
    for _ in range(2):
        joined = bridge.connect(body, facts)
        prepared = [joined.prepare(domain.example(int(r))) for r in rows[:4]]
        inputs = joined.prepare.collate(prepared)
        with torch.no_grad():
            outputs.append(Model(joined, Head(joined.width, 1)).eval().features(inputs))
        assert joined.reads == domain.modality.part_name, f"{name}: the body reads {joined.reads} afterwards"
        json.dumps(joined.prepare.spec())
    assert outputs[0].shape == (4, joined.width) and torch.equal(*outputs), f"{name}: the same facts, other numbers"


def _inputs(body: Body) -> dict[str, torch.Tensor]:
    examples, _ = toy_examples(body.reads, 4)
    return body.prepare.collate([body.prepare(example) for example in examples])
