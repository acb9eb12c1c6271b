"""The values behind the page: right, rounded, shared, and the same for the same records."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import page_records
import pytest
from PIL import Image
from record_factory import B0, B40, METHODS, TINY, in_order, make_record, sealed, sections_of, with_thresholds

from clbench.errors import ResultsError
from clbench.metrics.continual import group_maps, session_maps
from clbench.metrics.names import NAMES
from clbench.records.record import Record, parse_record, to_text
from clbench.records.rows import Row, group_rows
from clbench.records.rows_over_orders import over_orders
from clbench.records.verify.findings import Finding, Verification
from clbench.report.figures.curves import tradeoff
from clbench.report.page.document import document, inline_json, write_page
from clbench.report.page.gallery import MOST_PIXELS, galleries
from clbench.report.page.model import page_model
from clbench.report.page.shared_values import Pool
from clbench.report.table.columns import RULES, columns
from clbench.report.table.heads_compared import grid_of, head_tables
from clbench.report.table.leaderboard import leaderboard

ER, DLFL, JOINT = METHODS[4], METHODS[7], METHODS[0]


def model_of(records: list[Record], *, rows: Sequence[Row] = (), **options: Any) -> dict[str, Any]:
    return page_model(rows or records, trust={record.content: "consistent" for record in records}, **options)


def only_row(model: dict[str, Any], strategy: str) -> dict[str, Any]:
    (row,) = [row for table in model["tables"] for row in table["rows"] if row["strategy"] == strategy]
    return row


def embedded(text: str) -> Any:
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, flags=re.DOTALL)
    return json.loads(found)


@pytest.mark.parametrize("tuned", [False, True])
def test_every_number_of_the_leaderboard_is_the_one_that_tables_print(records: list[Record], tuned: bool):
    records = [with_thresholds(record) for record in records] if tuned else records
    trust = {record.content: "consistent" for record in records}
    model = model_of(records)
    assert list(model["rules"]) == list(RULES) if tuned else ["0.5", "0.8", "top3"]
    for rule in model["rules"]:
        board = leaderboard(records, threshold=rule, trust=trust)
        for table, shown in zip(board.tables, model["tables"], strict=True):
            assert [row.strategy for row in table.rows] == [row["strategy"] for row in shown["rows"]]
            for line, row in zip(table.rows, shown["rows"], strict=True):
                for key, column in columns(rule).items():
                    cell, given = line.cells[key], row["cells"][f"{key}@{rule}" if column.decided else key]
                    assert (given is None) == (cell.mean is None), key
                    if given is not None:
                        assert given[0] == pytest.approx(cell.mean, abs=6e-7)
                        assert given[1] is None if cell.std is None else given[1] == pytest.approx(cell.std, abs=6e-7)


def test_ap_is_the_mean_over_seeds_in_ten_thousandths_and_ends_with_the_labels_seen():
    made = [make_record(ER, B40, seed=seed) for seed in range(3)]
    row = only_row(model_of(made), "er")
    for test_set in ("growing", "fixed"):
        mean = np.array([getattr(record.ap, test_set) for record in made], dtype=float).mean(axis=0)
        assert [len(line) for line in row["ap"][test_set]] == [40, 50, 60, 70, 80]
        for line, wanted in zip(row["ap"][test_set], mean, strict=True):
            assert line == [round(10_000 * value) for value in wanted[: len(line)]]


def test_a_label_without_an_ap_is_null_and_not_zero():
    record = make_record(ER, TINY)
    fixed = [list(line) for line in record.ap.fixed]
    fixed[2][0] = None
    growing = [list(line) for line in record.ap.growing]
    changed = sealed(sections_of(record) | {"ap": msgspec.structs.replace(record.ap, fixed=fixed, growing=growing)})
    row = only_row(model_of([changed]), "er")
    assert row["ap"]["fixed"][2][0] is None
    assert row["ap"]["fixed"][1][0] is not None


def test_a_single_seed_has_no_spread():
    row = only_row(model_of([make_record(ER, B40)]), "er")
    assert row["cells"]["average_map"][1] is None
    assert set(row["curves"]["growing"][1]) == {None}


def test_joint_training_is_a_bound_with_one_value_and_no_forgetting():
    row = only_row(model_of([make_record(JOINT, B40), make_record(ER, B40)]), "joint")
    assert row["bound"] and row["static"]
    assert len(row["curves"]["fixed"][0]) == 1
    assert "forgetting" not in row["curves"]
    assert [len(line) for line in row["ap"]["fixed"]] == [80]


def test_rows_that_verification_found_wrong_are_told_apart_from_those_that_compete():
    made = [make_record(ER, B40), make_record(JOINT, B40), make_record(METHODS[1], B40)]
    trust = {made[0].content: "unverified", made[1].content: "consistent", made[2].content: "consistent"}
    (table,) = page_model(made, trust=trust)["tables"]
    assert {row["strategy"]: row["wrong"] for row in table["rows"]} == {"er": True, "joint": False, "naive": False}


def test_rows_are_named_by_where_their_records_lie(records: list[Record]):
    model = model_of(records)
    ids = [row["id"] for table in model["tables"] for row in table["rows"]]
    assert len(set(ids)) == len(ids)
    (er,) = [
        row for row in group_rows(records) if row.first.strategy.name == "er" and row.first.scenario.name == "tiny"
    ]
    assert f"tiny.v1.scenes/er/{er.first.configuration[:8]}" in ids


def test_two_configurations_of_one_strategy_keep_their_own_numbers():
    def memory(size: int) -> Record:
        record = make_record(ER, B40, seed=0)
        fields = record.strategy.fields | {"memory": size}
        strategy = msgspec.structs.replace(record.strategy, fields=fields, changed={"memory": size})
        costs = [msgspec.structs.replace(cost, stored_images=size) for cost in record.costs]
        return sealed(sections_of(record) | {"strategy": strategy, "costs": costs})

    rows = model_of([memory(400), memory(2000)])["tables"][0]["rows"]
    assert {(row["settings"], row["cells"]["stored_images"][0]) for row in rows} == {
        ("memory=400", 400.0),
        ("memory=2000", 2000.0),
    }
    assert {row["name"] for row in rows} == {"er (memory=400)", "er (memory=2000)"}
    assert len({tuple(map(str, row["look"])) for row in rows}) == 2


def test_every_column_has_a_definition(records: list[Record]):
    model = model_of(records)
    for column in model["columns"]:
        told = model["definitions"][column["base"]]
        assert told["doc"].endswith((".", ")"))
        if column["base"] in NAMES:
            assert told["formula"] == NAMES[column["base"]].formula


def test_printed_numbers_stand_apart_and_can_be_left_out(records: list[Record]):
    with_printed, without = model_of(records), model_of(records, published=False)
    (table,) = [table for table in with_printed["tables"] if table["slug"] == "coco_b40c10.v1"]
    assert table["printed"]["headings"][0] == "Method"
    assert len(table["printed"]["rows"]) > 10
    assert all(table["printed"] is None for table in without["tables"])
    stand_in = [table for table in with_printed["tables"] if table["standIn"]]
    assert stand_in and all(table["printed"] is None for table in stand_in)


def test_the_same_records_give_the_same_page_whatever_their_order(records: list[Record], trust: dict[str, str]):
    orders = (records, records[::-1], sorted(records, key=lambda record: record.content))
    assert len({document(page_model(order, trust=trust)) for order in orders}) == 1


def test_the_page_holds_its_model_and_nothing_that_ends_a_script(records: list[Record]):
    model = model_of(records)
    assert embedded(document(model)) == json.loads(msgspec.json.encode(model))


def test_inline_json_has_no_character_that_could_become_markup():
    value = {"</script>": "<!-- <script> & \u2028 \u2029 ]]>", "plain": 'quotes " and \\ backslash'}
    text = inline_json(value)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == value


def test_markers_inside_values_stay_text(records: list[Record]):
    changed = msgspec.structs.replace(
        records[0], strategy=msgspec.structs.replace(records[0].strategy, title="{{script}} {{data}}")
    )
    assert embedded(document(model_of([changed])))["tables"][0]["rows"][0]["title"] == "{{script}} {{data}}"


def test_a_page_without_records_is_a_page():
    text = document(page_model([]))
    assert embedded(text)["tables"] == []


def test_the_policy_allows_no_other_host(records: list[Record]):
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', document(model_of(records)))
    rules = dict(rule.split(" ", 1) for rule in policy.replace("&#x27;", "'").split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["connect-src"] == "'none'"
    assert rules["script-src"].startswith("'sha256-") and " " not in rules["script-src"]
    assert rules["style-src"].startswith("'sha256-") and " " not in rules["style-src"]


def test_the_page_names_no_address_that_a_browser_would_fetch(page_file: Path):
    text = page_file.read_text(encoding="utf-8")
    without_data = re.sub(r'<script type="application/json".*?</script>', "", text, flags=re.DOTALL)
    assert set(re.findall(r"https?://[^\s'\"]+", without_data)) == {"http://www.w3.org/2000/svg"}
    assert not re.findall(r"<(?:link|script|img|iframe)[^>]*(?:src|href)=\"(?!data:)", without_data)


def test_a_page_that_cannot_be_written_says_so(records: list[Record], tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match="cannot be written"):
        write_page(page_model(records[:1]), tmp_path / "file" / "report.html")


def test_pictures_beside_records_are_embedded_smaller_and_others_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    record = make_record(DLFL, TINY)
    folder = page_records.write_folder(tmp_path, [record])
    work = next(folder.rglob("seed0.json")).with_suffix("")
    work.mkdir()
    Image.new("RGB", (3000, 400), "red").save(work / "explain-person-test-00003.png", dpi=(300, 300))
    (work / "explain-broken.png").write_bytes(b"<svg onload=alert(1)>")
    (work / "other.png").write_bytes(b"not asked for")
    found = galleries([record], [folder])
    (picture,) = found[record.content]
    assert picture["caption"] == "person-test-00003"
    assert picture["width"] == 960, "ten inches"
    assert picture["source"].startswith("data:image/webp;base64,")
    assert "explain-broken.png: not a picture" in caplog.text
    with Image.open(io.BytesIO(base64.b64decode(picture["source"].partition(",")[2]))) as opened:
        assert opened.width == MOST_PIXELS
    assert only_row(model_of([record], galleries=found), "dlfl")["gallery"] == [picture]


def test_a_row_says_where_its_method_is_from_as_long_as_its_file_is_the_one_that_ran():
    made = [make_record(METHODS[number], B40, seed=0) for number in (4, 7)]
    said = {made[0].strategy.sha256: {"paper": "Somebody et al.", "cost": "little"}}
    model = model_of(made, methods=said)
    (table,) = model["tables"]
    told = {row["strategy"]: model["pool"][row["method"]] for row in table["rows"]}
    assert told == {"er": {"paper": "Somebody et al.", "cost": "little"}, "dlfl": {}}


def test_a_pool_keeps_equal_values_once_whatever_the_order_of_their_keys():
    pool = Pool()
    assert pool.place({"a": 1, "b": [2]}) == pool.place({"b": [2], "a": 1}) == 0
    assert pool.place({"a": 1}) == 1
    assert len(pool.values) == 2


@pytest.mark.slow
@pytest.mark.alone
def test_a_thousand_records_make_a_page_below_five_megabytes_in_a_few_times_what_reading_them_takes(
    thousand: list[Record], tmp_path: Path
):
    texts = [to_text(record) for record in thousand[::5]]
    ratios = []
    for _ in range(3):  # the best of three: another process may have had the processor meanwhile
        started = time.process_time()
        for text in texts * 5:
            parse_record(text, source="a record")
        read = time.process_time() - started
        path = write_page(model_of(thousand), tmp_path / "report.html")
        ratios.append((time.process_time() - started - read) / read)
    model = embedded(path.read_text(encoding="utf-8"))
    assert model["records"] == 1000
    assert sum(len(table["rows"]) for table in model["tables"]) == 200
    assert path.stat().st_size < 5_000_000
    assert min(ratios) < 3, "measured: 2.5 times what reading the records takes"


def test_rows_of_several_class_orders_are_averaged_with_the_spread_between_orders():
    orders = ("", "shuffle:1", "shuffle:2")
    made = [
        in_order(make_record(ER, TINY, seed=3 * place + s), order) for place, order in enumerate(orders) for s in (0, 1)
    ]
    rows = over_orders(group_rows(made))
    own, several = model_of(made, rows=rows)["tables"]
    assert own["orders"] == [] and several["orders"] == ["alphabetical", "shuffle:1", "shuffle:2"]
    (line,) = several["rows"]
    row = next(row for row in rows if len(row.orders) > 1)
    found = row.stat("last_map")
    assert found is not None and line["cells"]["last_map"] == pytest.approx([found.mean, found.std], abs=1e-6)
    assert line["units"] == several["orders"] and len(line["perSeed"]["last_map"]) == len(line["finished"]) == 3
    # three orders of two seeds: what varies is the mean of each order, not six runs
    ends = [np.mean([session_maps(np.array(r.ap.growing))[-1] for r in unit]) for unit in row.units]
    assert line["curves"]["growing"][0][-1] == pytest.approx(np.mean(ends), abs=1e-6)
    assert line["curves"]["growing"][1][-1] == pytest.approx(np.std(ends, ddof=1), abs=1e-6)
    assert line["ap"] == {"growing": [], "fixed": []}, "labels come in other sessions in every order"
    assert line["first"] == "3 of 3"


def test_the_luck_of_the_test_images_is_a_column_where_it_is_known():
    record = make_record(ER, B40)
    model = page_model([record], measured={"error_images": {record.content: 0.0125}}, published=False)
    assert "error_images" in [column["key"] for column in model["columns"]]
    assert model["tables"][0]["rows"][0]["cells"]["error_images"] == [0.0125, None]
    assert "error_images" not in [column["key"] for column in page_model([record])["columns"]]


def test_base_and_new_labels_the_trade_off_and_heads_are_those_of_the_other_reports():
    made = [make_record(dataclasses.replace(ER, head=head), B40) for head in ("linear", "queries")]
    rows = group_rows(made)
    (table,) = model_of(made)["tables"]
    shown = {row["head"]: row for row in table["rows"]}
    for row, point in zip(rows, tradeoff(rows), strict=True):
        groups = group_maps(np.array(row.first.ap.growing, dtype=float), row.first.learned)
        own = shown[row.first.strategy.head]
        assert own["curves"]["base"][0] == pytest.approx(groups.base, abs=6e-7)
        assert own["curves"]["new"][0] == pytest.approx(groups.new, abs=6e-7)
        assert [own["tradeoff"][0][0], own["tradeoff"][1][0]] == pytest.approx([point.x, point.y], abs=6e-7)
    assert table["heads"]["rows"] == grid_of(head_tables(rows)[0]).texts


def test_what_verification_found_stands_with_its_row_and_its_file():
    record = make_record(ER, B40)
    place = Path("/somewhere/results/coco_b40c10.v1/er/0123abcd/seed0.json")
    wrong = [Verification(place, "unverified", (Finding("summary.last_map", "is 0.9, not 0.7"),), record)]
    model = page_model([record], trust={record.content: "unverified"}, wrong=wrong)
    assert only_row(model, "er")["found"] == [["seed 0", "summary.last_map is 0.9, not 0.7"]]
    assert model["wrong"] == [
        {
            "file": "coco_b40c10.v1/er/0123abcd/seed0.json",
            "findings": ["summary.last_map is 0.9, not 0.7"],
            "shown": True,
        }
    ]


def test_growing_streams_of_other_shapes_fit():
    for layout in (B0, TINY):
        row = only_row(model_of([make_record(ER, layout)]), "er")
        assert len(row["curves"]["growing"][0]) == len(layout.deal) == len(row["ap"]["fixed"])
