#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# check-kernel: kernels that hull built, kernels put together here, and files
# that are none or mean harm. No file may cost more than a second or two, and
# none more than a little memory.

load lib

setup_file() {
	:
}

setup() {
	only_hull
	T=$BATS_TEST_TMPDIR
	FAST=$TOP/microvm/guest/kernel/fast.config
}

teardown() {
	:
}

check() { # FILE
	timeout 200 prlimit --as=268435456 "$RUNTIME" check-kernel "$1"
}

# make_kernel KIND CONFIG FILE: vmlinux, nopvh (a vmlinux without the note), bzimage, or bomb (a bzImage
# that unpacks to 2 GiB).
make_kernel() {
	python3 - "$@" <<-'END'
		import gzip, struct, sys, zlib
		kind, config, out = sys.argv[1:]
		embedded = b"IKCFG_ST" + gzip.compress(open(config, "rb").read()) + b"IKCFG_ED"
		if kind in ("vmlinux", "nopvh"):
		    note = struct.pack("<III4sQ", 4, 8, 18 if kind == "vmlinux" else 17, b"Xen", 0x1000000)
		    ident = b"\x7fELF\2\1\1" + bytes(9)
		    header = struct.pack("<16sHHIQQQIHHHHHH", ident, 2, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
		    segment = struct.pack("<IIQQQQQQ", 4, 0, 120, 0, 0, len(note), len(note), 4)
		    image = header + segment + note + embedded
		else:
		    if kind == "bomb":
		        pack = zlib.compressobj(1, zlib.DEFLATED, 31)
		        payload = b"".join(pack.compress(bytes(1 << 24)) for i in range(128)) + pack.flush()
		    else:
		        payload = gzip.compress(bytes(200000) + embedded)
		    header = bytearray(1024)
		    header[0x1f1] = 1
		    header[0x1fe:0x200] = b"\x55\xaa"
		    header[0x202:0x208] = b"HdrS\x0f\x02"
		    header[0x236] = 1
		    header[0x248:0x250] = struct.pack("<II", 0, len(payload))
		    image = bytes(header) + payload
		open(out, "wb").write(image)
	END
}

@test "the kernels of 'make guest' have everything" {
	local flavour

	for flavour in fast full; do
		[[ -e $O/guest/vmlinux-$flavour ]] || skip "no guest kernel is built: make guest"
		expect 0 check "$O/guest/vmlinux-$flavour"
		equal "$output" ''
	done
}

@test "a vmlinux and a bzImage with the configuration of hull's kernel will do" {
	make_kernel vmlinux "$FAST" "$T/vmlinux"
	expect 0 check "$T/vmlinux"
	equal "$output" ''
	make_kernel bzimage "$FAST" "$T/bzimage"
	expect 0 check "$T/bzimage"
	equal "$output" ''
}

@test "each missing option is a line, needed ones make the status 1" {
	sed -e 's/^CONFIG_VIRTIO_BLK=y/CONFIG_VIRTIO_BLK=m/' -e '/^CONFIG_SECCOMP_FILTER=/d' "$FAST" >"$T/config"
	sed -i 's/^CONFIG_IPV6=y/# CONFIG_IPV6 is not set/' "$T/config"
	make_kernel nopvh "$T/config" "$T/vmlinux"
	expect 1 check "$T/vmlinux"
	equal "${#lines[@]}" 4
	says 'needed: CONFIG_PVH=y: '
	says 'needed: CONFIG_VIRTIO_BLK=y (is a module): disks'
	says 'needed: CONFIG_SECCOMP_FILTER=y: seccomp'
	says 'useful: CONFIG_IPV6=y: IPv6'
}

@test "what is only useful leaves the status 0" {
	sed '/^CONFIG_PSI=/d' "$FAST" >"$T/config"
	make_kernel vmlinux "$T/config" "$T/vmlinux"
	expect 0 check "$T/vmlinux"
	equal "${#lines[@]}" 1
	says 'useful: CONFIG_PSI=y: '
}

@test "files that are no kernel give one line" {
	mkfifo "$T/fifo"
	: >"$T/empty"
	truncate -s 3T "$T/huge"
	for file in /dev/zero "$T/fifo" "$T" "$T/empty" "$T/huge" /etc/passwd /nonexistent; do
		expect 1 check "$file"
		one_error "hull-oci: " "'$file': "
	done
}

@test "a program is no kernel: it has neither the entry nor a configuration" {
	expect 1 check "$RUNTIME"
	equal "${#lines[@]}" 2
	says 'needed: CONFIG_PVH=y: '
	says 'needed: CONFIG_IKCONFIG=y: '
}

@test "a kernel cut off anywhere gives lines, never more" {
	make_kernel vmlinux "$FAST" "$T/vmlinux"
	size=$(stat -c %s "$T/vmlinux")
	for at in 1 4 63 64 100 119 120 130 143 144 200 $((size - 100)); do
		head -c "$at" "$T/vmlinux" >"$T/part"
		expect 1 check "$T/part"
		one_error
	done
	make_kernel bzimage "$FAST" "$T/bzimage"
	size=$(stat -c %s "$T/bzimage")
	for at in 300 615 616 1023 1024 1030 $((size - 1)); do
		head -c "$at" "$T/bzimage" >"$T/part"
		expect 1 check "$T/part"
		one_error "'$T/part'"
	done
}

@test "a bzImage that unpacks to gigabytes is given up" {
	make_kernel bomb "$FAST" "$T/bomb"
	expect 1 check "$T/bomb"
	one_error "'$T/bomb': it unpacks to more than 512 MiB"
}

@test "a bzImage packed otherwise is refused by the packer's name" {
	make_kernel bzimage "$FAST" "$T/bzimage"
	printf '\x28\xb5\x2f\xfd' | dd of="$T/bzimage" bs=1 seek=1024 conv=notrunc status=none
	expect 1 check "$T/bzimage"
	one_error 'packed by zstd'
}

@test "one file is wanted, no more and no less" {
	expect 2 "$RUNTIME" check-kernel
	one_error
	expect 2 "$RUNTIME" check-kernel a b
	one_error
	expect 0 "$RUNTIME" check-kernel --help
	says 'check-kernel FILE'
}
