#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The commands of README.md, run as they stand there; the demonstration.

load lib
load readme

setup() {
	begin
	only_hull
}

@test "every command of the tour works" {
	[[ ! -e /tmp/tour ]] || skip '/tmp/tour exists'
	make_tree
	printf '[engine]\nlock_type = "file"\ntmp_dir = "%s"\nevents_logger = "file"\n[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n' \
		"$T/tmp" >"$T/containers.conf"
	printf '[storage]\ndriver = "vfs"\ngraphroot = "%s"\nrunroot = "%s"\n' "$T/graph" "$T/run" >"$T/storage.conf"
	export CONTAINERS_CONF=$T/containers.conf CONTAINERS_STORAGE_CONF=$T/storage.conf

	equal "$(block 1)" 'make demo'
	equal "$(block 2)" 'make check'
	run_block 3
	[[ -e /tmp/tour/config.json ]]
	run_block 4 'ps; exit'
	says 'sh'
	run_block 5
	says '"status": "created"'
	says running
	run_block 6
	says 'sleep 1000'
	says '"type":"stats"'
	# 7 is for a host with svm or vmx: demo_vm.bats
	run_block 8
	says 'hello from hull'
	run_block 9
	[[ ! -e /tmp/tour ]]
	equal "$(block 10)" ''
	remove_cgroups /libpod_parent
	umount "$T/graph/vfs" "$T/graph" 2>/dev/null || true
}

@test "what the demonstration shows is so" {
	expect 0 "$TOP/scripts/demo"
	says 'I am process 1, user 0'
	says 'network devices: lo'
	says 'Read-only file system'
	says 'mounts, cgroups, processes left: none'
	says 'exit status: 7'
}

@test "files that the documents name exist" {
	cd "$TOP"
	for document in README.md docs/*.md tests/machine/README.md; do
		for file in $(grep -o '](\([^)#]*\))' "$TOP/$document" | tr -d '])(' | grep -v '^http'); do
			[[ -e $TOP/$(dirname "$document")/$file ]] || { echo "$document: $file"; false; }
		done
	done
}
