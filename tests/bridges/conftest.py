"""Settings of the tests of bridges."""

from __future__ import annotations

import torch

torch.set_num_threads(1)  # the networks are tiny, and waiting for a second thread costs more than it gives
