"""The network: a causal convolutional CTC model whose look-ahead is a delay.

Rule of this file: every temporal convolution is a valid one over its last frames and the new ones, so
that a stream is computed once; at an utterance's start those last frames are zeros. Nothing but
convolutions, additions and ReLU6: what the Edge TPU takes, with every activation in 0…6.

Alignment. Feature frames come every 10 ms, rows every 4 frames. Row i is computed from frames up to 4 i + 3.
The residual blocks look ahead: their skip connection is late by `delays` rows, `look_ahead` rows in all.
So what a person says during frames 4 i … 4 i + 3 comes out at row i + look_ahead, and the first look_ahead rows
are dropped.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sayso_model.phones import SYMBOLS

SUBSAMPLING = 4
STEP = 6.0 / 255.0
"""What int8 resolves of an activation in 0…6."""


@dataclass(frozen=True)
class NetworkSettings:
    """The network's shape."""

    bands: int = 40
    front: int = 128
    width: int = 192
    delays: tuple[int, ...] = (4, 4, 0, 0, 0, 0)
    """Rows by which each residual block's skip connection is late, at most `kernel` - 1; one block each."""
    kernel: int = 5
    outputs: int = len(SYMBOLS)
    block: str = "dense"
    """What the residual blocks are made of, a key of `BLOCKS`; only dense ones are converted."""
    dropout: float = 0.0
    """Share of each dense block's outputs that is left out in training."""

    @property
    def look_ahead(self) -> int:
        """Rows between what was said and its output."""
        return sum(self.delays)

    def as_dict(self) -> dict[str, object]:
        """Return the settings as plain values, for a checkpoint."""
        return asdict(self)


def delays(
    look_ahead: int, blocks: int = len(NetworkSettings.delays), most: int = NetworkSettings.kernel - 1
) -> tuple[int, ...]:
    """Given rows of look-ahead, return the delays of blocks: the first ones look as far ahead as they can."""
    return tuple(min(most, max(0, look_ahead - most * block)) for block in range(blocks))


def columns(frames: Tensor, width: int, stride: int) -> Tensor:
    """Given [batch, frames, inputs], return what a kernel of that width hears for each row, zeros before the start,
    [batch, frames / stride, width * inputs]."""
    rows = frames.shape[1] // stride
    padded = functional.pad(frames, (0, 0, width - stride, 0))
    return torch.cat([padded[:, tap : tap + stride * rows : stride] for tap in range(width)], dim=2)


class _Temporal(torch.autograd.Function):
    """A convolution over time as one matrix product: on a CPU its gradient is several times faster so."""

    @staticmethod
    def forward(ctx: Any, frames: Tensor, kernel: Tensor, width: int, stride: int) -> Tensor:
        """Given [batch, frames, inputs] and [outputs, width * inputs], return [batch, frames / stride, outputs]."""
        batch, length, inputs = frames.shape
        heard = columns(frames, width, stride)
        ctx.save_for_backward(heard, kernel)
        ctx.shape = (batch, length, inputs, width, stride, length // stride)
        return functional.linear(heard, kernel)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None, None]:
        """Given the gradient of the output, return those of the frames and the kernel."""
        heard, kernel = ctx.saved_tensors
        batch, length, inputs, width, stride, rows = ctx.shape
        flat = gradient.reshape(batch * rows, -1)
        of_kernel = flat.t() @ heard.view(batch * rows, width * inputs)
        if not ctx.needs_input_grad[0]:
            return None, of_kernel, None, None
        spread = (flat @ kernel).view(batch, rows, width, inputs)
        padded = gradient.new_zeros(batch, length + width - stride, inputs)
        for tap in range(width):
            padded[:, tap : tap + stride * rows : stride] += spread[:, :, tap]
        return padded[:, width - stride :], of_kernel, None, None


def rounded(values: Tensor, step: Tensor | float) -> Tensor:
    """Given values, return them as multiples of a step; gradients pass as if they were not (Bengio et al. 2013)."""
    return values + (torch.round(values / step) * step - values).detach()


def _spread(values: Tensor) -> Tensor:
    """Given values, return the step with which int8 spans them."""
    return ((values.amax() - values.amin()) / 255.0).detach()


class Convolution(nn.Module):
    """A convolution over time, zeros before the start, its normalisation folded in at export.

    While `quantised`, it computes as int8 will: normalisation held and folded, each output's kernel in 255 steps.
    """

    quantised = False

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.width, self.stride, self.inputs = kernel, stride, inputs
        self.state = kernel - stride
        """Frames it remembers."""
        self.kernel = nn.Parameter(torch.empty(outputs, kernel * inputs))
        nn.init.kaiming_normal_(self.kernel)
        self.normalisation = nn.BatchNorm1d(outputs, momentum=0.01)

    def forward(self, frames: Tensor) -> Tensor:
        """Given [batch, frames, inputs], return [batch, frames / stride, outputs]."""
        kernel = self.kernel
        if self.quantised:
            gain, bias = self._gain()
            kernel = kernel * gain[:, None]
            kernel = rounded(kernel, kernel.detach().abs().amax(1, keepdim=True) / 127.0)
            with torch.autocast(frames.device.type, enabled=False):  # bfloat16's steps are wider than int8's
                exact: Tensor = _Temporal.apply(frames.float(), kernel, self.width, self.stride)
            return exact + bias
        if torch.is_autocast_enabled(frames.device.type):
            kind = torch.get_autocast_dtype(frames.device.type)
            frames, kernel = frames.to(kind), kernel.to(kind)
        rows: Tensor = _Temporal.apply(frames, kernel, self.width, self.stride)
        return self.normalisation(rows.reshape(-1, rows.shape[2])).view(rows.shape)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return kernel [kernel, inputs, outputs] and bias [outputs] that do all of it."""
        gain, bias = self._gain()
        kernel = (self.kernel * gain[:, None]).view(-1, self.width, self.inputs).permute(1, 2, 0)
        return kernel, bias

    def _gain(self) -> tuple[Tensor, Tensor]:
        """Return what each output is multiplied by in normalisation, and what is added then, [outputs]."""
        norm = self.normalisation
        assert norm.running_var is not None
        assert norm.running_mean is not None
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        return gain, norm.bias - norm.running_mean * gain


def _late(rows: Tensor, delay: int) -> Tensor:
    """Given [batch, rows, width], return the same so many rows later, zeros before."""
    return functional.pad(rows, (0, 0, delay, 0))[:, : rows.shape[1]] if delay else rows


class Block(nn.Module):
    """Two convolutions beside a skip connection that is late by `delay` rows."""

    dropout = 0.0

    def __init__(self, width: int, kernel: int, delay: int) -> None:
        super().__init__()
        self.delay = delay
        self.first = Convolution(width, width, kernel)
        self.second = Convolution(width, width, kernel)

    def forward(self, rows: Tensor) -> Tensor:
        """Given [batch, rows, width], return the same shape."""
        skip = _late(rows, self.delay)
        if self.first.quantised:
            beside = self.second(rounded(functional.relu6(self.first(rows)), STEP))
            return rounded(functional.relu6(skip + rounded(beside, _spread(beside))), STEP)
        found = functional.relu6(skip + self.second(functional.relu6(self.first(rows))))
        return functional.dropout(found, self.dropout, self.training) if self.dropout else found


class DepthwiseConvolution(nn.Module):
    """A convolution over time of each channel by itself, zeros before the start."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.width = kernel
        self.kernel = nn.Parameter(torch.randn(kernel, channels) / kernel**0.5)
        self.normalisation = nn.BatchNorm1d(channels, momentum=0.01)

    def forward(self, rows: Tensor) -> Tensor:
        """Given [batch, rows, channels], return the same shape."""
        padded = functional.pad(rows, (0, 0, self.width - 1, 0))
        mixed = sum(padded[:, tap : tap + rows.shape[1]] * weights for tap, weights in enumerate(self.kernel))
        assert isinstance(mixed, Tensor)
        return self.normalisation(mixed.reshape(-1, mixed.shape[2])).view(mixed.shape)


class SeparableBlock(nn.Module):
    """A block whose convolutions are split into one over time and one over channels (Kriman et al. 2020, QuartzNet)."""

    def __init__(self, width: int, kernel: int, delay: int) -> None:
        super().__init__()
        self.delay = delay
        self.over_time = nn.ModuleList(DepthwiseConvolution(width, kernel) for _ in range(2))
        self.first, self.second = (Convolution(width, width, 1) for _ in range(2))

    def forward(self, rows: Tensor) -> Tensor:
        """Given [batch, rows, width], return the same shape."""
        skip = _late(rows, self.delay)
        within = functional.relu6(self.first(self.over_time[0](rows)))
        return functional.relu6(skip + self.second(self.over_time[1](within)))


class GatedBlock(Block):
    """A dense block whose channels are turned down by what a narrow layer sees in the row (after Hu et al. 2018; a
    stream has no whole over which to take a mean)."""

    def __init__(self, width: int, kernel: int, delay: int) -> None:
        super().__init__(width, kernel, delay)
        self.squeeze, self.excite = nn.Linear(width, width // 8), nn.Linear(width // 8, width)

    def forward(self, rows: Tensor) -> Tensor:
        """Given [batch, rows, width], return the same shape."""
        skip = _late(rows, self.delay)
        found = self.second(functional.relu6(self.first(rows)))
        return functional.relu6(skip + found * torch.sigmoid(self.excite(functional.relu6(self.squeeze(found)))))


BLOCKS: dict[str, type[Block] | type[SeparableBlock]] = {
    "dense": Block,
    "separable": SeparableBlock,
    "gated": GatedBlock,
}


class Network(nn.Module):
    """Feature frames to logits."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        self.front = nn.ModuleList(
            (
                Convolution(settings.bands, settings.front, settings.kernel, 2),
                Convolution(settings.front, settings.width, settings.kernel, 2),
            )
        )
        self.blocks = nn.ModuleList(
            BLOCKS[settings.block](settings.width, settings.kernel, delay) for delay in settings.delays
        )
        self.head = nn.Linear(settings.width, settings.outputs)
        for block in self.blocks:  # each block starts out as little more than its skip connection
            nn.init.constant_(block.second.normalisation.weight, 0.3)  # type: ignore[union-attr,arg-type]
            block.dropout = settings.dropout  # type: ignore[assignment]

    def forward(self, frames: Tensor) -> Tensor:
        """Given frames [batch, frames, bands], return logits [batch, frames / 4, outputs], late by look_ahead rows."""
        return self.head(self.body(frames))

    def body(self, frames: Tensor) -> Tensor:
        """Given frames [batch, frames, bands], return what the head hears, [batch, frames / 4, width], as late."""
        rows = rounded(frames, _spread(frames)) if self.quantised else frames
        for convolution in self.front:
            rows = functional.relu6(convolution(rows))
            rows = rounded(rows, STEP) if self.quantised else rows
        for block in self.blocks:
            rows = block(rows)
        return rows

    quantised = False

    def quantise(self) -> None:
        """From now on, compute as int8 will (quantisation-aware training, Jacob et al. 2018), of dense blocks."""
        self.quantised = True
        for module in self.modules():
            if isinstance(module, Convolution):
                module.quantised = True


def parameters(network: Network) -> int:
    """Given a network, return how many parameters it ships: kernels and biases, normalisation folded."""
    return sum(value.numel() for name, value in network.named_parameters() if "normalisation.weight" not in name)


def macs_per_second(settings: NetworkSettings) -> int:
    """Given the shape, return multiplications per second of audio, at 100 frames a second."""
    width, kernel = settings.width, settings.kernel
    convolution = {
        "dense": kernel * width**2,
        "separable": width**2 + kernel * width,
        "gated": kernel * width**2 + width**2 // 8,
    }[settings.block]
    front = settings.kernel * (settings.bands * settings.front * 50 + settings.front * settings.width * 25)
    blocks = 2 * len(settings.delays) * convolution * 25
    return front + blocks + settings.width * settings.outputs * 25
