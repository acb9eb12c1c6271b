"""A tar of WebDataset's form: KEY.jpg beside KEY.json, KEY.cls and whatever else there is of the same key."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from clbench.data.fetch.unpack import tar_places
from clbench.data.shards.shard import ENDINGS, Shard, as_bytes, check_pictures, split_name

_ABOUT = re.compile(r"__[^/]*__($|/)")
"""Members about the shard itself, which WebDataset skips."""


def read_tar(path: Path) -> Shard:
    """Return the pictures of a tar. Raises DataError for one that is cut, packed or holds no pictures, or a key twice.

    Nothing of the pictures is read: a header takes 512 bytes, and the rest is stepped over.
    """
    places = [
        (name, split_name(name)[0], first, size)
        for name, first, size in tar_places(path)
        if split_name(name)[1] in ENDINGS and not _ABOUT.match(name)
    ]
    names, keys = [place[0] for place in places], [place[1] for place in places]
    check_pictures(path, names, keys, [place[3] for place in places])
    return Shard(
        source=path,
        file=path,
        names=as_bytes(names),
        keys=as_bytes(keys),
        first=np.array([place[2] for place in places], dtype=np.int64),
        sizes=np.array([place[3] for place in places], dtype=np.int64),
        checks=np.empty(0, dtype=np.uint32),
    )
