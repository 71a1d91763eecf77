# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# docker with $RUNTIME as its default runtime: a daemon started for the test file, with its own
# containerd, state and socket, and an image named box of the busybox root file system. It has a
# network if HOST_NET is a network namespace to take for the host's, so that nothing of it stays.

make_docker() {
	local network=(--bridge none --iptables=false --ip-forward=false)

	[[ -z ${HOST_NET-} ]] || network=(--bip 10.89.78.1/24)
	make_rootfs
	export D=$BATS_FILE_TMPDIR PARENT=/hull-docker-$$
	echo '{}' >"$D/config.json"
	setsid ${HOST_NET:+nsenter "--net=$HOST_NET"} dockerd --config-file "$D/config.json" --data-root "$D/data" --exec-root "$D/exec" \
		--pidfile "$D/dockerd.pid" --host "unix://$D/sock" "${network[@]}" \
		--ip6tables=false --storage-driver vfs --cgroup-parent "$PARENT" \
		--exec-opt native.cgroupdriver=cgroupfs --add-runtime "hull=$RUNTIME" \
		--default-runtime hull >"$D/log" 2>&1 </dev/null 3>&- &
	echo $! >"$D/pid"
	started_or_dead() { dock version >/dev/null 2>&1 || [[ ! -e /proc/$(cat "$D/pid") ]]; }
	wait_for started_or_dead
	if dock version >/dev/null 2>&1; then
		tar -C "$ROOTFS" -c . | dock import - box >/dev/null
	fi
}

teardown() {
	local left

	[[ -n ${T-} ]] || return 0
	left=$(dock ps --all --quiet)
	# shellcheck disable=SC2086 # a list
	[[ -z $left ]] || dock rm --force $left >/dev/null
}

remove_docker() {
	if kill "$(cat "$D/pid")" 2>/dev/null; then
		gone() { [[ ! -e /proc/$(cat "$D/pid") ]]; }
		wait_for gone
	fi
	umount "$D/data" 2>/dev/null || true # dockerd's own, where / is not a shared mount
	wait_for remove_cgroups "$PARENT"
	T=$D ID=${PARENT#/} STATE=$D/exec/runtime-runc/moby wait_for nothing_left
}

dock() {
	timeout --foreground 100 docker --host "unix://$D/sock" "$@" 3>&-
}

dock_run() {
	dock run --network none "$@"
}

dock_state() { # FIELD
	dock inspect --format "{{.State.$1}}" box1
}

log_has() {
	dock logs box1 2>&1 | grep -qF -e "$1"
}

# run -it and exec -it have a terminal of the caller's size.
have_terminals() {
	export -f dock dock_run
	expect 5 "$PEER" pty 33x99 bash -c 'dock_run --rm -it box sh' \
		<<<$'until stty size | grep "33 99"; do sleep 0.1; done\ntty; exit 5'
	says '/dev/pts/0'
	dock_run --detach --name box1 box sleep 1000
	expect 6 "$PEER" pty 20x70 bash -c 'dock exec -it box1 sh' \
		<<<$'until stty size | grep "20 70"; do sleep 0.1; done\ntty; exit 6'
	says '/dev/pts/0'
}
