"""Every check catches the strategy that breaks its promise, and only that check does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clbench.plan import catalog
from clbench.testing import CHECKS, Subject, examine

BROKEN = Path(__file__).with_name("broken")
CAUGHT = {
    "two_strategies": "file_holds_one_strategy",
    "prints_on_import": "file_holds_one_strategy",
    "raises_on_import": "file_holds_one_strategy",
    "no_sentence": "docstring_is_one_sentence",
    "needs_argument": "constructs_with_its_defaults",
    "wrong_type": "fields_survive_json",
    "crashes_late": "runs_to_its_end",
    "leaves_python": "runs_to_its_end",
    "forges_the_past": "record_follows_from_its_scores",
    "gives_logits": "scores_are_probabilities",
    "one_column_more": "scores_are_probabilities",
    "ranks_in_batch": "scores_ignore_the_batch",
    "new_head": "growth_adds_exactly_the_new_labels",
    "never_grows": "growth_adds_exactly_the_new_labels",
    "learns_nothing": "learns_above_chance",
    "careless": "loss_copes_with_unknown_labels",
    "freezes_late": "optimiser_holds_what_trains",
    "trains_its_teacher": "teacher_is_frozen",
    "hoards": "memory_stays_within_its_budget",
    "keeps_pictures": "memory_stays_within_its_budget",
    "hides_pictures": "memory_stays_within_its_budget",
    "rereads_rows": "memory_stays_within_its_budget",
    "rehearses_uncounted": "memory_stays_within_its_budget",
    "replays_what_it_dropped": "memory_stays_within_its_budget",
    "tells_others_each_time": "memory_stays_within_its_budget",
    "tells_another_number": "memory_stays_within_its_budget",
    "stores_beyond_its_field": "memory_stays_within_its_budget",
    "draws_twice": "memory_stays_within_its_budget",
    "unseeded": "same_seed_same_weights",
    "one_birth": "other_seed_other_weights",
    "forgets_on_resume": "stopped_run_ends_the_same",
    "reads_hidden": "hidden_labels_change_nothing",
    "peeks_at_test": "test_split_is_out_of_reach",
    "adapts_to_test": "test_split_is_out_of_reach",
    "answers_from_table": "test_split_is_out_of_reach",
    "seeds_everybody": "process_is_left_as_it_was",
    "draws_globally": "process_is_left_as_it_was",
    "replaces_a_function": "process_is_left_as_it_was",
    "writes_a_log": "no_stray_files",
    "writes_elsewhere": "no_stray_files",
    "rewrites_scores": "record_follows_from_its_scores",
    "rewrites_scores_last": "record_follows_from_its_scores",
    "keeps_in_buffers": "memory_stays_within_its_budget",
    "keeps_in_parameters": "memory_stays_within_its_budget",
    "keeps_in_a_queue": "memory_stays_within_its_budget",
    "keeps_in_a_plugin": "memory_stays_within_its_budget",
    "changes_code": "process_is_left_as_it_was",
    "changes_the_measure": "record_follows_from_its_scores",
    "finds_the_table": "hidden_labels_change_nothing",
    "starts_a_process": "no_stray_files",
    "hides_a_network": "what_predicts_is_counted",
    "predicts_with_its_teacher": "what_predicts_is_counted",
    "ranks_in_large_batch": "scores_ignore_the_batch",
    "ends_its_process": "runs_to_its_end",
    "says_leak_early": "hidden_labels_change_nothing",
    "starts_a_process_unheard": "no_stray_files",
    "writes_through_a_library": "no_stray_files",
    "predicts_in_numpy": "what_predicts_is_counted",
    "ranks_in_middling_batch": "scores_ignore_the_batch",
    "keeps_in_lists": "memory_stays_within_its_budget",
}
ALSO = {
    "changes_the_measure": ["process_is_left_as_it_was"],
    # asked last, it looks its scores up in a table in which hidden labels differ; the table is what predicts
    "answers_from_table": ["hidden_labels_change_nothing", "what_predicts_is_counted"],
}
"""What else notices them."""
ENDS_THE_RUN = {
    "crashes_late",
    "leaves_python",
    "ends_its_process",
    "rewrites_scores",
    "rewrites_scores_last",
    "gives_logits",
    "one_column_more",
    "never_grows",
    "careless",
    "hoards",
    "rehearses_uncounted",
    "rereads_rows",
    "replays_what_it_dropped",
    "tells_another_number",
    "tells_others_each_time",
    "stores_beyond_its_field",
    "draws_twice",
}
"""Strategies after which a run cannot go on, so that most checks have nothing to look at."""


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLBENCH_BESIDE", "")


def test_every_check_is_proven_by_a_broken_strategy() -> None:
    assert set(CAUGHT.values()) == {check.name for check in CHECKS}
    assert set(CAUGHT) == {path.stem for path in BROKEN.glob("*.py")}


CHEATS = {
    "changes_code",
    "changes_the_measure",
    "draws_twice",
    "ends_its_process",
    "finds_the_table",
    "hides_a_network",
    "hides_pictures",
    "keeps_in_a_plugin",
    "keeps_in_a_queue",
    "keeps_in_buffers",
    "keeps_in_lists",
    "keeps_in_parameters",
    "predicts_in_numpy",
    "predicts_with_its_teacher",
    "ranks_in_large_batch",
    "ranks_in_middling_batch",
    "replays_what_it_dropped",
    "rewrites_scores",
    "rewrites_scores_last",
    "says_leak_early",
    "starts_a_process",
    "starts_a_process_unheard",
    "stores_beyond_its_field",
    "tells_another_number",
    "tells_others_each_time",
    "writes_through_a_library",
}
"""Beside each of these another strategy breaks the same promise and shows that no other check fails."""


def _can_confine() -> bool:
    """Whether this system can forbid writing: asked in a process that ends, since it cannot be taken back."""
    asked = (
        "from pathlib import Path; from clbench.testing.confined import confine_writing; print(confine_writing(Path()))"
    )
    said = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True).stdout
    return said == "True\n"


@pytest.mark.parametrize("name", sorted(CHEATS))
def test_a_cheat_is_caught(name: str) -> None:
    if name == "writes_through_a_library" and not _can_confine():
        pytest.skip("only Linux from 6.2 on forbids writing")
    (check,) = (check for check in CHECKS if check.name == CAUGHT[name])
    outcome = examine(Subject(str(BROKEN / f"{name}.py")), check=check)
    assert outcome.status == "failed" and f"{name}.py" in outcome.lines[1], outcome


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.exhaustive) if name in CHEATS else name for name in CAUGHT]
)
def test_a_broken_strategy_fails_its_check_and_no_other(name: str) -> None:
    subject = Subject(str(BROKEN / f"{name}.py"))
    outcomes = {check.name: examine(subject, check=check) for check in CHECKS}
    failed = {check: outcome.lines for check, outcome in outcomes.items() if outcome.status == "failed"}
    also = ALSO.get(name, [])
    assert sorted(failed) == sorted([CAUGHT[name], *also]), failed
    found, look, mend = failed[CAUGHT[name]]
    assert found and mend and f"{name}.py" in look
    # what was not run must wait for the failed check
    blocked = {check for check, outcome in outcomes.items() if outcome.status == "not run"}
    waiting = {CAUGHT[name]} | ({"runs_to_its_end"} if name in ENDS_THE_RUN else set())
    for check in CHECKS:
        if check.needs in waiting:
            waiting.add(check.name)
    assert blocked == waiting - {CAUGHT[name]}


def test_the_hint_names_a_file_by_its_path_where_its_name_is_not_enough() -> None:
    path = BROKEN / "crashes_late.py"
    (check,) = (check for check in CHECKS if check.name == "runs_to_its_end")
    mend = examine(Subject(str(path)), check=check).lines[2]
    assert mend == f"See the whole traceback: clbench run tiny --strategy {path} --debug"
    assert catalog.find_strategy(str(path)).path == path
