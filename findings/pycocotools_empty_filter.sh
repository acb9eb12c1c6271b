#!/usr/bin/env bash
# pycocotools: an empty list of ids filters nothing. A class that the file lacks, or is spelt otherwise, thus "occurs"
# in every image, and a split without images has every annotation.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python=$("$(dirname "$0")/with.sh" "$place" pycocotools==2.0.11 numpy==2.4.6)
cd "$place"
"$python" - <<'PY'
import contextlib
import io
import json
from importlib.metadata import version

from pycocotools.coco import COCO

print("pycocotools", version("pycocotools"))
with open("coco.json", "w") as file:
    json.dump(
        {
            "images": [{"id": number, "file_name": f"{number}.jpg", "height": 8, "width": 8} for number in (1, 2, 3)],
            "categories": [{"id": 17, "name": "cat"}, {"id": 18, "name": "dog"}],
            "annotations": [
                {"id": 5, "image_id": 1, "category_id": 17, "bbox": [0, 0, 4, 4], "area": 16, "iscrowd": 0},
                {"id": 6, "image_id": 2, "category_id": 18, "bbox": [0, 0, 4, 4], "area": 16, "iscrowd": 0},
            ],
        },
        file,
    )
with contextlib.redirect_stdout(io.StringIO()):
    coco = COCO("coco.json")
found = {}
for name in ("cat", "Cat"):
    classes = coco.getCatIds(catNms=[name])
    found[name] = (classes, sorted(coco.getImgIds(catIds=classes)))
    print(f"{name!r}: classes {classes}, images with it {found[name][1]}")
split = coco.getAnnIds(imgIds=[])
print("annotations of a split without images:", split)
assert found == {"cat": ([17], [1]), "Cat": ([], [1, 2, 3])} and split == [5, 6], "nothing matches nothing now"
PY
