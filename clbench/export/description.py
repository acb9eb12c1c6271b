"""What `model.json` of an exported folder says: everything beside the tensors, and nothing that could run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from clbench.errors import DataError, ResultsError
from clbench.files.file_digest import file_sha256
from clbench.files.given import LARGEST_ANY, look_at, read_given
from clbench.files.sealed_json import sealed, unsealed
from clbench.records.schema import Count, Fraction, Label, MaybeSha, Name, Positive, Sha, Stem, Text
from clbench.spec.scenario import TrainSpec

FORMAT: Literal[1] = 1
FILE, CARD = "model.json", "README.md"
TENSORS: Literal["model.safetensors"] = "model.safetensors"
ONNX: Literal["model.onnx"] = "model.onnx"
LARGEST = 16 << 20
"""Bytes that the description may have."""
SIDE = Annotated[int, Meta(ge=1, le=4096)]


class _Part(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of the description."""


class Origin(_Part, frozen=True):
    """The run that the model came from."""

    scenario: Name
    version: Positive
    dataset: Text
    stand_in: bool
    strategy: Stem
    configuration: MaybeSha
    content: MaybeSha
    """The digest of the record."""
    seed: Count


class Decisions(_Part, frozen=True):
    """From which probability on a label counts as present."""

    thresholds: list[Fraction]
    """One for each label, in their order."""
    chosen_on: Text
    """`validation` where they are the best for F1 on the validation split, else `nothing`: one half. Never `test`."""
    images: Count
    """Validation images that they were chosen on."""


class Pretraining(_Part, frozen=True):
    """What the backbone began with."""

    track: Text
    weights: Text
    """As `train.weights` of the record has it: "" for random ones."""
    sha256: MaybeSha


class Description(_Part, frozen=True):
    """Everything that is needed to make the model again from its tensors, and to use it."""

    format: Literal[1]
    clbench: Text
    labels: Annotated[list[Label], Meta(min_length=1, max_length=100_000)]
    """In the order of the scores."""
    image_size: SIDE
    """Pictures are turned upright and squashed to this side (antialiased bilinear), uint8 RGB."""
    mean: list[float]
    std: list[float]
    """The network itself takes (pixel / 255 - mean) / std of uint8 pixels; nobody need do it before."""
    decisions: Decisions
    pretraining: Pretraining
    licence: dict[Text, Text]
    origin: Origin
    strategy: Text
    """The strategy of clbench that the model is of; "" where its network alone gives the scores."""
    fields: dict[Text, Any]
    train: TrainSpec
    new: list[Positive]
    """How many labels each session brought, which decides the head's structure."""
    all_seen: bool
    kept: dict[str, Any]
    """What the strategy's scores need beside its network, tensors by their names."""
    probe: list[Fraction]
    """The scores of the picture that `probe_picture` makes, which a loaded model must give again."""
    files: dict[Literal["model.safetensors", "model.onnx"], Sha] = msgspec.field(default_factory=dict)
    """sha256 of what lies beside it; folders of an earlier clbench have none."""


def digests(folder: Path) -> dict[Literal["model.safetensors", "model.onnx"], str]:
    """Return the sha256 of tensors and graph in a folder, of what is there. Raises OSError."""
    return {name: file_sha256(folder / name) for name in (TENSORS, ONNX) if (folder / name).exists()}


def check_files(description: Description, folder: Path) -> None:
    """Raise DataError naming a file of the folder that is not as it was exported. One that is not there is none."""
    for name, told in description.files.items():
        path = folder / name
        try:
            if not path.exists():
                continue
            look_at(path, largest=LARGEST_ANY)
            found = file_sha256(path)
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
        if found != told:
            raise DataError(
                f"{path}: is not as it was exported (its sha256 is not that in {FILE}).",
                hint="Copy the folder again, or export the model again.",
            )


def write_description(description: Description, folder: Path) -> None:
    """Write `model.json`, sealed. Raises OSError."""
    (folder / FILE).write_bytes(sealed(msgspec.to_builtins(description), indent=2))


def read_description(folder: Path) -> Description:
    """Return what the folder's `model.json` says. Raises DataError naming the field."""
    path = folder / FILE
    try:
        text = read_given(path, largest=LARGEST)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}).",
            hint="clbench export RECORD --out FOLDER makes such a folder.",
        ) from error
    try:
        found = msgspec.convert(unsealed(text, bare=True), type=Description)
    except (ResultsError, msgspec.ValidationError, RecursionError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {error}.", hint="Export the model again with this clbench.") from error
    _check(found, path)
    return found


def _check(found: Description, path: Path) -> None:
    labels = len(found.labels)
    if len(set(found.labels)) != labels:
        raise DataError(f"{path}: labels: one label stands there twice.")
    for name, length in (("decisions.thresholds", len(found.decisions.thresholds)), ("probe", len(found.probe))):
        if length != labels:
            raise DataError(f"{path}: {name}: {length} values for {labels} labels.")
    if sum(found.new) != labels:
        raise DataError(f"{path}: new: {sum(found.new)} labels in all, and labels has {labels}.")
    if found.image_size != found.train.image_size:
        raise DataError(f"{path}: image_size: {found.image_size}, and train.image_size is {found.train.image_size}.")
