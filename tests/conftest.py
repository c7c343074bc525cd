"""Settings of every test: one thread, nothing fetched; and a tiny text encoder for the session."""

from __future__ import annotations

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # before any library reads it

import pytest
import torch

from encoder_folder import write_encoder

torch.set_num_threads(1)  # on tiny tensors more threads only wait for each other


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a tiny encoder of random weights."""
    return write_encoder(tmp_path_factory.mktemp("encoder"))
