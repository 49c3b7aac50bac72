#!/usr/bin/env bash
# Label Studio (label-studio-sdk 2.1.2): where the labels of the config have `category` numbers, a YOLO export numbers its boxes by them, but
# classes.txt keeps the order of the config.
#
# Whoever names classes by the lines of classes.txt, as every YOLO does, takes dogs for cats. notes.json has the right pairs. One would
# expect line n of classes.txt to be class n.
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
need label-studio-sdk==2.1.2
cat >"$work/export.py" <<'PY'
import json
import os
import sys

from label_studio_sdk.converter import Converter

os.chdir(sys.argv[1])
config = '''<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image">
<Label value="dog" category="1"/><Label value="cat" category="0"/></RectangleLabels></View>'''
value = {'x': 10, 'y': 10, 'width': 20, 'height': 30, 'rotation': 0, 'rectanglelabels': ['cat']}
box = {'from_name': 'label', 'to_name': 'image', 'type': 'rectanglelabels', 'original_width': 90, 'original_height': 60, 'value': value}
task = {'id': 1, 'data': {'image': os.path.abspath('a.jpg')}, 'annotations': [{'id': 1, 'result': [box], 'completed_by': 1}]}
json.dump([task], open('tasks.json', 'w'))
Converter(config, '.', download_resources=False).convert_to_yolo('tasks.json', 'out', is_dir=False)
label = open('out/labels/' + os.listdir('out/labels')[0]).read().split()
pairs = {c['id']: c['name'] for c in json.load(open('out/notes.json'))['categories']}
print('the box of a cat:', *label)
print('classes.txt:', *open('out/classes.txt').read().split())
print(f'class {label[0]} by classes.txt:', open('out/classes.txt').read().split()[int(label[0])])
print(f'class {label[0]} by notes.json:', pairs[int(label[0])])
PY
"$python" "$work/export.py" "$work" >"$work/out.txt" 2>"$work/log" || cat "$work/log" >&2
seen "$work/out.txt" <<'END'
the box of a cat: 0 0.2 0.25 0.2 0.3
classes.txt: dog cat
class 0 by classes.txt: dog
class 0 by notes.json: cat
END
