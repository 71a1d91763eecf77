#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# What a guest stores on its disks and in its shared directory, and sends through its network device,
# is what comes back, and what the host finds there.

bats_require_minimum_version 1.5.0
load vm

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
	needs_kvm
	T=$BATS_TEST_TMPDIR
	INSIDE=()
	SEED=$RANDOM$RANDOM
	echo "seed $SEED" # shown when the test fails
}

teardown() {
	[[ -z ${NETNS-} ]] || {
		ip netns pids "$NETNS" | xargs -r kill -KILL
		ip netns del "$NETNS"
	}
}

# guest CPUS [OPTION]...: runs what stands on stdin, a shell's script, in a guest with the share as root.
guest() {
	local cpus=$1

	shift
	cat >"$SHARE/script"
	run timeout 300 "${INSIDE[@]}" "$O/tests/guest/host" "$@" "$O/guest/vmlinux-fast" "$O/tests/guest/initramfs" \
		"$SHARE" "$cpus" test=script
	echo "$output"
	[ "$status" = 0 ]
	says status=0
	says 'end: the guest asked for a reset'
	! pgrep -f "$O/tests/guest/host" && ! pgrep -x hull-fsd
}

wait_for() { # FILE
	local try

	for ((try = 0; try < 900; try++)); do
		[[ ! -e $1 ]] || return 0
		sleep 0.1
	done
	return 1
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

# Of a PC's interrupt controllers the guest's kernel finds those that the host's KVM has: lines below 5
# are none of a device's.
interrupts() { # LEGACY-LINES
	truncate -s "$MIB" "$T/disk"
	guest 4 -d "$T/disk" <<-END
		set -e
		echo "lines=\$(cd /sys/kernel/irq && ls -d [0-4] 2>/dev/null | wc -l)"
		grep -c 'IO-APIC.*-edge.*virtio' /proc/interrupts
		irq=\$(sed -n 's/^ *\([0-9]*\):.*virtio1$/\1/p' /proc/interrupts)
		for cpu in 3 0 2 1; do
			echo \$cpu >/proc/irq/\$irq/smp_affinity_list
			blocks write /dev/vda $SEED 2 64 1
			echo 3 >/proc/sys/vm/drop_caches
			blocks check /dev/vda $SEED 64 1
		done
	END
	says "lines=$1"
}

@test "interrupts move from processor to processor" {
	interrupts 0
}

@test "the same where only KVM itself can have the I/O APIC" {
	INSIDE=(env HULL_NO_SPLIT_IRQCHIP=1)
	interrupts 5
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

@test "a disk that gets shorter is an error to the guest, and nobody else may have it" {
	random_file disk $((2 * MIB))
	{
		wait_for "$SHARE/ready"
		"$O/tests/guest/host" -d "$T/disk" "$O/guest/vmlinux-fast" "$O/tests/guest/initramfs" \
			"$SHARE" 1 >"$T/second" || true
		truncate -s "$MIB" "$T/disk"
		touch "$SHARE/go"
	} 3>&- &
	guest 1 -d "$T/disk" <<-'END'
		touch /ready
		until [ -e /go ]; do sleep 0.1; done
		echo "all=$(dd if=/dev/vda bs=64K | wc -c)"
	END
	wait
	[ "$(cat "$T/second")" = 'error: disk: the file is in use' ]
	says all=1048576
}

# A network namespace with a tap, where guests start from now on. The host is 10.9.0.1 and fd09::1.
network() {
	command -v ip >/dev/null || skip 'ip is needed (package iproute2)'
	NETNS=hull-$$
	INSIDE=(ip netns exec "$NETNS")
	ip netns add "$NETNS"
	"${INSIDE[@]}" ip tuntap add tap0 mode tap vnet_hdr
	"${INSIDE[@]}" ip addr add 10.9.0.1/24 dev tap0
	"${INSIDE[@]}" ip addr add fd09::1/64 dev tap0 nodad
	"${INSIDE[@]}" ip link set tap0 up
	cat >"$SHARE/network" <<-'END'
		echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad
		ip addr add 10.9.0.2/24 dev eth0
		ip addr add fd09::2/64 dev eth0
		ip link set eth0 up
	END
}

# serve PORT COMMAND...: starts it there and waits until it listens.
serve() {
	local port=$1 try

	shift
	"${INSIDE[@]}" "$@" >"$T/served" 2>&1 3>&- &
	for ((try = 0; try < 900; try++)); do
		[[ -z $("${INSIDE[@]}" ss -Hltn "sport = :$port") ]] || return 0
		sleep 0.1
	done
	cat "$T/served"
	return 1
}

with_iperf() {
	local file

	command -v iperf3 >/dev/null || skip 'iperf3 is needed'
	for file in $(command -v iperf3) $(ldd "$(command -v iperf3)" | grep -o '/[^ ]*'); do
		mkdir -p "$SHARE$(dirname "$file")"
		cp -L "$file" "$SHARE$file"
	done
	mkdir -p "$SHARE/out"
}

@test "iperf3 through a tap, both ways" {
	local name

	with_iperf
	network
	serve 5201 iperf3 -s
	guest 1 -n tap0 <<-'END'
		. /network
		measure() { # NAME OPTION...
			name=$1
			shift
			iperf3 -J -i 0 "$@" >/out/$name || { cat /out/$name; exit 1; }
		}
		measure tcp -c 10.9.0.1 -n 8M
		measure tcp-back -c 10.9.0.1 -n 8M -R
		measure tcp6 -c fd09::1 -n 8M
		measure tcp6-back -c fd09::1 -n 8M -R
		measure udp -c 10.9.0.1 -u -b 8M -n 512K
		measure udp-back -c 10.9.0.1 -u -b 8M -n 512K -R
		cd /sys/class/net/eth0/statistics
		echo "$(cat rx_bytes) $(cat rx_packets) $(cat tx_bytes) $(cat tx_packets)" >/out/sums
	END
	for name in tcp tcp-back tcp6 tcp6-back; do
		jq -e '.error == null and .end.sum_sent.bytes >= 8388608
			and .end.sum_received.bytes > 0' "$SHARE/out/$name"
	done
	for name in udp udp-back; do
		jq -e '.error == null and .end.sum_sent.bytes >= 524288
			and .end.sum.packets > .end.sum.lost_packets' "$SHARE/out/$name"
	done
	# Segmentation is left to who gets the packets: most are larger than a frame.
	read -r -a sums <"$SHARE/out/sums"
	((sums[0] > 1514 * sums[1] && sums[2] > 1514 * sums[3]))
}

@test "what goes through a tap comes back byte by byte" {
	random_file data $((8 * MIB))
	cp "$T/data" "$SHARE/data"
	network
	serve 7000 busybox nc -l -p 7000 -e sh -c "cat >'$T/there'; cat '$T/there'"
	guest 1 -n tap0 <<-'END'
		. /network
		cp /data /tmp
		nc 10.9.0.1 7000 </tmp/data >/tmp/back
		cp /tmp/back /
	END
	cmp "$T/data" "$SHARE/back"
}
