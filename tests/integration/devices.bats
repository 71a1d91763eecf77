#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine
#
# Device nodes, and the rules for them in the container's cgroup.

load lib

device() { # JSON
	config '.linux.devices += [$d]' --argjson d "$1"
}

@test "the default devices and links are there, and work" {
	script 'for d in null zero full random urandom tty; do stat -c "%n %F %t:%T %a" /dev/$d; done
		for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done
		echo x >/dev/null; head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; ! echo x >/dev/full'
	expect 0 run_bundle
	says '/dev/null character special file 1:3 666'
	says '/dev/tty character special file 5:0 666'
	says $'/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\npts/ptmx\n3\n3'
	says 'No space left on device'
}

@test "no other device of the host is there" {
	args ls /dev
	expect 0 run_bundle
	equal "$(tr '\n' ' ' <<<"$output" | sed 's/core //')" \
		'fd full null ptmx pts random shm stderr stdin stdout tty urandom zero '
}

@test "devices are made with type, numbers, mode and owner" {
	device '{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 384, "uid": 7, "gid": 8}'
	device '{"path": "/dev/below/disk", "type": "b", "major": 7, "minor": 99}'
	device '{"path": "/dev/pipe", "type": "p", "fileMode": 420}'
	device '{"path": "/dev/unbuffered", "type": "u", "major": 1, "minor": 5, "fileMode": 8630}'
	script 'stat -c "%n %F %t:%T %a %u:%g" /dev/fuse /dev/below/disk /dev/pipe /dev/unbuffered'
	expect 0 run_bundle
	says '/dev/fuse character special file a:e5 600 7:8'
	says '/dev/below/disk block special file 7:63 '
	says '/dev/pipe fifo 0:0 644'
	says '/dev/unbuffered character special file 1:5 666'
}

@test "a device outside /dev" {
	device '{"path": "/odd/null", "type": "c", "major": 1, "minor": 3, "fileMode": 438}'
	script 'echo x >/odd/null && stat -c %t:%T /odd/null'
	expect 0 run_bundle
	equal "$output" 1:3
}

@test "a node that exists with other numbers is an error" {
	only_hull
	mknod "$BUNDLE/rootfs/made" c 1 5
	device '{"path": "/made", "type": "c", "major": 1, "minor": 3}'
	expect 1 run_bundle
	one_error /made
	nothing_left
}

@test "a device type that does not exist is an error" {
	device '{"path": "/dev/x", "type": "z", "major": 1, "minor": 3}'
	expect 1 run_bundle
	nothing_left
}

@test "in a user namespace, devices are made with type, numbers, mode and owner" {
	with_user_namespace
	device '{"path": "/dev/mine", "type": "c", "major": 1, "minor": 5, "fileMode": 416, "uid": 7, "gid": 8}'
	device '{"path": "/odd/disk", "type": "b", "major": 7, "minor": 99, "fileMode": 384}'
	script 'echo x >/dev/null && head -c 3 /dev/mine | wc -c
		stat -c "%n %F %t:%T %a %u:%g" /dev/null /dev/mine /odd/disk
		(: </odd/disk) || echo no disk; echo roots $(grep -c " / rw" /proc/self/mountinfo)'
	expect 0 run_bundle
	says $'3\n/dev/null character special file 1:3 666 0:0'
	says '/dev/mine character special file 1:5 640 7:8'
	says '/odd/disk block special file 7:63 600 0:0'
	says 'no disk'
	says 'roots 1'
	[[ ! -e /dev/mine && ! -e /odd ]]
}

@test "in a user namespace, an owner without a mapping is an error" {
	only_hull
	with_user_namespace
	device '{"path": "/dev/mine", "type": "c", "major": 1, "minor": 5, "uid": 70000}'
	expect 1 run_bundle
	one_error 'linux.devices[0]' /dev/mine 'uid 70000'
	nothing_left
}

@test "in a user namespace where hull may not make nodes, devices are the host's" {
	only_hull
	[[ -e /dev/fuse ]] || skip 'this host has no /dev/fuse'
	command -v strace >/dev/null || skip 'strace is needed'
	with_user_namespace
	device '{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 438}'
	script 'echo x >/dev/null && stat -c "%F %t:%T" /dev/null /dev/fuse'
	expect 0 setpriv --bounding-set -mknod "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" 3>&-
	equal "$output" $'character special file 1:3\ncharacter special file a:e5'
	expect 0 strace -f --seccomp-bpf -qq -o "$T/trace" -e trace=fsopen -e inject=fsopen:error=EPERM \
		"$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" 3>&-
	equal "$output" $'character special file 1:3\ncharacter special file a:e5'
	grep -q 'fsopen("tmpfs".*INJECTED' "$T/trace"
	device '{"path": "/dev/missing", "type": "c", "major": 1, "minor": 5}'
	expect 1 setpriv --bounding-set -mknod "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" 3>&-
	one_error 'linux.devices[1]' /dev/missing
}

@test "rules: what is not allowed cannot be opened, whoever makes the node" {
	grep -qw fuse /proc/misc || skip 'this kernel has no fuse'
	config '.linux.resources.devices = [{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "r"}]'
	script 'mknod /tmp/fuse c 10 229 && mknod /tmp/mem c 1 1
		head -c 0 </tmp/fuse && echo fuse read; (: >/tmp/fuse) || echo fuse not written
		head -c 0 </tmp/mem || echo mem denied; head -c 0 </dev/zero && echo zero'
	expect 0 run_bundle
	equal "$(grep -v "can't" <<<"$output" | tr '\n' ' ')" 'fuse read fuse not written mem denied zero '
}

@test "rules: one without access is about all access" {
	config '.linux.resources.devices = [{"allow": false}, {"allow": true, "type": "c", "major": 10, "minor": 200}]'
	script 'mknod /tmp/tun c 10 200; head -c 0 </tmp/tun && echo tun; mknod /tmp/kmsg c 1 11; head -c 0 </tmp/kmsg || echo kmsg denied'
	expect 0 run_bundle
	equal "$(grep -v "can't" <<<"$output" | tr '\n' ' ')" 'tun kmsg denied '
}

@test "rules: later ones win" {
	grep -qw fuse /proc/misc || skip 'this kernel has no fuse'
	needs_v2 # v1 takes no exception from a wildcard
	config '.linux.resources.devices = [{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 10, "access": "rwm"},
		{"allow": false, "type": "c", "major": 10, "minor": 229, "access": "rwm"}]'
	script 'mknod /tmp/tun c 10 200; mknod /tmp/fuse c 10 229; head -c 0 </tmp/tun && echo tun; head -c 0 </tmp/fuse || echo fuse denied'
	expect 0 run_bundle
	equal "$(grep -v "can't" <<<"$output" | tr '\n' ' ')" 'tun fuse denied '
}

@test "a /dev that is the host's is left as it is" {
	before=$(ls -l /dev | md5sum)
	config '.mounts |= map(select(.destination | startswith("/dev") | not)) | .mounts += [{"destination": "/dev", "type": "bind", "source": "/dev", "options": ["rbind"]}]'
	args true
	expect 0 run_bundle
	equal "$(ls -l /dev | md5sum)" "$before"
}

@test "an image's /dev that is a symbolic link does not lead hull out" {
	only_hull
	mkdir "$T/outside"
	echo precious >"$T/outside/ptmx"
	rmdir "$BUNDLE/rootfs/dev"
	ln -s "$T/outside" "$BUNDLE/rootfs/dev"
	config '.mounts |= map(select(.destination | startswith("/dev") | not))'
	args true
	run run_bundle
	equal "$(ls "$T/outside")" ptmx
	equal "$(cat "$T/outside/ptmx")" precious
}
