#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine
#
# kill -9 of hull-oci before each of its system calls in turn, by strace: what
# `state` says afterwards is true, and `delete --force` leaves nothing.  The
# same for the container's process while it is set up.

load lib

TEST_LIMIT=${TEST_LIMIT:-200}

setup() {
	begin
	command -v strace >/dev/null || skip 'strace is needed'
	strace -o "$T/probe" -e inject=getuid:signal=KILL:when=1 id >/dev/null 2>&1 &&
		skip 'strace cannot inject signals here'
	only_hull
}

# --- where to kill ---

# trace_calls FILE COMMAND...: "NAME N", the N-th call of that name, for each call of the command's
# process but its first execve.
trace_calls() {
	local file=$1

	shift
	strace -qq -o "$file.raw" "$@" >"$OUT" 2>&1 </dev/null 3>&-
	sed -n '2,$s/^\([a-z0-9_]*\)(.*/\1/p' "$file.raw" | awk '{ print $1, ++n[$1] }' >"$file"
	[[ $(wc -l <"$file") -gt 40 ]]
}

# Exit status 137 when the command got as far as to be killed.
killed_at() { # NAME N COMMAND...
	local name=$1 n=$2

	shift 2
	{ strace -qq -o "$T/strace" -e trace="$name" -e inject="$name:signal=KILL:when=$n" "$@" \
		>"$OUT" 2>&1 </dev/null 3>&-; } 2>/dev/null
}

# sweep STEP COMMAND...: runs STEP, which does everything around one kill, for every call of the
# command.  $KILL is then what to put before the command.
sweep() {
	local step=$1 name n total=0

	while read -r name n; do
		KILL=(killed_at "$name" "$n")
		"$step" || {
			echo "when killed before call $n of $name"
			return 1
		}
		total=$((total + 1))
	done <"$T/calls"
	equal "$total" "$(wc -l <"$T/calls")"
	# Some calls depend on timing, but only a few.
	[[ $KILLED -ge $((total * 9 / 10)) ]] || {
		echo "only $KILLED of $total kills met their call"
		return 1
	}
}

# kill_in COMMAND...: the command under the kill of this step.
kill_in() {
	local status=0

	"${KILL[@]}" "$@" || status=$?
	case $status in
	137) KILLED=$((KILLED + 1)) ;;
	0) ;;
	*)
		echo "exit status $status: $(cat "$OUT")"
		return 1
		;;
	esac
}

# --- what must be true afterwards ---

alive() { # PID
	[[ $(sed 's/.*) \(.\).*/\1/' "/proc/$1/stat" 2>/dev/null) == [RSDTt] ]]
}

# "creating" may be said only while the process of the killed creator is dying.
state_is_settled() {
	local status=0

	output=$(hull state "$ID" 2>&1) || status=$?
	[[ $status != 0 ]] || [[ $(jq -r .status <<<"$output") != creating ]]
}

# Leaves the status in STATUS; "none" when state says in one line that there is no container.
state_is_true() {
	local pid

	wait_for state_is_settled || {
		echo 'creating for ever'
		return 1
	}
	if [[ $output != '{'* ]]; then
		STATUS=none
		[[ $output != *$'\n'* && $output == *'does not exist'* || $output == *'delete --force'* ]] || {
			echo "$output"
			return 1
		}
		return 0
	fi
	STATUS=$(jq -r .status <<<"$output")
	pid=$(jq -r .pid <<<"$output")
	case $STATUS in
	stopped) equal "$pid" 0 ;;
	created | running) [[ $pid -gt 0 ]] && alive "$pid" || ! hull state "$ID" | grep -q "\"$STATUS\"" ;;
	*) false ;;
	esac || {
		echo "not true: $output"
		return 1
	}
}

delete_leaves_nothing() {
	expect 0 hull delete --force "$ID" &&
		{ nothing_left || wait_for no_process_left && nothing_left; } || {
		echo "after delete --force: $output"
		leftovers
		return 1
	}
}

# A killed process may still be on its way out; nothing else may.
no_process_left() {
	[[ -z $(test_processes) ]]
}

# --- the steps ---

create_step() {
	kill_in "$RUNTIME" --root "$STATE" create --bundle "$BUNDLE" --pid-file "$T/pid" "$ID" &&
		state_is_true || return
	if [[ $STATUS == created ]] && hull start "$ID" 2>"$T/error"; then
		equal "$(container_status)" running || return
	fi
	delete_leaves_nothing
}

start_step() {
	create && kill_in "$RUNTIME" --root "$STATE" start "$ID" && state_is_true && [[ $STATUS != none ]] || return
	case $STATUS in
	created) expect 0 hull start "$ID" && equal "$(container_status)" running || return ;;
	running) expect 0 hull exec "$ID" true || return ;;
	esac
	delete_leaves_nothing
}

run_step() {
	kill_in "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" &&
		state_is_true && delete_leaves_nothing
}

run_detached_step() {
	kill_in "$RUNTIME" --root "$STATE" run --detach --bundle "$BUNDLE" "$ID" &&
		state_is_true && delete_leaves_nothing
}

only_init_runs() {
	[[ $(hull ps --format json "$ID" | jq length) == 1 ]]
}

exec_step() {
	kill_in "$RUNTIME" --root "$STATE" exec "$ID" true && state_is_true &&
		equal "$STATUS" running && wait_for only_init_runs
}

delete_step() {
	run_detached && kill_in "$RUNTIME" --root "$STATE" delete --force "$ID" &&
		state_is_true && delete_leaves_nothing
}

sweep_create() {
	KILLED=0
	trace_calls "$T/calls" "$RUNTIME" --root "$STATE" create --bundle "$BUNDLE" --pid-file "$T/pid" "$ID"
	hull delete --force "$ID"
	sweep create_step
}

# --- the tests ---

@test "create killed at any step" {
	sweep_create
}

@test "create killed at any step, with a user namespace, hooks and a filter" {
	with_user_namespace
	config '.hooks = {"prestart": [$h], "createRuntime": [$h], "createContainer": [$h], "poststop": [$h]}
		| .linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW",
			"syscalls": [{"names": ["reboot"], "action": "SCMP_ACT_ERRNO"}]}' \
		--argjson h '{"path": "/bin/true"}'
	sweep_create
}

@test "start killed at any step" {
	KILLED=0
	config '.hooks = {"poststart": [{"path": "/bin/true"}]}'
	create
	trace_calls "$T/calls" "$RUNTIME" --root "$STATE" start "$ID"
	hull delete --force "$ID"
	sweep start_step
}

@test "run in the foreground killed at any step" {
	KILLED=0
	args true
	trace_calls "$T/calls" "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID"
	sweep run_step
}

@test "run --detach killed at any step" {
	KILLED=0
	trace_calls "$T/calls" "$RUNTIME" --root "$STATE" run --detach --bundle "$BUNDLE" "$ID"
	hull delete --force "$ID"
	sweep run_detached_step
}

@test "exec killed at any step leaves the container running and nothing in it" {
	KILLED=0
	run_detached
	trace_calls "$T/calls" "$RUNTIME" --root "$STATE" exec "$ID" true
	sweep exec_step
	expect 0 hull exec "$ID" true
	delete_leaves_nothing
}

@test "delete killed at any step" {
	KILLED=0
	run_detached
	trace_calls "$T/calls" "$RUNTIME" --root "$STATE" delete --force "$ID"
	sweep delete_step
}
