"""Which sources are at hand for a domain, when none is named."""

from __future__ import annotations

from landbridge.core import registry
from landbridge.core.domain import Domain
from landbridge.engine.predictor import open_source
from landbridge.planning.candidates import Offer, routes

MOST = 4  # sources tried when none is named
FROM_NOTHING = "scratch:convnet"


def default_sources(domain: Domain) -> list[str]:
    """Addresses that a bridge connects to the domain, those made for another modality last (columns are a table's and
    curves a series'); an architecture without weights where there is none, so that the comparison can still be made."""
    modality = domain.modality.part_name
    others = set(registry.names("modalities")) - {modality}
    found = [
        (entry["reads"] in others, str(entry["address"]))
        for scheme in registry.names("sources")
        for entry in registry.find("sources", scheme)().known()
        if not str(entry["address"]).startswith("scratch:") and routes(modality, str(entry["reads"]))
    ]
    addresses = [address for _, address in sorted(found)][:MOST]
    if not addresses and routes(modality, "image"):
        return [FROM_NOTHING]
    return addresses


def readable(address: str, domain: Domain, *, weights: bool = False) -> Offer:
    """What an address offers; with `weights` its body is opened whole, so that a misfit shows."""
    body = open_source(address, weights=weights, modality=domain.modality.part_name)
    return Offer(address, body.reads, bool(body.card.get("generated")))
