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

# as NAME [OPTION]... -- COMMAND...: a container with CRI's words for what belongs to pod $POD. The words
# from here on are about it.
as() {
	local type=container

	ID=$POD-$1
	[[ $1 != pod ]] || {
		ID=$POD
		type=sandbox
	}
	shift
	ctr_run --detach --annotation "io.kubernetes.cri.container-type=$type" \
		--annotation "io.kubernetes.cri.sandbox-id=$POD" "$@"
}

in_task() { # COMMAND...
	ctr_ tasks exec --exec-id e1 "$ID" "$@"
}

ended_and_deleted() { # TEXT
	wait_for has_task_status STOPPED
	expect 0 ctr_ tasks delete "$ID"
	says "$1"
	ctr_ containers delete "$ID"
}

@test "a pod by CRI's annotations: one shim, one machine of the size that they say, ends of their own" {
	local spaces=() boot pid kib

	POD=$ID
	as pod --annotation io.kubernetes.cri.sandbox-memory=100663296 \
		--annotation io.kubernetes.cri.sandbox-cpu-quota=150000 \
		--annotation io.kubernetes.cri.sandbox-cpu-period=100000 \
		--annotation io.kubernetes.cri.sandbox-cpu-shares=512 -- sleep 1000
	equal "$(in_task grep -c ^processor /proc/cpuinfo)" 2
	kib=$(in_task awk '/^MemTotal:/ { print $2 }' /proc/meminfo)
	((kib > 98304 && kib <= 163840))
	boot=$(in_task cat /proc/sys/kernel/random/boot_id)
	pid=$(ctr_ tasks list | awk -v id="$POD" '$1 == id { print $2 }')
	spaces=(--with-ns "network:/proc/$pid/ns/net" --with-ns "ipc:/proc/$pid/ns/ipc" --with-ns "uts:/proc/$pid/ns/uts")
	as one "${spaces[@]}" -- sh -c 'trap "exit 4" USR1; echo one >/name; sleep 1000 & wait'
	as two "${spaces[@]}" -- sh -c 'echo two >/name; exec sleep 1000'
	equal "$(pgrep -f -c "containerd-shim-runc-v2 .*-namespace $CONTAINERD_NAMESPACE ")" 1
	equal "$(pgrep -f -c "^hull-vmm .*--id $POD$")" 2
	equal "$(pgrep -f -c '^hull-vmm ')" 2
	for name in one two; do
		ID=$POD-$name
		named() { [[ $(in_task cat /name) == "$name" ]]; }
		wait_for named
		equal "$(in_task cat /proc/sys/kernel/random/boot_id)" "$boot"
	done
	ctr_ tasks exec --detach --exec-id server "$POD-one" sh -c 'echo word | nc -l -p 4000'
	heard() { [[ $(in_task nc 127.0.0.1 4000 </dev/null 2>/dev/null) == word ]]; }
	wait_for heard
	ID=$POD-one
	expect 0 ctr_ tasks pause "$ID"
	equal "$(task_status)" PAUSED
	expect 0 ctr_ tasks resume "$ID"
	expect 0 ctr_ tasks kill --signal SIGUSR1 "$ID"
	ended_and_deleted 'exit code 4'
	ID=$POD-two
	equal "$(task_status)" RUNNING
	equal "$(in_task cat /name)" two
	expect 0 ctr_ tasks kill --signal SIGKILL "$POD"
	ended_and_deleted 'exit code 137'
	ID=$POD
	ended_and_deleted 'exit code 137'
	equal "$(pgrep -f '^hull-vmm ')" ''
}
