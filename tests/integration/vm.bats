#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# A guest kernel on hull's own machine: it finds its processors, timers, sockets, files and entropy,
# and its end is told.

bats_require_minimum_version 1.5.0
load vm

TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd -P)
O=${O:-$TOP/build}

setup() {
	needs_kvm
	SHARE=$BATS_TEST_TMPDIR/share
	mkdir "$SHARE"
	echo 'one of the host' >"$SHARE/version"
}

boot() { # CPUS [WORD]...
	timeout 300 "$O/tests/guest/host" "$O/guest/vmlinux-fast" "$O/tests/guest/initramfs" \
		"$SHARE" "$@"
}

says() { # LINE
	[[ $'\n'$output$'\n' == *$'\n'"$1"$'\n'* ]] || {
		echo "'$1' is not in:"
		echo "$output"
		return 1
	}
}

nothing_left() {
	! pgrep -f "$O/tests/guest/host" && ! pgrep -x hull-fsd
}

@test "a guest boots, sleeps, forks, reads the share and entropy" {
	run boot 1 test=show
	[ "$status" = 0 ]
	says hello
	says cpus=1
	says 'version=one of the host'
	says slept=1
	says hwrng=16
	says child=7
	says bye
	says 'end: the guest asked for a reset'
	nothing_left
}

@test "two processors" {
	run boot 2 test=show
	[ "$status" = 0 ]
	says cpus=2
	says slept=1
}

@test "32 MiB to the share and back, byte by byte" {
	run boot 1 test=copy
	[ "$status" = 0 ]
	says wrong=0
	[ "$(stat -c '%s %a %u' "$SHARE/data")" = '33554432 640 0' ]
}

@test "a panic of the guest's kernel is an end, too" {
	run boot 1 test=fault
	[ "$status" = 0 ]
	says hello
	says 'end: the guest asked for a reset'
	[[ $output != *bye* ]]
	nothing_left
}

@test "a file that is no kernel is an error that says so" {
	head -c 8192 /dev/zero >"$BATS_TEST_TMPDIR/zero"
	run "$O/tests/guest/host" "$BATS_TEST_TMPDIR/zero" "$O/tests/guest/initramfs" "$SHARE" 1
	[ "$status" = 1 ]
	[ "$output" = "error: kernel 'guest': neither an ELF vmlinux nor a bzImage" ]
	nothing_left
}
