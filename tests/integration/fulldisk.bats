#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# No room where hull-oci wants to write: one line that names the file and the
# cause, exit status 1, and nothing left behind.  The room runs out at every
# write in turn, on a file system that is really full; a read-only one, and
# places that cannot be written, behave alike.

load lib

setup() {
	begin
	STATE=$T/small/state
	mkdir "$T/small"
}

teardown() {
	[[ -n ${T-} ]] || return 0
	delete_all
	! mountpoint -q "$T/small" || umount "$T/small"
	end
}

# small PAGES INODES: a state root with room for that; it needs one inode itself, and its root another.
small() {
	! mountpoint -q "$T/small" || umount "$T/small"
	mount -t tmpfs -o "size=$((4096 * $1)),nr_inodes=$((2 + $2))" tmpfs "$T/small"
	mkdir "$T/small/state"
}

used_inodes() {
	df --output=iused "$T/small" | tail -1
}

used_blocks() {
	df --output=used "$T/small" | tail -1
}

# create fails for lack of room and names the file; everything is as it was before.
create_says_full() { # FILE
	local before

	before=$(used_inodes):$(used_blocks)
	expect 1 hull create --bundle "$BUNDLE" --pid-file "$T/small/pid" "$ID" </dev/null 3>&-
	one_error "$1" 'No space left on device'
	equal "$(ls -A "$T/small")" state
	equal "$(ls "$STATE")" ''
	equal "$(used_inodes):$(used_blocks)" "$before"
	equal "$(find /sys/fs/cgroup -name "*$ID*")" ''
	wait_for no_process
}

no_process() {
	! leftovers | grep -q ^process
}

create_works() {
	hull create --bundle "$BUNDLE" --pid-file "$T/small/pid" "$ID" >"$OUT" 2>&1 </dev/null 3>&- || {
		cat "$OUT"
		return 1
	}
	equal "$(cat "$T/small/pid")" "$(container_pid)"
	expect 0 hull start "$ID"
	equal "$(container_status)" running
	expect 0 hull delete --force "$ID"
	equal "$(ls -A "$STATE")" ''
}

@test "no inode for the state directory and each file in it" {
	only_hull
	small 16 0
	create_says_full "$STATE/$ID"
	small 16 1
	create_says_full config.json
	small 16 2
	create_says_full exec.fifo
	small 16 3
	create_says_full state.json
	small 16 4
	create_says_full "$T/small/pid"
	small 16 5
	create_works
}

@test "no block for each file in the state directory" {
	only_hull
	config '.annotations = {fill: $a}' --arg a "$(printf '%04096d' 0)"
	small 1 20
	create_says_full config.json
	small 2 20
	create_says_full state.json
	small 4 20
	create_says_full "$T/small/pid"
	small 5 20
	create_works
}

@test "room runs out at each byte of the configuration's copy" {
	only_hull
	config '.annotations = {fill: $a}' --arg a "$(printf '%030000d' 0)"
	for pages in 1 2 4 7; do
		small "$pages" 20
		create_says_full config.json
	done
}

@test "with hooks, the state they may ask for does not fit" {
	only_hull
	config '.annotations = {fill: $a} | .hooks = {"prestart": [{"path": "/bin/touch", "args": ["touch", $t]}],
		"poststop": [{"path": "/bin/true"}]}' --arg a "$(printf '%04096d' 0)" --arg t "$T/touched"
	small 2 20
	create_says_full state.json
	[[ ! -e $T/touched ]]
}

@test "no room for the compiled filter is no error, and no half of it stays" {
	only_hull
	config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW",
		"syscalls": [range(300) | {"names": ["personality"], "action": "SCMP_ACT_ERRNO",
			"args": [{"index": 0, "value": ., "op": "SCMP_CMP_EQ"}]}]}'
	small 64 20
	create
	expect 0 hull delete --force "$ID"
	[[ $(stat -c %s "$STATE"/.seccomp/*) -gt 4096 ]]
	# the copy of config.json and state.json
	small $((($(stat -c %s "$BUNDLE/config.json") + 4095) / 4096 + 1)) 20
	create
	expect 0 hull start "$ID"
	expect 0 hull delete --force "$ID"
	equal "$(find "$STATE" -type f)" ''
}

@test "run has no room: nothing runs" {
	only_hull
	script "touch /proc/self/comm; echo ran"
	small 16 2
	expect 1 hull run --bundle "$BUNDLE" "$ID" </dev/null 3>&-
	one_error state.json 'No space left on device'
	equal "$(ls -A "$STATE")" ''
}

@test "exec has no room for its pid file: its process ends, the container stays" {
	only_hull
	small 16 4
	hull run --detach --bundle "$BUNDLE" "$ID" >"$OUT" 2>&1 </dev/null 3>&-
	touch "$T/small/fill" "$T/small/fill2" 2>/dev/null || true
	expect 1 hull exec --detach --pid-file "$T/small/pid" "$ID" sleep 1001 </dev/null 3>&-
	one_error "$T/small/pid" 'No space left on device'
	equal "$(container_status)" running
	equal "$(hull ps --format json "$ID" | jq length)" 1
	expect 0 hull exec "$ID" true
	expect 0 hull delete --force "$ID"
	equal "$(ls -A "$STATE")" ''
}

@test "delete, kill and start need no room" {
	only_hull
	small 16 4
	create --pid-file "$T/pid"
	touch "$T/small/fill" "$T/small/fill2" 2>/dev/null || true
	expect 0 hull start "$ID"
	expect 0 hull kill "$ID" KILL
	wait_for has_status stopped
	expect 0 hull delete "$ID"
	equal "$(ls -A "$STATE")" ''
}

@test "a read-only state root" {
	small 16 20
	mount -o remount,ro "$T/small"
	expect 1 hull create --bundle "$BUNDLE" "$ID" </dev/null 3>&-
	one_error "$STATE/$ID" 'Read-only file system'
	equal "$(find /sys/fs/cgroup -name "*$ID*")" ''
	expect 1 hull state "$ID"
	one_error 'does not exist'
	expect 0 hull list
}

@test "a state root that became read-only: what needs no write works, delete can be tried again" {
	only_hull
	small 16 20
	run_detached
	mount -o remount,ro "$T/small"
	equal "$(container_status)" running
	expect 0 hull exec "$ID" true
	expect 1 hull delete --force "$ID"
	one_error 'Read-only file system'
	mount -o remount,rw "$T/small"
	expect 0 hull delete --force "$ID"
	equal "$(ls -A "$STATE")" ''
}

@test "a state root that cannot be made" {
	touch "$T/small/file"
	STATE=$T/small/file/state
	expect 1 hull create --bundle "$BUNDLE" "$ID" </dev/null 3>&-
	one_error "$STATE" 'Not a directory'
	STATE=$T/small/file
	expect 1 hull create --bundle "$BUNDLE" "$ID" </dev/null 3>&-
	one_error "$STATE" 'Not a directory'
}

@test "a pid file that cannot be written" {
	for file in "$T/none/pid" "$T/small" "$OUT/pid" "/proc/pid"; do
		: >"$OUT"
		expect 1 hull create --bundle "$BUNDLE" --pid-file "$file" "$ID" </dev/null 3>&-
		one_error "$file"
		[[ ! -d $STATE ]] || equal "$(ls -A "$STATE")" ''
		equal "$(find /sys/fs/cgroup -name "*$ID*")" ''
		wait_for no_process
	done
	[[ -d $T/small ]]
}

@test "a console socket that is missing, or no socket" {
	config '.process.terminal = true'
	touch "$T/file"
	for socket in "$T/none" "$T/none/socket" "$T/file" "$T"; do
		expect 1 hull create --bundle "$BUNDLE" --console-socket "$socket" "$ID" </dev/null 3>&-
		one_error "$socket" --console-socket
		[[ ! -d $STATE ]] || equal "$(ls -A "$STATE")" ''
		equal "$(find /sys/fs/cgroup -name "*$ID*")" ''
		wait_for no_process
	done
}
