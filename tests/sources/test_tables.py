"""Table networks from a folder, and embedded in the package where it holds the weights."""

from __future__ import annotations

import pytest
import torch

from landbridge import testing
from landbridge.core.errors import SourceError
from landbridge.nn.table_net import TableNet
from landbridge.sources.embedded import Embedded
from landbridge.sources.embedded_model import find, models
from landbridge.sources.embedded_models import tables
from landbridge.sources.tables import CARD, WEIGHTS, Tables, write_folder
from landbridge.testing.toys import TOY_TABLE


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(1)
    write_folder(tmp_path / "head", TableNet(TOY_TABLE), {"licence": "apache-2.0"})
    return tmp_path / "head"


def test_a_folder_keeps_the_contract_and_its_weights_in_half_precision(folder):
    testing.check_source(Tables(), str(folder))
    torch.manual_seed(1)
    written, net = TableNet(TOY_TABLE), Tables().open(str(folder)).net
    for name, value in written.state_dict().items():
        assert torch.equal(net.state_dict()[name], value.half().float())
    assert (folder / WEIGHTS).stat().st_size < 2 * sum(p.numel() for p in net.parameters()) + 20_000


def test_what_is_no_such_folder_is_said(folder):
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:200])
    with pytest.raises(SourceError, match="cannot be read as such a network"):
        Tables().open(str(folder))
    (folder / CARD).write_text('{"shape": {"layers": 3}}')
    with pytest.raises(SourceError, match="is none of such a network"):
        Tables().open(str(folder), weights=False)
    with pytest.raises(SourceError, match="is missing or names no shape"):
        Tables().open(str(folder.parent))


def test_an_installation_without_weights_does_not_offer_it_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "FOLDER", tmp_path)
    assert "embedded:tables" not in [k["address"] for k in Embedded().known()]
    assert "embedded:tables: no weights in this installation" in Embedded().lacking()
    with pytest.raises(SourceError, match="embedded:tables: this installation holds no weights"):
        Embedded().open("tables")


def test_with_weights_it_is_offered_and_verified(folder, monkeypatch):
    monkeypatch.setattr(tables, "FOLDER", folder)
    monkeypatch.setitem(models(), "tables", tables.model())
    assert "embedded:tables" in [k["address"] for k in Embedded().known()]
    assert not any("tables" in told for told in Embedded().lacking())
    testing.check_source(Embedded(), "tables")
    assert find("tables").parameters == sum(p.numel() for p in Embedded().open("tables").net.parameters())
    with (folder / WEIGHTS).open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x01")
    with pytest.raises(SourceError, match="is not the file it should be"):
        Embedded().open("tables")
