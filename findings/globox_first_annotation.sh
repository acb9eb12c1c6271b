#!/usr/bin/env bash
# globox numbers the annotations of a COCO file that it writes from 0. pycocotools marks a detection that matched with the
# number of its annotation, and one that matched nothing with 0: the first object counts as never found, and perfect
# detections end below an AP of 1. What had `iscrowd: 1` is written with 0.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python=$("$(dirname "$0")/with.sh" "$place" globox==2.9.0 pycocotools==2.0.11 numpy==2.4.6)
cd "$place"
"$python" - <<'PY'
import contextlib
import io
import json
from importlib.metadata import version
from pathlib import Path

from globox import AnnotationSet
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

print("globox", version("globox"), "pycocotools", version("pycocotools"))
boxes = [(1, 18, 0), (1, 3, 0), (2, 3, 0), (2, 18, 1)]
images = [{"id": number, "file_name": f"{number}.jpg", "width": 100, "height": 80} for number in (1, 2)]
objects = [
    {"id": 11 + place, "image_id": image, "category_id": kind, "iscrowd": crowd}
    | {"bbox": [10 + 30 * (place % 2), 10, 20, 20], "area": 400}
    for place, (image, kind, crowd) in enumerate(boxes)
]
names = [{"id": 3, "name": "car"}, {"id": 18, "name": "dog"}]
Path("given.json").write_text(json.dumps({"images": images, "annotations": objects, "categories": names}))
AnnotationSet.from_coco("given.json").save_coco("written.json")


def of_perfect_detections(path: str) -> float:
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(path)
        detected = [
            {"image_id": one["image_id"], "category_id": one["category_id"], "bbox": one["bbox"], "score": 0.9}
            for one in truth.dataset["annotations"]
        ]
        judged = COCOeval(truth, truth.loadRes(detected), "bbox")
        judged.evaluate(), judged.accumulate(), judged.summarize()
    return round(float(judged.stats[0]), 4)


written = json.loads(Path("written.json").read_text())["annotations"]
found = {
    "numbers": [one["id"] for one in written],
    "crowds": [one["iscrowd"] for one in written],
    "AP as given": of_perfect_detections("given.json"),
    "AP as written": of_perfect_detections("written.json"),
}
print(found)
assert found == {
    "numbers": [0, 1, 2, 3],
    "crowds": [0, 0, 0, 0],
    "AP as given": 1.0,
    "AP as written": 0.6262,
}, "it is otherwise now"
PY
