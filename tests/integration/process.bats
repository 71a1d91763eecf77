#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine
#
# Attributes of the process: limits, capabilities, scheduling, priorities,
# keyring, personality, no new privileges.

load lib

@test "resource limits" {
	config '.process.rlimits = [{"type": "RLIMIT_STACK", "soft": 4194304, "hard": 5242880},
		{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}, {"type": "RLIMIT_NOFILE", "soft": 99, "hard": 111}]'
	script 'ulimit -s; ulimit -Hs; ulimit -c; ulimit -n; ulimit -Hn'
	expect 0 run_bundle
	[[ ${RUNTIME##*/} == runc ]] || equal "$(tr '\n' ' ' <<<"$output")" '4096 5120 0 99 111 '
}

@test "a low limit does not hinder hull itself" {
	config '.process.rlimits = [{"type": "RLIMIT_NOFILE", "soft": 3, "hard": 3},
		{"type": "RLIMIT_NPROC", "soft": 1, "hard": 1}, {"type": "RLIMIT_FSIZE", "soft": 0, "hard": 0},
		{"type": "RLIMIT_MEMLOCK", "soft": 0, "hard": 0}]'
	args true
	only_hull
	expect 0 run_bundle
}

@test "an unknown or doubled limit is an error" {
	config '.process.rlimits = [{"type": "RLIMIT_FOO", "soft": 1, "hard": 1}]'
	expect 1 run_bundle
	says RLIMIT_FOO
	config '.process.rlimits = [{"type": "RLIMIT_CORE", "soft": 1, "hard": 1}, {"type": "RLIMIT_CORE", "soft": 2, "hard": 2}]'
	expect 1 run_bundle
	only_hull
	says RLIMIT_CORE
	nothing_left
}

@test "capabilities: exactly the configured sets" {
	config '.process.capabilities = {"bounding": ["CAP_KILL", "CAP_CHOWN", "CAP_SETUID"], "permitted": ["CAP_KILL", "CAP_CHOWN"],
		"effective": ["CAP_KILL"], "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"]}
		| .process.user = {"uid": 1000, "gid": 1000}'
	args grep -E '^Cap' /proc/self/status
	expect 0 run_bundle
	# execve: a user other than root has what is ambient
	equal "$(tr -d '\t' <<<"$output" | tr '\n' ' ')" \
		'CapInh:0000000000000020 CapPrm:0000000000000020 CapEff:0000000000000020 CapBnd:00000000000000a1 CapAmb:0000000000000020 '
}

@test "without capabilities in the configuration the program has none" {
	config 'del(.process.capabilities)'
	args grep -E '^Cap(Prm|Eff|Bnd|Amb)' /proc/self/status
	only_hull
	expect 0 run_bundle
	equal "$(cut -f2 <<<"$output" | sort -u)" 0000000000000000
}

@test "a capability that is unknown is a warning" {
	config '.process.capabilities.bounding += ["CAP_NO_SUCH"] | .process.capabilities.effective += ["CAP_NO_SUCH"]'
	args true
	expect 0 run_bundle
	says CAP_NO_SUCH
}

@test "no new privileges: a set-uid program has none" {
	chmod u+s "$BUNDLE/rootfs/bin/probe"
	config '.process.user = {"uid": 1000, "gid": 1000} | .process.capabilities.effective = []
		| .process.capabilities.permitted = []'
	args probe ids
	expect 0 run_bundle
	equal "$output" '1000 1000'
	config '.process.noNewPrivileges = false'
	expect 0 run_bundle
	equal "$output" '1000 0'
}

@test "oomScoreAdj is set when given and untouched when not" {
	args cat /proc/self/oom_score_adj
	expect 0 run_bundle
	equal "$output" "$(cat /proc/self/oom_score_adj)"
	config '.process.oomScoreAdj = 321'
	expect 0 run_bundle
	equal "$output" 321
}

@test "scheduler, nice and ioPriority" {
	only_hull
	config '.process.scheduler = {"policy": "SCHED_BATCH", "nice": 5, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}
		| .process.ioPriority = {"class": "IOPRIO_CLASS_BE", "priority": 6}'
	args probe attributes
	expect 0 run_bundle
	equal "$(grep -E '^(policy|sched_flags|nice|ioprio)' <<<"$output" | tr '\n' ' ')" \
		'policy 3 sched_flags 1 nice 5 ioprio 2 6 '
}

@test "an unknown scheduling policy or class is an error that names it" {
	only_hull
	config '.process.scheduler = {"policy": "SCHED_FAST"}'
	expect 1 run_bundle
	one_error process.scheduler SCHED_FAST
	config 'del(.process.scheduler) | .process.ioPriority = {"class": "IOPRIO_CLASS_XX", "priority": 1}'
	expect 1 run_bundle
	one_error process.ioPriority IOPRIO_CLASS_XX
}

@test "memoryPolicy" {
	only_hull
	config '.linux.memoryPolicy = {"mode": "MPOL_BIND", "nodes": "0", "flags": []}'
	args probe attributes
	expect 0 run_bundle
	says 'mempolicy 2 1'
}

@test "personality" {
	config '.linux.personality = {"domain": "LINUX32"}'
	script 'probe attributes | grep personality; uname -m'
	only_hull
	expect 0 run_bundle
	[[ ${lines[0]} == 'personality 8' && ${lines[1]} == i?86 ]]
}

@test "a session keyring of its own, unless --no-new-keyring" {
	config '.linux.seccomp = null'
	args probe keyring
	expect 0 run_bundle
	says "_ses.$ID"
	expect 0 run_bundle --no-new-keyring
	says_not "_ses.$ID"
}

@test "sysctl: namespaced keys are set, others refused" {
	config '.linux.sysctl = {"net.ipv4.ip_forward": "1", "kernel.shm_rmid_forced": "1", "net/ipv4/conf/lo/rp_filter": "2"}'
	script 'cd /proc/sys; cat net/ipv4/ip_forward kernel/shm_rmid_forced net/ipv4/conf/lo/rp_filter'
	before=$(cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced)
	expect 0 run_bundle
	equal "$output" $'1\n1\n2'
	equal "$(cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced)" "$before"
	for key in kernel.panic vm.swappiness kernel.hostname '../../etc/passwd' 'net.ipv4/../../kernel/panic'; do
		config '.linux.sysctl = {($key): "1"}' --arg key "$key"
		expect 1 run_bundle
		nothing_left
	done
}

@test "sysctl: kernel.domainname must not contradict the property" {
	config '.domainname = "example.org" | .linux.sysctl = {"kernel.domainname": "example.org"}'
	args cat /proc/sys/kernel/domainname
	expect 0 run_bundle
	equal "$output" example.org
	config '.linux.sysctl["kernel.domainname"] = "example.net"'
	expect 1 run_bundle
	says 'linux.sysctl["kernel.domainname"]: contradicts'
}

@test "sysctl: without the namespace it belongs to, a key is refused" {
	config '.linux.namespaces |= map(select(.type != "network")) | .linux.sysctl = {"net.ipv4.ip_forward": "1"}'
	expect 1 run_bundle
	says net.ipv4.ip_forward
	config '.linux.namespaces |= map(select(.type != "ipc")) | .linux.sysctl = {"kernel.shm_rmid_forced": "1"}'
	expect 1 run_bundle
	says kernel.shm_rmid_forced
}

@test "an AppArmor profile or SELinux label on a host without them is an error" {
	[[ ! -e /sys/kernel/security/apparmor && ! -e /sys/fs/selinux ]] || skip 'this host has an LSM'
	only_hull
	config '.process.apparmorProfile = "some-profile"'
	expect 1 run_bundle
	one_error apparmorProfile
	config 'del(.process.apparmorProfile) | .process.selinuxLabel = "a:b:c:d"'
	expect 1 run_bundle
	one_error selinuxLabel
	nothing_left
}

@test "a process is not needed to create, but to start" {
	config 'del(.process)'
	only_hull
	create
	expect 1 hull start "$ID"
	one_error process
	hull delete "$ID"
	expect 1 run_bundle
	one_error process
	nothing_left
	expect 1 run_bundle --detach
	one_error process
	nothing_left
}
