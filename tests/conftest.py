"""Settings of every test: one thread, nothing fetched."""

from __future__ import annotations

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # before any library reads it

import torch

torch.set_num_threads(1)  # on tiny tensors more threads only wait for each other
