#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# containerd with hull-oci-vm below its runc shim: each container is a virtual machine.

load lib
load vm
load engine_vm
load containerd

setup_file() {
	can_boot || return 0
	use_vm_runtime "$BATS_FILE_TMPDIR"
	make_containerd
}

teardown_file() {
	[[ -z ${C-} ]] || remove_containerd
}

setup() {
	needs_kvm
	T=$BATS_TEST_TMPDIR
	OUT=$T/out
	ID=box$BATS_TEST_NUMBER
}

@test "run passes output and exit status on; the runtime's own error arrives" {
	mkdir "$T/host"
	expect 7 ctr_run --rm --env A=b --cwd /tmp --mount "type=bind,src=$T/host,dst=/host,options=rbind:rw" -- \
		sh -c 'touch /host/file; uname -r; echo $A $PWD; exit 7'
	says -hull
	says 'b /tmp'
	[[ -e $T/host/file ]]
	expect 1 ctr_run --rm -- no-such-program
	says 'executable file not found in $PATH'
}

@test "a detached task: exec, pause, metrics, update, kill, delete" {
	ctr_run --detach --memory-limit 67108864 -- sh -c 'trap "exit 4" USR1; echo first >/tmp/a; sleep 1000 & wait'
	equal "$(task_status)" RUNNING
	expect 0 ctr_ tasks exec --exec-id e1 "$ID" sh -c 'until [ -e /tmp/a ]; do sleep 1; done; cat /tmp/a; uname -r'
	says first
	says -hull
	expect 9 ctr_ tasks exec --exec-id e2 --user 1000 --cwd /tmp "$ID" sh -c '[ $(id -u)$PWD = 1000/tmp ] && exit 9'
	expect 1 ctr_ tasks exec --exec-id e3 "$ID" no-such-program
	says 'executable file not found in $PATH'
	expect 0 ctr_ tasks pause "$ID"
	equal "$(task_status)" PAUSED
	expect 1 ctr_ tasks exec --exec-id e4 "$ID" true
	expect 0 ctr_ tasks resume "$ID"
	equal "$(task_status)" RUNNING
	expect 0 ctr_ tasks metrics --format json "$ID"
	# the machine's: its guest's memory and what hull-vmm needs
	(($(jq .memory.usage_limit <<<"$output") > 67108864 && $(jq .memory.usage <<<"$output") > 0))
	expect 0 "$RUNTIME" --root "$C/runc/$CONTAINERD_NAMESPACE" update --memory 48m --pids-limit 40 "$ID"
	expect 0 "$RUNTIME" --root "$C/runc/$CONTAINERD_NAMESPACE" events --stats "$ID"
	equal "$(jq '.data.memory.usage.limit, .data.pids.limit' <<<"$output")" $'50331648\n40'
	expect 0 ctr_ tasks kill --signal SIGUSR1 "$ID"
	wait_for has_task_status STOPPED
	expect 0 ctr_ tasks delete "$ID"
	says 'exit code 4'
}

@test "run --tty and exec --tty have a terminal" {
	run_has_terminal
	exec_has_terminal
	expect 0 ctr_ tasks kill --signal SIGKILL "$ID"
	wait_for has_task_status STOPPED
	expect 0 ctr_ tasks delete "$ID"
	says 'exit code 137'
}

@test "a container whose shim dies is cleaned up, machine and all" {
	ctr_run --detach -- sleep 1000
	pkill -KILL -f "containerd-shim-runc-v2 .*-namespace $CONTAINERD_NAMESPACE .*-id $ID"
	gone() { [[ -z $(ctr_ tasks list --quiet; find /sys/fs/cgroup -path "*$CONTAINERD_NAMESPACE/$ID"; pgrep -f "hull-vmm .*--id $ID") ]]; }
	wait_for gone
}
