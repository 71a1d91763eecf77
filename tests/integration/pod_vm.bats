#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# A pod in one virtual machine, as an engine makes it: a sandbox, and containers that join it.

# shellcheck disable=SC2016 # for jq and shells inside

load lib
load vm

setup() {
	needs_kvm
	begin
	POD=$ID
	echo pod >"$BUNDLE/rootfs/name"
	config '.annotations = {"org.hull.isolation": "vm", "org.hull.vm.memory-mib": "128",
			"io.kubernetes.cri.container-type": "sandbox", "io.kubernetes.cri.sandbox-id": $pod}
		| .hostname = "pod"' --arg pod "$POD"
}

teardown() {
	ID=${POD-${ID-}}
	end
}

# The pod's sandbox, which waits.
start_pod() {
	run_detached
	POD_PID=$(container_pid)
}

# member NAME [FILTER]: a bundle of a container of the pod, with a root of its own. It shares the pod's
# network, IPC and host name. The words from here on are about it.
member() {
	mkdir "$T/$1"
	on "$1"
	cp -a "$ROOTFS" "$BUNDLE/rootfs"
	echo "$1" >"$BUNDLE/rootfs/name"
	CGROUP=/hull-$ID default_config | jq 'del(.hostname)
		| .annotations = {"io.kubernetes.cri.container-type": "container",
			"io.kubernetes.cri.sandbox-id": $pod}
		| .process.env |= map(if startswith("TEST_ID=") then "TEST_ID=" + $pod else . end)
		| .linux.namespaces |= map(if .type == "network" or .type == "ipc" or .type == "uts"
			then .path = "/proc/\($pid)/ns/" + (.type | sub("network"; "net")) else . end)' \
		--arg pod "$POD" --arg pid "${POD_PID-1}" >"$BUNDLE/config.json"
	shift
	config "${@-.}"
}

# on NAME: the words are about that one; pod: the sandbox.
on() {
	ID=$POD-$1
	BUNDLE=$T/$1
	OUT=$T/$1.out
	[[ $1 != pod ]] || {
		ID=$POD
		BUNDLE=$T/bundle
		OUT=$T/out
	}
}

# in_foreground: runs the bundle in the background of the test, its exit status will be in $OUT.status.
in_foreground() {
	(
		status=0
		hull run --bundle "$BUNDLE" "$ID" </dev/null >"$OUT" 2>&1 3>&- || status=$?
		echo "$status" >"$OUT.status"
	) &
	JOBS+=($!)
	wait_for has_status running
}

ended_with() { # STATUS
	wait_for test -s "$OUT.status"
	equal "$(cat "$OUT.status")" "$1"
}

# Its streams are nobody's, who would wait for their end.
exec_detached() { # ID COMMAND...
	hull exec --detach "$@" >/dev/null 2>&1 </dev/null 3>&-
}

# Counts as long as it makes progress.
COUNT='i=0; while :; do i=$((i + 1)); echo $i >/count; sleep 0.02; done'

counts() {
	local before

	before=$(cat "$BUNDLE/rootfs/count" 2>/dev/null)
	sleep 0.2
	[[ -n $before && $(cat "$BUNDLE/rootfs/count") != "$before" ]]
}

halted() {
	! counts
}

@test "three containers in one machine: root, limits, exec and ends of their own; network and IPC together" {
	start_pod
	member one '.linux.resources.pids = {"limit": 20}'
	script 'echo $(hostname) $(cat /name); while [ ! -e /end ]; do sleep 0.1; done; exit 7'
	in_foreground
	member two '.linux.resources.pids = {"limit": 30} | .linux.resources.memory = {"limit": 33554432}'
	create --pid-file "$T/pid"
	equal "$(container_status)" created
	equal "$(cat "$T/pid")" "$(container_pid)"
	expect 0 hull exec "$ID" cat /name
	equal "$output" two
	expect 0 hull start "$ID"
	for name in pod one two; do
		on "$name"
		equal "$(container_status)" running
		equal "$(hull exec "$ID" cat /name)" "$name"
		equal "$(hull exec "$ID" hostname)" pod
		# A pid namespace of its own, and nothing of the guest's or of the others.
		[[ $name == one ]] || equal "$(hull ps --format json "$ID" | jq length)" 1
		expect 1 hull exec "$ID" ls -d /run/hull
	done
	on one
	wait_for out_has 'pod one'
	equal "$(hull events --stats "$ID" | jq .data.pids.limit)" 20
	on two
	equal "$(hull events --stats "$ID" | jq '.data.pids.limit, .data.memory.usage.limit' | xargs)" '30 33554432'
	on pod
	equal "$(hull events --stats "$ID" | jq .data.pids.limit)" 0
	expect 0 hull exec "$POD-one" probe queue put 77 'from one'
	expect 0 hull exec "$POD-two" probe queue get 77
	equal "$output" 'from one'
	expect 1 hull exec "$POD" probe queue get 77
	exec_detached "$POD-two" sh -c 'echo word | nc -l -p 4000'
	heard() { [[ $(hull exec "$POD-one" nc 127.0.0.1 4000 </dev/null 2>/dev/null) == word ]]; }
	wait_for heard
	on one
	touch "$BUNDLE/rootfs/end"
	ended_with 7
	expect 1 hull state "$ID"
	on two
	equal "$(container_status)" running
	expect 0 hull exec "$ID" true
	on pod
	expect 0 hull exec "$ID" true
	on one
	script 'sh -c "kill -SEGV \$\$"; exit $?'
	expect 139 hull run --bundle "$BUNDLE" "$ID" </dev/null
	on two
	expect 0 hull kill "$ID" KILL
	wait_for has_status stopped
	expect 0 hull delete "$ID"
	on pod
	equal "$(container_status)" running
	expect 0 hull exec "$ID" true
	expect 0 hull delete --force "$ID"
	nothing_left
}

@test "the pid namespace of the sandbox, or of another container, when asked" {
	start_pod
	member one
	run_detached
	expect 0 hull exec "$ID" sh -c 'cat /proc/1/cmdline | tr "\0" " "; echo $$'
	equal "${lines[0]% [0-9]*} ${lines[0]##* }" "sleep 1000 2"
	pid=$(container_pid)
	member two '.linux.namespaces |= map(if .type == "pid" then .path = "/proc/\($pid)/ns/pid" else . end)' \
		--arg pid "$POD_PID"
	script 'readlink /proc/self/ns/pid; kill -0 1 && echo sees; exec sleep 1000'
	run_detached
	wait_for out_has sees
	equal "$(head -n 1 "$OUT")" "$(hull exec "$POD" readlink /proc/1/ns/pid)"
	fails equal "$(head -n 1 "$OUT")" "$(hull exec "$POD-one" readlink /proc/1/ns/pid)"
	equal "$(hull ps --format json "$ID" | jq length)" 1
	member three '.linux.namespaces |= map(if .type == "pid" then .path = "/proc/\($pid)/ns/pid" else . end)' \
		--arg pid "$pid"
	run_detached
	equal "$(hull exec "$ID" readlink /proc/1/ns/pid)" "$(hull exec "$POD-one" readlink /proc/1/ns/pid)"
	# What shares another's pid namespace still ends alone, with all of its processes.
	exec_detached "$POD-two" sh -c 'trap "" TERM; while :; do date >/alive; sleep 0.05; done'
	on two
	wait_for test -s "$BUNDLE/rootfs/alive"
	expect 0 hull kill "$ID" TERM
	expect 0 hull kill "$ID" KILL
	wait_for has_status stopped
	expect 0 hull delete "$ID"
	rm -f "$BUNDLE/rootfs/alive"
	sleep 0.3
	[[ ! -e $BUNDLE/rootfs/alive ]]
	expect 0 hull exec "$POD" true
	expect 0 hull exec "$POD-three" true
}

@test "the end of the sandbox is the end of all; each is deleted, and nothing is left" {
	start_pod
	member one
	in_foreground
	member two
	run_detached
	member three
	create
	two=$(hull state "$POD-two" | jq .pid)
	on pod
	expect 0 hull kill "$ID" KILL
	on one
	ended_with 137
	for name in two three pod; do
		on "$name"
		wait_for has_status stopped
		expect 1 hull exec "$ID" true
		one_error stopped
		[[ $name == pod ]] || expect 0 hull delete "$ID"
	done
	[[ ! -e /proc/$two ]]
	member four
	expect 1 hull create --bundle "$BUNDLE" "$ID" </dev/null 3>&-
	one_error "sandbox '$POD'" stopped
	on pod
	expect 0 hull delete "$ID"
	nothing_left
}

@test "what a container has in a mapping is in the file when the end of the sandbox ends it" {
	script 'trap "exit 3" TERM; while :; do sleep 0.1; done'
	start_pod
	mkdir "$T/shared"
	member one '.mounts += [{"destination": "/shared", "type": "bind", "source": ($dir + "/shared"), "options": ["bind"]}]' \
		--arg dir "$T"
	args probe count /shared/n
	run_detached
	wait_for out_has 1
	on pod
	expect 0 hull kill "$ID" TERM
	wait_for has_status stopped
	equal "$(od -An -t d4 -N 4 "$T/shared/n" | tr -d ' ')" 1
}

@test "commands: pause and resume, ps, stats, update, signals, kill --all, a terminal" {
	start_pod
	member one
	script "$COUNT"
	run_detached
	wait_for counts
	expect 0 hull pause "$ID"
	equal "$(container_status)" paused
	wait_for halted
	expect 0 hull exec "$POD" true
	equal "$(hull state "$POD" | jq -r .status)" running
	expect 1 hull exec "$ID" true
	expect 0 hull resume "$ID"
	equal "$(container_status)" running
	wait_for counts
	expect 0 hull pause "$POD"
	expect 1 hull exec "$ID" true
	one_error "sandbox '$POD' is paused"
	expect 1 hull ps "$ID"
	wait_for halted
	expect 0 hull resume "$POD"
	wait_for counts
	# What becomes of it while the sandbox is paused holds when that goes on, whatever it was before.
	expect 0 hull pause "$POD"
	expect 0 hull pause "$ID"
	equal "$(container_status)" paused
	expect 1 hull pause "$ID"
	expect 0 hull resume "$POD"
	equal "$(container_status)" paused
	wait_for halted
	halted
	expect 0 hull pause "$POD"
	expect 0 hull resume "$ID"
	equal "$(container_status)" running
	wait_for halted
	expect 0 hull resume "$POD"
	wait_for counts
	# All at once, as engines do it to a pod.
	for command in pause resume pause resume; do
		hull "$command" "$POD" 3>&- &
		expect 0 hull "$command" "$ID"
		wait $!
	done
	equal "$(container_status)" running
	wait_for counts
	expect 0 hull update --pids-limit 9 "$ID"
	equal "$(hull events --stats "$ID" | jq .data.pids.limit)" 9
	equal "$(hull events --stats "$POD" | jq .data.pids.limit)" 0
	expect 1 hull update --cpuset-cpus 0 "$ID"
	one_error linux.resources.cpu.cpus
	expect 1 hull update --memory 1073741824 "$ID"
	one_error 'more than the 134217728 bytes'
	expect 0 hull ps "$ID"
	says 'while :'
	equal "$(hull list -q | sort | xargs)" "$POD $POD-one"
	jq -e '.pid > 1 and .annotations["io.kubernetes.cri.sandbox-id"] == $pod' --arg pod "$POD" <<<"$(hull state "$ID")"
	equal "$(cat "/proc/$(container_pid)/cgroup")" "0::/hull-$ID"
	expect 0 hull delete --force "$ID"
	member two
	args probe signals 5
	run_detached
	wait_for out_has ready
	for signal in USR1 HUP 34 WINCH INT; do
		expect 0 hull kill "$ID" "$signal"
	done
	for name in USR1 HUP RT34 WINCH INT; do
		wait_for grep -qx "$name" "$OUT"
	done
	wait_for has_status stopped
	expect 0 hull delete "$ID"
	member three
	script 'trap "echo first" USR1; (trap "echo second; exit" USR1; echo up; while :; do sleep 0.1; done) &
		while :; do sleep 0.1; done'
	run_detached
	wait_for out_has up
	expect 0 hull kill --all "$ID" USR1
	wait_for out_has second
	wait_for out_has first
	expect 0 hull delete --force "$ID"
	member ending
	script 'until [ -e /end ]; do sleep 0.05; done'
	run_detached
	expect 0 hull pause "$POD"
	touch "$BUNDLE/rootfs/end"
	expect 0 hull pause "$ID"
	expect 0 hull resume "$POD"
	# It ends before the guest hears of the pause, or when it goes on.
	[[ $(container_status) != paused ]] || expect 0 hull resume "$ID"
	wait_for has_status stopped
	expect 0 hull delete "$ID"
	member four '.process.terminal = true | .process.consoleSize = {height: 33, width: 99}'
	script 'tty; stty size; read line; echo "got $line"'
	echo word | command script -qec "$RUNTIME --root $STATE run --bundle $BUNDLE $ID" "$T/typescript" >/dev/null
	grep -q '/dev/pts/0' "$T/typescript"
	grep -q 'got word' "$T/typescript"
	nothing_left_of_it() { [[ ! -e $STATE/$ID ]]; }
	nothing_left_of_it
}

@test "what cannot be is refused by its name, and nothing is left of it" {
	refused() { # TEXT...
		expect 1 hull create --bundle "$BUNDLE" "$ID" </dev/null 3>&-
		one_error "$@"
		[[ ! -e $STATE/$ID && ! -e /sys/fs/cgroup/hull-$ID ]]
	}

	member one '.annotations["org.hull.isolation"] = "vm"'
	refused 'sandbox' "'$POD' does not exist"
	on pod
	create
	member two '.annotations["org.hull.isolation"] = "namespace"'
	refused org.hull.isolation "sandbox '$POD' is a virtual machine"
	member three '.annotations |= del(.["io.kubernetes.cri.sandbox-id"])
		| .annotations["org.hull.isolation"] = "vm"'
	refused io.kubernetes.cri.sandbox-id
	POD_PID=$(hull state "$POD" | jq .pid)
	member four '.linux.namespaces |= map(if .type == "ipc" then .path = "/proc/1/ns/ipc" else . end)'
	refused linux.namespaces 'ipc namespace' '/proc/1/ns/ipc'
	member five '.linux.namespaces |= map(select(.type != "pid"))'
	refused 'pid namespace'
	member six '.linux.resources.cpu = {"cpus": "0"}'
	refused linux.resources.cpu.cpus
	member seven '.linux.resources.memory = {"limit": 1073741824}'
	refused 'memory.limit' 'more than the 134217728 bytes'
	member eight '.process.args = ["/no/such/program"]'
	refused "'/no/such/program'"
	member nine '.mounts += [{"destination": "/x", "type": "bind", "source": "/no/such", "options": ["bind"]}]'
	refused 'mounts[5]' '/no/such'
	# One that is in the machine of another is nobody's sandbox, and has no checkpoint.
	member ten
	create
	expect 1 hull checkpoint --image-path "$T/image" "$ID"
	one_error "$POD"
	expect 1 hull checkpoint --image-path "$T/image" "$POD"
	member eleven '.annotations["io.kubernetes.cri.sandbox-id"] = $pod + "-ten"' --arg pod "$POD"
	refused "'$POD-ten'" "'$POD'"
	on ten
	expect 0 hull delete "$ID"
	on pod
	expect 0 hull start "$ID"
	expect 0 hull pause "$ID"
	member twelve
	refused "sandbox '$POD'" paused
	expect 0 hull resume "$POD"
	mkdir "$T/plain"
	on plain
	cp -a "$ROOTFS" "$BUNDLE/rootfs"
	CGROUP=/hull-$ID default_config >"$BUNDLE/config.json"
	run_detached
	member thirteen '.annotations["org.hull.isolation"] = "vm" | .annotations["io.kubernetes.cri.sandbox-id"] = $pod + "-plain"' \
		--arg pod "$POD"
	refused "sandbox '$POD-plain'" 'not a virtual machine'
}

@test "one directory for two containers is one in the guest: memory and locks are shared, rights are not" {
	start_pod
	mkdir "$T/shared" "$T/apart"
	local both='.mounts += [{"destination": "/shared", "type": "bind", "source": ($dir + "/shared"), "options": ["bind"]}]'

	member one "$both" --arg dir "$T"
	args probe count /shared/n
	run_detached
	wait_for out_has 1
	member two "$both" --arg dir "$T"
	args probe count /shared/n
	run_detached
	wait_for out_has 2
	member three "$both | .mounts[-1].options += [\"ro\"]" --arg dir "$T"
	run_detached
	expect 0 hull exec "$POD-two" probe lock /shared/lock
	exec_detached "$POD-one" probe lock /shared/lock hold
	locked() { ! hull exec "$POD-two" probe lock /shared/lock 2>/dev/null; }
	wait_for locked
	expect 1 hull exec "$POD-three" touch /shared/new
	expect 0 hull exec "$POD-two" touch /shared/new
	[[ -e $T/shared/new ]]
	# It stays as long as one of them is there.
	expect 0 hull delete --force "$POD-one"
	expect 0 hull exec "$POD-two" sh -c 'echo more >/shared/more'
	equal "$(cat "$T/shared/more")" more
}

@test "what a container had of the host is the host's again when it is deleted, the machine running on" {
	start_pod
	mkdir "$T/volume"
	mount -t tmpfs hull "$T/volume"
	member one '.mounts += [{"destination": "/volume", "type": "bind", "source": $dir, "options": ["rbind"]}]' \
		--arg dir "$T/volume"
	mkdir "$T/lower" "$T/work"
	mv "$BUNDLE/rootfs" "$T/lower/root"
	mkdir "$BUNDLE/rootfs"
	mount -t tmpfs hull "$BUNDLE/rootfs"
	cp -a "$T/lower/root/." "$BUNDLE/rootfs"
	for _ in 1 2 3; do
		run_detached
		expect 0 hull exec "$ID" sh -c 'echo x >/volume/file; exec cat /name'
		equal "$output" one
		expect 0 hull delete --force "$ID"
		umount "$T/volume"
		mount -t tmpfs hull "$T/volume"
	done
	umount "$T/volume" "$BUNDLE/rootfs"
	expect 0 hull exec "$POD" cat /name
	equal "$output" pod
}

@test "a process of hull's that is killed: the container's end, or the machine's, and a name that is free again" {
	start_pod
	member one
	script "$COUNT"
	run_detached
	wait_for counts
	kill -KILL "$(container_pid)"
	wait_for has_status stopped
	expect 0 hull delete "$ID"
	halted
	run_detached
	wait_for counts
	expect 0 hull delete --force "$ID"
	# hull-oci while it creates: a hook ends its parent.
	mkdir "$T/hook"
	printf '#!/bin/sh\nkill -KILL $PPID\n' >"$T/hook/kill"
	chmod +x "$T/hook/kill"
	member two '.hooks = {"createRuntime": [{"path": $path}]}' --arg path "$T/hook/kill"
	expect 137 hull create --bundle "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1 3>&-
	expect 0 hull delete --force "$ID"
	[[ ! -e $STATE/$ID ]]
	config 'del(.hooks)'
	run_detached
	expect 0 hull exec "$ID" cat /name
	equal "$output" two
	member three
	in_foreground
	kill -KILL "$POD_PID"
	ended_with 137
	on two
	wait_for has_status stopped
	expect 0 hull delete "$ID"
	on pod
	wait_for has_status stopped
	expect 0 hull delete "$ID"
	nothing_left
}

@test "hooks of a container that joins: where they run, and with whose state" {
	start_pod
	mkdir "$T/hook"
	printf '#!/bin/sh\njq -r "\\"$1 \\(.id) \\(.status)\\"" >>%s\n' "$T/log" >"$T/hook/log"
	chmod +x "$T/hook/log"
	member one '.hooks = {"prestart": [{"path": $path, "args": ["x", "prestart"], "env": ["PATH=/usr/bin:/bin"]}],
			"createRuntime": [{"path": $path, "args": ["x", "createRuntime"], "env": ["PATH=/usr/bin:/bin"]}],
			"createContainer": [{"path": $path, "args": ["x", "createContainer"], "env": ["PATH=/usr/bin:/bin"]}],
			"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "cat /name >/started"]}],
			"poststart": [{"path": $path, "args": ["x", "poststart"], "env": ["PATH=/usr/bin:/bin"]}],
			"poststop": [{"path": $path, "args": ["x", "poststop"], "env": ["PATH=/usr/bin:/bin"]}]}' \
		--arg path "$T/hook/log"
	run_detached
	equal "$(cat "$BUNDLE/rootfs/started")" one
	equal "$(readlink "/proc/$(container_pid)/ns/mnt")" "$(readlink /proc/self/ns/mnt)"
	expect 0 hull delete --force "$ID"
	equal "$(cat "$T/log")" "prestart $ID creating
createRuntime $ID creating
createContainer $ID creating
poststart $ID running
poststop $ID stopped"
}

@test "podman's and CRI-O's words name the sandbox, too" {
	start_pod
	member one '.annotations = {"io.kubernetes.cri-o.ContainerType": "container", "io.kubernetes.cri-o.SandboxID": $pod}' \
		--arg pod "$POD"
	run_detached
	member two '.annotations = {"io.kubernetes.cri-o.SandboxID": $pod}' --arg pod "$POD"
	run_detached
	for name in one two; do
		equal "$(hull exec "$POD-$name" hostname)" pod
	done
}
