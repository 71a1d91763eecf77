#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# Limits of a container in a virtual machine: on the host they hold for the machine, inside for the
# container, and update changes how big the machine is.

# shellcheck disable=SC2016 # for jq and shells inside

load lib
load vm

setup() {
	needs_kvm
	needs_v2
	begin
	config '.annotations = {"org.hull.isolation": "vm"}
		| .mounts += [{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]}]'
}

MIB=1048576

# Files of the cgroup on the host, their first lines.
on_host() { # FILE...
	(cd "/sys/fs/cgroup$CGROUP" && head -qn 1 "$@" | paste -sd ' ')
}

inside() { # FILE...
	hull exec "$ID" sh -c 'cd /sys/fs/cgroup; for i; do head -n 1 "$i"; done' - "$@" | paste -sd ' '
}

# What hull-vmm is given beside a guest's memory of so many MiB.
host_limit() { # MIB
	echo $((($1 + 64) * MIB + $1 * MIB / 64))
}

guest_cpus() {
	hull exec "$ID" cat /sys/devices/system/cpu/online
}

guest_mib() {
	hull exec "$ID" sh -c 'while read k v u; do [ $k != MemTotal: ] || echo $((v / 1024)); done </proc/meminfo'
}

# What the balloon has now, in MiB.
balloon() {
	hull exec "$ID" sh -c 'while read k v; do case $k in balloon_inflate) in=$v ;; balloon_deflate) out=$v ;; esac
		done </proc/vmstat; echo $(((in - out) / 256))'
}

@test "limits of config.json are on the machine's cgroup, and inside on the container's" {
	config '.linux.resources += {"cpu": {"shares": 512, "quota": 150000, "period": 100000, "cpus": "0", "mems": "0"},
		"memory": {"limit": 33554432, "swap": 33554432, "reservation": 16777216}, "pids": {"limit": 50}}
		| .annotations["org.hull.vm.cpus"] = "2"'
	create
	equal "$(on_host cpu.weight cpu.max cpuset.cpus cpuset.mems pids.max)" '59 150000 100000 0 0 max'
	equal "$(on_host memory.max memory.swap.max)" "$(host_limit 96) 0"
	equal "$(on_host memory.low)" "$((16 * MIB + $(host_limit 96) - 32 * MIB))"
	for file in "/proc/$(container_pid)/task"/*/cgroup; do
		equal "$(cat "$file")" "0::$CGROUP"
	done
	for file in "/proc/$(container_pid)/task"/*/status; do
		equal "$(grep Cpus_allowed_list: "$file" | cut -f2)" 0
	done
	expect 0 hull start "$ID"
	equal "$(inside cpu.weight cpu.max memory.max memory.low pids.max)" \
		"59 150000 100000 33554432 16777216 50"
	equal "$(guest_cpus)" 0-1
	(($(guest_mib) > 60 && $(guest_mib) <= 96))
}

@test "without limits there are none on the host, and with a machine of its own size" {
	config '.linux.resources.memory = {"limit": -1, "swap": -1} | .annotations["org.hull.vm.memory-mib"] = "80"'
	run_detached
	equal "$(on_host cpu.max memory.max memory.low cpuset.cpus)" 'max 100000 max 0 '
	expect 0 hull delete --force "$ID"
	config '.linux.resources.memory = {"limit": 33554432} | .annotations["org.hull.vm.memory-mib"] = "80"'
	run_detached
	equal "$(on_host memory.max)" "$(host_limit 80)"
	equal "$(inside memory.max)" 33554432
}

# CPU time that the machine has had.
usage_us() {
	awk '$1 == "usage_usec" { print $2 }' "/sys/fs/cgroup$CGROUP/cpu.stat"
}

@test "a limit of CPU time holds the machine's threads" {
	config '.linux.resources.cpu = {"quota": 20000, "period": 100000}'
	script 'echo up; while :; do :; done'
	run_detached
	wait_for out_has up
	throttled() { [[ $(awk '$1 == "nr_throttled" { print $2 }' "/sys/fs/cgroup$CGROUP/cpu.stat") -gt 3 ]]; }
	wait_for throttled
	began=$(usage_us) from=${EPOCHREALTIME/./}
	sleep 3
	used=$(($(usage_us) - began)) took=$((${EPOCHREALTIME/./} - from))
	# what a period may be exceeded by, and more
	((used * 100 / took < 35)) || {
		echo "$used of $took us"
		return 1
	}
}

@test "update: memory by the balloon, processors offline and online, both limits" {
	config '.linux.resources.memory = {"limit": 134217728, "swap": 134217728}
		| .linux.resources.cpu = {"quota": 300000, "period": 100000}'
	run_detached
	equal "$(guest_cpus)" 0-2
	equal "$(balloon)" 0

	expect 0 hull update --memory 64m --memory-swap 64m --cpu-quota 50000 "$ID"
	equal "$(inside memory.max cpu.max)" '67108864 50000 100000'
	equal "$(on_host memory.max memory.swap.max cpu.max)" "$(host_limit 128) 0 50000 100000"
	equal "$(guest_cpus)" 0
	equal "$(hull exec "$ID" nproc)" 1
	taken=$(balloon)
	((taken >= 62 && taken <= 65)) || {
		echo "$taken MiB"
		return 1
	}

	expect 0 hull update --cpu-quota 200000 "$ID"
	equal "$(guest_cpus)" 0-1
	expect 0 hull update --memory 128m --memory-swap -1 --cpu-quota -1 "$ID"
	equal "$(inside memory.max cpu.max)" '134217728 max 100000'
	equal "$(on_host memory.max memory.swap.max cpu.max)" "$(host_limit 192) max max 100000"
	equal "$(guest_cpus)" 0-2
	back() { [[ $(balloon) == 0 ]]; }
	wait_for back
	# each of them still works
	expect 0 hull exec "$ID" sh -c 'for i in 1 2 4; do taskset $i true || exit; done'

	expect 1 hull update --memory 500m --memory-swap 500m "$ID"
	one_error 'memory.limit: 524288000 is more than the'
	equal "$(on_host memory.max)" "$(host_limit 192)"
}

@test "update: memory in use is not taken, and nothing has changed then" {
	config '.linux.resources.memory = {"limit": 134217728}
		| .linux.resources.cpu = {"quota": 200000, "period": 100000}'
	script 'head -c 90000000 /dev/zero | tail -c 90000000 | { sleep 1; echo up; sleep 1000; }'
	run_detached
	wait_for out_has up
	used() { (($(inside memory.current) > 80000000)); }
	wait_for used
	config=$(jq -Sc .linux.resources "$STATE/$ID/config.json")
	expect 1 hull update --memory 20m --cpu-quota 100000 "$ID"
	one_error 'does not give back'
	equal "$(inside memory.max cpu.max)" '134217728 200000 100000'
	equal "$(on_host memory.max cpu.max)" "$(host_limit 192) 200000 100000"
	equal "$(guest_cpus)" 0-1
	equal "$(jq -Sc .linux.resources "$STATE/$ID/config.json")" "$config"
	equal "$(container_status)" running
}
