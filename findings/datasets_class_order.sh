#!/bin/sh
# Hugging Face datasets: Parquet files whose ClassLabel names stand in another order are read with the names of the first.
# Also: to_csv writes lists as NumPy prints them, cut to "..." from 1,001 entries on; to_parquet keeps the paths of photos, not the photos.
set -e
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q datasets==5.2.0 pyarrow==25.0.1 pillow
cd "$place"
HF_HOME="$place/home" HF_HUB_OFFLINE=1 HF_DATASETS_DISABLE_PROGRESS_BARS=1 venv/bin/python - <<'PY'
import datasets
from datasets import ClassLabel, Dataset, Features, Image, List, load_dataset
from PIL import Image as Picture

print("datasets", datasets.__version__)
for file, names in (("a.parquet", ["cat", "dog"]), ("b.parquet", ["dog", "cat"])):
    features = Features({"labels": List(ClassLabel(names=names))})
    Dataset.from_dict({"labels": [[names.index("cat")]]}, features=features).to_parquet(file)
both = load_dataset("parquet", data_files=["a.parquet", "b.parquet"], split="train", cache_dir="cache")
words = [[both.features["labels"].feature.int2str(mark) for mark in row] for row in both["labels"]]
print("both files say ['cat']; read together:", words)
assert words == [["cat"], ["dog"]], "read rightly now"

Dataset.from_dict({"labels": [[0, 2], list(range(1001))]}).to_csv("lists.csv")
short, long = open("lists.csv").read().splitlines()[1:3]
print("to_csv:", short, "and, of 1,001 entries,", long)
assert short == "[0 2]" and "..." in long, "lists are written whole now"

Picture.new("RGB", (4, 4)).save("photo.png")
Dataset.from_dict({"image": ["photo.png"]}, features=Features({"image": Image()})).to_parquet("photo.parquet")
import pyarrow.parquet as parquet

row = parquet.read_table("photo.parquet").to_pylist()[0]["image"]
print("to_parquet holds of a photo:", row)
assert row["bytes"] is None and row["path"].endswith("photo.png"), "the photo itself is stored now"
PY
