#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# kill -9 of hull-oci before each of its system calls in turn, by strace: what
# `state` says afterwards is true, and `delete --force` leaves nothing.  The
# same for the container's process while it is set up.
#
# A call that nobody else can see the effect of, like a read or a fstat, or that
# failed, makes no new situation, so the kill before the next one is left out.

load lib

TEST_LIMIT=900

setup() {
	begin
	command -v strace >/dev/null || skip 'strace is needed'
	only_hull
}

# --- where to kill ---

# trace COMMAND...: writes "NAME N", the N-th call of that name, into $T/calls for each call of the
# command's process to be killed before.
trace() {
	KILLED=0
	strace -qq -o "$T/raw" "$@" >"$OUT" 2>&1 </dev/null 3>&-
	awk '
		NR == 1 { next } # the execve that strace itself makes
		{ name = $0; sub(/\(.*/, "", name) }
		name !~ /^[a-z0-9_]+$/ { next }
		{ n[name]++ }
		effect { print name, n[name] }
		{ effect = !/\) += -1 E/ } # what failed, like a removal that is tried again, changed nothing
		name ~ /^(brk|mmap|munmap|mprotect|arch_prctl|set_tid_address|set_robust_list|rseq)$/ { effect = 0 }
		name ~ /^(prlimit64|getrandom|fcntl|ioctl|rt_sig.*|get.*|memfd_create|epoll_.*|poll|ppoll)$/ { effect = 0 }
		name ~ /^(read|pread64|lseek|getdents64|readlink.*|access|faccessat2?|stat.*|fstat.*|newfstatat)$/ { effect = 0 }
		name ~ /^(open|openat|openat2|open_tree|mount_setattr|pidfd_open|socketpair|dup.*|prctl|uname)$/ &&
			!/O_CREAT|exec.fifo/ { effect = 0 }
		name == "close" && closed { effect = 0 } # one of several in a row is enough
		{ closed = name == "close" }
	' "$T/raw" >"$T/calls"
	[[ $(wc -l <"$T/calls") -gt 15 ]]
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
	local step=$1 name n total=0 try met

	while read -r name n; do
		KILL=(killed_at "$name" "$n")
		met=$KILLED
		for try in 1 2 3; do
			"$step" || {
				echo "when killed before call $n of $name, try $try"
				return 1
			}
			[[ $KILLED == "$met" ]] || break
		done
		total=$((total + 1))
	done <"$T/calls"
	equal "$total" "$(wc -l <"$T/calls")"
	# Some calls depend on timing, but most do not.
	[[ $KILLED -ge $((total * 3 / 4)) ]] || {
		echo "only $KILLED of $total kills met their call"
		return 1
	}
}

# How often one waits for a process that dies, for instance, is another number each time.
made_fewer_calls() { # NAME N
	local made

	made=$(grep -c "^$1(" "$T/strace") || true
	[[ $made -lt $2 ]] || {
		echo "not killed before call $2 of $1, but it made $made"
		return 1
	}
}

# kill_in COMMAND...: the command under the kill of this step.
kill_in() {
	local status=0

	"${KILL[@]}" "$@" || status=$?
	case $status in
	137) KILLED=$((KILLED + 1)) ;;
	0) made_fewer_calls "${KILL[@]:1}" ;;
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
	output=$(hull state "$ID" 2>&1) || true
	[[ $output != *'"creating"'* ]]
}

# Leaves the status in STATUS; "none" when state says in one line that there is no container.
state_is_true() {
	local pid

	wait_for state_is_settled || {
		echo 'creating for ever'
		return 1
	}
	if [[ $output =~ \"status\":\ *\"([a-z]+)\",[[:space:]]*\"pid\":\ *([0-9]+) ]]; then
		STATUS=${BASH_REMATCH[1]} pid=${BASH_REMATCH[2]}
	else
		STATUS=none
	fi
	case $STATUS in
	none) [[ $output != *$'\n'* && $output == *'does not exist'* || $output == *'delete --force'* ]] ;;
	stopped) [[ $pid == 0 ]] ;;
	created | running | paused) alive "$pid" || [[ $(container_status) != "$STATUS" ]] ;;
	*) false ;;
	esac || {
		echo "not true: $output"
		return 1
	}
}

delete_leaves_nothing() {
	expect 0 hull delete --force "$ID" &&
		wait_for no_process_left && nothing_left || {
		echo "after delete --force: $output"
		leftovers
		return 1
	}
}

# A killed process may still be on its way out; nothing else may.
no_process_left() {
	! leftovers | grep -q ^process
}

# An error of create that names the child's end; nothing to be deleted.
create_says_killed() { # STATUS
	output=$(cat "$OUT")
	[[ $1 == 1 && $output == *'was killed by signal 9 while it was set up'* && $output != *$'\n'* ]] &&
		wait_for nothing_left || {
		echo "exit status $1: $output"
		leftovers
		return 1
	}
}

# --- the steps ---

# Whole or not there, and no other name beside it.
pid_file_is_true() {
	local found

	found=$(compgen -G "$T/pid*")
	[[ -z $found || $found == "$T/pid" && $(<"$found") =~ ^[1-9][0-9]*$ ]] || {
		echo "pid file: $found"
		return 1
	}
}

create_step() {
	rm -f "$T/pid"
	[[ -z ${OLD_PID-} ]] || echo -n "$OLD_PID" >"$T/pid"
	kill_in "$RUNTIME" --root "$STATE" create --bundle "$BUNDLE" --pid-file "$T/pid" "$ID" &&
		pid_file_is_true && state_is_true || return
	if [[ $STATUS == created ]] && hull start "$ID" 2>"$T/error"; then
		equal "$(container_status)" running || return
	fi
	delete_leaves_nothing
}

# Without a look at the state: what was killed may still be dying.
create_delete_step() {
	kill_in "$RUNTIME" --root "$STATE" create --bundle "$BUNDLE" "$ID" && delete_leaves_nothing
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
	[[ -z ${OLD_PID-} ]] || echo -n "$OLD_PID" >"$T/pid"
	trace "$RUNTIME" --root "$STATE" create --bundle "$BUNDLE" --pid-file "$T/pid" "$ID"
	hull delete --force "$ID"
	sweep create_step
}

# --- the tests ---

@test "create killed at any step" {
	sweep_create
}

@test "create killed at any step, with a user namespace, hooks, a filter and an old pid file" {
	OLD_PID=1
	with_user_namespace
	config '.hooks = {"prestart": [$h], "createRuntime": [$h], "createContainer": [$h], "poststop": [$h]}
		| .linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW",
			"syscalls": [{"names": ["reboot"], "action": "SCMP_ACT_ERRNO"}]}' \
		--argjson h '{"path": "/bin/true"}'
	sweep_create
}

@test "create killed at any step, deleted at once" {
	trace "$RUNTIME" --root "$STATE" create --bundle "$BUNDLE" "$ID"
	hull delete --force "$ID"
	sweep create_delete_step
}

@test "the container's process killed at any call that only it makes" {
	local name n status

	{ strace -qq -ff -o "$T/all" "$RUNTIME" --root "$STATE" create --bundle "$BUNDLE" --pid-file "$T/pid" "$ID" \
		>"$OUT" 2>&1 </dev/null 3>&- & } 2>/dev/null
	wait_for has_status created
	pid=$(container_pid)
	hull delete --force "$ID"
	wait $! || true
	mv "$T/all.$pid" "$T/child"
	sed 's/(.*//' "$T"/all.* | sort -u >"$T/parents"
	sed -n 's/^\([a-z0-9_]*\)(.*/\1/p' "$T/child" | grep -vxFf "$T/parents" | awk '{ print $1, ++n[$1] }' >"$T/calls"
	[[ $(wc -l <"$T/calls") -gt 20 ]]
	while read -r name n; do
		status=0
		{ timeout 120 strace -qq -f -o "$T/strace" -e trace="$name" -e inject="$name:signal=KILL:when=$n" \
			"$RUNTIME" --root "$STATE" create --bundle "$BUNDLE" --pid-file "$T/pid" "$ID" \
			>"$OUT" 2>&1 </dev/null 3>&-; } 2>/dev/null || status=$?
		create_says_killed "$status" || {
			echo "when killed before call $n of $name"
			return 1
		}
	done <"$T/calls"
}

@test "the container's process killed by a hook" {
	cat >"$T/hook" <<-'END'
		#!/bin/sh
		kill -9 "$(sed -n 's/.*"pid": *\([0-9]*\).*/\1/p')"
	END
	chmod +x "$T/hook"
	for hook in prestart createRuntime; do
		config '.hooks = {($hook): [{"path": $path}]}' --arg hook "$hook" --arg path "$T/hook"
		status=0
		create >/dev/null || status=$?
		create_says_killed "$status"
	done
}

@test "start killed at any step" {
	config '.hooks = {"poststart": [{"path": "/bin/true"}]}'
	create
	trace "$RUNTIME" --root "$STATE" start "$ID"
	hull delete --force "$ID"
	sweep start_step
}

@test "run in the foreground killed at any step" {
	args true
	trace "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID"
	sweep run_step
}

@test "run --detach killed at any step" {
	trace "$RUNTIME" --root "$STATE" run --detach --bundle "$BUNDLE" "$ID"
	hull delete --force "$ID"
	sweep run_detached_step
}

@test "exec killed at any step leaves the container running and nothing in it" {
	run_detached
	trace "$RUNTIME" --root "$STATE" exec "$ID" true
	sweep exec_step
	expect 0 hull exec "$ID" true
	delete_leaves_nothing
}

@test "delete killed at any step, without a pid namespace" {
	config '.linux.namespaces |= map(select(.type != "pid")) | .hooks = {"poststop": [{"path": "/bin/true"}]}'
	script 'sleep 1001 & exec sleep 1002'
	run_detached
	trace "$RUNTIME" --root "$STATE" delete --force "$ID"
	sweep delete_step
}

@test "delete killed at any step" {
	run_detached
	trace "$RUNTIME" --root "$STATE" delete --force "$ID"
	sweep delete_step
}
