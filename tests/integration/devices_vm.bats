#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# What a guest stores on its disks and in its shared directory, and sends through its network device,
# is what comes back, and what the host finds there.

bats_require_minimum_version 1.5.0

TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd -P)
O=${O:-$TOP/build}
FSX=$O/tests/helper/fsx
BLOCKS=$O/tests/helper/blocks
MIB=$((1 << 20))

setup_file() {
	export SHARE=$BATS_FILE_TMPDIR/share
	"$TOP/scripts/rootfs" "$SHARE"
	cp "$FSX" "$BLOCKS" "$SHARE/bin"
}

setup() {
	grep -qwE 'svm|vmx' /proc/cpuinfo || skip 'a processor with svm or vmx is needed'
	[[ -r /dev/kvm ]] || skip '/dev/kvm is needed'
	T=$BATS_TEST_TMPDIR
	SEED=$RANDOM$RANDOM
	echo "seed $SEED" # shown when the test fails
}

# guest CPUS [OPTION]...: runs what stands on stdin, a shell's script, in a guest with the share as root.
guest() {
	local cpus=$1

	shift
	cat >"$SHARE/script"
	run timeout 80 "$O/tests/guest/host" "$@" "$O/guest/vmlinux-fast" "$O/tests/guest/initramfs" \
		"$SHARE" "$cpus" test=script
	echo "$output"
	[ "$status" = 0 ]
	says status=0
	says 'end: the guest asked for a reset'
	! pgrep -f "$O/tests/guest/host" && ! pgrep -x hull-fsd
}

says() { # LINE
	[[ $'\n'$output$'\n' == *$'\n'"$1"$'\n'* ]] || {
		echo "'$1' is not there"
		return 1
	}
}

random_file() { # NAME BYTES
	head -c "$2" /dev/urandom >"$T/$1"
}

@test "random operations on a disk" {
	truncate -s $((3 * MIB + 1536)) "$T/disk"
	guest 1 -d "$T/disk" <<-END
		set -e
		echo "\$(cat /sys/block/vda/size) \$(cat /sys/block/vda/serial)"
		fsx -d /dev/vda $SEED 1200 $((3 * MIB + 1536))
	END
	says '6147 disk'
	"$FSX" -c -d "$T/disk" "$SEED" 1200 $((3 * MIB + 1536))
}

@test "random operations in the shared directory" {
	guest 1 <<-END
		fsx /file $SEED 1200 $MIB
	END
	"$FSX" -c "$SHARE/file" "$SEED" 1200 "$MIB"
}

@test "random operations on a disk's file system" {
	truncate -s $((24 * MIB)) "$T/disk"
	mkdir -p "$SHARE/mnt"
	mkfs.ext4 -q "$T/disk"
	guest 1 -d "$T/disk" <<-END
		set -e
		mount -t ext4 /dev/vda /mnt
		fsx /mnt/file $SEED 1200 $MIB
		blocks write /mnt/blocks $SEED 4 512 2
		umount /mnt
	END
	e2fsck -fn "$T/disk"
	debugfs -R "dump /file $T/file" "$T/disk"
	debugfs -R "dump /blocks $T/blocks" "$T/disk"
	"$FSX" -c "$T/file" "$SEED" 1200 "$MIB"
	"$BLOCKS" check "$T/blocks" "$SEED" 512 2
}

@test "several processes write to disks at the same time" {
	truncate -s $((4 * MIB)) "$T/one" "$T/two"
	guest 2 -d "$T/one" -d "$T/two" <<-END
		blocks write /dev/vda $SEED 4 1024 3 &
		blocks write /dev/vdb ${SEED}9 4 1024 3 || exit 1
		wait \$! || exit 1
		echo 3 >/proc/sys/vm/drop_caches
		blocks check /dev/vda $SEED 1024 3 && blocks check /dev/vdb ${SEED}9 1024 3
	END
	"$BLOCKS" check "$T/one" "$SEED" 1024 3
	"$BLOCKS" check "$T/two" "${SEED}9" 1024 3
}

@test "several processes write to a file of the shared directory at the same time" {
	guest 2 <<-END
		blocks write /blocks $SEED 4 1024 3 || exit 1
		echo 3 >/proc/sys/vm/drop_caches
		blocks check /blocks $SEED 1024 3
	END
	"$BLOCKS" check "$SHARE/blocks" "$SEED" 1024 3
}

@test "a read-only disk refuses writes" {
	random_file disk "$MIB"
	cp "$T/disk" "$T/before"
	cp "$T/disk" "$SHARE/copy"
	guest 1 -r "$T/disk" <<-'END'
		echo "ro=$(cat /sys/block/vda/ro)"
		cmp /dev/vda /copy || exit 1
		! dd if=/dev/zero of=/dev/vda bs=4096 count=1 conv=fsync || exit 1
		! blkdiscard /dev/vda || exit 1
		cmp /dev/vda /copy
	END
	says ro=1
	cmp "$T/disk" "$T/before"
}

@test "what a guest discards is given back to the host, what is beside it stays" {
	random_file disk $((4 * MIB))
	cp "$T/disk" "$T/before"
	guest 1 -d "$T/disk" <<-END
		blkdiscard -o $MIB -l $((2 * MIB)) /dev/vda
	END
	(($(stat -c '%b * %B' "$T/disk") <= 2 * MIB))
	cmp -n "$MIB" "$T/disk" "$T/before"
	cmp -i $((3 * MIB)) "$T/disk" "$T/before"
	[ "$(stat -c %s "$T/disk")" = $((4 * MIB)) ]
}
