"""What strategies say of where they come from, and the table of all of them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from unittest.mock import ANY

import pytest
from click.testing import CliRunner

from clbench.cli.verbs.show import command
from clbench.plan import catalog
from clbench.plan.catalog import Entry
from clbench.plan.load_strategy import load_strategy
from clbench.plan.provenance import AGREEMENT, KEYS, methods_table, provenance, provenance_by_digest

ROOT = Path(__file__).parents[1]
SHIPPED = [entry for entry in catalog.strategies() if entry.origin == "shipped"]
NO_PAPER = {"cumulative", "joint"}


@pytest.mark.parametrize("entry", SHIPPED, ids=lambda entry: entry.name)
def test_every_shipped_strategy_says_what_it_keeps_freezes_and_costs_and_where_it_is_from(entry: Entry):
    said = provenance(entry)
    assert set(said) <= {*KEYS, AGREEMENT} and {"keeps", "freezes", "cost"} <= set(said)
    assert ("paper" in said) is (entry.name not in NO_PAPER)
    assert all(value and "\n" not in value for value in said.values())


def test_a_class_says_the_same_imported_as_read():
    kind = load_strategy(catalog.find_strategy("ridge"))
    assert kind.provenance | {AGREEMENT: ANY} == provenance(catalog.find_strategy("ridge"))


def test_what_is_no_literal_counts_as_nothing_and_is_never_run(tmp_path: Path):
    for text in ("{'paper': open('x').read()}", "3", "{"):
        file = tmp_path / "mine.py"
        file.write_text(f"class Mine:\n    provenance: object = {text}\n", encoding="utf-8")
        assert provenance(Entry("mine", file, "local")) == {}


def test_nothing_is_said_twice():
    """A file that says it itself needs no entry beside the others."""
    import yaml

    listed = yaml.safe_load((ROOT / "clbench" / "plan" / "provenance.yaml").read_text(encoding="utf-8"))
    own = {entry.name for entry in SHIPPED if "provenance: ClassVar" in entry.path.read_text(encoding="utf-8")}
    assert set(listed) == {entry.name for entry in SHIPPED} - own


def test_the_table_of_methods_is_what_the_files_say():
    path = ROOT / "docs" / "methods.md"
    text = path.read_text(encoding="utf-8")
    before, rest = text.split("<!-- methods -->\n")
    _, after = rest.split("<!-- end methods -->")
    wanted = f"{before}<!-- methods -->\n{methods_table(SHIPPED)}<!-- end methods -->{after}"
    if os.environ.get("CLBENCH_GOLDEN") == "write":
        path.write_text(wanted, encoding="utf-8")
        return
    assert text == wanted, "CLBENCH_GOLDEN=write accepts it"


def test_an_agreement_is_that_of_a_shipped_file_which_names_the_code_it_ran_beside(tmp_path: Path):
    import yaml

    seen = yaml.safe_load((ROOT / "clbench" / "plan" / "agreements.yaml").read_text(encoding="utf-8"))
    by_name = {entry.name: provenance(entry) for entry in SHIPPED}
    assert {name: said[AGREEMENT] for name, said in by_name.items() if AGREEMENT in said} == seen
    assert all(by_name[name].get("upstream") for name in seen)
    mine = tmp_path / "ridge.py"
    mine.write_text('class Ridge:\n    provenance: dict = {"paper": "mine"}\n', encoding="utf-8")
    assert provenance(Entry("ridge", mine, "local")) == {"paper": "mine"}


def test_what_is_said_is_found_by_the_digest_of_the_file_that_says_it():
    entry = catalog.find_strategy("ridge")
    assert provenance_by_digest()[entry.sha256()] == provenance(entry)


def test_a_strategy_can_be_shown():
    told = CliRunner().invoke(command, ["ridge"]).output
    assert "scut-zx/L3A 1067bbd" in told and "gamma" in told
    plain = json.loads(CliRunner().invoke(command, ["ridge", "--json"]).output)
    assert plain["provenance"]["keeps"] and plain["fields"]["hidden"] == 2048
