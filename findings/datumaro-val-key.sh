#!/usr/bin/env bash
# Datumaro 1.13.12, format yolo: the subset `val` is written as "val = data/val.txt"; Darknet reads "valid" alone, and the paths begin
# with a folder data/ that is not made.
#
# Darknet then finds no validation list and says nothing of it. Only a subset that is called valid gives Darknet's key.
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
need datumaro==1.13.12
cat >"$work/export.py" <<'PY'
import os
import sys

import datumaro as dm
import numpy as np

os.chdir(sys.argv[1])
for subset in ('val', 'valid'):
    items = [dm.DatasetItem(id=part, subset=part, media=dm.Image.from_numpy(data=np.full((8, 8, 3), 90.0)),
                            annotations=[dm.Bbox(1, 1, 2, 3, label=0)]) for part in ('train', subset)]
    dm.Dataset.from_iterable(items, categories=['cat'], media_type=dm.Image).export(subset, 'yolo', save_media=True)
    keys = [line.strip() for line in open(subset + '/obj.data') if line.startswith('val')]
    listed = open(subset + '/train.txt').read().split()[0]
    print(f'subset {subset}:', *keys)
    print(f'train.txt names {listed}; there is', *sorted(os.listdir(subset)))
PY
"$python" "$work/export.py" "$work" >"$work/out.txt" 2>"$work/log" || cat "$work/log" >&2
seen "$work/out.txt" <<'END'
subset val: val = data/val.txt
train.txt names data/obj_train_data/train.jpg; there is obj.data obj.names obj_train_data obj_val_data train.txt val.txt
subset valid: valid = data/valid.txt
train.txt names data/obj_train_data/train.jpg; there is obj.data obj.names obj_train_data obj_valid_data train.txt valid.txt
END
