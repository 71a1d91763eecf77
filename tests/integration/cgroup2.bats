#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,cgroup2
#
# What only a host with cgroup v2 alone can show: birth in the group, conversions of limits, device
# rules by BPF, groups that a container makes below its own, delegation.

load lib

setup() {
	needs_v2
	only_hull
	begin
	GROUP=/sys/fs/cgroup$CGROUP
}

# --- words of these tests ---

resources() { # JSON
	config '.linux.resources += $r' --argjson r "$1"
}

file_is() { # FILE VALUE
	[[ $(<"$GROUP/$1") == "$2" ]] || {
		printf "%s is '%s' instead of '%s'\n" "$1" "$(<"$GROUP/$1")" "$2"
		return 1
	}
}

# Creates a container with these resources alone, checks FILE, and deletes it.
becomes() { # JSON FILE VALUE
	resources "$1"
	create
	file_is "$2" "$3" || { echo "of $1"; return 1; }
	hull delete --force "$ID"
}

refused() { # JSON TEXT...
	resources "$1"
	shift
	expect 1 run_bundle
	one_error "$@"
	[[ ! -e $GROUP ]]
}

update_json() { # JSON
	hull update --resources - "$ID" <<<"$1"
}

# A cgroup namespace and the container's group at /sys/fs/cgroup.
with_cgroups() { # [OPTION]...
	config '.linux.namespaces += [{"type": "cgroup"}] | .mounts += [{"destination": "/sys/fs/cgroup",
		"type": "cgroup", "source": "cgroup", "options": $o}]' --argjson o "$(words nosuid nodev noexec "$@")"
}

# The container's init goes to a group of its own and gives controllers to those below.
script_moving_init() {
	script 'cd /sys/fs/cgroup && mkdir -p init other/deep && echo 1 >init/cgroup.procs &&
			echo "+memory +pids" >cgroup.subtree_control || exit
		sleep 1001 &
		sleep 1002 & echo $! >other/deep/cgroup.procs && echo moved; exec sleep 1003'
}

owners() { # FILE...: their owners, on one line
	(cd "$GROUP" && stat -c %u:%g "$@") | tr '\n' ' '
}

group_is_gone() {
	[[ ! -e $GROUP ]]
}

frozen() {
	grep -qx 'frozen 1' "$GROUP/cgroup.events"
}

# --- birth ---

@test "processes are born in their group, and none is moved" {
	command -v strace >/dev/null || skip 'strace is missing'
	args cat /proc/self/cgroup
	expect 0 strace -f -qq -e trace=clone3,openat -o "$T/trace" "$RUNTIME" --root "$STATE" \
		run --bundle "$BUNDLE" "$ID" 3>&-
	equal "$output" "0::$CGROUP"
	grep -q 'clone3.*CLONE_INTO_CGROUP.*= [0-9]' "$T/trace"
	fails grep 'cgroup.procs.*O_WRONLY' "$T/trace"
	args sleep 1000
	run_detached
	strace -f -qq -e trace=clone3 -o "$T/trace" "$RUNTIME" --root "$STATE" exec "$ID" true 3>&-
	grep -q 'clone3.*CLONE_INTO_CGROUP.*= [0-9]' "$T/trace"
}

# --- limits ---

@test "each limit is in its file" {
	resources '{
		"memory": {"limit": 67108864, "reservation": 33554432, "swap": 100663296},
		"cpu": {"shares": 1024, "quota": 50000, "period": 200000, "burst": 20000, "cpus": "0", "mems": "0"},
		"pids": {"limit": 12},
		"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}],
		"unified": {"memory.high": "50331648", "memory.oom.group": "1", "cgroup.max.depth": "7"}
	}'
	create
	file_is memory.max 67108864
	file_is memory.low 33554432
	file_is memory.swap.max 33554432
	file_is cpu.weight 100
	file_is cpu.max '50000 200000'
	file_is cpu.max.burst 20000
	file_is cpuset.cpus 0
	file_is cpuset.mems 0
	file_is pids.max 12
	file_is hugetlb.2MB.max 4194304
	file_is hugetlb.2MB.rsvd.max 4194304
	file_is memory.high 50331648
	file_is memory.oom.group 1
	file_is cgroup.max.depth 7
}

@test "memory.swap counts memory; memory.swap.max does not" {
	becomes '{"memory": {"limit": 67108864, "swap": 67108864}}' memory.swap.max 0
	becomes '{"memory": {"limit": 67108864, "swap": -1}}' memory.swap.max max
	becomes '{"memory": {"limit": -1, "swap": 0}}' memory.swap.max max
	becomes '{"memory": {"limit": -1, "swap": -1}}' memory.max max
	refused '{"memory": {"limit": 67108864, "swap": 33554432}}' memory.swap
	refused '{"memory": {"swap": 67108864}}' memory.swap
}

@test "cpu shares become a weight" {
	run_detached
	while read -r shares weight; do
		hull update --cpu-share "$shares" "$ID"
		file_is cpu.weight "$weight"
	done <<-END
		2 1
		1024 100
		262144 10000
	END
}

@test "cpu: idle excludes a weight, and ends it" {
	resources '{"cpu": {"shares": 512, "idle": 1}}'
	run_detached
	file_is cpu.idle 1
	expect 0 update_json '{"cpu": {"idle": 0, "shares": 1024}}'
	file_is cpu.idle 0
	file_is cpu.weight 100
}

@test "cpu: quota, period and burst, lowered and raised together" {
	resources '{"cpu": {"quota": 50000, "burst": 40000}}'
	run_detached
	file_is cpu.max '50000 100000'
	expect 0 hull update --cpu-quota 10000 --cpu-burst 5000 "$ID"
	file_is cpu.max '10000 100000'
	file_is cpu.max.burst 5000
	expect 0 hull update --cpu-quota 90000 --cpu-burst 80000 --cpu-period 90000 "$ID"
	file_is cpu.max '90000 90000'
	file_is cpu.max.burst 80000
	expect 1 hull update --cpu-quota 70000 "$ID"
	one_error burst
	file_is cpu.max '90000 90000'
	expect 0 update_json '{"cpu": {"quota": -1, "burst": 0}}'
	file_is cpu.max 'max 90000'
}

@test "pids: 0 lets the first process live and no other, -1 is no limit" {
	resources '{"pids": {"limit": 0}}'
	args probe fork 3
	expect 0 run_bundle
	equal "$output" 0
	args sleep 1000
	run_detached
	file_is pids.max 0
	expect 0 hull exec "$ID" echo in
	equal "$output" in
	expect 0 hull update --pids-limit -1 "$ID"
	file_is pids.max max
	expect 0 hull update --pids-limit 0 "$ID"
	file_is pids.max 0
}

@test "block devices: one line of io.max a device, weights by the scheduler at hand" {
	modprobe loop 2>/dev/null
	[[ -b /dev/loop0 && -b /dev/loop1 ]] || skip 'there are no loop devices'
	resources '{"blockIO": {
		"throttleReadBpsDevice": [{"major": 7, "minor": 0, "rate": 1048576}, {"major": 7, "minor": 1, "rate": 4096}],
		"throttleWriteBpsDevice": [{"major": 7, "minor": 0, "rate": 2097152}],
		"throttleReadIOPSDevice": [{"major": 7, "minor": 0, "rate": 100}],
		"throttleWriteIOPSDevice": [{"major": 7, "minor": 0, "rate": 200}]}}'
	run_detached
	equal "$(sort "$GROUP/io.max")" $'7:0 rbps=1048576 wbps=2097152 riops=100 wiops=200\n7:1 rbps=4096 wbps=max riops=max wiops=max'
	expect 0 update_json '{"blockIO": {"throttleReadBpsDevice": [{"major": 7, "minor": 0, "rate": 0}]}}'
	grep -qx '7:0 rbps=max wbps=2097152 riops=100 wiops=200' "$GROUP/io.max"
	hull delete --force "$ID"
	refused '{"blockIO": {"throttleReadBpsDevice": [{"major": 250, "minor": 99, "rate": 1}]}}' blockIO.throttleReadBpsDevice

	if [[ -e $(find /sys/fs/cgroup -maxdepth 2 -name io.weight -print -quit) ]]; then
		becomes '{"blockIO": {"weight": 500}}' io.weight 'default 4950'
	fi
	modprobe bfq 2>/dev/null || return 0
	becomes '{"blockIO": {"weight": 500}}' io.bfq.weight 'default 500'
}

@test "what v2 has no setting or device for is an error that names the property" {
	run_detached
	while read -r property json; do
		expect 1 update_json "$json"
		one_error "$property"
	done <<-END
		rdma {"rdma": {"nosuch0": {"hcaHandles": 3, "hcaObjects": 4}}}
		memory.swappiness {"memory": {"swappiness": 10}}
		memory.disableOOMKiller {"memory": {"disableOOMKiller": true}}
		memory.kernel {"memory": {"kernel": 1048576}}
		cpu.realtimeRuntime {"cpu": {"realtimeRuntime": 5000}}
		blockIO.leafWeight {"blockIO": {"leafWeight": 100}}
		hugepageLimits {"hugepageLimits": [{"pageSize": "3MB", "limit": 0}]}
		unified.memory.nosuch {"unified": {"memory.nosuch": "1"}}
		unified.memory.high {"unified": {"memory.high": "much"}}
		unified {"unified": {"a/memory.high": "1"}}
	END
	expect 0 update_json '{"memory": {"kernel": 0, "kernelTCP": -1, "disableOOMKiller": false, "useHierarchy": true}}'
	hull delete --force "$ID"
	refused '{"rdma": {"nosuch0": {"hcaHandles": 3, "hcaObjects": 4}}}' rdma
}

@test "unified comes last and so has the last word" {
	becomes '{"cpu": {"shares": 1024}, "unified": {"cpu.weight": "77"}}' cpu.weight 77
}

@test "update: when one value is refused, all are as they were" {
	modprobe loop 2>/dev/null || true
	resources '{"memory": {"limit": 67108864, "swap": 67108864}, "pids": {"limit": 20},
		"cpu": {"shares": 512, "quota": 50000}, "unified": {"memory.high": "50331648"}}'
	run_detached
	all() { (cd "$GROUP" && grep '' memory.max memory.swap.max memory.high pids.max cpu.weight cpu.max cpuset.cpus.effective io.max); }
	before=$(all)
	expect 1 update_json '{"memory": {"limit": 33554432, "swap": 50331648}, "pids": {"limit": 30},
		"cpu": {"shares": 1024, "quota": 60000, "cpus": "0"},
		"blockIO": {"throttleReadBpsDevice": [{"major": 7, "minor": 0, "rate": 4096}]},
		"unified": {"memory.high": "33554432", "memory.low": "bogus"}}'
	one_error unified.memory.low
	equal "$(all)" "$before"
	expect 0 hull update --memory-swap 134217728 "$ID"
	file_is memory.swap.max 67108864
}

# --- devices ---

@test "device rules hold for opening and for making nodes, in update and exec too" {
	config '.linux.resources.devices = [{"allow": false, "access": "rwm"},
		{"allow": true, "type": "c", "major": 10, "minor": 237, "access": "rw"},
		{"allow": true, "type": "b", "major": 7, "access": "r"}, {"allow": false, "type": "b", "major": 7, "minor": 1, "access": "r"}]'
	modprobe loop 2>/dev/null || true
	mknod "$BUNDLE/rootfs/control" c 10 237
	mknod "$BUNDLE/rootfs/kmsg" c 1 11
	script 'head -c 0 </control && echo control opened
		head -c 0 </kmsg || echo kmsg refused
		mknod /tmp/b0 b 7 0 && mknod /tmp/b1 b 7 1 && echo made
		head -c 0 </tmp/b0 && echo b0 read; (: >/tmp/b0) || echo b0 not written; head -c 0 </tmp/b1 || echo b1 refused
		echo x >/dev/null && echo null; echo ready; exec sleep 1000'
	run_detached
	wait_for out_has ready
	equal "$(grep -v -e "can't" -e 'mknod:' "$OUT" | tr '\n' ' ')" \
		'control opened kmsg refused made b0 read b0 not written b1 refused null ready '
	expect 1 hull exec "$ID" head -c 0 /kmsg
	says 'Operation not permitted'
	expect 0 hull update --pids-limit 100 "$ID"
	expect 1 hull exec "$ID" head -c 0 /kmsg
	expect 0 hull exec "$ID" head -c 0 /control
}

@test "device rules: what no rule denies is allowed" {
	mknod "$BUNDLE/rootfs/control" c 10 237
	modprobe loop 2>/dev/null || true
	script 'head -c 0 </control && echo opened'
	expect 1 run_bundle
	config 'del(.linux.resources.devices)'
	expect 0 run_bundle
	equal "$output" opened
}

is_stopped() { # CONTAINER
	[[ $(hull state "$1" | jq -r .status) == stopped ]]
}

# Another container takes over the group of $LAST, which is killed and leaves its program there.
take_over() { # CONTAINER [STRACE-OPTION]...
	kill -KILL "$(hull state "$LAST" | jq .pid)"
	wait_for is_stopped "$LAST"
	LAST=$1
	shift
	strace -qq -o "$T/trace" -e trace=bpf "$@" "$RUNTIME" --root "$STATE" run --detach --bundle "$BUNDLE" "$LAST" \
		>"$OUT" 2>&1 </dev/null 3>&- || { cat "$OUT"; return 1; }
}

# All programs of a group must say yes, so none of the old ones may be left.
@test "device rules take the place of those that a group taken over has" {
	command -v strace >/dev/null || skip 'strace is needed'
	modprobe loop 2>/dev/null || true
	mknod "$BUNDLE/rootfs/control" c 10 237
	run_detached
	expect 1 hull exec "$ID" head -c 0 /control
	LAST=$ID
	config '.linux.resources.devices += [{"allow": true, "type": "c", "major": 10, "minor": 237, "access": "rw"}]'
	take_over "$ID-replaced"
	grep -q 'BPF_PROG_QUERY.*prog_cnt=64 => 1}' "$T/trace"
	grep -q 'BPF_PROG_ATTACH.*BPF_F_REPLACE.* = 0' "$T/trace"
	equal "$(grep -c BPF_PROG_ATTACH "$T/trace")" 1
	expect 0 hull exec "$LAST" head -c 0 /control
	nth=$(grep -n BPF_F_REPLACE "$T/trace" | cut -d: -f1)
	config 'del(.linux.resources.devices[-1])'
	take_over "$ID-attached" -e inject="bpf:error=EINVAL:when=$nth" # before Linux 5.6
	grep -q 'BPF_F_REPLACE.*EINVAL.*INJECTED' "$T/trace"
	grep -q 'BPF_PROG_DETACH.* = 0' "$T/trace"
	expect 1 hull exec "$LAST" head -c 0 /control
	config '.linux.resources.devices += [{"allow": true, "type": "c", "major": 10, "minor": 237, "access": "rw"}]'
	take_over "$ID-last"
	grep -q 'BPF_PROG_QUERY.*prog_cnt=64 => 1}' "$T/trace"
	expect 0 hull exec "$LAST" head -c 0 /control
	for name in last attached replaced; do
		hull delete --force "$ID-$name"
	done
	hull delete --force "$ID"
	group_is_gone
}

# --- groups below, delegation ---

@test "a container that moves its init away: exec, ps, update, statistics, pause, delete" {
	with_cgroups
	script_moving_init
	run_detached
	wait_for out_has moved
	grep -qx "0::$CGROUP/init" "/proc/$(container_pid)/cgroup"
	expect 0 hull exec "$ID" cat /proc/self/cgroup
	equal "$output" 0::/init
	equal "$(hull ps --format json "$ID" | jq length)" 3
	expect 0 hull update --memory 64M "$ID"
	file_is memory.max 67108864
	equal "$(hull events --stats "$ID" | jq .data.pids.current)" 3
	expect 0 hull pause "$ID"
	frozen
	grep -qx 'frozen 1' "$GROUP/other/deep/cgroup.events"
	expect 0 hull resume "$ID"
	expect 0 hull delete --force "$ID"
	group_is_gone
}

@test "the same in a user namespace, whose root manages the group" {
	with_user_namespace
	with_cgroups
	script_moving_init
	run_detached
	wait_for out_has moved
	expect 0 hull exec "$ID" cat /proc/self/cgroup
	equal "$output" 0::/init
	equal "$(owners . cgroup.procs cgroup.subtree_control cgroup.threads memory.reclaim)" \
		'100000:100000 100000:100000 100000:100000 100000:100000 100000:100000 '
	equal "$(owners memory.max pids.max cgroup.freeze)" '0:0 0:0 0:0 '
	expect 1 hull exec "$ID" sh -c 'echo max >/sys/fs/cgroup/memory.max'
	expect 0 hull delete --force "$ID"
	group_is_gone
}

@test "the group belongs to process.user, with a namespace and a writable mount only" {
	config '.process.user = {"uid": 1000, "gid": 1001}'
	create
	equal "$(owners . cgroup.procs)" '0:0 0:0 '
	hull delete --force "$ID"
	with_cgroups
	create
	equal "$(owners . cgroup.procs memory.max)" '1000:1001 1000:1001 0:0 '
	hull delete --force "$ID"
	config '.linux.namespaces |= map(select(.type != "cgroup"))'
	create
	equal "$(owners . cgroup.procs)" '0:0 0:0 '
	hull delete --force "$ID"
	config '.linux.namespaces += [{"type": "cgroup"}] | .mounts[-1].options += ["ro"]'
	create
	equal "$(owners . cgroup.procs)" '0:0 0:0 '
}

@test "threaded groups: processes are found, stopped and killed" {
	with_cgroups
	script 'cd /sys/fs/cgroup && mkdir t && echo threaded >t/cgroup.type || exit
		sleep 1001 &
		sleep 1002 & echo $! >t/cgroup.threads && echo moved; exec sleep 1003'
	run_detached
	wait_for out_has moved
	fails cat "$GROUP/t/cgroup.procs"
	equal "$(hull ps --format json "$ID" | jq length)" 3
	expect 0 hull exec "$ID" true
	expect 0 hull pause "$ID"
	frozen
	expect 0 hull delete --force "$ID"
	group_is_gone
}

@test "exec --cgroup places a process in a group below, and nowhere else" {
	with_cgroups
	script 'mkdir /sys/fs/cgroup/sub; echo ready; exec sleep 1000'
	run_detached
	wait_for out_has ready
	expect 0 hull exec --cgroup sub "$ID" cat /proc/self/cgroup
	equal "$output" 0::/sub
	expect 1 hull exec --cgroup nosuch "$ID" true
	one_error nosuch
	expect 0 hull exec --cgroup ../.. "$ID" cat /proc/self/cgroup
	equal "$output" 0::/
	expect 1 hull exec --cgroup memory:sub "$ID" true
	one_error memory:sub
}

@test "the group at /sys/fs/cgroup: a mount of its own, or bound" {
	with_cgroups ro
	script 'cat /proc/self/cgroup; grep " /sys/fs/cgroup " /proc/self/mountinfo | cut -d" " -f4,5; cat /sys/fs/cgroup/cgroup.procs
		mkdir /sys/fs/cgroup/sub || true'
	expect 0 run_bundle
	equal "${lines[0]}" 0::/
	equal "${lines[1]}" '/ /sys/fs/cgroup'
	equal "${lines[2]}" 1
	says 'Read-only file system'
	config '.linux.namespaces |= map(select(.type != "cgroup"))'
	expect 0 run_bundle
	equal "${lines[0]}" "0::$CGROUP"
	equal "${lines[1]}" "$CGROUP /sys/fs/cgroup"
	equal "${lines[2]}" 1
	says 'Read-only file system'
}

# --- freezing and killing ---

@test "pause is what the kernel says, and what state says" {
	run_detached
	expect 0 hull pause "$ID"
	frozen
	equal "$(container_status)" paused
	fails hull exec "$ID" true
	expect 0 hull resume "$ID"
	fails frozen
	echo 1 >"$GROUP/cgroup.freeze"
	wait_for has_status paused
	expect 0 hull resume "$ID"
	equal "$(container_status)" running
}

@test "kill reaches every process, also of groups below, also when paused" {
	config '.linux.namespaces |= map(select(.type != "pid"))'
	script 'sleep 1001 & sleep 1002 & echo ready; exec sleep 1003'
	run_detached
	wait_for out_has ready
	mkdir "$GROUP/sub"
	tail -1 "$GROUP/cgroup.procs" >"$GROUP/sub/cgroup.procs"
	hull pause "$ID"
	expect 0 hull kill "$ID" KILL
	wait_for has_status stopped
	wait_for grep -qx 'populated 0' "$GROUP/cgroup.events"
	expect 0 hull delete "$ID"
	group_is_gone
}

@test "kill --all with another signal goes to each process" {
	config '.linux.namespaces |= map(select(.type != "pid"))'
	script 'for i in 1 2 3; do probe signals 1 & done; wait; echo "ended"'
	run_detached
	three() { [[ $(grep -c ready "$OUT") == 3 ]]; }
	wait_for three
	hull kill --all "$ID" USR1
	wait_for has_status stopped
	equal "$(grep -c USR1 "$OUT")" 3
}

# --- memory ---

@test "events tells of the OOM killer, and counts as the kernel does" {
	resources '{"memory": {"limit": 33554432, "swap": 33554432}}'
	run_detached
	"$RUNTIME" --root "$STATE" events --interval 10s "$ID" >"$T/events" 3>&- &
	JOBS+=($!)
	watches() { grep -qs inotify "/proc/$1/fdinfo/"*; }
	wait_for watches "$!"
	expect 137 hull exec "$ID" probe eat 100
	wait_for grep -qxF "{\"type\":\"oom\",\"id\":\"$ID\"}" "$T/events"
	equal "$(wc -l <"$T/events")" "$(sed -n 's/^oom_kill //p' "$GROUP/memory.events")"
}

@test "a first process that finds no memory: the error says so" {
	resources '{"memory": {"limit": 131072, "swap": 131072}}'
	expect 1 hull create --bundle "$BUNDLE" "$ID" 3>&-
	one_error memory
	group_is_gone
}

@test "update with checkBeforeUpdate refuses what is in use" {
	resources '{"memory": {"limit": 67108864, "swap": 67108864}}'
	script 'probe eat 20 && dd if=/dev/zero of=/dev/shm/x bs=1M count=16 2>/dev/null && echo ready; exec sleep 1000'
	run_detached
	wait_for out_has ready
	expect 1 update_json '{"memory": {"limit": 8388608, "swap": 8388608, "checkBeforeUpdate": true}}'
	one_error memory
	file_is memory.max 67108864
	equal "$(container_status)" running
}

# --- statistics ---

@test "statistics are complete" {
	resources '{"memory": {"limit": 67108864, "swap": 100663296}, "pids": {"limit": 20},
		"cpu": {"quota": 20000, "cpus": "0"}, "hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}'
	script 'i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); done; dd if=/dev/zero of=/dev/shm/x bs=64k count=16 2>/dev/null
		echo ready; exec sleep 1000'
	run_detached
	wait_for out_has ready
	hull events --stats "$ID" >"$T/stats"
	holds() { jq -e ".data | $1" "$T/stats" >/dev/null || { echo "not so: $1"; jq .data "$T/stats"; return 1; }; }
	holds '.cpu.usage | .total > 0 and .user > 0 and .kernel > 0 and .total >= .user'
	holds '.cpu.throttling | .periods > 0 and (.throttledPeriods | type) == "number" and (.throttledTime | type) == "number"'
	holds '.cpuset.cpus == [0] and .cpuset.mems == [0]'
	holds '.memory.usage | .limit == 67108864 and .usage > 1048576 and .max >= .usage and .failcnt == 0'
	holds '.memory.swap.limit == 100663296'
	holds '.memory.raw | .anon > 0 and .shmem >= 1048576 and (.pgfault | type) == "number"'
	holds '.memory.cache >= 1048576'
	holds '.pids == {"current": 1, "limit": 20}'
	holds '.hugetlb["2MB"] == {"usage": 0, "max": 0, "failcnt": 0}'
	holds '.blkio | type == "object"'
	[[ ! -e /proc/pressure/cpu ]] || holds '[.cpu, .memory, .blkio][] | .psi.some.total >= 0 and .psi.full.avg10 >= 0'
}

@test "statistics count what a block device did" {
	modprobe brd 2>/dev/null || skip 'there is no memory block device (brd)'
	[[ -b /dev/ram0 ]] || skip 'there is no /dev/ram0'
	config '.linux.devices = [{"path": "/dev/ram0", "type": "b", "major": 1, "minor": 0}]
		| .linux.resources.devices += [{"allow": true, "type": "b", "major": 1, "minor": 0, "access": "rw"}]'
	script 'dd if=/dev/zero of=/dev/ram0 bs=4096 count=10 oflag=direct conv=fsync 2>/dev/null; echo ready; exec sleep 1000'
	run_detached
	wait_for out_has ready
	grep -q '^1:0 ' "$GROUP/io.stat" || skip 'the kernel does not count this device'
	hull events --stats "$ID" | jq -e '.data.blkio.ioServiceBytesRecursive[]
		| select(.major == 1 and .minor == 0 and .op == "Write") | .value == 40960'
}

# --- groups that exist ---

@test "a group is taken over when it is empty, and refused when it is in use or frozen" {
	mkdir "$GROUP"
	echo 1 >"$GROUP/cgroup.freeze"
	expect 1 hull create --bundle "$BUNDLE" "$ID" 3>&-
	one_error "$CGROUP" frozen
	[[ -d $GROUP ]]
	echo 0 >"$GROUP/cgroup.freeze"
	mkdir "$GROUP/below"
	sleep 1000 3>&- &
	JOBS+=($!)
	echo $! >"$GROUP/below/cgroup.procs"
	expect 1 hull create --bundle "$BUNDLE" "$ID" 3>&-
	one_error "$CGROUP" "$!"
	kill $!
	wait $! || true
	expect 0 create
	grep -qx "0::$CGROUP" "/proc/$(container_pid)/cgroup"
	hull delete --force "$ID"
	group_is_gone
}

@test "a group above that has processes: a limit says why it cannot be had, no limit is fine" {
	mkdir "$GROUP-above"
	sleep 1000 3>&- &
	JOBS+=($!)
	echo $! >"$GROUP-above/cgroup.procs"
	config '.linux.cgroupsPath = $p' --arg p "$CGROUP-above/in"
	expect 0 run_bundle_true
	resources '{"memory": {"limit": 67108864}}'
	expect 1 run_bundle_true
	one_error memory.limit "$CGROUP-above"
	[[ ! -e $GROUP-above/in ]]
	kill $!
	wait $! || true
	expect 0 run_bundle_true
	rmdir "$GROUP-above"
}

run_bundle_true() {
	args true
	run_bundle
}
