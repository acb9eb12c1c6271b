"""What is shown while runs go on."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from clbench.cli.terminal.progress import Live, Meter, Plain, loss_text, seconds_text, watching
from clbench.train.events import (
    Making,
    Message,
    RunFailed,
    RunFinished,
    RunStarted,
    SessionFinished,
    SessionStarted,
    StepEnded,
    silent,
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (60, "1 min 00 s"),
        (185.4, "3 min 05 s"),
        (7620, "2 h 07 min"),
        (3599.9, "1 h 00 min"),
    ],
)
def test_durations_are_written_as_people_write_them(seconds: float, text: str):
    assert seconds_text(seconds) == text


def test_the_watch_fits_what_stderr_is(monkeypatch: pytest.MonkeyPatch):
    with watching(quiet=True) as watch:
        assert watch is silent
    with watching(quiet=False) as watch:
        assert type(watch) is Plain
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with watching(quiet=False) as watch:
        assert isinstance(watch, Live)


def drive(watch: Plain, *, losses: list[float]) -> None:
    def loss() -> float:
        losses.append(0.5)
        return 0.5

    for run in ("er · seed 0", "er · seed 1"):
        watch(RunStarted(run=run, strategy="er", seed=0, sessions=2, stand_in=False))
        watch(SessionStarted(run=run, session=0, labels=2, images=64, steps=50))
    for step in range(1, 51):
        for run in ("er · seed 0", "er · seed 1"):
            watch(StepEnded(run=run, session=0, epoch=0, step=step, steps=50, images=16, read_loss=loss))
    for run in ("er · seed 0", "er · seed 1"):
        watch(SessionFinished(run=run, session=0, seconds=3.0, last_map=0.25, fixed_map=0.125, stored=0))
    watch(RunFinished(run="er · seed 0", record=Path("r.json"), seconds=4.0))
    watch(RunFailed(run="er · seed 1", message="[bold]no"))
    watch(Message("a word"))


def step(number: int, *, loss: float = 0.5, summed: int = 1) -> StepEnded:
    return StepEnded("er", session=1, epoch=0, step=number, steps=400, images=16, read_loss=lambda: loss, summed=summed)


def test_where_output_is_a_file_a_long_session_says_a_line_a_minute(capsys: pytest.CaptureFixture[str]):
    now = 0.0
    watch = Plain(clock=lambda: now)
    watch(RunStarted(run="er", strategy="er", seed=0, sessions=2, stand_in=False))
    watch(SessionStarted(run="er", session=1, labels=1673, images=6400, steps=100))
    for number in range(1, 202):  # a step a second, on a loss that is a sum over 1,673 labels
        now += 1.0
        watch(step(number, loss=83.65, summed=1673))
    assert capsys.readouterr().err.splitlines() == [
        "er: started",
        "er: session 2: step 60 of 400, loss 0.0500, 5 min 40 s left",
        "er: session 2: step 120 of 400, loss 0.0500, 4 min 40 s left",
        "er: session 2: step 180 of 400, loss 0.0500, 3 min 40 s left",
    ]


def test_a_loss_is_told_per_label_whatever_its_size():
    assert loss_text(step(1, loss=1673.0, summed=1673)) == "loss 1.0000"
    assert loss_text(step(1, loss=0.5, summed=1673)) == "loss 3.0e-04"
    assert loss_text(step(1, loss=0.0)) == "loss 0.0000"


def test_plain_lines_tell_sessions_and_ends_only(capsys: pytest.CaptureFixture[str]):
    losses: list[float] = []
    drive(Plain(), losses=losses)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "er · seed 0: started",
        "er · seed 1: started",
        "er · seed 0: session 1: mAP 25.00 (all test images 12.50), 3.0 s",
        "er · seed 1: session 1: mAP 25.00 (all test images 12.50), 3.0 s",
        "er · seed 0: finished in 4.0 s",
        "er · seed 1: failed: [bold]no",
        "a word",
    ]
    assert losses == []


def test_live_lines_show_the_loss_seldom_and_leave_the_terminal_clean(monkeypatch: pytest.MonkeyPatch):
    screen = io.StringIO()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    watch = Live()
    losses: list[float] = []
    drive(watch, losses=losses)
    watch.close()
    text = screen.getvalue()
    assert "session 1: mAP 25.00" in text
    assert "session 1 of 2, " in text
    assert "failed: [bold]no" in text
    assert 2 <= len(losses) < 10, "the loss costs a device sync"
    assert text.rstrip().endswith("a word")


def test_what_takes_long_to_make_has_a_line_every_few_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    clock = iter(range(0, 100, 2))
    monkeypatch.setattr("clbench.cli.terminal.progress.time.monotonic", lambda: float(next(clock)))
    watch = Plain()
    for done in range(1, 8):
        watch(Making("coco: pictures", done * 1000, 7000))
    assert capsys.readouterr().err.splitlines() == [f"coco: pictures: {n},000 of 7,000" for n in (1, 4, 7)]


def test_what_takes_long_to_make_has_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch):
    screen = io.StringIO()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    watch = Live()
    watch(RunStarted(run="er · seed 0", strategy="er", seed=0, sessions=1, stand_in=False))
    for done in (256, 512, 600):
        watch(Making("pictures", done, 600))
        watch._progress.refresh()
    watch(SessionStarted(run="er · seed 0", session=0, labels=2, images=64, steps=50))
    watch.close()
    text = screen.getvalue()
    assert "512 of 600" in text and "━" in text and "pictures: 600" in text
    assert "pictures" not in watch._tasks


def test_a_resumed_session_may_begin_at_any_step():
    watch = Live()
    watch(SessionStarted(run="r", session=3, labels=2, images=64, steps=50))
    watch(StepEnded(run="r", session=3, epoch=4, step=41, steps=50, images=16, read_loss=lambda: 1.0))
    watch(StepEnded(run="unknown", session=0, epoch=0, step=1, steps=2, images=1, read_loss=lambda: 1.0))
    watch.close()


def test_the_rate_counts_the_images_of_steps_that_were_not_reported(monkeypatch: pytest.MonkeyPatch):
    clock = [0.0]
    monkeypatch.setattr("clbench.cli.terminal.progress.time.monotonic", lambda: clock[0])
    meter = Meter()
    for step in (20, 40):
        meter.add(step=step, images=16)
    clock[0] = 4.0
    assert meter.rate() == 40 * 16 / 4.0
    resumed = Meter()
    resumed.add(step=4000, images=16)
    clock[0] = 6.0
    assert resumed.rate() <= 20 * 16 / 2.0
