#!/usr/bin/env bash
# torch.onnx.export keeps a dimension named by torch.export.Dim dynamic where the module asks x.shape[0], and fixes it at the
# example's size, without a word, where the module asks len(x). With Dim.DYNAMIC both stay dynamic.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python=$("$here/with.sh" "$folder" torch==2.14.1 onnx==1.23.2 onnx-ir==1.1.0 onnxscript==0.7.2)
"$python" - <<'PY'
import sys
import warnings

import torch
from torch.export import Dim


class Flat(torch.nn.Module):
    def __init__(self, asks):
        super().__init__()
        self.asks, self.linear = asks, torch.nn.Linear(12, 2)

    def forward(self, x):
        count = len(x) if self.asks == "len(x)" else x.shape[0]
        return self.linear(x.reshape(count, -1))


found = {}
for asks in ("x.shape[0]", "len(x)"):
    for name, dim in (("Dim('n')", Dim("n")), ("Dim.DYNAMIC", Dim.DYNAMIC)):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            made = torch.onnx.export(Flat(asks).eval(), (torch.zeros(2, 3, 4),), dynamic_shapes=({0: dim},), verbose=False)
        first = made.model_proto.graph.input[0].type.tensor_type.shape.dim[0]
        found[asks, name] = ("fixed" if first.dim_value else "dynamic", [str(item.message) for item in told])
print(f"torch {torch.__version__}: {found}")
wanted = {key: "fixed" if key == ("len(x)", "Dim('n')") else "dynamic" for key in found}
sys.exit({key: value for key, (value, _) in found.items()} != wanted or any(told for _, told in found.values()))
PY
