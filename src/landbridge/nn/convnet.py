"""A small residual convolutional network for pictures of 64 to 128 pixels, for learning without any source."""

from __future__ import annotations

from torch import Tensor, nn


class Residual(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al. 2016, basic block)."""

    def __init__(self, entering: int, leaving: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(entering, leaving, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(leaving)
        self.conv2 = nn.Conv2d(leaving, leaving, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(leaving)
        self.activation = nn.ReLU()
        self.shortcut = (
            nn.Identity()
            if entering == leaving and stride == 1
            else nn.Sequential(nn.Conv2d(entering, leaving, 1, stride, bias=False), nn.BatchNorm2d(leaving))
        )

    def forward(self, grid: Tensor) -> Tensor:
        """BxCxHxW in and out, half as high and wide when strided."""
        inner = self.activation(self.norm1(self.conv1(grid)))
        return self.activation(self.norm2(self.conv2(inner)) + self.shortcut(grid))


class Layered(nn.Module):
    """A stem and residual layers, one after another, whose end is averaged over positions."""

    stem: nn.Module
    layers: nn.ModuleList

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels BxCxHxW to features_BD: the mean over positions."""
        grid = self.stem(pixels)
        for layer in self.layers:
            grid = layer(grid)
        return grid.mean((2, 3))

    def _initialise(self) -> None:
        """Kaiming initialisation (fan out) of all convolutions."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


class ConvNet(Layered):
    """A strided stem and four residual layers, 0.56 million weights, Kaiming initialisation (fan out)."""

    def __init__(self, widths: tuple[int, ...] = (24, 48, 96, 160)) -> None:
        super().__init__()
        self.widths = widths
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0], 3, 2, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        )
        pairs = zip((widths[0], *widths), widths, strict=False)
        self.layers = nn.ModuleList(Residual(a, b, 1 if i == 0 else 2) for i, (a, b) in enumerate(pairs))
        self._initialise()
