#!/usr/bin/env bash
# yolo train on a classifier, an autoencoder and a dense network: class folders, lists, tables; what is wrong with them.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_values.sh
. "$root/tests/cli/lib_values.sh"

train=("$YOLO" train --cfg net.cfg --data set --weights none --seed 3)

try "class folders are learnt" "${train[@]}" --out run --val-every 20
status 0
err 'top-1 1\.0000, top-5 1\.0000, validation loss'
err 'the best of the validations, top-1 1\.0000, in run/best.weights'
err 'yolo classify --run run'
holds [ "$(head -n 1 run/results.csv)" = "iteration,epoch,stage,rate,loss,gradient_norm,val_loss,top1,top5,frozen_values,frozen_bytes_changed,images_per_s,seconds" ]
holds [ "$(cat run/net.names)" = "left
right" ]
json 'v["top1"] == 1 && v["confusion[0][0]"] == 3 && v["classes[1].name"] == "right"' run/best/metrics.json
holds test -s run/best/confusion.png

try "its classes" "$YOLO" classify set/val --run run --format csv --top 1
status 0
holds [ "$(grep -c '/left/.*,0,left,' "$work/out")" -eq 3 ]
holds [ "$(grep -c '/right/.*,1,right,' "$work/out")" -eq 3 ]

try "a classifier has no mAP" "${train[@]}" --best map --out never
status 2
one_error '--best.*no detection heads'
holds [ ! -e never ]

try "other threads, the same bytes" "${train[@]}" --out threads --val-every 20 --threads 1 --loader-threads 3
status 0
holds cmp run/last.weights threads/last.weights

try "eval tells the same, and draws" "$YOLO" eval --run run --format json --out ev
status 0
json 'v["top1"] == 1 && v["images"] == 6 && v["failed"] == 0 && v["classes[0].F1"] == 1 && v["top2"] == 1'
holds cmp ev/confusion.csv run/best/confusion.csv
holds test -s ev/confusion.png
try "eval of another set, as a table" "$YOLO" eval set/train --run run
status 0
out '^top-1 +1\.0000 '
out '^left +8 +8 +1\.0000 +1\.0000 +1\.0000 +1\.0000$'
try "eval of the training part" "$YOLO" eval set --split train --run run --format csv
status 0
out '^,all,16,16,1,1,1,1$'
cp -r set/val torn
printf 'not a picture' >torn/left/1.ppm
try "a picture that cannot be read is missed" "$YOLO" eval torn --run run --format json
status 3
json 'v["images"] == 6 && v["failed"] == 1 && v["classes[0].recall"] > .66 && v["classes[0].recall"] < .67'
for option in "--conf .3" "--iou .3" "--points 11" "--worst 3 --out drawn"; do
    # shellcheck disable=SC2086 # two words
    try "eval ${option%% *}" "$YOLO" eval --run run $option
    status 2
    one_error "${option%% *} acts only on boxes"
done

find set/train -name '*.ppm' | sort >train.txt
find set/val -name '*.ppm' | sort >val.txt
printf 'train = train.txt\nvalid = val.txt\nlabels = set.names\nclasses = 2\n' >set.data
printf 'left\nright\n' >set.names
try "the same by lists" "$YOLO" train --cfg net.cfg --data set.data --weights none --seed 3 --out lists --val-every 20
status 0
holds cmp run/last.weights lists/last.weights

refuse() { # NAME ERROR WORDS...
    try "$1" "$YOLO" "${@:3}" --out never
    status 2
    one_error "$2"
    holds [ ! -e never ]
}
mkdir -p bad/train/left bad/train/right
cp set/train/left/1.ppm bad/train/left
refuse "an empty class folder" 'bad/train/right: an empty class folder' train --cfg net.cfg --data bad --weights none
printf 'set/train/left/1.ppm\nset/lost.ppm\nnet.ppm\n' >none.txt
cp set/train/left/1.ppm net.ppm
printf 'train = none.txt\nlabels = set.names\n' >none.data
refuse "a path without a class" 'none.txt:3: net.ppm: no class in the path \(the classes are left, right\)' train --cfg net.cfg --data none.data --weights none
cp net.ppm left_right.ppm
echo left_right.ppm >two.txt
printf 'train = two.txt\nlabels = set.names\n' >two.data
refuse "two classes in a path" 'two.txt:1: left_right.ppm: two classes in the path, left and right' train --cfg net.cfg --data two.data --weights none
printf 'a\nb\nc\n' >three.names
refuse "other numbers of classes" 'three.names: 3 names, but the network of net.cfg has 2 classes' train --cfg net.cfg --data set --names three.names --weights none
mkdir -p more/train/{a,b,c}
refuse "more folders than classes" 'more/train: 3 class folders, but the network of net.cfg has 2 classes' train --cfg net.cfg --data more --weights none
mkdir -p above only/one
cp -r set above/set
cp -r set/train only/one/left
refuse "the folder above" 'above: no train/ in it, but in set \(--data above/set\)' train --cfg net.cfg --data above --weights none
try "eval of the folder above" "$YOLO" eval above --run run
status 2
one_error 'above: no train/ in it, but in set'
refuse "one class folder" 'only/one: 1 class folder, but the network of net.cfg has 2 classes' train --cfg net.cfg --data only/one --weights none
cp -r set half
printf 'not a picture' >half/train/left/1.ppm
try "an unreadable picture: another one takes its place" "$YOLO" train --cfg net.cfg --data half --weights none --iters 20 --out half.run
status 0
err 'half/train/left/1.ppm: not a picture .*another picture takes its place'
err 'top-1 1\.0000'
cp -r set none
for file in none/train/*/*.ppm; do
    printf 'not a picture' >"$file"
done
try "no readable picture at all" "$YOLO" train --cfg net.cfg --data none --weights none --out none.run
status 1
one_error 'none of the 16 pictures of the data set can be read'
rm -r none
cp -r set none
for file in none/val/*/*.ppm; do
    printf 'not a picture' >"$file"
done
try "none to validate on: nothing is lost" "$YOLO" train --cfg net.cfg --data none --weights none --iters 10 --val-every 5 --out none.valid
status 1
one_error 'none of the 6 pictures of the data set can be read \(once that is mended: yolo train --resume none.valid\)'
rm -r none/val
cp -r set/val none/val
try "and it goes on" "$YOLO" train --resume none.valid
status 0
err 'top-1 1\.0000'

# ---- weights of classes ----

cp -r set few
rm few/train/left/[3-8].ppm
try "auto: each class as much as another" "${train[@]}" --data few --iters 8 --class-weights auto --out weighed
status 0
err '^weights +of the classes in the training loss: left 2.5, right 0.625$'
json 'v["class-weights"] == "auto"' weighed/args.json
try "the same weights in numbers" "${train[@]}" --data few --iters 8 --class-weights left=2.5,1=.625 --out numbers
status 0
holds cmp weighed/last.weights numbers/last.weights
try "without weights it is another training" "${train[@]}" --data few --iters 8 --out unweighed
holds [ "$(cmp -s weighed/last.weights unweighed/last.weights && echo same)" != same ]
try "weights of one are none" "${train[@]}" --data few --iters 8 --class-weights left=1 --out ones
holds cmp ones/last.weights unweighed/last.weights
try "a resumed run knows them" "${train[@]}" --data few --iters 4 --class-weights auto --out resumed
try "resumed" "$YOLO" train --resume resumed
status 0
err 'left 2.5, right 0.625'
refuse "weights: no such class" 'class-weights lef=2: there is no class lef, did you mean left\?' train "${train[@]:2}" --class-weights lef=2
refuse "weights: twice" 'given twice: 0' train "${train[@]:2}" --class-weights left=2,0=3
refuse "weights: zero" 'a weight is a number from 1e-6 to 1e6, and not 0' train "${train[@]:2}" --class-weights left=0
refuse "weights: no number" 'and not much' train "${train[@]:2}" --class-weights left=much
refuse "weights: no weight" 'no CLASS=WEIGHT: left' train "${train[@]:2}" --class-weights left
refuse "weights: of a detector" '--class-weights acts only on classifiers' train --cfg "$root/tests/golden/tiny.cfg" --weights none --data set --class-weights auto

# ---- tables ----

printf 'train = train.csv\nvalid = val.csv\n' >table.data
try "a table is learnt" "$YOLO" train --cfg dense.cfg --data table.data --weights none --seed 1 --out dense --val-every 100
status 0
err 'the best of the validations, validation loss [0-9.e-]+, in dense/best.weights'
holds awk -F, 'NR > 1 && $7 != "" { loss = $7 } END { exit !(loss < .02) }' dense/results.csv
holds [ "$(head -n 1 dense/results.csv)" = "iteration,epoch,stage,rate,loss,gradient_norm,val_loss,frozen_values,frozen_bytes_changed,images_per_s,seconds" ]
try "eval of a table" "$YOLO" eval --run dense --format json
status 0
json 'v["samples"] == 16 && v["loss"] < .02 && v["R2"] > .97 && v["MAE"] < v["RMSE"] && v["values[0].R2"] == v["R2"]'
# the loss is half the squared error
json 'v["loss"] - v["RMSE"] * v["RMSE"] / 2 < 1e-6 && v["RMSE"] * v["RMSE"] / 2 - v["loss"] < 1e-6'
try "eval of a table, as text" "$YOLO" eval --run dense
status 0
out '^value +MAE +RMSE +R2$'
out '^all +[0-9.e-]+ +[0-9.e-]+ +0?\.9[0-9]+$'
try "eval of a table, as CSV" "$YOLO" eval --run dense --format csv
status 0
holds [ "$(wc -l <"$work/out")" -eq 3 ]
out '^value,MAE,RMSE,R2,samples,failed,loss$'
out '^all,.*,16,0,'
awk -F, 'NR > 1 { print $1 * 1000 + 5e4 "," $2 "," $3 }' train.csv >far.csv
awk -F, '{ print $1 * 1000 + 5e4 "," $2 "," $3 }' val.csv >far_val.csv
printf 'train = far.csv\nvalid = far_val.csv\n' >far.data
try "features that are far off are standardised" "$YOLO" train --cfg dense.cfg --data far.data --weights none --seed 1 --out far --standardize
status 0
err 'data +far.data: 64 rows, features standardised'
holds awk -F, 'NR == 2 { exit !($2 > 50400 && $2 < 50600 && $3 > 200 && $3 < 400) }' far/features.csv
holds awk -F, 'NR > 1 && $7 != "" { loss = $7 } END { exit !(loss < .02) }' far/results.csv
try "eval takes the numbers of the run" "$YOLO" eval --run far --format json
status 0
json 'v["loss"] < .02'
refuse "--standardize with pictures" '--standardize acts only on tables' train --cfg net.cfg --data set --weights none --standardize
printf '1,2,3\n4,5\n' >ragged.csv
refuse "weights of classes in a table of values" 'acts only where each sample has a class' train --cfg dense.cfg --data table.data --weights none --class-weights auto
refuse "a ragged table" 'ragged.csv:2: 2 columns, but the rows above have 3' train --cfg dense.cfg --data ragged.csv --weights none
printf '1,2,3\n4,x,5\n' >text.csv
refuse "text in a table" 'text.csv:2: column 2: "x" is no number' train --cfg dense.cfg --data text.csv --weights none
printf '1,2,3\n4,nan,5\n' >nan.csv
refuse "NaN in a table" 'nan.csv:2: column 2 is nan' train --cfg dense.cfg --data nan.csv --weights none
printf '1,2,3\n4,5,-inf\n' >inf.csv
refuse "infinity in a table" 'inf.csv:2: column 3 is -inf' train --cfg dense.cfg --data inf.csv --weights none
printf '1,x,3\n4,5,6\n' >first.csv
refuse "text in the first row, which is no header" 'first.csv:1: column 2: "x" is no number' train --cfg dense.cfg --data first.csv --weights none
printf 'train = train.csv\nvalid = wide.csv\n' >wide.data
printf '1,2,3,4\n' >wide.csv
refuse "a table to validate on with other columns" 'wide.csv:1: 4 columns, but the network takes 2 features and gives 1 values' train --cfg dense.cfg --data wide.data --weights none
npy() { # FILE DESCR FORTRAN SHAPE BYTES: a header of 118 bytes, then so many zeros
    local text="{'descr': '$2', 'fortran_order': $3, 'shape': $4, }"
    { printf '\223NUMPY\001\000\166\000%-117s\n' "$text"; head -c "$5" /dev/zero; } >"$1"
}
npy whole.npy '<f4' False '(2, 3)' 24
try "a .npy table" "$YOLO" train --cfg dense.cfg --data whole.npy --weights none --iters 2 --out npy
status 0
npy cut.npy '<f4' False '(2, 3)' 20
refuse "a .npy that is cut off" 'cut.npy: 20 bytes of data do not fit the shape' train --cfg dense.cfg --data cut.npy --weights none
npy int.npy '<i8' False '(2, 3)' 48
refuse "a .npy of integers" "int.npy: only float32 .* are read \(in NumPy: array.astype" train --cfg dense.cfg --data int.npy --weights none
npy columns.npy '<f4' True '(2, 3)' 24
refuse "a .npy in Fortran's order" 'columns.npy: only C order is read \(in NumPy: numpy.ascontiguousarray' train --cfg dense.cfg --data columns.npy --weights none
npy flat.npy '<f4' False '(6,)' 24
refuse "a .npy of one dimension" 'flat.npy: the shape must be \(rows, columns\)' train --cfg dense.cfg --data flat.npy --weights none
refuse "pictures for a table's network" 'gives 1 values, which pictures alone do not tell' train --cfg dense.cfg --data set --weights none

# ---- an autoencoder ----

try "an autoencoder learns pictures alone" "$YOLO" train --cfg auto.cfg --data set --weights none --seed 1 --out auto --val-every 8
status 0
err 'the best of the validations, validation loss [0-9.]+, in auto/best.weights'
holds awk -F, 'NR > 1 && $7 != "" { if (!n++) first = $7; last = $7 } END { exit !(n == 5 && last < first / 2) }' auto/results.csv
holds test -s auto/reconstructions.jpg
try "kept features have no picture to be like" "$YOLO" train --cfg auto.cfg --data set --weights none --freeze 0 --cache-features 2 --out kept
status 2; one_error 'target is the picture itself'; holds test ! -e kept
try "eval of an autoencoder" "$YOLO" eval --run auto --out auto_ev
status 0
out '^loss +[0-9.]+  mean of the pictures$'
holds test -s auto_ev/reconstructions.jpg
holds test -s auto_ev/metrics.json
json 'v["MAE"] < .2 && v["samples"] == 6 && count("values") == 0' auto_ev/metrics.json

# ---- between tasks ----

head -n 12 net.cfg >head.cfg
trunk=$'[convolutional]\nbatch_normalize=1\nfilters=4\nsize=3\nstride=2\npad=1\nactivation=leaky
[convolutional]\nbatch_normalize=1\nfilters=6\nsize=3\npad=1\nactivation=mish'
printf '%s\n%s\n[connected]\noutput=2\nactivation=linear\n[softmax]\n' "$(cat head.cfg)" "$trunk" >from.cfg
sed 's/channels=1/channels=3/' from.cfg >from3.cfg
printf '%s\n%s\n[convolutional]\nfilters=14\nsize=1\nactivation=linear\n[yolo]\nmask=0,1\nanchors=2,2, 4,4\nnum=2\nclasses=2\n' \
    "$(sed 's/channels=1/channels=3/; s/^width=8/width=32/; s/^height=8/height=32/' head.cfg)" "$trunk" >detector.cfg
try "a classifier" "$YOLO" train --cfg from3.cfg --data set --weights none --iters 10 --out trunk -q
status 0
prepare "$YOLO" synth boxes --train 6 --val 2 --size 32 --seed 5
sed -i 's/classes=2/classes=5/; s/filters=14/filters=20/' detector.cfg
try "its trunk as a detector's backbone" "$YOLO" train --cfg detector.cfg --data boxes/synth.data --weights trunk/last.weights \
    --freeze 0-1 --iters 2 --batch 2 --recipe darknet --out boxed
status 0
err '^start +trunk/last.weights, of another network \(trunk/from3.cfg\): the layers that fit'
err '^  taken +layers 0-1( \(backbone\))?: 364 values$'
err '^  anew +layers 2: 140 values$'
first_values() { # FILE: the trunk's 364 values, behind a header of 20 bytes
    tail -c +21 "$1" | head -c $((364 * 4))
}
holds cmp <(first_values trunk/last.weights) <(first_values boxed/last.weights)
try "and back" "$YOLO" train --cfg from3.cfg --data set --weights boxed/last.weights --freeze 0-1 --iters 3 --out back
status 0
err '^  taken +layers 0-1: 364 values$'
err '^  anew +layers 2: '
holds cmp <(first_values trunk/last.weights) <(first_values back/last.weights)
mkdir loose
cp boxed/last.weights loose/some.weights
try "a file of which nothing is known" "$YOLO" train --cfg from3.cfg --data set --weights loose/some.weights --out never
status 2
one_error 'is this the right cfg.*--weights-cfg FILE says of which network they are'
try "but for its cfg" "$YOLO" train --cfg from3.cfg --data set --weights loose/some.weights --weights-cfg detector.cfg --dry-run
status 0
out '^  taken +layers 0-1: 364 values$'
try "yolo partial does it, too" "$YOLO" partial --cfg detector.cfg --weights loose/some.weights --layers 2 --out trunk.conv.2
try "the cut file" "$YOLO" train --cfg from3.cfg --data set --weights trunk.conv.2 --freeze 0-1 --iters 3 --seed 0 --out cut
status 0
holds cmp back/last.weights cut/last.weights
refuse "no such cfg" 'weights-cfg gone.cfg' train --cfg from3.cfg --data set --weights loose/some.weights --weights-cfg gone.cfg
refuse "the wrong cfg" 'loose/some.weights: .*is this the right cfg' train --cfg from3.cfg --data set --weights loose/some.weights --weights-cfg from3.cfg
refuse "nothing fits" 'no layer of dense/dense.cfg fits one of from3.cfg' train --cfg from3.cfg --data set --weights dense/last.weights
refuse "a cfg of no weights" 'weights-cfg: no weights' train --cfg from3.cfg --data set --weights none --weights-cfg from3.cfg
refuse "beside --add-classes" 'weights-cfg' train --cfg from3.cfg --data set --weights loose/some.weights --weights-cfg from3.cfg --add-classes
finish
