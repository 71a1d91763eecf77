#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# The life of a container in a virtual machine, as the callers see it: the commands and answers of
# one in namespaces.

# shellcheck disable=SC2016 # for jq and shells inside

load lib
load vm

# Counts as long as it makes progress.
counting() {
	script 'i=0; while :; do i=$((i + 1)); echo $i >/count; sleep 0.02; done'
}

counts() {
	local before

	before=$(cat "$BUNDLE/rootfs/count" 2>/dev/null)
	sleep 0.2
	[[ -n $before && $(cat "$BUNDLE/rootfs/count") != "$before" ]]
}

guest_has() { # NUMBER of processes
	[[ $(hull ps --format json "$ID" | jq length) == "$1" ]]
}

# What a failed create must not leave behind.
create_fails() { # TEXT...
	expect 1 hull create --bundle "$BUNDLE" "$ID" </dev/null 3>&-
	one_error "$@"
	wait_for nothing_left || {
		leftovers
		return 1
	}
}

@test "create stops before the program, start runs it, kill and delete end it; then once more" {
	script 'echo started; exec sleep 1000'
	for _ in 1 2; do
		create --pid-file "$T/pid"
		equal "$(container_status)" created
		equal "$(cat "$OUT")" ''
		pid=$(container_pid)
		equal "$(od -An -c "$T/pid" | tr -d ' \n')" "$pid"
		equal "$(readlink "/proc/$pid/exe")" "${RUNTIME%/*}/hull-vmm"
		expect 1 hull create --bundle "$BUNDLE" "$ID"
		one_error exist
		expect 0 hull start "$ID"
		equal "$(container_status) $(container_pid)" "running $pid"
		wait_for out_has started
		expect 1 hull start "$ID"
		expect 1 hull delete "$ID"
		one_error running
		expect 0 hull kill "$ID" KILL
		wait_for has_status stopped
		equal "$(container_pid)" 0
		expect 1 hull kill "$ID" KILL
		one_error 'container not running'
		expect 1 hull start "$ID"
		expect 1 hull exec "$ID" true
		one_error stopped
		expect 1 hull update --pids-limit 5 "$ID"
		expect 0 hull ps -f json "$ID"
		equal "$output" '[]'
		expect 0 hull delete "$ID"
		expect 1 hull state "$ID"
		nothing_left
	done
}

@test "run: streams and exit status are the program's; it ends as the program ends" {
	script 'cat; echo error >&2; exit 3'
	echo input | { run_bundle --pid-file "$T/pid" 2>"$T/err" >"$OUT" || echo $? >"$T/status"; }
	equal "$(cat "$OUT" "$T/err" "$T/status")" $'input\nerror\n3'
	nothing_left
	script 'sh -c "kill -SEGV \$\$"; exit $?'
	expect 139 run_bundle </dev/null
	nothing_left
}

@test "run: a signal to hull-oci ends the program, and it tells by which" {
	args probe signals 1
	start_in_background hull run --bundle "$BUNDLE" "$ID"
	pid=$!
	wait_for out_has ready
	kill -HUP "$(pgrep -f "^$RUNTIME .*run --bundle .*$ID")"
	wait "$pid"
	out_has HUP
	args sleep 1000
	start_in_background hull run --bundle "$BUNDLE" "$ID"
	pid=$!
	wait_for has_status running
	kill -KILL "$(container_pid)"
	status=0
	wait "$pid" || status=$?
	equal "$status" 137
	nothing_left
}

@test "run --detach, --pid-file, --pidfd-socket; state and list show it as any other" {
	config '.annotations["org.example.key"] = "a \"value\" / ü"'
	"$PEER" pidfd "$T/pidfd" >"$T/received" 3>&- &
	JOBS+=($!)
	wait_for test -S "$T/pidfd"
	run_detached --pid-file "$T/pid" --pidfd-socket "$T/pidfd"
	wait_for grep -qx "$(container_pid)" "$T/received"
	equal "$(cat "$T/pid")" "$(container_pid)"
	expect 0 hull state "$ID"
	equal "$(jq -r '[.id, .status, .bundle, .rootfs] | join(" ")' <<<"$output")" \
		"$ID running $BUNDLE $BUNDLE/rootfs"
	equal "$(jq -r '.annotations["org.example.key"]' <<<"$output")" 'a "value" / ü'
	jq -e '(.ociVersion | test("^1[.]")) and .pid > 1 and (.created | endswith("Z"))' <<<"$output"
	equal "$(hull list -f json | jq -Sc '.[0]')" "$(hull state "$ID" | jq -Sc .)"
	expect 0 hull list
	[[ ${lines[1]} =~ ^$ID\ +$(container_pid)\ +running\ +$BUNDLE\ +[0-9T:.-]+Z\ +root ]]
	expect 0 hull list --quiet
	equal "$output" "$ID"
	equal "$(cat "/proc/$(container_pid)/cgroup")" "0::$CGROUP"
	expect 0 hull delete --force "$ID"
	nothing_left
}

@test "signals of each kind reach the program" {
	args probe signals 15
	run_detached
	wait_for out_has ready
	for signal in USR1 SIGHUP 12 INT QUIT WINCH CHLD PIPE ALRM CONT 34 RTMIN+1 64 SEGV; do
		expect 0 hull kill "$ID" "$signal"
	done
	for name in USR1 HUP USR2 INT QUIT WINCH CHLD PIPE ALRM CONT RT34 RT35 RT64 SEGV; do
		wait_for grep -qx "$name" "$OUT" || {
			echo "no $name: $(cat "$OUT")"
			return 1
		}
	done
	equal "$(container_status)" running
	expect 0 hull kill "$ID"
	wait_for out_has TERM
	wait_for has_status stopped
}

@test "STOP stops all of it, CONT lets it go on" {
	counting
	run_detached
	wait_for counts
	expect 0 hull kill "$ID" STOP
	halted() { ! counts; }
	wait_for halted
	equal "$(container_status)" running
	expect 0 hull kill "$ID" CONT
	wait_for counts
}

@test "kill --all reaches every process, kill alone the first one" {
	script 'trap "echo first" USR1; (trap "echo second; exit" USR1; echo up; while :; do sleep 0.1; done) &
		while :; do sleep 0.1; done'
	run_detached
	wait_for out_has up
	expect 0 hull kill "$ID" USR1
	wait_for out_has first
	expect 0 hull exec "$ID" true
	fails out_has second
	expect 0 hull kill --all "$ID" USR1
	wait_for out_has second
	expect 0 hull kill --all "$ID" KILL
	wait_for has_status stopped
	expect 0 hull delete "$ID"
	nothing_left
}

@test "a created container: exec, ps, kill of it, delete" {
	create
	expect 0 hull exec "$ID" hostname
	equal "$output" box
	equal "$(container_status)" created
	guest_has 1
	expect 0 hull kill "$ID" KILL
	wait_for has_status stopped
	expect 1 hull start "$ID"
	equal "$(container_status)" stopped
	expect 0 hull delete "$ID"
	nothing_left
	create
	expect 0 hull delete "$ID"
	nothing_left
}

@test "exec: streams, exit status, how it ends, what is not found" {
	run_detached
	equal "$(echo input | hull exec "$ID" sh -c 'cat; echo error >&2' 2>"$T/err")" input
	equal "$(cat "$T/err")" error
	equal "$(hull exec "$ID" head -c 3000000 /dev/zero | wc -c)" 3000000
	expect 7 hull exec "$ID" sh -c 'exit 7'
	expect 137 hull exec "$ID" sh -c 'kill -KILL $$'
	expect 143 hull exec "$ID" sh -c 'kill -TERM $$'
	expect 1 hull exec "$ID" no-such-program
	equal "$output" "hull-oci: process.args: 'no-such-program': executable file not found in \$PATH"
	expect 1 hull exec "$ID" /no/such
	one_error "'/no/such'" 'no such file or directory'
	expect 1 hull exec --cwd /nowhere "$ID" true
	one_error "'/nowhere'"
	guest_has 1
}

@test "exec: user, groups, directory, environment, capabilities, a file, no new privileges" {
	config '.process.env += ["A=config"] | .process.noNewPrivileges = false'
	run_detached
	expect 0 hull exec -u 9:10 -g 11 -g 12 --cwd /var -e A=1 -eB=2 --env C=3 "$ID" sh -c 'id -u; id -G; pwd; echo $A$B$C'
	equal "$output" $'9\n10 11 12\n/var\n123'
	expect 0 hull exec --cap CAP_NET_RAW "$ID" grep -E '^Cap(Inh|Eff|Bnd)' /proc/self/status
	equal "$(tr -d '\t' <<<"$output" | tr '\n' ' ')" \
		'CapInh:0000000000000000 CapEff:00000000080020e3 CapBnd:00000000080020e3 '
	equal "$(hull exec "$ID" grep NoNewPrivs: /proc/self/status | cut -f2)" 0
	equal "$(hull exec --no-new-privs "$ID" grep NoNewPrivs: /proc/self/status | cut -f2)" 1
	jq '.process | .args = ["sh", "-c", "echo $A $(id -u) $PWD; ulimit -n"] | .env += ["A=file"]
		| .user = {uid: 1000, gid: 1000} | .cwd = "/tmp"
		| .rlimits = [{type: "RLIMIT_NOFILE", soft: 99, hard: 99}]' "$BUNDLE/config.json" >"$T/process.json"
	expect 0 hull exec --process "$T/process.json" "$ID"
	equal "$output" $'file 1000 /tmp\n99'
	echo '{"args": ["true"]' >"$T/process.json"
	expect 1 hull exec --process "$T/process.json" "$ID"
	one_error process.json
	expect 1 hull exec --preserve-fds 1 "$ID" true
	one_error '--preserve-fds'
}

@test "exec: signals to its process reach the program, its end is the program's end" {
	run_detached
	hull exec --detach --pid-file "$T/pid" "$ID" probe signals 4 >"$OUT" 2>&1 </dev/null 3>&-
	pid=$(cat "$T/pid")
	wait_for out_has ready
	for signal in USR1 34 CHLD TERM; do
		kill -"$signal" "$pid"
	done
	for name in USR1 RT34 CHLD TERM; do
		wait_for grep -qx "$name" "$OUT"
	done
	gone() { [[ ! -e /proc/$pid ]]; }
	wait_for gone
	hull exec "$ID" probe signals 2 >"$T/signals" 2>&1 </dev/null 3>&- &
	wait_for grep -qs ready "$T/signals"
	pid=$(pgrep -o -f "^$RUNTIME .*exec $ID probe")
	kill -USR1 "$pid"
	wait_for grep -q USR1 "$T/signals"
	kill -TERM "$pid"
	wait_for grep -q TERM "$T/signals"
	wait $!
}

@test "exec: kill -9 of its process on the host kills the program" {
	run_detached
	hull exec --detach --pid-file "$T/pid" "$ID" sleep 1001 >"$OUT" 2>&1 </dev/null 3>&-
	guest_has 2
	kill -KILL "$(cat "$T/pid")"
	wait_for guest_has 1
	expect 0 hull exec "$ID" true
	hull exec --detach --pid-file "$T/pid" "$ID" sleep 1001 >"$OUT" 2>&1 </dev/null 3>&-
	hull exec "$ID" sh -c 'kill $(pidof sleep | cut -d" " -f1)' 3>&-
	gone() { [[ ! -e /proc/$(cat "$T/pid") ]]; }
	wait_for gone
}

@test "ps: ids, a table" {
	script 'sleep 1001 & exec sleep 1002'
	run_detached
	wait_for guest_has 2
	jq -e 'all(. > 0)' <<<"$(hull ps -f json "$ID")"
	expect 0 hull ps "$ID"
	equal "${#lines[@]}" 3
	[[ ${lines[0]} == UID*PID*CMD ]]
	says 'sleep 1001'
	says 'sleep 1002'
	expect 1 hull ps "$ID" aux
	one_error 'ps arguments are not supported'
}

@test "paused, nothing makes progress and exec is refused; resumed, it goes on" {
	counting
	run_detached
	wait_for counts
	expect 0 hull pause "$ID"
	equal "$(container_status)" paused
	fails counts
	expect 1 hull exec "$ID" true
	one_error paused
	for command in ps 'events --stats' 'update --pids-limit 9' 'kill --all'; do
		# shellcheck disable=SC2086 # words
		expect 1 hull $command "$ID"
		one_error paused
	done
	hull exec --detach --ignore-paused "$ID" sh -c 'echo late >/late' >"$OUT" 2>&1 </dev/null 3>&- &
	JOBS+=($!)
	fails counts
	[[ ! -e $BUNDLE/rootfs/late ]]
	expect 0 hull resume "$ID"
	equal "$(container_status)" running
	wait $!
	wait_for grep -qx late "$BUNDLE/rootfs/late"
	wait_for counts
	expect 0 hull pause "$ID"
	expect 0 hull delete --force "$ID"
	nothing_left
}

@test "events: statistics once, in an interval, and what is killed for lack of memory" {
	config '.linux.resources.memory = {"limit": 20000000, "swap": 20000000}'
	run_detached
	expect 0 hull events --stats "$ID"
	jq -e --arg id "$ID" '.type == "stats" and .id == $id' <<<"$output"
	jq -e '.data | .cpu.usage.total > 0 and .memory.usage.limit == 19996672 and .pids.current == 1' <<<"$output"
	hull events --interval 100ms "$ID" >"$T/stats" 3>&- &
	JOBS+=($!)
	hull events --interval 1h "$ID" >"$T/events" 3>&- &
	JOBS+=($!)
	three() { (($(wc -l <"$T/stats") >= 3)); }
	wait_for three
	expect 137 hull exec "$ID" probe eat 100
	wait_for test -s "$T/events"
	equal "$(head -n 1 "$T/events")" "{\"type\":\"oom\",\"id\":\"$ID\"}"
	equal "$(container_status)" running
	hull pause "$ID"
	sleep 0.5
	before=$(wc -l <"$T/stats")
	sleep 0.3
	equal "$(wc -l <"$T/stats")" "$before"
	hull resume "$ID"
	more() { (($(wc -l <"$T/stats") > before)); }
	wait_for more
	hull kill "$ID" KILL
	wait "${JOBS[@]}"
	jq -es 'map(select(.type == "stats")) | length >= 3' "$T/stats"
	JOBS=()
}

@test "events: an oom that ends the container" {
	config '.linux.resources.memory = {"limit": 20000000, "swap": 20000000}'
	script 'until [ -e /go ]; do sleep 0.1; done; exec probe eat 100'
	run_detached
	hull events --interval 1h "$ID" >"$T/events" 3>&- &
	JOBS+=($!)
	sleep 0.3
	touch "$BUNDLE/rootfs/go"
	wait $!
	equal "$(cat "$T/events")" "{\"type\":\"oom\",\"id\":\"$ID\"}"
	wait_for has_status stopped
}

@test "update changes limits inside and on the host; a refused one changes nothing" {
	config '.mounts += [{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]}]
		| .linux.resources.memory = {"limit": 20000000, "swap": 20000000} | .linux.resources.pids = {"limit": 20}'
	run_detached
	limits() { hull exec "$ID" sh -c 'cd /sys/fs/cgroup; echo $(cat pids.max memory.max)'; }
	equal "$(limits)" '20 19996672'
	expect 0 hull update --pids-limit 33 --memory 32m --memory-swap 32m "$ID"
	equal "$(limits)" '33 33554432'
	config=$(jq -Sc .linux.resources "$STATE/$ID/config.json")
	expect 1 hull update --resources - "$ID" <<<'{"cpu": {"cpus": "7"}, "pids": {"limit": 9}, "memory": {"limit": 30000000}}'
	one_error cpuset
	on_host() { (cd "/sys/fs/cgroup$CGROUP" && echo "$(cat cpuset.cpus) $(cat cpu.weight) $(cat pids.max)"); }
	equal "$(on_host)" ' 100 max'
	expect 1 hull update --resources - "$ID" <<<'{"cpu": {"cpus": "0", "shares": 2048}, "memory": {"limit": 9000000000}}'
	one_error memory.limit
	equal "$(on_host)" ' 100 max'
	expect 0 hull update --cpuset-cpus 0 --cpu-share 262144 "$ID"
	equal "$(on_host)" "0 10000 max"
	config=$(jq -Sc .linux.resources "$STATE/$ID/config.json")
	expect 1 hull update --resources - "$ID" <<<'{"pids": {"limit": "many"}}'
	one_error pids.limit
	expect 1 hull update --memory 9g --memory-swap 9g "$ID"
	one_error 'memory.limit: 9663676416 is more than the'
	equal "$(limits)" '33 33554432'
	equal "$(jq -Sc .linux.resources "$STATE/$ID/config.json")" "$config"
	[[ ! -e $STATE/$ID/config.json.new ]]
	expect 1 hull update --resources - "$ID" <<<'{"unified": {"io.max": "8:0 rbps=1"}}'
	one_error io.max
	expect 0 hull exec "$ID" probe fork 40
	((output > 20 && output < 33))
}

@test "delete by force of a running one leaves nothing" {
	script 'sleep 1001 & setsid sleep 1002 & echo up; wait'
	run_detached
	wait_for out_has up
	expect 0 hull delete --force "$ID"
	nothing_left
	expect 0 hull delete --force "$ID"
}

# hook KIND SCRIPT: adds a hook that runs the shell script, on the host or, for startContainer, inside.
hook() {
	config '.hooks[$kind] += [{path: "/bin/sh", args: ["sh", "-c", $script], env: ["PATH=/usr/bin:/bin"]}]' \
		--arg kind "$1" --arg script "$2"
}

@test "hooks run where they belong and read the state that belongs to them" {
	for kind in prestart createRuntime createContainer poststart poststop; do
		hook $kind "cat >>$T/log; echo >>$T/log"
	done
	hook startContainer 'cat >/inside; hostname >/where'
	create
	pid=$(container_pid)
	equal "$(jq -r .status "$T/log" | paste -sd ' ')" 'creating creating creating'
	hull start "$ID"
	equal "$(jq -r .status "$T/log" | paste -sd ' ')" 'creating creating creating running'
	equal "$(jq -r '[.id, .pid, .bundle] | join(" ")' "$T/log" | sort -u)" "$ID $pid $BUNDLE"
	equal "$(jq -r '.id + " " + .status' "$BUNDLE/rootfs/inside") $(cat "$BUNDLE/rootfs/where")" "$ID created box"
	hull delete --force "$ID"
	equal "$(jq -r .status "$T/log" | tail -n 1)" stopped
}

@test "a hook that fails ends create, and nothing is left" {
	for kind in createRuntime createContainer; do
		hook $kind 'echo its words >&2; exit 3'
		create_fails "$kind" /bin/sh 'status 3' 'its words'
		config 'del(.hooks)'
	done
	hook startContainer 'exit 4'
	create
	expect 1 hull start "$ID"
	one_error startContainer 'status 4'
	wait_for has_status stopped
	expect 0 hull delete "$ID"
	nothing_left
}

@test "create of what cannot be: one clear line, nothing left" {
	args no-such-program
	create_fails "process.args: 'no-such-program': executable file not found in \$PATH"
	args sleep 1000
	config '.root.path = "nothing"'
	create_fails "root.path" nothing
	config '.root.path = "rootfs" | .annotations["org.hull.vm.kernel"] = $f' --arg f "$T/none"
	create_fails "kernel '$T/none' of the virtual machine" 'No such file'
	config '.annotations["org.hull.vm.kernel"] = $f' --arg f "$BUNDLE/config.json"
	create_fails kernel
	printf '\177ELF\2\1\1' >"$T/short"
	config '.annotations["org.hull.vm.kernel"] = $f' --arg f "$T/short"
	create_fails kernel
	mkfifo "$T/fifo"
	config '.annotations["org.hull.vm.kernel"] = $f' --arg f "$T/fifo"
	create_fails kernel
	config 'del(.annotations["org.hull.vm.kernel"]) | .annotations["org.hull.vm.cpus"] = "33"'
	create_fails 'org.hull.vm.cpus' '1 to 32'
	echo '{' >"$BUNDLE/config.json"
	create_fails config.json
	rm "$BUNDLE/config.json"
	create_fails config.json
}

@test "create without /dev/kvm, and without hull-vmm" {
	mv /dev/kvm /dev/kvm.away
	run create_fails "a virtual machine needs '/dev/kvm'" 'No such file'
	mv /dev/kvm.away /dev/kvm
	equal "$status $output" '0 '
	mkdir "$T/alone"
	cp "$RUNTIME" "$T/alone"
	RUNTIME=$T/alone/hull-oci
	create_fails "program '" "/hull-vmm' of the virtual machine" 'No such file'
}
