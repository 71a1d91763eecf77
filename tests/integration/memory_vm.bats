#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# What a virtual machine takes of its host's memory, and gives back.

load lib
load vm

setup() {
	begin_vm 512
}

# MiB that the machine holds, by its pages and not by who paid for them: hull-vmm's mapping.
held() {
	local kib

	kib=$(awk '/^Rss:/ { print $2 }' "/proc/$(container_pid)/smaps_rollup")
	echo $((kib / 1024))
}

holds_less() { # MIB
	(($(held) < $1))
}

@test "memory is taken when it is used, and given back when it is free again" {
	config '(.mounts[] | select(.destination == "/dev/shm")).options |= map(if startswith("size=") then "size=50m" else . end)'
	script 'until [ -e /fill ]; do sleep 0.1; done; head -c 33554432 /dev/zero >/dev/shm/x && echo full
		until [ -e /free ]; do sleep 0.1; done; rm /dev/shm/x; echo empty; exec sleep 1000'
	run_detached
	before=$(held)
	((before < 150)) || { echo "$before MiB before it has done anything"; return 1; }
	touch "$BUNDLE/rootfs/fill"
	# Each page is a fault in the guest, and another on its host.
	wait_for out_has full || wait_for out_has full || wait_for out_has full
	((full = $(held), full >= before + 25)) || { echo "$before MiB, then $full"; return 1; }
	touch "$BUNDLE/rootfs/free"
	wait_for out_has empty
	wait_for holds_less $((full - 20)) || { echo "$before MiB, then $full, then $(held)"; return 1; }
}
