"""The recipe's files lie beside the package; one thread, as tiny tensors gain nothing by more."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "recipes" / "image"))
torch.set_num_threads(1)
