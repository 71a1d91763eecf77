#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine
#
# exec: more processes in a running container.

load lib

[[ ${RUNTIME##*/} != runc ]] && ERROR=1 || ERROR=255 # of the runtime itself

# A container that runs; each test may have changed its configuration before.
up() {
	run_detached
}

@test "a process joins all namespaces, the cgroup and the root" {
	config '.linux.namespaces += [{"type": "cgroup"}]'
	up
	expect 0 hull exec "$ID" sh -c 'for n in pid net ipc uts mnt cgroup; do readlink /proc/self/ns/$n; done'
	equal "$output" "$(for n in pid net ipc uts mnt cgroup; do readlink "/proc/$(container_pid)/ns/$n"; done)"
	expect 0 hull exec "$ID" cat /proc/1/comm
	equal "$output" sleep
	equal "$(hull exec "$ID" cat /proc/self/cgroup)" "$(hull exec "$ID" cat /proc/1/cgroup)"
}

@test "its processes are in the container's cgroup" {
	up
	hull exec --detach "$ID" sleep 1001 >"$OUT" 2>&1 3>&-
	equal "$(hull ps --format json "$ID" | jq length)" 2
}

@test "the exit status is the program's, 128 and the signal's, 1 for hull's own" {
	up
	expect 7 hull exec "$ID" sh -c 'exit 7'
	expect 0 hull exec "$ID" true
	expect 137 hull exec "$ID" sh -c 'kill -KILL $$'
	expect "$ERROR" hull exec "$ID" no-such-program
	says no-such-program
	says ': executable file not found in $PATH'
	expect "$ERROR" hull exec nobody true
	says 'does not exist'
}

@test "standard input, output and error are passed through" {
	up
	equal "$(echo input | hull exec "$ID" sh -c 'cat; echo error >&2' 2>"$T/err")" input
	equal "$(cat "$T/err")" error
	equal "$(hull exec "$ID" head -c 3000000 /dev/zero | wc -c)" 3000000
}

@test "--cwd, --env, --user and --additional-gids" {
	config '.process.env += ["A=config", "B=config"]'
	up
	expect 0 hull exec --cwd /tmp --env A=exec --env 'C=c c' --user 1000:1001 --additional-gids 5 \
		--additional-gids 7 "$ID" sh -c 'echo $PWD $A $B $C $(id -u) $(id -g) $(id -G)'
	equal "$output" '/tmp exec config c c 1000 1001 1001 5 7'
	expect 0 hull exec -e A=short -u 1000 "$ID" sh -c 'echo $A $(id -u):$(id -g)'
	equal "$output" 'short 1000:0'
}

@test "--env twice for a variable: the last one counts, and it must have a value" {
	only_hull
	up
	expect 0 hull exec -e A=1 -e B=2 -e A=3 "$ID" env
	equal "$(grep -c '^A=' <<<"$output")" 1
	says A=3
	expect 2 hull exec -e A "$ID" env
	one_error '--env' 'NAME=value'
	expect 2 hull exec -e =x "$ID" env
}

@test "a user is a number, whole and in range" {
	only_hull
	up
	for user in 1: :1 1:2:3 x 1x -1 4294967295 4294967296 99999999999999999999 ''; do
		expect 2 hull exec --user "$user" "$ID" id -u
		one_error "'--user'"
	done
	expect 0 hull exec --user 4294967294:4294967294 "$ID" id -u
	equal "$output" 4294967294
}

@test "a user name in the image does not turn a number into somebody else" {
	echo '1000:x:0:0:root:/root:/bin/sh' >>"$BUNDLE/rootfs/etc/passwd"
	up
	expect 0 hull exec --user 1000 "$ID" id -u
	equal "$output" 1000
}

@test "--process takes the whole process from a file" {
	up
	jq '.process | .args = ["sh", "-c", "echo $A $(id -u) $PWD; ulimit -n"] | .env += ["A=file"]
		| .user = {uid: 1000, gid: 1000} | .cwd = "/tmp"
		| .rlimits = [{type: "RLIMIT_NOFILE", soft: 99, hard: 99}]' "$BUNDLE/config.json" >"$T/process.json"
	expect 0 hull exec --process "$T/process.json" "$ID"
	equal "$output" $'file 1000 /tmp\n99'
	echo '{"args": ["true"]' >"$T/process.json"
	expect "$ERROR" hull exec --process "$T/process.json" "$ID"
	only_hull
	one_error process.json
}

@test "--detach returns at once and writes the pid file" {
	up
	hull exec --detach --pid-file "$T/pid" "$ID" sleep 1001 >"$OUT" 2>&1 3>&-
	equal "$(od -An -c "$T/pid" | tr -d ' \n')" "$(pgrep -f '^sleep 1001' --ns "$(container_pid)" --nslist pid)"
	equal "$(tr '\0' ' ' <"/proc/$(cat "$T/pid")/cmdline")" 'sleep 1001 '
}

@test "capabilities: the configured ones, and none inheritable" {
	up
	expect 0 hull exec "$ID" grep -E '^Cap' /proc/self/status
	equal "$(tr -d '\t' <<<"$output" | tr '\n' ' ')" \
		'CapInh:0000000000000000 CapPrm:00000000080000e3 CapEff:00000000080000e3 CapBnd:00000000080000e3 CapAmb:0000000000000000 '
	expect 0 hull exec --cap CAP_NET_RAW "$ID" grep -E '^Cap(Inh|Eff|Bnd)' /proc/self/status
	equal "$(tr -d '\t' <<<"$output" | tr '\n' ' ')" \
		'CapInh:0000000000000000 CapEff:00000000080020e3 CapBnd:00000000080020e3 '
}

@test "no new privileges, limits and seccomp hold for it, too" {
	config '.process.rlimits = [{"type": "RLIMIT_STACK", "soft": 4194304, "hard": 5242880}]
		| .linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW",
			"syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}'
	up
	expect 1 hull exec "$ID" sh -c 'ulimit -s; ulimit -Hs; grep -E "^(NoNewPrivs|Seccomp):" /proc/self/status; mkdir /x'
	equal "$(tr -d '\t' <<<"$output" | tr '\n' ' ')" \
		"4096 5120 NoNewPrivs:1 Seccomp:2 mkdir: can't create directory '/x': No space left on device "
}

@test "--no-new-privs" {
	config '.process.noNewPrivileges = false'
	up
	equal "$(hull exec "$ID" grep NoNewPrivs: /proc/self/status | cut -f2)" 0
	equal "$(hull exec --no-new-privs "$ID" grep NoNewPrivs: /proc/self/status | cut -f2)" 1
}

@test "into a user namespace" {
	with_user_namespace
	up
	expect 0 hull exec "$ID" sh -c 'id -u; cat /proc/self/uid_map; touch /tmp/a; stat -c %u /tmp/a'
	equal "$(tr -s ' \n' ' ' <<<"$output")" '0 0 100000 65536 0 '
	equal "$(stat -c %u "$BUNDLE/rootfs/tmp/a")" 100000
}

@test "no descriptor of the caller is passed on, except --preserve-fds" {
	up
	expect 0 hull exec "$ID" probe fds 7</etc/passwd 3>&-
	equal "$(cut -d' ' -f1 <<<"$output" | tr '\n' ' ')" '0 1 2 '
	expect 0 hull exec --preserve-fds 1 "$ID" probe fds 3</etc/passwd 7</etc/passwd
	equal "$(cut -d' ' -f1 <<<"$output" | tr '\n' ' ')" '0 1 2 3 '
}

@test "signals to hull-oci reach the program" {
	up
	hull exec "$ID" probe signals 2 >"$T/signals" 2>&1 </dev/null 3>&- &
	wait_for grep -qs ready "$T/signals"
	pid=$(pgrep -f "^$RUNTIME .*exec $ID probe")
	kill -USR1 "$pid"
	wait_for grep -q USR1 "$T/signals"
	kill -TERM "$pid"
	wait_for grep -q TERM "$T/signals"
	wait $!
}

@test "not into a container that is stopped" {
	up
	hull kill "$ID" KILL
	wait_for has_status stopped
	expect "$ERROR" hull exec "$ID" true
	says 'stopped'
}

@test "into a container that has not started" {
	create
	expect 0 hull exec "$ID" sh -c 'echo $(hostname)'
	equal "$output" box
	equal "$(container_status)" created
}

@test "not into a paused container, unless --ignore-paused" {
	up
	hull pause "$ID"
	expect "$ERROR" hull exec "$ID" true
	says paused
	hull exec --detach --ignore-paused "$ID" sleep 1001 >"$OUT" 2>&1 3>&- &
	JOBS+=($!)
	two() { [[ $(hull ps --format json "$ID" | jq length) -ge 2 ]]; }
	wait_for two
	hull resume "$ID"
	wait $!
}

@test "--tty gives it a terminal" {
	up
	expect 6 "$PEER" pty 33x99 "$RUNTIME" --root "$STATE" exec --tty "$ID" sh \
		<<<$'until stty size | grep "33 99"; do sleep 0.1; done\ntty; exit 6'
	says '/dev/pts/'
}

@test "--console-socket passes the terminal to the caller" {
	up
	"$PEER" console "$T/console" <<<'!wait $' >"$T/terminal" 3>&- &
	JOBS+=($!)
	wait_for test -S "$T/console"
	hull exec --detach --tty --console-socket "$T/console" "$ID" sh -c 'tty; echo "done $"' 3>&-
	wait_for grep -q 'done' "$T/terminal"
	grep -q '/dev/pts/' "$T/terminal"
}

@test "ended children of a detached exec are not left as zombies in the container" {
	script 'while :; do sleep 0.1; done'
	up
	for _ in 1 2 3; do
		hull exec "$ID" sh -c 'sleep 0.01 & exit 0'
	done
	no_zombie() { ! hull exec "$ID" ps -o stat,args | grep '^Z' | grep -qv ps; }
	wait_for no_zombie
}

@test "execAffinity: exec has the configured processors" {
	only_hull
	config '.process.execCPUAffinity = {"initial": "0", "final": "0"}'
	up
	equal "$(hull exec "$ID" grep Cpus_allowed_list: /proc/self/status | cut -f2)" 0
}
