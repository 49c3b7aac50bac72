#!/usr/bin/env bash
# Install what the build needs and this machine lacks: scripts/setup.sh [--python] [--mpi]
#
# Debian 12 and 13, Ubuntu 22.04 and 24.04 name these packages alike and put the headers in the same
# places. Everything is looked for first (compiler, headers, font); apt-get runs only if something is
# missing. Quiet when nothing is. --python also asks for python3 and its venv, which only
# scripts/test_oracles.sh and some tools need; --mpi for Open MPI, with which `make MPI=1` trains on several machines
# (another MPI that is there, with mpicc and mpirun, serves as well).
set -eu

font=${FONT:-/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf}
missing=()

need() { # PACKAGE COMMAND...: the package is missing unless the command succeeds
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || missing+=("$package")
}

has_header() {
    if command -v "${CC:-gcc}" >/dev/null; then
        printf '#include <%s>\n' "$1" | "${CC:-gcc}" -E -x c - >/dev/null 2>&1
    else
        [ -e "/usr/include/$1" ]
    fi
}

can_link() { # LIBRARY-FLAG: a shared or static library the linker finds
    printf 'int main(void) { return 0; }\n' | "${CC:-gcc}" -x c - "$1" -o /dev/null
}

# What describes ONNX files; Ubuntu 22.04's package lacks it, and the program is built without ONNX there.
has_onnx() {
    [ -e /usr/include/onnx/onnx.proto ] ||
        dpkg-query -W -f='${Status}' libonnx-dev 2>/dev/null | grep -q '^install ok installed'
}

need gcc command -v "${CC:-gcc}"
need make command -v make
need libc6-dev has_header stdio.h
need libstb-dev has_header stb/stb_image.h
need libcjson-dev has_header cjson/cJSON.h
need libyaml-dev has_header yaml.h
need libjpeg-dev has_header jpeglib.h
need protobuf-c-compiler command -v protoc-c
need libprotobuf-c-dev has_header protobuf-c/protobuf-c.h
need libonnx-dev has_onnx
need fonts-dejavu-core test -r "$font"
if command -v "${CC:-gcc}" >/dev/null && has_header cjson/cJSON.h; then
    need libcjson-dev can_link -lcjson
fi
if command -v "${CC:-gcc}" >/dev/null && has_header yaml.h; then
    need libyaml-dev can_link -lyaml
fi
if command -v "${CC:-gcc}" >/dev/null && has_header protobuf-c/protobuf-c.h; then
    need libprotobuf-c-dev can_link -lprotobuf-c
fi
if command -v "${CC:-gcc}" >/dev/null && has_header jpeglib.h; then
    need libjpeg-dev can_link -ljpeg
fi
for wish in "$@"; do
    case "$wish" in
    --python)
        need python3 command -v python3
        need python3-venv python3 -c 'import venv, ensurepip'
        ;;
    --mpi)
        need libopenmpi-dev command -v mpicc
        need openmpi-bin command -v mpirun
        ;;
    *)
        echo "usage: scripts/setup.sh [--python] [--mpi]" >&2
        exit 2
        ;;
    esac
done

if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi
echo "setup: missing: ${missing[*]}" >&2

if ! command -v apt-get >/dev/null; then
    echo "setup: no apt-get here. Please install a C compiler, make, the stb headers, cJSON, libyaml, libjpeg, protobuf-c with" \
        "its compiler, ONNX's onnx.proto and the DejaVu Sans font (or set FONT=/path/to.ttf), then run this again." >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "setup: neither root nor sudo. Please run as root: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi

apt() {
    ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -o DPkg::Lock::Timeout=120 "$@" </dev/null >&2
}

apt update || echo "setup: apt-get update failed; trying with the package lists at hand" >&2
if ! apt install --no-install-recommends -y "${missing[@]}"; then
    echo "setup: could not install: ${missing[*]} (is the network up? on Ubuntu: is 'universe' enabled?)" >&2
    exit 1
fi
echo "setup: installed ${missing[*]}" >&2
