# shellcheck shell=bash
# need PACKAGE==VERSION...: $python then has them. What is temporary lies in $work and goes at the end.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

need() {
    python=${FINDINGS_PYTHON:-}
    if [ -z "$python" ]; then
        python=$work/venv/bin/python3
        if ! python3 -m venv "$work/venv" || ! "$python" -m pip install --quiet --disable-pip-version-check "$@" >&2; then
            echo "cannot install $*" >&2
            exit 3
        fi
    fi
    "$python" - "$@" <<'PY' || exit 3
import sys
from importlib.metadata import version

for name, want in (word.split('==') for word in sys.argv[1:]):
    if version(name).split('+')[0] != want:
        sys.exit(f'{name} {version(name)}, not {want}')
PY
    export TF_CPP_MIN_LOG_LEVEL=3 PYTHONWARNINGS=ignore
}

# seen FILE <<EXPECTED: whether that is what was printed.
seen() {
    cat >"$work/expected"
    cat "$1"
    if ! diff "$work/expected" "$1" >"$work/diff"; then
        echo "changed:" >&2
        cat "$work/diff" >&2
        exit 1
    fi
}

# need_pnnx VERSION: $pnnx is then pnnx's own program, without the torch that its Python module asks for.
need_pnnx() {
    if [ -z "${FINDINGS_PYTHON:-}" ] &&
        ! "$python" -m pip install --quiet --disable-pip-version-check --no-deps "pnnx==$1" >&2; then
        echo "cannot install pnnx==$1" >&2
        exit 3
    fi
    # shellcheck disable=SC2034 # for the findings
    pnnx=$("$python" - "$1" <<'PY'
import importlib.metadata
import importlib.util
import pathlib
import sys

assert importlib.metadata.version('pnnx') == sys.argv[1]
print(pathlib.Path(importlib.util.find_spec('pnnx').submodule_search_locations[0], 'pnnx'))
PY
    ) || exit 3
}
