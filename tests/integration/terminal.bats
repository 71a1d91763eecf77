#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine
#
# Containers with a terminal: passed to the caller over the console socket, or
# joined to hull-oci's own.

load lib

setup() {
	begin
	config '.process.terminal = true'
}

# Receives the terminal in the background; what appears on it goes to $T/terminal.
receive_console() { # its input on standard input
	"$PEER" console "$T/console" <&0 >"$T/terminal" 2>&1 3>&- &
	JOBS+=($!)
	wait_for test -S "$T/console"
}

terminal_has() {
	grep -qF -e "$1" "$T/terminal"
}

run_in_pty() { # STATUS SIZE
	expect "$1" "$PEER" pty "$2" "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID"
}

@test "the console socket gets the terminal; its slave is 0, 1, 2 and the controlling one" {
	script 'tty; tty <&1; tty <&2; ls -l /dev/console; echo controlling >/dev/tty; exec sleep 1000'
	receive_console </dev/null
	create --console-socket "$T/console"
	hull start "$ID"
	wait_for terminal_has controlling
	equal "$(grep -c '^/dev/pts/0' "$T/terminal")" 3
	terminal_has '/dev/console'
}

@test "input from the terminal reaches the program, ^C interrupts it" {
	script 'trap "echo interrupted; exit 9" INT; echo ready; read line; echo "got $line"; while :; do sleep 0.1; done'
	receive_console < <(printf '!wait ready\nhello\n!wait got hello\n\003\n')
	create --console-socket "$T/console"
	hull start "$ID"
	wait_for terminal_has interrupted
	wait_for has_status stopped
}

@test "consoleSize is the size before the program starts" {
	config '.process.consoleSize = {"height": 31, "width": 97}'
	script 'stty size; exec sleep 1000'
	receive_console </dev/null
	create --console-socket "$T/console"
	hull start "$ID"
	wait_for terminal_has '31 97'
}

@test "a consoleSize beyond what a terminal can have is an error" {
	only_hull
	config '.process.consoleSize = {"height": 65536, "width": 80}'
	expect 1 run_bundle
	one_error 'process.consoleSize.height'
}

@test "the window follows the holder of the terminal" {
	script 'trap "stty size" WINCH; echo ready; while :; do sleep 0.1; done'
	receive_console < <(printf '!wait ready\n!size 44x111\n')
	create --console-socket "$T/console"
	hull start "$ID"
	wait_for terminal_has '44 111'
}

@test "run joins the caller's terminal: size, resize, raw mode, exit status" {
	script 'tty; stty size; trap "stty size; exit 5" WINCH; echo ready; while :; do sleep 0.1; done'
	run_in_pty 5 30x90 <<<$'!wait ready\n!size 41x102'
	says '/dev/pts/0'
	says '30 90'
	says '41 102'
}

@test "run passes keys on and leaves the caller's terminal as it was" {
	script 'read a; echo "got <$a>"; exit 0'
	expect 0 "$PEER" pty 30x90 sh -c 'stty -a >"$1.before"; "$2" --root "$3" run --bundle "$4" "$5"; s=$?
		stty -a >"$1.after"; exit $s' x "$T/stty" "$RUNTIME" "$STATE" "$BUNDLE" "$ID" <<<'typed'
	says 'got <typed>'
	cmp "$T/stty.before" "$T/stty.after"
}

@test "a terminal in a user namespace belongs to the container's user" {
	with_user_namespace
	config '.process.user = {"uid": 1000, "gid": 1000}'
	script 'stat -c %u $(tty); echo works >/dev/tty; test -w /dev/console && echo writable; exec sleep 1000'
	receive_console </dev/null
	create --console-socket "$T/console"
	hull start "$ID"
	wait_for terminal_has writable
	terminal_has works
	grep -qx $'1000\r' "$T/terminal"
}

@test "a terminal without a socket, detached, is an error" {
	expect 1 hull create --bundle "$BUNDLE" "$ID" 3>&-
	says console
	expect 1 hull run --detach --bundle "$BUNDLE" "$ID" 3>&-
	says console
	nothing_left
}

@test "a console socket that nobody listens on is an error, and nothing is left" {
	expect 1 hull create --console-socket "$T/none" --bundle "$BUNDLE" "$ID" 3>&-
	says "$T/none"
	nothing_left
}

@test "a console socket without a terminal is an error" {
	config '.process.terminal = false'
	receive_console </dev/null
	expect 1 hull create --console-socket "$T/console" --bundle "$BUNDLE" "$ID" 3>&-
}

@test "--pidfd-socket passes a pidfd of the first process" {
	only_hull
	config '.process.terminal = false'
	"$PEER" pidfd "$T/pidfd" >"$T/pid" 3>&- &
	JOBS+=($!)
	wait_for test -S "$T/pidfd"
	create --pidfd-socket "$T/pidfd"
	wait $!
	equal "$(cat "$T/pid")" "$(container_pid)"
}
