"""How well a frozen encoder tells classes that it has never seen, from few labels: no real picture is looked at.

Classes are those of other seeds than the one it is trained with. Ten labelled pictures of each of twenty classes fit a
ridge regression (its penalty by leaving one out), twenty more of each are the test.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from stream import PARTS, pictures
from torch import Tensor
from torch.nn import functional

from landbridge.nn.encoder import Encoder
from landbridge.nn.ridge import ridge_path

CLASSES, LABELS, TESTED = 20, 10, 20
SEED = 1_000_003  # added to the seed of training
PENALTIES = tuple(float(p) for p in 10.0 ** np.arange(-2, 5))
Features = Callable[[Tensor], Tensor]  # pixels Bx3xSxS to BxD


def probed(features: Features, seed: int, size: int, classes: int = CLASSES) -> dict[str, float]:
    """Accuracy on the held-out classes of each world that has classes, and their mean."""
    found: dict[str, float] = {}
    for part in PARTS:
        if part.classes:
            indices = np.arange(classes * (LABELS + TESTED))
            pixels, _ = pictures(part.make(classes, size), seed + SEED, indices, size)
            found[part.name] = accuracy(_read(features, pixels), indices % classes, LABELS * classes)
    return found | {"mean": float(np.mean(list(found.values())))}


def accuracy(features_ND: Tensor, label_N: np.ndarray, train: int) -> float:
    """Share of the rows from `train` on that a ridge classifier of the rows before it gets right."""
    features = features_ND.double()
    mean, spread = features[:train].mean(0), features[:train].std(0).clamp_min(1e-6)
    features = (features - mean) / spread
    labels = torch.from_numpy(label_N)
    aim = functional.one_hot(labels[:train]).double()
    path = ridge_path(features[:train], aim, [p * train / 100 for p in PENALTIES])
    best = int((path.left_out.argmax(2) == labels[:train]).double().mean(1).argmax())
    output = features[train:] @ path.weight[best].T + path.bias[best]
    return float((output.argmax(1) == labels[train:]).double().mean())


def of_encoder(net: Encoder) -> Features:
    """The features of an encoder in evaluation mode, as it is left in training mode or not."""

    def features(pixels: Tensor) -> Tensor:
        training = net.training
        net.eval()
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            found = net(pixels).float()
        net.train(training)
        return found

    return features


def of_pixels(pixels: Tensor) -> Tensor:
    """Grey pictures of 16 x 16, the features that need no learning."""
    return functional.interpolate(pixels.mean(1, keepdim=True), size=(16, 16), mode="area").flatten(1)


def _read(features: Features, pixels: np.ndarray) -> Tensor:
    chunks = []
    for start in range(0, len(pixels), 50):
        chunk = torch.from_numpy(pixels[start : start + 50]).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)
        chunks.append(features(chunk.contiguous(memory_format=torch.channels_last)))
    return torch.cat(chunks)
