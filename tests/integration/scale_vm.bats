#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# Many virtual machines, and a big one.

load lib
load vm

# shellcheck disable=SC2034 # the library's
TEST_LIMIT=1500
MACHINES=20

# The machines' processes, without their file servers.
machines() {
	pgrep -f -c "^hull-vmm .*--id $ID-[0-9]*$"
}

has_machines() { # NUMBER of processes, with file servers
	[[ $(machines) == "$1" ]]
}

@test "twenty machines at once" {
	config 'del(.linux.cgroupsPath)'
	script 'echo "up $(cat /proc/sys/kernel/random/boot_id)"; exec sleep 1000'
	for ((i = 0; i < MACHINES; i++)); do
		hull create --bundle "$BUNDLE" "$ID-$i" >"$T/out-$i" 2>&1 </dev/null 3>&-
	done
	equal "$(hull list -f json | jq -r 'map(.status) | unique | join(" ")')" created
	equal "$(hull list -q | wc -l)" "$MACHINES"
	has_machines $((2 * MACHINES))
	for ((i = 0; i < MACHINES; i++)); do
		expect 0 hull start "$ID-$i"
	done
	equal "$(hull list -f json | jq -r 'map(.status) | unique | join(" ")')" running
	all_up() { [[ $(sort -u "$T"/out-* | grep -c '^up ') == "$MACHINES" ]]; }
	wait_for all_up
	for ((i = 0; i < MACHINES; i++)); do
		hull exec "$ID-$i" sh -c "echo $i; exit $i" >"$T/exec-$i" 2>&1 </dev/null 3>&- &
		JOBS[i]=$!
	done
	for ((i = 0; i < MACHINES; i++)); do
		status=0
		wait "${JOBS[i]}" || status=$?
		equal "$status $(cat "$T/exec-$i")" "$i $i"
	done
	JOBS=()
	for ((i = 0; i < MACHINES; i += 2)); do
		expect 0 hull kill "$ID-$i" KILL
		expect 0 hull delete --force "$ID-$((i + 1))"
	done
	all_stopped() { [[ $(hull list -f json | jq -r 'map(.status) | unique | join(" ")') == stopped ]]; }
	wait_for all_stopped
	for ((i = 0; i < MACHINES; i += 2)); do
		expect 0 hull delete "$ID-$i"
	done
	equal "$(hull list -q)" ''
	nothing_left
}

@test "several made at the same time" {
	config 'del(.linux.cgroupsPath)'
	args true
	for ((i = 0; i < 6; i++)); do
		hull run --bundle "$BUNDLE" "$ID-$i" >"$T/out-$i" 2>&1 </dev/null 3>&- &
		JOBS[i]=$!
	done
	for ((i = 0; i < 6; i++)); do
		wait "${JOBS[i]}"
		equal "$(cat "$T/out-$i")" ''
	done
	JOBS=()
	wait_for nothing_left
}

@test "a machine with 32 processors" {
	config '.annotations["org.hull.vm.cpus"] = "32" | .annotations["org.hull.vm.memory-mib"] = "128"'
	script 'nproc; cat /sys/devices/system/cpu/online; grep -c ^processor /proc/cpuinfo
		for i in $(seq 32); do (taskset $(printf %x $((1 << (i - 1)))) true && echo on) & done | grep -c on'
	run_bundle >"$OUT" 2>&1 </dev/null
	equal "$(paste -sd ' ' "$OUT")" '32 0-31 32 32'
	nothing_left
}
