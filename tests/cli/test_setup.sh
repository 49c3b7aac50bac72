#!/usr/bin/env bash
# scripts/setup.sh on a machine that lacks something and cannot install: in its own words, not the compiler's.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
mkdir "$work/bin" # all that is to be found: no apt-get
ln -s "$(command -v bash)" "$work/bin/bash"
cat >"$work/bin/lacking-cc" <<'END'
#!/bin/sh
while read -r line; do
    case $line in *cjson*) echo "fatal error: cjson/cJSON.h: No such file or directory" >&2; exit 1 ;; esac
done
END
chmod +x "$work/bin/lacking-cc"
try "a header is missing" PATH="$work/bin" CC=lacking-cc "$work/bin/bash" scripts/setup.sh
status 1
err '^setup: missing: .*libcjson-dev'
err '^setup: no apt-get here'
no_err 'fatal error'
finish
