"""The tiny generated data set in memory on which strategies are examined: 16 pixels, six labels, three sessions."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from clbench.data.table import LabelTable, from_arrays
from clbench.errors import RunError
from clbench.nn.backbones.by_name import Backbone, TimmBody
from clbench.seeds import generator
from clbench.spec.scenario import LabelsSpec, ScenarioSpec, TrainSpec
from clbench.stream.build import build_stream
from clbench.stream.stream import Stream

SIZE = 16
SESSIONS = [["amber", "blue"], ["coral", "denim"], ["ecru", "fawn"]]
SPARE = ["grey", "hazel"]
"""Labels of the table that no session ever shows."""
TRAIN, TEST = 96, 48

RECIPE = TrainSpec(
    backbone="tiny",
    image_size=SIZE,
    epochs=4,
    batch_size=12,
    optimizer="adamw",
    lr=1e-2,
    weight_decay=0.01,
    loss="bce",
    reduction="mean",
    augment="flip",
    channels_last=False,
)

_COLOURS = np.array(
    [
        [255, 190, 0],
        [0, 60, 255],
        [255, 90, 120],
        [0, 200, 220],
        [160, 255, 60],
        [190, 60, 255],
        [20, 20, 20],
        [90, 140, 40],
    ]
)


class OutOfReachError(RunError):
    """Somebody read a test picture while training."""


class Pictures:
    """Draws the pictures of a table: a coloured field for every label an image truly carries, on noise.

    `sealed` makes test pictures unreadable; `inverted` shows others in their place.
    """

    size = SIZE

    def __init__(self, table: LabelTable, *, drawn: npt.NDArray[np.bool_], inverted: bool = False) -> None:
        self.table = table
        self.is_test = table.split == "test"
        self.sealed = False
        self._all = np.stack([_picture(row, carried) for row, carried in enumerate(drawn)])
        if inverted:
            self._all[self.is_test] = 255 - self._all[self.is_test]

    @property
    def shown(self) -> npt.NDArray[np.uint8]:
        """All of them, uint8 [n, 3, 16, 16]."""
        return self._all

    def read(self, rows: npt.NDArray[np.int64]) -> Tensor:
        """Return uint8 [n, 3, 16, 16]. Raises OutOfReachError for test pictures while they are sealed."""
        if self.sealed and self.is_test[rows].any():
            raise OutOfReachError("a test picture was read while the strategy trained.")
        return torch.from_numpy(self._all[rows])


def _picture(row: int, carried: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    rng = generator("check", "picture", row)
    picture = rng.integers(90, 150, (3, SIZE, SIZE))
    for label in np.flatnonzero(carried).tolist():
        top, left = 4 * (label % 4), 8 * (label // 4)
        picture[:, top : top + 4, left : left + 8] = _COLOURS[label][:, None, None] + rng.integers(-15, 16, (3, 4, 8))
    return np.clip(picture, 0, 255).astype(np.uint8)


class TinyBody(nn.Module):
    """Two strided convolutions with batch norm."""

    width = 24

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 12, 3, stride=2, padding=1), nn.BatchNorm2d(12), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(12, self.width, 3, stride=2, padding=1), nn.BatchNorm2d(24), nn.ReLU())

    def forward(self, images: Tensor) -> Tensor:
        """Return the map [B, 24, 4, 4]."""
        return self.stages(images)[-1]

    def stages(self, images: Tensor) -> list[Tensor]:
        """Return both maps. Each is [B, c, h, w]."""
        first = self.first(images)
        return [first, self.second(first)]


def tiny_backbone() -> Backbone:
    """Return a backbone of 3,000 weights, drawn from torch's global generator."""
    return Backbone(TinyBody(), width=TinyBody.width, stride=4, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))


def tiny_transformer() -> Backbone:
    """Return a vision transformer of 5 blocks on patches of 4 x 4 pixels, drawn from torch's global generator."""
    from clbench.imports.models import vision_transformer

    model = vision_transformer.VisionTransformer(
        img_size=SIZE, patch_size=4, embed_dim=32, depth=5, num_heads=2, num_classes=0
    )
    with torch.no_grad():
        for name, parameter in model.blocks.named_parameters():
            if name.endswith("weight") and parameter.ndim == 2:
                parameter.mul_(4)  # nobody trained it, and what tokens tell each other should weigh something
    return Backbone(TimmBody(model), width=32, stride=4, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))


@dataclass(frozen=True, eq=False)
class World:
    """A stream over the tiny table and its pictures. The others are this one with something changed."""

    spec: ScenarioSpec
    stream: Stream
    pictures: Pictures
    drawn: npt.NDArray[np.bool_]

    @staticmethod
    def make(*, images: str = "any-new-label") -> World:
        """Return the usual world: `any-new-label` shows an image in several sessions, `disjoint` in one."""
        drawn, table = _table()
        spec = ScenarioSpec(
            name="check",
            version=1,
            title="The battery's own scenario",
            dataset="check",
            labels=LabelsSpec(sessions=SESSIONS),
            images=images,  # type: ignore[arg-type]
        )
        return World(spec, build_stream(table, spec), Pictures(table, drawn=drawn), drawn)

    def with_hidden_labels_changed(self, *, static: bool) -> World:
        """Return the same sessions over a table whose every label that training may not see is another.

        Hidden are, for each train image, the labels that no session of the image shows; a static strategy is shown all
        labels that take part, so for it only the spare ones are hidden. Pictures and visible labels stay.
        """
        y, hidden = self.stream.table.y, self._hidden(static=static)
        return self._with(np.where(hidden, np.where(y == 1, 0, 1), y))

    def with_no_label_but_the_visible(self, *, static: bool) -> World:
        """Return the same sessions over a table that holds no hidden label and none of a test image."""
        table = self.stream.table
        unknown = self._hidden(static=static) | (table.split == "test")[:, None]
        bare = self._with(np.where(unknown, -1, table.y))
        table = dataclasses.replace(bare.stream.table, member=bare.stream.table.y == 1)
        return dataclasses.replace(bare, stream=dataclasses.replace(bare.stream, table=table))

    def _hidden(self, *, static: bool) -> npt.NDArray[np.bool_]:
        table = self.stream.table
        visible = np.zeros(table.y.shape, dtype=np.bool_)
        for session in self.stream.sessions:
            rows = np.repeat(session.rows[:, None], len(self.stream.order[session.new]), axis=1)
            visible[rows, self.stream.order[session.new]] = True
        if static:
            visible[:, self.stream.order] = True
        hidden: npt.NDArray[np.bool_] = ~visible & (table.split == "train")[:, None]
        return hidden

    def with_another_test_split(self) -> World:
        """Return the same training over other test pictures and opposite test labels."""
        return self._with(self._opposite(), inverted=True)

    def with_other_test_labels(self) -> World:
        """Return the same training and the same pictures, each test picture with the labels of another one."""
        table = self.stream.table
        y = table.y.copy()
        tests = np.flatnonzero(table.split == "test")
        y[tests] = y[np.roll(tests, 1)]
        return self._with(y)

    def _opposite(self) -> npt.NDArray[np.int8]:
        table = self.stream.table
        return np.where((table.split == "test")[:, None], 1 - np.maximum(table.y, 0), table.y)

    def sealed(self) -> World:
        """Return this world with pictures of its own, whose test part is sealed while training."""
        pictures = Pictures(self.stream.table, drawn=self.drawn)
        pictures.sealed = True
        return dataclasses.replace(self, pictures=pictures)

    def _with(self, y: npt.NDArray[np.int8], *, inverted: bool = False) -> World:
        old = self.stream.table
        table = dataclasses.replace(old, y=y.astype(np.int8), member=old.member | (y == 1))
        pictures = Pictures(table, drawn=self.drawn, inverted=inverted)
        return World(self.spec, dataclasses.replace(self.stream, table=table), pictures, self.drawn)


def _table() -> tuple[npt.NDArray[np.bool_], LabelTable]:
    rng = generator("check", "labels")
    labels = [label for session in SESSIONS for label in session] + SPARE
    drawn = rng.random((TRAIN + TEST, len(labels))) < 0.33
    # every image carries a label that takes part
    drawn[np.arange(len(drawn)), rng.integers(0, len(labels) - len(SPARE), len(drawn))] = True
    y = drawn.astype(np.int8)
    y[:TRAIN][rng.random((TRAIN, len(labels))) < 0.04] = -1
    y[np.arange(8), np.arange(8)] = 1
    return drawn, from_arrays(
        "check", labels=labels, y=y, split=["train"] * TRAIN + ["test"] * TEST, revision="the battery's own"
    )
