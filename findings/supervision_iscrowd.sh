#!/bin/sh
# supervision: as_coco marks one object whose mask has two parts with iscrowd 1, which readers of COCO take for a crowd.
set -e
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q supervision==0.31.2
cd "$place"
venv/bin/python -W ignore - <<'PY'
import json
from pathlib import Path

import numpy as np
import supervision as sv
from PIL import Image

print("supervision", sv.__version__)
Path("photos").mkdir()
boxes = {}
for name, parts in (("one.png", [(2, 6)]), ("two.png", [(2, 6), (10, 14)])):
    Image.new("RGB", (32, 32)).save(f"photos/{name}")
    mask = np.zeros((1, 32, 32), dtype=bool)
    for first, last in parts:
        mask[:, first:last, first:last] = True
    boxes[f"photos/{name}"] = sv.Detections(xyxy=np.array([[2.0, 2, 14, 14]]), class_id=np.array([0]), mask=mask)
sv.DetectionDataset(classes=["cat"], images=list(boxes), annotations=boxes).as_coco(annotations_path="out.json")
found = [mark["iscrowd"] for mark in json.loads(Path("out.json").read_text())["annotations"]]
print("iscrowd of one object in one part, and in two parts:", found)
assert found == [0, 1], "an object in two parts is no crowd now"
PY
