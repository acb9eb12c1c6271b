"""The scores as an ONNX graph, compared with torch before it is believed."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from clbench.errors import RunError
from clbench.method.strategy import Strategy

NEEDS = ("onnx", "onnxruntime", "onnxscript")
TOLERANCE = 1e-4
PICTURES, SCORES = "pictures", "scores"


def missing() -> list[str]:
    """Return which packages of the extra `export` are not installed."""
    return [name for name in NEEDS if find_spec(name) is None]


class _Scores(nn.Module):
    def __init__(self, strategy: Strategy) -> None:
        super().__init__()
        self.strategy = strategy

    def forward(self, pictures: Tensor) -> Tensor:
        return self.strategy.scores(pictures)


def write_onnx(strategy: Strategy, path: Path, *, probes: Tensor) -> float:
    """Write the strategy's scores as a graph and return how far it is from torch on `probes` uint8 [n, 3, S, S].

    Its input `pictures` is uint8 [batch, 3, S, S], its output `scores` float [batch, L]; normalisation is inside.
    Raises RunError where torch cannot express the strategy as a graph, or where onnxruntime gives other scores.
    """
    try:
        with _quietly(), torch.no_grad():
            torch.onnx.export(
                _Scores(strategy).eval(),
                (probes[:2],),
                str(path),
                input_names=[PICTURES],
                output_names=[SCORES],
                dynamic_shapes={PICTURES: {0: torch.export.Dim("batch", min=1)}},
                dynamo=True,
                external_data=False,
            )
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RunError(
            f"the scores of {type(strategy).__name__} cannot be written as ONNX ({reason}).",
            hint="Export with --no-onnx.",
        ) from error
    with torch.no_grad():
        apart = float(np.abs(onnx_scores(path, probes) - strategy.scores(probes).float().numpy()).max())
    if not apart <= TOLERANCE:
        raise RunError(
            f"onnxruntime gives scores that differ by {apart:.1e} from torch's.", hint="Export with --no-onnx."
        )
    return apart


def onnx_scores(path: Path, pictures: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Return what onnxruntime makes of pictures uint8 [n, 3, S, S], float32 [n, L]."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found: Sequence[np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = session.run(
        [SCORES], {PICTURES: pictures.numpy()}
    )
    return found[0]


@contextlib.contextmanager
def _quietly():  # type: ignore[no-untyped-def]
    """Keep the exporter's progress to itself."""
    level = logging.root.manager.disable
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(level)
