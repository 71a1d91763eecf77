#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# containerd with hull-oci below its runc shim: a daemon started for this file,
# with state, socket and namespace of its own.

load lib
load containerd

setup_file() {
	[[ $(id -u) != 0 ]] || make_containerd
}

teardown_file() {
	[[ -z ${C-} ]] || remove_containerd
}

setup() {
	[[ $(id -u) == 0 ]] || skip 'root is needed'
	T=$BATS_TEST_TMPDIR
	OUT=$T/out
	ID=box$BATS_TEST_NUMBER
}

@test "run passes output and exit status on" {
	expect 0 ctr_run --rm -- echo hello
	equal "$output" hello
	expect 7 ctr_run --rm -- sh -c 'exit 7'
	expect 0 ctr_run --rm --env A=b --cwd /tmp -- sh -c 'echo $A $PWD'
	equal "$output" 'b /tmp'
}

@test "the runtime's own error arrives" {
	expect 1 ctr_run --rm -- no-such-program
	says 'no-such-program'
	says 'executable file not found in $PATH'
}

@test "a detached task runs, is killed, is deleted" {
	ctr_run --detach -- sleep 1000
	equal "$(task_status)" RUNNING
	expect 0 ctr_ tasks kill --signal SIGKILL "$ID"
	wait_for has_task_status STOPPED
	expect 0 ctr_ tasks delete "$ID"
	says 'exit code 137'
}

@test "kill sends the signal asked for" {
	ctr_run --detach -- sh -c 'trap "exit 4" USR1; while :; do sleep 0.05; done'
	sleep 0.3
	expect 0 ctr_ tasks kill --signal SIGUSR1 "$ID"
	wait_for has_task_status STOPPED
	expect 0 ctr_ tasks delete "$ID"
	says 'exit code 4'
}

@test "exec runs beside the first process and has its own exit status" {
	ctr_run --detach -- sh -c 'echo first >/tmp/a; exec sleep 1000'
	expect 0 ctr_ tasks exec --exec-id e1 "$ID" cat /tmp/a /proc/1/comm
	equal "$output" $'first\nsleep'
	expect 9 ctr_ tasks exec --exec-id e2 "$ID" sh -c 'exit 9'
	expect 0 ctr_ tasks exec --exec-id e3 --user 1000 --cwd /tmp "$ID" sh -c 'echo $(id -u) $PWD'
	equal "$output" '1000 /tmp'
	expect 1 ctr_ tasks exec --exec-id e4 "$ID" no-such-program
	says 'executable file not found in $PATH'
}

@test "pause stops it all, resume goes on" {
	ctr_run --detach -- sh -c 'while :; do sleep 0.05; done'
	expect 0 ctr_ tasks pause "$ID"
	equal "$(task_status)" PAUSED
	expect 1 ctr_ tasks exec --exec-id e1 "$ID" true
	expect 0 ctr_ tasks resume "$ID"
	equal "$(task_status)" RUNNING
	expect 0 ctr_ tasks exec --exec-id e2 "$ID" true
}

@test "metrics are read from its cgroup" {
	ctr_run --detach --memory-limit 67108864 -- sh -c 'sleep 1001 & sleep 1002'
	expect 0 ctr_ tasks metrics "$ID"
	[[ $output =~ pids.current\ +2 ]]
	[[ $output =~ memory.(usage_in_bytes|usage)\ +[1-9] ]]
	expect 0 ctr_ tasks metrics --format json "$ID"
	equal "$(jq '.memory.usage.limit // .memory.usage_limit' <<<"$output")" 67108864
}

@test "ps lists the processes" {
	ctr_run --detach -- sh -c 'sleep 1001 & sleep 1002'
	three() { [[ $(ctr_ tasks ps "$ID" | wc -l) == 3 ]]; } # and the head line
	wait_for three
	ctr_ tasks ps "$ID" >"$OUT"
	equal "$(awk 'NR > 1 { system("cat /proc/" $1 "/comm") }' "$OUT")" $'sleep\nsleep'
}

@test "limits, capabilities, seccomp, read-only root" {
	expect 0 ctr_run --rm --cpus 0.5 --seccomp --cap-drop CAP_CHOWN --read-only -- \
		sh -c 'grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/self/status | cut -f2; ! touch /x'
	says 'Read-only file system'
	equal "$(grep -v touch <<<"$output" | tr '\n' ' ')" '00000000a80425fa 1 2 '
}

@test "a user namespace of its own" {
	expect 0 ctr_run --rm --uidmap 0:100000:65536 --gidmap 0:100000:65536 -- \
		sh -c 'cat /proc/self/uid_map; touch /tmp/a; stat -c %u:%g /tmp/a'
	equal "$(tr -s ' ' <<<"$output" | tr '\n' ' ')" ' 0 100000 65536 0:0 '
}

@test "bind mounts and annotations" {
	mkdir "$T/host"
	expect 0 ctr_run --rm --annotation a=b \
		--mount "type=bind,src=$T/host,dst=/host,options=rbind:rw" -- touch /host/file
	[[ -e $T/host/file ]]
}

@test "run --tty has a terminal of the caller's size" {
	run_has_terminal
}

@test "exec --tty has a terminal" {
	exec_has_terminal
}

@test "a container whose shim dies is cleaned up" {
	ctr_run --detach -- sleep 1000
	pkill -KILL -f "containerd-shim-runc-v2 .*-namespace $CONTAINERD_NAMESPACE .*-id $ID"
	gone() { [[ -z $(ctr_ tasks list --quiet; find /sys/fs/cgroup -path "*$CONTAINERD_NAMESPACE/$ID") ]]; }
	wait_for gone
}
