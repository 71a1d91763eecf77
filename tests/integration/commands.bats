#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine
#
# What commands print about containers and read from the command line, beyond
# the life of one container: regular expressions, tables, process lists,
# resources, a reader that goes away.

# shellcheck disable=SC2016 # for jq and shells inside

load lib

# Two more containers beside $ID, with the same bundle.
three_containers() {
	only_hull
	config 'del(.linux.cgroupsPath)'
	for id in "$ID-a" "$ID-b" "$ID"; do
		hull run --detach --bundle "$BUNDLE" "$id" >/dev/null 2>&1 </dev/null 3>&-
	done
}

stopped() { # ID...
	local id

	for id; do
		[[ $(hull state "$id" | jq -r .status) == stopped ]] || return
	done
}

@test "kill and delete take a regular expression" {
	three_containers
	expect 0 hull kill --regex "^$ID-[ab]\$" KILL
	wait_for stopped "$ID-a" "$ID-b"
	equal "$(container_status)" running
	expect 0 hull delete -r "$ID-(a|b)"
	equal "$(hull list -q)" "$ID"
	expect 0 hull kill -r nothing
	expect 2 hull delete -r '('
	one_error "'(' is not a regular expression"
	expect 0 hull delete --force -r .
	equal "$(hull list -q)" ''
}

@test "a failure does not keep the others of a regular expression from their turn" {
	three_containers
	hull kill "$ID-b" KILL
	wait_for stopped "$ID-b"
	expect 1 hull delete -r "$ID-."
	one_error "hull-oci: $ID-a: "
	equal "$(hull list -q | paste -sd ' ')" "$ID $ID-a"
	expect 0 hull delete -f -r .
}

@test "list: table, JSON, ids" {
	three_containers
	expect 0 hull list
	equal "${#lines[@]}" 4
	[[ ${lines[0]} =~ ^ID\ +PID\ +STATUS\ +BUNDLE\ +CREATED\ +OWNER$ ]]
	for column in PID STATUS BUNDLE CREATED OWNER; do
		offset=${lines[0]%%"$column"*}
		for line in "${lines[@]}"; do
			[[ ${line:${#offset}-1:1} == ' ' && ${line:${#offset}:1} != ' ' ]]
		done
	done
	expect 0 hull list -f json
	equal "$(jq -r 'map(.id) | join(" ")' <<<"$output")" "$ID $ID-a $ID-b"
	jq -e 'all(.status == "running" and .pid > 1 and .owner == "root" and (.created | length) > 20)' <<<"$output"
	equal "$(jq -Sc '.[0]' <<<"$output")" "$(hull state "$ID" | jq -Sc .)"
	expect 0 hull list --quiet
	equal "$(paste -sd ' ' <<<"$output")" "$ID $ID-a $ID-b"
	hull delete -f -r .
}

@test "ps: the container's processes only, by any ps arguments" {
	script 'sleep 1001 & exec sleep 1002'
	run_detached
	two() { [[ $(hull ps -f json "$ID" | jq length) == 2 ]]; }
	wait_for two
	pids=$(hull ps --format json "$ID" | jq -r 'sort | map(tostring) | join(" ")')
	expect 0 hull ps "$ID"
	equal "${#lines[@]}" 3
	[[ ${lines[0]} == UID*PID*CMD ]]
	equal "$(tail -n +2 <<<"$output" | awk '{ print $2 }' | sort -n | paste -sd ' ')" "$pids"
	expect 0 hull ps "$ID" -o pid,args
	says 'sleep 1001'
	says 'sleep 1002'
	equal "${#lines[@]}" 3
	expect 0 hull ps "$ID" aux
	[[ ${lines[0]} == USER* ]]
	equal "${#lines[@]}" 3
	only_hull
	expect 1 hull ps "$ID" -o args
	one_error 'no PID column'
	output=$(hull ps "$ID" --nonsense 2>&1 >/dev/null) && false
	says 'hull-oci: ps failed'
}

@test "ps of a stopped container has no processes" {
	only_hull
	run_detached
	hull kill "$ID" KILL
	wait_for has_status stopped
	expect 0 hull ps -f json "$ID"
	equal "$output" '[]'
}

@test "update: an error names the caller's line, an unknown property is no error" {
	only_hull
	run_detached
	printf '{\n  "memory": {\n    "limit": "much"\n  }\n}\n' >"$T/resources.json"
	expect 1 hull update --resources "$T/resources.json" "$ID"
	one_error "hull-oci: $T/resources.json:3:" 'memory.limit' 'integer'
	expect 1 hull update --resources - "$ID" <<<'[]'
	one_error 'standard input:1:1' 'object'
	expect 1 hull update --resources "$T/none.json" "$ID"
	one_error "$T/none.json" 'No such file'
	expect 0 hull update --resources - "$ID" <<<'{"org.example": {"x": [1]}, "pids": {"limit": 33}}'
	equal "$(cat "$(cgroup_dir pids "$CGROUP")/pids.max")" 33
	[[ ! -e $STATE/$ID/config.json.new ]]
}

@test "update: the memory limit and that of memory and swap follow each other" {
	only_hull
	needs_v1
	memory=$(cgroup_dir memory "$CGROUP")
	run_detached
	expect 0 hull update --memory 32m --memory-swap 64m "$ID"
	expect 0 hull update --memory 48m "$ID"
	equal "$(cat "$memory/memory.limit_in_bytes" "$memory/memory.memsw.limit_in_bytes" | paste -sd ' ')" \
		"$((48 << 20)) $((64 << 20))"
	expect 1 hull update --memory 100m --pids-limit 7 "$ID"
	one_error 'memory.swap'
	equal "$(cat "$memory/memory.limit_in_bytes")" "$((48 << 20))"
	[[ $(cat "$(cgroup_dir pids "$CGROUP")/pids.max") != 7 ]]
	expect 0 hull update --memory -1 "$ID"
	(($(cat "$memory/memory.memsw.limit_in_bytes") > 1 << 60))
}

@test "update leaves the devices alone" {
	only_hull
	needs_v1
	devices=$(cgroup_dir devices "$CGROUP")
	run_detached
	echo 'c 10:229 rwm' >"$devices/devices.allow"
	before=$(cat "$devices/devices.list")
	expect 0 hull update --resources - "$ID" <<<'{"devices": [{"allow": true, "access": "rwm"}], "pids": {"limit": 9}}'
	equal "$(cat "$devices/devices.list")" "$before"
}

@test "update of a stopped container is an error" {
	run_detached
	hull kill "$ID" KILL
	wait_for has_status stopped
	expect 1 hull update --pids-limit 5 "$ID"
}

@test "update of cache schemas where there are none is an error" {
	only_hull
	run_detached
	expect 1 hull update --l3-cache-schema 'L3:0=f' --pids-limit 44 "$ID"
	one_error 'intelRdt'
	[[ $(cat "$(cgroup_dir pids "$CGROUP")/pids.max") != 44 ]]
}

@test "events ends when its reader goes away" {
	only_hull
	run_detached
	start=$SECONDS
	(hull events --interval 1h "$ID" && echo "ended well" >"$T/events") 3>&- | true
	wait_for grep -q 'ended well' "$T/events"
	((SECONDS - start < 30))
	(hull events --interval 50ms "$ID" && echo "ended again" >"$T/events") 3>&- | head -n 1 >/dev/null
	wait_for grep -q 'ended again' "$T/events"
}

@test "events tells of an oom that ends the container" {
	only_hull
	is_v2 || [[ -e $(cgroup_dir memory /memory.oom_control) ]] || skip 'no memory controller'
	config '.linux.resources.memory = {"limit": 33554432, "swap": 33554432}'
	script 'until [ -e /tmp/go ]; do sleep 0.1; done; exec probe eat 100'
	config '.mounts += [{"destination": "/tmp", "type": "bind", "source": $t, "options": ["bind"]}]' --arg t "$T"
	run_detached
	hull events --interval 1h "$ID" >"$T/events" 3>&- &
	JOBS+=($!)
	sleep 0.3
	touch "$T/go"
	wait $!
	equal "$(cat "$T/events")" "{\"type\":\"oom\",\"id\":\"$ID\"}"
}

@test "exec by a process file, and by options" {
	run_detached
	cat >"$T/process.json" <<-'END'
		{"args": ["sh", "-c", "id -u; pwd; echo $A"], "cwd": "/tmp", "env": ["PATH=/bin", "A=b c"],
		 "user": {"uid": 7, "gid": 8}}
	END
	expect 0 hull exec --process "$T/process.json" "$ID"
	equal "$output" $'7\n/tmp\nb c'
	expect 0 hull exec -u 9:10 -g 11 -g 12 --cwd /var -e A=1 -eB=2 --env C=3 "$ID" sh -c 'id -u; id -G; pwd; echo $A$B$C'
	equal "$output" $'9\n10 11 12\n/var\n123'
	expect 7 hull exec "$ID" sh -c 'exit 7'
	expect 137 hull exec "$ID" sh -c 'kill -KILL $$'
}
