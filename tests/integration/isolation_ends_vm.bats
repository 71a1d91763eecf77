#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# What callers see of a container is the same in namespaces and in a virtual machine: its end, its
# hooks, its terminal, its streams.

load lib
load vm

setup() {
	needs_kvm
	needs_v2
	begin
}

isolation() { # namespace|vm
	config '.annotations["org.hull.isolation"] = $i' --arg i "$1"
}

# both COMMAND...: runs it under each isolation; what it prints, in the end $output, is the same.
both() {
	local first

	isolation namespace
	first=$("$@")
	isolation vm
	output=$("$@")
	equal "$output" "$first"
}

# What the bundle prints, and the status it ends with.
run_status() {
	local status=0

	run_bundle 2>&1 || status=$?
	echo "status $status"
}

@test "exit status of the container's process" {
	for status in 0 1 200; do
		args sh -c "exit $status"
		both run_status
		equal "$output" "status $status"
	done
}

with_null() {
	run_bundle </dev/null 2>/dev/null
}

@test "a stream that is /dev/null on the host is that inside" {
	args sh -c 'cat; stat -L -c %t:%T /dev/stdin /dev/stderr; [ -p /dev/stdout ] && echo pipe; echo lost >&2'
	both with_null
	equal "$output" "$(printf '1:3\n1:3\npipe')"
}

@test "killed by a filter, and by a fault" {
	config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["sched_get_priority_max"], "action": "SCMP_ACT_KILL_PROCESS"}]}'
	args probe syscall 146
	both run_status
	equal "$output" 'status 159'
}

@test "a program that is not there, or not executable" {
	args no-such-program
	both run_status
	args /etc/passwd
	both run_status
	says 'status 1'
	config '.process.cwd = "/etc/passwd"'
	both run_status
	says 'status 1'
}

# Every status and deadly signal as exec gives them back, a line each.
exec_statuses() {
	local i status=0

	run_detached
	for i in "${statuses[@]}"; do
		hull exec "$ID" sh -c "exit $i" || status=$?
		[[ $i == 0 || $status == "$i" ]] || echo "status $i: $status"
	done
	for i in HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT XCPU XFSZ VTALRM PROF POLL PWR SYS 34 64; do
		status=0
		hull exec "$ID" sh -c "kill -$i \$\$" || status=$?
		echo "$i $status"
	done
	hull delete --force "$ID"
}

@test "exec: all exit statuses, all deadly signals" {
	TEST_LIMIT=900
	kill "$WATCHDOG"
	start_watchdog
	isolation namespace
	statuses=(0 255)
	exec_statuses >"$T/namespace"
	isolation vm
	statuses=({0..255})
	exec_statuses >"$T/vm"
	diff "$T/namespace" "$T/vm"
	grep -qx 'KILL 137' "$T/vm"
	grep -qx 'SEGV 139' "$T/vm"
	grep -qx '64 192' "$T/vm"
}

# Signals from outside, in their order; those that end init end the container.
signals_from_outside() {
	local signal status=0

	args probe signals 4
	start_in_background run_bundle
	wait_for out_has ready
	for signal in USR1 TERM HUP WINCH; do
		hull kill "$ID" $signal
		wait_for out_has "${signal#SIG}"
	done
	wait "${JOBS[-1]}" || status=$?
	cat "$OUT"
	echo "status $status"
	args sleep 1000
	run_detached
	hull kill "$ID" KILL
	wait_for has_status stopped
	hull delete "$ID"
}

@test "signals from outside" {
	both signals_from_outside
	equal "$output" $'ready\nUSR1\nTERM\nHUP\nWINCH\nstatus 0'
}

# Hooks note their kind, the status they are told and the container's id; the container is between.
hooks_in_order() {
	local log=$BUNDLE/rootfs/log

	: >"$log"
	run_bundle
	cat "$log"
}

@test "hooks: order, status, environment" {
	local kind note='s=$(cat); one() { echo "$s" | sed "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/"; }; echo "$KIND $(one status) $(one id) $*" >>'

	for kind in prestart createRuntime createContainer startContainer poststart poststop; do
		config '.hooks[$k] = [{path: "/bin/sh", args: ["sh", "-c", $s, "sh", "an argument"],
			env: ["PATH=/bin:/usr/bin", ("KIND=" + $k)]}]' --arg k "$kind" \
			--arg s "$note$([[ $kind == startContainer ]] || echo "$BUNDLE/rootfs")/log"
	done
	script 'echo process >>/log; until grep -q poststart /log; do sleep 0.1; done'
	both hooks_in_order
	equal "$(grep -v -e ^process -e ^poststart <<<"$output")" "$(printf '%s an argument\n' "prestart creating $ID" "createRuntime creating $ID" \
		"createContainer creating $ID" "startContainer created $ID" "poststop stopped $ID")"
	says "poststart running $ID"
}

hook_fails() {
	run_status
	[[ $kind == poststart ]] || ls "$BUNDLE/rootfs/tmp"
}

@test "a hook that fails" {
	local kind

	for kind in createContainer startContainer poststart; do
		config '.hooks = {($k): [{path: "/bin/sh", args: ["sh", "-c", "echo because >&2; exit 3"], env: ["PATH=/bin"]}]}' --arg k "$kind"
		script 'touch /tmp/ran; sleep 1'
		both hook_fails
		says "$kind"
		[[ $kind == poststart ]] || says_not ran
	done
}

terminal() {
	printf '!wait ready\n!size 50x132\n!wait 50 132\n\003\n' >"$T/in"
	"$PEER" pty 24x80 "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" <"$T/in" >"$T/tty" || echo "status $?"
	# its echo comes before or after what the signal does
	tr -d '\r' <"$T/tty" | sed 's/\^C//' | grep .
}

@test "a terminal: size, resize, Ctrl-C, status" {
	config '.process.terminal = true'
	script 'trap "stty size" WINCH; trap "echo interrupted; exit 3" INT
		tty; stty size; echo ready; while :; do sleep 0.1; done'
	both terminal
	equal "$output" $'status 3\n/dev/pts/0\n24 80\nready\n50 132\ninterrupted'
}

console() {
	local log=$T/console.log socket=$T/console

	rm -f "$socket"
	"$PEER" console "$socket" </dev/null >"$log" 3>&- &
	JOBS+=($!)
	wait_for test -S "$socket"
	hull run --detach --bundle "$BUNDLE" --console-socket "$socket" "$ID" >/dev/null 2>&1 3>&-
	wait_for has_status stopped
	hull delete "$ID"
	wait_for grep -q end "$log"
	tr -d '\r' <"$log"
}

@test "consoleSize, and a terminal that is handed over" {
	config '.process.terminal = true | .process.consoleSize = {"height": 12, "width": 34}'
	script 'stty size; ls -l /dev/console | cut -c1; readlink /proc/self/fd/0; echo end'
	both console
	equal "$output" $'12 34\nc\n/dev/pts/0\nend'
}

streams() {
	run_bundle <&- 2>&1
	run_bundle </dev/null 2>&1
	run_bundle <"$T/in" 2>&1
	run_bundle <"$T/in" >&- 2>"$T/err" || echo "status $?"
	cat "$T/err"
}

@test "streams that are closed, empty, files" {
	head -c 300000 /dev/zero | tr '\0' x >"$T/in"
	script 'wc -c; echo error >&2; [ -t 0 ] || echo no terminal'
	both streams
	says 300000
}

exec_variants() {
	run_detached
	hull exec --user 1000:1001 --additional-gids 7 --cwd /tmp --env A=b --cap CAP_KILL "$ID" sh -c \
		'id; pwd; echo $A; grep -E "^(Cap|NoNew|Seccomp)" /proc/self/status; cat /proc/self/uid_map; umask'
	hull exec --process "$T/process.json" "$ID"
	hull exec "$ID" sh -c 'echo $TEST_ID; ls /proc | grep -c ^1$; cat /proc/self/oom_score_adj; hostname; ulimit -n'
	hull exec "$ID" no-such-program 2>&1 || echo "status $?"
	hull exec --cwd /no "$ID" true 2>&1 || echo "status $?"
	hull delete --force "$ID"
}

@test "exec: user, groups, capabilities, filter, limits, in a user namespace" {
	with_user_namespace
	config '.process.rlimits = [{"type": "RLIMIT_NOFILE", "soft": 77, "hard": 88}] | .process.oomScoreAdj = 55
		| .linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["getpriority"], "action": "SCMP_ACT_ERRNO"}]}'
	jq '.process + {"args": ["sh", "-c", "id; ulimit -n; cat /proc/self/oom_score_adj; umask"], "oomScoreAdj": 66,
		"rlimits": [{"type": "RLIMIT_NOFILE", "soft": 66, "hard": 88}],
		"user": {"uid": 5, "gid": 6, "umask": 7}}' "$BUNDLE/config.json" >"$T/process.json"
	both exec_variants
	says 'uid=1000(user) gid=1001 groups=7'
	says 'uid=5 gid=6'
}

@test "what exec and a mount cannot ask of a virtual machine" {
	isolation vm
	run_detached
	for option in '--preserve-fds 1' '--cgroup sub'; do
		# shellcheck disable=SC2086 # two words
		run hull exec $option "$ID" true
		[[ $status != 0 ]]
		one_error "${option% *}"
	done
	hull delete --force "$ID"
	mkfifo "$BUNDLE/fifo"
	config '.mounts += [{"destination": "/fifo", "source": "fifo", "options": ["bind"]}]'
	expect 1 run_bundle
	one_error 'mounts[5]' 'neither a file nor a directory'
}
