#!/usr/bin/env bash
# yolo export: what it writes, what it refuses. The file's content is tests/unit/test_onnx.c's, what others compute from it
# tests/oracles/test_onnx.sh's.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
tabletop=(--cfg "$root/cfg/tabletop.cfg" --weights "$root/weights/tabletop.weights" --names "$root/cfg/tabletop.names")

if ! "$YOLO" export any.onnx "${tabletop[@]}" -q 2>err && grep -q 'built without ONNX' err; then
    skip "export: this build is without ONNX"
    try "without ONNX: said, nothing written" "$YOLO" export any.onnx "${tabletop[@]}"
    status 2
    one_error 'any\.onnx: this yolo was built without ONNX'
    holds test ! -e any.onnx
    finish
    exit
fi

try "the bundled model" "$YOLO" export a.onnx "${tabletop[@]}"
status 0
out_empty
err '^a\.onnx: opset 11, [0-9]+ nodes, input 320x320$'
holds grep -qa 'NonMaxSuppression\|output0' a.onnx
holds grep -qa '"0":"cone"\|"0":' a.onnx
try "the same bytes again" "$YOLO" export b.onnx "${tabletop[@]}"
holds cmp a.onnx b.onnx

for boxes in raw decoded nms; do
    try "--boxes $boxes" "$YOLO" export $boxes.onnx "${tabletop[@]}" --boxes $boxes
    status 0
done
err 'ONNX suppresses by plain IoU'
holds grep -qa '{"overlap":"diou","exponent":0.6}' decoded.onnx
holds test "$(grep -ca '"overlap"' nms.onnx)" -eq 0
holds grep -qa head2 raw.onnx
holds grep -qa NonMaxSuppression nms.onnx
holds cmp -s a.onnx decoded.onnx
try "limits of nms" "$YOLO" export n2.onnx "${tabletop[@]}" --boxes nms --conf .5 --iou .3 --max-det 7
status 0
holds test "$(cmp -s nms.onnx n2.onnx; echo $?)" -eq 1

try "a set of operators with Mish" "$YOLO" export m.onnx --opset 18 "${tabletop[@]}"
status 0
err 'opset 18'
try "half precision" "$YOLO" export h.onnx --fp16 "${tabletop[@]}"
status 0
err 'half precision'
holds test $((2 * $(wc -c <h.onnx))) -lt $(($(wc -c <a.onnx) + 200000))
try "any size" "$YOLO" export d.onnx --dynamic "${tabletop[@]}"
status 0
err 'input 320x320 or any other'
try "an odd size" "$YOLO" export o.onnx --imgsz 352x224 "${tabletop[@]}"
status 0
err 'input 352x224'

try "on bytes: no file yet" "$YOLO" export q.onnx "${tabletop[@]}" --precision int8
status 2
one_error 'there is no .*tabletop\.int8 \(make it with: yolo quantize'
cp "$root/cfg/tabletop.cfg" "$root/weights/tabletop.weights" .
prepare "$YOLO" quantize --cfg tabletop.cfg --weights tabletop.weights --imgsz 64 --data "$root/data/tabletop/tabletop.data" --pictures 2 -q
bytes=(--cfg tabletop.cfg --weights tabletop.weights --precision int8)
try "on bytes" "$YOLO" export q.onnx "${bytes[@]}"
status 0
err 'opset 13, .*, int8'
holds grep -qa QuantizeLinear q.onnx
holds test $((3 * $(wc -c <q.onnx))) -lt $((2 * $(wc -c <a.onnx)))
for wrong in "--fp16" "--opset 12"; do
    read -r -a words <<<"$wrong"
    try "on bytes, $wrong" "$YOLO" export w.onnx "${bytes[@]}" "${words[@]}"
    status 2
    one_error "${words[0]}"
    holds test ! -e w.onnx
done
try "on bytes, without weights" "$YOLO" export w.onnx --cfg tabletop.cfg --weights none --precision int8
status 2
one_error '--precision int8 acts only with weights'

cat >flat.cfg <<'END'
[net]
width=8
height=8
channels=3
[connected]
output=4
activation=leaky
[softmax]
[cost]
END
printf '\0\0\0\0\002\0\0\0\005\0\0\0\0\0\0\0\0\0\0\0' >flat.weights
head -c $((4 * (4 + 4 * 192))) /dev/zero >>flat.weights
try "a classifier" "$YOLO" export c.onnx --cfg flat.cfg --weights flat.weights
status 0
holds grep -qa classify c.onnx
try "a classifier whose size is fixed" "$YOLO" export c2.onnx --cfg flat.cfg --weights flat.weights --dynamic
status 0
err 'flat\.cfg:5: \[connected\] layer 0 holds for one size of its input: only the number of images is free'
try "boxes of a classifier" "$YOLO" export c3.onnx --cfg flat.cfg --weights flat.weights --boxes raw
status 2
one_error '--boxes: flat\.cfg has no detection head'
printf '\0\0\0\0\002\0\0\0\005\0\0\0\0\0\0\0\0\0\0\0' >big.weights # biases of 7e4
for _ in 1 2 3 4; do printf '\0\270\210\107'; done >>big.weights
head -c $((4 * 4 * 192)) /dev/zero >>big.weights
try "too large for half precision: the layer and why" "$YOLO" export c4.onnx --cfg flat.cfg --weights big.weights --fp16
status 2
one_error 'flat\.cfg:5: \[connected\] layer 0: 70000 is more than half precision can hold'
holds test ! -e c4.onnx

try "no file" "$YOLO" export "${tabletop[@]}"
status 2
one_error 'OUT\.onnx'
try "another ending" "$YOLO" export a.pt "${tabletop[@]}"
status 2
one_error 'must end in \.onnx'
for wrong in "--opset 10" "--opset 23" "--opset x" "--boxes some" "--conf .5" "--iou .5" "--max-det 5" "--max-det 0 --boxes nms" \
    "--conf 2 --boxes nms"; do
    read -r -a words <<<"$wrong"
    try "$wrong" "$YOLO" export w.onnx "${tabletop[@]}" "${words[@]}"
    status 2
    one_error "${words[0]}"
    holds test ! -e w.onnx
done
cp flat.cfg lone.cfg
try "no weights" "$YOLO" export w.onnx --cfg lone.cfg
status 2
try "random numbers on request" "$YOLO" export none.onnx --cfg lone.cfg --weights none
status 0
head -c 100 flat.weights >cut.weights
try "cut weights" "$YOLO" export w.onnx --cfg flat.cfg --weights cut.weights
status 2
cp flat.weights own.onnx
try "over an input" "$YOLO" export own.onnx --cfg flat.cfg --weights own.onnx
status 2
one_error 'would overwrite an input'
holds cmp flat.weights own.onnx
try "a folder that is not there" "$YOLO" export none/a.onnx "${tabletop[@]}"
status 1
cp a.onnx kept.onnx
try "a full disk" "$YOLO" export /dev/full/a.onnx "${tabletop[@]}"
status 1

# shellcheck source=tests/cli/lib_squares.sh
. "$root/tests/cli/lib_squares.sh"
prepare "$YOLO" train --data set/two.data --cfg tiny.cfg --iters 2 --out run -q
try "a run" "$YOLO" export r.onnx --run run
status 0
holds grep -qa output0 r.onnx
finish
