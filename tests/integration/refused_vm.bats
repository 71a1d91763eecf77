#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine
#
# What a virtual machine cannot honour is refused by the property's name, before anything is made;
# hence no virtual machine is needed here.

load lib

setup() {
	begin
	config '.annotations = {"org.hull.isolation": "vm"}'
	args true
}

# refused FILTER PROPERTY [WORD]...: with the filter the bundle cannot be a virtual machine.
refused() {
	cp "$BUNDLE/config.json" "$T/good.json"
	config "$1"
	expect 1 run_bundle
	one_error "${@:2}"
	nothing_left
	cp "$T/good.json" "$BUNDLE/config.json"
}

@test "namespaces of the host, kept or joined" {
	local kind

	for kind in mount pid network ipc uts; do
		refused "del(.linux.namespaces[] | select(.type == \"$kind\")) | del(.hostname, .mounts)" linux.namespaces "$kind"
	done
	for kind in mnt:mount pid:pid ipc:ipc uts:uts cgroup:cgroup user:user time:time; do
		refused "del(.hostname) | .linux.namespaces |= map(select(.type != \"${kind#*:}\"))
			+ [{\"type\": \"${kind#*:}\", \"path\": \"/proc/self/ns/${kind%:*}\"}]" linux.namespaces "${kind#*:}"
	done
}

@test "devices of the host" {
	refused '.linux.devices = [{"path": "/dev/x", "type": "c", "major": 1, "minor": 3},
		{"path": "/dev/sda", "type": "b", "major": 8, "minor": 0}]' 'linux.devices[1]' /dev/sda
	refused '.linux.devices = [{"path": "/dev/kvm", "type": "c", "major": 10, "minor": 232}]' 'linux.devices[0]' /dev/kvm
	refused '.linux.netDevices = {"eth1": {}}' linux.netDevices
	refused '.linux.intelRdt = {"closID": "x"}' linux.intelRdt
	refused '.linux.resources.rdma = {"mlx5_1": {"hcaHandles": 3}}' linux.resources.rdma
	refused '.linux.resources.network = {"classID": 1048577}' linux.resources.network.classID
	refused '.linux.resources.network = {"priorities": [{"name": "eth0", "priority": 5}]}' linux.resources.network.priorities
	refused '.linux.resources.unified = {"io.max": "8:0 rbps=1000"}' 'linux.resources.unified["io.max"]'
	refused '.linux.resources.unified = {"cpuset.cpus": "1"}' 'linux.resources.unified["cpuset.cpus"]'
	refused '.linux.memoryPolicy = {"mode": "MPOL_BIND", "nodes": "0"}' linux.memoryPolicy
}

@test "mounts that propagate" {
	local option

	mkdir "$BUNDLE/host"
	for option in shared rshared slave rslave; do
		refused ".mounts += [{\"destination\": \"/host\", \"source\": \"host\", \"options\": [\"rbind\", \"$option\"]}]" 'mounts[5].options'
	done
	refused '.linux.rootfsPropagation = "shared"' linux.rootfsPropagation
	refused '.linux.rootfsPropagation = "rshared"' linux.rootfsPropagation
}

@test "security modules and agents of the host" {
	refused '.process.apparmorProfile = "a-profile"' process.apparmorProfile
	refused '.process.selinuxLabel = "a:b:c:d"' process.selinuxLabel
	refused '.linux.mountLabel = "a:b:c:d"' linux.mountLabel
	refused '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/agent",
		"syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}' linux.seccomp.listenerPath
}

@test "descriptors and sockets of the caller" {
	expect 1 run_bundle --preserve-fds 1
	one_error --preserve-fds
	LISTEN_FDS=1 expect 1 run_bundle
	one_error LISTEN_FDS
	NOTIFY_SOCKET=$T/notify expect 1 run_bundle
	one_error NOTIFY_SOCKET
	nothing_left
}
