# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# podman with $RUNTIME as its runtime: storage, locks and state in the test file's directory, an image
# named box imported from the busybox root file system.

make_podman() {
	make_rootfs
	configure_podman "$BATS_FILE_TMPDIR"
	tar -C "$ROOTFS" -c . | pod import - box
}

# With virtual machines for its containers (engine_vm.bash), and a network named net1.
make_podman_vm() {
	can_boot || return 0
	make_host_net
	use_vm_runtime "$BATS_FILE_TMPDIR"
	make_podman
	pod network create --disable-dns --subnet 10.89.77.0/24 net1
}

configure_podman() { # DIRECTORY
	export P=$1 PARENT=/hull-podman-$$
	mkdir -p "$P"
	cat >"$P/containers.conf" <<-END
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		lock_type = "file"
		tmp_dir = "$P/tmp"
		[containers]
		# a host may not let its root raise these
		default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
	END
}

teardown() {
	[[ -z ${T-} ]] || pod rm --all --force --time 0 >/dev/null
}

remove_podman() {
	pod rm --all --force --time 0
	pod rmi --all --force
	umount "$P/root/overlay" "$P/root/vfs" 2>/dev/null || true
	wait_for remove_cgroups "$PARENT"
	T=$P ID=hull-podman-$$ STATE=/nonexistent wait_for nothing_left
}

remove_podman_vm() {
	[[ -n ${HOST_NET-} ]] || return 0
	remove_podman
	remove_host_net
}

# HOST_NET: a network namespace to take for the host's, so that nothing of podman's networks stays.
pod() {
	CONTAINERS_CONF=$P/containers.conf timeout --foreground 100 ${HOST_NET:+nsenter "--net=$HOST_NET"} \
		podman --root "$P/root" --runroot "$P/run" --storage-driver vfs --runtime "$RUNTIME" "$@" 3>&-
}

# pod_run [OPTION]... IMAGE COMMAND...
pod_run() {
	pod run --network none --cgroup-parent "$PARENT" "$@"
}

pod_status() {
	pod inspect --format '{{.State.Status}}' box1
}
