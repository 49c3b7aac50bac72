# shellcheck shell=bash
# Sourced by scripts that time programs: figures out of what `yolo bench --format json` and its peers print.

number() { # KEY: the first number behind "KEY": on stdin, or its median one level down ("KEY": {"median": ...)
    tr -d '\n' | grep -oE "\"$1\":[[:space:]]*(\{[[:space:]]*\"median\":[[:space:]]*)?[0-9.eE+-]+" | head -n 1 | grep -oE '[0-9.eE+-]+$'
}

word() { # KEY: the string behind "KEY": on stdin
    tr -d '\n' | sed -E 's/.*"'"$1"'":[[:space:]]*"([^"]*)".*/\1/'
}

median() { # of the arguments
    printf '%s\n' "$@" | sort -g | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}
