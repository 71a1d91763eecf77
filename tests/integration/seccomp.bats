#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine
#
# seccomp filters, tried by calls that they should and should not let through.

load lib

seccomp() { # JSON
	config '.linux.seccomp = $s' --argjson s "$1"
}

@test "a denied call gets the error asked for, others pass" {
	seccomp '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28},
		{"names": ["rmdir", "unlinkat"], "action": "SCMP_ACT_ERRNO"}]}'
	script 'mkdir /x; rmdir /tmp; touch /y && echo touched'
	expect 0 run_bundle
	says "mkdir: can't create directory '/x': No space left on device"
	says "rmdir: '/tmp': Operation not permitted"
	says touched
}

@test "a default that denies, and a list that allows" {
	seccomp '{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "syscalls": [{"names": ["execve", "exit_group", "write",
		"writev", "brk", "mmap", "munmap", "mprotect", "arch_prctl", "set_tid_address", "rt_sigprocmask", "rt_sigaction", "getrandom",
		"set_robust_list", "rseq", "prlimit64", "readlink", "readlinkat", "newfstatat", "fstat", "ioctl", "uname", "getpid", "prctl", "sigaltstack",
		"futex", "close", "read", "close_range", "fcntl", "setgroups", "setgid", "setuid", "setresuid", "setresgid", "capset", "capget",
		"chdir", "getcwd", "open", "openat", "epoll_ctl", "epoll_pwait", "epoll_wait", "nanosleep", "tgkill", "gettid", "stat", "statx",
		"fstatfs", "sched_yield", "madvise", "clone", "clone3", "poll", "ppoll", "getuid", "geteuid", "getgid", "getegid", "faccessat2", "getdents64"], "action": "SCMP_ACT_ALLOW"}]}'
	args probe syscall 63 # uname, with a bad address
	expect 0 run_bundle
	equal "$output" EFAULT
	args probe syscall 102 # getuid
	expect 0 run_bundle
	equal "$output" 0
	args probe syscall 96 # gettimeofday
	expect 0 run_bundle
	equal "$output" ENOSYS
}

@test "conditions on arguments, 64 bits wide" {
	seccomp '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 10, "args": [{"index": 0, "value": 77, "op": "SCMP_CMP_EQ"}]},
		{"names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 11, "args": [{"index": 1, "value": 4242, "op": "SCMP_CMP_EQ"}]},
		{"names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 12, "args": [{"index": 1, "value": 65280, "valueTwo": 4608, "op": "SCMP_CMP_MASKED_EQ"}]}]}'
	script 'probe syscall 140 77 0; probe syscall 140 78 0xffffffffffffffff; probe syscall 140 78 0x12ff; probe syscall 140 78 0xfffffffffffffffe'
	sed -i 's/\b4242\b/18446744073709551615/' "$BUNDLE/config.json" # jq would round it
	expect 0 run_bundle
	equal "$(tr '\n' ' ' <<<"$output")" 'ECHILD EAGAIN ENOMEM EINVAL '
}

@test "two conditions on one argument are alternatives" {
	seccomp '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 10,
		"args": [{"index": 0, "value": 77, "op": "SCMP_CMP_EQ"}, {"index": 0, "value": 78, "op": "SCMP_CMP_EQ"}]}]}'
	script 'for n in 77 78 79; do probe syscall 140 $n 0; done'
	expect 0 run_bundle
	equal "$(tr '\n' ' ' <<<"$output")" 'ECHILD ECHILD EINVAL '
}

@test "KILL, KILL_PROCESS and TRAP end the program" {
	for action in SCMP_ACT_KILL SCMP_ACT_KILL_PROCESS SCMP_ACT_KILL_THREAD SCMP_ACT_TRAP; do
		seccomp "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"getpriority\"], \"action\": \"$action\"}]}"
		args probe syscall 140 0 0
		expect 159 run_bundle
	done
}

@test "unknown calls are skipped, unknown actions and architectures are errors" {
	seccomp '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["no_such_call", "getpriority"], "action": "SCMP_ACT_ERRNO"}]}'
	args probe syscall 140 0 0
	expect 0 run_bundle
	says EPERM
	seccomp '{"defaultAction": "SCMP_ACT_SOMETHING"}'
	expect 1 run_bundle
	says SCMP_ACT_SOMETHING
	seccomp '{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_PDP11"], "syscalls": [{"names": ["getpriority"], "action": "SCMP_ACT_ERRNO"}]}'
	expect 1 run_bundle
	says SCMP_ARCH_PDP11
	nothing_left
}

@test "without no-new-privileges the filter is loaded while it still may be" {
	config '.process.noNewPrivileges = false'
	seccomp '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["getpriority"], "action": "SCMP_ACT_ERRNO"}]}'
	script 'probe syscall 140 0 0; grep -E "^(Seccomp|NoNewPrivs):" /proc/self/status | cut -f2'
	expect 0 run_bundle
	equal "$(tr '\n' ' ' <<<"$output")" 'EPERM 0 2 '
}

@test "calls newer than the profile fail with ENOSYS" {
	only_hull
	seccomp "$(jq -c '{defaultAction: "SCMP_ACT_ERRNO", architectures: .architectures, syscalls: [.syscalls[] | select(.action == "SCMP_ACT_ALLOW") | {names, action}]}' /usr/share/containers/seccomp.json)"
	args probe syscall 600
	expect 0 run_bundle
	equal "$output" ENOSYS
}

@test "the profile that engines send works whole" {
	[[ -e /usr/share/containers/seccomp.json ]] || skip 'no /usr/share/containers/seccomp.json (golang-github-containers-common)'
	seccomp "$(jq -c '{defaultAction, defaultErrnoRet, architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
		syscalls: [.syscalls[] | select((.includes.caps // .excludes.caps // []) == []) | {names, action, args, errnoRet} | with_entries(select(.value != null))]}' \
		/usr/share/containers/seccomp.json)"
	script 'probe syscall 175 0 0 0; id -u' # init_module; the profile's own default is ENOSYS
	expect 0 run_bundle
	equal "$output" $'ENOSYS\n0'
}

@test "flags" {
	only_hull
	seccomp '{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"],
		"syscalls": [{"names": ["getpriority"], "action": "SCMP_ACT_ERRNO"}]}'
	args probe syscall 140 0 0
	expect 0 run_bundle
	equal "$output" EPERM
	seccomp '{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_WHATEVER"], "syscalls": [{"names": ["getpriority"], "action": "SCMP_ACT_ERRNO"}]}'
	expect 1 run_bundle
	says SECCOMP_FILTER_FLAG_WHATEVER
}

@test "notify: a listener gets the state and answers calls, of exec too" {
	seccomp "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"listenerPath\": \"$T/seccomp\", \"listenerMetadata\": \"some data\",
		\"syscalls\": [{\"names\": [\"getpriority\"], \"action\": \"SCMP_ACT_NOTIFY\"}]}"
	"$PEER" seccomp "$T/seccomp" 42 >"$T/notified" 2>&1 3>&- &
	JOBS+=($!)
	wait_for test -S "$T/seccomp"
	args probe syscall 140 0 0
	expect 0 run_bundle
	equal "$output" ENOMSG
	equal "$(sed -n 2p "$T/notified")" 140
	equal "$(head -1 "$T/notified" | jq -r '[.metadata, .state.id, .fds[0], (.pid > 0)] | join(" ")')" "some data $ID seccompFd true"
}

@test "notify without a listener, or as the default, is an error" {
	seccomp '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["getpriority"], "action": "SCMP_ACT_NOTIFY"}]}'
	expect 1 run_bundle
	seccomp "{\"defaultAction\": \"SCMP_ACT_NOTIFY\", \"listenerPath\": \"$T/none\"}"
	expect 1 run_bundle
	nothing_left
}

@test "a filter that is used again holds as the first time, and a changed one is not mixed up with it" {
	args probe syscall 140 0 0
	for errno in 10 10 11 10; do
		seccomp "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"getpriority\"], \"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": $errno}]}"
		run_bundle >>"$OUT"
	done
	equal "$(tr '\n' ' ' <"$OUT")" 'ECHILD ECHILD EAGAIN ECHILD '
}
