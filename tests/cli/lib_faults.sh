# shellcheck shell=bash disable=SC2154,SC2034 # root, work, YOLO of lib.sh; allocs, writes for the tests
# Sourced behind lib.sh and lib_train.sh (a set and a cfg in $work) by test_faults.sh and
# scripts/fault_table.sh: whole commands on a machine that refuses memory or the disk at the k-th attempt
# (tests/tools/fail_shim.c).
#
#   faults_setup               the commands' inputs, and what each gives when nothing fails
#   faults_run CMD KIND K [S]  CMD with the K-th allocation (KIND alloc) or step of writing (write) failing;
#                              S=1: all from there on. What is wrong goes into $wrong, else $verdict is
#                              "whole" (the result is complete), "partly" (code 3: what is left out was
#                              said) or "refused"
#   allocs[CMD], writes[CMD]   how many there are
#
# Each command runs in a copy of CMD.before, where files of an earlier run lie in its way.
faults_commands=(detect detect_lanes train eval check init convert_to convert_from)
declare -A allocs writes want_status
shim=${FAIL_SHIM:-$root/build/fail_shim.so}

faults_missing() { # why faults cannot be injected here; nothing if they can
    if grep -qaE '__(asan|tsan)_init' "$YOLO"; then
        echo "a sanitizer's own allocator stands in the way of the shim"
    elif ! [ -f "$shim" ]; then
        echo "$shim is not built (make tests)"
    elif [ -n "$(LD_PRELOAD=$shim FAIL_ALLOC=1 sh -c : 2>&1)" ] && ! LD_PRELOAD=$shim true 2>/dev/null; then
        echo "nothing can be preloaded here"
    fi
}

command_line() { # CMD: into "${line[@]}"
    local model=(--cfg "$work/tiny.cfg" --weights "$work/start.weights" --threads 1 --cpu scalar)
    case $1 in
    detect) line=(detect "$work/few/images/val" "${model[@]}" --names "$work/few/synth.names" --conf .001
        --max-det 3 --format json --crops --out out) ;;
    detect_lanes) # nine pictures, each on one thread
        line=(detect "$work/few/images" "${model[@]}" --threads 2 --names "$work/few/synth.names" --conf .001
            --max-det 3 --format json --out out) ;;
    train) line=(train --data "$work/few/synth.data" --cfg "$work/tiny.cfg" --seed 3 --batch 2 --subdivisions 1
        --stage "freeze=0-1 iters=3 cache-features=1" --stage "iters=2" --val-every 2 --checkpoint-every 1
        --log-every 1 --threads 1 --cpu scalar --out out) ;;
    eval) line=(eval "$work/few/synth.data" "${model[@]}" --format json --worst 2 --out out) ;;
    check) line=(check "$work/few/synth.data" --threads 1 --draw drawn --fix out) ;;
    init) line=(init --base "$work/tiny.cfg" --weights "$work/start.weights" --names "$work/two.names"
        --data-dir "$work/few/images" --freeze 0-1 --out out) ;;
    convert_to) line=(convert "$work/few/synth.data" --out out) ;;
    convert_from) line=(convert "$work/coco/valid.json" --images "$work/few/images/val" --out out) ;;
    esac
}

# Numbers of seconds differ from run to run; charts and drawings cost only themselves (a warning).
faults_timeless() { # FILE
    sed -E '/^takes /d; s/[0-9.]+ s$//; s/"ms":\{[^}]*\}//' "$1"
}

faults_same() { # A B: one file of two runs
    case $1 in
    */results.csv) cmp -s <(cut -d, -f1-13 "$1") <(cut -d, -f1-13 "$2") ;;
    */stdout) cmp -s <(faults_timeless "$1") <(faults_timeless "$2") ;;
    */train.log | */last.state | */features.cache) [ -e "$1" ] && [ -e "$2" ] ;;
    *) cmp -s "$1" "$2" ;;
    esac
}

faults_setup() {
    local cmd
    printf 'cone\nball\n' >"$work/two.names"
    "$YOLO" synth few --train 6 --val 3 --size 64x64 --seed 5 -q >/dev/null &&
        "$YOLO" train --data few/synth.data --cfg tiny.cfg --iters 1 --seed 9 --out start -q && mv start/last.weights . &&
        mv last.weights start.weights && "$YOLO" convert few/synth.data --out coco -q >/dev/null || return 1
    for cmd in "${faults_commands[@]}"; do
        mkdir "$work/$cmd.before"
        case $cmd in # what an earlier run left
        detect)
            mkdir "$work/$cmd.before/out"
            echo old >"$work/$cmd.before/out/000000.jpg"
            ;;
        eval)
            mkdir "$work/$cmd.before/out"
            echo old >"$work/$cmd.before/out/report.json"
            ;;
        convert_to)
            mkdir "$work/$cmd.before/out"
            echo old >"$work/$cmd.before/out/other.json"
            ;;
        esac
        rm -rf "$work/now" # one place for all: some files hold their own path
        cp -r "$work/$cmd.before" "$work/now"
        command_line "$cmd"
        (cd "$work/now" && LD_PRELOAD=$shim FAIL_COUNT=$work/counts exec "$YOLO" "${line[@]}" >stdout 2>"$work/$cmd.err")
        want_status[$cmd]=$?
        mv "$work/now" "$work/$cmd.want"
        read -r "allocs[$cmd]" "writes[$cmd]" <"$work/counts"
    done
}

note() {
    wrong="$wrong $1;"
}

check_lost() { # BEFORE NOW
    local file
    while IFS= read -r file; do
        [ -e "$2/${file#"$1"/}" ] || note "${file#"$1"/} is lost"
    done < <(find "$1" ! -type d)
    file=$(find "$2" -name '*.tmp' | head -n 1)
    [ -z "$file" ] || note "${file#"$2"/} is left behind"
}

# What stands there now is whole: old or new.
check_files() { # BEFORE WANT NOW
    local file name
    while IFS= read -r file; do
        name=${file#"$3"/}
        case $name in
        stdout | out/train.log | out/last.state | out/rollback.state | out/features.cache | out/results.csv) continue ;;
        out/last.weights | out/best.weights)
            [ "$(stat -c %s "$file")" -eq "$(stat -c %s "$work/start.weights")" ] || note "$name is not whole"
            continue
            ;;
        out/thresholds.json) # of the best validation so far, as best.weights is
            "$helpers/flat" "$file" >"$work/flat" 2>&1 || note "$name is not whole"
            continue
            ;;
        out/val_pictures.jpg)
            [ "$(tail -c 2 "$file" | od -An -tx1)" = " ff d9" ] || note "$name is not whole"
            continue
            ;;
        out/chart.png | out/batch_*) continue ;;
        esac
        if [ -e "$2/$name" ] && faults_same "$file" "$2/$name"; then continue; fi
        if [ -e "$1/$name" ] && cmp -s "$file" "$1/$name"; then continue; fi
        note "$name is neither the old one nor the new one"
    done < <(find "$3" ! -type d)
}

# What a whole run leaves is there, but for pictures of which a warning tells.
check_whole() { # CMD NOW
    local file name want=$work/$1.want
    while IFS= read -r file; do
        name=${file#"$want"/}
        if [ -e "$2/$name" ] && faults_same "$file" "$2/$name"; then continue; fi
        if grep -q "yolo: warning: .*$(basename "$name")" "$work/err"; then continue; fi
        note "status $last_status, but $name is not what it should be"
    done < <(find "$want" ! -type d)
}

check_resumed() { # the training goes on from what was left, or begins anew where that is nothing, to the same end
    local now=$work/now had_state=''
    [ -e "$now/out/last.state" ] && had_state=1
    if ! (cd "$now" && "$YOLO" train --resume out -q --threads 1) >/dev/null 2>"$work/again"; then
        if [ -n "$had_state" ] || [ "$(grep -c '^yolo: error: ' "$work/again")" -ne 1 ]; then
            note "not resumed: $(tail -n 1 "$work/again")"
        fi
        return
    fi
    for file in last.weights best.weights thresholds.json results.csv; do
        faults_same "$now/out/$file" "$work/train.want/out/$file" || note "resumed, $file differs"
    done
}

faults_run() { # CMD KIND K [STICKY]
    local cmd=$1 variable=FAIL_ALLOC now=$work/now
    [ "$2" = write ] && variable=FAIL_WRITE
    wrong='' verdict=refused
    rm -rf "$now"
    cp -r "$work/$cmd.before" "$now"
    command_line "$cmd"
    (cd "$now" && export LD_PRELOAD="$shim" "$variable=$3" "FAIL_STICKY=${4:-0}" &&
        exec timeout -k 5 60 "$YOLO" "${line[@]}" >stdout 2>"$work/err")
    last_status=$?
    if [ "$last_status" -eq 124 ] || [ "$last_status" -ge 128 ]; then
        note "died with status $last_status"
        return 1
    fi
    if [ "$last_status" -eq 3 ] && [ "${want_status[$cmd]}" -ne 3 ]; then
        verdict=partly
        grep -qE '^yolo: (warning|error): |: error: ' "$work/err" "$now/stdout" || note "status 3 without a word"
    fi
    check_lost "$work/$cmd.before" "$now"
    [ "$verdict" = partly ] || check_files "$work/$cmd.before" "$work/$cmd.want" "$now"
    if [ "$verdict" = partly ]; then
        :
    elif [ "$last_status" -eq "${want_status[$cmd]}" ]; then
        verdict=whole
        check_whole "$cmd" "$now"
    elif [ "$last_status" -eq 0 ]; then
        note "status 0"
    elif ! grep -q '^yolo: error: ' "$work/err"; then
        note "status $last_status without a word"
    fi
    if [ "$cmd" = train ] && [ "$verdict" = refused ]; then
        check_resumed
    fi
    [ -z "$wrong" ]
}
