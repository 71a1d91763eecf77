#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine
#
# Bad input: one clear line that names the place and the cause, exit status 1,
# and nothing left behind.

load lib

setup() {
	begin
	only_hull
}

# refused TEXT...: create fails as it should, and says every TEXT.
refused() {
	expect 1 hull create --bundle "$BUNDLE" "$ID" 3>&-
	one_error "$@"
	nothing_left
}

@test "no config.json, no bundle" {
	rm "$BUNDLE/config.json"
	refused config.json 'No such file or directory'
	rm -r "$BUNDLE"
	refused "$BUNDLE"
}

@test "broken JSON: file, line and column" {
	printf '{\n  "ociVersion": "1.0.0",\n  "root": {"path": "rootfs"\n' >"$BUNDLE/config.json"
	refused config.json
	printf '{\n  "ociVersion": "1.0.0"\n  "root": 1\n}\n' >"$BUNDLE/config.json"
	refused config.json:3:3
	: >"$BUNDLE/config.json"
	refused config.json
	head -c 5000 /dev/urandom >"$BUNDLE/config.json"
	refused config.json
}

@test "JSON deeper or larger than any configuration" {
	{ yes '[' | head -100000; } | tr -d '\n' >"$BUNDLE/config.json"
	refused config.json
	head -c 100000000 /dev/zero | tr '\0' ' ' >"$BUNDLE/config.json"
	refused config.json
}

@test "a file that is not regular" {
	rm "$BUNDLE/config.json"
	mkfifo "$BUNDLE/config.json"
	refused config.json
	rm "$BUNDLE/config.json"
	mkdir "$BUNDLE/config.json"
	refused config.json
}

@test "wrong types: the property is named" {
	while read -r property value; do
		default_config >"$BUNDLE/config.json"
		config ".$property = $value"
		refused config.json "${property##*.}"
	done <<-'END'
		ociVersion 1
		process.args "true"
		process.terminal "yes"
		process.user.uid "root"
		process.user.uid -1
		process.user.uid 4294967296
		process.user.uid 1.5
		process.oomScoreAdj 1001
		process.cwd 7
		process.env [1]
		process.noNewPrivileges 1
		root.path []
		root.readonly "true"
		mounts {}
		linux.namespaces "all"
		linux.resources.memory.limit "1G"
		linux.resources.memory.limit 99999999999999999999
		linux.resources.pids.limit 1e3000
		linux.maskedPaths "/proc"
		hostname 5
		annotations []
		hooks []
	END
}

@test "missing and empty properties" {
	config 'del(.ociVersion)'
	refused ociVersion
	default_config >"$BUNDLE/config.json"
	config 'del(.root.path)'
	refused path
	default_config >"$BUNDLE/config.json"
	config '.process.args = []'
	refused process.args
	default_config >"$BUNDLE/config.json"
	config '.process.cwd = "relative"'
	refused process.cwd
	default_config >"$BUNDLE/config.json"
	config '.ociVersion = "2.0.0"'
	refused ociVersion
	config '.ociVersion = "one"'
	refused ociVersion
}

@test "unknown properties are ignored" {
	config '.unknown = {"a": 1} | .process.unknown = [] | .linux.unknown = "x" | .windows = {"layerFolders": ["x"]}'
	args true
	expect 0 run_bundle
	equal "$output" ''
}

@test "a missing root file system" {
	config '.root.path = "nowhere"'
	refused nowhere
	config '.root.path = "config.json"'
	refused config.json
}

@test "a root file system that is a symbolic link" {
	mv "$BUNDLE/rootfs" "$BUNDLE/real"
	ln -s real "$BUNDLE/rootfs"
	refused root.path rootfs symlink
}

@test "an unknown namespace, one without a type" {
	config '.linux.namespaces += [{"type": "galaxy"}]'
	refused linux.namespaces galaxy
	config '.linux.namespaces[-1] = {}'
	refused linux.namespaces type
}

@test "an isolation that is not known, and what no virtual machine of hull's has" {
	config '.annotations = {"org.hull.isolation": "chroot"}'
	refused org.hull.isolation
	config '.vm = {"kernel": {"path": "/boot/vmlinuz"}, "image": {"path": "/image"}} | del(.annotations)'
	refused vm.image
	config '.vm = {"kernel": {"path": "/boot/vmlinuz"}, "hypervisor": {"path": "/bin/sh"}}'
	refused vm.hypervisor.path
	config '.vm = {"kernel": {"path": "/boot/vmlinuz"}, "hwConfig": {"vcpus": 99}}'
	refused vm.hwConfig.vcpus
	config '.vm = {"kernel": {"path": "/boot/vmlinuz"}, "hwConfig": {"irqs": [7]}}'
	refused vm.hwConfig.irqs
	config 'del(.vm) | .annotations = {"org.hull.isolation": "vm", "org.hull.vm.memory-mib": "7"}'
	refused org.hull.vm.memory-mib
}

@test "a virtual machine without the kernel that it names, or on a host that cannot run it" {
	[[ -r /dev/kvm ]] || skip '/dev/kvm is needed'
	config '.vm = {"kernel": {"path": "/no/such/vmlinux"}}'
	args true
	expect 1 "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" 3>&-
	one_error "kernel '/no/such/vmlinux' of the virtual machine: No such file or directory"
	grep -qwE 'svm|vmx' /proc/cpuinfo && return
	config '.vm = {"kernel": {"path": "/bin/true", "initrd": "/bin/true"}}'
	expect 1 "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" 3>&-
	one_error 'the processor offers neither svm nor vmx'
}

@test "the host's configuration is read, and refused by line and column" {
	local run=(unshare -m sh -c 'mount --bind "$1" /etc && shift && exec "$@"' sh "$T/etc")
	mkdir "$T/etc" "$T/etc/hull"
	args true
	config '.annotations = {}'
	echo '{"isolation": "vm", "kernel": "/no/such/vmlinux"}' >"$T/etc/hull/hull.json"
	if [[ -r /dev/kvm ]]; then
		expect 1 "${run[@]}" "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" 3>&-
		one_error "/no/such/vmlinux"
	fi
	echo '{"isolation": "jail"}' >"$T/etc/hull/hull.json"
	expect 1 "${run[@]}" "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" 3>&-
	one_error "/etc/hull/hull.json:1:15: isolation"
	config '.annotations = {"org.hull.isolation": "namespace"}'
	expect 0 "${run[@]}" "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" 3>&-
}

@test "a state directory that cannot be used" {
	args true
	echo file >"$T/file"
	expect 1 "$RUNTIME" --root "$T/file" run --bundle "$BUNDLE" "$ID" 3>&-
	one_error "$T/file"
	expect 1 "$RUNTIME" --root / run --bundle "$BUNDLE" "$ID" 3>&-
	one_error /
}

@test "a full disk: nothing half-made stays" {
	mkdir "$T/small"
	mount -t tmpfs -o size=8k,nr_inodes=200 tmpfs "$T/small"
	head -c 8192 /dev/zero >"$T/small/fill" || true
	expect 1 "$RUNTIME" --root "$T/small/state" create --bundle "$BUNDLE" "$ID" 3>&-
	one_error 'No space left on device'
	left=$(ls "$T/small/state" 2>/dev/null)
	umount "$T/small"
	equal "$left" ''
}

@test "a pid file that cannot be written" {
	mkdir "$T/small"
	mount -t tmpfs -o size=4k,nr_inodes=1 tmpfs "$T/small"
	expect 1 hull create --bundle "$BUNDLE" --pid-file "$T/small/pid" "$ID" >"$OUT" 2>&1 3>&-
	umount "$T/small"
	one_error small/pid
	expect 1 hull create --bundle "$BUNDLE" --pid-file /no/such/dir/pid "$ID" 3>&-
	one_error /no/such/dir
	nothing_left
}

@test "a device or FIFO as the pid file is written to, and stays" {
	mknod "$T/full" c 1 7
	expect 1 hull create --bundle "$BUNDLE" --pid-file "$T/full" "$ID" 3>&-
	one_error "$T/full"
	[[ -c $T/full ]]
	mkfifo "$T/fifo"
	expect 1 hull create --bundle "$BUNDLE" --pid-file "$T/fifo" "$ID" 3>&-
	one_error "$T/fifo"
	[[ -p $T/fifo ]]
	nothing_left
	exec 4<>"$T/fifo"
	create --pid-file "$T/fifo" 4>&-
	read -r -t 5 -N "$(container_pid | tr -d '\n' | wc -c)" pid <&4
	exec 4>&-
	equal "$pid" "$(container_pid)"
}

@test "garbage in the state directory: delete --force removes it" {
	create
	hull delete --force "$ID"
	mkdir "$STATE/$ID"
	expect 1 hull state "$ID"
	expect 0 hull delete --force "$ID"
	mkdir "$STATE/$ID"
	echo garbage >"$STATE/$ID/state.json"
	expect 1 hull state "$ID"
	one_error "$ID"
	expect 0 hull list
	expect 0 hull delete --force "$ID"
	equal "$(ls "$STATE")" ''
}

@test "errors are in the log, too, one JSON object a line" {
	config '.root.path = "nowhere"'
	expect 1 hull --log "$T/log" --log-format json create --bundle "$BUNDLE" "$ID" 3>&-
	equal "$(wc -l <"$T/log")" 1
	equal "$(jq -r .level "$T/log")" error
	says "$(jq -r .msg "$T/log")"
	jq -e '.time | test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T")' "$T/log"
}

@test "wrong usage is one line and status 2" {
	expect 2 hull
	expect 2 hull no-such-command
	one_error no-such-command
	expect 2 hull state
	expect 2 hull state --no-such-option "$ID"
	one_error no-such-option
	expect 2 hull create --bundle
	one_error bundle
	expect 2 hull state a b
}
