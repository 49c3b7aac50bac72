#!/usr/bin/env bash
# labelme2yolo 0.4.0: the same folder, converted again, gives other class numbers; only --deterministic_labels keeps them.
#
# The names in dataset.yaml fit the labels of their own run, so each set is sound alone. But weights that were trained on one conversion are wrong on
# the next. One would expect numbers that depend on the input alone.
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
need labelme2yolo==0.4.0
cat >"$work/make.py" <<'PY'
import base64
import json
import sys

# A grey picture of 8 x 8: PGM is none of its kinds, a PNG is.
import struct
import zlib


def chunk(kind, data):
    body = kind + data
    return struct.pack('>I', len(data)) + body + struct.pack('>I', zlib.crc32(body))


png = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 8, 8, 8, 0, 0, 0, 0)) + \
    chunk(b'IDAT', zlib.compress((b'\0' + b'\x80' * 8) * 8)) + chunk(b'IEND', b'')
for i in range(4):
    name = f'{sys.argv[1]}/{i}'
    open(name + '.png', 'wb').write(png)
    shapes = [{'label': label, 'points': [[1, 1], [5, 5]], 'shape_type': 'rectangle', 'group_id': None, 'flags': {}}
              for label in ('ant', 'bee', 'cat', 'dog', 'eel', 'fox')]
    json.dump({'version': '5.0', 'flags': {}, 'shapes': shapes, 'imagePath': f'{i}.png', 'imageData': base64.b64encode(png).decode(),
               'imageHeight': 8, 'imageWidth': 8}, open(name + '.json', 'w'))
PY
mkdir "$work/set"
"$python" "$work/make.py" "$work/set"
tool=$(dirname "$python")/labelme2yolo
orders() { # OPTION...: how many different orders of names five runs give
    for _ in 1 2 3 4 5; do
        "$tool" --json_dir "$work/set" --output_dir "$work/yolo" "$@" >"$work/log" 2>&1 || cat "$work/log" >&2
        sed -n '/^names/,$p' "$work/yolo/dataset.yaml" | tr -d '\n'
        echo
        rm -rf "$work/yolo"
    done | sort -u | awk 'END { print (NR > 1 ? "several orders" : NR == 1 ? "one order" : "none") }'
}
{
    echo "five runs: $(orders)"
    echo "five runs with --deterministic_labels: $(orders --deterministic_labels)"
} >"$work/out.txt"
seen "$work/out.txt" <<'END'
five runs: several orders
five runs with --deterministic_labels: one order
END
