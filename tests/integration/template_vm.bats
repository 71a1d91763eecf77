#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# Containers in virtual machines that begin as copies of a template.

# shellcheck disable=SC2016 # for jq and shells inside

load lib
load vm

setup() {
	begin_vm
	config '.annotations += {"org.hull.vm.template": "true"}'
	LOG=$T/log
}

run_in_foreground() {
	"$RUNTIME" --root "$STATE" --log "$LOG" run --bundle "$BUNDLE" "$ID" >"$LOG.out" 2>&1 </dev/null 3>&-
}

# It has nothing to say in the log.
runs_quietly() {
	: >"$LOG"
	expect 0 run_in_foreground
	equal "$(cat "$LOG")" ''
}

templates() {
	ls "$STATE/.templates"
}

directory() {
	echo "$STATE/.templates/$(templates)"
}

# Which file the memory of the template is: another one, if it was made again.
memory_inode() {
	stat -c %i "$(directory)/memory"
}

# The memory of the container's machine lies on that of a template.
is_clone() {
	grep -q '/[.]templates/.*/memory' "/proc/$(container_pid)/maps"
}

IDENTITY='cat /proc/sys/kernel/random/boot_id /proc/sys/kernel/random/uuid /proc/sys/kernel/random/uuid
	head -c 16 /dev/urandom | od -An -tx1; hostname; date +%s'

@test "the first start makes it; what begins with it has entropy, time and name of its own" {
	script "$IDENTITY"
	runs_quietly
	made=$(memory_inode)
	equal "$(stat -c '%a %U' "$STATE/.templates" "$(directory)" "$(directory)/memory" | sort -u)" \
		"$(printf '600 root\n700 root')"
	cp "$LOG.out" "$T/first"
	for name in second third; do
		config '.hostname = $name' --arg name "$name"
		sleep 1
		now=$(date +%s)
		runs_quietly
		cp "$LOG.out" "$T/$name"
		then=$(tail -n 1 "$T/$name")
		[[ $then -ge $now && $then -le $(date +%s) ]]
		equal "$(sed -n 5p "$T/$name")" "$name"
	done
	equal "$(memory_inode)" "$made"
	# three boot ids, six uuids, three random numbers, no two alike
	equal "$(head -qn 4 "$T/first" "$T/second" "$T/third" | sort -u | wc -l)" 12
	nothing_left
}

@test "a copy is a container like any other" {
	script 'echo started; while [ ! -e /end ]; do sleep 0.1; done; exit 7'
	run_detached
	is_clone
	wait_for out_has started
	equal "$(hull exec "$ID" sh -c 'cat; exit 5' <<<hello; echo $?)" "$(printf 'hello\n5')"
	[[ $(hull ps --format json "$ID" | jq length) -ge 1 ]]
	hull events --stats "$ID" | jq -e '.data.pids.current >= 1'
	expect 0 hull pause "$ID"
	equal "$(container_status)" paused
	expect 0 hull resume "$ID"
	expect 0 hull delete --force "$ID"
	start_in_background hull run --bundle "$BUNDLE" "$ID"
	wait_for out_has started
	is_clone
	head -c 3000000 /dev/urandom >"$BUNDLE/rootfs/data"
	equal "$(hull exec "$ID" sh -c 'cp /data /copy; cat /copy' | cksum)" "$(cksum <"$BUNDLE/rootfs/data")"
	cmp "$BUNDLE/rootfs/copy" "$BUNDLE/rootfs/data"
	touch "$BUNDLE/rootfs/end"
	status=0
	wait "${JOBS[-1]}" || status=$?
	equal "$status" 7
	nothing_left
}

start_numbered() { # NUMBER
	"$RUNTIME" --root "$STATE" --log "$T/log$1" run --bundle "$BUNDLE" "$ID-$1" >"$T/out$1" 2>&1 </dev/null 3>&-
}

@test "twenty at the same time, from the first on: one makes it, and none is like another" {
	config 'del(.linux.cgroupsPath)'
	script "$IDENTITY"
	pids=()
	for i in {1..20}; do
		start_numbered "$i" &
		pids+=($!)
	done
	JOBS+=("${pids[@]}")
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	equal "$(cat "$T"/log*)" ''
	equal "$(templates | wc -l)" 1
	equal "$(head -qn 4 "$T"/out* | sort -u | wc -l)" 80
	nothing_left
}

# The log has one line, a warning with these words.
warns() { # TEXT...
	equal "$(wc -l <"$LOG")" 1
	for text; do
		grep -qF -e "$text" "$LOG"
	done
}

starts() {
	: >"$LOG"
	expect 0 run_in_foreground
	equal "$(cat "$LOG.out")" started
}

@test "one that is damaged is made again, and said so; the container starts all the same" {
	args echo started
	starts
	equal "$(cat "$LOG")" ''
	dir=$(directory)
	# what the next one sees before it begins
	printf damaged | dd of="$dir/memory" bs=1M seek=20 conv=notrunc status=none
	starts
	warns "template '$dir' of a virtual machine" "'memory' has been changed; making it again"
	truncate -s 1M "$dir/memory"
	starts
	warns 'making it again'
	echo '{}' >"$dir/config.json"
	starts
	warns "'config.json' is that of another machine; making it again"
	# what shows when the machine is made: this one boots, the next makes it again
	printf 'damaged' | dd of="$dir/state" bs=1 seek=2000 conv=notrunc status=none
	starts
	warns "container '$ID': template of the virtual machine: snapshot: 'state' is damaged" 'booting it'
	made=$(memory_inode)
	starts
	equal "$(cat "$LOG")" ''
	fails test "$(memory_inode)" = "$made"
	# left by one that was killed while it made it
	rm "$dir/hull.json"
	mkdir -m 700 "$dir/share"
	touch "$dir/memory.part"
	starts
	equal "$(cat "$LOG")" ''
	equal "$(cd "$dir" && echo *)" 'config.json hull.json memory state working-set'
	nothing_left
}

@test "a directory that others can write to is not used" {
	args echo started
	mkdir -m 700 "$STATE"
	mkdir -m 777 "$STATE/.templates"
	chmod 777 "$STATE/.templates"
	starts
	warns "directory '.templates' is not closed to others; booting it"
	equal "$(templates)" ''
	chmod 700 "$STATE/.templates"
	starts
	chown 1000 "$(directory)"
	starts
	warns 'is not closed to others; booting it'
	nothing_left
}

# The machine of a template has the share mounted, as the first root of its kind lies, and had a container
# with this name.
@test "a root has the flags of its mount on the host, and its container any name" {
	local options ID=warm-up

	for options in nosuid,nodev suid,dev; do
		mkdir "$T/$options"
		mount -t tmpfs -o "$options" tmpfs "$T/$options"
		cp -a "$ROOTFS" "$T/$options/rootfs"
	done
	script 'while read -r _ _ _ _ at flags _; do [ "$at" != / ] || echo "$flags"; done </proc/self/mountinfo'
	for options in nosuid,nodev suid,dev nosuid,nodev; do
		config '.root.path = $path | .root.readonly = false' --arg path "$T/$options/rootfs"
		runs_quietly
		equal "$(tr , '\n' <"$LOG.out" | grep -c -x -e nosuid -e nodev)" "$([[ $options == suid,dev ]] && echo 0 || echo 2)"
	done
	equal "$(templates | wc -l)" 2
	umount "$T/nosuid,nodev" "$T/suid,dev"
}

@test "another kernel, initramfs or machine has another template" {
	args echo started
	starts
	first=$(templates)
	cp "${O}/guest/vmlinux-fast" "$T/vmlinux"
	config '.annotations["org.hull.vm.kernel"] = $kernel' --arg kernel "$T/vmlinux"
	starts
	equal "$(templates | wc -l)" 2
	touch "$T/vmlinux"
	starts
	equal "$(templates | wc -l)" 3
	config 'del(.annotations["org.hull.vm.kernel"]) | .annotations["org.hull.vm.memory-mib"] = "128"'
	script 'grep MemTotal /proc/meminfo >&2; echo started'
	expect 0 run_in_foreground
	[[ $(awk '{print $2; exit}' "$LOG.out") -gt 81920 ]]
	equal "$(templates | wc -l)" 4
	config '.annotations["org.hull.vm.cpus"] = "2"'
	args nproc
	expect 0 run_in_foreground
	equal "$(cat "$LOG.out")" 2
	equal "$(templates | wc -l)" 5
	# No more than a few are kept: the oldest goes.
	touch -d '2 days ago' "$STATE/.templates/$first"
	mkdir -m 700 "$STATE"/.templates/{1,2,3}111111111111111
	config '.annotations["org.hull.vm.memory-mib"] = "96"'
	expect 0 run_in_foreground
	equal "$(templates | wc -l)" 8
	[[ ! -e $STATE/.templates/$first ]]
	nothing_left
}

@test "without the annotation, or with another word, there is none" {
	config '.annotations["org.hull.vm.template"] = "maybe"'
	expect 1 run_in_foreground
	grep -qF "annotation 'org.hull.vm.template': 'maybe' is not true or false" "$LOG.out"
	config '.annotations["org.hull.vm.template"] = "false"'
	args echo started
	starts
	config 'del(.annotations["org.hull.vm.template"])'
	starts
	[[ ! -e $STATE/.templates ]]
	nothing_left
}

count() {
	grep -c count "$OUT" || true
}

counts_beyond() { # NUMBER
	[[ $(count) -gt $1 ]]
}

@test "checkpoint and restore of a copy, and of what was restored" {
	script 'echo started; while :; do echo count; sleep 0.1; done'
	run_detached
	is_clone
	wait_for counts_beyond 2
	expect 0 hull exec "$ID" true
	for i in 1 2; do
		expect 0 hull checkpoint --image-path "$T/image$i" "$ID" 3>&-
		nothing_left
		hull restore --image-path "$T/image$i" --bundle "$BUNDLE" --detach "$ID" >"$OUT" 2>&1 </dev/null 3>&-
		wait_for counts_beyond 3
		expect 0 hull exec "$ID" true
	done
	fails is_clone
	# its template is not needed any more
	rm -r "$STATE/.templates"
	wait_for counts_beyond "$(($(count) + 3))"
	expect 0 hull exec "$ID" true
	expect 0 hull delete --force "$ID"
	nothing_left
}
