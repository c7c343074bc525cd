"""How large and of what shape a set's own pictures are: more pixels than they have tell a source nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landbridge.core.domain import Domain

LOOKED_AT = 16  # pictures, spread over the rows that are not test; photographs take a tenth of a second each
SMALL = 28  # pixels of the longer side up to which pictures count as small; letters of 40 already lose at 64


@dataclass(frozen=True)
class Originals:
    """The longer side of the median picture in pixels, and whether every one looked at is square."""

    side: int
    square: bool

    @property
    def small(self) -> bool:
        """Whether they hold no more than a small input would show."""
        return self.side <= SMALL


def originals(domain: Domain) -> Originals | None:
    """What the pictures of a domain are like; None where it has no pictures."""
    if domain.modality.part_name != "image":
        return None
    rows = domain.folds[0].rest
    some = rows[np.linspace(0, len(rows) - 1, min(LOOKED_AT, len(rows))).astype(int)]
    sizes = np.array([picture.size for picture in domain.examples(some)])
    return Originals(side=int(np.median(sizes.max(1))), square=bool((sizes[:, 0] == sizes[:, 1]).all()))
