"""What flows between blocks, measured with zeros, is what flows with real inputs."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from bodies import GRIDS, SEQUENCES, inputs, tiny

from landbridge.core.errors import UsageError
from landbridge.core.model import Model
from landbridge.tunings.flow import flow_of


@pytest.mark.parametrize("kind", [*SEQUENCES, *GRIDS])
def test_widths_and_grids_are_those_of_real_tokens(kind: str) -> None:
    body = tiny(kind)
    flow, model, given = flow_of(body, "test"), Model(body, torch.nn.Identity()), inputs(body)
    for k in range(len(body.blocks) + 1):
        tokens, mask = model.tokens_at(k, given)
        assert (flow.widths[k], flow.grids[k]) == (tokens.shape[-1], mask.dim() == 3)
    assert len(flow.widths) == len(body.blocks) + 1 and flow.grids[0] is (kind in GRIDS)


def test_a_body_that_takes_no_zeros_is_named_in_one_line() -> None:
    closed = SimpleNamespace(blocks=[], address="tiny:closed", net=torch.nn.Linear(2, 2))
    with pytest.raises(UsageError, match="adapter: cannot tell what flows between the blocks of tiny:closed; try lora"):
        flow_of(closed, "adapter")
