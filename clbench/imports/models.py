"""timm's models, without its readers of data sets and torchvision's models.

Whoever needs timm takes it from here: where it is imported as it stands it brings all of both, and torch's compiler.
"""

from clbench.imports.deferred import defer
from clbench.imports.places import MODELS, PLACES

defer(PLACES, needed=MODELS)

import timm  # noqa: E402 - as it is deferred above
from timm.layers import mlp, pos_embed  # noqa: E402
from timm.models import vision_transformer  # noqa: E402

__all__ = ["mlp", "pos_embed", "timm", "vision_transformer"]
