"""Features of a frozen backbone, computed once per picture and read from disk ever after.

Where the backbone never trains and pictures are shown without augmentation, every pass through it repeats the one
before. Then a run can train its head on stored features: the same record, many times sooner.
"""

from __future__ import annotations

import hashlib
import logging
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from clbench.data.pictures.sources import CachedImages, ImageSource, Progress
from clbench.errors import DataError, RunError, UsageError
from clbench.files.cache_lock import made_once
from clbench.files.checked_rows import CheckedRows, remove_leftovers, writing_rows
from clbench.files.user_folders import cache_folder
from clbench.files.yaml_text import digest
from clbench.method.strategy import Strategy
from clbench.nn.backbones.by_name import Backbone, Given
from clbench.nn.heads.pooled import LinearHead
from clbench.spec.scenario import TrainSpec
from clbench.stream.stream import Stream
from clbench.train.options import Kind

log = logging.getLogger(__name__)

VERSION = 1
BATCH = 64
TOLERANCE = 1e-4
"""How far scores from stored features may lie from those from pictures: GPU kernels differ with the batch's size."""


class StoredFeatures:
    """An image source whose pictures are feature maps, in the order of the rows.

    They are float32 [n, width, h, w], or [n, values] with the maps of all stages end to end.
    """

    def __init__(
        self,
        path: Path,
        *,
        rows: npt.NDArray[np.int64],
        shape: tuple[int, ...],
        size: int,
        behind: ImageSource | None = None,
    ) -> None:
        self.path = path
        self.behind = behind
        self.size = size
        self.rows = rows
        self.kept = CheckedRows(path, count=len(rows), shape=shape, kind=np.float32)

    def read(self, rows: npt.NDArray[np.int64]) -> Tensor:
        """Return float32 [n, width, h, w], or [n, values] of several stages.

        Raises DataError where one is not what was kept, RunError for a picture of which nothing is.
        """
        places = np.searchsorted(self.rows, rows)
        if not np.array_equal(self.rows.take(places, mode="clip"), rows):
            raise RunError(f"{self.path}: no features are kept of a picture that is asked for.")
        return torch.from_numpy(self.kept.read(places))


def check_recipe(train: TrainSpec, *, kind: Kind) -> None:
    """Raise UsageError where the recipe alone says that stored features would change the record."""
    against = {
        f"train.freeze is '{train.freeze}', so the backbone changes": train.freeze != "backbone",
        f"train.augment is '{train.augment}', so no picture is the same twice": train.augment != "none",
        f"train.amp is '{train.amp}', so training and scoring see different features": train.amp != "off",
    }
    _refuse_if(against, kind=kind)


def check_applicable(train: TrainSpec, strategy: Strategy, *, kind: Kind) -> None:
    """Raise UsageError unless stored features give the record that pictures give, saying what stands against it."""
    check_recipe(train, kind=kind)
    head = strategy.net.head
    against = {
        f"the head '{strategy.head}' reads several stages of the backbone, which `stages` keeps": (
            head.wants_stages and kind != "stages"
        ),
        "the strategy works inside the backbone": strategy.net.inside_backbone,
        "the strategy does not keep the backbone that it was given (what is set behind it belongs in net.between)": (
            not isinstance(strategy.net.backbone, Backbone)
        ),
        "what stands between backbone and head sees the whole map": (
            kind == "pooled" and not isinstance(strategy.net.between, nn.Identity)
        ),
        f"the head '{strategy.head}' does not pool": kind == "pooled" and not isinstance(head, LinearHead),
    }
    _refuse_if(against, kind=kind)


def _refuse_if(against: dict[str, bool], *, kind: Kind) -> None:
    for reason, holds in against.items():
        if holds:
            raise UsageError(f"--features {kind}: {reason}.", hint="Run it without --features.")


def stored_features(
    source: ImageSource,
    strategy: Strategy,
    stream: Stream,
    train: TrainSpec,
    *,
    kind: Kind,
    content: Callable[[], str],
    device: torch.device,
    progress: Progress | None = None,
) -> StoredFeatures:
    """Return the features of the stream's pictures, computed now where they are not stored yet.

    Afterwards the strategy's backbone passes them on as they are. `content()` names the pixels of `source`. Raises
    UsageError where stored features would change the record, DataError when they cannot be written or do not fit the
    disk.
    """
    check_applicable(train, strategy, kind=kind)
    backbone = strategy.net.backbone
    assert isinstance(backbone, Backbone)
    backbone.to(device).eval()
    rows = all_rows(stream)
    pooling = strategy.net.head if kind == "pooled" else None

    @torch.no_grad()
    def maps(part: npt.NDArray[np.int64]) -> list[Tensor]:
        images = source.read(part).to(device)
        if kind == "stages":
            return backbone.stages(images)
        features = backbone(images)
        return [pooling.pool(features)[:, :, None, None] if isinstance(pooling, LinearHead) else features]

    def computed(part: npt.NDArray[np.int64]) -> Tensor:
        found = maps(part)
        return torch.cat([stage.flatten(1) for stage in found], dim=1) if kind == "stages" else found[0]

    first = maps(rows[:2])
    pictures = source.path.stem if isinstance(source, CachedImages) else content()
    path = cache_folder() / feature_file(backbone, stream, train, kind=kind, pictures=pictures, device=device)
    shapes = tuple(tuple(stage.shape[1:]) for stage in first)
    shape = (sum(map(math.prod, shapes)),) if kind == "stages" else shapes[0]
    found = StoredFeatures(path, rows=rows, shape=shape, size=source.size, behind=source)
    try:
        _fill(found, computed, progress=progress)
    except OSError as error:
        raise DataError(
            f"{path.parent}: the features cannot be written ({error.strerror or error}).",
            hint="Name another folder with CLBENCH_CACHE, or run without --features.",
        ) from error
    # the tokens of transformers lie channels last too, with gaps
    given = Given(shapes, tuple(not stage.is_contiguous() and stage.stride(1) == 1 for stage in first))
    for stored, fresh in zip(given.maps(found.read(rows[:2]).to(device)), first, strict=True):
        _check_same(stored, fresh)
    backbone.given = given
    return found


def all_rows(stream: Stream) -> npt.NDArray[np.int64]:
    """Return the rows of every picture that a run over `stream` may look at, in ascending order. Its shape is [n]."""
    shown = [*(session.rows for session in stream.sessions), stream.test_rows, stream.val_rows]
    return np.unique(np.concatenate(shown))


def feature_file(
    backbone: Backbone, stream: Stream, train: TrainSpec, *, kind: Kind, pictures: str, device: torch.device
) -> Path:
    """Return where the stream's features lie below the cache folder; `pictures` names the pixels."""
    key = digest(
        [
            VERSION,
            kind,
            pictures,
            hashlib.sha256(all_rows(stream).tobytes()).hexdigest(),
            weights_digest(backbone),
            [train.backbone, train.image_size, train.normalize, train.channels_last],
            [str(torch.__version__), device.type, torch.backends.cpu.get_cpu_capability()],
        ]
    )
    return Path("features", f"{stream.table.name}-{key[:24]}.f32")


def weights_digest(module: torch.nn.Module) -> str:
    """Return the sha256 over the names and values of a module's weights and buffers."""
    hasher = hashlib.sha256()
    for name, value in module.state_dict().items():
        hasher.update(name.encode() + value.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return hasher.hexdigest()


def _check_same(stored: Tensor, fresh: Tensor) -> None:
    scale = float(fresh.abs().max()) or 1.0
    apart = float((stored - fresh).abs().max()) / scale
    if not apart <= TOLERANCE:
        raise RunError(
            f"stored features differ from fresh ones by {apart:.1e} of the largest.",
            hint="Remove the folder `features` in the cache (CLBENCH_CACHE), or run without --features.",
        )


def _fill(
    features: StoredFeatures, computed: Callable[[npt.NDArray[np.int64]], Tensor], *, progress: Progress | None
) -> None:
    """Write the features of all rows to their file, which appears only when it is complete; concurrent runs wait."""
    path, rows, kept = features.path, features.rows, features.kept
    need = len(rows) * math.prod(kept.shape) * 4
    path.parent.mkdir(parents=True, exist_ok=True)
    with made_once(path):
        if kept.is_there():
            return
        remove_leftovers(path)
        free = shutil.disk_usage(path.parent).free
        if free < need * 1.05:
            raise DataError(
                f"{path.parent}: the features need {need / 1e9:.1f} GB and {free / 1e9:.1f} GB are free.",
                hint="--features pooled takes far less where the head pools; CLBENCH_CACHE names another folder.",
            )
        with writing_rows(path) as writer:
            for begin in range(0, len(rows), BATCH):
                writer.add(computed(rows[begin : begin + BATCH]).float().cpu().numpy())
                if progress:
                    progress(min(begin + BATCH, len(rows)), len(rows))
