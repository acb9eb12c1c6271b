"""The strategy: a module whose annotated fields are its hyper-parameters and whose few verbs all have defaults."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from typing_extensions import dataclass_transform

from clbench.errors import UsageError
from clbench.method.batch import Batch
from clbench.method.defined_verbs import check_verbs
from clbench.method.fields import Fields
from clbench.nn.heads.by_name import Network, build_head
from clbench.nn.heads.network import stage_shapes
from clbench.nn.losses import Reduction, asl, bce, label_ratio_weights
from clbench.seeds import generator
from clbench.stream.merged_sessions import accumulated, merged
from clbench.stream.stream import Stream, known, positives

if TYPE_CHECKING:
    from clbench.method.global_batch import Parts
    from clbench.method.session import LiveSession
    from clbench.nn.memory import Exemplars
    from clbench.spec.scenario import TrainSpec

LEAK = "leak"
"""The mark of a row whose method was shown labels that the protocol hides."""


@dataclass_transform(kw_only_default=True, field_specifiers=(dataclasses.field,))
@dataclasses.dataclass(eq=False, kw_only=True, repr=False)
class Strategy(Fields, nn.Module):
    """A method under study. Subclasses override the verbs they need; the smallest legal one is a docstring.

    Fields are keyword-only, typed and JSON-able. The loop calls `build` once; at every session `begin_session`,
    `prepare`, `rehearse`, then `loss` and `after_step` for each batch, then `end_session`; `logits` for test images.

    >>> class Mine(clbench.Strategy):
    ...     '''Twice the loss.'''
    ...
    ...     weight: float = 2.0
    ...
    ...     def loss(self, batch, logits):
    ...         return self.weight * self.classification(logits, batch.targets)
    >>> Mine(weight=3, head="queries").changed()
    {'head': 'queries', 'weight': 3}
    >>> Mine.configured({"wait": 1}, source="mine.yaml")
    Traceback (most recent call last):
      ...
    clbench.errors.UsageError: mine.yaml: strategy 'Mine' has no field 'wait'. ...
      ...
    """

    head: str = "linear"
    """What turns features into one logit per label: a name from clbench.nn.heads.by_name."""
    head_options: dict[str, Any] = dataclasses.field(default_factory=dict)
    """The head's own options."""

    static: ClassVar[bool] = False
    """True asks for the whole stream as one session with every label visible (the joint upper bound)."""
    cumulative: ClassVar[bool] = False
    """True adds the rows of all earlier sessions, each with the labels that were visible then."""
    draws: ClassVar[int] = 0
    """How often in a step all that is stored may come back at most; 0: once, or twice with a `recall` of its own."""
    provenance: ClassVar[dict[str, str]] = {}
    """Where the method comes from and what it needs, as literal text under keys of `clbench.plan.provenance.KEYS`."""
    inside_transformer: ClassVar[bool] = False
    """True where the method works inside the blocks of a vision transformer and can do nothing with other backbones."""
    entangled: ClassVar[bool] = False
    """True where new labels change what old ones score as soon as they arrive: a property of the method, no mistake."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # eq=False keeps modules hashable; the annotated fields become keyword-only arguments with their defaults
        dataclasses.dataclass(eq=False, kw_only=True, repr=False)(cls)
        for field in dataclasses.fields(cls):
            if callable(getattr(Strategy, field.name, None)):
                raise UsageError(
                    f"{cls.__name__}.{field.name}: a field has the name of what every strategy does and would hide it.",
                    hint="Give the field another name; docs/strategy.md lists the verbs.",
                )
        check_verbs(cls, base=Strategy)

    def __post_init__(self) -> None:
        given = {name: getattr(self, name) for name in self.fields_of()}
        nn.Module.__init__(self)
        for name, value in given.items():
            setattr(self, name, value)
        self._seed: tuple[int | str, ...] = (0,)
        self._train: TrainSpec | None = None
        self._live: LiveSession | None = None
        self._share = 0.0
        self._parts: Parts | None = None
        self._ratio = torch.empty(0)

    # ------------------------------------------------------------------ verbs

    def build(self, backbone: nn.Module, labels: tuple[str, ...]) -> None:
        """Make `self.net` once: the backbone and the head named by the field `head`. `labels` are not yet seen."""
        head = build_head(self.head, width=int(backbone.width), options=self.head_options)  # type: ignore[arg-type]
        if head.wants_stages:
            size = self._train.image_size if self._train else 224
            head.attach(stage_shapes(backbone, image_size=size))
        self.net: Network = Network(backbone, head)

    def begin_session(self, session: LiveSession) -> None:
        """Change structure: grow the head to the seen labels. Repeated on resume, so it may not look at images."""
        new = session.seen - self.net.head.seen
        if new > 0:  # with `visible: all` every label is there from the first session on
            self.net.head.grow(new)
        if self._train is not None and self._train.loss == "bce-ratio":
            self._ratio = _positive_ratio(session.targets, before=self._ratio)

    def trains(self, index: int) -> bool:
        """Say whether session number `index` has training steps; a closed form does its work in `end_session`."""
        return True

    def prepare(self, session: LiveSession) -> None:
        """Look at the session's images once, before the first batch (thresholds, prototypes)."""

    def reveal(self, rows: npt.NDArray[np.int64], truth: npt.NDArray[np.int8]) -> None:
        """Take the true labels int8 [n, seen] of all stored images `rows`, hidden ones too.

        Called before `rehearse`, and only when `marks()` has "leak" in it: for parity with code bases that do this.
        """

    def rehearse(self, session: LiveSession) -> Exemplars | None:
        """Return exemplars to mix into this session's images, or None.

        Their targets are int8 [M, width] with width at most `session.seen`.
        """
        return None

    def recall(self, batch: Batch) -> Exemplars | None:
        """Return exemplars to set beside this very batch (online replay), or None.

        Their targets are int8 [m, width].
        """
        return None

    def loss(self, batch: Batch, logits: Tensor) -> Tensor:
        """Return the objective, a scalar: the recipe's loss over the known labels. `logits` are [B, seen]."""
        return self.classification(logits, batch.targets)

    def after_step(self, batch: Batch, logits: Tensor) -> None:
        """Look at a batch after the optimiser's step (online memories, moving averages). `logits` are [B, seen]."""

    def end_session(self, session: LiveSession) -> None:
        """Update memory and statistics."""

    def logits(self, images: Tensor) -> Tensor:
        """Return logits float [B, seen] for uint8 images [B, 3, H, W]: what ranks test images and decides, at 0."""
        logits: Tensor = self.net(images)
        return logits.float()

    def scores(self, images: Tensor) -> Tensor:
        """Return probabilities float [B, seen] for uint8 images [B, 3, H, W].

        A strategy that has no logits overrides this verb instead; its test images are then ranked by probabilities.
        """
        return torch.sigmoid(self.logits(images))

    def score_cost(self) -> float:
        """Return how many passes through the whole backbone the scores of one image take, now."""
        return 1.0

    def plugins(self) -> list[Any]:
        """Return Avalanche plugins to run in the loop as they are."""
        return []

    def marks(self) -> list[str]:
        """Return what must be shown beside every row of this configuration (`leak`, …)."""
        return []

    def notes(self) -> dict[str, str]:
        """Return remarks for the record, such as which part is an Avalanche built-in."""
        return {}

    # ------------------------------------------------------------------ for the verbs

    @property
    def session(self) -> LiveSession | None:
        """The session that is being trained, from `prepare` on; its images may be read between two steps too."""
        return self._live

    @property
    def share(self) -> float:
        """How much of the session's steps have been made, from 0 to below 1; what changes midway reads it in `loss`."""
        return self._share

    @property
    def reduction(self) -> Reduction:
        """How the recipe sums losses over labels and images; terms that are added to its loss use the same."""
        return self._train.reduction if self._train else "mean"

    def classification(self, logits: Tensor, targets: Tensor, *, weight: Tensor | None = None) -> Tensor:
        """Return the recipe's loss (`train.loss`) of logits [B, L] against targets [B, L] over known labels only.

        `weight` [B, L] multiplies the entries.
        """
        train = self._train
        if train is None or train.loss == "bce":
            return bce(logits, targets, reduction=self.reduction, weight=weight)
        if train.loss == "bce-ratio":
            ratio = self._ratio[: targets.shape[1]].to(targets.device)
            rarity = label_ratio_weights(targets, ratio=ratio)
            return bce(logits, targets, reduction=self.reduction, weight=rarity if weight is None else rarity * weight)
        return asl(
            logits,
            targets,
            gamma_neg=train.gamma_neg,
            gamma_pos=train.gamma_pos,
            clip=train.clip,
            reduction=self.reduction,
            weight=weight,
        )

    def whole(self, values: Tensor) -> Tensor:
        """Return the rows [B, ...] that belong to all images of the current batch, in the order of one process.

        For losses that set images of a batch against each other, and for what is kept of them: where several processes
        share a run (`--devices`), each has part of the batch. All of them have to ask; gradients find their way back.
        """
        return values if self._parts is None else self._parts.whole(values)

    def rng(self, *names: int | str) -> np.random.Generator:
        """Return a generator that depends on (seed, session, step, names) alone; keep none of them."""
        return generator(*self._seed, "strategy", *names)

    def trainable(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield the named parameters that the optimiser must hold, each once."""
        for name, parameter in self.named_parameters():
            if parameter.requires_grad:
                yield name, parameter


def overrides(strategy: Strategy, verb: str) -> bool:
    """Return whether a strategy does something of its own under the name `verb`."""
    return getattr(getattr(strategy, verb), "__func__", None) is not getattr(Strategy, verb)


def _positive_ratio(targets: npt.NDArray[np.int8], *, before: Tensor) -> Tensor:
    """Return the share of positives among the known targets of each column; where none is known, what it was before."""
    counted = known(targets)
    found = torch.from_numpy(positives(targets) / counted.clip(min=1)).float()
    found[: len(before)] = torch.where(torch.from_numpy(counted[: len(before)] > 0), found[: len(before)], before)
    return found


def as_seen_by(strategy: Strategy, stream: Stream) -> Stream:
    """Return the stream in the form that the strategy asks for: merged, accumulated, or as it is."""
    if strategy.static:
        return merged(stream)
    return accumulated(stream) if strategy.cumulative else stream
