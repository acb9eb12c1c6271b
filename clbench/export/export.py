"""From a record with kept weights to a folder that others can use."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

import clbench
from clbench.data.datasets.registry import DATASETS
from clbench.data.pictures.sources import ImageSource
from clbench.errors import ClbenchError, ResultsError, UsageError
from clbench.export.card import card
from clbench.export.description import (
    CARD,
    FORMAT,
    ONNX,
    TENSORS,
    Decisions,
    Description,
    Origin,
    Pretraining,
    digests,
    write_description,
)
from clbench.export.model import load
from clbench.export.onnx_file import missing, write_onnx
from clbench.export.rebuild import own_scores, scoring_state
from clbench.export.tensors import KEPT, apart, probe_picture, write_tensors
from clbench.files.whole_file import move
from clbench.method.stored import memories
from clbench.method.strategy import Strategy, overrides
from clbench.metrics.thresholds import UNDECIDED, best_thresholds
from clbench.nn.distil import drop_teachers
from clbench.plan import catalog
from clbench.plan.load_strategy import load_strategy
from clbench.records.record import Record, read_record
from clbench.records.verify.rescore import has_all_scores, thresholds_after
from clbench.spec.scenario import ScenarioSpec
from clbench.stream.stream import Stream
from clbench.train.prepare import make_source, plan_stream
from clbench.train.rerun import plan_of
from clbench.train.resume.finished import recipe_of, scenario_of, sessions_of, strategy_of
from clbench.train.resume.kept_weights import load_weights
from clbench.train.resume.state import strategy_state
from clbench.train.resume.structure import grown_again

EXACT = 1e-5
"""How far an exported model's scores may be from those beside the record."""
LOOKED_AT = 16
"""Test images whose scores are compared with those beside the record."""


@dataclass(frozen=True)
class Exported:
    """What an export came to; `remarks` are what its user should know, `onnx` how far onnxruntime is from torch."""

    folder: Path
    description: Description
    onnx: float | None
    remarks: tuple[str, ...]


def export(
    path: Path, out: Path, *, scenario: str = "", strategy_file: str = "", data: Path | None = None, onnx: bool = True
) -> Exported:
    """Write the model of the run whose record is `path`, as it was after the last session, to the folder `out`.

    Thresholds are those of the record, which the run chose on the scenario's validation split; of an older record they
    are chosen now, where the data is here (`data`, or where a run looks); never on test images. The folder is there
    whole or not at all, and what it holds gives the scores that lie beside the record. Raises ResultsError where the
    run kept no weights, UsageError for what cannot be exported.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"--out {out}: exists and is not an empty folder.")
    record = read_record(path)
    spec, train = scenario_of(record, scenario=scenario), recipe_of(record)
    entry = catalog.find_strategy(strategy_file or record.strategy.name)
    if entry.sha256() != record.strategy.sha256:
        raise UsageError(
            f"{entry.path} is not the file that the run was made with.",
            hint="Export with the version of the strategy that ran, or run it again.",
        )
    strategy = _finished(record, path, load_strategy(entry), spec)
    shipped = entry.origin == "shipped"
    if not shipped and (own_scores(strategy) or overrides(strategy, "build")):
        raise UsageError(
            f"{entry.path}: has its own `logits`, `scores` or `build`, which a folder without code cannot hold.",
            hint="Strategies with the suite's heads and scores can be exported, and those that clbench ships.",
        )
    remarks: list[str] = []
    stream, source = None, None
    try:
        plan = plan_of(record, data=data, strategy=_file(strategy_file), scenario=_file(scenario))
        stream = plan_stream(plan)
        source = make_source(plan, stream.table, cache=False)
    except ClbenchError as error:
        remarks.append(f"scores were not compared with the record's: {error.message}")
    tensors = dict(scoring_state(strategy))
    description = Description(
        format=FORMAT,
        clbench=clbench.__version__,
        labels=list(record.labels),
        image_size=train.image_size,
        mean=_channels(strategy, "mean"),
        std=_channels(strategy, "std"),
        decisions=_decisions(record, strategy, stream, source, remarks=remarks),
        pretraining=Pretraining(
            track=str(record.environment.get("pretraining", "")),
            weights=str(record.train.get("weights", "")),
            sha256=str(record.environment.get("weights_sha256", "")),
        ),
        licence=_licence(record),
        origin=Origin(
            scenario=record.scenario.name,
            version=record.scenario.version,
            dataset=record.scenario.dataset,
            stand_in=record.scenario.stand_in,
            strategy=record.strategy.name,
            configuration=record.configuration,
            content=record.content,
            seed=record.seed,
        ),
        strategy=record.strategy.name if shipped else "",
        fields=record.strategy.fields if shipped else _head(record),
        train=train,
        new=[len(session.labels) for session in record.scenario.sessions],
        all_seen=spec.visible == "all",
        kept=_kept(strategy, tensors),
        probe=[float(value) for value in _scores(strategy, probe_picture(train.image_size))[0]],
    )
    return _written(path, record, strategy, description, tensors, out, stream, source, onnx=onnx, remarks=remarks)


def _written(
    path: Path,
    record: Record,
    strategy: Strategy,
    description: Description,
    tensors: dict[str, torch.Tensor],
    out: Path,
    stream: Stream | None,
    source: ImageSource | None,
    *,
    onnx: bool,
    remarks: list[str],
) -> Exported:
    partial = out.with_name(f"{out.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    distance = None
    try:
        partial.mkdir(parents=True)
        write_tensors(tensors, partial / TENSORS)
        if onnx and (absent := missing()):
            lacks = f"{', '.join(absent)} not installed (pip install -e '.[export]', in the checkout)"
            remarks.append(f"no ONNX file: {lacks}")
        elif onnx:
            probes = torch.randint(0, 256, (3, 3, *2 * (description.image_size,)), dtype=torch.uint8,
                                   generator=torch.Generator().manual_seed(0))  # fmt: skip
            distance = write_onnx(strategy, partial / ONNX, probes=probes)
        description = msgspec.structs.replace(description, files=digests(partial))
        write_description(description, partial)
        model = load(partial)
        if stream is not None and source is not None:
            rows = stream.test_rows[:: max(1, len(stream.test_rows) // LOOKED_AT)]
            _compare(path, record, stream, rows, model.scores_of(source.read(rows)).numpy())
        (partial / CARD).write_text(card(record, description, onnx=distance), encoding="utf-8")
        if out.exists():
            out.rmdir()
        move(partial, out)
    except OSError as error:
        raise ResultsError(f"{out}: the model cannot be written ({error.strerror}).") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Exported(out, description, distance, tuple(remarks))


def _finished(record: Record, path: Path, kind: type[Strategy], spec: ScenarioSpec) -> Strategy:
    """Return the strategy as it was scored after the last session."""
    strategy, sessions = strategy_of(record, kind), sessions_of(record, spec)
    with torch.random.fork_rng(devices=[]):
        for _ in grown_again(strategy, sessions, seed=record.seed, device=torch.device("cpu")):
            pass
    load_weights(strategy, path.with_suffix(""), session=len(sessions) - 1)
    drop_teachers(strategy)
    return strategy.eval()


def _head(record: Record) -> dict[str, Any]:
    return {name: record.strategy.fields[name] for name in ("head", "head_options")}


def _channels(strategy: Strategy, name: str) -> list[float]:
    return [float(value) for value in getattr(strategy.net.backbone, name).flatten()]


@torch.no_grad()
def _scores(strategy: Strategy, images: torch.Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    found: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = strategy.scores(images).float().numpy()
    return found


def _kept(strategy: Strategy, tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Return what scores of a strategy's own need beside modules; memories, which name training images, stay behind."""
    if not own_scores(strategy):
        return {}
    own = strategy_state(strategy)["own"]
    needed = {
        name: value for name, value in own.items() if name not in memories(strategy) and value["state"] is not None
    }
    found: dict[str, Any] = apart(needed, name=KEPT[:-1], tensors=tensors)
    return found


def _compare(
    path: Path,
    record: Record,
    stream: Stream,
    rows: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    scores: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> None:
    """Raise ResultsError where the exported model does not give the scores beside the record."""
    if not has_all_scores(record) or not (file := path.with_suffix("") / record.scores[-1].file).is_file():
        return
    told = np.load(file, mmap_mode="r", allow_pickle=False)[np.isin(stream.test_rows, rows)].astype(np.float64)
    if record.scores[-1].kind == "logits":
        told = np.exp(-np.logaddexp(0, -told))
    apart = float(np.abs(told - scores).max())
    tolerance = EXACT if record.environment.get("device") == "cpu" else 100 * EXACT  # a GPU rounds otherwise
    if not apart <= tolerance:
        raise ResultsError(
            f"{path}: the exported model's scores differ by {apart:.1e} from those beside the record.",
            hint="The kept weights are not those that were scored: run it again with --keep-weights --no-resume.",
        )


def _decisions(
    record: Record, strategy: Strategy, stream: Stream | None, source: ImageSource | None, *, remarks: list[str]
) -> Decisions:
    labels = strategy.net.head.seen
    if (told := thresholds_after(record, -1)) is not None:
        return Decisions(thresholds=told.each, chosen_on="validation", images=told.images)
    if stream is None or source is None or not len(stream.val_rows):
        why = "the data is not here" if stream is None else "the scenario has no validation split"
        remarks.append(f"thresholds are one half: {why}")
        return Decisions(thresholds=[UNDECIDED] * labels, chosen_on="nothing", images=0)
    rows = stream.val_rows
    parts = [_scores(strategy, source.read(rows[first : first + 64])) for first in range(0, len(rows), 64)]
    chosen = best_thresholds(np.concatenate(parts), stream.truth(rows))
    return Decisions(thresholds=chosen, chosen_on="validation", images=len(rows))


def _licence(record: Record) -> dict[str, str]:
    """Return what is known of whose rights a model touches; "not stated" where nothing is."""
    unknown = "not stated"
    weights, known = str(record.train.get("weights", "")), DATASETS.get(record.scenario.dataset)
    found = {"model": unknown, "pretrained weights": unknown if weights else "none used"}
    if weights == "hub" or weights.startswith("package:"):
        from clbench.imports.models import timm

        config = timm.get_pretrained_cfg(str(record.train["backbone"]), allow_unregistered=True)
        found["pretrained weights"] = str((config and config.license) or unknown)
    generated = record.scenario.stand_in or record.scenario.dataset == "scenes"
    terms = "generated pictures" if generated else (known.terms if known else "")
    return found | {"training data": terms or unknown}


def _file(named: str) -> Path | None:
    return Path(named) if named else None
