"""Reading very many records at once."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_resting() -> Iterator[None]:
    """Keep Python's collector of cyclic garbage from running meanwhile.

    Decoding makes millions of containers and no cycles; the collector would walk all of them again and again, which
    takes as long as decoding itself.
    """
    resting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if resting:
            gc.enable()
