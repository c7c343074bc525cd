"""A torchvision built for CUDA cannot register its operators beside a CPU PyTorch, and then nor timm nor transformers
can be imported. Defining the two schemas it looks for lets its Python part, which is all they use, load."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

import torch

OPERATORS = ("nms", "qnms")  # looked up on import; nothing here ever calls them
_kept: list[torch.library.Library] = []  # definitions live as long as this object


def mend() -> None:
    """Make an installed torchvision importable beside a CPU PyTorch; does nothing where there is none to mend."""
    if torch.version.cuda is not None or find_spec("torchvision") is None or _kept:
        return
    try:
        import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        for operator in OPERATORS:
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _kept.append(library)
        import_module("torchvision")
