"""The published weights of timm's models, as the caches of the Hugging Face hub and of torch hold them."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from clbench.errors import DataError

HUB = "hub"
_FILES = ("model.safetensors", "pytorch_model.bin")
_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.[a-z.]+\Z")
"""torch.hub's convention: a published file's name ends with the beginning of its sha256."""


def cached(backbone: str) -> Path | None:
    """Return the published weights of a timm model where they are on this machine; asks no network."""
    from huggingface_hub import try_to_load_from_cache

    repository, revision, names = _published_as(backbone)
    for name in names if repository else ():
        found = try_to_load_from_cache(repository, name, revision=revision)
        if isinstance(found, str):
            return Path(found)
    return next((path for path in _in_torch_hub(backbone) if path.is_file()), None)


def fetched(backbone: str) -> Path:
    """Return the published weights of a timm model, from the network where they are not here. Raises DataError."""
    found = cached(backbone)
    if found is not None:
        return found
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    repository, revision, names = _published_as(backbone)
    problem: Exception | str = "timm names no repository for it"
    for name in names if repository else ():
        try:
            with _one_message():
                return Path(hf_hub_download(repository, name, revision=revision))
        except LocalEntryNotFoundError as error:
            problem = f"no file from {constants.ENDPOINT}: {error.__cause__ or error}"
            break
        except EntryNotFoundError as error:
            problem = error
        except Exception as error:
            problem = error
            break
    reason = (str(problem).strip() or type(problem).__name__).splitlines()[0]
    raise DataError(
        f"train.weights: the weights of '{backbone}' could not be fetched from timm's hub ({reason}).",
        hint=hint(backbone),
    )


@contextmanager
def _one_message() -> Iterator[None]:
    """Keep the hub's client from telling each of its attempts: what came of them is told once."""
    log = logging.getLogger("huggingface_hub")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def hint(backbone: str) -> str:
    """Return what to do where the published weights of a model are not here."""
    return (
        f"Where there is a network: clbench weights get {backbone}; then copy the folder HF_HOME. Or give the path of "
        "a weights file as train.weights. docs/offline.md"
    )


def is_offline() -> bool:
    """Return whether the hub may not be asked (HF_HUB_OFFLINE)."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def is_published(sha256: str, *, backbone: str) -> bool:
    """Return whether a file with this digest is what the hub has for `backbone`, as far as this machine knows.

    Known are the file in the cache of the hub, and the beginning of the digest where timm's address of it has that.
    """
    told = _IN_NAME.search(_url(backbone))
    if told and sha256.startswith(told[1]):
        return True
    here = cached(backbone)
    if here is None:
        return False
    from clbench.weights.known_files import sha256_of

    return sha256_of(here) == sha256


def _published_as(backbone: str) -> tuple[str, str | None, tuple[str, ...]]:
    """Return (repository, revision, names of files) on the Hugging Face hub; no repository: "".

    Every tagged model of timm lies in `timm/NAME`, so that looking for one need not import timm.
    """
    config = _config(backbone) if "." not in backbone else None
    named = f"timm/{backbone}" if config is None else str(config.hf_hub_id or "")
    repository, _, revision = named.partition("@")
    file = "" if config is None else config.hf_hub_filename
    return repository, revision or None, (str(file),) if file else _FILES


def _config(backbone: str) -> Any:
    from clbench.imports.models import timm

    return timm.get_pretrained_cfg(backbone, allow_unregistered=True)


def _url(backbone: str) -> str:
    config = _config(backbone)
    return "" if config is None else str(config.url or "")


def _in_torch_hub(backbone: str) -> Iterator[Path]:
    """Yield where torch's own hub would keep the file, for addresses that name its digest."""
    home = (
        os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME", "") or Path.home() / ".cache") / "torch"
    )
    folder = Path(home) / "hub" / "checkpoints"
    if folder.is_dir() and _IN_NAME.search(url := _url(backbone)):
        yield folder / PurePosixPath(url).name
