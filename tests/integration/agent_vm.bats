#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# hull-agent as the first process of a guest: a container from a shared directory, its streams over
# the machine's sockets, and what it finds around it.

load lib
load vm

setup() {
	needs_kvm
	begin
	config '.root.path = "/run/hull/share/rootfs"
		| .mounts += [{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]}]'
}

# container STATUS [WORD]...: runs the bundle in a guest.
container() {
	local want=$1

	shift
	expect "$want" timeout 300 "$O/tests/guest/run" "$O/guest/vmlinux-fast" "$O/guest/initramfs" "$BUNDLE" 1 "$@"
}

@test "streams apart, exit status, one process after the other" {
	script 'cat; echo trouble >&2; exit 3'
	echo word | {
		timeout 300 "$O/tests/guest/run" "$O/guest/vmlinux-fast" "$O/guest/initramfs" "$BUNDLE" 2 \
			>"$OUT" 2>"$T/err" || echo "$?" >"$T/status"
	}
	equal "$(cat "$OUT" "$T/err" "$T/status")" $'word\ntrouble\n3'
}

@test "a process that is killed, and one that cannot be started" {
	config 'del(.linux.namespaces[] | select(.type == "pid"))'
	script 'kill -9 $$'
	container 137
	args /no/such/program
	container 255
	says "run: create: process.args: executable '/no/such/program': no such file or directory"
}

@test "a terminal of its size" {
	config '.process.terminal = true'
	script 'tty; stty size; cat; echo end'
	printf 'line\n\004' >"$T/in"
	container 0 tty <"$T/in"
	says $'/dev/pts/0\r\n33 99\r\nline\r\nend\r'
}

@test "20 MB through it come out as they were" {
	head -c 20M /dev/urandom >"$T/in"
	args cat
	timeout 300 "$O/tests/guest/run" "$O/guest/vmlinux-fast" "$O/guest/initramfs" "$BUNDLE" 1 <"$T/in" >"$OUT"
	cmp "$T/in" "$OUT"
}

@test "what is around it: group, limits, score, clock, root" {
	local now
	config '.linux.resources.memory = {"limit": 50003968} | .process.rlimits = []'
	script 'cat /proc/self/cgroup /sys/fs/cgroup/memory.max /proc/self/oom_score_adj; ulimit -Sn; ulimit -Hn;
		grep -c . /proc/self/mountinfo; hostname; date +%s; ls /; touch /written'
	now=$(date +%s)
	container 0
	says "0::$CGROUP"
	equal "${lines[*]:1:4}" '50003968 0 1024 1048576'
	equal "${lines[6]}" box
	((lines[7] >= now && lines[7] < now + 50))
	[[ -e $BUNDLE/rootfs/written ]]
}

@test "a kill for lack of memory is told" {
	config '.linux.resources.memory = {"limit": 20000000, "swap": 20000000}'
	args probe eat 100
	container 137
	says "run: out of memory in 'box'"
}

@test "a user namespace, a filter, a read-only root" {
	with_user_namespace
	config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW",
			"syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 99}]}
		| .root.readonly = true'
	script 'cat /proc/self/uid_map; mkdir /tmp/x; touch /y'
	container 1
	says '100000'
	says 'Read-only file system'
	says 'mkdir'
}
