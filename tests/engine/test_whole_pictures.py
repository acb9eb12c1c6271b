"""With `train.augment=rrc` training reads whole pictures; everything else reads what it always read."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fault_tools import drive, make_data
from tiny_scenarios import online, planned

from clbench.cost.estimate import estimate
from clbench.data.pictures.augment import augmented
from clbench.data.pictures.decode import decode
from clbench.data.pictures.sources import CachedImages, FolderImages, cached
from clbench.errors import UsageError
from clbench.method.session import LiveSession
from clbench.nn.memory import Exemplars
from clbench.plan.plan import Plan
from clbench.plan.plans import plan
from clbench.records.record import Record, read_record
from clbench.seeds import derive
from clbench.testing.repeat import first_other_section
from clbench.train.batches import SessionView, loader
from clbench.train.options import AUTO
from clbench.train.prepare import make_source, make_stream
from clbench.train.reader_processes import loader_processes
from clbench.train.run import RunOptions, run


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    torch.set_num_threads(1)


def photos(folder: Path, strategy: str = "er", *sets: str, augment: str = "rrc") -> Plan:
    """Return the plan of a run on a folder of JPEGs of 48 x 40 pixels."""
    path = folder / "data" / "own.yaml"
    path = path if path.exists() else make_data(folder / "data")
    (wanted,) = plan(str(path), strategies=[strategy], seeds=[0], sets=[f"train.augment={augment}", *sets])
    return wanted


def carried_out(wanted: Plan, results: Path, **options: Any) -> Path:
    return run(wanted, RunOptions(results=results, device="cpu", **options))


def numbers(path: Path) -> tuple[Any, ...]:
    record: Record = read_record(path)
    return record.ap, record.counts, record.costs, record.scores


def viewed(wanted: Plan, *, exemplars: Exemplars | None = None, cache: bool = False) -> SessionView:
    stream = make_stream(wanted, wanted.new_strategy())
    source = make_source(wanted, stream.table, cache=cache)
    ids = stream.table.ids
    return SessionView(stream.sessions[1], source=source, ids=ids, augment="rrc", seed=3, exemplars=exemplars)


def batches(view: SessionView, *, workers: int) -> list[tuple[torch.Tensor, ...]]:
    return list(loader(view, batch_size=5, epochs=2, start=(0, 0), workers=workers, pin=False))  # type: ignore[arg-type]


def test_batches_are_the_same_from_the_files_and_beside_a_cache_with_and_without_workers(tmp_path: Path) -> None:
    wanted = photos(tmp_path)
    first = batches(viewed(wanted), workers=0)
    for cache, workers in ((True, 0), (False, 2), (True, 2)):
        view = viewed(wanted, cache=cache)
        assert isinstance(view.source, CachedImages) is cache
        for ours, theirs in zip(batches(view, workers=workers), first, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
            assert ours[0].stride() == theirs[0].stride(), "as they lie in memory, or kernels would round otherwise"


def test_a_crop_depends_on_seed_session_epoch_and_image_id_and_is_cut_from_the_file(tmp_path: Path) -> None:
    view = viewed(photos(tmp_path), cache=True)
    images, _, rows, _ = view.__getitems__([(4, 2), (1, 0)])  # type: ignore[misc]
    source = make_source(photos(tmp_path), view.source.behind.table, cache=False)  # type: ignore[attr-defined]
    for image, row, epoch in zip(images, rows.tolist(), (4, 1), strict=True):
        name = str(view.source.behind.table.ids[row])  # type: ignore[attr-defined]
        draw = derive(3, "augment", 1, epoch, name)
        assert torch.equal(image, augmented(source, np.array([row]), augment="rrc", draws=[draw])[0])


def test_exemplars_mixed_in_and_set_beside_batches_are_cropped_like_all_others(tmp_path: Path) -> None:
    wanted = photos(tmp_path)
    stream = make_stream(wanted, wanted.new_strategy())
    held = np.setdiff1d(stream.sessions[0].rows, stream.sessions[1].rows)[:3]
    view = viewed(wanted, exemplars=Exemplars(rows=held, targets=np.ones((3, 2), dtype=np.int8)))
    source, ids = view.source, stream.table.ids
    images, _, rows, _ = view.__getitems__([(0, view.fresh), (0, view.fresh + 1)])  # type: ignore[misc]
    draws = [derive(3, "augment", 1, 0, str(ids[row])) for row in rows.tolist()]
    assert torch.equal(images, augmented(source, rows.numpy(), augment="rrc", draws=draws))
    beside = view.recalled(held, step=7, places=range(2, 5))
    draws = [derive(3, "augment recalled", 1, 7, place, str(ids[row])) for place, row in enumerate(held, 2)]
    assert torch.equal(beside, augmented(source, held, augment="rrc", draws=draws))


def test_who_reads_a_session_himself_is_shown_squashed_pictures_as_they_are(tmp_path: Path) -> None:
    view = viewed(photos(tmp_path), cache=True)
    stream = make_stream(photos(tmp_path), photos(tmp_path).new_strategy())
    squashed = FolderImages(stream.table, root=tmp_path / "data", size=32)
    session = stream.sessions[1]
    live = LiveSession(
        session,
        source=view.source,
        device=torch.device("cpu"),
        batch_size=4,
        stored=lambda: np.empty(0, dtype=np.int64),
    )
    assert torch.equal(torch.cat([batch.images for batch in live.batches()]), squashed.read(session.rows))
    assert torch.equal(view[2][0], squashed.read(session.rows[2:3])[0])


@pytest.mark.parametrize("strategy", ["er", "icarl"])
def test_the_record_is_the_same_with_and_without_cache_and_workers(strategy: str, tmp_path: Path) -> None:
    wanted = photos(tmp_path, strategy, f"{strategy}.memory=12")
    first = numbers(carried_out(wanted, tmp_path / "plain", cache=False, workers=0))
    assert not list((tmp_path / "cache").rglob("*.u8"))
    assert numbers(carried_out(wanted, tmp_path / "cache-2", cache=True, workers=2)) == first
    assert list((tmp_path / "cache").rglob("*.u8"))
    assert numbers(carried_out(wanted, tmp_path / "cache-0", cache=True, workers=0)) == first
    other = photos(tmp_path, strategy, f"{strategy}.memory=12", augment="crop")
    assert numbers(carried_out(other, tmp_path / "crop")) != first


def test_a_stream_with_images_beside_its_batches_is_the_same_with_and_without_cache(tmp_path: Path) -> None:
    wanted = planned(online(tmp_path), "prs", "prs.memory=16", "prs.replay_batch=4", "train.augment=rrc")
    first = numbers(carried_out(wanted, tmp_path / "plain", cache=False))
    assert numbers(carried_out(wanted, tmp_path / "cached", cache=True)) == first


def test_a_run_interrupted_while_it_reads_goes_on_to_the_same_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = photos(tmp_path)
    whole = carried_out(wanted, tmp_path / "whole", cache=True)
    read: list[Path] = []

    def interrupted(path: Path) -> torch.Tensor:
        read.append(path)
        if len(read) in (37, 60):
            raise KeyboardInterrupt
        return decode(path)

    monkeypatch.setattr("clbench.data.pictures.sources.decode", interrupted)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            carried_out(wanted, tmp_path / "parts", cache=True, save_steps=2)
    assert first_other_section(carried_out(wanted, tmp_path / "parts", cache=True), whole) == ""
    assert len(read) > 60, "pictures are read again in every epoch"


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"cache": False, "workers": 2},
        pytest.param({"cache": True, "workers": 0}, marks=pytest.mark.exhaustive),
    ],
)
def test_a_process_killed_at_random_instants_ends_with_the_same_record(options: dict[str, Any], tmp_path: Path) -> None:
    found = drive(
        {
            "folder": str(tmp_path),
            "plan": {
                "scenario": str(make_data(tmp_path / "data")),
                "strategies": ["er"],
                "seeds": [1],
                "sets": ["train.augment=rrc", "er.memory=12"],
            },
            "options": {"save_minutes": 0.0, **options},
            "times": 8,
            "seed": 4,
        },
        cwd=tmp_path,
    )
    assert found["killed"] >= 3, found
    (whole,) = (tmp_path / "whole").rglob("seed1.json")
    for folder in found["finished"]:
        (other,) = (tmp_path / folder).rglob("seed1.json")
        assert numbers(other) == numbers(whole)


# ---------------------------------------------------------------------- what it costs


def test_loaders_are_started_although_pictures_are_cached(tmp_path: Path) -> None:
    wanted = photos(tmp_path)
    table = make_stream(wanted, wanted.new_strategy()).table
    source = FolderImages(table, root=tmp_path / "data", size=32)
    cache = cached(source, key=lambda: "own", count=len(table), wanted=True)
    gpu, cpu = torch.device("cuda"), torch.device("cpu")
    assert loader_processes(AUTO, cache, device=gpu, share=8, augment="rrc") == 7
    assert loader_processes(AUTO, cache, device=gpu, share=8, augment="crop") == 0
    assert loader_processes(AUTO, cache, device=cpu, share=8, augment="rrc") == 0


@pytest.mark.parametrize("cache", [True, False])
def test_a_dry_run_counts_decoding_in_every_epoch(cache: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    each = 0.01

    def slow(path: Path) -> torch.Tensor:
        begin = time.process_time()
        picture = decode(path)
        while time.process_time() < begin + each:
            pass
        return picture

    monkeypatch.setattr("clbench.data.pictures.sources.decode", slow)
    wanted = photos(tmp_path, "naive", "train.epochs=6")
    cost = estimate(wanted, calibrate=True, device="cpu", cache=cache)
    assert cost.parts["training"].cpu > 0.9 * each * cost.image_steps
    assert (cost.cache_bytes > 0) is cache
    squashed = estimate(photos(tmp_path, "naive", "train.epochs=6", augment="crop"), calibrate=True, device="cpu")
    assert squashed.parts["training"].cpu < 0.5 * each * cost.image_steps, "from the cache nothing is decoded"


def test_images_and_steps_are_counted_exactly(tmp_path: Path) -> None:
    wanted = photos(tmp_path, "er", "er.memory=7")
    cost, record = estimate(wanted), read_record(carried_out(wanted, tmp_path / "results"))
    assert [session.images for session in cost.sessions] == [part.images_seen for part in record.costs]
    (pictures,) = (tmp_path / "cache").rglob("*.u8")
    assert cost.cache_bytes == pictures.stat().st_size
    again = estimate(wanted, calibrate=True, device="cpu")
    assert not again.once and again.image_steps == cost.image_steps, "squashed pictures are kept now"


def test_stored_features_are_refused(tmp_path: Path) -> None:
    wanted = photos(tmp_path, "naive", "train.freeze=backbone")
    with pytest.raises(UsageError, match="no picture is the same twice"):
        carried_out(wanted, tmp_path / "results", features="maps")
