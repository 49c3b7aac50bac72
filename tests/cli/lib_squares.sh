# shellcheck shell=bash disable=SC2154 # work and helpers are set by lib.sh
# Sourced by tests of yolo train, behind lib.sh: squares of two sizes and a net that learns them in seconds, both in $work, which
# becomes the working directory: set/two.data, tiny.cfg.
# shellcheck source=tests/cli/lib_net.sh
. "$root/tests/cli/lib_net.sh"
{
    small_net 8 100
    convolution 8 mish 2
    convolution 16 leaky 2
    convolution 24 leaky 2
    convolution 24 leaky
    small_head 2 '16,16, 26,28' scale_x_y=1.05
} >"$work/tiny.cfg"

prepare "$helpers/squares" "$work/set"
cd "$work" || exit 1 # default folders are relative
