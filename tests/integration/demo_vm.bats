#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# The demonstration's second half, and the tour's word on virtual machines.

load lib
load vm
load readme

setup() {
	needs_kvm
	begin
}

@test "what the demonstration shows of a virtual machine is so" {
	expect 0 env O="$O" "$TOP/scripts/demo" vm
	says '"org.hull.isolation": "vm"'
	says 'anon_inode:kvm-vm'
	says "my kernel: $(strings "$O/guest/vmlinux-fast" | sed -n 's/^Linux version \([^ ]*\) .*/\1/p' | head -n 1)"
	says 'may I write? touch: /file: Read-only file system'
	says 'mounts, cgroups, processes left: none'
	says 'exit status: 7'
}

@test "the tour's word on virtual machines" {
	[[ ! -e /tmp/tour ]] || skip '/tmp/tour exists'
	make_tree
	run_block 3
	run_block 7 'uname -r; exit'
	says '-hull'
	run_block 9
}

@test "the program's other name chooses, and an annotation chooses first" {
	config 'del(.annotations)'
	args uname -r
	ln -s "$RUNTIME" "$T/hull-oci-vm"
	expect 0 "$T/hull-oci-vm" --root "$STATE" run --bundle "$BUNDLE" "$ID"
	[[ $output == *-hull ]]
	config '.annotations = {"org.hull.isolation": "namespace"}'
	expect 0 "$T/hull-oci-vm" --root "$STATE" run --bundle "$BUNDLE" "$ID"
	equal "$output" "$(uname -r)"
}
