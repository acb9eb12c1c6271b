"""What a record holds: schema 2 of the one file that a run leaves."""

import inspect
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from clbench.metrics.rules import Ranking

SCHEMA: Literal[2] = 2
"""The schema that this version writes; older ones stay readable through `clbench.records.migrations`."""

# `$` alone would let a trailing newline pass in Python; the look-ahead means the same in JSON Schema
_END = r"$(?![\s\S])"
_FLAT = r"^(?!\.)[^/\\\x00-\x1f\x7f]+" + _END

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,79}" + _END)]
Stem = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,79}" + _END)]
File = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,119}" + _END)]
Flat = Annotated[str, Meta(pattern=_FLAT, max_length=200)]
"""A name of data or a label: printable, no path separator, not starting with a dot."""
Text = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]*" + _END, max_length=4000)]
Remark = Annotated[str, Meta(pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*" + _END, max_length=20_000)]
"""Text that may have several lines."""
Label = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]+" + _END, max_length=200)]
Sha = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}" + _END)]
MaybeSha = Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?" + _END)]
Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(ge=0.0)]
Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Plain = Any
"""A value as JSON has it; strategies and recipes decide which."""

Matrix = list[list[Fraction | None]]
Tally = list[list[Count | None]]


class _Part(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a record: fixed fields, no others, never changed once made."""


class SessionPart(_Part, frozen=True, kw_only=True):
    """What one session of the scenario showed."""

    labels: list[Label]
    """The labels that are new in this session."""
    train_images: Count
    test_images: Count
    """Images of the growing test set."""


class StreamPart(_Part, frozen=True, kw_only=True):
    """Digests of the stream that was really shown."""

    images: Sha
    labels: Sha


class DataPart(_Part, frozen=True, kw_only=True):
    """Which label table the stream was cut from."""

    name: Flat
    revision: Text
    digest: Sha
    photos: Sha | UnsetType = UNSET
    """Of the sizes of its photos, and of bytes of as many as a moment lets read; absent for generated pictures."""


class OrderPart(_Part, frozen=True, kw_only=True):
    """The class order of a run that was not in its scenario's own."""

    name: Text
    """`alphabetical`, `official`, `frequency` or `shuffle:SEED`."""
    scenario: Sha
    """The digest of the scenario in its own order."""


class ScenarioPart(_Part, frozen=True, kw_only=True):
    """The protocol of the run, as it was found on disk."""

    name: Name
    version: Positive
    title: Text
    digest: Sha
    dataset: Flat
    stand_in: bool
    """Whether generated pictures stood in for the data set."""
    local: bool
    """Whether the scenario is not one that clbench ships."""
    order: OrderPart | UnsetType = UNSET
    """Absent where labels arrived in the scenario's own order."""
    sessions: Annotated[list[SessionPart], Meta(min_length=1)]
    stream: StreamPart
    data: DataPart


class StrategyPart(_Part, frozen=True, kw_only=True):
    """The method and every value that it ran with."""

    name: Stem
    title: Text
    origin: Text
    """`shipped`, `local` or `dist:` and the distribution that brought it."""
    sha256: Sha
    """Of the strategy's file."""
    head: Text
    fields: dict[Text, Plain]
    """All hyper-parameters."""
    changed: dict[Text, Plain]
    """Those that differ from the defaults."""
    draws: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    """How many times in a step all that is stored may have been replayed at most."""


class SplitPart(_Part, frozen=True, kw_only=True):
    """A validation split: which share of the train images, dealt by which seed."""

    fraction: Fraction
    seed: Count


class TuningPart(_Part, frozen=True, kw_only=True):
    """How a search on validation images chose values of this run; no test image took part in it."""

    trials: Positive
    """Configurations that were tried, failed ones included."""
    failed: Count
    """Trials that came to no number, because they diverged, say."""
    objective: Literal["average_map", "last_map"]
    value: Fraction
    """The objective that the chosen configuration reached on the validation images, mean over `seeds`."""
    sampler: Text
    sampler_seed: Count
    batch: Positive
    """Trials that were suggested at once, before any of them was scored."""
    space: dict[Text, Plain]
    """Every value that was searched, with its choices or its range."""
    space_digest: Sha
    seeds: Annotated[list[Count], Meta(min_length=1)]
    """Of the trials' runs."""
    sessions: Positive
    """How many of the stream's sessions a trial had."""
    validation: SplitPart
    """The images that trials were scored on; the run itself trained on them too unless the scenario has the split."""


class ApPart(_Part, frozen=True, kw_only=True):
    """Average precision after each session (rows) of each label (columns, arrival order); null where undefined."""

    growing: Matrix
    """On the images of the growing test set."""
    fixed: Matrix
    """On all test images of the protocol."""


class CountsPart(_Part, frozen=True, kw_only=True):
    """Decisions at one threshold on the growing test set: [sessions x labels], null where not seen."""

    tp: Tally
    fp: Tally
    fn: Tally


class ThresholdsPart(_Part, frozen=True, kw_only=True):
    """Thresholds with the best F1 on the scenario's validation images after each session, as probabilities.

    What they decide on test images stands in `counts` as `tuned` and `tuned-one`.
    """

    images: list[Count]
    """Validation images that they were chosen on."""
    each: Matrix
    """Of each label the best for its own F1; null where not learned."""
    one: list[Fraction]
    """The one that is best for the F1 of all decisions together."""


class CostPart(_Part, frozen=True, kw_only=True):
    """What one session cost that does not depend on the machine."""

    session: Count
    images_seen: Count
    steps: Count
    parameters: Count
    trainable: Count
    stored_images: Count
    stored_bytes: Count
    state_bytes: Count | UnsetType = UNSET
    """Every tensor kept over the session's end that is neither a parameter of the scored network nor in a memory."""
    score_cost: Annotated[float, Meta(ge=0.0)] | UnsetType = UNSET
    """Passes through the backbone that the scores of one test image take."""


class CodePart(_Part, frozen=True, kw_only=True):
    """Which clbench ran."""

    version: Text
    commit: Text
    dirty: bool | None
    """Whether anything was changed since the commit; null where git could not be asked."""


class ScorePart(_Part, frozen=True, kw_only=True):
    """The score matrix of one session, kept beside the record."""

    session: Count
    file: File
    sha256: Sha
    kind: Ranking | UnsetType = UNSET
    """What images were ranked by; absent in protocol 1, where it was probabilities."""


class SessionTimes(_Part, frozen=True, kw_only=True):
    """What one session cost on this machine."""

    train_seconds: Seconds
    eval_seconds: Seconds
    peak_memory_bytes: Count


class TimesPart(_Part, frozen=True, kw_only=True):
    """When, where and how long; no part of the content hash."""

    started: Text
    finished: Text
    host: Text
    sessions: list[SessionTimes]
    total_seconds: Seconds
    digest: MaybeSha = ""
    """The sha256 of the rest of this part."""


class Record(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that one run, a scenario with a strategy's configuration and a seed, leaves behind.

    Fractions are in [0, 1]. Matrices are [sessions x labels], labels in arrival order. `content` is the sha256 of
    everything but `schema`, `times` and itself, which is the same for two equal runs.
    """

    schema: Literal[2] = SCHEMA
    protocol: Count
    clbench: Text
    scenario: ScenarioPart
    strategy: StrategyPart
    train: dict[Text, Plain]
    configuration: Sha
    tuning: TuningPart | UnsetType = UNSET
    """How values of the configuration were found, where a search found them; absent otherwise."""
    seed: Count
    labels: Annotated[list[Label], Meta(min_length=1)]
    learned: list[Count]
    """The session that introduced each label."""
    ap: ApPart
    counts: dict[Text, CountsPart]
    """Keyed by threshold: `0.5`, `0.8`, `top3`; `tuned` and `tuned-one` where there are `thresholds`."""
    thresholds: ThresholdsPart | UnsetType = UNSET
    """Absent where the scenario holds out no validation images, and in older records."""
    costs: list[CostPart]
    summary: dict[Text, float | None]
    """Derived from `ap` and `counts`, for reading."""
    marks: list[Name]
    notes: dict[Text, Remark]
    environment: dict[Text, str | int | float | bool | None]
    code: CodePart
    scores: list[ScorePart]
    times: TimesPart
    content: MaybeSha = ""


def json_schema() -> bytes:
    """Return the JSON Schema of a record, as docs/record.schema.json has it."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | msgspec.json.schema(Record)
    for part in schema["$defs"].values():
        # msgspec cleans docstrings since 0.23.0: the text is the same whichever release is installed
        part["description"] = inspect.cleandoc(part["description"])
    return msgspec.json.format(msgspec.json.encode(schema, order="deterministic"), indent=2) + b"\n"
