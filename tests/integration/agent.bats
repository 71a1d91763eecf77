#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine
#
# hull-agent without a machine: an ordinary process that makes real containers on this host, asked
# by tests/helper/vmhost, which has the protocol from its description and not from its code.

load lib

setup() {
	begin
	# shellcheck disable=SC2034 # the library's
	STATE=$T/guest/containers
	AGENT=$O/hull-agent
	config ".root.path = \"$BUNDLE/rootfs\""
	CONFIG=$BUNDLE/config.json
	OUT=$T/out
}

# vm STATUS <COMMANDS: a host with an agent; what it is answered is in $output and ${lines[@]}.
vm() {
	expect "$1" "$TOP/tests/helper/vmhost" "$AGENT" "$T"
}

# answered LINE...: these and no others; "*" stands for anything.
answered() {
	local i=0 want

	for want; do
		matches "${lines[i]-}" "$want" || {
			printf '%s\n' "${lines[@]}"
			return 1
		}
		i=$((i + 1))
	done
	equal "${#lines[@]}" "$i"
}

# process WORD...: a process.json that runs them, in $T/process.json.
process() {
	jq ".process | .args = $(words "$@")" "$CONFIG" >"$T/process.json"
}

# No trace of a container below the guest's directory.
nothing_in_guest() {
	equal "$(cd "$T/guest" && find . -mindepth 2)" ''
}

@test "a container runs to its end: streams apart, status, event and answer" {
	script 'read line; echo "got $line"; echo trouble >&2; exit 3'
	echo word >"$T/in"
	vm 0 <<-END
		create $ID $CONFIG in=in out=out err=err
		start $ID
		event exit
		wait $ID
		ended $ID
		delete $ID
		shutdown
	END
	answered 'create: ok pid *' 'start: ok' "event: exit $ID  exited 3 written 9 8" \
		'wait: ok exited 3 written 9 8' 'ended: 9 8' 'delete: ok' 'shutdown: ok status 0'
	equal "$(cat "$OUT")" 'got word'
	equal "$(cat "$T/err")" 'trouble'
	nothing_in_guest
}

@test "a container joins namespaces of another one, whose link is there as long as its first process" {
	script 'readlink /proc/self/ns/ipc; readlink /proc/self/ns/uts; exec sleep 1000'
	cp "$CONFIG" "$T/first.json"
	config ".linux.namespaces |= map(if .type == \"ipc\" then .path = \"$T/guest/processes/$ID/ns/ipc\" else . end)
		| .linux.cgroupsPath += \"-two\""
	script 'readlink /proc/self/ns/ipc; readlink /proc/self/ns/uts'
	vm 0 <<-END
		create $ID $T/first.json out=one
		start $ID
		create $ID-two $CONFIG out=two
		start $ID-two
		event exit
		wait $ID-two
		ended $ID-two
		delete $ID-two
		signal $ID 9
		event exit
		delete $ID
		shutdown
	END
	equal "$(head -n 1 "$T/two")" "$(head -n 1 "$T/one")"
	fails equal "$(tail -n 1 "$T/two")" "$(tail -n 1 "$T/one")"
	nothing_in_guest
}

@test "the process waits for start, and who waits for its end is answered then" {
	script 'echo ran'
	vm 0 <<-END
		create $ID $CONFIG out=out
		later wait $ID
		sleep 0.3
		ps $ID
		start $ID
		event exit
		ended $ID
	END
	answered 'create: ok pid *' 'ps: ok pids *' 'start: ok' "event: exit $ID  exited 0 written 4 0" 'ended: 4'
	line=${lines[1]#*pids }
	equal "${lines[0]#*pid }" "${line%% UID*}"
}

@test "signals: to the first process, to all, to an exec, and to none" {
	script 'trap "echo caught; exit 5" USR1; while :; do sleep 0.05; done'
	process sleep 1000
	vm 0 <<-END
		create $ID $CONFIG
		start $ID
		exec $ID/one $T/process.json
		exec $ID/two $T/process.json
		signal $ID/one 9
		wait $ID/one
		signal $ID/one 9
		sleep 0.3
		signal $ID 10
		wait $ID
		wait $ID/two
		signal $ID 10
		signal nobody 9
		wait nobody
	END
	answered 'create: ok *' 'start: ok' 'exec: ok *' 'exec: ok *' 'signal: ok' \
		'wait: ok killed 9 written 0 0' "signal: ENOENT there is no process 'one' in container '$ID'" \
		'signal: ok' 'wait: ok exited 5 written 0 0' 'wait: ok killed 9 written 0 0' \
		'signal: ESRCH container not running' "signal: ENOENT container 'nobody' does not exist" \
		"wait: ENOENT container 'nobody' does not exist"
}

@test "every process of a container without a pid namespace is killed by signal all" {
	config 'del(.linux.namespaces[] | select(.type == "pid"))'
	script 'sleep 1000 & sleep 1001'
	vm 0 <<-END
		create $ID $CONFIG
		start $ID
		sleep 0.3
		signal $ID 9 all
		wait $ID
		delete $ID
	END
	answered 'create: ok *' 'start: ok' 'signal: ok' 'wait: ok killed 9 *' 'delete: ok'
}

@test "many execs at once, each with its own streams and status" {
	local i commands

	for i in {1..20}; do
		process sh -c "cat; echo $i >&2; exit $i"
		mv "$T/process.json" "$T/process$i.json"
		head -c $((i * 1000)) /dev/urandom >"$T/in$i"
		commands+="exec $ID/e$i process$i.json in=in$i out=out$i err=err$i"$'\n'
	done
	commands+="exec $ID/e20 process20.json"$'\n'
	for i in {1..20}; do
		commands+="wait $ID/e$i"$'\n'"ended $ID/e$i"$'\n'
	done
	vm 0 <<-END
		create $ID $CONFIG
		start $ID
		$commands
	END
	for i in {1..20}; do
		says "wait: ok exited $i written $((i * 1000)) "
		cmp "$T/in$i" "$T/out$i"
		equal "$(cat "$T/err$i")" "$i"
	done
}

@test "an exec's name is its own as long as nobody has waited for its end" {
	process true
	vm 0 <<-END
		create $ID $CONFIG
		start $ID
		exec $ID/e $T/process.json
		exec $ID/e $T/process.json
		wait $ID/e
		wait $ID/e
		exec $ID/e $T/process.json
		exec other/e $T/process.json
		create $ID $CONFIG
	END
	answered 'create: ok *' 'start: ok' 'exec: ok *' "exec: EEXIST 'e' exists already" 'wait: ok exited 0 *' \
		"wait: ENOENT there is no process 'e' in container '$ID'" 'exec: ok *' \
		"exec: ENOENT container 'other' does not exist" "create: EEXIST '$ID' exists already"
}

@test "a terminal: its size, a resize, input, end of output" {
	config '.process.terminal = true'
	script 'stty size; read a; echo "<$a>"; while read b; do echo "[$b]"; stty size; done; echo end'
	vm 0 <<-END
		create $ID $CONFIG tty=out size=30x90
		start $ID
		expect $ID "30 90"
		type $ID "one\n"
		expect $ID "<one>"
		resize $ID 40x100
		type $ID "two\n"
		expect $ID "40 100"
		expect $ID "[two]"
		type $ID "\x04"
		expect $ID "end"
		wait $ID
		ended $ID
		resize $ID 1x1
		close $ID
	END
	answered 'create: ok *' 'start: ok' 'resize: ok' 'wait: ok exited 0 *' 'ended: *' 'resize: *' \
		'close: EINVAL the process has a terminal'
}

@test "an exec by what is to be other than in the configuration" {
	config '.process |= (.env += ["A=1", "B=2"] | .cwd = "/tmp" | .user = {uid: 3, gid: 4, additionalGids: [5]}
		| .capabilities.bounding = ["CAP_KILL"] | .noNewPrivileges = false)'
	script 'exec sleep 1000'
	local show='"args": ["sh", "-c", "echo $A $B $C $(pwd) $(id -u) $(id -g) $(id -G); grep -e CapBnd -e NoNewPrivs /proc/self/status"]'
	vm 0 <<-END
		create $ID $CONFIG
		start $ID
		options $ID/same '{$show}' out=same
		wait $ID/same
		ended $ID/same
		options $ID/other '{$show, "env": ["B=3", "C=4", "C=5"], "cwd": "/", "uid": 7, "gid": 8, "groups": [9], "capabilities": ["CAP_CHOWN"], "no_new_privs": 1}' out=other
		wait $ID/other
		ended $ID/other
		options $ID/none '{"cwd": "/"}'
		options $ID/cap '{"args": ["true"], "capabilities": ["FLYING"]}'
		options $ID/cwd '{"args": ["true"], "cwd": "tmp"}'
		options $ID/group '{"args": ["true"], "groups": "odd"}'
		options $ID/words '{"args": "no end"}'
		delete $ID force
	END
	answered 'create: ok *' 'start: ok' 'options: ok *' 'wait: ok exited 0 *' 'ended: *' \
		'options: ok *' 'wait: ok exited 0 *' 'ended: *' 'options: EINVAL exec needs a command or --process' \
		"options: EINVAL --cap: unknown capability 'FLYING'" "options: EINVAL --cwd 'tmp' is not absolute" \
		'options: EPROTO exec: field * is no list of numbers' 'options: EPROTO exec: field * is no list of strings' \
		'delete: ok'
	equal "$(cat "$T/same")" $'1 2 /tmp 3 4 4 5\nCapBnd:\t0000000000000020\nNoNewPrivs:\t0'
	equal "$(cat "$T/other")" $'1 3 5 / 7 8 8 5 9\nCapBnd:\t0000000000000021\nNoNewPrivs:\t1'
}

@test "HOME is of the passwd that is given, unless a mount hides the file" {
	echo 'root:x:0:0::/of/file:/bin/sh' >"$BUNDLE/rootfs/etc/passwd"
	printf 'root:x:0:0::/of/host:/bin/sh\nother:x:7:7::/of/other:/bin/sh\n' >"$T/passwd"
	config '.process.env -= [.process.env[] | select(startswith("HOME="))]'
	script 'echo $HOME; exec sleep 1000'
	cp "$CONFIG" "$T/plain.json"
	config '.mounts += [{destination: "/etc", type: "tmpfs", source: "tmpfs"}]'
	process sh -c 'echo $HOME'
	local show='"args": ["sh", "-c", "echo $HOME"]'
	vm 0 <<-END
		create $ID $T/plain.json out=first passwd=$T/passwd
		start $ID
		options $ID/own '{$show}' out=own passwd=$T/passwd
		ended $ID/own
		options $ID/other '{$show, "uid": 7}' out=other passwd=$T/passwd
		ended $ID/other
		options $ID/given '{$show, "env": ["HOME=/given"]}' out=given passwd=$T/passwd
		ended $ID/given
		options $ID/file '{$show}' out=file
		ended $ID/file
		exec $ID/process $T/process.json out=process passwd=$T/passwd
		ended $ID/process
		delete $ID force
		create $ID $CONFIG out=hidden passwd=$T/passwd
		start $ID
		options $ID/hidden '{$show}' out=exec_hidden passwd=$T/passwd
		ended $ID/hidden
		delete $ID force
	END
	equal "$(cd "$T" && tail -n +1 first own other given file process hidden exec_hidden)" "$(cat <<-END
		==> first <==
		/of/host

		==> own <==
		/of/host

		==> other <==
		/of/other

		==> given <==
		/given

		==> file <==
		/of/file

		==> process <==
		/of/host

		==> hidden <==
		/

		==> exec_hidden <==
		/
	END
	)"
}

@test "an exec with a terminal ends with its process, whoever still has it open" {
	jq ".process | .terminal = true | .args = $(words sh -c 'sleep 1000 & tty; echo last')" "$CONFIG" \
		>"$T/process.json"
	vm 0 <<-END
		create $ID $CONFIG
		start $ID
		exec $ID/e $T/process.json tty=out
		wait $ID/e
		ended $ID/e
	END
	answered 'create: ok *' 'start: ok' 'exec: ok *' 'wait: ok exited 0 *' 'ended: *'
	equal "$(cat "$OUT")" $'/dev/pts/0\r\nlast\r'
}

@test "a terminal whose host goes away hangs up" {
	config '.process.terminal = true'
	script 'trap "exit 7" HUP; while :; do echo tick; sleep 0.05; done'
	vm 0 <<-END
		create $ID $CONFIG tty=out
		start $ID
		expect $ID tick
		hangup $ID
		wait $ID
	END
	answered 'create: ok *' 'start: ok' 'wait: ok exited 7 *'
}

@test "a terminal without a place for it is refused, and a place without a terminal" {
	vm 0 <<-END
		create $ID $CONFIG tty=out
		delete $ID
	END
	answered 'create: EINVAL --console-socket is given but process.terminal is false' 'delete: ENOENT *'
	config '.process.terminal = true'
	vm 0 <<-END
		create $ID $CONFIG out=out
	END
	answered 'create: EINVAL process.terminal is true: *'
}

@test "100 MB go in and come out as they were" {
	head -c 100M /dev/urandom >"$T/in"
	script 'cat; cat >/dev/null'
	vm 0 <<-END
		create $ID $CONFIG in=in out=out
		start $ID
		wait $ID
		ended $ID
	END
	answered 'create: ok *' 'start: ok' 'wait: ok exited 0 written 104857600 0' 'ended: 104857600'
	cmp "$T/in" "$OUT"
}

@test "input ends when the host ends it, by its stream or by request" {
	script 'cat; echo end'
	vm 0 <<-END
		create $ID $CONFIG in=- out=out
		start $ID
		type $ID "some\n"
		expect $ID some
		eof $ID
		wait $ID
		delete $ID
		create $ID $CONFIG in=- out=out
		start $ID
		type $ID "more\n"
		expect $ID more
		close $ID
		wait $ID
		ended $ID
	END
	equal "$(cat "$OUT")" $'more\nend'
	says 'close: ok'
}

@test "a host that reads no more is a pipe that nobody reads" {
	script 'trap "" PIPE; while echo line; do :; done 2>/dev/null; exit 9'
	vm 0 <<-END
		create $ID $CONFIG out=out
		start $ID
		expect $ID line
		hangup $ID
		wait $ID
	END
	answered 'create: ok *' 'start: ok' 'wait: ok exited 9 *'
}

@test "what a process has left behind may go on writing" {
	process sh -c '(sleep 0.5; echo late) & echo early'
	vm 0 <<-END
		create $ID $CONFIG
		start $ID
		exec $ID/e $T/process.json out=out
		wait $ID/e
		ended $ID/e
	END
	answered 'create: ok *' 'start: ok' 'exec: ok *' 'wait: ok exited 0 written 6 0' 'ended: 11'
}

@test "a stream without a port is /dev/null" {
	script 'ls -l /proc/self/fd/0 /proc/self/fd/1; cat; ls -l /proc/self/fd/0 >&2'
	vm 0 <<-END
		create $ID $CONFIG err=out
		start $ID
		wait $ID
		ended $ID
	END
	matches "$(cat "$OUT")" '*-> /dev/null'
}

@test "connections are told apart by their ports, in whatever order they come" {
	process sh -c 'cat; echo err >&2'
	echo in >"$T/in"
	vm 0 <<-END
		create $ID $CONFIG
		start $ID
		exec $ID/e process.json err=err out=out in=in
		wait $ID/e
		ended $ID/e
	END
	equal "$(cat "$T/out")" in
	equal "$(cat "$T/err")" err
}

@test "a host that names a port and does not connect is told so" {
	process true
	vm 0 <<-END
		create $ID $CONFIG
		start $ID
		exec $ID/e process.json port=77
		exec $ID/e process.json
		wait $ID/e
	END
	answered 'create: ok *' 'start: ok' \
		'exec: ETIMEDOUT the host does not connect from port 77' 'exec: ok *' 'wait: ok exited 0 *'
}

@test "refused requests leave no connections behind" {
	local i commands

	process cat
	for i in {1..100}; do
		commands+="exec $ID/e process.json in=/dev/null out=other err=other"$'\n'
	done
	echo word >"$T/in"
	vm 0 <<-END
		create $ID $CONFIG
		start $ID
		exec $ID/e process.json in=-
		$commands
		exec $ID/f process.json in=in out=out err=err
		wait $ID/f
		ended $ID/f
	END
	equal "$(grep -c '^exec: EEXIST' <<<"$output")" 100
	equal "$(cat "$T/out")" word
}

@test "the program opens its streams again, as its own user" {
	config '.process.user = {"uid": 1000, "gid": 1000}'
	script 'echo out >/dev/stdout; echo err >/proc/self/fd/2; cat /dev/stdin'
	config '.mounts += [{"destination": "/dev/fd0", "type": "bind", "source": "/dev/null", "options": ["bind"]}]'
	echo word >"$T/in"
	vm 0 <<-END
		create $ID $CONFIG in=in out=out err=err
		start $ID
		wait $ID
		ended $ID
	END
	equal "$(cat "$OUT") $(cat "$T/err")" $'out\nword err'
}

@test "pause and resume" {
	script 'while :; do echo x; sleep 0.02; done'
	vm 0 <<-END
		create $ID $CONFIG out=out
		start $ID
		expect $ID x
		pause $ID
		pause $ID
		resume $ID
		resume $ID
		signal $ID 9
		wait $ID
	END
	answered 'create: ok *' 'start: ok' 'pause: ok' 'pause: *' 'resume: ok' 'resume: *' 'signal: ok' 'wait: ok killed 9 *'
}

@test "the processors of a host are not the agent's" {
	online=$(cat /sys/devices/system/cpu/online)
	vm 0 <<-END
		cpus 1
		cpus 0
		op 22
	END
	answered 'cpus: ENOTSUP *' 'cpus: ENOTSUP *' 'op: EINVAL *field*missing*'
	equal "$(cat /sys/devices/system/cpu/online)" "$online"
}

@test "stats, ps and update speak of the container's group" {
	local file=memory.max

	is_v2 || file=memory.limit_in_bytes
	[[ -e $(cgroup_dir memory "")/cgroup.procs ]] || skip 'no memory controller'
	script 'sleep 1000 & sleep 1001; true'
	vm 0 <<-END
		create $ID $CONFIG
		start $ID
		sleep 0.3
		ps $ID
		update $ID '{"memory": {"limit": 50000000}}'
		stats $ID
		update $ID '{"memory": {"limit": true}}'
		update $ID '{'
	END
	answered 'create: ok *' 'start: ok' 'ps: ok pids * * * UID * PID * CMD | 0 *:00 sh -c sleep* | 0 * sleep 1000 | 0 * sleep 1001' \
		'update: ok' 'stats: ok {*}' \
		'update: EINVAL *memory.limit*' 'update: EINVAL *'
	equal "$(jq '.data.memory.usage.limit' <<<"${lines[4]#stats: ok }")" 49999872
	equal "$(jq -r '.type + .id' <<<"${lines[4]#stats: ok }")" "stats$ID"
	equal "$(cat "$(cgroup_dir memory "$CGROUP")/$file")" 49999872
}

@test "an out-of-memory kill is told, and that it was one" {
	is_v2 || [[ -e $(cgroup_dir memory /memory.oom_control) ]] || skip 'no memory controller'
	config '.linux.resources.memory = {"limit": 20000000, "swap": 20000000}'
	args probe eat 100000000
	process probe eat 100000000
	vm 0 <<-END
		create $ID $CONFIG
		start $ID
		event oom
		event exit
		wait $ID
	END
	answered 'create: ok *' 'start: ok' "event: oom $ID" "event: exit $ID  killed 9 oom *" 'wait: ok killed 9 oom *'
}

@test "delete: not while it runs, unless forced; nothing stays" {
	process sleep 1000
	vm 0 <<-END
		create $ID $CONFIG
		start $ID
		exec $ID/e $T/process.json
		delete $ID
		delete $ID force
		wait $ID
		delete $ID
		delete $ID force
		create $ID $CONFIG
		delete $ID force
	END
	answered 'create: ok *' 'start: ok' 'exec: ok *' 'delete: *running*' 'delete: ok' \
		"wait: ENOENT *" 'delete: ENOENT *' 'delete: ok' 'create: ok *' 'delete: ok'
	nothing_in_guest
}

@test "a create that fails says what hull-oci says, and leaves nothing" {
	local said

	config '.linux.namespaces += [{"type": "nonsense"}]'
	expect 1 hull create --bundle "$BUNDLE" "$ID"
	said=${output#*config.json:}
	vm 0 <<-END
		create $ID $CONFIG out=out
		ended $ID
		start $ID
	END
	says "$said"
	answered 'create: EINVAL *' 'ended: 0' "start: ENOENT container '$ID' does not exist"
	config '.linux.namespaces |= map(select(.type != "nonsense")) | .process.args = ["/nothing"]'
	vm 0 <<-END
		create $ID $CONFIG tty=-
		create $ID $CONFIG out=out
		ended $ID
	END
	answered 'create: EINVAL *' "create: ENOENT process.args: executable '/nothing': no such file or directory" 'ended: 0'
	nothing_in_guest
}

@test "an id is no path" {
	vm 0 <<-END
		create ../../x $CONFIG
		create '' $CONFIG
		delete ../../x
	END
	answered 'create: EINVAL *' 'create: EINVAL *' 'delete: EINVAL *'
	[[ ! -e $T/x && ! -e $T/guest/x ]]
}

@test "a user namespace's container gets its streams" {
	with_user_namespace
	open_path "$T"
	script 'id -u; cat; echo err >&2'
	echo word >"$T/in"
	vm 0 <<-END
		create $ID $CONFIG in=in out=out err=err
		start $ID
		wait $ID
		ended $ID
	END
	says 'wait: ok exited 0'
	equal "$(cat "$OUT") $(cat "$T/err")" $'0\nword err'
}

@test "nothing of the agent is open in a container" {
	args probe fds
	process probe fds
	vm 0 <<-END
		create $ID $CONFIG in=/dev/null out=out err=err
		start $ID
		wait $ID
		ended $ID
	END
	equal "$(cut -d ' ' -f 1 "$OUT" | tr '\n' ' ')" '0 1 2 '
	matches "$(cat "$OUT")" $'0 pipe:*\n1 pipe:*\n2 pipe:*'
}

@test "signals are in a container as hull-oci leaves them" {
	script 'grep -E "^Sig(Blk|Ign):" /proc/self/status'
	vm 0 <<-END
		create $ID $CONFIG out=out
		start $ID
		wait $ID
		ended $ID
		delete $ID
	END
	hull run --bundle "$BUNDLE" "$ID" >"$T/plain" 3>&-
	equal "$(cat "$OUT")" "$(cat "$T/plain")"
}

@test "file systems are mounted below the guest's directory and nowhere else" {
	vm 0 <<-END
		mount tmpfs tmpfs $T/guest/m/a 7 size=1m
		mount tmpfs tmpfs $T/m 0
		mount tmpfs tmpfs $T/guest 0
		mount tmpfs tmpfs $T/guest/../m 0
		mount tmpfs tmpfs $T/guest/m/b 4096
		mount ext4 no-such-serial $T/guest/m/b 0
		mount tmpfs tmpfs $T/guest/m/b 0 nonsense=1
		umount /tmp
		umount $T/guest/m/a
		umount $T/guest/m/a
	END
	answered 'mount: ok' 'mount: EINVAL *' 'mount: EINVAL *' 'mount: EINVAL *' 'mount: EINVAL *' \
		"mount: ENODEV no block device has the serial 'no-such-serial'" 'mount: EINVAL *' 'umount: EINVAL *' \
		'umount: ok' 'umount: E*'
}

@test "a bundle's root may be mounted in its bundle" {
	config '.root.path = "rootfs"'
	script 'echo "in $(pwd)"; cat /mark'
	mkdir -p "$T/guest/bundles/$ID"
	cp -a "$BUNDLE/rootfs" "$T/guest/bundles/$ID/rootfs"
	echo yes >"$T/guest/bundles/$ID/rootfs/mark"
	vm 0 <<-END
		create $ID $CONFIG out=out
		start $ID
		wait $ID
		ended $ID
		delete $ID
	END
	equal "$(cat "$OUT")" $'in /\nyes'
	[[ ! -e $T/guest/bundles/$ID ]]
}

# network MAC NAME: a network of one interface with 10.5.0.2/24 and a default route by 10.5.0.1.
network() {
	python3 - "$@" <<-'END'
		import socket, struct, sys

		def name(text):
		    return text.encode().ljust(16, b"\0")

		def addr(text):
		    return socket.inet_aton(text).ljust(16, b"\0")

		def route(dst, length, scope, gateway):
		    return (struct.pack("<8B3I2B", 0, 2, length, 0, 3, scope, 1, 0, 0, 0, 0, 2 if gateway else 0, 0)
		            + addr(dst) + addr(gateway or "0.0.0.0") + bytes(16) + bytes(4 + 17 * 4))

		mac, link = bytes.fromhex(sys.argv[1].replace(":", "")), sys.argv[2]
		sys.stdout.buffer.write(
		    b"hcn1" + struct.pack("<4H", 1, 1, 2, 1)
		    + name(link) + mac + struct.pack("<H5B", 1400, 0, 0, 0, 0, 1)
		    + struct.pack("<4B4I", 0, 2, 24, 0, 0, 0xffffffff, 0xffffffff, 0)
		    + addr("10.5.0.2") * 2 + bytes(5) + name(link)
		    + route("10.5.0.0", 24, 253, None) + route("0.0.0.0", 0, 0, "10.5.0.1")
		    + struct.pack("<3B", 0, 2, 0) + addr("10.5.0.1") + bytes.fromhex("020000000009"))
	END
}

# vm, in a network namespace with an interface whose hardware address is 02:00:00:00:00:07.
vm_with_link() {
	expect "$1" unshare --net sh -c 'ip link add dev host0 address 02:00:00:00:00:07 type veth peer name other0 || exit 77
		ip link set other0 up; exec "$@"' sh "$TOP/tests/helper/vmhost" "$AGENT" "$T"
}

@test "a network: the interface with the hardware address is moved into the container" {
	unshare --net ip link add dev a type veth peer name b || skip 'this kernel has no veth'
	network 02:00:00:00:00:07 net0 >"$T/net"
	network 02:00:00:00:00:08 net0 >"$T/other"
	config '.linux.sysctl = {"net.ipv4.conf.net0.rp_filter": "2"}'
	script 'cat /proc/sys/net/ipv4/conf/net0/rp_filter /sys/class/net/net0/mtu; ip -o -4 addr show dev net0; ip route; cat /proc/net/arp'
	vm_with_link 0 <<-END
		net $ID $T/other
		net $ID $T/net
		net elsewhere $T/net
		net $ID $T/net
		create $ID $CONFIG out=out
		start $ID
		wait $ID
		ended $ID
		delete $ID
		create $ID $CONFIG
		shutdown
	END
	answered 'net: ok' 'net: ok' 'net: ok' 'net: ok' 'create: ok *' 'start: ok' 'wait: ok exited 0 *' 'ended: *' 'delete: ok' \
		'create: *net0*' 'shutdown: *'
	matches "$(cat "$OUT")" $'2\n1400\n*inet 10.5.0.2/24 scope global net0*default via 10.5.0.1 dev net0*10.5.0.0/24 dev net0*10.5.0.1 *02:00:00:00:00:09*'
}

@test "a network that the guest does not have, and what is none" {
	network 02:00:00:00:00:08 net0 >"$T/net"
	head -c 100 "$T/net" >"$T/short"
	network 03:00:00:00:00:08 net0 >"$T/multicast"
	network 02:00:00:00:00:08 ../evil >"$T/name"
	vm 0 <<-END
		net $ID $T/short
		net $ID $T/multicast
		net $ID $T/name
		net $ID $T/net
		create $ID $CONFIG
		create other$ID $CONFIG
		delete other$ID force
	END
	answered 'net: EPROTO net config: the configuration of a network has 100 bytes, not *' \
		"net: EINVAL net config: interface 'net0' has no unicast hardware address" \
		'net: EINVAL net config: the name of interface 0 is none' 'net: ok' \
		"create: ENODEV interface 'net0': the guest has none with its hardware address" 'create: ok *' 'delete: ok'
	nothing_in_guest
}

@test "unknown and broken requests are answered" {
	vm 0 <<-END
		op 0
		op 1
		op 4
		op 18
		op 23
		op 65535
		op 5
		op 6
		op 10
		stats nobody
	END
	answered 'op: ENOSYS *' 'op: ENOSYS *' 'op: EINVAL net config: field 12 is missing' 'op: ENOSYS *' 'op: ENOSYS *' 'op: ENOSYS *' \
		'op: EINVAL create: field 12 is missing' 'op: EINVAL start: *' 'op: EINVAL resize tty: *' \
		"stats: ENOENT container 'nobody' does not exist"
}

@test "what is no frame ends the agent" {
	local bytes

	for bytes in 010010000600000001000000 ffffffff060000000100000000000000 00000000060002000100000000000000 \
		01000000060000000100000000000000aa 00000000060001000100000000000000; do
		[[ ${#bytes} == 24 ]] && bytes+=00000000
		vm 0 <<-END
			send $bytes
			agent
		END
		says 'agent: status 1'
		rm -f "$T"/v_?
	done
}

@test "the agent ends when its host goes" {
	vm 0 <<-END
		create $ID $CONFIG
		quit
	END
	says 'hull-agent: the host went away'
	says 'quit: status 1'
}

@test "another host: output goes on where it was, execs are killed, an end is told again" {
	mkfifo "$BUNDLE/rootfs/go"
	script 'for i in 1 2 3; do echo line $i; done; read x </go; echo more; exit 4'
	process sh -c 'echo >/go'
	mv "$T/process.json" "$T/go.json"
	process sleep 1000
	vm 0 <<-END
		create $ID $CONFIG out=out
		start $ID
		expect $ID 'line 3'
		exec $ID/x $T/process.json
		pause $ID
		suspend $ID
		newhost
		attach $ID out=out2
		resume $ID
		event exit
		exec $ID/y $T/process.json
		signal $ID/y 9
		event exit
		pause $ID
		suspend $ID
		attach $ID
		resume $ID
		exec $ID/go $T/go.json
		event exit
		event exit
		suspend $ID
		newhost
		attach $ID out=out3
		event exit
		wait $ID
		delete $ID
		shutdown
	END
	answered 'create: ok pid *' 'start: ok' 'exec: ok pid *' 'pause: ok' 'suspend: ok written 21 0 read -' \
		'newhost: ok' 'attach: ok' 'resume: ok' "event: exit $ID x killed 9 written 0 0" 'exec: ok pid *' \
		'signal: ok' "event: exit $ID y killed 9 written 0 0" 'pause: ok' 'suspend: ok written 0 0 read -' \
		'attach: ok' 'resume: ok' 'exec: ok pid *' "event: exit $ID *" "event: exit $ID *" \
		'suspend: ok written 5 0 read -' 'newhost: ok' 'attach: ok' "event: exit $ID  exited 4 written 0 0" \
		'wait: ok exited 4 written 0 0' 'delete: ok' 'shutdown: ok status 0'
	equal "$(cat "$OUT" "$T/out2")" $'line 1\nline 2\nline 3\nmore'
	nothing_in_guest
}

@test "a host that goes without a word before ends the agent, as ever" {
	script 'sleep 1000'
	vm 0 <<-END
		create $ID $CONFIG
		start $ID
		pause $ID
		suspend $ID
		attach $ID
		resume $ID
		delete $ID force
		quit
	END
	answered 'create: ok pid *' 'start: ok' 'pause: ok' 'suspend: ok written 0 0 read -' 'attach: ok' 'resume: ok' \
		'delete: ok' 'hull-agent: the host went away' 'quit: status 1'
}
