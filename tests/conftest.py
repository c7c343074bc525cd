"""Settings of every test: one thread, nothing fetched, a cache of its own; and a tiny text encoder for the session."""

from __future__ import annotations

import os
from collections.abc import Iterator

os.environ["HF_HUB_OFFLINE"] = "1"  # before any library reads it

import pytest
import torch

from encoder_folder import write_encoder

torch.set_num_threads(1)  # on tiny tensors more threads only wait for each other


@pytest.fixture(scope="session", autouse=True)
def _no_shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests compute stays out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANDBRIDGE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a tiny encoder of random weights."""
    return write_encoder(tmp_path_factory.mktemp("encoder"))
