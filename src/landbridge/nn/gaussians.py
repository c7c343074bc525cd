"""How far Gaussians are apart in optimal transport (Bures-Wasserstein).

Shapes: D width, K Gaussians, L rows of a factor F whose covariance is F'F.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def factor(centred_ND: Tensor) -> Tensor:
    """LxD with F'F = the covariance of rows whose mean is 0, and no more rows than needed."""
    scaled = centred_ND / len(centred_ND) ** 0.5
    return torch.linalg.qr(scaled, mode="r").R if scaled.shape[0] > scaled.shape[1] else scaled


def between(one_KD: Tensor, one_factors: Sequence[Tensor], other_KD: Tensor, other_factors: Sequence[Tensor]) -> Tensor:
    """Squared 2-Wasserstein distances between two lists of Gaussians, given by means and factors.

    `|m - m'|^2 + tr S + tr S' - 2 tr (S^1/2 S' S^1/2)^1/2` (Dowson & Landau 1982), where the last trace is the sum of
    the singular values of F F'^T: exact for covariances of any rank, and no DxD matrix is made.
    """
    apart = (one_KD.unsqueeze(1) - other_KD).square().sum(2)
    one_K, other_K = (torch.stack([f.square().sum() for f in fs]) for fs in (one_factors, other_factors))
    shared = torch.stack(
        [torch.stack([torch.linalg.svdvals(f @ g.T).sum() for g in other_factors]) for f in one_factors]
    )
    return (apart + one_K.unsqueeze(1) + other_K - 2 * shared).clamp_min(0.0)


def squared(apart: Tensor, here_DD: Tensor, there_DD: Tensor) -> Tensor:
    """Squared 2-Wasserstein distance of two Gaussians whose centres lie sqrt(`apart`) from each other; symmetric
    covariances DxD of any rank."""
    spread, axes = torch.linalg.eigh(here_DD)
    root = axes * spread.clamp_min(0.0).sqrt() @ axes.T
    product = root @ there_DD @ root
    shared = torch.linalg.eigvalsh(0.5 * (product + product.T)).clamp_min(0.0).sqrt().sum()
    return (apart + here_DD.diagonal().sum() + there_DD.diagonal().sum() - 2 * shared).clamp_min(0.0)
