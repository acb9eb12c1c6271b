"""An exported model on photos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from clbench.data.pictures.sources import lone_photo
from clbench.errors import DataError
from clbench.export.description import FILE, TENSORS, Description, check_files, read_description
from clbench.export.rebuild import expected_shapes, put_in, rebuilt, shipped_kind
from clbench.export.tensors import probe_picture, read_tensors
from clbench.method.strategy import Strategy

Scores = npt.NDArray[np.float32]
TOLERANCE = 1e-4
"""How far scores of the probe may be from those that were exported: another machine moves last digits."""


class Model:
    """What `clbench.load` returns: the model of a finished run, with its labels and thresholds.

    `labels` are in the order of the scores, `thresholds` float64 [L] the probabilities from which each counts as
    present, `description` is everything that model.json says. It is on the CPU; `to` moves it.
    """

    def __init__(self, strategy: Strategy, description: Description) -> None:
        self.description = description
        self.labels = tuple(description.labels)
        self.thresholds = np.array(description.decisions.thresholds)
        self._strategy = strategy
        self._device = torch.device("cpu")

    def to(self, device: str) -> Model:
        """Move the model to a device and return it."""
        self._device = torch.device(device)
        self._strategy.to(self._device)
        return self

    def scores(self, photos: str | Path | Sequence[str | Path], *, batch: int = 32) -> Scores:
        """Return the probabilities float32 [n, L] for photo files, or for one, read as a run reads its pictures.

        Turned upright as a camera says, squashed to the model's size. Raises DataError naming a photo that is missing
        or damaged.
        """
        size = self.description.image_size
        photos = [photos] if isinstance(photos, (str, Path)) else photos
        found = np.empty((len(photos), len(self.labels)), dtype=np.float32)
        for first in range(0, len(photos), batch):
            pictures = [lone_photo(Path(photo), size=size) for photo in photos[first : first + batch]]
            found[first : first + batch] = self.scores_of(torch.stack(pictures)).numpy()
        return found

    @torch.no_grad()
    def scores_of(self, images: Tensor) -> Tensor:
        """Return the probabilities float32 [B, L], on the CPU, for pictures uint8 [B, 3, size, size]."""
        found: Tensor = self._strategy.scores(images.to(self._device))
        return found.float().cpu()

    def predict(self, photos: str | Path | Sequence[str | Path]) -> list[dict[str, float]]:
        """Return for each photo the labels that reach their thresholds with their probabilities, the surest first."""
        return [self.present(row) for row in self.scores(photos)]

    def present(self, scores: Scores) -> dict[str, float]:
        """Return the labels [L] whose probabilities reach their thresholds, the surest first."""
        chosen = [int(i) for i in np.argsort(-scores, kind="stable") if scores[i] >= self.thresholds[i]]
        return {self.labels[i]: float(scores[i]) for i in chosen}


def load(folder: str | Path) -> Model:
    """Return the model in a folder that `clbench export` made.

    It is read without trust: no code of the folder runs, only JSON and plain tensors are read, and every shape is
    checked before memory is taken. Digests tell what was damaged on the way; whoever changes a folder on purpose writes
    them anew. Raises DataError for a folder that is damaged, of another clbench, or not what it says.

    >>> model = clbench.load("exported")
    >>> model.labels
    ('person', 'chair', 'car')
    >>> model.scores(["street.png"]).shape
    (1, 3)
    >>> [sorted(found) for found in model.predict(["street.png"])]
    [['chair', 'person']]
    """
    folder = Path(folder)
    description = read_description(folder)
    check_files(description, folder)
    kind = shipped_kind(description.strategy)
    tensors = read_tensors(folder / TENSORS, expected=expected_shapes(kind, description))
    strategy = rebuilt(kind, description)
    put_in(strategy, tensors, description.kept)
    model = Model(strategy, description)
    _check_probe(model, folder)
    return model


def _check_probe(model: Model, folder: Path) -> None:
    """Raise DataError where the model scores a known picture otherwise than when it was exported."""
    body = model._strategy.net.backbone
    given = [round(float(value), 6) for name in ("mean", "std") for value in getattr(body, name).flatten()]
    told = [round(value, 6) for value in (*model.description.mean, *model.description.std)]
    if given != told:
        raise DataError(f"{folder / FILE}: mean, std: {told}; the backbone here has {given}.")
    found = model.scores_of(probe_picture(model.description.image_size))[0]
    apart = float((found - torch.tensor(model.description.probe)).abs().max())
    if not apart <= TOLERANCE:
        raise DataError(
            f"{folder / FILE}: probe: scores differ by {apart:.1e} from those that were exported.",
            hint=f"It was exported with clbench {model.description.clbench}; files were changed, or the strategy was.",
        )
