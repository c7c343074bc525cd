"""Make the weights of `embedded:series`: thresholds and a linear map, in closed form from generated series alone.

    python recipes/series/settle.py OUT [--episodes 1500] [--held 300] [--width 768] [--seed 0]

Thresholds are quantiles of each kernel's response over generated series, spread by the golden ratio as MiniRocket
spreads its own over a data set. Then the shares of thousands of small tasks (`episodes.py`) give what series of one
class differ in, on the mean over tasks: their covariance within classes. The linear map is its inverse root, with three
times its mean variance added to each direction, turned to the directions in which tasks differ most and cut to the
network's width: within-class covariance normalisation (Hatch, Kajarekar & Stolcke 2006) with a covariance that another
world has taught. OUT then holds `model.safetensors` and `card.json`, whose probes are means over held-out tasks; copied
to `src/landbridge/sources/weights/series/` they become `embedded:series`.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from episodes import Episode, episode
from torch import Tensor

from landbridge import __version__
from landbridge.core.seeds import numpy_generator
from landbridge.nn.curve_net import STRIDE, TAPS, CurveNet
from landbridge.nn.curve_prepare import CurvePrepare
from landbridge.rivals.kernels import Kernels
from landbridge.sources.curve_folder import save_curves

FIRST = 100  # episodes whose responses set the thresholds
EASE = 3.0  # times the mean variance within classes that is added to each direction
FLOOR = 0.01  # of a share's spread
QUANTILES = 0.05, 0.9  # the least, and the range
GAMMA, RIDGE = 0.25, 0.1  # of the kernel head that the probes take
Shares = tuple[np.ndarray, np.ndarray, int]  # of an episode: NxP, classes, how many are labelled


def views(found: Episode, points: int) -> tuple[Tensor, Tensor]:
    """An episode as the network is given it, the common scale from its labelled rows; Nx1xL."""
    shown = found.series[: found.labelled]
    prepare = CurvePrepare(points, (float(shown.mean()),), (float(shown.std()) or 1.0,))
    inputs = prepare.collate([prepare(series[None]) for series in found.series])
    return inputs["own"], inputs["common"]


def stream(seed: int, part: str, count: int) -> Iterator[Episode]:
    """So many episodes."""
    generator = numpy_generator(seed, "series episodes", part)
    return (episode(generator) for _ in range(count))


@torch.no_grad()
def set_thresholds(net: CurveNet, seed: int) -> None:
    """Quantiles of the responses of each kernel and span, another one for each."""
    seen = [views(found, net.points) for found in stream(seed, "thresholds", FIRST)]
    for v in range(2):
        curves = torch.cat([both[v] for both in seen]).flatten(0, 1)
        for s, span in enumerate(net.spans):
            level = net.threshold[v]
            many, kernels = level.shape[1:]
            order = torch.arange(1, kernels * many + 1, dtype=torch.float64) + 100 * span
            quantile = QUANTILES[0] + QUANTILES[1] * ((order * ((5**0.5 - 1) / 2)) % 1.0)
            margin = (TAPS - 1) // 2 * span
            places = torch.arange(0, net.points, 8 * STRIDE)[:, None] + span * torch.arange(TAPS)
            response = torch.nn.functional.pad(curves, (margin, margin))[:, places] @ net.kernel[v, s].T
            values, _ = response.flatten(0, 1).sort(0)
            at = (quantile.view(kernels, many) * (len(values) - 1)).long()
            level[s] = values.gather(0, at).T


@torch.no_grad()
def shares_of(net: CurveNet, found: Episode) -> Shares:
    """The mean shares of each series, standardised as the network has them."""
    own, common = views(found, net.points)
    return net.tokens(own, common)[0].mean(1).numpy().astype(np.float64), found.classes, found.labelled


def settle(net: CurveNet, seed: int, count: int) -> None:
    """Standardise the shares, then learn the linear map."""
    first = np.concatenate([shares_of(net, found)[0] for found in stream(seed, "thresholds", FIRST)])
    middle, spread = net.middle.numpy().copy(), net.spread.numpy().copy()
    net.middle.copy_(torch.from_numpy(middle + spread * first.mean(0)))
    net.spread.copy_(torch.from_numpy(spread * first.std(0) + FLOOR))
    within, between = (np.zeros((net.shares, net.shares)) for _ in range(2))
    for found in stream(seed, "map", count):
        rows, classes, _ = shares_of(net, found)
        means = np.stack([rows[classes == c].mean(0) for c in range(classes.max() + 1)])
        inside, apart = rows - means[classes], means - means.mean(0)
        within += inside.T @ inside / (len(rows) * count)
        between += apart.T @ apart / (len(means) * count)
    value, vector = np.linalg.eigh(within)
    even = vector * (np.maximum(value, 0) + EASE * value.mean()) ** -0.5
    turn = np.linalg.eigh(even.T @ (between + within) @ even)[1][:, ::-1][:, : net.width]
    with torch.no_grad():
        net.settle.weight.copy_(torch.from_numpy((even @ turn).T))


def probes(net: CurveNet, seed: int, count: int) -> dict[str, float]:
    """Shares of asked rows that a kernel head gets right on held-out tasks: on raw shares, on the features, and on
    MiniRocket's features with thresholds of the task itself."""
    right: dict[str, list[float]] = {"shares": [], "features": [], "minirocket": []}
    weight = net.settle.weight.detach().numpy().T.astype(np.float64)
    for found in stream(seed, "held", count):
        rows, classes, labelled = shares_of(net, found)
        curves, _ = views(found, net.points)
        kernels = Kernels.fit(curves[:labelled].numpy(), 1512, numpy_generator(seed, "probe"))
        rocket = kernels.transform(curves.numpy()).astype(np.float64)
        for name, features in (("shares", rows), ("features", rows @ weight), ("minirocket", _even(rocket, labelled))):
            right[name].append(_right(features, classes, labelled))
    return {name: round(float(np.mean(each)), 4) for name, each in right.items()}


def _even(rows: np.ndarray, labelled: int) -> np.ndarray:
    shown = rows[:labelled]
    return (rows - shown.mean(0)) / (shown.std(0) + FLOOR)


def _right(rows: np.ndarray, classes: np.ndarray, labelled: int) -> float:
    """Accuracy of kernel ridge regression from the labelled rows on the others."""
    centred = rows - rows[:labelled].mean(0)
    unit = centred / np.sqrt((centred[:labelled] ** 2).sum(1).mean())
    square = (unit**2).sum(1)[:, None] + (unit[:labelled] ** 2).sum(1) - 2 * unit @ unit[:labelled].T
    kernel = np.exp(-GAMMA * np.maximum(square, 0))
    aim = np.eye(classes.max() + 1)[classes[:labelled]]
    dual = np.linalg.solve(kernel[:labelled] + RIDGE * np.eye(labelled), aim - aim.mean(0))
    return float(((kernel[labelled:] @ dual).argmax(1) == classes[labelled:]).mean())


def main() -> None:
    """Make a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--episodes", type=int, default=1500, help="tasks that teach the linear map")
    parser.add_argument("--held", type=int, default=300, help="tasks of the probes")
    parser.add_argument("--width", type=int, default=768, help="of the features")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    began = time.monotonic()
    torch.manual_seed(asked.seed)
    net = CurveNet(width=asked.width).eval()
    set_thresholds(net, asked.seed)
    settle(net, asked.seed, asked.episodes)
    minutes = (time.monotonic() - began) / 60
    found = probes(net, asked.seed, asked.held)
    asked.out.mkdir(parents=True, exist_ok=True)
    card = {
        "licence": "Apache-2.0", "generated": True,
        "data": "generated by recipes/series/episodes.py; no measured series",
        "objective": "within-class covariance normalisation over generated tasks, in closed form",
        "recipe": f"recipes/series/settle.py OUT --episodes {asked.episodes} --seed {asked.seed} --width {asked.width}",
        "minutes": round(minutes, 1), "probes": found,
        "hardware": f"{platform.machine()}, {torch.get_num_threads()} threads", "torch": torch.__version__,
        "landbridge": __version__,
    }  # fmt: skip
    print(save_curves(net, asked.out, card))


if __name__ == "__main__":
    main()
