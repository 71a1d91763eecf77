#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# podman with hull-oci as its runtime: storage, locks and state in the test's
# directory, no network, images imported from the busybox root file system.

load lib
load podman

setup_file() {
	[[ $(id -u) != 0 ]] || make_podman
}

teardown_file() {
	[[ -z ${P-} ]] || remove_podman
}

setup() {
	[[ $(id -u) == 0 ]] || skip 'root is needed'
	T=$BATS_TEST_TMPDIR
	OUT=$T/out
}

@test "run passes output and exit status on" {
	expect 0 pod_run --rm box echo hello
	equal "$output" hello
	expect 7 pod_run --rm box sh -c 'exit 7'
	equal "$(echo in | pod_run --rm --interactive box cat)" in
}

@test "a missing program is 127, one without permission 126" {
	expect 127 pod_run --rm box no-such-program
	says no-such-program
	expect 126 pod_run --rm box /etc/passwd
	says /etc/passwd
}

@test "environment, user, directory, host name, limits reach the program" {
	expect 0 pod_run --rm --env A=b --user user --workdir /tmp --hostname box9 --ulimit nofile=100:200 \
		--ulimit nproc=4096 box sh -c 'echo $A $(id -u):$(id -g) $PWD $(hostname) $(ulimit -n) $(ulimit -Hn)'
	equal "$output" 'b 1000:1000 /tmp box9 100 200'
}

@test "--memory, --cpus and --pids-limit are in the cgroup" {
	expect 0 pod_run --detach --name box1 --memory 64m --cpus 0.5 --pids-limit 50 box sleep 1000
	id=$(pod inspect --format '{{.Id}}' box1)
	if is_v2; then
		equal "$(cat "/sys/fs/cgroup$PARENT/libpod-$id"/{memory.max,cpu.max,pids.max} | tr '\n' ' ')" \
			'67108864 50000 100000 50 '
	else
		cat "/sys/fs/cgroup/memory$PARENT/libpod-$id/memory.limit_in_bytes" \
			"/sys/fs/cgroup/cpu$PARENT/libpod-$id/cpu.cfs_quota_us" \
			"/sys/fs/cgroup/pids$PARENT/libpod-$id/pids.max" >"$OUT"
		equal "$(tr '\n' ' ' <"$OUT")" '67108864 50000 50 '
	fi
}

@test "volumes, read-only root and tmpfs" {
	mkdir "$T/volume"
	expect 0 pod_run --rm --read-only --tmpfs /scratch --volume "$T/volume:/volume" box \
		sh -c 'touch /volume/a /scratch/b; ! touch /c'
	[[ -e $T/volume/a ]]
}

@test "capabilities, no-new-privileges and seccomp are set" {
	expect 0 pod_run --rm --cap-drop all --cap-add kill --security-opt no-new-privileges box \
		grep -E '^(CapBnd|CapEff|NoNewPrivs|Seccomp):' /proc/self/status
	equal "$(tr -d '\t' <<<"$output" | tr '\n' ' ')" \
		'CapEff:0000000000000020 CapBnd:0000000000000020 NoNewPrivs:1 Seccomp:2 '
}

@test "a user namespace of its own" {
	expect 0 pod_run --rm --uidmap 0:100000:1000 --gidmap 0:100000:1000 box \
		sh -c 'cat /proc/self/uid_map; touch /tmp/a; stat -c %u /tmp/a'
	equal "$(tr -s ' ' <<<"$output" | tr '\n' ' ')" ' 0 100000 1000 0 '
}

@test "exec runs beside the first process and has its own exit status" {
	pod_run --detach --name box1 box sh -c 'echo $$ >/tmp/pid; exec sleep 1000'
	expect 0 pod exec box1 cat /tmp/pid /proc/1/comm
	equal "$output" $'1\nsleep'
	expect 9 pod exec --env A=b --user 1000 box1 sh -c '[ $A$(id -u) = b1000 ] && exit 9'
	expect 127 pod exec box1 no-such-program
	equal "$(echo in | pod exec --interactive box1 cat)" in
}

@test "run -it has a terminal of the caller's size, and follows it" {
	export -f pod pod_run
	export RUNTIME
	# not by a trap: the shell's line editor takes signals of the window for itself
	{
		echo 'until stty size | grep "33 99"; do sleep 0.1; done; tty; echo re""ady'
		echo '!wait ready'
		echo '!size 40x101'
		echo 'until stty size | grep "40 101"; do sleep 0.1; done; exit 5'
	} >"$T/in"
	expect 5 "$PEER" pty 33x99 bash -c 'pod_run --rm -it box sh' <"$T/in"
	says '/dev/pts/0'
	says '33 99'
	says '40 101'
}

@test "exec -it has a terminal" {
	export -f pod
	export RUNTIME
	pod_run --detach --name box1 box sleep 1000
	expect 6 "$PEER" pty 20x70 bash -c 'pod exec -it box1 sh' <<<'tty; stty size; exit 6'
	says '/dev/pts/0'
	says '20 70'
}

@test "stop sends TERM and waits, then KILL" {
	pod_run --detach --name box1 box sh -c 'trap "exit 3" TERM; echo up; while :; do sleep 0.1; done'
	until_up() { [[ $(pod logs box1) == up ]]; }
	wait_for until_up
	expect 0 pod stop box1
	equal "$(pod inspect --format '{{.State.Status}} {{.State.ExitCode}}' box1)" 'exited 3'
	pod rm box1
	pod_run --detach --name box1 box sleep 1000
	expect 0 pod stop --time 0 box1
	equal "$(pod inspect --format '{{.State.ExitCode}}' box1)" 137
	expect 0 pod start box1
	equal "$(pod_status)" running
}

@test "kill sends the signal asked for" {
	pod_run --detach --name box1 box probe signals 2
	until_ready() { [[ $(pod logs box1) == *"$1"* ]]; }
	wait_for until_ready ready
	pod kill --signal USR1 box1
	wait_for until_ready USR1
	pod kill --signal HUP box1
	expect 0 pod wait box1
	equal "$output" 0
}

@test "pause stops it all, unpause goes on" {
	pod_run --detach --name box1 box sh -c 'while :; do echo x >>/tmp/x; sleep 0.01; done'
	expect 0 pod pause box1
	equal "$(pod_status)" paused
	fails pod exec box1 true
	expect 0 pod unpause box1
	equal "$(pod_status)" running
	expect 0 pod exec box1 true
}

@test "stats shows memory and processes" {
	pod_run --detach --name box1 --memory 64m box sh -c 'sleep 1001 & sleep 1002'
	two() { [[ $(pod stats --no-stream --format '{{.PIDs}} {{.MemUsage}}' box1) == 2\ *B\ /\ 67.11MB ]]; }
	wait_for two
}

@test "top lists the processes" {
	pod_run --detach --name box1 box sleep 1000
	expect 0 pod top box1 pid comm
	says sleep
}

@test "build of a three-line Containerfile" {
	cat >"$T/Containerfile" <<-'END'
		FROM box
		RUN echo built >/made && id -u >>/made
		CMD ["cat", "/made"]
	END
	expect 0 pod build --isolation oci --network none --cgroup-parent "$PARENT-build" \
		--tag made --file "$T/Containerfile" "$T"
	expect 0 pod_run --rm made
	equal "$output" $'built\n0'
}

@test "a hundred kilobytes through a pipe arrive whole" {
	equal "$(pod_run --rm box sh -c 'head -c 100000 /dev/zero' | wc -c)" 100000
}

@test "several containers share a network and a pid namespace" {
	pod_run --detach --name box1 --hostname first box sleep 1000
	expect 0 pod run --rm --network container:box1 --pid container:box1 --ipc container:box1 \
		--cgroup-parent "$PARENT" box sh -c 'cat /proc/1/comm'
	equal "$output" sleep
}
