# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# containerd with $RUNTIME below its runc shim: a daemon started for the test file, with state, socket
# and namespace of its own, and an image named box of the busybox root file system.

make_containerd() {
	make_rootfs
	open_path "$BATS_FILE_TMPDIR"
	export C=$BATS_FILE_TMPDIR CONTAINERD_NAMESPACE=hull-$$ CONTAINERD_SNAPSHOTTER=native
	cat >"$C/config.toml" <<-END
		version = 2
		root = "$C/root"
		state = "$C/state"
		disabled_plugins = ["io.containerd.grpc.v1.cri"]
		[grpc]
		address = "$C/sock"
	END
	setsid containerd --config "$C/config.toml" >"$C/log" 2>&1 </dev/null 3>&- &
	echo $! >"$C/pid"
	(
		cd "$C" || return
		umoci init --layout layout
		umoci new --image layout:box
		umoci insert --image layout:box "$ROOTFS" /
		tar -C layout -cf box.tar .
	) >/dev/null 2>&1
	wait_for test -S "$C/sock" || {
		tail -5 "$C/log"
		return 1
	}
	ctr_ images import --base-name box "$C/box.tar" >/dev/null
}

teardown() {
	local id

	[[ -n ${T-} ]] || return 0
	for id in $(ctr_ containers list --quiet); do
		ctr_ tasks delete --force "$id" >/dev/null 2>&1 || true
		ctr_ containers delete "$id" >/dev/null 2>&1 || true
	done
	equal "$(ctr_ tasks list --quiet)$(ctr_ containers list --quiet)" ''
}

remove_containerd() {
	kill "$(cat "$C/pid")"
	gone() { [[ ! -e /proc/$(cat "$C/pid") ]]; }
	wait_for gone
	remove_cgroups "/$CONTAINERD_NAMESPACE"
	T=$C ID=$CONTAINERD_NAMESPACE STATE=$C/runc/$CONTAINERD_NAMESPACE wait_for nothing_left
}

ctr_() {
	timeout --foreground 100 ctr --address "$C/sock" "$@" 3>&-
}

# ctr_run [OPTION]... -- COMMAND...
ctr_run() {
	local options=()

	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	shift
	ctr_ run --runc-binary "$RUNTIME" --runc-root "$C/runc" "${options[@]}" box:box "$ID" "$@"
}

task_status() {
	ctr_ tasks list | awk -v id="$ID" '$1 == id { print $3 }'
}

has_task_status() {
	[[ $(task_status) == "$1" ]]
}

run_has_terminal() {
	export -f ctr_ ctr_run
	export RUNTIME ID
	expect 6 "$PEER" pty 33x99 bash -c 'ctr_run --rm --tty -- sh' <<<$'until stty size | grep "33 99"; do sleep 0.1; done\ntty; exit 6'
	says '/dev/pts/0'
}

exec_has_terminal() {
	export -f ctr_
	export ID
	ctr_run --detach -- sleep 1000
	expect 5 "$PEER" pty 20x70 bash -c 'ctr_ tasks exec --tty --exec-id e1 "$ID" sh' <<<$'until stty size | grep "20 70"; do sleep 0.1; done\ntty; exit 5'
	says '/dev/pts/0'
}
