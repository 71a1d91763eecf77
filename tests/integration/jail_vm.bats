#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# What hull-vmm and the server of its files have left while a container runs, held against the tables
# of docs/security.md: a line more or less, here or there, is a failure. What they cannot do with it is
# tried by tests/unit/microvm/test_jail.c and test_fsd_cell.c.

load lib
load vm

hull() {
	"$RUNTIME" --root "$STATE" --log "$T/log" "$@"
}

# A table of docs/security.md by the heading above it: the first two columns, sorted.
documented() { # HEADING
	awk -v heading="### $1" '
		$0 == heading { on = 1; next }
		on && /^#/ { exit }
		on && /^\| / && !/^\| --/ { if (rows++) print }' "$TOP/docs/security.md" |
		sed 's/`//g; s/^| \([^|]*\) | \([^|]*\) |.*/\1|\2/' | sort
}

matches_documented() { # HEADING WHAT-IS
	local table

	table=$(documented "$1")
	[[ $table ]] || {
		echo "docs/security.md has no table '$1'"
		return 1
	}
	diff <(echo "$table") <(sort <<<"$2") >"$T/difference" || {
		echo "$1: '<' is documented, '>' is so"
		cat "$T/difference"
		return 1
	}
}

running() {
	args sleep 1000
	run_detached
	VMM=$(container_pid)
	SERVER=$(pgrep -P "$VMM")
}

# --- descriptors ---

descriptors() { # PID
	local link fd

	for fd in "/proc/$1/fd"/*; do
		link=$(readlink "$fd") || continue
		case $link in
		*'(deleted)') link='guest memory' ;;
		"$T/log") link='the log' ;;
		"$OUT") link='a stream of the container' ;;
		anon_inode:*) link=${link#anon_inode:} ;;
		socket:* | pipe:*) link=${link%%:*} ;;
		/null | /dev/null) link=/dev/null ;;
		/ | /root | /root/*) link='the share' ;;
		esac
		echo "$link"
	done | sort | uniq -c | sed 's/^ *\([0-9]*\) \(.*\)/\2|\1/'
}

# A stream that has ended takes its descriptors with it, in its own time.
has_descriptors() { # HEADING PID [SED]
	local try

	for ((try = 0; try < 20; try++)); do
		matches_documented "$1" "$(descriptors "$2" | sed "${3-}")" >"$T/why" && return 0
		sleep 0.2
	done
	cat "$T/why"
	return 1
}

@test "descriptors: those of the documentation, and no other" {
	running
	has_descriptors 'Descriptors of hull-vmm' "$VMM"
	# The files that the guest has in use come and go.
	has_descriptors 'Descriptors of the file server' "$SERVER" 's/^the share|.*/the share|as many as the guest uses/'
	# Of the share's descriptors none leads out of it: they are all on its mounts.
	local mounts fd

	mounts=$(cut -d ' ' -f 1 "/proc/$SERVER/mountinfo")
	for fd in "/proc/$SERVER/fd"/*; do
		[[ $(readlink "$fd") == /root* ]] || continue
		grep -qxF "$(sed -n 's/^mnt_id:\t*//p' "/proc/$SERVER/fdinfo/${fd##*/}")" <<<"$mounts"
	done
}

# --- privileges ---

# As the documentation writes it: the user is the pid and a number.
status_of() { # TASK-DIRECTORY PID
	sed -n 's/^\(Uid\|Gid\|Groups\|Cap[A-Z][a-z][a-z]\|NoNewPrivs\|Seccomp\|Seccomp_filters\):[\t ]*/\1|/p' "$1/status" |
		sed "s/\<$((0x70000000 + $2))\>/0x70000000 + pid/g; s/\t/, /g; s/ *$//; s/|$/|none/"
}

@test "every thread: user, groups, capabilities, no new privileges, a filter" {
	local task n=0

	running
	for task in "/proc/$VMM/task"/*; do
		matches_documented 'Privileges of hull-vmm' "$(status_of "$task" "$VMM")"
		n=$((n + 1))
	done
	[[ $n -ge 3 ]]
	for name in hull-vmm hull-io hull-cpu0; do
		grep -qxF "$name" "/proc/$VMM/task"/*/comm
	done
	matches_documented 'Privileges of the file server' "$(status_of "/proc/$SERVER" "$SERVER")"
	# Not dumpable: what tells of memory is root's, though the process is not (man 5 proc).
	equal "$(stat -c %u "/proc/$VMM/mem" "/proc/$VMM/fd" "/proc/$SERVER/mem")" $'0\n0\n0'
	equal "$(sed -n 's/^Max core file size *\([0-9]*\) *\([0-9]*\).*/\1 \2/p' "/proc/$VMM/limits")" '0 0'
}

# --- what it sees ---

mounts_of() { # PID
	sed 's/^.* \(\/[^ ]*\) \([^ ]*\) - \([^ ]*\) [^ ]* \([^, ]*\).*/\1|\3, \2/; s/,relatime//; s/, */, /g' "/proc/$1/mountinfo"
}

@test "mounts: an empty root that nobody can write to, and the share" {
	running
	matches_documented 'Mounts of hull-vmm' "$(mounts_of "$VMM" | sed 's/|tmpfs, /|/')"
	equal "$(ls -A "/proc/$VMM/root/")" ''
	equal "$(readlink "/proc/$VMM/cwd")" /
	fails touch "/proc/$VMM/root/file"
	matches_documented 'Mounts of the file server' "$(mounts_of "$SERVER" | sed 's/|[a-z0-9]*, /|/')"
}

namespaces_of() { # PID
	local kind own

	for kind in cgroup ipc mnt net pid time user uts; do
		own=own
		[[ $(readlink "/proc/$1/ns/$kind") != "$(readlink "/proc/self/ns/$kind")" ]] || own="the host's"
		echo "$kind|$own"
	done
}

@test "namespaces" {
	running
	matches_documented 'Namespaces of hull-vmm' "$(namespaces_of "$VMM" | sed "s/^net|own/net|the container's/")"
	matches_documented 'Namespaces of the file server' "$(namespaces_of "$SERVER")"
	for kind in ipc mnt net pid uts; do
		[[ $(readlink "/proc/$VMM/ns/$kind") != "$(readlink "/proc/$SERVER/ns/$kind")" ]]
	done
	# It is not the first process of its own, or could not end by a signal.
	[[ $(awk '/^NSpid:/ {print NF - 1, $3}' "/proc/$VMM/status") == '2 2' ]]
}

first_process() {
	local space process

	space=$(readlink "/proc/$VMM/ns/pid")
	for process in /proc/[0-9]*; do
		[[ $(readlink "$process/ns/pid") != "$space" || $process == "/proc/$VMM" ]] || echo "${process#/proc/}"
	done
}

@test "the first process of its pid namespace has nothing, and ends with hull-vmm or ends it" {
	running
	first=$(first_process)
	[[ $first && $(readlink "/proc/$first/ns/pid") == "$(readlink "/proc/$VMM/ns/pid")" ]]
	equal "$(awk '/^NSpid:/ {print $3}' "/proc/$first/status")" 1
	equal "$(awk '/^Cap(Prm|Eff|Inh)/ {print $2}' "/proc/$first/status" | sort -u)" 0000000000000000
	equal "$(descriptors "$first")" $'/dev/null|3\n[pidfd]|1'
	equal "$(tr '\0' ' ' <"/proc/$first/cmdline" | sed 's/ *$//')" hull-init
	kill -KILL "$VMM"
	wait_for ends "$first"
	expect 0 hull delete "$ID"
	nothing_left
	running
	kill -KILL "$(first_process)"
	wait_for has_status stopped
	wait_for ends "$SERVER"
	expect 0 hull delete "$ID"
	nothing_left
}

ends() { # PID
	[[ ! -e /proc/$1 ]]
}

@test "two machines have two users, and a machine's user is no one's" {
	local other

	running
	config '.linux.cgroupsPath += "-b"'
	hull run --detach --bundle "$BUNDLE" "$ID-b" >"$T/b" 2>&1 </dev/null 3>&-
	other=$(hull state "$ID-b" | jq .pid)
	[[ $(stat -c %u "/proc/$VMM/status") == 0 ]]
	[[ $(awk '/^Uid/ {print $2}' "/proc/$VMM/status") != "$(awk '/^Uid/ {print $2}' "/proc/$other/status")" ]]
	fails getent passwd "$((0x70000000 + VMM))"
	expect 0 hull delete --force "$ID-b"
}

# --- what callers have of it stays ---

@test "in its jail: pid, exec, pause, kill and the exit status are as they were" {
	script 'trap "exit 7" TERM; echo up; while :; do sleep 0.1; done'
	run_detached --pid-file "$T/pid"
	equal "$(cat "$T/pid")" "$(container_pid)"
	wait_for out_has up
	expect 0 hull exec "$ID" echo there
	equal "$output" there
	expect 0 hull pause "$ID"
	equal "$(container_status)" paused
	expect 0 hull resume "$ID"
	expect 0 hull kill "$ID" TERM
	wait_for has_status stopped
	expect 0 hull delete "$ID"
	nothing_left
}

# The agent takes the host's connections only, so what a container might do is to take up its port.
@test "a container reaches neither the agent nor more of hull-vmm than the port of the agent's own" {
	cp "$O/tests/helper/attack" "$BUNDLE/rootfs/bin/attack"
	config '.process.capabilities[] += ["CAP_NET_BIND_SERVICE"]'
	args sleep 1000
	run_detached
	expect 0 hull exec "$ID" attack agent 3
	equal "$output" "connect 2:1: done
connect 2:2: ECONNRESET
connect 1:2: ECONNRESET
connect 3:2: ENODEV
bind 4294967295:2: EADDRINUSE
bind 3:2: EADDRINUSE"
	expect 0 hull exec "$ID" echo there
	equal "$output" there
}

# --- the host's files ---

# CVE-2025-24965 (crun's krun): a configuration written through a symlink of the image.
@test "nothing is written through the root file system, whatever it has for symlinks" {
	local before name

	echo mine >"$T/secret"
	for name in .krun_config.json config.json agent.json; do
		ln -s "$T/secret" "$BUNDLE/rootfs/$name"
	done
	ln -s "$T" "$BUNDLE/rootfs/hull"
	before=$(cd "$BUNDLE/rootfs" && find . -printf '%p %y %l %s %m %T@\n' | sort)
	args true
	expect 0 run_bundle </dev/null
	equal "$(cat "$T/secret")" mine
	equal "$(cd "$BUNDLE/rootfs" && find . -printf '%p %y %l %s %m %T@\n' | sort)" "$before"
}

# CVE-2026-1386 (Firecracker's jailer): a directory that was there before, with a symlink in it.
@test "a state directory that somebody made before is refused, and nothing is followed" {
	mkdir -p "$STATE/$ID" "$T/target"
	echo mine >"$T/target/file"
	ln -s "$T/target" "$STATE/$ID/share"
	ln -s "$T/target/file" "$STATE/$ID/config.json"
	ln -s "$T/target/file" "$STATE/$ID/vm.sock"
	expect 1 hull create --bundle "$BUNDLE" "$ID" </dev/null
	one_error exists
	equal "$(cat "$T/target/file")" mine
	equal "$(ls "$T/target")" file
	expect 0 hull delete --force "$ID"
	equal "$(cat "$T/target/file")" mine
	nothing_left
}

# The table of docs/security.md says what of the host a machine's files are: its root is a directory.
# CVE-2026-24054 (Kata): a bind mount that was taken for a disk.
@test "a root that is no directory is refused; an empty one is empty" {
	mkdir "$BUNDLE/empty"
	truncate -s 1M "$BUNDLE/disk"
	for config in '"disk"' '"/dev/null"' '"/dev/zero"'; do
		config ".root.path = $config"
		expect 1 hull create --bundle "$BUNDLE" "$ID" </dev/null
		one_error root
	done
	config '.root.path = "empty" | .process.args = ["/bin/true"]'
	expect 1 hull create --bundle "$BUNDLE" "$ID" </dev/null
	one_error /bin/true
	nothing_left
}

# CVE-2020-2024, CVE-2020-2026 (Kata): the host unmounts or mounts where the guest's symlinks lead;
# CVE-2020-2023, CVE-2020-2025: a guest writes to the image that others boot from.
@test "the host's mounts and the guest's images stay as they are" {
	local before guest

	guest=$(cd "$O/guest" && sha256sum vmlinux-fast initramfs)
	mkdir -p "$T/volume/inside" "$T/target"
	touch "$T/target/file"
	config '.mounts += [{destination: "/volume", type: "bind", source: $s, options: ["rbind"]}]' --arg s "$T/volume"
	before=$(</proc/self/mountinfo)
	script 'rm -r /volume/inside; ln -s / /volume/inside; ln -s "$TARGET" /volume/target
		rm -rf /etc; ln -s / /etc; for d in /dev/vd* /dev/pmem* /dev/mem /dev/kmem; do [ ! -e $d ] || echo $d; done
		echo up; sleep 1000'
	config '.process.env += ["TARGET=" + $t]' --arg t "$T/target"
	run_detached
	wait_for out_has up
	equal "$(cat "$OUT")" up
	equal "$(</proc/self/mountinfo)" "$before"
	expect 0 hull delete --force "$ID"
	equal "$(</proc/self/mountinfo)" "$before"
	[[ -e $T/target/file && -L $T/volume/target ]]
	equal "$(cd "$O/guest" && sha256sum vmlinux-fast initramfs)" "$guest"
}

# --- what hull-oci makes of it ---

# Another in hull-vmm's place, which says what it likes.
taken_over() { # TEXT [ERROR]
	[[ -e $T/vm.sock ]] || mv "$STATE/$ID/vm.sock" "$T/vm.sock"
	rm -f "$STATE/$ID/vm.sock"
	printf %s "$1" >"$T/text"
	"$PEER" vmm "$STATE/$ID/vm.sock" "$T/text" "${@:2}" 3>&- &
	JOBS+=($!)
	wait_for test -S "$STATE/$ID/vm.sock"
}

@test "what a guest says reaches no terminal as control characters" {
	local escape=$'\e]0;title\a\e[31m'

	running
	taken_over $'7\n'"$escape"$'\n\b\r\x7f8 x\n'
	expect 0 hull ps "$ID"
	equal "$output" $'7\n?]0;title??[31m\n???8 x'
	expect 0 hull ps --format json "$ID"
	equal "$output" '[7]'
	expect 1 hull events --stats "$ID"
	one_error "the guest's statistics"
	fails grep -q '[[:cntrl:]]' <<<"$output"
	taken_over "$(jq -n --arg e "$escape" '{data: {($e): $e}}')"
	expect 0 hull events --stats "$ID"
	fails grep -q '[[:cntrl:]]' <<<"$output"
	equal "$(jq -r '.data | to_entries[] | .key + .value' <<<"$output")" "$escape$escape"
	taken_over '' "$escape"
	expect 1 hull ps "$ID"
	one_error '[31m'
	fails grep -q '[[:cntrl:]]' <<<"$output"
	fails grep -q '[[:cntrl:]]' "$T/log"
	taken_over "$(head -c 1100000 /dev/zero | tr '\0' 7)"
	expect 1 hull ps "$ID"
	one_error 'is larger than'
	rm "$STATE/$ID/vm.sock"
	mv "$T/vm.sock" "$STATE/$ID/vm.sock"
	expect 0 hull delete --force "$ID"
}
