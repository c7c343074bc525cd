"""Series of nine kinds of process: smooth chance, noise with memory, regimes, events, chaos, hearts, machines.

Shapes: N series, L steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np

from landbridge.core.contracts import Made
from landbridge.core.parts import part, real, whole
from landbridge.worlds import processes
from landbridge.worlds.canvas import class_names, records
from landbridge.worlds.draws import Draws

Process = Callable[[Draws, Draws, int], np.ndarray]
FAMILIES: dict[str, Process] = {
    "smooth": processes.smooth,
    "memory": processes.memory,
    "regimes": processes.regimes,
    "events": processes.events,
    "lorenz": processes.lorenz,
    "logistic": processes.logistic,
    "seasons": processes.seasons,
    "heart": processes.heart,
    "bearing": processes.bearing,
}


@part(
    "series",
    paper="Rahimi and Recht 2007 (random Fourier features); Lorenz 1963; May 1976; McSharry et al. 2003 (ECG); "
    "McFadden and Smith 1984 (bearings)",
)
class Series:
    """Gaussian processes, autoregressions, regimes, events, Lorenz, logistic map, seasons, ECG and bearing signals.

    Class c is of family c modulo 9 with parameters of its own; instances differ in their chance, start and phase. A
    smooth series is a Gaussian process by 24 random Fourier features, which is the process itself only in the limit;
    the Lorenz system is stepped by Euler's rule (0.01), exactly as it can be recomputed. Series are not standardised.
    """

    classes: int = whole(9, 2, 1000, help="processes; class 7 is the same one however many there are")
    length: int = whole(256, 32, 4096, help="steps")
    noise: float = real(0.05, 0.0, 1.0, help="deviation of added noise")
    modality: ClassVar[str] = "series"

    def make(self, seed: int, indices: np.ndarray) -> Made:
        """The series with these numbers, Nx1xL float32; truth holds family and parameters."""
        draws, class_N = Draws(seed, "series", indices), indices % self.classes
        values = np.empty((len(indices), self.length))
        names = list(FAMILIES)
        for number in np.unique(class_N % len(names)).tolist():
            rows = np.flatnonzero(class_N % len(names) == number)
            here, kind = draws.at(indices[rows]), draws.at(class_N[rows])
            values[rows] = FAMILIES[names[number]](kind, here, self.length)
        clean = values.astype(np.float32)
        if self.noise:
            values = values + self.noise * draws.normal("noise", self.length)
        labels = class_names("series", class_N)
        columns = {
            "class": labels, "family": [names[c % len(names)] for c in class_N.tolist()],
            "numbers": processes.numbers(draws.at(class_N)).tolist(), "clean": clean.tolist(),
        }  # fmt: skip
        return Made(examples=values.astype(np.float32)[:, None, :], labels=labels, truth=records(columns))
