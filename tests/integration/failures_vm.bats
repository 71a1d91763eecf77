#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# What goes wrong with a virtual machine, its guest or a process of hull's: the state and the error
# tell which it was, and nothing is left on the host.

load lib
load vm

# shellcheck disable=SC2034 # the library's
TEST_LIMIT=600

hull() {
	"$RUNTIME" --root "$STATE" --log "$T/log" "$@"
}

# --- what is expected ---

log_says() { # TEXT
	grep -qF -e "$1" "$T/log" || {
		echo "'$1' is not in the log:"
		cat "$T/log"
		return 1
	}
}

# The container has ended by itself, its group and its processes with it; delete removes the rest.
has_ended() {
	wait_for has_status stopped || {
		hull state "$ID"
		return 1
	}
	equal "$(container_pid)" 0
	expect 1 hull start "$ID"
	expect 1 hull exec "$ID" true
	one_error stopped
	wait_for no_process_left
	expect 0 hull delete "$ID"
	nothing_left
}

no_process_left() {
	! leftovers | grep -q ^process
}

# The process that serves the container's files.
file_server() {
	pgrep -P "$(container_pid)"
}

# An exec that waits, for to see how it ends.
begin_exec() {
	hull exec "$ID" sh -c 'echo up; exec sleep 1000' >"$T/exec" 2>&1 </dev/null 3>&- &
	EXEC=$!
	wait_for grep -q up "$T/exec"
}

exec_is_killed() {
	local status=0

	wait "$EXEC" || status=$?
	equal "$status" 137
}

# A kernel that does nothing, with interrupts off.
make_idle_kernel() { # FILE
	python3 - "$1" <<-'END'
		import struct, sys
		note = struct.pack("<III4sQ", 4, 8, 18, b"Xen\0", 0x100000)
		code = b"\xfa\xeb\xfe"  # cli; jmp .
		head = struct.pack("<4sBBBB8xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 2, 62, 1, 0x100000, 64, 0, 0,
		                   64, 56, 2, 64, 0, 0)
		load = struct.pack("<IIQQQQQQ", 1, 5, 4096, 0x100000, 0x100000, len(code), 4096, 4096)
		text = struct.pack("<IIQQQQQQ", 4, 4, 512, 0, 0, len(note), len(note), 4)
		data = (head + load + text).ljust(512, b"\0") + note
		open(sys.argv[1], "wb").write(data.ljust(4096, b"\0") + code)
	END
}

# --- the virtual machine's process ---

@test "hull-vmm killed while the container runs" {
	run_detached
	begin_exec
	kill -KILL "$(container_pid)"
	exec_is_killed
	has_ended
	start_in_background hull run --bundle "$BUNDLE" "$ID"
	wait_for has_status running
	kill -KILL "$(container_pid)"
	status=0
	wait $! || status=$?
	equal "$status" 137
	nothing_left
}

@test "hull-vmm killed before the container's start" {
	create
	kill -KILL "$(container_pid)"
	has_ended
}

@test "hull-vmm killed while it boots; hull-oci killed meanwhile" {
	make_idle_kernel "$T/kernel"
	config '.annotations["org.hull.vm.kernel"] = $k' --arg k "$T/kernel"
	start_in_background hull create --bundle "$BUNDLE" "$ID"
	wait_for has_status creating
	vmm() { pgrep -f "^hull-vmm .*--id $ID"; }
	wait_for vmm
	kill -KILL "$(vmm | head -n 1)"
	status=0
	wait $! || status=$?
	equal "$status" 1
	equal "$(cat "$OUT")" "hull-oci: the container's process was killed by signal 9 while it was set up"
	wait_for nothing_left
	start_in_background hull create --bundle "$BUNDLE" "$ID"
	wait_for vmm
	kill -KILL "$(pgrep -o -f "^$RUNTIME .*create .*$ID")"
	wait $! || true
	wait_for no_process_left
	expect 0 hull delete --force "$ID"
	nothing_left
	start_in_background hull create --bundle "$BUNDLE" "$ID"
	wait_for vmm
	for command in kill ps 'events --stats'; do
		# shellcheck disable=SC2086 # words
		expect 1 hull $command "$ID"
		one_error 'not running'
	done
	kill -KILL "$(vmm | head -n 1)"
	wait $! || true
	wait_for nothing_left
}

@test "the server of the container's files killed" {
	run_detached
	begin_exec
	kill -KILL "$(file_server)"
	exec_is_killed
	has_ended
	log_says "container '$ID': the server of its files was killed by signal 9"
	create
	kill -KILL "$(file_server)"
	has_ended
	equal "$(grep -c 'the server of its files was killed' "$T/log")" 2
}

@test "hull-oci killed at any time of create and run" {
	local delay command=create

	for delay in 0.01 0.05 0.1 0.2 0.3 0.5 0.7 0.9 1.2 1.6; do
		timeout -s KILL "$delay" "$RUNTIME" --root "$STATE" --log "$T/log" "$command" --bundle "$BUNDLE" "$ID" \
			>"$OUT" 2>&1 </dev/null 3>&- || true
		hull state "$ID" >"$T/was" 2>&1 || true
		expect 0 hull delete --force "$ID"
		wait_for nothing_left || {
			echo "$command killed after $delay s:"
			cat "$T/was"
			leftovers
			return 1
		}
		[[ $command == run ]] && command=create || command=run
	done
}

# --- the guest ---

@test "the guest's kernel panics" {
	script 'until [ -e /go ]; do sleep 0.1; done; echo 2 >/proc/sys/vm/panic_on_oom; probe eat 100'
	run_detached
	begin_exec
	touch "$BUNDLE/rootfs/go"
	exec_is_killed
	has_ended
	log_says "container '$ID': the virtual machine ended: Kernel panic - not syncing: "
	log_says 'panic_on_oom'
	expect 255 run_bundle </dev/null
	nothing_left
}

@test "the agent dies" {
	run_detached
	begin_exec
	"$TOP/tests/helper/guestmem" "$(container_pid)" "$O/hull-agent" die
	expect 1 hull exec "$ID" true
	one_error "the virtual machine ended: Kernel panic"
	exec_is_killed
	has_ended
	log_says "container '$ID': the virtual machine ended: Kernel panic - not syncing: Attempted to kill init!"
}

@test "the agent hangs: exec is given up, kill and delete work" {
	run_detached
	begin_exec
	"$TOP/tests/helper/guestmem" "$(container_pid)" "$O/hull-agent" hang
	expect 1 hull exec "$ID" true
	one_error 'does not answer'
	equal "$(container_status)" running
	expect 0 hull kill "$ID" TERM
	expect 0 hull delete --force "$ID"
	exec_is_killed
	nothing_left
}

@test "all processors busy: exec and kill work" {
	config '.annotations["org.hull.vm.cpus"] = "2"'
	script 'trap "exit 9" TERM; while :; do :; done & while :; do :; done & while :; do :; done'
	run_detached
	expect 0 hull exec "$ID" echo there
	equal "$output" there
	expect 0 hull kill "$ID" TERM
	wait_for has_status stopped
	has_ended
}

@test "the container's memory is used up: a process is killed, and it is told" {
	config '.linux.resources.memory = {"limit": 20000000, "swap": 20000000}'
	args probe eat 100
	expect 137 run_bundle </dev/null
	log_says "container '$ID': a process was killed for lack of memory"
	nothing_left
	args sleep 1000
	run_detached
	expect 137 hull exec "$ID" probe eat 100
	equal "$(container_status)" running
	equal "$(grep -c 'for lack of memory' "$T/log")" 2
}

@test "the guest's memory is used up by files: somebody is killed, and it is told" {
	script 'dd if=/dev/zero of=/dev/fill bs=1M; dd if=/dev/zero of=/dev/shm/fill bs=1M; echo went on'
	status=0
	run_bundle >"$OUT" 2>&1 </dev/null || status=$?
	[[ $status == 137 || $status == 0 || $status == 255 ]]
	log_says "container '$ID': "
	log_says memory
	nothing_left
}

@test "the guest's memory is used up by processes: they are killed, the container ends or goes on" {
	script 'for i in 1 2 3 4; do probe eat 100 & done; wait; echo went on; exec sleep 1000'
	run_detached
	wait_for out_has 'went on'
	log_says "container '$ID': a process was killed for lack of memory"
	expect 0 hull exec "$ID" echo there
	equal "$output" there
}
