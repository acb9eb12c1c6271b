"""Pictures that vanish or rot while a run reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from fault_tools import finish, make_data

from clbench.errors import DataError, ResultsError
from clbench.plan.plans import plan
from clbench.records.record import Record, read_record
from clbench.train.events import Event, StepEnded
from clbench.train.run import RunOptions, run

ROTTEN = {
    "gone": None,
    "cut short": lambda data: data[: len(data) // 2],
    "cut a little": lambda data: data[:-20],
    "empty": lambda data: b"",
    "zeros": lambda data: bytes(len(data)),
    "a web page": lambda data: b"<html>404 not found</html>",
}


class Spoil:
    """Spoils a photo of the second session in the middle of it, and remembers what it was."""

    def __init__(self, photo: Path, how: str) -> None:
        self.photo = photo
        self.how = ROTTEN[how]
        self.before = photo.read_bytes()

    def __call__(self, event: Event) -> None:
        if isinstance(event, StepEnded) and (event.session, event.step) == (1, 3):
            if self.how is None:
                self.photo.unlink(missing_ok=True)
            else:
                self.photo.write_bytes(self.how(self.before))

    def mend(self) -> None:
        self.photo.write_bytes(self.before)


def photo_of_the_second_session(folder: Path) -> Path:
    for line in (folder / "labels.csv").read_text().splitlines()[1:]:
        file, split, labels = line.split(",")
        if split == "train" and "white" in labels and "red" not in labels and "green" not in labels:
            return folder / file
    raise AssertionError("no such photo")


def first_test_photo(folder: Path) -> str:
    rows = [line.split(",") for line in (folder / "labels.csv").read_text().splitlines()[1:]]
    return next(file for file, split, labels in rows if split == "test" and "red" in labels)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """The record of a run whose pictures nobody touched."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLBENCH_CACHE", str(folder / "cache"))
        return read_record(finish(make_data(folder / "data"), "er", results=folder / "results"))


CASES = [(how, 0) for how in ROTTEN] + [("gone", 2), ("cut short", 2)]


@pytest.mark.parametrize(("how", "workers"), CASES)
def test_the_file_is_named_the_state_is_kept_and_the_run_goes_on(
    how: str, workers: int, tmp_path: Path, whole: Record
) -> None:
    torch.set_num_threads(1)
    scenario = make_data(tmp_path / "data")
    spoil = Spoil(photo_of_the_second_session(tmp_path / "data"), how)
    (wanted,) = plan(str(scenario), strategies=["er"], seeds=[0])
    options = RunOptions(results=tmp_path / "spoilt", device="cpu", cache=False, workers=workers)
    with pytest.raises(DataError, match=spoil.photo.name) as caught:
        run(wanted, options, watch=spoil)
    told = str(caught.value)
    assert caught.value.exit_code == 3 and "clbench data check" in told
    assert "Traceback" not in told and "worker" not in told
    assert list((tmp_path / "spoilt").rglob("state.pt"))
    spoil.mend()

    def from_the_middle(event: Event) -> None:
        assert not isinstance(event, StepEnded) or event.session > 1 or event.step > 3, "made steps are not made again"

    continued = read_record(run(wanted, options, watch=from_the_middle))
    assert (continued.ap, continued.costs, continued.scores) == (whole.ap, whole.costs, whole.scores)


def test_a_photo_that_was_damaged_before_the_run_is_mended_and_the_run_goes_on(tmp_path: Path, whole: Record) -> None:
    torch.set_num_threads(1)
    scenario = make_data(tmp_path / "data")
    spoil = Spoil(photo_of_the_second_session(scenario.parent), "cut short")
    spoil.photo.write_bytes(spoil.before[: len(spoil.before) // 2])
    scored = Spoil(scenario.parent / first_test_photo(scenario.parent), "cut short")
    scored.photo.write_bytes(b"")
    steps: list[tuple[int, int]] = []

    def go() -> Path:
        (wanted,) = plan(str(scenario), strategies=["er"], seeds=[0])
        options = RunOptions(results=tmp_path / "results", cache=False, workers=0, device="cpu", save_steps=1)
        return run(
            wanted, options, watch=lambda e: steps.append((e.session, e.step)) if isinstance(e, StepEnded) else None
        )

    with pytest.raises(DataError, match=scored.photo.name):
        go()
    scored.mend()
    with pytest.raises(DataError, match=spoil.photo.name):
        go()
    (work,) = tmp_path.glob("results/*/er/*/seed0")
    assert (work / "state.pt").exists() and not list(tmp_path.glob("results/**/*.lock"))
    other = next(photo for photo in sorted(scenario.parent.rglob("*.jpg")) if photo not in (spoil.photo, scored.photo))
    kept = other.read_bytes()
    spoil.mend()
    other.write_bytes(kept + b"more")
    with pytest.raises(ResultsError, match="belongs to another run: photos was"):
        go()  # another photo is another one, too
    other.write_bytes(kept)
    steps.clear()
    record = read_record(go())
    assert steps[0][0] == 1  # the first session is not trained again
    assert (record.ap, record.summary) == (whole.ap, whole.summary)
    assert record.scenario.data == whole.scenario.data


def test_a_run_that_a_damaged_photo_ends_before_anything_is_trained_leaves_no_lock_and_no_copies(
    tmp_path: Path,
) -> None:
    scenario = make_data(tmp_path / "data")
    photo = photo_of_the_second_session(scenario.parent)
    photo.write_bytes(photo.read_bytes()[:300])
    (wanted,) = plan(str(scenario), strategies=["er"], seeds=[0])
    cache = tmp_path / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLBENCH_CACHE", str(cache))
        for options in ({"cache": True}, {"cache": False, "save_steps": 0}):
            with pytest.raises(DataError, match=photo.name):
                run(wanted, RunOptions(results=tmp_path / "results", device="cpu", **options))  # type: ignore[arg-type]
            assert not list((tmp_path / "results").rglob("*.lock")) and not list(cache.rglob("*.lock"))
            if options["cache"]:
                assert not [one for one in (tmp_path / "results").rglob("*") if one.is_file()]
