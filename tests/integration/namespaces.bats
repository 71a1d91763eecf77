#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine
#
# Namespaces: new, joined, inherited; users and time.

load lib

# The container's namespace of a kind, as the kernel names it.
own() {
	readlink "/proc/$(container_pid)/ns/$1"
}

host() {
	readlink "/proc/self/ns/$1"
}

# Makes a namespace that a file holds; gone with teardown.
hold() { # UNSHARE-OPTION KIND
	unshare "$1" sleep 1000 </dev/null >/dev/null 2>&1 3>&- &
	JOBS+=($!)
	held=/proc/$!/ns/$2
	changed() { [[ $(readlink "$held") != "$(host "$2")" && $(cat "/proc/$1/comm") == sleep ]]; }
	wait_for changed $! "$2"
}

@test "listed ones are new, others are the caller's" {
	create
	for kind in pid net ipc uts mnt; do
		[[ $(own $kind) != "$(host $kind)" ]]
	done
	for kind in cgroup user; do
		equal "$(own $kind)" "$(host $kind)"
	done
}

@test "every kind can be new" {
	with_user_namespace
	config '.linux.namespaces += [{"type": "cgroup"}]'
	only_hull
	config '.linux.namespaces += [{"type": "time"}]'
	create
	for kind in pid net ipc uts mnt cgroup user time; do
		[[ $(own $kind) != "$(host $kind)" ]]
	done
	hull start "$ID"
	expect 0 hull exec "$ID" true
}

@test "without namespaces but the mount one" {
	config '.linux.namespaces = [{"type": "mount"}] | del(.hostname) | .mounts |= map(select(.type != "sysfs"))'
	args readlink /proc/self/ns/pid
	expect 0 run_bundle
	equal "$output" "$(host pid)"
}

@test "a namespace with a path is joined" {
	hold --net net
	config '.linux.namespaces |= map(if .type == "network" then .path = $p else . end)' --arg p "$held"
	create
	equal "$(own net)" "$(readlink "$held")"
}

@test "uts, ipc and a bind-mounted network namespace are joined" {
	hold --uts uts
	uts=$held
	hold --ipc ipc
	ipc=$held
	touch "$T/netns"
	unshare --net="$T/netns" true
	config '.linux.namespaces |= map(if .type == "uts" then .path = $u elif .type == "ipc" then .path = $i
		elif .type == "network" then .path = $n else . end) | del(.hostname)' \
		--arg u "$uts" --arg i "$ipc" --arg n "$T/netns"
	create
	equal "$(own uts) $(own ipc)" "$(readlink "$uts") $(readlink "$ipc")"
	equal "$(own net)" "net:[$(stat -c %i "$T/netns")]"
	hull delete --force "$ID"
	umount "$T/netns"
}

@test "the pid namespace of another container is joined" {
	create
	hull start "$ID"
	first=$ID
	config '.linux.namespaces |= map(if .type == "pid" then .path = $p else . end) | .linux.cgroupsPath += "-2"' \
		--arg p "/proc/$(container_pid)/ns/pid"
	args ps -o args
	expect 0 hull run --bundle "$BUNDLE" "$ID-2" 3>&-
	says 'sleep 1000'
}

@test "a path to another kind of namespace is refused" {
	config '.linux.namespaces |= map(if .type == "network" then .path = "/proc/self/ns/ipc" else . end)'
	expect 1 run_bundle
	config '.linux.namespaces |= map(if .type == "network" then .path = "/etc/passwd" else . end)'
	expect 1 run_bundle
	config '.linux.namespaces |= map(if .type == "network" then .path = "/no/such/file" else . end)'
	expect 1 run_bundle
	says /no/such/file
	nothing_left
}

@test "a doubled or unknown kind is an error that names it" {
	config '.linux.namespaces += [{"type": "ipc"}]'
	expect 1 run_bundle
	says ipc
	config '.linux.namespaces = [{"type": "mount"}, {"type": "galaxy"}]'
	expect 1 run_bundle
	says galaxy
	nothing_left
}

@test "a host name without a uts namespace is an error" {
	config '.linux.namespaces |= map(select(.type != "uts"))'
	before=$(hostname)
	expect 1 run_bundle
	equal "$(hostname)" "$before"
	nothing_left
}

@test "the loopback device of a new network namespace is up" {
	script 'ip -o addr show dev lo; ping -c 1 -w 2 127.0.0.1 >/dev/null || grep lo: /proc/net/dev'
	expect 0 run_bundle
	says 127.0.0.1
}

@test "a user namespace: ids are mapped, files and devices work" {
	with_user_namespace
	script 'id -u; cat /proc/self/uid_map /proc/self/gid_map; touch /tmp/new; echo x >/dev/null; stat -c %u /tmp/new /dev/null'
	expect 0 run_bundle
	equal "$(tr -s ' \n' ' ' <<<"$output")" '0 0 100000 65536 0 100000 65536 0 65534 ' ||
		equal "$(tr -s ' \n' ' ' <<<"$output")" '0 0 100000 65536 0 100000 65536 0 0 '
	equal "$(stat -c %u:%g "$BUNDLE/rootfs/tmp/new")" 100000:100000
}

@test "a user namespace: several ranges" {
	with_user_namespace
	config '.linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 10}, {"containerID": 1000, "hostID": 200000, "size": 5}]'
	args cat /proc/self/uid_map
	expect 0 run_bundle
	equal "$(tr -s ' \n' ' ' <<<"$output")" ' 0 100000 10 1000 200000 5 '
}

@test "a user namespace with its root having all capabilities has none over the host" {
	with_user_namespace
	config '.process.capabilities |= with_entries(.value += ["CAP_SYS_ADMIN"])'
	script 'mknod /tmp/sda b 8 0 2>/dev/null && echo node; mount -t tmpfs t /tmp && echo mount'
	expect 0 run_bundle
	equal "$output" mount
}

@test "a user without a mapping is an error" {
	with_user_namespace
	config '.process.user = {"uid": 70000, "gid": 0}'
	expect 1 run_bundle
	nothing_left
}

@test "mappings that are missing, overlap or are empty are errors" {
	with_user_namespace
	config 'del(.linux.uidMappings)'
	expect 1 run_bundle
	config '.linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 10}, {"containerID": 5, "hostID": 200000, "size": 10}]'
	expect 1 run_bundle
	nothing_left
}

@test "a time namespace has its own clocks" {
	only_hull
	config '.linux.namespaces += [{"type": "time"}]
		| .linux.timeOffsets = {"monotonic": {"secs": 86400, "nanosecs": 0}, "boottime": {"secs": 604800}}'
	args probe clocks
	before=$("$HELPER" clocks | sed -n 's/monotonic //p')
	expect 0 run_bundle
	inside=$(sed -n 's/monotonic //p' <<<"$output")
	((inside >= before + 86400 && inside < before + 86400 + 60))
}

@test "mappings beside a user namespace with a path must be its own" {
	only_hull
	with_user_namespace
	hold --user user
	holder=${JOBS[-1]}
	printf '0 100000 1000\n1000 101000 64536\n' | tee "/proc/$holder/uid_map" >"/proc/$holder/gid_map"
	config '(.linux.namespaces[] | select(.type == "user")).path = $p
		| .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 1000}, {"containerID": 1000, "hostID": 101000, "size": 64536}]
		| .linux.gidMappings = .linux.uidMappings' --arg p "$held"
	args id -u
	expect 0 run_bundle
	equal "$output" 0
	config '.linux.gidMappings[1].hostID = 201000'
	expect 1 run_bundle
	one_error linux.gidMappings
	config '.linux.gidMappings |= .[:1]'
	expect 1 run_bundle
	one_error linux.gidMappings
	config 'del(.linux.gidMappings, .linux.uidMappings)'
	expect 0 run_bundle
}

@test "a time namespace in a user namespace, with offsets" {
	only_hull
	with_user_namespace
	config '.linux.namespaces += [{"type": "time"}]
		| .linux.timeOffsets = {"monotonic": {"secs": 86400, "nanosecs": 5}, "boottime": {"secs": 604800}}'
	script 'readlink /proc/self/ns/time; cat /proc/self/timens_offsets'
	expect 0 run_bundle
	equal "$(tr -s ' ' <<<"${lines[1]} ${lines[2]}")" 'monotonic 86400 5 boottime 604800 0'
	[[ ${lines[0]} != "$(readlink /proc/self/ns/time)" ]]
}

@test "offsets without a time namespace are an error" {
	only_hull
	config '.linux.timeOffsets = {"monotonic": {"secs": 1}}'
	expect 1 run_bundle
	says timeOffsets
}

@test "the cgroup namespace begins at the container's own group" {
	config '.linux.namespaces += [{"type": "cgroup"}]'
	args cat /proc/self/cgroup
	expect 0 run_bundle
	says_not "$CGROUP"
	grep -qx '[0-9]*:[a-z]*:/' <<<"$output"
}

@test "netDevices: a device of the host is moved, renamed and keeps its address" {
	only_hull
	ip link add "v$$" type veth peer name "w$$" 2>/dev/null || skip 'this kernel has no veth'
	ip addr add 192.0.2.7/24 dev "v$$"
	config '.linux.netDevices = {($d): {"name": "eth7"}}' --arg d "v$$"
	script 'ip -o -4 addr show dev eth7; ip -o link show dev eth7'
	run run_bundle
	ip link del "w$$" 2>/dev/null || true
	equal "$status" 0
	says 192.0.2.7/24
	says ',UP'
}
