"""Shards for tests, written as WebDataset and Hugging Face write them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from fault_tools import SCENARIO, make_data


def write_tar(path: Path, members: Mapping[str, bytes] | Sequence[tuple[str, bytes]]) -> Path:
    """Write members in their order; a name may be there twice."""
    with tarfile.open(path, "w") as tar:
        for name, data in members.items() if isinstance(members, Mapping) else members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def sharded(folder: Path, *, per_shard: int = 14, epochs: int = 2, options: str = "", **sizes: int) -> Path:
    """Write photos, the same photos in tars, and a scenario for each: own.yaml and sharded.yaml, which is returned."""
    make_data(folder, epochs=epochs, **sizes)
    photos = sorted((folder / "photos").iterdir())
    for first in range(0, len(photos), per_shard):
        part = {f"photos/{path.name}": path.read_bytes() for path in photos[first : first + per_shard]}
        write_tar(folder / f"own-{first // per_shard}.tar", part)
    text = (
        SCENARIO.format(epochs=epochs).replace("name: own", "name: sharded")
        + f'options: {{shards: "own-*.tar"{options}}}\n'
    )
    (folder / "sharded.yaml").write_text(text)
    return folder / "sharded.yaml"
