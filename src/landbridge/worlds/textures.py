"""Pictures of textures: eight families of patterns, a pattern for each class.

Shapes: N pictures, S pixels a side, W waves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np

from landbridge.core.contracts import Made
from landbridge.core.parts import part, real, whole
from landbridge.worlds import patterns
from landbridge.worlds.canvas import Pictures, class_names, in_chunks, made, painted, palettes
from landbridge.worlds.draws import Draws

Family = Callable[[Draws, Draws, float, int], np.ndarray]
FAMILIES: dict[str, Family] = {
    "grating": patterns.grating,
    "plaid": patterns.plaid,
    "gabor": patterns.gabor,
    "clouds": patterns.clouds,
    "marble": patterns.marble,
    "cells": patterns.cells,
    "labyrinth": patterns.labyrinth,
    "tiles": patterns.tiles,
}


@part(
    "textures",
    paper="Baradad et al. 2021 (learning from noise), arXiv:2106.05963; Perlin 1985; Worley 1996; "
    "Turing 1952, the labyrinths by the waves that grow first",
)
class Textures:
    """Gratings, plaids, Gabor patches, fractal noise, marble, cells, labyrinths and tiles; the class is one pattern.

    Class c is of family c modulo 8 with numbers of its own (scale, direction, sharpness); instances differ in place
    and colours and, by `spread`, in scale and direction. Labyrinths are the sum of twelve waves of one length in random
    directions, cut by a threshold: the pattern that a reaction with diffusion starts with, without solving it.
    """

    classes: int = whole(40, 2, 10_000, log=True, help="patterns; class 7 is the same one however many there are")
    size: int = whole(64, 16, 256, help="pixels a side")
    spread: float = real(0.1, 0.0, 0.5, help="how far an instance's scale and direction lie from its class's")
    modality: ClassVar[str] = "image"

    def make(self, seed: int, indices: np.ndarray) -> Made:
        """The pictures with these numbers; truth holds family, waves across the picture, and direction in turns."""

        def chunk(rows_N: np.ndarray) -> Pictures:
            draws, class_N = Draws(seed, "textures", rows_N), rows_N % self.classes
            names = list(FAMILIES)
            tone = np.empty((len(rows_N), self.size, self.size), np.float32)
            for number in np.unique(class_N % len(names)).tolist():
                chosen = np.flatnonzero(class_N % len(names) == number)
                here, kind = draws.at(rows_N[chosen]), draws.at(class_N[chosen])
                tone[chosen] = FAMILIES[names[number]](kind, here, self.spread, self.size)
            scale, turn = patterns.scale_and_turn(draws.at(class_N), draws, self.spread)
            truth = {
                "class": class_names("textures", class_N),
                "family": [names[c % len(names)] for c in class_N.tolist()],
                "waves": scale,
                "direction": turn % 1.0,
            }
            return painted(tone, palettes(draws, "ink", 3)), truth

        return made(in_chunks(chunk, indices, self.size, 32))
