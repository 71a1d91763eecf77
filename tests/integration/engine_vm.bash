# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Engines that have hull-oci-vm for their runtime, so that each container is a virtual machine, and a
# network namespace for their host's network, so that nothing of theirs stays.

setup() {
	needs_kvm
	T=$BATS_TEST_TMPDIR
	OUT=$T/out
}

use_vm_runtime() { # DIRECTORY
	RUNTIME=$1/hull-oci-vm
	export RUNTIME
	ln -s "$O/hull-oci" "$RUNTIME"
}

make_host_net() {
	HOST_NET=/run/netns/hull-host-$$
	export HOST_NET
	ip netns add "${HOST_NET##*/}"
	in_host ip link set lo up
}

# Nothing of hull's is left in it.
remove_host_net() {
	equal "$(in_host ip -o link show type tun)" ''
	ip netns del "${HOST_NET##*/}"
}

in_host() {
	nsenter "--net=$HOST_NET" "$@"
}
