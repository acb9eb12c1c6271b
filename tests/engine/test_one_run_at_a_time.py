"""No run is carried out twice at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock

from clbench.plan.plan import plan
from clbench.train.run import RunOptions, TakenError, run


def test_a_run_that_another_process_holds_is_left_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clbench.plan.place.LOOK", 0.05)
    (wanted,) = plan("tiny", strategies=["naive"])
    options = RunOptions(results=tmp_path, device="cpu")
    record = wanted.place(options.results).record
    lock = Path(f"{record.with_suffix('')}.lock")
    lock.parent.mkdir(parents=True)
    with FileLock(lock), pytest.raises(TakenError, match="another process is carrying out this very run"):
        run(wanted, options)
    assert not record.exists()
