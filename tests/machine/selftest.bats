#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the emulated host promises.  A boot costs seconds, so everything that
# needs no boot of its own is asked in one, by `look`.

bats_require_minimum_version 1.5.0

machine=$BATS_TEST_DIRNAME/run
tree=$(cd "$BATS_TEST_DIRNAME/../.." && pwd -P)

# Runs in the machine: random bytes to stdout, what it sees to stderr.
look() {
	head -c 1000000 /dev/urandom >/tmp/random
	cat /tmp/random
	{
		echo "sha256=$(sha256sum </tmp/random)"
		echo "pwd=$PWD"
		echo "script=$(sha256sum <tests/machine/run)"
		touch tests/machine/written && echo "written=$(ls tests/machine/written)"
		echo "pid1=$(</proc/1/comm)"
		echo "cgroups=$(awk '$3 ~ /^cgroup/ { print $2, $3 }' /proc/mounts)"
		echo "controllers=$(</sys/fs/cgroup/cgroup.controllers)"
		ulimit -Hn 1000000 && echo "hard_nofile=$(ulimit -Hn)"
		echo -500 >/proc/self/oom_score_adj && echo "oom=$(</proc/self/oom_score_adj)"
		echo "caps=$(capsh --has-p=cap_sys_resource && echo yes)"
		exec 5<>/dev/kvm && echo "kvm=open"
		echo "npt=$(</sys/module/kvm_amd/parameters/npt)"
		echo "svm=$(grep -cw svm /proc/cpuinfo)"
		echo "lo=$(ip -br addr show lo)"
		ip link add br0 type bridge && echo 'bridge=yes'
		echo again >/dev/stderr
	} >&2
	# holds stdout open: must not keep the machine from ending
	sleep 1000 &
	exit 3
}

# Checks one line of what `look` said.
saw() { # LINE
	grep -qxF -- "$1" "$BATS_FILE_TMPDIR/stderr" || {
		echo "not found: $1"
		cat "$BATS_FILE_TMPDIR/stderr"
		return 1
	}
}

setup_file() {
	local status=0

	cd "$tree" || return
	"$machine" --cpus 2 -- bash -c "$(declare -f look); look" \
		>"$BATS_FILE_TMPDIR/stdout" 2>"$BATS_FILE_TMPDIR/stderr" || status=$?
	echo "$status" >"$BATS_FILE_TMPDIR/status"
}

setup() {
	[[ $(<"$BATS_FILE_TMPDIR/status") != 77 ]] || skip "$(<"$BATS_FILE_TMPDIR/stderr")"
	export TMPDIR=$BATS_TEST_TMPDIR/runs
	mkdir "$TMPDIR"
}

# All that a run starts names its temporary directory.
nothing_left() {
	[[ -z $(ls -A "$TMPDIR") ]] && ! grep -lsF "$TMPDIR/" /proc/[0-9]*/cmdline
}

# Starts a run that does not end by itself; sets run and qemu to process ids.
start_endless() {
	local try

	"$machine" --timeout 60 -- sleep 1000 2>"$BATS_TEST_TMPDIR/err" 3>&- &
	run=$!
	for ((try = 0; try < 600; try++)); do
		qemu=$(pgrep -P "$run" qemu-system) && return
		sleep 0.1
	done
	return 1
}

@test "the command's exit status passes through" {
	[ "$(<"$BATS_FILE_TMPDIR/status")" = 3 ]
}

@test "a megabyte of random bytes arrives intact" {
	saw "sha256=$(sha256sum <"$BATS_FILE_TMPDIR/stdout")"
	[ "$(stat -c %s "$BATS_FILE_TMPDIR/stdout")" = 1000000 ]
}

@test "stderr is the command's alone and can be opened again" {
	[ "$(tail -n 1 "$BATS_FILE_TMPDIR/stderr")" = again ]
	[ "$(grep -cv = "$BATS_FILE_TMPDIR/stderr")" = 1 ]
}

@test "the tree is at its path, and keeps out what is written to it" {
	saw "pwd=$tree"
	saw "script=$(sha256sum <"$machine")"
	saw 'written=tests/machine/written'
	[ ! -e "$tree/tests/machine/written" ]
}

@test "cgroup2 is the only hierarchy and has the controllers" {
	local controller

	saw 'cgroups=/sys/fs/cgroup cgroup2'
	for controller in cpu cpuset io memory pids; do
		grep -q "^controllers=.*\<$controller\>" "$BATS_FILE_TMPDIR/stderr"
	done
}

@test "root has CAP_SYS_RESOURCE and may use it" {
	saw caps=yes
	saw hard_nofile=1000000
	saw oom=-500
}

@test "KVM opens, with nested paging" {
	saw kvm=open
	saw npt=Y
	saw svm=2
}

@test "lo is up and network modules load by themselves" {
	grep -q '^lo=lo .*127.0.0.1/8' "$BATS_FILE_TMPDIR/stderr"
	saw bridge=yes
}

@test "the first process is init, or systemd when asked for" {
	saw pid1=init
	run "$machine" --systemd -- sh -c 'cat /proc/1/comm; systemctl is-system-running; cat /proc/self/cgroup'
	echo "$output"
	[ "$status" = 0 ]
	[ "${lines[0]}" = systemd ]
	[ "${lines[1]}" = running ]
	[ "${lines[2]}" = 0::/system.slice/machine-job.service ]
	nothing_left
}

@test "a timeout ends everything" {
	run "$machine" --timeout 7 -- sh -c 'echo before; sleep 1000'
	echo "$output"
	[ "$status" = 124 ]
	[ "${lines[-1]}" = 'machine: timed out after 7 s' ]
	nothing_left
}

@test "SIGTERM ends everything" {
	start_endless
	kill "$run"
	wait "$run" || status=$?
	[ "$status" = 143 ]
	nothing_left
}

@test "Ctrl-C ends everything" {
	run -130 python3 -c '
import os, signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
run = subprocess.Popen(sys.argv[1:], start_new_session=True)
time.sleep(2)
os.killpg(run.pid, signal.SIGINT)
sys.exit(run.wait())
' "$machine" --timeout 60 -- sleep 1000
	[ "$output" = "" ]
	nothing_left
}

@test "SIGKILL leaves no process" {
	start_endless
	kill -9 "$run"
	wait "$run" || status=$?
	[ "$status" = 137 ]
	rm -r "${TMPDIR:?}"/*
	sleep 1
	nothing_left
}

@test "the end of QEMU is an error and ends everything" {
	start_endless
	kill -9 "$qemu"
	wait "$run" || status=$?
	cat "$BATS_TEST_TMPDIR/err"
	[ "$status" = 125 ]
	grep -q 'ended before the command' "$BATS_TEST_TMPDIR/err"
	nothing_left
}

@test "a wrong option is an error" {
	run "$machine" --no-such-option true
	[ "$status" = 125 ]
	[[ $output == *"unknown option '--no-such-option'"* ]]
}
