#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine
#
# Mounts, the root file system, masked and read-only paths.

load lib

# mount_at DESTINATION JSON: adds a mount.
mount_at() {
	config '.mounts += [{"destination": $d} + $m]' --arg d "$1" --argjson m "$2"
}

bind() { # SOURCE DESTINATION OPTION...
	config '.mounts += [{destination: $d, source: $s, type: "bind", options: $o}]' \
		--arg s "$1" --arg d "$2" --argjson o "$(words "${@:3}")"
}

# The options that /proc/self/mountinfo shows for a mount point, of the mount and of its file system.
mount_options() { # MOUNTPOINT
	awk -v p="$1" '$5 == p { o = $6; for (i = 7; $i != "-"; i++) o = o " " $i; print o " - " $(NF) }' <<<"$output"
}

@test "what is configured is mounted, in that order, and nothing else" {
	args cat /proc/self/mountinfo
	expect 0 run_bundle
	equal "$(cut -d' ' -f5 <<<"$output" | tr '\n' ' ')" '/ /proc /dev /dev/pts /dev/shm /sys '
}

@test "file systems get their options" {
	args cat /proc/self/mountinfo
	mount_at /scratch '{"type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "noexec", "ro", "size=123k", "mode=1755", "noatime"]}'
	expect 0 run_bundle
	matches "$(mount_options /scratch)" 'ro,nosuid,nodev,noexec,noatime - *size=124k,mode=1755*'
	matches "$(mount_options /sys)" 'ro,nosuid,nodev,noexec,relatime - r?'
}

@test "a destination is made, with the folders above it" {
	mount_at /a/b/c '{"type": "tmpfs", "source": "tmpfs"}'
	echo file >"$T/file"
	bind "$T/file" /d/e/file rbind
	script 'grep -q " /a/b/c " /proc/self/mountinfo && cat /d/e/file'
	expect 0 run_bundle
	says file
}

@test "a bind mount shows the host's directory; ro makes it read-only" {
	mkdir "$T/host"
	bind "$T/host" /rw rbind rw
	bind "$T/host" /ro rbind ro
	script 'touch /rw/file && ls /ro && ! touch /ro/other'
	expect 0 run_bundle
	says 'Read-only file system'
	[[ -e $T/host/file ]]
}

@test "a relative bind source is the bundle's" {
	echo content >"$BUNDLE/file"
	bind file /file bind
	args cat /file
	expect 0 run_bundle
	equal "$output" content
}

@test "bind copies mounts below only when recursive; rro reaches them all" {
	mkdir -p "$T/host/below"
	mount -t tmpfs tmpfs "$T/host/below"
	touch "$T/host/below/file"
	bind "$T/host" /flat bind
	bind "$T/host" /deep rbind ro
	bind "$T/host" /locked rbind rro
	script 'ls /flat/below /deep/below; touch /deep/below/x && echo deep; touch /locked/below/x || echo locked'
	run_bundle >"$OUT" 2>&1 || true
	umount "$T/host/below"
	equal "$(grep -v '^touch' "$OUT" | tr '\n' ' ')" '/deep/below: file  /flat/below: deep locked '
}

@test "recursive flags: rnosuid, rnodev, rnoexec" {
	mkdir -p "$T/host/below"
	mount -t tmpfs tmpfs "$T/host/below"
	bind "$T/host" /host rbind rnosuid rnodev rnoexec
	args cat /proc/self/mountinfo
	run run_bundle
	umount "$T/host/below"
	matches "$(mount_options /host/below)" 'rw,nosuid,nodev,noexec*'
}

@test "nosymfollow, lazytime and other options beyond the usual" {
	only_hull
	mount_at /scratch '{"type": "tmpfs", "source": "tmpfs", "options": ["nosymfollow", "lazytime", "silent", "defaults", "strictatime"]}'
	args cat /proc/self/mountinfo
	expect 0 run_bundle
	[[ $(mount_options /scratch) == *nosymfollow*' - '*lazytime* ]]
}

@test "propagation: private, slave and shared" {
	mkdir "$T/host"
	bind "$T/host" /private rbind rprivate
	bind "$T/host" /shared rbind rshared
	args cat /proc/self/mountinfo
	expect 0 run_bundle
	[[ $(mount_options /private) != *shared* ]]
	matches "$(mount_options /shared)" '*shared:*'
}

@test "propagation: a shared bind below a shared root reaches the host and back" {
	mkdir "$T/host"
	bind "$T/host" /host rbind rshared
	config '.linux.rootfsPropagation = "rshared"'
	config '.process.capabilities |= with_entries(.value += ["CAP_SYS_ADMIN"])'
	script 'mkdir /host/m && mount -t tmpfs inside /host/m && touch /host/m/file'
	# Root and source lie in one mount: the hard case.  The host's own mounts are kept out of it.
	expect 0 unshare --mount --propagation shared sh -c '"$@" && ls "$0/m"' "$T/host" \
		"$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID"
	equal "$output" file
	rmdir "$T/host/m"
}

@test "rootfsPropagation" {
	args cat /proc/self/mountinfo
	only_hull
	for propagation in private slave shared unbindable; do
		config '.linux.rootfsPropagation = $p' --arg p $propagation
		expect 0 run_bundle
		case $propagation in
		shared) [[ $(mount_options /) == *' shared:'* ]] ;;
		unbindable) [[ $(mount_options /) == *' unbindable'* ]] ;;
		*) [[ $(mount_options /) != *' shared:'* ]] ;;
		esac
	done
}

# As by hand or by a builder of packages. The bundle is below the new root, under its own name.
in_chroot() { # COMMAND-BEFORE
	unshare --mount --propagation private sh -ec "$1"'
		for name in proc sys dev; do
			mkdir -p "$1/$name"
			mount --rbind "/$name" "$1/$name"
		done
		cp "$2" "$1/hull-oci"
		exec chroot "$1" /hull-oci --root /state run --bundle / "$3"' sh "$BUNDLE" "$RUNTIME" "$ID" 3>&-
}

@test "a chroot has to be a mount point" {
	only_hull
	args echo inside
	expect 1 in_chroot ''
	one_error "propagation of '/'" 'not a mount point'
	expect 0 in_chroot 'mount --bind "$1" "$1"; cd /;'
	equal "$output" inside
	rmdir "$BUNDLE/state"
}

@test "in a chroot exec gets the container's root, and the container has nothing but that" {
	only_hull
	touch "$BUNDLE/outside"
	config '.process.capabilities |= with_entries(.value += ["CAP_SYS_ADMIN", "CAP_SYS_CHROOT"])
		| .root.path = "box"'
	mv "$BUNDLE/rootfs" "$BUNDLE/box"
	mkdir "$BUNDLE/bin"
	cp "$BUNDLE/box/bin/busybox" "$BUNDLE/bin/sh"
	cp "$RUNTIME" "$BUNDLE/hull-oci"
	args sleep 1000
	unshare --mount --propagation private sh -ec 'mount --bind "$1" "$1"; cd "$1"
		for name in proc sys dev; do
			mkdir -p $name
			mount --rbind /$name $name
		done
		exec chroot . /bin/sh -c "/hull-oci --root /state run -d --bundle / $2 </dev/null >/dev/null 2>&1 &&
			/hull-oci --root /state exec $2 sh -c \"ls -d /outside /bin/probe; nsenter -m/proc/self/ns/mnt ls -d /outside /bin/probe\";
			/hull-oci --root /state delete --force $2"' sh "$BUNDLE" "$ID" >"$OUT" 2>&1 3>&- || true
	equal "$(grep -c /bin/probe "$OUT")" 2
	equal "$(grep -c 'outside: No such file' "$OUT")" 2
	rmdir "$BUNDLE/state"
}

@test "nothing that the container mounts reaches the host" {
	mkdir "$T/host"
	bind "$T/host" /host rbind
	config '.process.capabilities |= with_entries(.value += ["CAP_SYS_ADMIN"])'
	script 'mkdir /host/m && mount -t tmpfs none /host/m && touch /host/m/inside'
	expect 0 run_bundle
	[[ ! -e $T/host/m/inside ]]
}

@test "a root file system that is read-only" {
	config '.root.readonly = true'
	script 'touch /file; touch /dev/shm/file && echo shm'
	run run_bundle
	says 'Read-only file system'
	says shm
	[[ ! -e $BUNDLE/rootfs/file ]]
}

@test "a root file system outside the bundle" {
	mv "$BUNDLE/rootfs" "$T/elsewhere"
	config '.root.path = $p' --arg p "$T/elsewhere"
	args true
	expect 0 run_bundle
}

@test "--no-pivot" {
	script 'ls /; ls /..; grep -c . /proc/self/mountinfo'
	output=$(run_bundle --no-pivot 2>&1) || [[ $output != *'not in a chroot' ]] || skip 'this is a chroot'
	expect 0 run_bundle --no-pivot
	says_not boot
	equal "${lines[-1]}" 6
}

@test "the host's root is out of reach" {
	script 'ls /..; ls /proc/1/root/; cd /; for i in 1 2 3 4 5 6 7 8 9; do cd ..; done; pwd; ls'
	expect 0 run_bundle
	says_not boot
	equal "$(grep -c '^proc$' <<<"$output")" 3
}

@test "masked paths are empty, read-only paths cannot be written" {
	mkdir "$BUNDLE/rootfs/secret"
	echo secret | tee "$BUNDLE/rootfs/secret/file" >"$BUNDLE/rootfs/etc/secret"
	config '.linux.maskedPaths = ["/secret", "/etc/secret", "/not/there", "/proc/kcore"]
		| .linux.readonlyPaths = ["/tmp", "/proc/sys", "/not/there/either"]'
	script 'ls /secret; cat /etc/secret; cat /proc/kcore; ! touch /secret/x; ! touch /tmp/x; ! echo x >/proc/sys/kernel/hostname'
	expect 0 run_bundle
	equal "$(grep -cx secret <<<"$output")" 0
	equal "$(grep -c 'Read-only file system' <<<"$output")" 3
	equal "$(cat "$BUNDLE/rootfs/etc/secret")" secret
}

@test "a read-only path may be the root, a masked one not" {
	only_hull
	config '.linux.readonlyPaths = ["/"]'
	script 'touch /x /dev/shm/x 2>&1 | grep -c "Read-only file system"; echo >/dev/null && echo ok'
	expect 0 run_bundle
	equal "$output" $'2\nok'
	config '.linux.readonlyPaths = [] | .linux.maskedPaths = ["/etc/.."]'
	expect 1 run_bundle
	one_error 'linux.maskedPaths[0]' 'root'
}

@test "a read-only path that shows the root once more leaves the root writable" {
	only_hull
	mount_at /again '{"type": "bind", "source": "rootfs", "options": ["bind"]}'
	config '.linux.readonlyPaths = ["/again"]'
	script 'touch /written; touch /again/x'
	expect 1 run_bundle
	says 'Read-only file system'
	[[ -e $BUNDLE/rootfs/written && ! -e $BUNDLE/rootfs/x ]]
}

@test "tmpfs takes mode and owner of the folder that it covers; tmpcopyup its content" {
	mkdir -m 1751 "$BUNDLE/rootfs/data"
	chown 1000:1001 "$BUNDLE/rootfs/data"
	echo content >"$BUNDLE/rootfs/data/file"
	mount_at /data '{"type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]}'
	script 'cat /data/file; stat -c %a /data; echo changed >/data/file'
	expect 0 run_bundle
	equal "$output" $'content\n1751'
	equal "$(cat "$BUNDLE/rootfs/data/file")" content
}

@test "idmapped bind mounts" {
	only_hull
	mkdir "$T/host"
	touch "$T/host/file"
	chown 1000:1000 "$T/host/file"
	config '.mounts += [{destination: "/mapped", source: $s, type: "bind", options: ["rbind", "idmap"],
		uidMappings: [{containerID: 1000, hostID: 5000, size: 1}], gidMappings: [{containerID: 1000, hostID: 6000, size: 1}]}]' \
		--arg s "$T/host"
	args stat -c %u:%g /mapped/file
	run run_bundle
	[[ $status == 0 ]] || {
		says idmap
		skip "the file system of $T cannot be idmapped"
	}
	equal "$output" 5000:6000
}

@test "the cgroup mount shows the container's own groups" {
	config '.linux.namespaces += [{"type": "cgroup"}]'
	mount_at /sys/fs/cgroup '{"type": "cgroup", "source": "cgroup", "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}'
	script 'ls -A /sys/fs/cgroup; cat /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/pids/cgroup.procs 2>/dev/null; ! mkdir /sys/fs/cgroup/x /sys/fs/cgroup/pids/x'
	expect 0 run_bundle
	grep -qx 1 <<<"$output"
}

@test "a symbolic link as destination stays inside" {
	mkdir "$T/outside"
	ln -s "$T/outside" "$BUNDLE/rootfs/link"
	ln -s ../../../../../.. "$BUNDLE/rootfs/up"
	mount_at /link '{"type": "tmpfs", "source": "tmpfs"}'
	mount_at "/up$T/outside/made" '{"type": "tmpfs", "source": "tmpfs"}'
	args true
	run run_bundle
	equal "$(ls "$T/outside")" ''
}

@test "proc and sys on a symbolic link are refused" {
	rmdir "$BUNDLE/rootfs/proc"
	ln -s /tmp "$BUNDLE/rootfs/proc"
	expect 1 run_bundle
	says /proc
	nothing_left
}

@test "a source that is missing is one clear error, and nothing is left" {
	bind /no/such/source /a bind
	expect 1 run_bundle
	says /no/such/source
	nothing_left
}

@test "an unknown file system or option is one clear error" {
	mount_at /a '{"type": "nosuchfs", "source": "none"}'
	expect 1 run_bundle
	says /a
	config '.mounts[-1].type = "tmpfs" | .mounts[-1].options = ["nosuchoption"]'
	expect 1 run_bundle
	says /a
	nothing_left
}

@test "three hundred mounts" {
	for i in $(seq 300); do
		echo "{\"destination\": \"/m/$i\", \"type\": \"bind\", \"source\": \"$T\", \"options\": [\"bind\", \"ro\"]}"
	done >"$T/list"
	config '.mounts += $l' --slurpfile l "$T/list"
	script 'grep -c " /m/" /proc/self/mountinfo'
	expect 0 run_bundle
	equal "$output" 300
}
