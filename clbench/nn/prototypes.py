"""One typical feature per label, gathered over many images."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional

from clbench.nn.heads.growing_blocks import Blocks, zeros
from clbench.nn.heads.network import Network


class PrototypeSums:
    """Adds up label features and gives each label's prototype.

    Confirmed by SADCL (ECAI 2023), in the name of its files: features that the network is confident of, at .85.
    Reconstructed, since its authors publish the prototypes but not how they were made: the mean over a label's
    positives with p > `confidence`, or over all its positives where there is none; and a prototype keeps its members'
    mean length, because it passes a projection with biases, in which the length of a mean of unlike features would
    make it another direction.
    """

    def __init__(self, *, confidence: float = 0.85) -> None:
        self.confidence = confidence
        self._sums: Tensor | None = None

    def add(self, features: Tensor, probabilities: Tensor, targets: Tensor) -> None:
        """Take label features [B, C, d] with probabilities [B, C] and targets [B, C] (1, 0, NaN for unknown)."""
        positive = targets > 0.5
        masks = torch.stack([positive & (probabilities > self.confidence), positive]).to(torch.float32)
        features = features.detach().float()
        lengths = torch.cat([features, features.norm(dim=-1, keepdim=True), torch.ones_like(features[..., :1])], dim=-1)
        with torch.autocast(features.device.type, enabled=False):  # half precision cannot count to a thousand
            found = torch.einsum("kbc,bcd->kcd", masks, lengths)
        self._sums = found if self._sums is None else self._sums + found

    def prototypes(self) -> Tensor:
        """Return the prototypes [C, d]; rows of zeros for labels without a positive."""
        if self._sums is None:
            return torch.empty(0, 0)
        confident, positives = self._sums
        chosen = torch.where(confident[:, -1:] > 0, confident, positives)
        total, length, count = chosen[:, :-2], chosen[:, -2:-1], chosen[:, -1:]
        return functional.normalize(total, dim=1) * length / count.clamp(min=1)


@torch.no_grad()
def label_prototypes(network: Network, batches: Iterable[tuple[Tensor, Tensor]], *, confidence: float) -> Tensor:
    """Return the prototypes [C, d] of (images, targets [B, C]); the network should be in evaluation mode."""
    sums, head = PrototypeSums(confidence=confidence), network.head
    weight, bias = head.classifier()
    for images, targets in batches:
        features = head.label_features(network.maps(images))
        sums.add(features, ((features * weight).sum(-1) + bias).float().sigmoid(), targets)
    return sums.prototypes()


class Prototypes(Blocks):
    """A growing table of prototypes [labels, d]: the newest block trains, earlier ones stay as they are."""

    def __init__(self, d: int) -> None:
        super().__init__(d, init=zeros)

    def grow(self, k: int) -> None:
        """Append `k` labels without a prototype yet, after fixing those there are."""
        self.requires_grad_(False)
        super().grow(k)

    @torch.no_grad()
    def take(self, found: Tensor) -> Tensor:
        """Set the rows of `found` [labels, d] where none was set and return their labels, int64."""
        new: Tensor = ((self() == 0).all(1) & (found != 0).any(1)).nonzero()[:, 0]
        first = 0
        for block in self.blocks:
            inside = new[(new >= first) & (new < first + len(block))]
            block[inside - first] = found[inside].to(block.dtype)
            first += len(block)
        return new

    def replayed(self, weight: Tensor, bias: Tensor) -> Tensor:
        """Return the cross-entropy of old labels' classifier rows at their own prototypes, a mean; 0 without any."""
        old = [block for block in self.blocks if not block.requires_grad]
        if not old:
            return weight.new_zeros(())
        anchors = torch.cat(old)
        taken: Tensor = (anchors != 0).any(1)
        logits = (anchors * weight[: len(anchors)]).sum(-1) + bias[: len(anchors)]
        entries: Tensor = torch.where(taken, functional.softplus(-logits), torch.zeros_like(logits))
        mean: Tensor = entries.sum() / taken.sum().clamp(min=1)
        return mean
