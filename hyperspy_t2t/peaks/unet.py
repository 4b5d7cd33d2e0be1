# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""A small U-Net that marks spots in a spectrum. Imports torch: import it late."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

CHANNELS = (8, 16, 32, 64)


class UNet(nn.Module):
    """Logits of one mark per pixel, from images of any size.

    Parameters
    ----------
    channels
        Of the levels; each level below the first has half the resolution.

    References
    ----------
    Ronneberger, Fischer, Brox, MICCAI 2015, 234,
    https://doi.org/10.1007/978-3-319-24574-4_28
    """

    def __init__(self, channels: Sequence[int] = CHANNELS) -> None:
        super().__init__()
        self.channels = tuple(channels)
        pairs = list(pairwise(channels))
        self.first = _block(1, channels[0])
        self.down = nn.ModuleList(_block(upper, below) for upper, below in pairs)
        self.narrow = nn.ModuleList(nn.Conv2d(b, upper, 1) for upper, b in pairs)
        self.up = nn.ModuleList(_block(2 * upper, upper) for upper, _ in pairs)
        self.last = nn.Conv2d(channels[0], 1, 1)

    @property
    def divisor(self) -> int:
        """Both sizes of an image are multiples of this inside the network."""
        return 2 ** (len(self.channels) - 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (n, ny, nx) of images (n, ny, nx); sizes of `divisor` or more."""
        ny, nx = images.shape[-2:]
        padding = (0, -nx % self.divisor, 0, -ny % self.divisor)
        padded = nn.functional.pad(images[:, None], padding, mode="reflect")
        levels = [self.first(padded.contiguous(memory_format=torch.channels_last))]
        for block in self.down:
            levels.append(block(nn.functional.max_pool2d(levels[-1], 2)))
        below = levels.pop()
        for narrow, block in zip(reversed(self.narrow), reversed(self.up), strict=True):
            # A 1×1 convolution commutes with the interpolation and is cheaper first.
            wide = nn.functional.interpolate(narrow(below), scale_factor=2)
            below = block(torch.cat([levels.pop(), wide], dim=1))
        return self.last(below)[:, 0, :ny, :nx]


def merged(network: UNet) -> UNet:
    """A trained network with its normalisations put into its convolutions."""
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    for block in (network.first, *network.down, *network.up):
        for conv in (0, 3):
            block[conv] = fuse_conv_bn_eval(block[conv], block[conv + 1])
            block[conv + 1] = nn.Identity()
    return network


def _block(channels_in: int, channels_out: int) -> nn.Sequential:
    """Two 3×3 convolutions."""
    layers: list[nn.Module] = []
    for n in (channels_in, channels_out):
        layers += [
            nn.Conv2d(n, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)
