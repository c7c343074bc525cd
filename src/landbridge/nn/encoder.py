"""A residual convolutional encoder for pictures of 64 to 224 pixels, of dense convolutions only."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from landbridge.nn.convnet import Layered, Residual


class Strided(nn.Module):
    """A 3x3 convolution that halves the grid, batch norm and ReLU; named so that the norm can be folded in."""

    def __init__(self, entering: int, leaving: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(entering, leaving, 3, 2, 1, bias=False)
        self.normalization = nn.BatchNorm2d(leaving)
        self.activation = nn.ReLU()

    def forward(self, grid: Tensor) -> Tensor:
        """BxCxHxW in, half as high and wide out."""
        return self.activation(self.normalization(self.convolution(grid)))


class Encoder(Layered):
    """Two strided convolutions and residual layers in stages, each after the first at half the resolution.

    The basic block of He et al. 2016 and no depthwise or bottleneck layer: those have fewer operations, but on CPUs in
    bfloat16 they wait for memory, while dense 3x3 convolutions keep the processor at work. The default has 4.7 million
    weights and 0.16 GFLOP at 64 pixels. Kaiming initialisation (fan out).
    """

    def __init__(
        self,
        stem: int = 32,
        widths: Sequence[int] = (64, 128, 256, 384),
        depths: Sequence[int] = (1, 1, 2, 1),
    ) -> None:
        super().__init__()
        self.shape = {"stem": stem, "widths": list(widths), "depths": list(depths)}
        self.width = widths[-1]
        self.stem = nn.Sequential(Strided(3, stem), Strided(stem, widths[0]))
        self.layers = nn.ModuleList()
        entering = widths[0]
        for stage, (leaving, depth) in enumerate(zip(widths, depths, strict=True)):
            for i in range(depth):
                self.layers.append(Residual(entering, leaving, 2 if stage and not i else 1))
                entering = leaving
        self._initialise()
