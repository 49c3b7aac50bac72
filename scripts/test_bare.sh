#!/usr/bin/env bash
# The README's two commands on a bare machine: scripts/test_bare.sh [bookworm|trixie|jammy|noble]...   (default: bookworm)
#
# For each release of Debian or Ubuntu a minimal root is made (debootstrap, git, sudo) and in it, from a fresh clone of
# what is committed here, scripts/demo.sh and scripts/test.sh run: as root, and in a second copy of the bare root as an
# ordinary user with sudo. The mirror and proxies are those of this machine's apt. Runs as root on any Debian-like
# machine; nothing is left behind but build/bare/ (logs, .deb files for the next time).
#
# Whatever the bare root skips beyond this machine (build/skipped.txt of the last scripts/test.sh) is listed. Reasons that a
# bare root has by right are missing instruction sets, shared/, and that root may read everything; any other is a failure.
#
# $BARE_MPI: 1: MPI is installed by scripts/setup.sh, too, and scripts/test_mpi.sh runs behind the others; only: in their place.
# $BARE_USERS: "root user" or one of them; $TEST_TIMEOUT as for scripts/test.sh. Last line: "N passed, N failed" (", N skipped" may follow). A root that cannot be made because the
# mirror does not answer, or without root's rights, is skipped.
set -u
cd "$(dirname "$0")/.." || exit 1
exec </dev/null
# shellcheck source=scripts/lib_total.sh
. scripts/lib_total.sh

releases=("$@")
[ $# -gt 0 ] || releases=(bookworm)
for release in "${releases[@]}"; do
    case "$release" in
    bookworm | trixie | jammy | noble) ;;
    *)
        sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
        exit 2
        ;;
    esac
done
users=${BARE_USERS:-root user}
logs=$PWD/build/bare
mkdir -p "$logs"
# Not below here: the path may hold blanks, which debootstrap does not like.
area=$(mktemp -d "${TMPDIR:-/var/tmp}/yolo-bare.XXXXXX") || exit 1
# Mounts and processes live in namespaces of their own and end with them; only files are left.
trap 'rm -rf --one-file-system "$area"' EXIT
trap 'exit 130' INT TERM HUP

loudly() {
    printf '\n*** test_bare: %s\n\n' "$1"
}

distribution_of() { # RELEASE
    case "$1" in
    jammy | noble) echo ubuntu ;;
    *) echo debian ;;
    esac
}

has_keyring() { # debian|ubuntu: the archive's keys are here, or now installed
    local file=/usr/share/keyrings/$1-archive-keyring.gpg package=$1-keyring
    [ "$1" = ubuntu ] || package=$1-archive-keyring
    [ -e "$file" ] || apt-get -qq install -y --no-install-recommends "$package" >"$logs/keyring.log" 2>&1
    [ -e "$file" ]
}

# The base address of a distribution's archive: what apt uses here, else the usual one.
mirror_of() { # debian|ubuntu
    local found
    # shellcheck disable=SC2016 # expands in apt
    found=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        grep -E "^https?://.*/$1/?\$" | head -n 1)
    case "$1" in
    debian) echo "${found:-http://deb.debian.org/debian}" ;;
    ubuntu) echo "${found:-http://archive.ubuntu.com/ubuntu}" ;;
    esac
}

# How apt reaches the network here (proxies, certificates, clocks that are off), as lines of apt.conf.
apt_settings() {
    apt-config dump 2>/dev/null | grep -iE '^Acquire::(.*proxy|.*verify-|.*CaInfo|check-|retries|.*timeout)'
}

reachable() { # URL
    rm -f "$area/probe"
    /usr/lib/apt/apt-helper -o Acquire::Retries=1 download-file "$1" "$area/probe" >"$area/probe.log" 2>&1 &&
        [ -s "$area/probe" ]
}

isolated() { # COMMAND...: mounts and processes of its own
    unshare --mount --propagation private --pid --fork --kill-child "$@"
}

# In a root, as USER, from its home: nothing of this machine's environment but the proxies. The root becomes the whole
# tree (pivot_root), as on a machine: in a mere chroot there are no user namespaces, which some tests want.
# shellcheck disable=SC2016 # expands inside
enter='
root=$1 user=$2
shift 2
mount --bind "$root" "$root" && cd "$root" && mount -t proc proc proc && mkdir -p .old && pivot_root . .old && cd / &&
    umount -l .old && rmdir .old && exec chroot --userspec="$user:$user" / /usr/bin/env -i "$@"'
inside() { # ROOT USER COMMAND...
    local root=$1 user=$2 home=/root
    shift 2
    [ "$user" = root ] || home=/home/$user
    isolated bash -c "$enter" bash "$root" "$user" HOME="$home" USER="$user" LOGNAME="$user" LANG=C.UTF-8 \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
        ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
        ${no_proxy:+no_proxy="$no_proxy"} ${TEST_TIMEOUT:+TEST_TIMEOUT="$TEST_TIMEOUT"} bash -c 'cd && exec "$@"' bash "$@"
}

make_root() { # RELEASE MIRROR ROOT: debootstrap, then git and sudo; a user who may sudo
    local release=$1 mirror=$2 root=$3 distribution components=main recipe=sid proxy
    distribution=$(distribution_of "$release")
    if [ "$distribution" = ubuntu ]; then
        components=main,universe # cJSON, stb
        recipe=gutsy
    fi
    proxy=$(apt-config shell proxy Acquire::http::Proxy 2>/dev/null)
    proxy=${proxy#*=\'}
    # A debootstrap older than the release knows its distribution all the same.
    [ ! -e "/usr/share/debootstrap/scripts/$release" ] || recipe=$release
    mkdir -p "$logs/debs/$release"
    isolated env ${proxy:+http_proxy="${proxy%\'}"} debootstrap --variant=minbase --components="$components" \
        --keyring="/usr/share/keyrings/$distribution-archive-keyring.gpg" --cache-dir="$logs/debs/$release" "$release" "$root" "$mirror" \
        "/usr/share/debootstrap/scripts/$recipe" || return
    apt_settings >"$root/etc/apt/apt.conf.d/99host"
    cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
    if [ -s /etc/ssl/certs/ca-certificates.crt ]; then # a mirror or proxy may need certificates of this machine's
        mkdir -p "$root/etc/ssl/certs"
        cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    fi
    inside "$root" root apt-get -qq update &&
        inside "$root" root apt-get -qq install -y --no-install-recommends git sudo &&
        inside "$root" root useradd --create-home --shell /bin/bash user &&
        echo 'user ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/user" && chmod 440 "$root/etc/sudoers.d/user"
}

# Lines of a list of skips without what differs between two runs of one thing.
comparable() { # FILE
    sed 's/[0-9]\+ cases\?/cases/' "$1" | sort -u
}

run_demo() { # within run_commands
    start=$(date +%s)
    if inside "$root" "$user" yolo/scripts/demo.sh >>"$log" 2>&1 &&
        [ -n "$(find "$root$home/yolo/runs/demo" -name '*.jpg' -size +0 | head -n 1)" ]; then
        echo "ok scripts/demo.sh on $release as $user ($(($(date +%s) - start)) s)"
        passed=$((passed + 1))
    else
        tail -n 20 "$log"
        fail "scripts/demo.sh on $release as $user ($log)"
    fi
}

run_mpi() { # within run_commands
    start=$(date +%s)
    inside "$root" "$user" bash -c 'cd yolo && scripts/setup.sh && scripts/setup.sh --mpi && scripts/test_mpi.sh' >>"$log" 2>&1
    last=$(tail -n 1 "$log")
    grep -a '^FAIL' "$log"
    add "$last" || fail "scripts/test_mpi.sh on $release as $user: no total ($log)"
    echo "scripts/test_mpi.sh on $release as $user: $last ($(($(date +%s) - start)) s)"
}

run_commands() { # RELEASE USER ROOT
    local release=$1 user=$2 root=$3 log=$logs/$1-$2.log home start last
    [ "$user" = root ] && home=/root || home=/home/$user
    cp "$area/yolo.bundle" "$root/yolo.bundle"
    chmod a+r "$root/yolo.bundle"
    if ! inside "$root" "$user" git clone -q /yolo.bundle yolo >"$log" 2>&1; then
        tail -n 5 "$log"
        fail "$release, $user: git clone"
        return
    fi
    if [ "${BARE_MPI:-}" = only ]; then
        run_mpi
        return
    fi
    # Either command is somebody's first: root begins with the demonstration, the user with the tests.
    [ "$user" = root ] && run_demo
    start=$(date +%s)
    inside "$root" "$user" yolo/scripts/test.sh >>"$log" 2>&1
    last=$(tail -n 1 "$log")
    grep -a '^FAIL' "$log"
    add "$last" || fail "scripts/test.sh on $release as $user: no total ($log)"
    echo "scripts/test.sh on $release as $user: $last ($(($(date +%s) - start)) s)"
    [ "$user" = root ] || run_demo
    [ -z "${BARE_MPI:-}" ] || run_mpi

    # What it skipped beyond this machine, and whether a bare root may.
    comparable "$root$home/yolo/build/skipped.txt" >"$area/there"
    { [ ! -f build/skipped.txt ] || comparable build/skipped.txt; } >"$area/here"
    echo "skipped on $release as $user and not here:"
    comm -23 "$area/there" "$area/here" | tee "$area/more" | sed 's/^/    /'
    [ -s "$area/more" ] || echo "    nothing"
    if grep -vE 'YOLO_SHARED|this machine lacks|root reads everything|no program with MPI' "$area/more" >"$area/wrong"; then
        fail "$release, $user: skipped neither for shared/ nor for an instruction set: $(head -n 1 "$area/wrong")"
    else
        passed=$((passed + 1))
    fi
}

test_release() { # RELEASE
    local release=$1 distribution mirror root=$area/$1 user
    distribution=$(distribution_of "$release")
    mirror=$(mirror_of "$distribution")
    echo "== bare $release"
    if [ "$(id -u)" -ne 0 ]; then
        loudly "NOT RUN on $release: a bare root needs root's rights"
        skip "bare $release: not root"
        return
    fi
    if ! reachable "${mirror%/}/dists/$release/Release"; then
        loudly "NOT RUN on $release: $mirror does not answer ($(tail -n 1 "$area/probe.log"))"
        skip "bare $release: the mirror does not answer"
        return
    fi
    if ! has_keyring "$distribution"; then
        loudly "NOT RUN on $release: the keys of $distribution's archive are not here, nor does apt-get have them"
        skip "bare $release: no keyring"
        return
    fi
    if ! make_root "$release" "$mirror" "$root" >"$logs/$release.log" 2>&1; then
        tail -n 5 "$logs/$release.log"
        if reachable "${mirror%/}/dists/$release/Release"; then
            fail "bare $release: the root could not be made ($logs/$release.log)"
        else
            loudly "NOT RUN on $release: $mirror stopped answering"
            skip "bare $release: the mirror stopped answering"
        fi
        rm -rf --one-file-system "$root"
        return
    fi
    echo "bare root of $release: $(du -sm "$root" | cut -f1) MB"
    for user in $users; do
        cp -a --reflink=auto "$root" "$root-$user"
        run_commands "$release" "$user" "$root-$user"
        rm -rf --one-file-system "$root-$user"
    done
    rm -rf --one-file-system "$root"
}

if [ "$(id -u)" -eq 0 ] && ! command -v debootstrap >/dev/null; then
    { apt-get -qq update && apt-get -qq install -y --no-install-recommends debootstrap; } >"$logs/debootstrap.log" 2>&1
    if ! command -v debootstrap >/dev/null; then
        loudly "NOT RUN: debootstrap is missing and could not be installed: $(tail -n 1 "$logs/debootstrap.log")"
        skip "bare roots: no debootstrap"
        total
    fi
fi
[ -z "$(git status --porcelain 2>/dev/null)" ] || echo "test_bare: what is not committed is not tested"
if ! git bundle create "$area/yolo.bundle" HEAD >"$logs/bundle.log" 2>&1; then
    tail -n 3 "$logs/bundle.log"
    fail "git bundle"
    total
fi
for release in "${releases[@]}"; do
    test_release "$release"
done
total
