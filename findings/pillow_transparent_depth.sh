#!/usr/bin/env bash
# Pillow: the transparent grey of a PNG of 4 bits keeps the depth of the file while the pixels are scaled to 8 bits.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python=$("$(dirname "$0")/with.sh" "$place" pillow==13.0.0)
cd "$place"
"$python" - <<'PY'
import struct
import zlib

import PIL
from PIL import Image

print("Pillow", PIL.__version__)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


# four greys of four bits, 0, 15, 7 and 15, of which 7 is transparent
head = struct.pack(">IIBBBBB", 4, 1, 4, 0, 0, 0, 0)
parts = [(b"IHDR", head), (b"tRNS", struct.pack(">H", 7)), (b"IDAT", zlib.compress(b"\0\x0f\x7f")), (b"IEND", b"")]
with open("grey.png", "wb") as file:
    file.write(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))
image = Image.open("grey.png")
row = [image.convert("RGBA").getpixel((x, 0)) for x in range(4)]
print("transparency is", image.info["transparency"], "and the pixels become", row)
assert image.info["transparency"] == 7 and row[2] == (119, 119, 119, 255), "it is otherwise now"
PY
