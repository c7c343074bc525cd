"""One happening told in every modality: picture, video, sound, caption, table row and graph of facts.

Shapes: N happenings, K things (two), F frames, S pixels a side, T samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from landbridge.core.contracts import Made
from landbridge.core.examples import Sound
from landbridge.core.parts import choice, part, whole
from landbridge.worlds.canvas import rgb, to_bytes
from landbridge.worlds.draws import Draws
from landbridge.worlds.exact import exp, sine
from landbridge.worlds.figures import KINDS, coverage
from landbridge.worlds.telling import MOTIONS, SIZES, Thing, caption, row, triples

FRAMES, RATE = 8, 8000
_COLOURS = {"red": 0.0, "yellow": 0.16, "green": 0.35, "blue": 0.62, "purple": 0.8}
_RADII = {"small": 0.09, "large": 0.17}
_SPEED = 0.028  # of the picture, each frame


@part("events", paper="Girdhar and Ramanan 2020 (CATER), arXiv:1910.04744; Yi et al. 2020 (CLEVRER), arXiv:1910.01442")
class Events:
    """Two things of a kind, colour and size that stand or move; each sounds when its time has come.

    The picture is the first frame of the video. A thing's sound begins later the farther right it stands, is lower the
    larger it is, has as many partials as its kind's number says, and glides with its motion up or down. The caption is
    written by a grammar that can be read back (`worlds.telling.read`). `told` chooses which telling is the example;
    all others are in `views`.
    """

    classes: int = whole(4, 2, 12, help="kinds of thing (5 at most for colour and motion)")
    size: int = whole(64, 16, 256, help="pixels a side")
    told: str = choice("image", "image", "audio", "text", "table", help="which telling is the example")
    asks: str = choice("kind", "kind", "colour", "motion", help="what the label says of the first thing")

    @property
    def modality(self) -> str:
        """The modality of the chosen telling."""
        return self.told

    def make(self, seed: int, indices: np.ndarray) -> Made:
        """The happenings with these numbers; truth holds things, caption, facts and relation."""
        draws = Draws(seed, "events", indices)
        things, number = self._things(draws)
        video = self._filmed(draws, things, number)
        told: dict[str, list[Any]] = {
            "image": [v[0] for v in video],
            "video": list(video),
            "audio": [Sound(w, RATE) for w in _sounded(things, number)],
            "text": [caption(*pair) for pair in things],
            "table": [row(*pair) for pair in things],
            "graph": [triples(*pair) for pair in things],
        }
        labels = [str(vars(first)[self.asks]) for first, _ in things]
        truth = [
            {"class": label, "caption": text, "facts": facts, "row": line, "things": [vars(t) for t in pair]}
            for label, text, facts, line, pair in zip(
                labels, told["text"], told["graph"], told["table"], things, strict=True
            )
        ]
        views = {name: cells for name, cells in told.items() if name != self.told}
        return Made(examples=told[self.told], labels=labels, truth=truth, views=views)

    def _things(self, draws: Draws) -> tuple[list[tuple[Thing, Thing]], np.ndarray]:
        """The pairs, and the numbers of their kinds, Nx2. They stand apart, so that each can be seen."""
        rows = draws.rows
        limits = {"kind": 4, "colour": len(_COLOURS), "motion": len(MOTIONS)}
        limits[self.asks] = min(self.classes, {"kind": len(KINDS)}.get(self.asks, 5))
        drawn = {name: draws.whole(name, 2, below) for name, below in limits.items()}
        drawn[self.asks][:, 0] = rows % limits[self.asks]
        size = draws.whole("size", 2, 2)
        at = draws.uniform("at", 4, 0.0, 1.0)
        side = draws.whole("side", 2, 2)
        beside = side[:, :1] == 1  # apart from left to right, or from above to below
        first = np.where(side[:, 1:] == 1, 0.26, 0.74)
        apart = np.concatenate([first, 1 - first], axis=1) + 0.06 * (at[:, :2] - 0.5)
        free = 0.3 + 0.4 * at[:, 2:]
        x, y = (np.round(np.where(b, apart, free), 4) for b in (beside, ~beside))
        colours, kinds = list(_COLOURS), drawn["kind"]
        pairs = [
            tuple(
                Thing(kind=KINDS[kinds[i, k]], colour=colours[drawn["colour"][i, k]], size=SIZES[size[i, k]],
                      motion=MOTIONS[drawn["motion"][i, k]], x=float(x[i, k]), y=float(y[i, k]))
                for k in (0, 1)
            )
            for i in range(len(rows))
        ]  # fmt: skip
        return pairs, kinds  # type: ignore[return-value]

    def _filmed(self, draws: Draws, things: list[tuple[Thing, Thing]], number: np.ndarray) -> np.ndarray:
        """Bytes NxFxSxSx3."""
        n, size = len(things), self.size
        flat = [t for pair in things for t in pair]
        radius = np.array([_RADII[t.size] for t in flat])
        turn = np.zeros(len(flat)) + 0.25
        hue = np.array([_COLOURS[t.colour] for t in flat]).reshape(n, 2)
        ink = rgb(hue, draws.uniform("strength", 2, 0.75, 1.0), draws.uniform("value", 2, 0.8, 1.0))
        ground = draws.number("ground", 0.05, 0.3).astype(np.float32)[:, None, None]
        out = np.empty((n, FRAMES, size, size, 3), np.uint8)
        step = np.array([_steps(t.motion) for t in flat]).reshape(-1, 2) * _SPEED
        for frame in range(FRAMES):
            x = np.array([t.x for t in flat]) + frame * step[:, 0]
            y = np.array([t.y for t in flat]) + frame * step[:, 1]
            cover = coverage(number.ravel(), x, y, radius, turn, size).reshape(n, 2, size, size)
            for channel in range(3):
                plane = np.broadcast_to(ground, (n, size, size))
                for k in (1, 0):  # the first thing is nearest
                    plane = plane + cover[:, k] * (ink[:, k, channel, None, None] - plane)
                out[:, frame, :, :, channel] = to_bytes(plane)
        return out


def _steps(motion: str) -> tuple[int, int]:
    return {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}.get(motion.removeprefix("moves "), (0, 0))


def onset(thing: Thing) -> float:
    """When a thing begins to sound, in seconds."""
    return 0.05 + 0.6 * thing.x


def hertz(thing: Thing) -> float:
    """The pitch at which a thing begins to sound."""
    return 660.0 if thing.size == "small" else 330.0


def _sounded(things: list[tuple[Thing, Thing]], number: np.ndarray) -> np.ndarray:
    """Waves NxT in steps of 1/32768: one second in which each thing sounds once."""
    flat = [t for pair in things for t in pair]
    seconds = np.arange(RATE) / RATE - np.array([onset(t) for t in flat]).reshape(-1, 1)
    since = np.maximum(seconds, 0.0)
    pitch = np.array([hertz(t) for t in flat]).reshape(-1, 1)
    glide = np.array([-_steps(t.motion)[1] for t in flat]).reshape(-1, 1) * 0.5 * pitch
    turns, partials = pitch * since + 0.5 * glide * since**2, 1 + number.ravel()[:, None] % 4
    wave = np.zeros((len(flat), RATE))
    for h in range(1, 5):
        wave += (partials >= h) / h * sine(turns * h)
    wave *= exp(-6.0 * since) * (seconds >= 0) * np.minimum(1.0, since * 200) * 0.2
    both = wave[0::2] + wave[1::2]
    return (np.rint(both * 32768.0) / 32768.0).astype(np.float32)
