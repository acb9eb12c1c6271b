"""What a scenario file may say: types, defaults, validation, canonical form and digest."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from clbench.errors import UsageError
from clbench.files.given import LARGEST_TEXT, read_given
from clbench.files.yaml_text import Yaml, convert, digest, read_yaml

# `$` alone would let a trailing newline pass
Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,79}\Z")]
Positive = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0)]
Rate = Annotated[float, Meta(ge=0.0)]
Fraction = Annotated[float, Meta(ge=0.0, lt=1.0)]


_IDENTITY = (
    "version", "dataset", "options", "labels", "images", "images_seed", "lists", "visible", "test", "online",
    "validation",
)  # fmt: skip


_LARGEST_PINS = 1 << 24
_PIN_ANEW = "Write the pins anew with `python -m clbench.stream.pins.write`."


class LabelsSpec(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which labels take part, in which order, and how they are dealt to sessions."""

    order: str | list[str] = "alphabetical"
    """`alphabetical`, `official`, `frequency` (most frequent in train first), `shuffle:SEED`, or the list itself."""
    subset: list[str] = field(default_factory=list)
    """Only these labels take part (empty: all)."""
    base: Count = 0
    """Labels of the first session; 0 means `increment`."""
    increment: Count = 0
    """Labels of every later session; 0 means that one session shows all labels (a static scenario)."""
    sessions: list[list[str]] = field(default_factory=list)
    """The sessions' labels written out; replaces `order`, `base` and `increment`."""


class ValidationSpec(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A locked validation split cut from train, stratified over the labels."""

    fraction: Fraction = 0.0
    seed: Count = 0


class TrialSpec(Struct, frozen=True, kw_only=True):
    """How a trial of a search departs from its scenario: it is scored on validation images, never on test images."""

    validation: ValidationSpec
    sessions: Count = 0
    """Only the first so many sessions; 0 means all."""


class PinsSpec(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Digests (sha256, hexadecimal) that the built stream must have; empty means not pinned."""

    protocol: str = ""
    """Digest of the protocol that they were written for (`ScenarioSpec.protocol_digest`); empty: not kept."""

    images: str = ""
    """Digest over the session and test image ids."""
    labels: str = ""
    """Digest over the visible labels too."""
    sessions: list[str] = field(default_factory=list)
    """One line per session, so that a mismatch can name the first session and image that differ."""


class OrderPins(PinsSpec, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The pins of the scenario's data, and those of its stand-in, in one class order."""

    stand_in: PinsSpec = field(default_factory=PinsSpec)


class PinsFile(OrderPins, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What `NAME.pins.json` beside `NAME.yaml` holds: the pins in the scenario's own order, and in others by name."""

    orders: dict[str, OrderPins] = field(default_factory=dict)


class TrainSpec(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The recipe that every strategy of a scenario shares. Every value here belongs to the configuration digest."""

    backbone: str = "tresnet_m.miil_in21k"
    """A timm model name, `clbench_small`, or the small transformer `clbench_vit`."""
    weights: str = ""
    """A weights file, `sha256:DIGEST` of one, `package:NAME`, `hub` (timm's hub), `stand-in` or empty: random."""
    track: str = ""
    """The pretraining track shown beside the row; empty means that of the weights."""
    image_size: Positive = 224
    epochs: Positive = 20
    base_epochs: Count = 0
    """Epochs of the first session; 0 means `epochs`."""
    batch_size: Positive = 64
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    lr: Rate = 1e-4
    base_lr: Rate = 0.0
    """Learning rate of the first session; 0 means `lr`."""
    backbone_lr_scale: Rate = 1.0
    momentum: Fraction = 0.9
    """SGD's momentum."""
    weight_decay: Rate = 1e-4
    decay_vectors: bool = False
    """Whether biases and norms decay too."""
    schedule: Literal["onecycle", "cosine", "step", "constant"] = "onecycle"
    warmup: Fraction = 0.2
    """Share of a session's steps in which OneCycle's or cosine's rate rises."""
    milestones: list[Fraction] = field(default_factory=lambda: [0.5, 0.75])
    """Shares of a session's steps at which `step` multiplies the rate by `gamma`."""
    gamma: Rate = 0.1
    loss: Literal["asl", "bce", "bce-ratio"] = "asl"
    """`bce-ratio` weighs positives and negatives by how rare they are in the session, per label (attribute data)."""
    reduction: Literal["mean", "sum", "total"] = "total"
    """`mean`: over known entries; `sum`: over known labels, mean over images; `total`: over both (KRT)."""
    gamma_neg: Rate = 4.0
    gamma_pos: Rate = 0.0
    clip: Fraction = 0.05
    """ASL's probability margin."""
    augment: Literal["none", "flip", "crop", "rrc", "krt"] = "krt"
    """`crop` cuts its box from the squashed picture, `rrc` from the whole one before it is resized."""
    normalize: bool = True
    """False feeds pixels in [0, 1] as the KRT code does."""
    freeze: Literal["none", "backbone", "after-base"] = "none"
    """What of the backbone is kept fixed."""
    amp: Literal["off", "bf16", "fp16"] = "off"
    ema: Fraction = 0.0
    """Decay of the averaged weights that are evaluated; 0 means none."""
    clip_norm: Rate = 0.0
    """Largest gradient norm; 0 means no clipping."""
    clip_value: Rate = 0.0
    """Largest gradient entry; 0 means no clipping."""
    accumulate: Positive = 1
    """Batches per optimiser step."""
    channels_last: bool = True


class StandInSpec(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What runs where the data set was never configured: same protocol, generated pictures, a recipe that fits them."""

    dataset: Name = "scenes"
    options: dict[str, str] = field(default_factory=dict)
    train: dict[str, Yaml] = field(default_factory=dict)
    bound: dict[str, Yaml] = field(default_factory=dict)
    strategies: list[Yaml] = field(default_factory=list)
    pins: PinsSpec = field(default_factory=PinsSpec)


class ScenarioSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """A frozen, versioned continual multi-label protocol together with its shared recipe."""

    name: Name
    version: Positive
    title: Annotated[str, Meta(min_length=1, max_length=200)]
    dataset: Annotated[str, Meta(min_length=1)]
    """A known data set, or the path of a label table relative to the scenario file."""
    options: dict[str, str] = field(default_factory=dict)
    """The data set reader's named choices, such as `crowd: membership`."""
    labels: LabelsSpec = field(default_factory=LabelsSpec)
    images: Literal["any-new-label", "disjoint", "all", "listed"] = "any-new-label"
    """Which train images join a session: those with a new label, a deal in which each joins one, all, or id lists."""
    images_seed: Count = 0
    """Seed of the `disjoint` deal."""
    lists: str = ""
    """For `listed`: the published id lists, such as `prs:cocoseq` or `agcn:split-coco`, or a folder with lists."""
    visible: Literal["new", "seen", "all"] = "new"
    """Which labels the annotator marked on a session's images."""
    test: Literal["images-with-seen", "all"] = "images-with-seen"
    """The growing test set: images with a learned label, or every test image at every session."""
    online: bool = False
    """One pass in small batches; `train.epochs` must be 1."""
    validation: ValidationSpec = field(default_factory=ValidationSpec)
    pins: PinsSpec = field(default_factory=PinsSpec)
    """The pins themselves, or the name of the file beside this one that has them."""
    train: TrainSpec = field(default_factory=TrainSpec)
    bound: dict[str, Yaml] = field(default_factory=dict)
    """What of the recipe is another for strategies that see the whole stream at once (`joint`), say `{epochs: 60}`."""
    strategies: list[Yaml] = field(default_factory=lambda: ["naive"])
    seeds: Annotated[list[Count], Meta(min_length=1)] = field(default_factory=lambda: [0])
    orders: Positive | list[str] = field(default_factory=list)
    """Class orders to run: names such as `shuffle:1`, or how many, its own among them; empty: its own alone."""
    stand_in: StandInSpec | None = None

    def identity(self) -> dict[str, Yaml]:
        """Return everything that decides which images and labels a session shows, as plain values."""
        plain: dict[str, Yaml] = msgspec.to_builtins(self)
        # whole: whether msgspec leaves a default out depends on the object, so on whether it came through a pickle
        plain |= {"labels": msgspec.structs.asdict(self.labels), "validation": msgspec.structs.asdict(self.validation)}
        return {key: plain[key] for key in _IDENTITY}

    def digest(self) -> str:
        """Return the sha256 of the identity: two scenarios with the same digest ask for the same stream."""
        return digest(self.identity())

    def protocol_digest(self) -> str:
        """Return the sha256 of the identity without the version, which changes with the recipe too."""
        return digest({name: value for name, value in self.identity().items() if name != "version"})


def entries(strategies: list[Yaml], *, source: str) -> list[tuple[str, dict[str, Yaml]]]:
    """Return (name, fields) for each item of a `strategies:` list: a name, or one name with its fields.

    Raises UsageError for anything else.
    """
    result: list[tuple[str, dict[str, Yaml]]] = []
    for item in strategies:
        if isinstance(item, str):
            result.append((item, {}))
        elif isinstance(item, dict) and len(item) == 1 and isinstance(next(iter(item.values())), dict):
            ((name, fields),) = item.items()
            result.append((str(name), fields))
        else:
            raise UsageError(
                f"{source}: strategies: {item!r} is neither a strategy's name nor one name with its fields.",
                hint="Write `- er` or `- er: {memory: 400}`.",
            )
    return result


def parse_scenario(text: str | bytes, *, source: str) -> ScenarioSpec:
    """Return the scenario that `text` (YAML) describes; `source` names the file in messages. Raises UsageError.

    Pins in a file of their own are left out; `load_scenario` reads them.
    """
    return _parsed(text, source=source)[0]


def _parsed(text: str | bytes, *, source: str) -> tuple[ScenarioSpec, str]:
    """Return the scenario, and the name of the file that has its pins or ""."""
    raw = read_yaml(text, source=source)
    if not isinstance(raw, dict):
        raise UsageError(f"{source}: a scenario is a mapping of names to values, not {type(raw).__name__}.")
    named = pins if isinstance(pins := raw.get("pins"), str) else ""
    if named:
        raw = {key: value for key, value in raw.items() if key != "pins"}
    for where in (raw, raw.get("stand_in")):
        if isinstance(where, dict) and isinstance(options := where.get("options"), dict):
            # `missing: 0.01` is a number for YAML; readers take texts
            where["options"] = {key: str(x) if type(x) in (int, float) else x for key, x in options.items()}
    spec: ScenarioSpec = convert(raw, ScenarioSpec, source=source)
    _check_layers(spec, source=source)
    if spec.online and spec.train.epochs != 1:
        raise UsageError(
            f"{source}: online: an online scenario makes one pass, but train.epochs is {spec.train.epochs}."
        )
    if (spec.images == "listed") != bool(spec.lists):
        raise UsageError(f"{source}: images: `listed` and `lists:` go together; one of them is missing.")
    return spec, named


def _check_layers(spec: ScenarioSpec, *, source: str) -> None:
    """Raise UsageError where what a stand-in or a bound changes makes no recipe."""
    values = msgspec.to_builtins(spec.train)
    layers: list[tuple[str, dict[str, Yaml], dict[str, Yaml]]] = [("", {}, spec.bound)]
    if spec.stand_in is not None:
        layers.append(("stand_in.", spec.stand_in.train, spec.bound | spec.stand_in.bound))
    for where, train, bound in layers:
        usual = values | train
        convert(usual, TrainSpec, source=f"{source}: {where}train")
        convert(usual | bound, TrainSpec, source=f"{source}: {where}bound")
        if "epochs" in bound and (first := (usual | bound)["base_epochs"]) and "base_epochs" not in bound:
            raise UsageError(
                f"{source}: {where}bound: epochs is {bound['epochs']}, but the only session of a bound has "
                f"train.base_epochs, which is {first}.",
                hint=f"Write base_epochs: {bound['epochs']}.",
            )


def load_scenario(path: Path, *, source: str = "") -> ScenarioSpec:
    """Return the scenario in the file `path`, with its pins from the file beside it where they stand there.

    That file is the one that `pins:` names, else `NAME.pins.json` beside `NAME.yaml` where there is one. Raises
    UsageError naming the file (as `source`, default: its path) and the field.
    """
    source = source or str(path)
    spec, named = _parsed(read_text_of(path), source=source)
    if named and (Path(named).name != named or not named.isprintable()):
        raise UsageError(f"{source}: pins: {named!r} is not the name of a file beside the scenario.")
    beside = path.with_name(named or pins_name(path))
    return _with_pins(spec, beside, source=source) if named or beside.is_file() else spec


def pins_beside(path: Path) -> PinsFile:
    """Return what the file beside the scenario file `path` pins, nothing where there is none. Raises UsageError."""
    files = scenario_files(path)
    return _read_pins(files[1], source=str(path)) if len(files) > 1 else PinsFile()


def read_text_of(path: Path) -> bytes:
    """Return what stands in a scenario's file. Raises UsageError where it is no plain file, or too large."""
    try:
        return read_given(path, largest=LARGEST_TEXT)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}).", hint="clbench list scenarios") from error


def scenario_files(path: Path) -> list[Path]:
    """Return the files of the scenario in `path`: itself, and the one with its pins where they stand apart.

    Raises UsageError where it cannot be read.
    """
    _, named = _parsed(read_text_of(path), source=str(path))
    beside = path.with_name(named or pins_name(path))
    return [path, beside] if beside.is_file() else [path]


def pins_name(path: Path) -> str:
    """Return what the file with the pins of the scenario file `path` is called."""
    return f"{path.stem}.pins.json"


def _read_pins(path: Path, *, source: str) -> PinsFile:
    try:
        text = read_given(path, largest=_LARGEST_PINS)
        found: PinsFile = convert(msgspec.json.decode(text), PinsFile, source=str(path))
    except OSError as error:
        raise UsageError(
            f"{source}: pins: {path} cannot be read ({error.strerror}).",
            hint="It belongs to the scenario: copy it too, or take `pins:` out for a protocol of your own.",
        ) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not readable as JSON: {error}.", hint=_PIN_ANEW) from error
    return found


def _with_pins(spec: ScenarioSpec, path: Path, *, source: str) -> ScenarioSpec:
    found = _read_pins(path, source=source)
    inner = found.stand_in
    if spec.pins != PinsSpec() or (inner != PinsSpec() and (spec.stand_in is None or spec.stand_in.pins != PinsSpec())):
        raise UsageError(f"{source}: pins stand in it and in {path}, or are of a stand-in it lacks.", hint=_PIN_ANEW)
    if inner != PinsSpec():
        inner = msgspec.structs.replace(inner, protocol=found.protocol)
    elif spec.stand_in is not None:
        inner = spec.stand_in.pins
    own = PinsSpec(images=found.images, labels=found.labels, sessions=found.sessions)
    if own != PinsSpec():
        own = msgspec.structs.replace(own, protocol=found.protocol)
    return with_pins(spec, own, stand_in=inner)


def with_pins(spec: ScenarioSpec, pins: PinsSpec, *, stand_in: PinsSpec) -> ScenarioSpec:
    """Return the scenario with these pins of its data, and those of its stand-in where it has one."""
    if spec.stand_in is not None:
        spec = msgspec.structs.replace(spec, stand_in=msgspec.structs.replace(spec.stand_in, pins=stand_in))
    return msgspec.structs.replace(spec, pins=pins)
