"""Sets torch's global generators; called at named places so that no generator state ever needs to be saved."""

from __future__ import annotations

import torch

from clbench.seeds import derive


def seed_torch(*names: int | str) -> None:
    """Seed torch's CPU generator, and those of GPUs in use, from `names` alone.

    torch.manual_seed would do, but formats a stack trace for every device that is not initialised: 0.4 ms a call.
    """
    seed = derive(*names)
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(seed)
