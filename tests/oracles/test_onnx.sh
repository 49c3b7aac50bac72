#!/usr/bin/env bash
# Exported networks in ONNX Runtime, OpenVINO, OpenCV 5 and ncnn against this program: tests/tools/compare_onnx.py, once a line. What it
# printed is added to $ONNX_TABLE, if that is set.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
python=${PYTHON:-python3}
tools=$root/tests/tools
all=(onnxruntime openvino opencv ncnn)
table=${ONNX_TABLE:-$work/table}

compare() { # NAME "RUNTIME..." ARGUMENTS OF compare_onnx.py BEHIND THE RUNTIME
    local name=$1 runtime
    for runtime in $2; do
        try "$name: $runtime" "$python" "$tools/compare_onnx.py" "$YOLO" "$runtime" "${@:3}"
        status 0
        out 'values [0-9.e-]+, [0-9]+ boxes'
        sed "s|^|$name: |" "$work/out" >>"$table"
    done
}

# ---- every layer, every activation; no real weights ----

prepare "$YOLO" synth "$work/set" --train 2 --val 3 --size 64
pictures=("$work"/set/images/*/*.jpg)
net() { printf '[net]\nwidth=%d\nheight=%d\nchannels=3\n' "$@"; }
made() { # NAME: the cfg on stdin, weights beside it
    cat >"$work/$1.cfg"
    prepare "$python" "$tools/make_weights.py" "$YOLO" "$work/$1.cfg" "$work/$1.weights"
}
unit() { printf '[convolutional]\nbatch_normalize=1\nfilters=%d\nsize=%d\nstride=%d\npad=1\nactivation=%s\n' "$@"; }
{
    net 48 32
    unit 16 3 1 mish
    printf '[convolutional]\nfilters=12\nsize=3\npadding=1\ndilation=2\ngroups=4\nactivation=leaky\n'
    printf '[convolutional]\nfilters=12\nsize=3\nstride_x=2\nstride_y=1\npad=1\ngroups=12\nactivation=swish\n'
    printf '[convolutional]\nfilters=8\nsize=3\npadding=5\ndilation=3\nactivation=tanh\n'
    printf '[deconvolutional]\nbatch_normalize=1\nfilters=12\nsize=4\nstride=2\npadding=1\nactivation=relu\n'
    printf '[batchnorm]\n[activation]\nactivation=hard_mish\n'
    printf '[convolutional]\nfilters=16\nsize=1\nactivation=linear\n[shortcut]\nfrom=-2\nactivation=leaky\n'
    printf '[convolutional]\nfilters=16\nsize=1\nactivation=linear\n'
    printf '[shortcut]\nfrom=-2,-3\nweights_type=per_channel\nweights_normalization=softmax\nactivation=linear\n'
    printf '[route]\nlayers=-1,-3\ngroups=2\ngroup_id=1\n[reorg3d]\nstride=2\n'
    printf '[maxpool]\nsize=3\nstride=1\n[maxpool]\nsize=2\nstride=1\n[upsample]\nstride=2\nscale=.5\n'
    printf '[convolutional]\nfilters=16\nsize=1\nactivation=logistic\n[sam]\nfrom=-2\n' | sed 's/filters=16/filters=64/'
    printf '[avgpool]\n[scale_channels]\nfrom=-2\nactivation=linear\n[dropout]\nprobability=.5\n'
    printf '[maxpool]\nmaxpool_depth=1\nout_channels=24\n[convolutional]\nfilters=21\nsize=1\nactivation=linear\n'
    printf '[Gaussian_yolo]\nclasses=12\nnum=1\nanchors=9,14\nyolo_point=left_top\nscale_x_y=1.1\n'
} | made layers
{
    net 24 24
    printf '[crop]\ncrop_height=16\ncrop_width=16\n'
    unit 8 3 1 leaky
    printf '[reorg]\nstride=2\n[local_avgpool]\nsize=2\nstride=2\npadding=0\n'
    printf '[connected]\nbatch_normalize=1\noutput=24\nactivation=relu6\n[softmax]\ngroups=3\ntemperature=2\n'
} | made values
acts=(linear leaky relu relu6 logistic mish swish hard_mish loggy revleaky ramp relie elu selu gelu tanh hardtan lhtan plse stair
    normalize_channels normalize_channels_softmax normalize_channels_softmax_maxval)
{
    net 16 16
    for act in "${acts[@]}"; do
        printf '[route]\nlayers=0\n' | if [ "$act" = linear ]; then cat >/dev/null; else cat; fi
        printf '[convolutional]\nfilters=6\nsize=3\npad=1\nactivation=%s\n' "$act"
    done
    printf '[route]\nlayers=0'
    for ((i = 2; i <= 44; i += 2)); do printf ',%d' "$i"; done
    printf '\n'
} | made activations
# pnnx leaves operators of these that ncnn does not know (docs/onnx.md).
for name in activations values layers; do
    compare "$name" "onnxruntime openvino opencv" "${pictures[@]}" -- --cfg "$work/$name.cfg" --weights "$work/$name.weights"
done
for name in tiny csp newcoords odd region residual depthwise classifier winograd; do
    runtimes=${all[*]}
    [ $name != region ] || runtimes="onnxruntime openvino opencv"
    compare "$name" "$runtimes" "${pictures[@]}" -- --cfg tests/golden/$name.cfg --weights tests/golden/$name.weights
done

# ---- boxes: the bundled model ----

tabletop=(-- --cfg cfg/tabletop.cfg --weights weights/tabletop.weights)
few=(data/tabletop/images/val/00000[0-5].jpg)
compare tabletop "${all[*]}" "${few[@]}" --least 30 "${tabletop[@]}"
compare "tabletop, 352x224" "${all[*]}" "${few[@]}" --imgsz 352x224 --least 20 "${tabletop[@]}"
compare "tabletop, batch 3" "onnxruntime openvino opencv" "${few[@]}" --batch 3 --least 30 "${tabletop[@]}"
compare "tabletop, any size, at 352x224" "onnxruntime openvino" "${few[@]}" --dynamic --imgsz 352x224 --least 20 "${tabletop[@]}"
compare "tabletop, fp16" "onnxruntime openvino" "${few[@]}" --fp16 --least 30 "${tabletop[@]}"
for opset in 13 18 22; do
    compare "tabletop, opset $opset" onnxruntime "${few[@]}" --opset $opset --least 30 "${tabletop[@]}"
done

# OpenVINO's own int8 arithmetic is another one (docs/onnx.md), so that it is told to keep to the file.
cp cfg/tabletop.cfg weights/tabletop.weights "$work"
prepare "$YOLO" quantize --cfg "$work/tabletop.cfg" --weights "$work/tabletop.weights" --data data/tabletop/tabletop.data -q
compare "tabletop, int8" "onnxruntime openvino_as_written" "${few[@]}" --int8 --least 30 -- --cfg "$work/tabletop.cfg" --weights "$work/tabletop.weights"

# ---- published weights on photos ----

photos=("$SHARED"/data/photos/*.jpg)
if [ -e "${photos[0]}" ]; then
    for weights in "$SHARED"/weights/*/*.weights; do
        stem=${weights%.weights}
        cfg=$(ls "${stem%_[0-9b]*}".cfg "$stem.cfg" 2>/dev/null | head -n 1)
        compare "$(basename "$stem")" "${all[*]}" "${photos[@]}" -- --cfg "$cfg" --weights "$weights"
        compare "$(basename "$stem"), fp16" "onnxruntime openvino" "${photos[@]}" --fp16 -- --cfg "$cfg" --weights "$weights"
    done
else
    skip "photos and published weights: no $SHARED"
fi

# ---- judged: the same mAP as here. --boxes nms goes by plain IoU, so it is beside a cfg without nms_kind; --boxes decoded, suppressed by
# the tool as the metadata say, is beside the cfg as it is ----

sed '/^nms_kind/d' cfg/tabletop.cfg >"$work/nms.cfg"
cp cfg/tabletop.cfg "$work/decoded.cfg"
prepare "$YOLO" synth "$work/judge" --train 0 --val 20 --seed 77
sed "s|^|$work/judge/|" "$work/judge/val.txt" >"$work/val.txt"
mkdir "$work/inputs"
while read -r picture; do
    prepare "$YOLO" dump "$picture" --out "$work/dump" -q --cfg cfg/tabletop.cfg --weights weights/tabletop.weights
    mv "$work/dump/input.npy" "$work/inputs/$(basename "$picture" .jpg).npy"
done <"$work/val.txt"
figure() { sed -n "s/^$1  *\([0-9.]*\) .*/\1/p" "$2"; } # AP|AP50 FILE
judge() { # FORM RUNTIME INPUTS
    local own there row limit=.001 inputs=(--inputs "$work/inputs")
    [ "$3" = yolo ] || limit=.01 inputs=() # another way of making a picture smaller
    prepare "$python" "$tools/judge_onnx.py" "$2" "$work/judged.onnx" "$work/val.txt" "$work/found.jsonl" "${inputs[@]}"
    try "mAP of $2, --boxes $1, pictures by $3" "$YOLO" eval "$work/val.txt" --data "$work/judge/synth.data" --results "$work/found.jsonl"
    status 0
    for row in AP AP50; do
        own=$(figure $row "$work/own") there=$(figure $row "$work/out")
        echo "judged by $2, --boxes $1, pictures by $3: $row $own $there" >>"$table"
        holds awk -v a="$own" -v b="$there" -v l=$limit 'BEGIN { exit !(a > 0.3 && a < 1 && a - b <= l && b - a <= l) }'
    done
}
for form in nms decoded; do
    model=(--cfg "$work/$form.cfg" --weights weights/tabletop.weights --names cfg/tabletop.names)
    limits=()
    [ $form != nms ] || limits=(--conf .005 --max-det 10000)
    prepare "$YOLO" export "$work/judged.onnx" --boxes $form "${limits[@]}" "${model[@]}"
    try "own mAP, $form" "$YOLO" eval "$work/val.txt" --data "$work/judge/synth.data" "${model[@]}"
    status 0
    cp "$work/out" "$work/own"
    for runtime in onnxruntime openvino; do
        for inputs in yolo opencv; do
            judge "$form" "$runtime" "$inputs"
        done
    done
done
finish
