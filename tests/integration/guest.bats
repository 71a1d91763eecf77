#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What 'make guest' makes: the initramfs's bytes, and that each kernel boots in
# an emulated machine without firmware tables, from that initramfs to its first
# process, with one processor and with several.

load lib

setup_file() {
	:
}

setup() {
	only_hull
	T=$BATS_TEST_TMPDIR
	BOOTED=$O/tests/helper/booted
}

teardown() {
	:
}

pack() { # PROGRAM OUTPUT
	"$TOP/microvm/guest/initramfs" "$@"
}

# Not in `boot`, whose caller would not hear of it.
needs_kernel() { # FLAVOUR
	[[ -e $O/guest/vmlinux-$1 ]] || skip "this kernel is not built: make guest"
	command -v qemu-system-x86_64 >/dev/null || skip 'QEMU is missing: scripts/deps machine'
}

# boot FLAVOUR PROCESSORS FILE...: prints what the first process says and what the files hold.  With more than
# one port the console would be made while the first process starts, and may come too late for it; with a thread
# for each processor QEMU 7.2 may run an instruction that the kernel has just patched, and the kernel panics.
boot() {
	local kernel=$O/guest/vmlinux-$1 cpus=$2

	shift 2
	pack "$BOOTED" "$T/initramfs"
	timeout 600 qemu-system-x86_64 -M microvm,acpi=off,isa-serial=off,auto-kernel-cmdline=off \
		-accel tcg,thread=single -cpu max -m 256M -smp "$cpus" -kernel "$kernel" -initrd "$T/initramfs" \
		-nodefaults -no-user-config -display none -no-reboot -chardev stdio,id=console \
		-device virtio-serial-device,bus=virtio-mmio-bus.0,max_ports=1 -device virtconsole,chardev=console \
		-append "virtio_mmio.device=512@0xfeb00000:5 console=hvc0 quiet reboot=t panic=-1 -- $*" \
		</dev/null | tr -d '\r'
}

@test "the initramfs has the program, directories and the console, all of root and of 1970" {
	pack "$BOOTED" "$T/initramfs"
	python3 - "$T/initramfs" "$BOOTED" >"$T/list" <<-'END'
		import sys
		data, at = open(sys.argv[1], "rb").read(), 0
		while True:
		    assert data[at:at + 6] == b"070701"
		    ino, mode, uid, gid, links, time, size, _, _, major, minor, length, check = (
		        int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13))
		    name = data[at + 110:at + 109 + length].decode()
		    at = (at + 110 + length + 3) & ~3
		    content, at = data[at:at + size], (at + size + 3) & ~3
		    assert (uid, gid, time, check) == (0, 0, 0, 0)
		    if name == "TRAILER!!!":
		        break
		    if name == "init":
		        assert content == open(sys.argv[2], "rb").read()
		    print(name, oct(mode), major, minor)
		assert at == len(data)
	END
	equal "$(paste -sd, "$T/list")" "$(paste -sd, <<-'END'
		. 0o40755 0 0
		dev 0o40755 0 0
		dev/console 0o20600 5 1
		init 0o100755 0 0
		mnt 0o40755 0 0
		proc 0o40555 0 0
		run 0o40755 0 0
		sys 0o40555 0 0
		tmp 0o41777 0 0
	END
	)"
}

@test "the same program gives the same initramfs, whatever its date and name" {
	pack "$BOOTED" "$T/one"
	cp "$BOOTED" "$T/other"
	touch -d 2001-01-01 "$T/other"
	(umask 077 && cd / && TZ=Asia/Tokyo pack "$T/other" "$T/two")
	cmp "$T/one" "$T/two"
}

@test "a program that needs a loader is no first process" {
	expect 1 pack /bin/bash "$T/initramfs"
	one_error "'/bin/bash' is not linked statically"
	expect 1 pack "$T/none" "$T/initramfs"
	one_error "'$T/none' is no file"
	[[ ! -e $T/initramfs ]]
}

@test "the fast kernel boots" {
	needs_kernel fast
	expect 0 boot fast 1 /proc/cmdline
	says 'booted as process 1'
	says '/proc/cmdline: virtio_mmio.device='
}

@test "the full kernel boots" {
	needs_kernel full
	expect 0 boot full 1 /proc/sys/net/netfilter/nf_conntrack_max
	says 'booted as process 1'
	says '/proc/sys/net/netfilter/nf_conntrack_max: '
}

@test "the fast kernel finds all processors in the MP table" {
	needs_kernel fast
	expect 0 boot fast 4 /sys/devices/system/cpu/online
	says '/sys/devices/system/cpu/online: 0-3'
}
