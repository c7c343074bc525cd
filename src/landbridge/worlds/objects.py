"""Pictures of objects made of several lit parts, before a cluttered ground: a blueprint of parts for each class.

Shapes: N pictures, P parts, L solids that lie about, S pixels a side.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from landbridge.core.contracts import Made
from landbridge.core.parts import part, real, whole
from landbridge.worlds.canvas import Pictures, class_names, in_chunks, made, rgb, to_bytes
from landbridge.worlds.draws import Draws
from landbridge.worlds.exact import between, cosine, sine
from landbridge.worlds.figures import boxes
from landbridge.worlds.patterns import lattice
from landbridge.worlds.solids import Solids, seen

PARTS, INKS = 6, 3
Values = dict[str, np.ndarray]  # of each solid, NxP or NxL, colours with three numbers more


@part("objects", paper="Biederman 1987 (recognition by components); Lee et al. 2001 (occluding leaves as image model)")
class Objects:
    """Two to six solids hung on one another, as in a body with limbs; the class is which, where and how shaped.

    Half of the classes have pairs of parts that mirror each other, and half have colours of their own. Instances differ
    in place, size, turn, side, foreshortening, light and ground, and by `spread` in where and how large each part is.
    Behind the object lie clouds and other solids, and at times one lies before it. Where we depart: Biederman's parts
    are bodies in space; these are flat and shaded as if round, and nothing is seen from behind.
    """

    classes: int = whole(100, 2, 10_000, log=True, help="blueprints; class 7 is the same one however many there are")
    size: int = whole(64, 16, 256, help="pixels a side")
    spread: float = real(0.15, 0.0, 0.5, help="how far an instance's parts lie from its class's")
    clutter: int = whole(5, 0, 12, help="other solids; the last of them may lie before the object")
    modality: ClassVar[str] = "image"

    def make(self, seed: int, indices: np.ndarray) -> Made:
        """The pictures with these numbers; truth holds pose, light, number of parts, and the box of what is seen."""

        def chunk(rows_N: np.ndarray) -> Pictures:
            return self._drawn(Draws(seed, "objects", rows_N), rows_N % self.classes)

        return made(in_chunks(chunk, indices, self.size, 8))

    def _drawn(self, draws: Draws, class_N: np.ndarray) -> Pictures:
        pose, size = _pose(draws), self.size
        picture = _ground(draws, size)
        parts = _placed(_blueprint(draws.at(class_N), draws, self.spread), pose)
        about = _clutter(draws, self.clutter) if self.clutter else {}
        own = np.zeros(picture.shape[:1] + picture.shape[2:], np.float32)
        for number in range(max(0, self.clutter - 1)):
            _paint(picture, about, number, pose["light"])
        for number in range(PARTS):
            own = np.maximum(own, _paint(picture, parts, number, pose["light"]))
        if self.clutter:
            own = own * (1 - _paint(picture, about, self.clutter - 1, pose["light"]))
        truth = {
            "class": class_names("objects", class_N), "parts": parts["there"].sum(1).astype(np.int64), **pose,
            "box": boxes(own > 0.5), "seen": (own > 0.5).sum((1, 2)),
        }  # fmt: skip
        return to_bytes(np.moveaxis(picture, 1, 3)), truth


def _pose(draws: Draws) -> Values:
    """Where an object is, how large, how turned, which side it shows, how foreshortened, and its light, N each."""
    return {
        "x": draws.number("x", 0.32, 0.68), "y": draws.number("y", 0.32, 0.68),
        "radius": between(draws.number("radius"), 0.2, 0.45), "turn": draws.number("turn", -0.08, 0.08),
        "side": 2.0 * draws.whole("side", 1, 2)[:, 0] - 1, "breadth": draws.number("breadth", 0.65, 1.0),
        "light": draws.number("light"),
    }  # fmt: skip


def _blueprint(kind: Draws, here: Draws, spread: float) -> Values:
    """The parts of an object in its own frame, in which it reaches from about -1 to 1, from far to near."""
    count = 2 + kind.whole("count", 1, PARTS - 1)
    away, angle = kind.uniform("away", PARTS, 0.4, 0.95), kind.uniform("angle", PARTS)
    limb = np.arange(PARTS) > 0
    body, flat = kind.number("body", 0.4, 0.75)[:, None], kind.number("flat", 0.6, 1.5)[:, None]
    found = {
        "x": np.where(limb, away * cosine(angle), 0.0), "y": np.where(limb, away * sine(angle), 0.0),
        "wide": np.where(limb, between(kind.uniform("wide", PARTS), 0.14, 0.55), body),
        "high": np.where(limb, between(kind.uniform("high", PARTS), 0.18, 0.7), body * flat),
        "turn": kind.uniform("turn", PARTS, -0.25, 0.25),
        "square": kind.uniform("square", PARTS) * kind.whole("edged", PARTS, 2),
        "taper": kind.uniform("taper", PARTS, -0.75, 0.75) * kind.whole("tapers", PARTS, 2),
        "bend": kind.uniform("bend", PARTS, -0.6, 0.6) * kind.whole("bends", PARTS, 2),
        "stripe": kind.uniform("stripe", PARTS, 0.5, 1.2) * (kind.whole("striped", PARTS, 3) == 0),
        "waves": kind.uniform("waves", PARTS, 1.0, 4.0),
        "there": (np.arange(PARTS) < count).astype(np.float64),
        "ink": _inks(kind, here),
    }  # fmt: skip
    _mirrored(found, kind.whole("mirror", 1, 2) == 1)
    for name, amount in (("x", 0.5), ("y", 0.5), ("turn", 0.3)):
        found[name] = found[name] + spread * amount * here.uniform(f"part {name}", PARTS, -1.0, 1.0)
    for name in ("wide", "high"):
        found[name] = found[name] * here.uniform(f"part {name}", PARTS, 1 - spread, 1 + spread)
    back = limb & (kind.whole("behind", PARTS, 2) == 1)
    return _ordered(found, np.argsort(~back, axis=1, kind="stable"))


def _mirrored(found: Values, mirror: np.ndarray) -> None:
    """Parts 2, 4 are parts 1, 3 on the other side in such classes."""
    for right, left in ((1, 2), (3, 4)):
        for name, values in found.items():
            sign = -1.0 if name in ("x", "turn", "bend") else 1.0
            pick = mirror if values.ndim == 3 else mirror[:, 0]
            if name != "there":
                values[:, left] = np.where(pick, sign * values[:, right], values[:, left])


def _ordered(found: Values, order: np.ndarray) -> Values:
    return {n: np.take_along_axis(v, order[..., None] if v.ndim == 3 else order, 1) for n, v in found.items()}


def _inks(kind: Draws, here: Draws) -> np.ndarray:
    """The colour of each part, NxPx3: one of three of its class's, which some classes leave to the instance."""
    own = kind.whole("coloured", 1, 2) == 1

    def drawn(name: str, low: float) -> np.ndarray:
        wobble = here.uniform(f"{name} wobble", INKS, -0.06, 0.06)
        return np.where(own, kind.uniform(name, INKS, low), here.uniform(name, INKS, low)) + wobble

    colours = rgb(drawn("hue", 0.0), drawn("strength", 0.1).clip(0, 1), drawn("value", 0.3).clip(0, 1))
    which = kind.whole("which", PARTS, INKS)
    return np.take_along_axis(colours, which[..., None], 1).astype(np.float64)


def _placed(parts: Values, pose: Values) -> Values:
    """Parts of an object's frame in the picture."""
    radius, side = pose["radius"][:, None], pose["side"][:, None]
    across, down = side * pose["breadth"][:, None] * parts["x"], parts["y"]
    c, s = cosine(pose["turn"])[:, None], sine(pose["turn"])[:, None]
    return parts | {
        "x": pose["x"][:, None] + radius * (c * across - s * down),
        "y": pose["y"][:, None] + radius * (s * across + c * down),
        "wide": radius * pose["breadth"][:, None] * parts["wide"], "high": radius * parts["high"],
        "turn": side * parts["turn"] + pose["turn"][:, None], "bend": side * parts["bend"],
    }  # fmt: skip


def _clutter(draws: Draws, count: int) -> Values:
    """Solids of any shape and place; the last is there in two of five pictures, small and off the middle."""
    last = np.arange(count) == count - 1
    angle, seldom = draws.uniform("other angle", count), draws.whole("other there", count, 5)
    off = draws.uniform("other away", count, 0.2, 0.6)
    ink = rgb(
        draws.uniform("other hue", count), draws.uniform("other strength", count, 0, 0.8),
        draws.uniform("other value", count, 0.2, 1),
    )  # fmt: skip
    return {
        "x": 0.5 + off * cosine(angle), "y": 0.5 + off * sine(angle),
        "wide": between(draws.uniform("other wide", count), 0.05, 0.3) * np.where(last, 0.5, 1.0),
        "high": between(draws.uniform("other high", count), 0.05, 0.4) * np.where(last, 0.7, 1.0),
        "turn": draws.uniform("other turn", count), "square": draws.uniform("other square", count),
        "taper": draws.uniform("other taper", count, -0.6, 0.6), "bend": draws.uniform("other bend", count, -0.5, 0.5),
        "stripe": draws.uniform("other stripe", count, 0, 1) * draws.whole("other striped", count, 2),
        "waves": draws.uniform("other waves", count, 1.0, 4.0),
        "there": np.where(last, seldom < 2, seldom < 4).astype(np.float64), "ink": ink.astype(np.float64),
    }  # fmt: skip


def _ground(draws: Draws, size: int) -> np.ndarray:
    """Clouds of two colours, Nx3xSxS in [0, 1]."""
    cells = between(draws.number("cloud"), 1.0, 7.0)
    keeps = draws.number("keeps", 0.0, 0.8).astype(np.float32)[:, None, None]
    tone = (lattice(draws, 0, cells, size) + keeps * lattice(draws, 1, 2.2 * cells, size)) / (1 + keeps)
    ends = rgb(
        draws.uniform("ground hue", 2), draws.uniform("ground strength", 2, 0, 0.6), draws.uniform("ground", 2, 0.1, 1)
    )
    low, high = ends[:, 0, :, None, None], ends[:, 1, :, None, None]
    return low + (high - low) * tone[:, None]


def _paint(picture: np.ndarray, solids: Values, number: int, light: np.ndarray) -> np.ndarray:
    """Lay one solid on each picture that has it; how much of each pixel it covers."""
    covers = np.zeros((len(picture), *picture.shape[2:]), np.float32)
    rows = np.flatnonzero(solids["there"][:, number])
    if len(rows):
        one = Solids(**{name: values[rows, number] for name, values in solids.items() if name != "there"})
        cover, tone = seen(one, light[rows], picture.shape[-1])
        ink = one.ink.astype(np.float32)[:, :, None, None]
        picture[rows] += cover[:, None] * (ink * tone[:, None] - picture[rows])
        covers[rows] = cover
    return covers
