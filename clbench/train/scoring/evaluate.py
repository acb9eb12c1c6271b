"""What ranks test images, in one forward pass per image and session; the only place that sees test images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from clbench.data.pictures.read_ahead import read_ahead
from clbench.data.pictures.sources import ImageSource
from clbench.errors import RunError
from clbench.method.strategy import Strategy
from clbench.metrics.of_session import Evaluation, measured
from clbench.metrics.rules import Ranking
from clbench.metrics.thresholds import Thresholds
from clbench.ranks.together import gathered, shard
from clbench.stream.stream import Session

_VERBS: dict[str, Ranking] = {"logits": "logits", "scores": "probabilities"}


class BadScoresError(RunError):
    """What a strategy's test images should be ranked by has the wrong shape or is no such thing."""


def ranked_by(strategy: Strategy, *, protocol: int) -> Ranking:
    """Return what a strategy's test images are ranked by.

    `logits`, unless its class overrides `scores` and neither this class nor one below it says what the logits are.
    Protocol 1 asked every strategy for probabilities.
    """
    told = (verb for kind in type(strategy).__mro__ for verb in _VERBS if verb in vars(kind))
    return "probabilities" if protocol == 1 else _VERBS[next(told)]


def ranking_scores(strategy: Strategy, images: Tensor, *, ranking: Ranking) -> Tensor:
    """Return float [B, seen] for uint8 images [B, 3, H, W], as `ranking` says."""
    found = (strategy.logits if ranking == "logits" else strategy.scores)(images)
    if not isinstance(found, Tensor):
        raise BadScoresError(
            f"{_verb(strategy, ranking)} gave {type(found).__name__}, and no tensor.",
            hint="It returns one column per seen label, in arrival order.",
        )
    return found.float()


@torch.no_grad()
def score_matrix(
    strategy: Strategy,
    *,
    source: ImageSource,
    rows: npt.NDArray[np.int64],
    seen: int,
    device: torch.device,
    batch: int,
    ranking: Ranking,
    readers: int = 0,
) -> npt.NDArray[np.float32]:
    """Return what ranks the images `rows`, float32 [n, seen], logits or probabilities; on the device until the end.

    `readers` processes read pictures ahead. In a distributed run each rank scores its share and all return the whole.
    Raises RunError when a strategy returns another shape, NaN, or probabilities outside [0, 1]. The error is a
    BadScoresError.
    """
    strategy.eval()
    everything, rows = rows, shard(rows)
    own, first = torch.empty(len(rows), seen, device=device), 0
    for images in read_ahead(source, rows, batch=batch, readers=readers, pin=device.type == "cuda"):
        part = ranking_scores(strategy, images.to(device, non_blocking=True), ranking=ranking)
        check_shape(strategy, part, shape=(len(images), seen), ranking=ranking)
        own[first : first + len(part)] = part
        first += len(part)
    check_values(strategy, own, ranking=ranking)
    scores = gathered(own, total=len(everything))
    result: npt.NDArray[np.float32] = scores.cpu().numpy()
    return result


def check_shape(strategy: Strategy, scores: torch.Tensor, *, shape: tuple[int, int], ranking: Ranking) -> None:
    """Raise BadScoresError where a strategy's `scores` of some images are not [n, seen]."""
    if tuple(scores.shape) != shape:
        raise BadScoresError(
            f"{_verb(strategy, ranking)} gave {tuple(scores.shape)} for {shape[0]} images and {shape[1]} labels.",
            hint="It returns one column per seen label, in arrival order.",
        )


def check_values(strategy: Strategy, scores: torch.Tensor, *, ranking: Ranking) -> None:
    """Raise BadScoresError where `scores` [n, seen] hold NaN, or no probabilities where these are meant."""
    said = _verb(strategy, ranking)
    if bool(scores.isnan().any()):
        raise BadScoresError(f"{said} gave NaN.", hint="Look where it divides by zero, or takes inf - inf.")
    if ranking == "probabilities" and not bool(((scores >= 0) & (scores <= 1)).all()):
        raise BadScoresError(
            f"{said} gave values that are not probabilities (outside [0, 1]).",
            hint="Logits are returned by the verb `logits`, which replaces this one.",
        )


def _verb(strategy: Strategy, ranking: Ranking) -> str:
    return f"{type(strategy).__name__}.{'logits' if ranking == 'logits' else 'scores'}"


def evaluate(
    scores: npt.NDArray[np.float32],
    *,
    truth: npt.NDArray[np.int8],
    test_rows: npt.NDArray[np.int64],
    session: Session,
    ranking: Ranking,
    chosen: Thresholds | None = None,
) -> Evaluation:
    """Return what `scores` [n, seen] of the fixed test set say against `truth` int8 [n, K], both in `test_rows` order.

    Labels learned so far are scored on the session's growing test set and on the fixed one; the others are undefined.
    `chosen` are the thresholds that validation images chose, where there are such.
    """
    growing = np.isin(test_rows, session.test_rows)
    return measured(scores, truth=truth, growing=growing, learned=session.learned, ranking=ranking, chosen=chosen)
