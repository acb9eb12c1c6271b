"""torchvision's functions on pictures, without its models, data sets and compiled operators."""

from clbench.imports.deferred import defer
from clbench.imports.places import PICTURES, PLACES

defer(PLACES, needed=PICTURES)

from torchvision.transforms.v2 import functional  # noqa: E402 - as it is deferred above

__all__ = ["functional"]
