# shellcheck shell=bash disable=SC2154 # work is set by lib.sh, base by the test
# Sourced by tests of yolo train, behind lib.sh: a set of rendered pictures and a net that is trained in
# seconds, both in $work, which becomes the working directory.
#
#   set/synth.data   24 pictures of 64 x 64 to train on, 10 to validate on, five classes
#   tiny.cfg         64 x 64, four convolutions with batch norm, one head; mosaic, multi-scale
prepare "$YOLO" synth "$work/set" --train 24 --val 10 --size 64x64 --seed 5 -q

# shellcheck source=tests/cli/lib_net.sh
. "$root/tests/cli/lib_net.sh"
{
    small_net 4 120
    convolution 6 mish 2
    convolution 8 leaky 2
    convolution 12 leaky 2
    small_head 5 '12,12, 22,24'
} >"$work/tiny.cfg"
cd "$work" || exit 1 # default folders are relative

# A run with the test's options in "${base[@]}" that must not begin: one line says why, nothing is written.
refuse() { # NAME REGEX FLAGS...
    try "$1" "$YOLO" train "${base[@]}" --out refused "${@:3}"
    status 2
    one_error "$2"
    out_empty
    holds [ ! -e refused ]
}
