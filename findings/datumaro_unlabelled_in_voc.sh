#!/bin/sh
# Datumaro: its VOC export leaves photos without labels out of the lists LABEL_SUBSET.txt, though SUBSET.txt names them,
# and writes no XML for them. What is not listed is thus neither 1 nor -1.
set -e
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q datumaro==1.13.12
cd "$place"
venv/bin/python - <<'PY' 2>/dev/null
from importlib.metadata import version
from pathlib import Path

import datumaro as dm
import numpy as np

print("datumaro", version("datumaro"))
photo = dm.Image.from_numpy(data=np.zeros((8, 8, 3), dtype=np.uint8), ext=".jpg")
items = [
    dm.DatasetItem(id="with", subset="test", media=photo, annotations=[dm.Label(0)]),
    dm.DatasetItem(id="without", subset="test", media=photo),
]
dm.Dataset.from_iterable(items, categories=["cat", "dog"]).export("out", "voc", save_media=True)
main = Path("out/ImageSets/Main")
listed, marked = main.joinpath("test.txt").read_text().split(), main.joinpath("dog_test.txt").read_text().split("\n")
xml = sorted(path.stem for path in Path("out/Annotations").glob("*.xml"))
print("test.txt:", listed, "dog_test.txt:", [line for line in marked if line], "XML:", xml)
assert listed == ["with", "without"]
assert marked[0].split() == ["with", "-1"] and not any("without" in line for line in marked), "it is listed now"
assert "without" not in xml, "it has an XML now"
PY
