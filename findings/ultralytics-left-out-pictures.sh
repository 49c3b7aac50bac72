#!/usr/bin/env bash
# ultralytics 8.4.190: one label line with a confidence behind its box, or with a negative number, takes the whole picture out of the training, with
# a warning among others; one outline among boxes does, too.
#
# A class written 2.0 is taken, and a line given twice counts once. One would expect the line to be left out, or the training to stop.
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
need ultralytics==8.4.190 torch==2.15.0
cat >"$work/read.py" <<'PY'
import os
import sys

from PIL import Image
from ultralytics.data.utils import verify_image_label

os.chdir(sys.argv[1])
Image.new('RGB', (32, 32)).save('a.jpg')
box = '0 0.5 0.5 0.2 0.2\n'
for what, text in (('a box', box), ('a class 2.0', box + '2.0 0.3 0.3 0.2 0.2\n'), ('the same line twice', box + box),
                   ('a confidence in the second line', box + '1 0.3 0.3 0.2 0.2 0.9\n'), ('a negative centre', box + '1 -0.2 0.3 0.2 0.2\n'),
                   ('a centre of 1.01', box + '1 1.01 0.3 0.2 0.2\n'), ('an outline in the second line', box + '1 0.1 0.1 0.4 0.1 0.4 0.4\n')):
    open('a.txt', 'w').write(text)
    r = verify_image_label(('a.jpg', 'a.txt', '', False, 3, 0, 0, False))
    print(f'{what}:', 'the picture is left out' if r[0] is None else f'{len(r[1])} boxes')
PY
"$python" "$work/read.py" "$work" >"$work/out.txt" 2>"$work/log" || cat "$work/log" >&2
seen "$work/out.txt" <<'END'
a box: 1 boxes
a class 2.0: 2 boxes
the same line twice: 1 boxes
a confidence in the second line: the picture is left out
a negative centre: the picture is left out
a centre of 1.01: 2 boxes
an outline in the second line: the picture is left out
END
