"""The weights of the stand-in as a file in the cache folder, made once."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path

from clbench.errors import DataError
from clbench.files.checked_rows import remove_leftovers
from clbench.files.whole_file import in_place_of
from clbench.files.yaml_text import digest
from clbench.nn.backbones.by_name import check_stand_in
from clbench.pretrain.lessons import Lessons, taught
from clbench.weights.known_files import weights_folder
from clbench.weights.resolve import Weights
from clbench.weights.stand_in import STAND_IN

LESSONS = Lessons()


def stand_in_weights(backbone: str, *, progress: Callable[[int, int], None] | None = None) -> Weights:
    """Return the stand-in's weights for `backbone`, made now where they are not in the cache yet.

    A file's name has the digest of its lessons and that of its content, which is compared whenever it is asked for; who
    asks while it is made waits. Raises UsageError for a backbone without a stand-in, DataError where the cache cannot
    be written or the file is not as it was.
    """
    from filelock import FileLock

    check_stand_in(backbone)
    folder, stem = weights_folder(), f"stand-in-{digest(dataclasses.asdict(LESSONS))[:12]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{stem}.lock"):
            path = next(iter(folder.glob(f"{stem}-*.safetensors")), None) or _made(folder, stem, progress=progress)
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(
            f"{folder}: the stand-in's weights cannot be kept ({error.strerror or error}).",
            hint="Name another folder with CLBENCH_CACHE.",
        ) from error
    if not path.stem.endswith(found[:16]):
        path.unlink(missing_ok=True)
        raise DataError(
            f"{path}: it is not as it was written; the disk or whoever wrote there changed it.",
            hint="It was removed and is made again: run the same command again.",
        )
    return Weights(STAND_IN, path, found)


def _made(folder: Path, stem: str, *, progress: Callable[[int, int], None] | None) -> Path:
    from safetensors.torch import save

    content = save(taught(LESSONS, progress=progress))
    path = folder / f"{stem}-{hashlib.sha256(content).hexdigest()[:16]}.safetensors"
    remove_leftovers(path)
    with in_place_of(path) as file:
        file.write(content)
    return path
