"""A run that was stopped anywhere ends with the record it would have had."""

from __future__ import annotations

from pathlib import Path

import pytest
from listening import StopAt
from tiny_scenarios import SHIPPED, SMALL, backbone_of

from clbench.errors import ResultsError
from clbench.plan.plans import plan
from clbench.testing.repeat import first_other_section
from clbench.train.events import silent
from clbench.train.run import Run, RunOptions, run


@pytest.mark.parametrize("name", SHIPPED)
def test_a_run_stopped_in_the_middle_of_an_epoch_goes_on_to_the_same_record(name: str, tmp_path: Path) -> None:
    (wanted,) = plan("tiny", strategies=[name], seeds=[1], sets=[*backbone_of(name), *SMALL.get(name, ())])
    whole = run(wanted, RunOptions(results=tmp_path / "whole", device="cpu"))
    options = RunOptions(results=tmp_path / "parts", device="cpu", save_steps=3)
    for session, step in [(0, 4), (1, 7), (2, 1)]:
        try:
            run(wanted, options, watch=StopAt(session, step))
        except KeyboardInterrupt:
            continue
    # all sections but the times and the code, which changes when somebody commits between the two
    assert first_other_section(run(wanted, options), whole) == ""


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    (wanted,) = plan("tiny", strategies=["naive"])
    options = RunOptions(results=tmp_path, device="cpu")
    first = run(wanted, options)
    before = first.stat().st_mtime_ns
    assert run(wanted, options, watch=StopAt(0, 1)) == first and first.stat().st_mtime_ns == before


def test_a_state_of_another_configuration_is_refused_by_name(tmp_path: Path) -> None:
    (wanted,) = plan("tiny", strategies=["naive"])
    options = RunOptions(results=tmp_path, device="cpu", save_steps=1)
    with pytest.raises(KeyboardInterrupt):
        run(wanted, options, watch=StopAt(0, 2))
    (other,) = plan("tiny", strategies=["naive"], sets=["train.lr=0.5"])
    here, there = (Run(p, options, watch=silent) for p in (wanted, other))
    there.work.mkdir(parents=True)
    here.state_file.rename(there.state_file)
    with pytest.raises(ResultsError, match="configuration was"):
        run(other, options)
