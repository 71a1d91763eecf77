# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A real Debian ($DEBIAN, made by scripts/debian) as the root of each test's bundle: an overlay over it,
# so that a test may change what it likes.

begin_debian() {
	ROOTFS=$BATS_FILE_TMPDIR/none
	mkdir -p "$ROOTFS"
	begin
	# an overlay cannot lie on every file system, but on tmpfs
	mkdir "$BUNDLE"/{layers,root}
	mount -t tmpfs tmpfs "$BUNDLE/layers"
	mkdir "$BUNDLE/layers"/{upper,work}
	mount -t overlay overlay "$BUNDLE/root" \
		-o "lowerdir=$DEBIAN,upperdir=$BUNDLE/layers/upper,workdir=$BUNDLE/layers/work"
	config '.root.path = "root" | .process.env = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm", "TEST_ID='"$ID"'"]'
}

teardown() {
	[[ -n ${T-} ]] || return 0
	delete_all
	umount "$BUNDLE/root" "$BUNDLE/layers"
	end
}

# In a virtual machine; the emulated host finds the one that lies in the tree.
begin_debian_vm() {
	needs_kvm
	DEBIAN=$TOP/build-debian
	[[ -d $DEBIAN ]] || skip "$DEBIAN is needed: make build-debian"
	begin_debian
	config '.annotations = {"org.hull.isolation": "vm"}'
}

# A package in the bundle's root, and the capabilities that dpkg needs to install it.
make_package() {
	mkdir -p "$T/package/DEBIAN" "$T/package/usr/bin"
	printf 'Package: hull-test\nVersion: 1\nArchitecture: all\nMaintainer: test <test@example.org>\nDescription: test\n' >"$T/package/DEBIAN/control"
	printf '#!/bin/sh\necho installed and run\n' >"$T/package/usr/bin/hull-test"
	chmod +x "$T/package/usr/bin/hull-test"
	dpkg-deb --build "$T/package" "$BUNDLE/root/package.deb" >/dev/null
	config '.process.capabilities |= with_entries(.value += ["CAP_FOWNER", "CAP_FSETID", "CAP_SYS_CHROOT"])'
}
