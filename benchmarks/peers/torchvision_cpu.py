"""torchvision as it comes with some peers was built for CUDA and cannot be imported beside a CPU PyTorch.

What makes its Python part importable is the file that landbridge uses for timm; it needs nothing but torch.
"""

from __future__ import annotations

import runpy
from pathlib import Path

SCHEMAS = Path(__file__).parents[2] / "src" / "landbridge" / "sources" / "torchvision_schemas.py"


def mend() -> None:
    """Call this before the first import of timm, fastai or AutoGluon."""
    runpy.run_path(str(SCHEMAS))["mend"]()
