#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine
#
# Containers on older kernels and in sandboxes: newer calls forced away by
# HULL_NO_…, or made to fail by strace (docs/kernel.md lists them all).

load lib

# for the emulated host
TEST_LIMIT=${TEST_LIMIT:-600}

setup() {
	begin
	only_hull
}

traced() { # STRACE-OPTION... -- COMMAND...
	command -v strace >/dev/null || skip 'strace is needed'
	strace -f --seccomp-bpf -qq -o "$T/trace" "$@"
}

# Every namespace of a process, one a line.
spaces='for n in /proc/self/ns/*; do readlink $n; done'

spaces_of() { # PID
	readlink /proc/"$1"/ns/*
}

@test "exec without setns on a pidfd joins every namespace" {
	config '.linux.namespaces += [{"type": "cgroup"}, {"type": "time"}]'
	run_detached
	HULL_NO_PIDFD_SETNS=1 expect 0 hull exec "$ID" sh -c "$spaces"
	equal "$output" "$(spaces_of "$(container_pid)")"
	HULL_NO_PIDFD_SETNS=1 traced -e trace=setns "$RUNTIME" --root "$STATE" exec "$ID" true 3>&-
	[[ $(grep -c 'setns(' "$T/trace") -gt 6 ]]
	traced -e trace=setns "$RUNTIME" --root "$STATE" exec "$ID" true 3>&-
	[[ $(grep -c 'setns(' "$T/trace") -le 3 ]]
}

@test "exec without setns on a pidfd joins a user namespace and what belongs to it" {
	with_user_namespace
	run_detached
	HULL_NO_PIDFD_SETNS=1 expect 0 hull exec "$ID" sh -c "$spaces"
	equal "$output" "$(spaces_of "$(container_pid)")"
	HULL_NO_PIDFD_SETNS=1 expect 0 hull exec "$ID" id -u
	equal "$output" 0
}

@test "descriptors are closed and preserved without close_range" {
	script 'for n in 3 4 9; do [ ! -e /proc/$$/fd/$n ] || echo has $n; done; echo end'
	HULL_NO_CLOSE_RANGE=1 expect 0 hull run --bundle "$BUNDLE" "$ID" 3</etc/passwd 9</etc/passwd
	equal "$output" end
	HULL_NO_CLOSE_RANGE=1 expect 0 hull run --preserve-fds 1 --bundle "$BUNDLE" "$ID" 3</etc/passwd 9</etc/passwd
	equal "$output" $'has 3\nend'
	HULL_NO_CLOSE_RANGE=1 traced -e trace=close_range "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" 3>&-
	fails grep close_range "$T/trace"
}

@test "the own binary is a sealed copy where it cannot be a read-only mount" {
	for denied in '' HULL_NO_MOUNT_API=1; do
		env $denied "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" >"$OUT" 2>&1 </dev/null 3>&- &
		JOBS+=($!)
		wait_for has_status running
		exe=$(readlink "/proc/$!/exe")
		if [[ -n $denied ]]; then
			matches "$exe" '/memfd:hull*'
		else
			equal "$exe" / # the root of a mount that is mounted nowhere
		fi
		fails sh -c "echo >/proc/$!/exe"
		hull kill "$ID" KILL
		wait $! || equal $? 137
	done
}

# What an old kernel answers, and what a sandbox that knows none of them does.
@test "a container and exec without any of the newer calls" {
	newer=clone3,close_range,openat2,faccessat2,fsopen,open_tree,move_mount,mount_setattr
	for error in ENOSYS EPERM; do
		args hostname
		expect 0 traced -e trace=$newer -e inject=$newer:error=$error \
			"$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" 3>&-
		equal "$output" box
		for call in clone3 close_range openat2 faccessat2 fsopen open_tree; do
			grep -q "$call(.*INJECTED" "$T/trace" || { echo "$call was not called"; false; }
		done
		args sleep 1000
		run_detached
		expect 0 traced -e trace=$newer -e inject=$newer:error=$error \
			"$RUNTIME" --root "$STATE" exec "$ID" hostname 3>&-
		equal "$output" box
		hull delete --force "$ID"
	done
}

@test "a filter where the kernel does not know the flag that is the default" {
	config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW",
		"syscalls": [{"names": ["sethostname"], "action": "SCMP_ACT_ERRNO"}]}'
	args grep Seccomp: /proc/self/status
	expect 0 traced -e trace=seccomp -e inject=seccomp:error=EINVAL:when=1 \
		"$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" 3>&-
	equal "$output" $'Seccomp:\t2'
	grep -q 'SPEC_ALLOW.*INJECTED' "$T/trace"
}

@test "exec and delete where the kernel does not tell a mount's number" {
	run_detached
	HULL_NO_OPENAT2=1 expect 0 traced -e trace=statx -e inject=statx:error=ENOSYS \
		"$RUNTIME" --root "$STATE" exec "$ID" hostname 3>&-
	equal "$output" box
	grep -q 'STATX_MNT_ID.*INJECTED' "$T/trace"
	HULL_NO_OPENAT2=1 expect 0 traced -e trace=statx -e inject=statx:error=ENOSYS \
		"$RUNTIME" --root "$STATE" delete --force "$ID" 3>&-
	[[ ! -e $STATE/$ID ]]
}

@test "a clone into the cgroup that is refused" {
	needs_v2
	args cat /proc/self/cgroup
	expect 0 traced -e trace=clone3 -e inject=clone3:error=EBUSY:when=1 \
		"$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" 3>&-
	equal "$output" "0::$CGROUP"
	grep -q 'CLONE_INTO_CGROUP.*EBUSY' "$T/trace"
}

@test "a pid file where the file system has no O_TMPFILE, or no links" {
	create=("$RUNTIME" --root "$STATE" create --bundle "$BUNDLE" --pid-file "$T/pid" "$ID")
	command -v strace >/dev/null || skip 'strace is needed'
	"${create[@]}" >"$OUT" 2>&1 </dev/null 3>&- # makes the state directory's parents
	hull delete --force "$ID"
	strace -qq -e trace=openat -o "$T/trace" "${create[@]}" >"$OUT" 2>&1 </dev/null 3>&-
	nth=$(grep openat "$T/trace" | grep -n O_TMPFILE | cut -d: -f1)
	hull delete --force "$ID"
	for inject in "openat:error=EOPNOTSUPP:when=$nth" "openat:error=EISDIR:when=$nth" \
		linkat:error=ENOENT:when=1 linkat:error=EPERM; do
		for before in '' 12345678; do
			rm -f "$T/pid"
			[[ -z $before ]] || echo "$before" >"$T/pid"
			strace -qq -e trace="${inject%%:*}" -e inject="$inject" -o "$T/trace" "${create[@]}" \
				>"$OUT" 2>&1 </dev/null 3>&- || { cat "$OUT"; false; }
			grep -q INJECTED "$T/trace"
			equal "$(cat "$T/pid")" "$(container_pid)"
			equal "$(compgen -G "$T/pid*")" "$T/pid"
			hull delete --force "$ID"
		done
	done
}

# A bind of the root in the root differs from it by the number of its mount alone.
@test "mounts where statx is denied" {
	ln -s / "$BUNDLE/rootfs/loop"
	for error in ENOSYS EPERM; do
		for space in '' user; do
			default_config >"$BUNDLE/config.json"
			[[ -z $space ]] || with_user_namespace
			args sh -c 'grep -c " /copy " /proc/self/mountinfo; stat -f -c %T /copy'
			config '.mounts += [{"destination": "/copy", "type": "bind", "source": $r, "options": ["bind"]},
				{"destination": "/copy", "type": "tmpfs", "source": "tmpfs"}]' --arg r "$BUNDLE/rootfs"
			expect 0 traced -e trace=statx -e inject=statx:error=$error \
				"$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" 3>&-
			equal "$output" $'2\ntmpfs'
			grep -q 'STATX_MNT_ID.*INJECTED' "$T/trace"
			config '.mounts += [{"destination": "/loop", "type": "tmpfs", "source": "tmpfs"}]'
			expect 1 traced -e trace=statx -e inject=statx:error=$error \
				"$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" 3>&-
			one_error 'mounts[7]' /loop 'the root itself'
		done
	done
}
