#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# podman's pods with hull-oci-vm as its runtime: a pod is one virtual machine, that of its infra
# container, and its other containers are made in it.

# shellcheck disable=SC2016 # for shells inside

load lib
load vm
load engine_vm
load podman

# shellcheck disable=SC2034 # the library's
TEST_LIMIT=900

setup_file() {
	make_podman_vm
}

teardown() {
	[[ -z ${T-} ]] || pod pod rm --all --force --time 0 >/dev/null
}

teardown_file() {
	remove_podman_vm
}

# make_pod [OPTION]...: pod1. It has no cgroup of its own, as podman 4.3 lets nobody in that open a
# device (on a host with cgroup v2 alone), whatever the runtime.
make_pod() {
	pod pod create --name pod1 --share-parent=false --cgroup-parent "$PARENT" \
		--infra-image box --infra-command 'probe signals 1' "$@"
}

# in_pod NAME [OPTION]... COMMAND...: another container of it, in the background.
in_pod() {
	local name=$1 options=()

	shift
	while [[ $1 == -* ]]; do
		options+=("$1")
		shift
	done
	pod run --detach --pod pod1 --name "$name" --cgroup-parent "$PARENT" "${options[@]}" box "$@"
}

infra() {
	pod pod inspect --format '{{.InfraContainerID}}' pod1
}

exit_status() { # CONTAINER
	pod inspect --format '{{.State.ExitCode}}' "$1"
}

# all_are STATE: each container, the infra one among them.
all_are() {
	local all

	all=$(pod ps --all --quiet)
	# shellcheck disable=SC2086 # a list
	[[ $(pod inspect --format '{{.State.Status}}' $all | sort -u) == "$1" ]]
}

boot_id() { # CONTAINER
	pod exec "$1" cat /proc/sys/kernel/random/boot_id
}

# Machines, by their processes: each has another one, for its files.
machines() {
	echo $(($(pgrep -f -c '^hull-vmm ') / 2))
}

# Nothing of a pod, its containers, their cgroups and their state.
no_pod_left() {
	[[ -z $(pod pod ps --quiet) && -z $(pod ps --all --quiet) && $(machines) == 0 &&
		-z $(find "/sys/fs/cgroup$PARENT" -name 'libpod-*') && -z $(ls /run/hull) ]]
}

# Counts in a directory of the host's, as long as it makes progress.
COUNT='i=0; while :; do i=$((i + 1)); echo $i >/shared/$0; sleep 0.05; done'

counts() { # NAME
	local before

	before=$(cat "$T/$1" 2>/dev/null)
	sleep 0.3
	[[ -n $before && $(cat "$T/$1") != "$before" ]]
}

halted() {
	! counts "$1"
}

@test "containers of a pod share machine, network, IPC and host name; root, processes and end are their own" {
	make_pod --network none
	in_pod one sh -c 'echo one >/name; trap "exit 3" TERM; sleep 1000 & wait'
	in_pod two sh -c 'echo two >/name; until [ -e /end ]; do sleep 0.2; done; exit 7'
	in_pod three sh -c 'echo three >/name; exec sleep 1000'
	equal "$(machines)" 1
	boot=$(boot_id one)
	[[ -n $boot && $boot != "$(cat /proc/sys/kernel/random/boot_id)" ]]
	for name in one two three; do
		named() { [[ $(pod exec "$name" cat /name) == "$name" ]]; }
		wait_for named
		equal "$(boot_id "$name")" "$boot"
		equal "$(pod exec "$name" hostname)" pod1
	done
	equal "$(pod exec three cat /proc/1/comm)" sleep
	expect 9 pod exec --env A=b --user 1000 two sh -c '[ $A$(id -u) = b1000 ] && exit 9'
	equal "$(echo in | pod exec --interactive three cat)" in

	expect 0 pod exec one probe queue put 77 'from one'
	expect 0 pod exec two probe queue get 77
	equal "$output" 'from one'
	pod exec one touch /dev/shm/file
	pod exec three test -e /dev/shm/file
	pod exec --detach one sh -c 'echo word | nc -l -p 4000'
	heard() { [[ $(pod exec three nc 127.0.0.1 4000 </dev/null 2>/dev/null) == word ]]; }
	wait_for heard

	pod exec two touch /end
	expect 0 pod wait two
	equal "$output" 7
	expect 0 pod stop one
	equal "$(exit_status one)" 3
	expect 0 pod rm one
	expect 7 pod start --attach two
	expect 0 pod rm two
	equal "$(boot_id three)" "$boot"
	expect 0 pod pod rm --force --time 0 pod1
	no_pod_left
}

@test "stop, start, restart, kill of a pod; the end of the infra container is that of all" {
	make_pod --network none
	in_pod one sh -c 'trap "exit 3" TERM; echo up; sleep 1000 & wait'
	in_pod two sleep 1000
	up() { [[ $(pod logs one) == *up ]]; }
	wait_for up
	boot=$(boot_id one)
	expect 0 pod pod stop --time 5 pod1
	all_are exited
	equal "$(exit_status two)" 137
	equal "$(machines)" 0
	expect 0 pod pod start pod1
	all_are running
	again=$(boot_id one)
	[[ $again != "$boot" ]]
	equal "$(boot_id two)" "$again"
	expect 0 pod pod restart pod1
	all_are running
	expect 0 pod pod kill pod1
	wait_for all_are exited
	equal "$(exit_status one) $(exit_status two)" '137 137'
	expect 0 pod pod start pod1
	all_are running
	pod kill "$(infra)"
	wait_for all_are exited
	equal "$(machines)" 0
	# A container brings the pod up.
	expect 0 pod start two
	equal "$(pod exec two hostname)" pod1
	equal "$(machines)" 1
	expect 0 pod pod rm --force --time 0 pod1
	no_pod_left
}

@test "pause and unpause of a pod, and of one container" {
	make_pod --network none
	in_pod one "--volume=$T:/shared" sh -c "$COUNT" one
	in_pod two "--volume=$T:/shared" sh -c "$COUNT" two
	wait_for counts one
	wait_for counts two
	for _ in 1 2 3; do
		expect 0 pod pod pause pod1
		all_are paused
		wait_for halted one
		wait_for halted two
		fails pod exec one true
		expect 0 pod pod unpause pod1
		all_are running
		wait_for counts one
		wait_for counts two
	done
	expect 0 pod pause two
	wait_for halted two
	wait_for counts one
	expect 0 pod pod pause pod1
	expect 0 pod unpause "$(infra)"
	equal "$(pod inspect --format '{{.State.Status}}' one two | xargs)" 'paused paused'
	wait_for halted one
	halted two
	expect 0 pod unpause one
	wait_for counts one
	expect 0 pod pod pause pod1
	expect 0 pod pod rm --force --time 0 pod1
	no_pod_left
}

@test "a network of podman's is the pod's: its port, one address, a way out" {
	echo 'from the pod' >"$T/page"
	make_pod --network net1 --publish 8080:80
	in_pod one "--volume=$T/page:/www/page:ro" httpd -f -p 80 -h /www
	in_pod two sleep 1000
	in_host ip addr add 10.77.0.1/32 dev lo
	page() { in_host busybox wget -q -O - http://10.77.0.1:8080/page >"$OUT" 2>&1; }
	wait_for page
	equal "$(cat "$OUT")" 'from the pod'
	expect 0 pod exec two wget -q -O - http://127.0.0.1/page
	equal "$output" 'from the pod'
	addresses=$(pod exec one ip -4 -o addr show eth0)
	[[ $addresses == *' 10.89.77.'* ]]
	equal "$(pod exec two ip -4 -o addr show eth0)" "$addresses"
	pod exec two ping -c 1 -W 10 10.89.77.1
	expect 0 pod pod rm --force --time 0 pod1
	fails page
	in_host ip addr del 10.77.0.1/32 dev lo
	no_pod_left
}

@test "limits of each, one pid namespace when it is asked for, one that cannot be" {
	make_pod --network none --share ipc,net,uts,pid
	in_pod one --memory=64m --pids-limit=50 sleep 1000
	in_pod two --memory=32m --cpus=0.5 sleep 1001
	limits() { pod exec "$1" sh -c 'cd /sys/fs/cgroup && echo $(cat memory.max cpu.max pids.max)'; }
	equal "$(limits one)" '67108864 max 100000 50'
	equal "$(limits two)" '33554432 50000 100000 2048'
	equal "$(pod exec one cat /proc/1/comm)" probe
	seen() { [[ $(pod exec two sh -c 'cat /proc/[0-9]*/cmdline' | tr '\0' ' ') == *'sleep 1000 '* ]]; }
	wait_for seen
	fails in_pod three --memory=8g true
	in_pod four sleep 1000
	equal "$(pod exec four hostname)" pod1
}

@test "a pod without an infra container has no machine to be in" {
	pod pod create --name pod1 --infra=false
	expect 126 in_pod one true
	says 'does not exist'
}
