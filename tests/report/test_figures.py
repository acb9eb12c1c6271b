"""The figures: right numbers, one look per strategy, a CSV beside each, nothing covered."""

from __future__ import annotations

import csv
import math
import warnings
from itertools import combinations, pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest
import record_factory as factory

from clbench.errors import ResultsError, UsageError
from clbench.explain.overlay import FOCUSED, draw_looks
from clbench.records.rows import Row, group_rows
from clbench.report.figures import album, curves, legend, style
from clbench.report.figures import draw as figures
from clbench.report.figures.album import write_album
from clbench.report.figures.curves import THRESHOLDS, threshold_curves
from clbench.report.formats.write import write_report
from clbench.report.table.columns import columns

JOINT, NAIVE, LWF, _, ER, DERPP, KRT, DLFL = factory.METHODS


def rows_of(*methods: factory.Method, layout: factory.Layout = factory.TINY, seeds: int = 2) -> list[Row]:
    return group_rows(factory.make_record(method, layout, seed=seed) for method in methods for seed in range(seeds))


# ---- numbers


def test_curves_are_the_means_over_seeds_of_what_the_matrices_say() -> None:
    (row,) = rows_of(ER)
    (line,) = curves.map_curves([row], test_set="fixed")
    by_hand = [[np.nanmean(np.array(r.ap.fixed[s], dtype=float)) for s in range(3)] for r in row.records]
    assert np.allclose(line.mean, np.mean(by_hand, axis=0))
    assert np.allclose(line.std, np.std(by_hand, axis=0, ddof=1))
    stat = row.stat("last_map_fixed")
    assert stat is not None and math.isclose(line.mean[-1], stat.mean)


def test_the_last_point_of_the_forgetting_curve_is_the_forgetting_of_the_table() -> None:
    (row,) = rows_of(ER, layout=factory.B40)
    (line,) = curves.forgetting_curves([row])
    stat = row.stat("forgetting")
    assert stat is not None and math.isclose(line.mean[-1], stat.mean, abs_tol=1e-12)
    assert math.isnan(line.mean[0])


def test_a_single_seed_has_a_curve_and_no_band() -> None:
    (line,) = curves.map_curves(rows_of(ER, seeds=1), test_set="growing")
    assert np.isnan(line.std).all() and not np.isnan(line.mean).any()


def test_joint_training_is_a_reference_in_curves_and_absent_where_it_has_no_sessions() -> None:
    rows = rows_of(JOINT, ER)
    assert [line.reference for line in curves.map_curves(rows, test_set="fixed")] == [True, False]
    assert [line.name for line in curves.forgetting_curves(rows)] == ["er"]
    assert [point.name for point in curves.tradeoff(rows)] == ["er"]


def test_the_worst_label_is_the_one_that_lost_most() -> None:
    (row,) = rows_of(ER, layout=factory.B40)
    found = curves.forgotten_labels(row)
    assert len(found) == 70, "labels of the last session have no forgetting"
    assert all(a.mean >= b.mean for a, b in pairwise(found))
    stat = row.stat("forgetting")
    assert stat is not None and math.isclose(sum(item.mean for item in found) / 70, stat.mean, abs_tol=1e-12)


def test_the_tradeoff_shows_learning_and_keeping() -> None:
    points = {point.name: point for point in curves.tradeoff(rows_of(ER, DLFL, NAIVE, layout=factory.B40))}
    assert points["dlfl"].x > points["naive"].x and points["dlfl"].y > points["er"].y > points["naive"].y
    (row,) = rows_of(ER, layout=factory.B40)
    stat = row.stat("bwt")
    assert stat is not None and math.isclose(points["er"].y, stat.mean, abs_tol=1e-12)


def test_the_pareto_front_is_what_no_other_row_beats() -> None:
    points = [
        curves.Point(name, name, 0, x, math.nan, y, math.nan, reference=name == "joint")
        for name, x, y in (
            ("a", 0, 0.5),
            ("b", 10, 0.7),
            ("c", 5, 0.4),
            ("d", 10, 0.6),
            ("joint", 0, 0.9),
            ("e", 20, 0.7),
        )
    ]
    assert [point.name for point in curves.pareto(points)] == ["a", "b"]


def test_configurations_of_one_strategy_have_names_that_tell_them_apart() -> None:
    small = factory.Method("er", fields=(("memory", 400),))
    queries = factory.Method("er", head="queries")
    rows = rows_of(ER, small, queries, LWF, seeds=1)
    told = curves.names(rows)
    assert len({name for name, _, _ in told}) == 4
    assert told[-1] == ("lwf", "lwf", 0)
    assert sorted(variant for _, strategy, variant in told if strategy == "er") == [0, 1, 2]


def test_a_configuration_looks_the_same_whatever_the_order_of_the_rows() -> None:
    rows = rows_of(ER, factory.Method("er", head="queries"), LWF, seeds=1)
    told = curves.names(rows)
    assert curves.names(rows[::-1]) == told[::-1]
    best = max((row for row in rows if row.first.strategy.name == "er"), key=curves.average)
    assert told[rows.index(best)][2] == 0


def test_thresholds_give_the_counts_of_the_metrics() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random((60, 5)) < 0.4).astype(np.int8)
    scores = rng.random((60, 5)).astype(np.float32)
    logits = np.log(scores.astype(np.float64) / (1 - scores)).astype(np.float32)
    found = threshold_curves({("er", "er", 0): [(scores, "probabilities"), (logits, "logits")]}, truth=truth)
    place = THRESHOLDS.index(0.5)
    predicted = scores > np.float32(0.5)
    recall = (predicted & (truth == 1)).sum(0) / (truth == 1).sum(0)
    assert math.isclose(found["CR"][0].mean[place], recall.mean())
    assert found["CR"][0].std[place] == 0


# ---- where labels looked


def opacities(*maps: np.ndarray) -> tuple[list[np.ndarray], str]:
    """Return how opaque each position of each map is drawn, and what is written below."""
    figure = draw_looks(np.zeros((32, 32, 3), dtype=np.uint8), maps, titles=["session"] * len(maps), note="a note")
    drawn = [panel.images[1].get_alpha() for panel in figure.axes if len(panel.images) > 1]
    return drawn, figure.get_supxlabel().replace("\n", " ")


def test_one_scale_serves_all_panels_and_is_written_below() -> None:
    narrow, wide = np.zeros((4, 4), np.float32), np.zeros((4, 4), np.float32)
    narrow[1, 2], wide[:2, :2] = 1.0, 0.25
    (first, second), below = opacities(narrow, wide)
    assert first[1, 2] == first.max() > 0 and (np.delete(first, 6) == 0).all()
    assert second.max() == pytest.approx(0.25 * first.max())
    assert below == "a note · full colour: 100 % on one position (all alike: 6.2 %)"


def test_a_map_that_prefers_no_position_is_pale() -> None:
    (alike,), below = opacities(np.full((4, 4), 1 / 16, np.float32))
    (focused,), _ = opacities(np.eye(16, dtype=np.float32)[0].reshape(4, 4))
    assert alike.max() == pytest.approx(focused.max() / FOCUSED)
    assert "full colour: 25 %" in below


def test_a_figure_that_cannot_be_written_is_a_designed_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    figure = draw_looks(np.zeros((8, 8, 3), dtype=np.uint8), [np.ones((1, 1), np.float32)], titles=["session"])
    with pytest.raises(ResultsError, match=r"file/look\.png: the figure cannot be written"):
        style.save(figure, tmp_path / "file" / "look", formats=["png"])


# ---- looks


@pytest.mark.parametrize("many", [2, 9])
def test_no_name_of_a_method_stands_over_another_in_the_figure_of_heads(many: int) -> None:
    methods = [f"method{number} (memory=1600, train.epochs=40)" for number in range(many)]
    values = {(method, head): (50.0, 1.0) for method in methods for head in ("linear", "queries")}
    shared = {"linear": True, "queries": False}
    panel = figures.Bars("mAP after the last session (%)", methods, ["linear", "queries"], shared, values)
    figure = figures.draw_heads([panel, panel])
    figure.draw_without_rendering()
    for axes in figure.axes:
        boxes = [label.get_window_extent() for label in axes.get_xticklabels()]
        assert len(boxes) == many and not any(a.overlaps(b) for a, b in pairwise(boxes))


def test_a_figure_is_laid_out_once_and_then_drawn_once_for_each_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.figure import Figure

    drawn: list[Figure] = []
    draw = Figure.draw
    monkeypatch.setattr(Figure, "draw", lambda self, renderer: (drawn.append(self), draw(self, renderer))[1])
    rows = group_rows([factory.make_record(method) for method in factory.METHODS[1:4]])
    lines = curves.forgetting_curves(rows)
    with style.styled():
        figure = figures.draw_forgetting(lines, seen=[40, 50, 60, 70, 80], note="")
    style.save(figure, tmp_path / "forgetting")
    assert len(drawn) == 1 + 3


def test_a_strategy_looks_the_same_in_every_figure_and_process() -> None:
    assert style.look("my_method") == style.look("my_method")
    assert style.look("er").colour == style.look("er", variant=2).colour
    assert style.look("er") != style.look("er", variant=1)
    known = [style.look(name) for name in style._KNOWN]
    assert len(set(known)) == len(known)
    assert len({look.colour for look in known[:10]}) == 10


def test_an_overlay_keeps_the_colours_of_the_photo() -> None:
    photo = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)
    figure = draw_looks(photo, [np.eye(2, dtype=np.float32) / 2], titles=["session"])
    for panel in figure.axes[:2]:
        assert (np.asarray(panel.get_images()[0].get_array()) == photo).all()


def test_colours_keep_apart_in_grey_and_on_white_paper() -> None:
    def luminance(colour: str) -> float:
        r, g, b = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    assert all(luminance(colour) < 0.72 for colour in style._COLOURS), "too pale for white paper"


def overlaps(figure: object) -> bool:
    """Whether the legend covers any panel."""
    figure.draw_without_rendering()  # type: ignore[attr-defined]
    legend = figure.legends[0].get_window_extent()  # type: ignore[attr-defined]
    return any(legend.overlaps(axes.get_window_extent()) for axes in figure.axes)  # type: ignore[attr-defined]


def inside(figure: object) -> bool:
    """Whether legend and note lie within the figure and apart from each other."""
    figure.draw_without_rendering()  # type: ignore[attr-defined]
    page = figure.bbox  # type: ignore[attr-defined]
    boxes = [item.get_window_extent() for item in [*figure.legends, *figure.texts]]  # type: ignore[attr-defined]
    apart = not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    return apart and all(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= page.x1 and box.y1 <= page.y1 for box in boxes)


@pytest.mark.parametrize("many", [4, 10, 27])
def test_no_two_rows_share_colour_and_marker_and_legend_and_note_are_whole(many: int) -> None:
    methods = [
        factory.Method(f"method{i // 3}", 0.9 - i * 0.02, fields=(("memory", i),) if i % 3 else ()) for i in range(many)
    ]
    rows = rows_of(*methods, layout=factory.B40, seeds=1)
    looks = [style.look(strategy, variant=variant) for _, strategy, variant in curves.names(rows)]
    assert len({(look.colour, look.marker) for look in looks}) == many
    maps = {test_set: curves.map_curves(rows, test_set=test_set) for test_set in figures.TEST_SETS}
    note = "Stand-in: generated pictures (scenes), not the data set of coco_b40c10. " * 3
    figure = figures.draw_maps(maps, seen=[40, 50, 60, 70, 80], note=note)
    assert inside(figure) and not overlaps(figure)
    panels = [axes.get_window_extent() for axes in figure.axes]
    assert sum(box.width for box in panels) > 0.85 * figure.bbox.width


def test_bounds_stand_in_a_figure_with_their_head_alone_and_are_told_apart() -> None:
    bounds = [
        factory.Method("joint", 0.9 + i / 100, static=True, head=head) for i, head in enumerate(("linear", "csra"))
    ]
    longer = factory.Method("joint", 0.95, static=True, fields=(("memory", 1),))
    rows = rows_of(*bounds, longer, ER, layout=factory.B40, seeds=1)
    shown = [line for line in album._shown(curves.map_curves(rows, test_set="fixed")) if line.reference]
    assert [line.head for line in shown] == ["linear", "linear"]
    assert len({style.BOUND_DASHES[line.variant % len(style.BOUND_DASHES)] for line in shown}) == 2


def test_a_legend_has_as_many_columns_as_fit_when_each_is_as_wide_as_its_widest() -> None:
    # four labels in 100 points: with handles and gaps of 10, two columns take 60 + 10 + 20, three would take 110
    assert legend._columns([60, 10, 10, 10], beside=5, between=5, room=100) == 2
    assert legend._columns([10, 10, 10, 10], beside=5, between=5, room=100) == 4
    assert legend._columns([200, 10], beside=5, between=5, room=100) == 1
    assert [list(column) for column in legend._dealt(7, 3)] == [[0, 1, 2], [3, 4], [5, 6]]


def test_long_settings_take_two_lines_of_a_legend_and_options_stand_one_by_one() -> None:
    options = {"d": 256, "m1": False}
    long = factory.Method("sadcl", fields=(("head_options", options), ("sscl_weight", 0.0), ("another_long_name", 12)))
    rows = rows_of(long, factory.Method("sadcl", 0.7), layout=factory.B40, seeds=1)
    assert curves.names(rows)[0][0] == "sadcl (d=256, m1=false, sscl_weight=0, another_long_name=12)"
    figure = figures.draw_tradeoff(curves.tradeoff(rows), note="a note")
    assert "\n" in figure.legends[0].get_texts()[0].get_text() and inside(figure) and not overlaps(figure)


def test_a_cost_that_is_the_same_for_every_row_has_no_panel(tmp_path: Path) -> None:
    rows = rows_of(NAIVE, LWF, layout=factory.B40, seeds=1)
    drawn = {name: figure for name, figure, _ in album._common(rows)}
    titles = [axes.get_xlabel() for axes in drawn["cost"].axes]
    assert not any(title.startswith("Stored images") for title in titles) and titles


def test_the_legend_lies_below_the_panels() -> None:
    rows = rows_of(JOINT, NAIVE, LWF, ER, DERPP, KRT, DLFL, layout=factory.B40, seeds=1)
    seen = [40, 50, 60, 70, 80]
    maps = {test_set: curves.map_curves(rows, test_set=test_set) for test_set in figures.TEST_SETS}
    assert not overlaps(figures.draw_maps(maps, seen=seen))
    assert not overlaps(figures.draw_tradeoff(curves.tradeoff(rows)))
    known = columns("0.5")
    costs = {"parameters": curves.cost_points(rows, cost=known["parameters"], score=known["last_map"])}
    assert not overlaps(figures.draw_costs(costs, known=known, score="last_map"))


def test_sixteen_sessions_and_long_label_lists_are_readable() -> None:
    layout = factory.Layout("long", "x", (5,) * 16, tuple(range(1000, 17000, 1000)), tuple(range(3000, 19000, 1000)))
    (row,) = rows_of(ER, layout=layout, seeds=1)
    figure = figures.draw_maps({"fixed": curves.map_curves([row], test_set="fixed")}, seen=range(5, 81, 5))
    figure.draw_without_rendering()
    extents = [text.get_window_extent() for text in figure.axes[0].get_xticklabels() if text.get_text()]
    assert not any(a.overlaps(b) for a, b in pairwise(sorted(extents, key=lambda box: box.x0)))
    heat = figures.draw_heat(curves.heat(row))
    heat.draw_without_rendering()
    labels = [text.get_window_extent() for text in heat.axes[0].get_xticklabels()]
    assert not any(a.overlaps(b) for a, b in pairwise(sorted(labels, key=lambda box: box.x0)))


def test_letters_that_no_font_has_are_told_once_for_a_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(style, "_further_fonts", tuple)
    labels = [curves.Forgotten(label, 0, 0.1, 0.0) for label in ("行人", "背包", "person")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        style.save(figures.draw_forgotten(labels, strategy="er"), tmp_path / "figure")
    assert caplog.text.count("no font here has 4 letters of a figure") == 1


def test_drawing_leaves_the_users_settings_alone() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    figures.draw_forgetting(curves.forgetting_curves(rows_of(ER)), seen=[2, 4, 6])
    assert dict(matplotlib.rcParams) == before


def test_equal_figures_are_equal_files(tmp_path: Path) -> None:
    rows = rows_of(ER)
    for name in ("a", "b"):
        figure = figures.draw_forgetting(curves.forgetting_curves(rows), seen=[2, 4, 6])
        style.save(figure, tmp_path / name)
    for kind in style.FORMATS:
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


# ---- the whole report


def lines_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_every_figure_has_its_numbers_beside_it(tmp_path: Path) -> None:
    rows = rows_of(JOINT, NAIVE, ER)
    written = write_album(rows, tmp_path, formats=["png"], matrices=1)
    pictures = {path.stem for path in written if path.suffix == ".png"}
    assert pictures == {path.stem for path in written if path.suffix == ".csv"}
    assert {"map", "forgetting", "tradeoff", "cost"} < pictures
    (row,) = [row for row in rows if row.first.strategy.name == "er"]
    stem = f"er-{row.first.configuration[:8]}"
    assert {name for name in pictures if name.startswith(("ap-", "forgotten-"))} == {f"ap-{stem}", f"forgotten-{stem}"}
    lines = [
        line for line in lines_of(tmp_path / "map.csv") if line["configuration"] == "er" and line["test_set"] == "fixed"
    ]
    assert [float(line["mean"]) for line in lines] == curves.map_curves([row], test_set="fixed")[0].mean.tolist()
    assert [line["session"] for line in lines] == ["1", "2", "3"]
    assert {line["configuration"] for line in lines_of(tmp_path / "cost.csv")} == {"joint", "naive", "er"}


def test_figures_of_one_configuration_call_it_what_the_other_figures_call_it() -> None:
    rows = rows_of(ER, factory.Method("er", 0.6, fields=(("memory", 800),)), NAIVE)
    titles = [figure.axes[0].get_title(loc="left") for _, figure, _ in album._single(album._named(rows))]
    called = {name for name, _, _ in curves.names(rows)}
    assert len(called) == 3 and {title for title in titles if "worst" not in title} == called
    assert {title.partition(": worst")[0] for title in titles} == called


def test_the_csv_has_all_rows_where_the_figure_has_the_best_ten(tmp_path: Path) -> None:
    methods = [factory.Method(f"method{i}", 0.6 + i * 0.02) for i in range(12)]
    write_album(rows_of(*methods, seeds=1), tmp_path, formats=[], matrices=0)
    assert len({line["configuration"] for line in lines_of(tmp_path / "map.csv")}) == 12
    (best, *_) = lines_of(tmp_path / "map.csv")
    assert best["configuration"] == "method11"


def test_a_figure_that_leaves_rows_out_says_so() -> None:
    methods = [factory.Method(f"method{i}", 0.6 + i * 0.02) for i in range(12)]
    assert "The best 10 of 12 configurations" in album._note(rows_of(*methods, seeds=1))
    assert album._note(rows_of(ER, layout=factory.B40, seeds=1)) == ""


def test_every_figure_shows_the_same_ten_and_the_bound() -> None:
    methods = [JOINT, *(factory.Method(f"method{i}", 0.6 + i * 0.02) for i in range(12))]
    rows = sorted(rows_of(*methods, seeds=1), key=lambda row: -curves.average(row))
    best = {f"method{i}" for i in range(2, 12)}
    for test_set in figures.TEST_SETS:
        assert {line.name for line in album._shown(curves.map_curves(rows, test_set=test_set))} == {*best, "joint"}
    assert {line.name for line in album._shown(curves.forgetting_curves(rows))} == best
    assert "The best 10 of 12 configurations" in album._note(rows)


def test_a_session_without_new_labels_breaks_no_heat_map() -> None:
    record = factory.make_record(ER, factory.TINY)
    empty = msgspec.structs.replace(record.scenario.sessions[0], labels=[])
    scenario = msgspec.structs.replace(record.scenario, sessions=[*record.scenario.sessions, empty])
    matrix = [*record.ap.fixed, record.ap.fixed[-1]]
    ap = msgspec.structs.replace(record.ap, fixed=matrix, growing=matrix)
    rows = group_rows([msgspec.structs.replace(record, scenario=scenario, ap=ap)])
    heat = curves.heat(rows[0])
    assert heat.starts == [0, 2, 4, 6] and heat.ap.shape == (4, 6)
    figures.draw_heat(heat).draw_without_rendering()


def test_a_static_scenario_has_no_session_curves(tmp_path: Path) -> None:
    layout = factory.Layout("coco_static", "All at once", (80,), (82_081,), (40_137,))
    write_album(rows_of(NAIVE, layout=layout), tmp_path, formats=[])
    assert {path.stem for path in tmp_path.iterdir()} == {"cost"}


def test_the_stand_in_is_named_in_the_figure() -> None:
    rows = rows_of(ER)
    figure = figures.draw_forgetting(
        curves.forgetting_curves(rows), seen=[2, 4, 6], note="Stand-in: generated pictures."
    )
    assert any("Stand-in" in text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text")))


def test_a_report_has_tables_of_every_scenario_and_marks_what_nobody_vouches_for(tmp_path: Path) -> None:
    records = [factory.make_record(method, layout) for method in (NAIVE, ER) for layout in (factory.TINY, factory.B40)]
    trust = {record.content: "consistent" for record in records[:3]}
    written = write_report(records, trust=trust, out=tmp_path, formats=["md", "json", "csv"])
    assert [path.name for path in written] == ["leaderboard.md", "leaderboard.json", "leaderboard.csv"]
    text = (tmp_path / "leaderboard.md").read_text(encoding="utf-8")
    parts = text.split("## tiny")[0]
    rows = {line.split("|")[2].strip(): line for line in parts.splitlines() if line.startswith("| ")}
    assert "unverified" in rows["er"] and "unverified" not in rows["naive"]
    assert "## tiny" in text


def test_a_report_of_one_scenario_draws_its_figures(tmp_path: Path) -> None:
    records = [factory.make_record(method, factory.TINY) for method in (NAIVE, ER)]
    written = write_report(records, trust={}, out=tmp_path, formats=["svg"])
    assert {path.parent for path in written} == {tmp_path / "figures" / "tiny.v1.scenes"}
    assert all(path.stat().st_size > 0 for path in written)


def test_an_unknown_format_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such format"):
        write_report([factory.make_record(ER, factory.TINY)], trust={}, out=tmp_path, formats=["docx"])


def test_a_label_that_is_undefined_for_a_seed_breaks_no_figure(tmp_path: Path) -> None:
    record = factory.make_record(ER, factory.TINY)
    fixed = [[None if place == 1 else value for place, value in enumerate(row)] for row in record.ap.fixed]
    ap = msgspec.structs.replace(record.ap, fixed=fixed)
    rows = group_rows(
        [factory.sealed(factory.sections_of(record) | {"ap": ap}), factory.make_record(ER, factory.TINY, seed=1)]
    )
    write_album(rows, tmp_path, formats=["svg"])
    assert len(lines_of(tmp_path / "map.csv")) == 6
