"""From what a person wrote to a model folder on this machine; nothing is ever downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from huggingface_hub import scan_cache_dir, try_to_load_from_cache
from huggingface_hub.errors import CacheNotFound, HFValidationError

from landbridge.core.errors import SourceError


class Place(NamedTuple):
    """A model folder, and the weights file in it when one was named."""

    folder: Path
    weights: Path | None = None


def locate(address: str, scheme: str) -> Place:
    """A local folder, a local `.safetensors` file beside its config.json, or a hub name that is in the local cache.

    SourceError names what is missing and how to get it.
    """
    if not address.strip():
        raise SourceError(f"{scheme}: needs a folder, a .safetensors file or a hub name after the colon")
    path = Path(address).expanduser()
    if path.is_file():
        return Place(path.parent, _safe(path))
    if path.is_dir():
        return Place(path)
    if address.startswith(("/", ".", "~")) or address.count("/") > 1 or "\\" in address:
        raise SourceError(f"{scheme}:{address}: there is no such folder or file; check the path")
    try:
        config = try_to_load_from_cache(address, "config.json")
    except HFValidationError as error:
        raise SourceError(f"{scheme}:{address}: neither a local folder nor a hub name such as 'owner/model'") from error
    if not isinstance(config, str):
        raise SourceError(
            f"{scheme}:{address}: not in the local cache, and nothing is downloaded by itself; fetch it with "
            f"'hf download {address}', or give the path of a folder"
        )
    return Place(Path(config).parent)


def weights_in(place: Place, scheme: str) -> Path:
    """The weights file of a folder; SourceError for pickled weights or none at all."""
    if place.weights is not None:
        return place.weights
    for name in ("model.safetensors", "model.safetensors.index.json"):
        if (place.folder / name).is_file():
            return place.folder / name
    pickled = sorted(p.name for p in place.folder.iterdir() if p.suffix in (".bin", ".pt", ".pth", ".ckpt"))
    if pickled:
        raise SourceError(
            f"{scheme}:{place.folder}: holds only {pickled[0]}, a pickle, which can run code when it is read; "
            "convert it to model.safetensors first (safetensors.torch.save_file)"
        )
    raise SourceError(f"{scheme}:{place.folder}: has no model.safetensors; is the download complete?")


def cached(library: str) -> list[dict[str, Any]]:
    """Snapshots in the local hub cache that hold a configuration and safe weights, for `landbridge sources`."""
    try:
        repositories = scan_cache_dir().repos
    except CacheNotFound:
        return []
    found = []
    for repository in sorted(repositories, key=lambda r: r.repo_id):
        names = {file.file_name for revision in repository.revisions for file in revision.files}
        if repository.repo_type == "model" and "config.json" in names and "model.safetensors" in names:
            found.append({"address": f"{library}:{repository.repo_id}", "note": "in the local hub cache"})
    return found


def _safe(path: Path) -> Path:
    if path.suffix != ".safetensors":
        raise SourceError(
            f"{path}: only .safetensors files are read, as pickled weights can run code; convert it first"
        )
    return path
