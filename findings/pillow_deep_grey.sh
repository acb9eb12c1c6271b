#!/usr/bin/env bash
# Pillow: a grey PNG of 16 bits is cut off at 255 when it is converted, not scaled; 16-bit colours are scaled.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python=$("$(dirname "$0")/with.sh" "$place" pillow==13.0.0 numpy==2.4.6)
cd "$place"
"$python" - <<'PY'
import struct
import zlib

import numpy as np
import PIL
from PIL import Image

print("Pillow", PIL.__version__)
values = np.array([[0, 200, 2000, 32768, 60000, 65535]], dtype=np.uint16)
Image.fromarray(values).save("grey.png")
grey = np.asarray(Image.open("grey.png").convert("RGB"))[0, :, 0].tolist()
print("grey of", values[0].tolist(), "becomes", grey)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


rows = b"\0" + values.repeat(3, axis=0).T.astype(">u2").tobytes()
head = struct.pack(">IIBBBBB", values.size, 1, 16, 2, 0, 0, 0)
with open("colour.png", "wb") as file:
    file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
colour = np.asarray(Image.open("colour.png").convert("RGB"))[0, :, 0].tolist()
print("the same values as colours become", colour)
assert grey == [0, 200, 255, 255, 255, 255] and colour == [0, 0, 7, 128, 234, 255], "it is otherwise now"
PY
