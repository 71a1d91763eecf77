#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine
#
# create, start, state, kill, delete, list, ps: the life of a container as the
# callers see it.

load lib

@test "create stops before the program, start runs it, delete removes it" {
	script 'echo started; exec sleep 1000'
	create
	equal "$(container_status)" created
	equal "$(cat "$OUT")" ''
	expect 0 hull start "$ID"
	equal "$(container_status)" running
	wait_for out_has started
	expect 0 hull kill "$ID" KILL
	wait_for has_status stopped
	equal "$(container_pid)" 0
	expect 0 hull delete "$ID"
	expect 1 hull state "$ID"
	nothing_left
}

@test "create and start return while the program runs" {
	create
	expect 0 hull start "$ID"
	equal "$(readlink "/proc/$(container_pid)/exe")" /bin/sleep
}

@test "state prints what the specification asks for" {
	config '.annotations = {"org.example.key": "a \"value\" / ü"}'
	create
	expect 0 hull state "$ID"
	equal "$(jq -r '[.id, .status, .bundle, .rootfs] | join(" ")' <<<"$output")" \
		"$ID created $BUNDLE $BUNDLE/rootfs"
	equal "$(jq -r '.annotations["org.example.key"]' <<<"$output")" 'a "value" / ü'
	jq -e '.ociVersion | test("^1[.]")' <<<"$output"
	jq -e '.created | test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}([.][0-9]+)?(Z|[+-][0-9:]{5})$")' <<<"$output"
	jq -e '.pid > 1' <<<"$output"
}

@test "the pid is the container's first process, in the host's numbers" {
	script 'echo $$; exec sleep 1000'
	create
	pid=$(container_pid)
	hull start "$ID"
	equal "$(container_pid)" "$pid"
	wait_for out_has 1
	equal "$(awk '/^NSpid/ { print $NF }' "/proc/$pid/status")" 1
}

@test "the pid file has the number and nothing else" {
	create --pid-file "$T/pid"
	equal "$(od -An -c "$T/pid" | tr -d ' \n')" "$(container_pid)"
}

@test "a relative pid file and bundle are the caller's" {
	cd "$BUNDLE"
	hull create --pid-file pid "$ID" >"$OUT" 2>&1 </dev/null 3>&-
	equal "$(cat "$BUNDLE/pid")" "$(container_pid)"
	equal "$(field bundle)" "$BUNDLE"
}

@test "an id in use is refused and its container stays as it is" {
	create
	pid=$(container_pid)
	expect 1 hull create --bundle "$BUNDLE" "$ID"
	says 'exist'
	equal "$(container_status) $(container_pid)" "created $pid"
}

@test "ids that are no file names are refused" {
	for id in '' . .. a/b ../a 'a b' $'a\nb' ä; do
		expect 1 hull create --bundle "$BUNDLE" "$id"
		expect 1 hull state "$id"
	done
	[[ ! -e $T/a ]]
}

@test "ids may have any of the allowed characters" {
	ID=t-$$-x_A+.9
	config '.linux.cgroupsPath = $p' --arg p "/hull-$ID"
	create
	equal "$(field id)" "$ID"
	expect 0 hull delete --force "$ID"
}

@test "an unknown id is one clear error" {
	for command in state start kill delete pause resume ps; do
		expect 1 hull "$command" nobody
		says 'does not exist'
	done
	expect 0 hull delete --force nobody
}

@test "a container starts once" {
	create
	hull start "$ID"
	expect 1 hull start "$ID"
	equal "$(container_status)" running
}

@test "a stopped container does not start" {
	create
	hull kill "$ID" KILL
	wait_for has_status stopped
	expect 1 hull start "$ID"
	equal "$(container_status)" stopped
}

@test "a created container can be killed and deleted" {
	create
	expect 0 hull delete "$ID"
	nothing_left
}

@test "a running container is deleted only by force" {
	create
	hull start "$ID"
	expect 1 hull delete "$ID"
	equal "$(container_status)" running
	expect 0 hull delete --force "$ID"
	nothing_left
}

@test "delete by force ends all processes" {
	script 'sleep 1001 & sleep 1002 & setsid sleep 1003 & echo up; wait'
	create
	hull start "$ID"
	wait_for out_has up
	expect 0 hull delete --force "$ID"
	nothing_left
}

@test "signals have names with and without SIG, and numbers" {
	args probe signals 4
	create
	hull start "$ID"
	wait_for out_has ready
	hull kill "$ID" USR1
	wait_for out_has USR1
	hull kill "$ID" SIGHUP
	wait_for out_has HUP
	hull kill "$ID" 12
	wait_for out_has USR2
	hull kill "$ID"
	wait_for out_has TERM
	wait_for has_status stopped
}

@test "a signal that does not exist is an error" {
	only_hull
	create
	for signal in NOSUCH 0x9 9x 65 -1 ''; do
		expect 2 hull kill "$ID" "$signal"
	done
	equal "$(container_status)" created
}

@test "killing a stopped container says that it does not run" {
	args true
	create
	hull start "$ID"
	wait_for has_status stopped
	expect 1 hull kill "$ID" KILL
	says 'container not running'
}

@test "kill --all reaches every process" {
	config '.linux.namespaces |= map(select(.type != "pid"))'
	script 'sleep 1001 & sleep 1002 & echo up; wait'
	create
	hull start "$ID"
	wait_for out_has up
	expect 0 hull kill --all "$ID" KILL
	wait_for has_status stopped
	expect 0 hull delete "$ID"
	nothing_left
}

@test "without a pid namespace, delete by force ends what the first process left" {
	config '.linux.namespaces |= map(select(.type != "pid"))'
	script '(sleep 1001 &); echo up'
	create
	hull start "$ID"
	wait_for has_status stopped
	expect 0 hull delete --force "$ID"
	nothing_left
}

@test "what config.json becomes after create does not matter" {
	only_hull
	script 'echo first; exec sleep 1000'
	create
	script 'echo second'
	hull start "$ID"
	wait_for out_has first
	echo '{' >"$BUNDLE/config.json"
	expect 0 hull exec "$ID" true
	expect 0 hull delete --force "$ID"
}

@test "a program that is missing is named, at create or at start" {
	args no-such-program
	run hull create --bundle "$BUNDLE" "$ID" 3>&-
	[[ $status != 0 ]] || run hull start "$ID"
	[[ $status == 1 ]]
	says no-such-program
	says ': executable file not found in $PATH'
}

@test "list shows containers, in a table, by id, as JSON" {
	expect 0 hull list
	create
	expect 0 hull list
	[[ ${lines[0]} =~ ^ID\ +PID\ +STATUS\ +BUNDLE\ +CREATED\ +OWNER ]]
	[[ ${lines[1]} =~ ^$ID\ +$(container_pid)\ +created\ +$BUNDLE\ +[0-9T:.-]+Z\ +root ]]
	expect 0 hull list --quiet
	equal "$output" "$ID"
	expect 0 hull list --format json
	equal "$(jq -r '.[] | [.id, .status, .bundle, .owner, .pid] | join(" ")' <<<"$output")" \
		"$ID created $BUNDLE root $(container_pid)"
}

@test "an empty list is JSON, too" {
	expect 0 hull list --format json
	equal "$(jq 'length' <<<"$output")" 0
}

@test "ps shows the container's processes alone" {
	script 'sleep 1001 & exec sleep 1002'
	create
	hull start "$ID"
	two() { [[ $(hull ps --format json "$ID" | jq length) == 2 ]]; }
	wait_for two
	expect 0 hull ps --format json "$ID"
	equal "$(jq 'index([$p])' --argjson p "$(container_pid)" <<<"$output")" 0
	expect 0 hull ps "$ID"
	says 'sleep 1001'
	says 'sleep 1002'
	[[ ${lines[0]} == *PID* ]]
	equal "${#lines[@]}" 3
	expect 0 hull ps "$ID" -o pid,args
	[[ ${lines[0]} =~ ^\ *PID\ +COMMAND ]]
}
