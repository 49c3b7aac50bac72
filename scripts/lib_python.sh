# shellcheck shell=bash
# Sourced by scripts that need Python packages: which ones, in which versions, and where they are installed. Python is $PYTHON, or the
# first of python3 and /usr/bin/python3 that is 3.11 or newer; the packages go into build/oracles, those of onnx, which want
# OpenCV 5 in place of OpenCV 4, into build/oracles-onnx.

needs_of() { # PART
    case "$1" in
    scripts | formats) ;;
    # 2.0.10 and older cannot read results against a truth without "info".
    coco) echo numpy==2.3.5 pycocotools==2.0.10 ;;
    # OpenCV 5 removed the importer of Darknet's files.
    opencv) echo numpy==2.3.5 opencv-python-headless==4.14.0.94 ;;
    onnx) echo numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1 ncnn==1.0.20261020 pnnx==20261020 \
        opencv-python-headless==5.0.0.93 ;;
    import) echo numpy==2.3.5 torch==2.15.0 keras==3.15.1 safetensors==0.8.0 onnx==1.23.2 onnxscript==0.7.2 ;;
    torch) echo numpy==2.3.5 torch==2.15.0 ;;
    *) return 1 ;;
    esac
}

find_python() { # sets $python to the first that will do, installing one if need be
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 /usr/bin/python3; do
        if "$candidate" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python=$candidate
            return
        fi
    done
    [ -z "${asked_for_python:-}" ] && asked_for_python=yes && scripts/setup.sh --python && find_python
}

# A virtual environment in $folder, made once; pip is quick about what is there. What it says: build/oracles-PART.log.
install_for() { # PART
    local package needs alone=() others=()
    read -r -a needs < <(needs_of "$1")
    for package in "${needs[@]}"; do
        case "$package" in
        pnnx==*) alone+=("$package") ;; # its program needs nothing of the torch that it asks for
        *) others+=("$package") ;;
        esac
    done
    folder=$PWD/build/oracles
    [ "$1" != onnx ] || folder+=-onnx
    {
        if ! [ -x "$folder/bin/python3" ] || ! "$folder/bin/python3" -m pip --version; then
            rm -rf "$folder"
            "$python" -m venv "$folder" || { # Debian has ensurepip in a package of its own
                scripts/setup.sh --python && rm -rf "$folder" && "$python" -m venv "$folder"
            } || return
        fi
        "$folder/bin/python3" -m pip install --no-input --disable-pip-version-check "${others[@]}" || return
        [ ${#alone[@]} -eq 0 ] || "$folder/bin/python3" -m pip install --no-input --disable-pip-version-check --no-deps "${alone[@]}"
    } >"build/oracles-$1.log" 2>&1
}
