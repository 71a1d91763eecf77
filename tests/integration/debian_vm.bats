#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# A real Debian (scripts/debian) in a virtual machine; tests work on an overlay over it.

load lib
load vm
load debian

setup() {
	begin_debian_vm
}

@test "a shell, its children and a pipe, apt-get" {
	args bash -c 'for i in 1 2 3; do echo $i; done | sort -r | tr "\n" " "; . /etc/os-release; echo $VERSION_CODENAME
		apt-get --version; dpkg-query -W -f "\${Status}\n" bash'
	expect 0 run_bundle
	equal "${lines[0]}" '3 2 1 bookworm'
	matches "${lines[1]}" 'apt 2.*'
	says 'install ok installed'
}

@test "a package is unpacked and installed" {
	make_package
	args sh -c 'dpkg -i /package.deb >/dev/null; hull-test'
	expect 0 run_bundle
	says 'installed and run'
	[[ -x $BUNDLE/layers/upper/usr/bin/hull-test ]]
}

@test "100 MB through it come out as they were" {
	TEST_LIMIT=900
	kill "$WATCHDOG"
	start_watchdog
	head -c 100M /dev/urandom >"$BUNDLE/layers/in"
	args cat
	run_bundle <"$BUNDLE/layers/in" >"$BUNDLE/layers/out"
	cmp "$BUNDLE/layers/in" "$BUNDLE/layers/out"
}

# A program for a line of the shell's input.  It has the terminal itself, as the shell's editor of lines
# keeps a signal until a line has come.
await_resize() {
	echo "bash -c 'trap \"echo win\"\"ch; exit\" WINCH; echo re\"\"ady; while :; do sleep 0.1; done'"
}

@test "a terminal with job control, line editing and resize" {
	config '.process.terminal = true'
	args bash --norc
	{
		echo 'tty; stty size; bash -c "echo go""ing; exec sleep 1000"'
		echo '!wait going'
		printf '\032\n' # ^Z
		echo '!wait Stopped'
		echo "kill -KILL %1; wait; $(await_resize)"
		echo '!wait ready'
		echo '!size 50x132'
		echo '!wait winch'
		echo 'stty size; exit 3'
	} >"$T/in"
	expect 3 "$PEER" pty 24x80 "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" <"$T/in"
	says '/dev/pts/0'
	says '24 80'
	says 'Stopped'
	says '50 132'
}

@test "exec: twenty at a time, each with an end of its own" {
	local i pids=() got=()

	args sleep 1000
	run_detached
	for i in {1..20}; do
		echo "$i" | hull exec "$ID" bash -c 'read n; echo "in $n"; exit $((n + 100))' >"$T/out.$i" 2>&1 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" && got+=(0) || got+=($?)
	done
	equal "${got[*]}" "$(echo {101..120})"
	equal "$(cat "$T"/out.{1..20})" "$(printf 'in %s\n' {1..20})"
}

@test "exec with a terminal: resize, Ctrl-C, its status" {
	args sleep 1000
	run_detached
	{
		echo "tty; stty size; $(await_resize)"
		echo '!wait ready'
		echo '!size 40x111'
		echo '!wait winch'
		echo 'stty size; bash -c "echo go""ing; exec sleep 1000"'
		echo '!wait going'
		printf '\003'
		echo '!wait ^C'
		echo 'echo sta""tus $?; exit 9'
	} >"$T/in"
	expect 9 "$PEER" pty 24x80 "$RUNTIME" --root "$STATE" exec --tty "$ID" bash --norc <"$T/in"
	says '24 80'
	says '40 111'
	says 'status 130'
}
