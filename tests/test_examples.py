"""The examples in public docstrings do what they show."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image

import clbench
from clbench import Strategy, metrics
from clbench.export.description import Decisions, Description, Origin, Pretraining, write_description
from clbench.export.rebuild import rebuilt, scoring_state
from clbench.export.tensors import probe_picture, write_tensors
from clbench.method.session import LiveSession
from clbench.nn import PUBLIC
from clbench.spec.scenario import TrainSpec
from clbench.stream.stream import Session

FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
NAMES = [getattr(clbench, name) for name in clbench.__all__ if not name.endswith(("Warning", "PROTOCOL", "_"))]
MODULES = sorted(
    {item.__module__ for item in NAMES}
    | {getattr(metrics, name).__module__ for name in metrics.__all__ if callable(getattr(metrics, name))}
    | {f"clbench.nn.{name}" for name in ("memory", "balanced", "prs", "ocdm", "bank", "exemplars")}
    | {"clbench.files.field_words"}
)
PLAIN = {"Calibration", "Groups", "Instance", "Metric", "PrecisionRecall"}
"""What functions return, shown in their examples."""


def a_session() -> LiveSession:
    """Return the second session of a stream, with two pictures of 8 x 8."""

    class Grey:
        def read(self, rows: np.ndarray, *_: Any, **__: Any) -> torch.Tensor:
            return torch.full((len(rows), 3, 8, 8), 128, dtype=torch.uint8)

    shown = Session(
        index=1,
        new=slice(2, 4),
        seen=4,
        learned=4,
        labels=("person", "chair", "car", "cup"),
        rows=np.array([3, 5]),
        targets=np.array([[-1, -1, 1, 0], [-1, -1, 0, 1]], dtype=np.int8),
        test_rows=np.array([7]),
    )
    return LiveSession(
        shown,
        source=Grey(),  # type: ignore[arg-type]
        device=torch.device("cpu"),
        batch_size=2,
        stored=lambda: np.empty(0, dtype=np.int64),
    )


def an_exported_model(folder: Path) -> None:
    """Write the folder of a model that finds persons and chairs on an orange picture, and no cars."""
    kind, train = Strategy, TrainSpec(backbone="clbench_small", image_size=32)
    description = Description(
        format=1, clbench=clbench.__version__, labels=["person", "chair", "car"], image_size=32, mean=[0.5] * 3,
        std=[0.5] * 3, decisions=Decisions(thresholds=[0.5] * 3, chosen_on="nothing", images=0),
        pretraining=Pretraining(track="none", weights="", sha256=""), licence={},
        origin=Origin(scenario="tiny", version=1, dataset="scenes", stand_in=False, strategy="naive", configuration="",
                      content="", seed=0),
        strategy="", fields={}, train=train, new=[2, 1], all_seen=False, kept={}, probe=[0.0] * 3,
    )  # fmt: skip
    strategy = rebuilt(kind, description)
    with torch.no_grad():
        strategy.net.head.bias.blocks[0].fill_(9.0)
        strategy.net.head.bias.blocks[1].fill_(-9.0)
        probe = strategy.scores(probe_picture(32))[0].tolist()
    folder.mkdir()
    write_tensors(scoring_state(strategy), folder / "model.safetensors")
    write_description(msgspec.structs.replace(description, probe=probe), folder)


def examples(module: str) -> list[doctest.DocTest]:
    """Return the docstrings of a module that have examples."""
    known = {"clbench": clbench, "metrics": metrics, "np": np, "torch": torch, "session": a_session()}
    found = doctest.DocTestFinder().find(importlib.import_module(module), module, extraglobs=known)
    return [test for test in found if test.examples]


@pytest.mark.parametrize("module", MODULES)
def test_examples_do_what_they_show(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    if module == "clbench.export.model":
        an_exported_model(tmp_path / "exported")
        Image.new("RGB", (40, 30), "orange").save(tmp_path / "street.png")
    for test in examples(module):
        told: list[str] = []
        outcome = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=told.append)
        assert outcome.failed == 0, "".join(told)


def test_public_names_metrics_and_memories_have_examples():
    wanted = [*NAMES, *(getattr(metrics, name) for name in metrics.__all__ if name not in PLAIN | {"NAMES"})]
    memories = [(module, name) for module, names in PUBLIC.items() for name in names if "Memory" in name]
    wanted += [getattr(importlib.import_module(f"clbench.nn.{module}"), name) for module, name in memories]
    assert [item.__qualname__ for item in wanted if ">>> " not in (item.__doc__ or "")] == []
