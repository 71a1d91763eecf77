#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# docker with hull-oci as its default runtime: a daemon started for this file,
# with its own containerd, state and socket, and without any network set-up.

load lib
load docker

setup_file() {
	[[ $(id -u) != 0 ]] || make_docker
}

teardown_file() {
	[[ -z ${D-} ]] || remove_docker
}

setup() {
	[[ $(id -u) == 0 ]] || skip 'root is needed'
	[[ -S $D/sock && -e /proc/$(cat "$D/pid") ]] || skip "dockerd does not start here: $(tail -1 "$D/log")"
	T=$BATS_TEST_TMPDIR
	OUT=$T/out
}

@test "run passes output and exit status on" {
	expect 0 dock_run --rm box echo hello
	equal "$output" hello
	expect 7 dock_run --rm box sh -c 'exit 7'
	equal "$(echo in | dock_run --rm --interactive box cat)" in
}

@test "a missing program is 127, one without permission 126" {
	expect 127 dock_run --rm box no-such-program
	says 'no-such-program'
	says 'executable file not found in $PATH'
	expect 126 dock_run --rm box /etc/passwd
	says 'permission denied'
}

@test "environment, user, directory, host name, limits reach the program" {
	expect 0 dock_run --rm --env A=b --user user --workdir /tmp --hostname box9 \
		--ulimit nofile=100:200 --sysctl net.ipv4.ip_forward=1 box \
		sh -c 'echo $A $(id -u) $PWD $(hostname) $(ulimit -n) $(ulimit -Hn) $(cat /proc/sys/net/ipv4/ip_forward)'
	equal "$output" 'b 1000 /tmp box9 100 200 1'
}

@test "--memory, --cpus and --pids-limit are in the cgroup, and update changes them" {
	expect 0 dock_run --detach --name box1 --memory 64m --memory-swap -1 --cpus 0.5 --pids-limit 50 box sleep 1000
	limits() {
		local dir

		dir=$PARENT/$(dock inspect --format '{{.Id}}' box1)
		if is_v2; then
			cat "/sys/fs/cgroup$dir"/{memory.max,cpu.max,pids.max}
		else
			cat "/sys/fs/cgroup/memory$dir/memory.limit_in_bytes" \
				"/sys/fs/cgroup/cpu$dir/cpu.cfs_quota_us" "/sys/fs/cgroup/pids$dir/pids.max"
		fi | tr '\n' ' '
	}
	if is_v2; then
		equal "$(limits)" '67108864 50000 100000 50 '
	else
		equal "$(limits)" '67108864 50000 50 '
	fi
	expect 0 dock update --memory 32m --memory-swap -1 --pids-limit 40 box1
	matches "$(limits)" '33554432 50000 *40 '
}

@test "a program that eats more than --memory is killed and docker knows why" {
	fails dock_run --name box1 --memory 32m --memory-swap 32m box probe eat 100
	equal "$(dock_state OOMKilled) $(dock_state ExitCode)" 'true 137'
}

@test "volumes, read-only root, tmpfs and devices" {
	mkdir "$T/volume"
	expect 0 dock_run --rm --read-only --tmpfs /scratch --volume "$T/volume:/volume" \
		--device /dev/null:/dev/nothing box \
		sh -c 'touch /volume/a /scratch/b && echo x >/dev/nothing && ! touch /c'
	[[ -e $T/volume/a ]]
}

@test "capabilities, no-new-privileges and seccomp are set" {
	expect 0 dock_run --rm --cap-drop all --cap-add kill --security-opt no-new-privileges box \
		grep -E '^(CapBnd|CapEff|NoNewPrivs|Seccomp):' /proc/self/status
	equal "$(tr -d '\t' <<<"$output" | tr '\n' ' ')" \
		'CapEff:0000000000000020 CapBnd:0000000000000020 NoNewPrivs:1 Seccomp:2 '
}

@test "--privileged with the host's pid namespace" {
	only_hull # that a host's root may lack a capability is a warning
	expect 0 dock_run --rm --privileged --pid host box \
		sh -c 'mkdir /m && mount -t tmpfs none /m && readlink /proc/self/ns/pid'
	equal "$output" "$(readlink /proc/self/ns/pid)"
}

@test "exec runs beside the first process and has its own exit status" {
	dock_run --detach --name box1 box sh -c 'echo $$ >/tmp/pid; exec sleep 1000'
	expect 0 dock exec box1 cat /tmp/pid /proc/1/comm
	equal "$output" $'1\nsleep'
	expect 9 dock exec --env A=b --user 1000 box1 sh -c '[ $A$(id -u) = b1000 ] && exit 9'
	equal "$(echo in | dock exec --interactive box1 cat)" in
	expect 126 dock exec box1 no-such-program # docker 20.10 does not tell the two apart
	says 'executable file not found in $PATH'
}

@test "run -it and exec -it have a terminal of the caller's size" {
	have_terminals
}

@test "stop sends TERM and waits, then KILL; start runs it again" {
	dock_run --detach --name box1 box sh -c 'trap "exit 3" TERM; echo up; while :; do sleep 0.1; done'
	wait_for log_has up
	expect 0 dock stop box1
	equal "$(dock_state Status) $(dock_state ExitCode)" 'exited 3'
	expect 0 dock start box1
	equal "$(dock_state Status)" running
	dock rm --force box1
	dock_run --detach --name box1 box sleep 1000
	expect 0 dock stop --time 0 box1
	equal "$(dock_state ExitCode)" 137
}

@test "pause, unpause, kill, top, stats" {
	dock_run --detach --name box1 box sh -c 'trap "exit 4" USR1; echo up; while :; do sleep 0.1; done'
	wait_for log_has up
	expect 0 dock pause box1
	equal "$(dock_state Status)" paused
	fails dock exec box1 true
	expect 0 dock unpause box1
	expect 0 dock top box1
	says 'sh -c trap'
	expect 0 dock stats --no-stream --format '{{.PIDs}} {{.MemUsage}}' box1
	[[ $output =~ ^[12]\ [1-9].*iB\ /\  ]]
	expect 0 dock kill --signal USR1 box1
	expect 0 dock wait box1
	equal "$output" 4
}
