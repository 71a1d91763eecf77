#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,v2
#
# Cgroups: where a container's are, their limits, update, pause, statistics.
# Each test knows the files of both versions.

load lib

resources() { # JSON
	config '.linux.resources += $r' --argjson r "$1"
}

# value CONTROLLER V1-FILE V2-FILE: of the container's group.
value() {
	if is_v2; then
		cat "/sys/fs/cgroup$CGROUP/$3"
	else
		cat "/sys/fs/cgroup/$1$CGROUP/$2"
	fi
}

memory_max() { value memory memory.limit_in_bytes memory.max; }
pids_max() { value pids pids.max pids.max; }

# Skips when the host lacks a file for it.
needs_file() { # CONTROLLER V1-FILE V2-FILE
	if is_v2; then
		[[ " $(cat /sys/fs/cgroup/cgroup.controllers) " == *" $1 "* ]] || skip "this host has no $1 controller"
	else
		[[ -e /sys/fs/cgroup/$1/$2 || -n $(find "/sys/fs/cgroup/$1" -maxdepth 2 -name "$2" -print -quit 2>/dev/null) ]] ||
			skip "this host has no $1/$2"
	fi
}

@test "cgroupsPath is where the process is, on every hierarchy, and goes with it" {
	create
	while IFS=: read -r _ controllers path; do
		[[ $controllers != name=* && -n $controllers ]] || { is_v2 || continue; }
		equal "$controllers$path" "$controllers$CGROUP"
	done <"/proc/$(container_pid)/cgroup"
	hull delete --force "$ID"
	[[ -z $(find /sys/fs/cgroup -path "*$CGROUP*") ]]
}

@test "a nested cgroupsPath is made" {
	CGROUP=$CGROUP/a/b
	config '.linux.cgroupsPath = $p' --arg p "$CGROUP"
	create
	grep -q "$CGROUP\$" "/proc/$(container_pid)/cgroup"
	hull delete --force "$ID"
	remove_cgroups "/hull-$ID"
}

@test "without cgroupsPath there is a group named after the id" {
	config 'del(.linux.cgroupsPath)'
	create
	grep -q "/$ID\$" "/proc/$(container_pid)/cgroup"
}

@test "a cgroupsPath cannot lead out" {
	config '.linux.cgroupsPath = "/../../hull-escape-" + $i' --arg i "$ID"
	create || true
	[[ -z $(find /sys/fs /sys/fs/cgroup -maxdepth 1 -name "hull-escape-$ID" -not -path '/sys/fs/cgroup/*') ]]
	is_v2 || [[ ! -e /sys/fs/cgroup/hull-escape-$ID ]]
	hull delete --force "$ID" || true
	remove_cgroups "/hull-escape-$ID"
}

@test "a group that other processes are in is refused" {
	only_hull
	create
	expect 1 hull create --bundle "$BUNDLE" "$ID-2" 3>&-
	one_error "$CGROUP"
	equal "$(container_status)" created
}

@test "memory limit, reservation and swap" {
	needs_file memory memory.limit_in_bytes memory.max
	resources '{"memory": {"limit": 67108864, "reservation": 33554432}}'
	create
	equal "$(memory_max)" 67108864
	equal "$(value memory memory.soft_limit_in_bytes memory.low)" 33554432
}

@test "swap is memory and swap together" {
	is_v2 && needs_file memory '' memory.swap.max
	is_v2 || needs_file memory memory.memsw.limit_in_bytes ''
	resources '{"memory": {"limit": 67108864, "swap": 100663296}}'
	create
	if is_v2; then
		equal "$(value memory '' memory.swap.max)" 33554432
	else
		equal "$(value memory memory.memsw.limit_in_bytes '')" 100663296
	fi
}

@test "swap below the limit is an error" {
	resources '{"memory": {"limit": 67108864, "swap": 33554432}}'
	expect 1 run_bundle
	nothing_left
}

@test "unlimited is -1" {
	resources '{"memory": {"limit": -1, "swap": -1}, "pids": {"limit": -1}}'
	create
	equal "$(pids_max)" max
}

@test "cpu shares, quota and period" {
	resources '{"cpu": {"shares": 512, "quota": 50000, "period": 200000}}'
	create
	if is_v2; then
		equal "$(value cpu '' cpu.max)" '50000 200000'
		only_hull
		equal "$(value cpu '' cpu.weight)" 59
	else
		equal "$(value cpu cpu.shares '')" 512
		equal "$(value cpu cpu.cfs_quota_us '') $(value cpu cpu.cfs_period_us '')" '50000 200000'
	fi
}

@test "cpuset" {
	resources '{"cpu": {"cpus": "0", "mems": "0"}}'
	args grep -E '^(Cpus|Mems)_allowed_list' /proc/self/status
	expect 0 run_bundle
	equal "$(cut -f2 <<<"$output" | tr '\n' ' ')" '0 0 '
}

@test "pids: a limit holds, and 0 is a limit" {
	resources '{"pids": {"limit": 10}}'
	args probe fork 20
	expect 0 run_bundle
	equal "$output" 9
	only_hull
	resources '{"pids": {"limit": 0}}'
	create
	equal "$(pids_max)" 0
}

@test "a program that eats too much is killed" {
	resources '{"memory": {"limit": 33554432, "swap": 33554432}}'
	args probe eat 100
	expect 137 run_bundle
	args probe eat 10
	expect 0 run_bundle
	equal "$output" 'ate 10'
}

@test "hugepage limits" {
	is_v2 && { needs_file hugetlb '' hugetlb.2MB.max; }
	resources '{"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}'
	dir=$(grep -lw hugetlb /sys/fs/cgroup/cgroup.controllers /sys/fs/cgroup/unified/cgroup.controllers 2>/dev/null) || true
	[[ -n $dir ]] || skip 'this host has no hugetlb controller on cgroup v2'
	only_hull
	create
	equal "$(cat "${dir%/*}$CGROUP/hugetlb.2MB.max")" 4194304
	expect 0 hull delete --force "$ID"
	resources '{"hugepageLimits": [{"pageSize": "3XB", "limit": 1}]}'
	expect 1 run_bundle
	one_error pageSize
}

@test "unified: files of cgroup v2; an error where there is none" {
	only_hull
	resources '{"unified": {"memory.high": "50331648"}}'
	if is_v2; then
		create
		equal "$(value '' '' memory.high)" 50331648
	else
		expect 1 run_bundle
		one_error unified
	fi
	resources '{"unified": {"../memory.high": "1"}}'
	expect 1 hull create --bundle "$BUNDLE" "$ID-2" 3>&-
	one_error unified
}

@test "a limit for which the host has no controller is an error that names it" {
	only_hull
	[[ ! -e /sys/fs/cgroup/net_cls ]] || skip 'this host has net_cls'
	resources '{"network": {"classID": 5}}'
	run run_bundle
	is_v2 && skip 'cgroup v2 has no such thing, as the specification allows'
	equal "$status" 1
	one_error network
	nothing_left
}

@test "update changes limits, keeps the others, and exec sees them" {
	resources '{"memory": {"limit": 67108864}, "pids": {"limit": 20}}'
	run_detached
	expect 0 hull update --memory 32M --pids-limit 30 "$ID"
	equal "$(memory_max) $(pids_max)" '33554432 30'
	expect 0 hull update --memory 96m "$ID"
	equal "$(memory_max) $(pids_max)" '100663296 30'
	expect 0 hull update --pids-limit -1 "$ID"
	equal "$(pids_max)" max
}

@test "update --resources from a file and from standard input" {
	run_detached
	echo '{"memory": {"limit": 67108864}, "cpu": {"quota": 30000, "period": 100000}}' >"$T/resources"
	expect 0 hull update --resources "$T/resources" "$ID"
	equal "$(memory_max)" 67108864
	hull update --resources - "$ID" <<<'{"pids": {"limit": 33}}'
	equal "$(pids_max)" 33
	expect 1 hull update --resources - "$ID" <<<'{"pids": '
	expect 1 hull update --resources /no/such/file "$ID"
	says /no/such/file
}

@test "update of several limits is done as a whole or not at all" {
	only_hull
	resources '{"memory": {"limit": 67108864}, "pids": {"limit": 20}}'
	run_detached
	expect 1 hull update --pids-limit 30 --cpuset-cpus 4000 "$ID"
	one_error
	equal "$(memory_max) $(pids_max)" '67108864 20'
}

@test "cpu options of update" {
	run_detached
	expect 0 hull update --cpu-quota 20000 --cpu-period 50000 --cpu-share 2048 "$ID"
	if is_v2; then
		equal "$(value cpu '' cpu.max)" '20000 50000'
	else
		equal "$(value cpu cpu.cfs_quota_us '') $(value cpu cpu.cfs_period_us '') $(value cpu cpu.shares '')" '20000 50000 2048'
	fi
}

@test "pause freezes all processes, resume lets them go on" {
	script 'while :; do echo x; sleep 0.02; done'
	run_detached
	wait_for out_has x
	expect 0 hull pause "$ID"
	equal "$(container_status)" paused
	size=$(stat -c %s "$OUT")
	sleep 0.3
	equal "$(stat -c %s "$OUT")" "$size"
	expect 1 hull start "$ID"
	expect 0 hull resume "$ID"
	equal "$(container_status)" running
	grown() { (($(stat -c %s "$OUT") > size)); }
	wait_for grown
}

@test "pause and resume of what does not run are errors" {
	args true
	create
	expect 1 hull resume "$ID"
	hull start "$ID"
	wait_for has_status stopped
	expect 1 hull pause "$ID"
	expect 1 hull resume "$ID"
}

@test "a container that has not started can be paused, too" {
	only_hull
	create
	hull pause "$ID"
	equal "$(container_status)" paused
	expect 1 hull start "$ID"
	one_error paused
	expect 1 hull exec "$ID" true
	one_error paused
	hull resume "$ID"
	equal "$(container_status)" created
	hull start "$ID"
	equal "$(container_status)" running
}

@test "a paused container that has not started can be deleted by force" {
	only_hull
	create
	hull pause "$ID"
	hull delete --force "$ID"
	nothing_left
}

@test "a paused container can be deleted by force" {
	run_detached
	hull pause "$ID"
	expect 0 hull delete --force "$ID"
	nothing_left
}

@test "a paused container can be killed" {
	run_detached
	hull pause "$ID"
	expect 0 hull kill "$ID" KILL
	wait_for has_status stopped
}

@test "events --stats: one line of statistics" {
	resources '{"memory": {"limit": 67108864}, "pids": {"limit": 20}}'
	script 'sleep 1001 & exec sleep 1002'
	run_detached
	two() { [[ $(hull events --stats "$ID" | jq .data.pids.current) == 2 ]]; }
	wait_for two
	expect 0 hull events --stats "$ID"
	equal "${#lines[@]}" 1
	equal "$(jq -r '[.type, .id, .data.pids.limit, .data.memory.usage.limit] | join(" ")' <<<"$output")" \
		"stats $ID 20 67108864"
	jq -e '.data.memory.usage.usage > 0 and .data.cpu.usage.total > 0 and (.data.cpu.throttling | type == "object")' <<<"$output"
}

@test "events: a line every interval, until the container stops" {
	run_detached
	hull events --interval 100ms "$ID" >"$T/events" 3>&- &
	JOBS+=($!)
	three() { (($(wc -l <"$T/events") >= 3)); }
	wait_for three
	hull kill "$ID" KILL
	[[ ${RUNTIME##*/} == runc ]] || wait $!
	jq -es 'all(.type == "stats")' "$T/events"
}

@test "events: an oom is told" {
	is_v2 || needs_file memory memory.oom_control ''
	resources '{"memory": {"limit": 33554432, "swap": 33554432}}'
	script 'while :; do probe eat 100 >/dev/null 2>&1; sleep 0.2; done'
	run_detached
	hull events --interval 10s "$ID" >"$T/events" 3>&- &
	JOBS+=($!)
	wait_for grep -q '"oom"' "$T/events"
	jq -es "any(. == {type: \"oom\", id: \"$ID\"})" "$T/events" || jq -es 'any(.type == "oom")' "$T/events"
}

@test "events of an unknown or stopped container are an error" {
	args true
	create
	hull start "$ID"
	wait_for has_status stopped
	expect 1 hull events --stats "$ID"
	expect 1 hull events --stats nobody
}

@test "exec --cgroup puts the process into a group below" {
	script 'sleep 1000'
	only_hull
	run_detached
	if is_v2; then
		skip 'cgroup v2 has no processes above'
	fi
	mkdir "/sys/fs/cgroup/pids$CGROUP/sub"
	expect 0 hull exec --cgroup pids:sub "$ID" grep pids /proc/self/cgroup
	says sub
	expect 1 hull exec --cgroup pids:../../x "$ID" true
}

@test "--cgroup-manager disabled: no group is made" {
	only_hull
	args cat /proc/self/cgroup
	expect 0 "$RUNTIME" --cgroup-manager disabled --root "$STATE" run --bundle "$BUNDLE" "$ID" 3>&-
	says_not "$CGROUP"
}

# In a group of the caller's own, so that there is something to write to.
@test "--cgroup-manager disabled: a mount of type cgroup shows the caller's groups, read-only" {
	only_hull
	own=$(cgroup_dir pids "$CGROUP-caller")
	if is_v2; then dir=/sys/fs/cgroup file=cgroup.max.depth; else dir=/sys/fs/cgroup/pids file=pids.max; fi
	mkdir "$own"
	inode=$(stat -c %i "$own")
	for kinds in '' '{"type": "cgroup"}'; do
		for word in ro rw rrw; do
			default_config >"$BUNDLE/config.json"
			config ".linux.namespaces += [$kinds] | .mounts += [{\"destination\": \"/sys/fs/cgroup\",
				\"type\": \"cgroup\", \"source\": \"cgroup\", \"options\": [\"$word\"]}]"
			script "stat -c %i $dir; cat $dir/$file
				for d in $dir /sys/fs/cgroup; do mkdir \$d/made; done; echo 7 >$dir/$file"
			expect 1 sh -c 'echo 0 >"$1" && shift && exec "$@"' sh "$own/cgroup.procs" \
				"$RUNTIME" --cgroup-manager disabled --root "$STATE" run --bundle "$BUNDLE" "$ID" 3>&-
			equal "${lines[0]}" "$inode"
			equal "${lines[1]}" max
			equal "$(grep -c 'Read-only file system' <<<"$output")" 3
			equal "$(cat "$own/$file")" max
		done
	done
	wait_for rmdir "$own"
}

@test "--systemd-cgroup says that it is not supported" {
	only_hull
	expect 1 "$RUNTIME" --systemd-cgroup --root "$STATE" run --bundle "$BUNDLE" "$ID" 3>&-
	one_error systemd
}
