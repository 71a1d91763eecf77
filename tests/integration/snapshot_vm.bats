#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# checkpoint and restore of containers in virtual machines.

# shellcheck disable=SC2016 # for jq and shells inside

load lib
load vm

setup() {
	begin_vm
	IMAGE=$T/image
}

# Counts in a variable and in a file that stays open; 'end' in a file ends it with that status.
counting() {
	script 'i=0; exec 9>/log; echo started
		while :; do
			i=$((i + 1)); echo $i >/count; echo $i >&9
			[ -e /end ] && { echo ended at $i; exit 7; }
			sleep 0.1
		done'
}

# The file is empty for a moment each time.
count() {
	local n

	for _ in {1..40}; do
		n=$(cat "$BUNDLE/rootfs/count" 2>/dev/null || true)
		[[ -z $n ]] || break
		sleep 0.05
	done
	echo "${n:-0}"
}

count_inside_is_beyond() { # NUMBER
	[[ $(hull exec "$ID" cat /count) -gt $1 ]]
}

counts_beyond() { # NUMBER
	[[ $(count) -gt $1 ]]
}

start_counting() {
	counting
	run_detached
	wait_for counts_beyond 3
}

checkpoint() { # [OPTION]...
	hull checkpoint --image-path "$IMAGE" "$@" "$ID" 3>&-
}

restore() { # [OPTION]...
	hull restore --image-path "$IMAGE" --bundle "$BUNDLE" "$@" "$ID" </dev/null 3>&-
}

restore_detached() { # [OPTION]...
	restore --detach "$@" >"$OUT" 2>&1
}

# No number is missing in the file that stayed open, and none is there twice.
counted_without_gaps() {
	local numbers

	numbers=$(cat "$BUNDLE/rootfs/log")
	equal "$numbers" "$(seq "${numbers##*$'\n'}")"
}

@test "a container goes on where it was; exec, ps, stats, kill and the exit status work" {
	start_counting
	expect 0 checkpoint
	equal "$output" ''
	nothing_left
	at=$(count)
	sleep 0.3
	equal "$(count)" "$at"
	equal "$(cd "$IMAGE" && echo *)" 'config.json hull.json memory state'
	restore_detached --pid-file "$T/pid"
	equal "$(cat "$T/pid")" "$(container_pid)"
	equal "$(container_status)" running
	wait_for counts_beyond "$((at + 5))"
	counted_without_gaps
	wait_for count_inside_is_beyond "$at"
	equal "$(hull exec "$ID" sh -c 'cat >/dev/null; exit 5' </dev/null; echo $?)" 5
	[[ $(hull ps --format json "$ID" | jq length) -ge 1 ]]
	hull events --stats "$ID" | jq -e '.data.pids.current >= 1'
	expect 0 hull pause "$ID"
	equal "$(container_status)" paused
	expect 0 hull resume "$ID"
	wait_for counts_beyond "$(count)"
	touch "$BUNDLE/rootfs/end"
	wait_for out_has 'ended at'
	wait_for has_status stopped
	counted_without_gaps
	expect 0 hull delete "$ID"
	nothing_left
}

@test "in the foreground: streams and the exit status are the program's; under another id" {
	start_counting
	expect 0 checkpoint
	ID=$ID-again
	start_in_background restore
	pid=$!
	wait_for has_status running
	at=$(count)
	wait_for counts_beyond "$at"
	expect 0 hull exec "$ID" true
	touch "$BUNDLE/rootfs/end"
	status=0
	wait "$pid" || status=$?
	equal "$status" 7
	wait_for out_has 'ended at'
	nothing_left
	# and by a signal
	rm "$BUNDLE/rootfs/end"
	restore_detached
	pid=$(container_pid)
	expect 0 hull kill "$ID" KILL
	wait_for has_status stopped
	expect 0 hull delete "$ID"
	nothing_left
}

@test "--leave-running: both go on" {
	start_counting
	expect 0 checkpoint --leave-running
	at=$(count)
	wait_for counts_beyond "$at"
	expect 0 hull exec "$ID" true
	expect 0 checkpoint --leave-running
	wait_for counts_beyond "$(count)"
	counted_without_gaps
	expect 0 hull delete --force "$ID"
	nothing_left
	restore_detached
	wait_for counts_beyond "$(count)"
	# a checkpoint of what was restored
	expect 0 checkpoint
	nothing_left
	restore_detached
	wait_for counts_beyond "$(count)"
	touch "$BUNDLE/rootfs/end"
	wait_for has_status stopped
	expect 0 hull delete "$ID"
	nothing_left
}

@test "two of one image draw different random numbers and know the time" {
	script 'echo started; read x </dev/null
		while [ ! -e /go ]; do :; done
		cat /proc/sys/kernel/random/uuid /proc/sys/kernel/random/uuid; date +%s; sleep 1000'
	run_detached
	wait_for out_has started
	expect 0 checkpoint
	sleep 3
	touch "$BUNDLE/rootfs/go"
	for i in 1 2; do
		restore_detached
		wait_for grep -qE '^[0-9]{9,}$' "$OUT"
		now=$(date +%s)
		cp "$OUT" "$T/out$i"
		then=$(grep -E '^[0-9]{9,}$' "$T/out$i")
		[[ $((now - then)) -ge 0 && $((now - then)) -lt 60 ]]
		[[ $then -ge $(stat -c %Y "$IMAGE/hull.json") ]]
		expect 0 hull delete --force "$ID"
	done
	equal "$(grep -hE '^[0-9a-f]{8}-' "$T/out1" "$T/out2" | sort -u | wc -l)" 4
	nothing_left
}

@test "what waits in its pipes is neither lost nor there twice" {
	script 'i=0; while [ ! -e /end ]; do i=$((i + 1)); echo line $i; done; echo "done"; sleep 1000'
	run_detached
	wait_for out_has 'line 500'
	expect 0 checkpoint
	cp "$OUT" "$T/first"
	restore_detached
	wait_for out_has line
	touch "$BUNDLE/rootfs/end"
	wait_for out_has 'done'
	cat "$T/first" "$OUT" | grep line >"$T/all"
	equal "$(md5sum <"$T/all")" "$(seq -f 'line %.0f' "$(wc -l <"$T/all")" | md5sum)"
	expect 0 hull delete --force "$ID"
	nothing_left
}

restore_fails() { # TEXT...
	expect 1 restore --detach
	one_error "$@"
	wait_for nothing_left
}

@test "an image that will not do: one line, and nothing is left" {
	restore_fails 'restore: open directory' 'No such file'
	start_counting
	expect 1 hull checkpoint --image-path "$BUNDLE/config.json" "$ID"
	one_error 'config.json'
	expect 1 hull checkpoint --image-path /proc/none "$ID"
	one_error '/proc/none'
	wait_for counts_beyond "$(count)"
	# no room: the container goes on
	mkdir "$IMAGE"
	mount -t tmpfs -o size=3M tmpfs "$IMAGE"
	expect 1 checkpoint
	one_error "checkpoint of container '$ID': snapshot: write the guest's memory: No space left on device"
	equal "$(ls "$IMAGE")" ''
	umount "$IMAGE"
	wait_for counts_beyond "$(count)"
	expect 0 hull exec "$ID" true
	expect 0 checkpoint
	cp -a "$IMAGE" "$T/good"
	bad() { rm -rf "$IMAGE" && cp -a "$T/good" "$IMAGE"; }

	bad && rm "$IMAGE/memory"
	restore_fails "open 'memory': No such file"
	bad && rm "$IMAGE/hull.json"
	restore_fails "open 'hull.json': No such file"
	bad && echo '{"version": 9, "id": "x"}' >"$IMAGE/hull.json"
	restore_fails "'hull.json' has version 9, this program reads 1"
	bad && echo '{"version": 1, "id": "../x"}' >"$IMAGE/hull.json"
	restore_fails '../x'
	bad && printf '\x07' | dd of="$IMAGE/state" bs=1 seek=8 conv=notrunc status=none
	restore_fails "'state' has version 7, this program reads 3"
	bad && printf 'damaged' | dd of="$IMAGE/state" bs=1 seek=2000 conv=notrunc status=none
	restore_fails "'state' is damaged"
	bad && printf 'damaged' | dd of="$IMAGE/memory" bs=1M seek=20 conv=notrunc status=none
	restore_fails "the memory's file is damaged"
	bad && truncate -s 1M "$IMAGE/memory"
	restore_fails "the memory's file has 1048576 bytes"
	bad && truncate -s 100 "$IMAGE/state"
	restore_fails "'state' has 100 bytes"
	bad
	config '.annotations["org.hull.vm.memory-mib"] = "80"'
	restore_fails 'it has 67108864 bytes of memory, the virtual machine has 83886080'
	config '.annotations["org.hull.vm.memory-mib"] = "64" | .annotations["org.hull.vm.cpus"] = "2"'
	restore_fails 'it has 1 processors, the virtual machine has 2'
	config 'del(.annotations["org.hull.vm.cpus"])'
	restore_detached
	wait_for counts_beyond "$(count)"
	expect 1 restore --detach
	one_error exist
	expect 0 hull delete --force "$ID"
	nothing_left
}

@test "a container that does not run cannot be saved" {
	counting
	create
	expect 1 checkpoint
	one_error 'is created, it has to be running'
	expect 0 hull start "$ID"
	expect 0 hull pause "$ID"
	expect 1 checkpoint
	one_error 'is paused, it has to be running'
	expect 0 hull resume "$ID"
	expect 0 hull kill "$ID" KILL
	wait_for has_status stopped
	expect 1 checkpoint
	one_error 'is stopped, it has to be running'
	expect 0 hull delete "$ID"
	[[ ! -e $IMAGE ]]
	nothing_left
}

@test "two processors, a terminal" {
	config '.annotations["org.hull.vm.cpus"] = "2" | .process.terminal = true'
	counting
	"$PEER" console "$T/console" >"$T/terminal" 3>&- &
	JOBS+=($!)
	wait_for test -S "$T/console"
	run_detached --console-socket "$T/console"
	wait_for counts_beyond 3
	expect 0 checkpoint
	at=$(count)
	rm -f "$T/console"
	"$PEER" console "$T/console" >"$T/terminal" 3>&- &
	JOBS+=($!)
	wait_for test -S "$T/console"
	restore_detached --console-socket "$T/console"
	wait_for counts_beyond "$at"
	touch "$BUNDLE/rootfs/end"
	wait_for grep -q 'ended at' "$T/terminal"
	wait_for has_status stopped
	expect 0 hull delete "$ID"
	nothing_left
}

# The pipe that is descriptor 8 takes no more.
is_full() {
	python3 -c 'import select, sys; sys.exit(bool(select.select([], [8], [], 0)[1]))'
}

@test "an output that nobody reads: no checkpoint is made that would lose it" {
	script 'head -c 3000000 /dev/zero | tr "\\0" x; echo; echo it is all there; sleep 1000'
	mkfifo "$T/fifo"
	exec 8<>"$T/fifo"
	hull run --detach --bundle "$BUNDLE" "$ID" >"$T/fifo" 2>&1 </dev/null 3>&- 8>&-
	wait_for is_full
	expect 1 checkpoint
	one_error 'its standard streams are under way: somebody does not read them'
	[[ ! -e $IMAGE ]]
	# who asks for one and goes away gets none: the container goes on
	"$RUNTIME" --root "$STATE" checkpoint --image-path "$IMAGE" "$ID" >"$T/log" 2>&1 3>&- 8>&- &
	pid=$!
	wait_for test -e "$IMAGE/state.part"
	kill -KILL "$pid"
	wait "$pid" || true
	timeout 200 head -c 3000017 "$T/fifo" >"$T/all"
	equal "$(tail -n 1 "$T/all")" 'it is all there'
	wait_for hull exec "$ID" true 8>&-
	equal "$(container_status)" running
	expect 0 checkpoint 8>&-
	exec 8>&-
	nothing_left
	equal "$(cd "$IMAGE" && echo *)" 'config.json hull.json memory state'
}
