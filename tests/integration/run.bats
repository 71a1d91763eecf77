#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine
#
# run: a container in the foreground, and what its program gets to see.

load lib

@test "the exit status is the program's" {
	script 'exit 7'
	expect 7 run_bundle
	nothing_left
	args true
	expect 0 run_bundle
}

@test "a program that a signal ended is 128 and the signal" {
	config '.linux.namespaces |= map(select(.type != "pid"))'
	script 'kill -KILL $$'
	expect 137 run_bundle
	script 'kill -USR1 $$'
	expect 138 run_bundle
	script 'kill -34 $$'
	expect 162 run_bundle
}

@test "standard input, output and error are passed through" {
	script 'cat; echo error >&2'
	equal "$(echo input | run_bundle 2>"$T/err")" input
	equal "$(cat "$T/err")" error
}

@test "a large output arrives whole" {
	script 'head -c 3000000 /dev/zero'
	equal "$(run_bundle | wc -c)" 3000000
}

@test "signals to hull-oci reach the program" {
	args probe signals 7
	"$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" >"$OUT" 2>&1 </dev/null 3>&- &
	JOBS+=($!)
	wait_for out_has ready
	# 34 is the first that programs may use with glibc, and musl's own
	for signal in USR1 HUP INT TERM RT34 RT37 RT64; do
		kill -"${signal#RT}" $!
		wait_for out_has $signal
	done
	wait $!
	equal "$(tr '\n' ' ' <"$OUT")" 'ready USR1 HUP INT TERM RT34 RT37 RT64 '
}

@test "--detach returns and leaves the container" {
	run_detached --pid-file "$T/pid"
	equal "$(container_status)" running
	equal "$(cat "$T/pid")" "$(container_pid)"
}

@test "--keep leaves the stopped container" {
	only_hull
	args true
	expect 0 run_bundle --keep
	equal "$(container_status)" stopped
	expect 0 hull delete "$ID"
}

@test "--no-subreaper leaves orphans to others" {
	config '.linux.namespaces |= map(select(.type != "pid"))'
	script '(sleep 0.2; echo orphan) & exit 3'
	expect 3 run_bundle --no-subreaper
}

@test "a bundle is found in the current directory" {
	args pwd
	cd "$BUNDLE"
	expect 0 hull run "$ID" 3>&-
	equal "$output" /
}

@test "the program is looked up in the container's PATH" {
	mkdir "$BUNDLE/rootfs/elsewhere"
	printf '#!/bin/sh\necho found "$0"\n' >"$BUNDLE/rootfs/elsewhere/program"
	chmod +x "$BUNDLE/rootfs/elsewhere/program"
	args program
	config '.process.env[0] = "PATH=/nowhere:/elsewhere:/bin"'
	expect 0 run_bundle
	equal "$output" 'found /elsewhere/program'
}

@test "a program with a relative path is looked up in the working directory" {
	mkdir "$BUNDLE/rootfs/elsewhere"
	printf '#!/bin/sh\necho found "$0"\n' >"$BUNDLE/rootfs/elsewhere/program"
	chmod +x "$BUNDLE/rootfs/elsewhere/program"
	config '.process.cwd = "/elsewhere"'
	args ./program
	expect 0 run_bundle
	equal "$output" 'found ./program'
	args program
	config '.process.env[0] = "PATH=/nowhere:."'
	expect 0 run_bundle
	equal "$output" 'found ./program'
	config '.process.user.uid = 1000 | .linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW"}'
	chmod 700 "$BUNDLE/rootfs/elsewhere"
	chown 1000 "$BUNDLE/rootfs/elsewhere"
	expect 0 run_bundle
	equal "$output" 'found ./program'
}

@test "a program that may not be executed says permission denied" {
	echo text >"$BUNDLE/rootfs/bin/text"
	args text
	expect 1 run_bundle
	says text
	config '.process.args = ["/bin/text"]'
	expect 1 run_bundle
	says_in_any_case 'permission denied'
}

@test "an interpreter that is missing says so" {
	printf '#!/no/such/interpreter\n' >"$BUNDLE/rootfs/bin/script"
	chmod +x "$BUNDLE/rootfs/bin/script"
	args /bin/script
	expect 1 run_bundle
	says '/bin/script'
	says_in_any_case 'no such file or directory'
}

@test "the environment is the configured one, byte for byte, and HOME" {
	config '.process.env = ["PATH=/bin", "A=first", "A=last", "EMPTY=", "U=ü", "TEST_ID=x"]'
	args env
	expect 0 run_bundle
	equal "$(sort <<<"$output" | tr '\n' ' ')" 'A=last EMPTY= HOME=/root PATH=/bin TEST_ID=x U=ü '
	config '.process.user = {"uid": 1000, "gid": 1000}'
	expect 0 run_bundle
	says HOME=/home
	config '.process.env += ["HOME=/mine"]'
	expect 0 run_bundle
	says HOME=/mine
}

@test "user, groups and umask" {
	config '.process.user = {"uid": 1000, "gid": 1001, "additionalGids": [5, 1002], "umask": 63}'
	script 'id -u; id -g; id -G; umask'
	expect 0 run_bundle
	equal "$(tr '\n' ' ' <<<"$output")" '1000 1001 1001 5 1002 0077 '
}

@test "no group of the caller stays" {
	script 'grep ^Groups: /proc/self/status | tr -d "\t "'
	expect 0 setpriv --groups 10,11,12 "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" 3>&-
	equal "$output" Groups:
}

@test "a working directory that is missing is made" {
	config '.process.cwd = "/new/dir"'
	args pwd
	expect 0 run_bundle
	equal "$output" /new/dir
}

@test "a working directory that only the user may enter" {
	mkdir "$BUNDLE/rootfs/private"
	chown 1000:1000 "$BUNDLE/rootfs/private"
	chmod 700 "$BUNDLE/rootfs/private"
	config '.process.cwd = "/private" | .process.user = {"uid": 1000, "gid": 1000}
		| .process.capabilities = {}'
	args pwd
	expect 0 run_bundle
	equal "$output" /private
}

@test "the host name and domain name are the container's own" {
	only_hull
	config '.hostname = "inside" | .domainname = "example.org"'
	args cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname
	before=$(cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname)
	expect 0 run_bundle
	equal "$output" $'inside\nexample.org'
	equal "$(cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname)" "$before"
}

@test "no descriptor of the caller is passed on" {
	args probe fds
	expect 0 hull run --bundle "$BUNDLE" "$ID" 7</etc/passwd 9>"$T/nine" 3>&-
	equal "$(cut -d' ' -f1 <<<"$output" | tr '\n' ' ')" '0 1 2 '
}

@test "--preserve-fds passes that many on" {
	args probe fds
	expect 0 hull run --preserve-fds 2 --bundle "$BUNDLE" "$ID" 3</etc/passwd 4</etc/group 5</etc/hosts
	equal "$(cut -d' ' -f1 <<<"$output" | tr '\n' ' ')" '0 1 2 3 4 '
}

@test "--preserve-fds with one that is not open is an error" {
	only_hull
	expect 1 hull run --preserve-fds 3 --bundle "$BUNDLE" "$ID" 3</etc/passwd 4>&- 5</etc/hosts
	says 'fd 4'
	nothing_left
}

@test "LISTEN_FDS for another process is not for the container" {
	script 'echo "${LISTEN_FDS-none} ${LISTEN_PID-none}"'
	LISTEN_FDS=1 LISTEN_PID=$$ expect 0 run_bundle
	equal "$output" 'none none'
	script 'echo "$LISTEN_FDS $LISTEN_PID"'
	LISTEN_FDS=1 LISTEN_PID=1 expect 0 hull run --bundle "$BUNDLE" "$ID" 3</dev/null
	equal "$output" '1 1'
}

@test "LISTEN_FDS passes sockets on, with LISTEN_PID 1" {
	script 'echo $LISTEN_FDS $LISTEN_PID; probe fds | cut -d" " -f1'
	listen() { LISTEN_FDS=2 LISTEN_PID=$BASHPID exec "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID"; }
	expect 0 listen 3</etc/passwd 4</etc/group 5</etc/hosts
	equal "$(tr '\n' ' ' <<<"$output")" '2 1 0 1 2 3 4 '
}

@test "NOTIFY_SOCKET: readiness is passed on to the caller's manager" {
	"$PEER" notify "$T/notify" >"$T/notified" 3>&- &
	JOBS+=($!)
	wait_for test -S "$T/notify"
	script 'probe notify "$(printf "READY=1\nSTATUS=fine")"; exec sleep 1000'
	NOTIFY_SOCKET=$T/notify hull run --bundle "$BUNDLE" "$ID" >"$OUT" 2>&1 </dev/null 3>&- &
	JOBS+=($!)
	wait_for grep -q READY=1 "$T/notified"
	wait_for grep -q MAINPID= "$T/notified"
}
