#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# Containers in virtual machines whose root comes from an image: one file, whose pages in the host's
# memory are those of all machines that have it.

# shellcheck disable=SC2016 # for jq and shells inside

load lib
load vm

setup() {
	needs_kvm
	begin
	IMAGE=$T/root.img
	head -c 8388608 /dev/urandom >"$BUNDLE/rootfs/large"
	sum=$(sha256sum <"$BUNDLE/rootfs/large")
}

# The bundle's own root is empty then.
erofs() {
	mkfs.erofs -x-1 "$IMAGE" "$BUNDLE/rootfs" >/dev/null
	use_image
}

ext4() {
	mke2fs -q -t ext4 -b 4096 -d "$BUNDLE/rootfs" "$IMAGE" 32M
	use_image
}

use_image() {
	rm -r "$BUNDLE/rootfs"
	mkdir "$BUNDLE/rootfs"
	image=$(sha256sum <"$IMAGE")
	config ".annotations = {\"org.hull.isolation\": \"vm\", \"org.hull.vm.memory-mib\": \"128\",
		\"org.hull.vm.root-image\": \"$IMAGE\"}"
}

# When every page of the file that the container's machine has mapped is mapped by another one, too,
# and the file's 8 MiB are among them.
shares_pages() {
	awk -v image="$IMAGE" '$6 == image { here = 1 } / VmFlags|^VmFlags/ { here = 0 }
		here && /^Shared_(Clean|Dirty):/ { shared += $2 }
		here && /^(Private_(Clean|Dirty)|Anonymous):/ { own += $2 }
		END { exit !(shared >= 8192 && own == 0) }' \
		"/proc/$(container_pid)/smaps"
}

@test "a root from EROFS: changes stay in the container, and nothing of the bundle's root is there" {
	erofs
	echo outside >"$BUNDLE/rootfs/secret"
	config '.root.readonly = false'
	script 'sha256sum </large; echo changed >/new && rm /bin/probe && echo x >>/etc/passwd && tail -n 1 /etc/passwd
		mkdir /d && chown 5:6 /d && stat -c %u:%g /d; ls /secret /bin/probe 2>&1; grep " / " /proc/mounts'
	expect 0 run_bundle
	says "${sum%% *}"
	says $'\nx\n'
	says 5:6
	says 'ls: /secret: No such file'
	says 'ls: /bin/probe: No such file'
	says 'overlay'
	[[ $(sha256sum <"$IMAGE") == "$image" ]]
	script 'ls /new; exec probe exit 3'
	run run_bundle
	[[ $output == *'/new: No such file'* ]]
	[[ ! -e $BUNDLE/rootfs/new ]]
}

@test "a root that is read-only, and binds over it" {
	erofs
	mkdir "$T/data"
	echo of the host >"$T/data/file"
	config ".root.readonly = true | .mounts += [{\"destination\": \"/made/data\", \"type\": \"bind\",
		\"source\": \"$T/data\", \"options\": [\"bind\"]}]"
	script 'cat /made/data/file; echo more >>/made/data/file; echo x >/etc/passwd'
	run run_bundle
	[[ $output == *'of the host'* && $output == *'Read-only file system'* ]]
	[[ $(cat "$T/data/file") == *more ]]
}

@test "two machines share the image's pages" {
	erofs
	script 'sha256sum </large; exec sleep 1000'
	run_detached
	wait_for out_has "${sum%% *}"
	first=$ID
	config ".linux.cgroupsPath = \"$CGROUP-2\""
	ID=$first-2
	hull run --detach --bundle "$BUNDLE" "$ID" </dev/null >"$T/out2" 2>&1 3>&-
	wait_for shares_pages
	ID=$first
	wait_for shares_pages
	hull delete --force "$first-2"
}

@test "a root from ext4, in place and without its journal" {
	ext4
	script 'sha256sum </large; echo y >/new && cat /new; grep image /proc/mounts; exec sleep 1000'
	run_detached
	wait_for out_has y
	out_has "${sum%% *}"
	[[ $(sha256sum <"$IMAGE") == "$image" ]]
}

@test "files that are no root are refused in one line" {
	erofs
	config '.annotations["org.hull.vm.root-image"] = "root.img"'
	expect 1 run_bundle
	says "annotation 'org.hull.vm.root-image': 'root.img' is no absolute path"
	refused "$T/none" "root image '$T/none': No such file or directory"
	refused "$T" "root image '$T': neither a regular file nor a block device"
	: >"$T/empty"
	refused "$T/empty" "root image '$T/empty': too short for a file system"
	head -c 65536 /dev/zero >"$T/zero"
	refused "$T/zero" "root image '$T/zero': neither EROFS nor ext4"
	mke2fs -q -t ext4 -b 1024 "$T/small" 4M
	refused "$T/small" "root image '$T/small': its ext4 has no blocks of 4096 bytes"
	# What the guest's kernel finds is told by the guest.
	cp "$IMAGE" "$T/broken"
	printf '\xff\xff' | dd of="$T/broken" bs=1 seek=1038 conv=notrunc status=none # the root's inode
	config ".annotations[\"org.hull.vm.root-image\"] = \"$T/broken\""
	expect 1 run_bundle
	says "mount 'pmem0' (erofs)"
}

refused() { # FILE MESSAGE
	config ".annotations[\"org.hull.vm.root-image\"] = \"$1\""
	expect 1 run_bundle
	says "$2"
}

@test "it is saved and made again with its changes" {
	erofs
	script 'echo before >/new; echo there; until [ -e /go ]; do sleep 0.1; done; cat /new; exec sha256sum /large'
	run_detached
	wait_for out_has there
	hull checkpoint --image-path "$T/saved" "$ID" 3>&-
	hull restore --detach --image-path "$T/saved" --bundle "$BUNDLE" "$ID" </dev/null >"$OUT" 2>&1 3>&-
	hull exec "$ID" touch /go
	wait_for out_has before
	wait_for out_has "${sum%% *}"
}
