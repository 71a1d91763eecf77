#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# A container engine inside a virtual machine with the full kernel: podman with hull-oci, there in
# namespaces, as its runtime. Its own bridge, address translation and port mapping are the guest's, and
# what it publishes is reached from outside the machine.

# shellcheck disable=SC2016 # for jq and shells inside

load lib
load vm
load network

# shellcheck disable=SC2034 # the library's
TEST_LIMIT=900

CAPABILITIES='["CAP_AUDIT_WRITE", "CAP_BPF", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER",
	"CAP_FSETID", "CAP_KILL", "CAP_MKNOD", "CAP_NET_ADMIN", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_PERFMON",
	"CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_ADMIN", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE",
	"CAP_SYS_RESOURCE"]'

# The host's programs, and what of its /etc they need; nothing else of it can be seen.
make_root() { # DIRECTORY
	local name

	mkdir -p "$1"/{dev,etc,opt,proc,root,run,sys,tmp,usr,var/lib/containers,var/tmp}
	for name in bin sbin lib lib64; do
		ln -s "usr/$name" "$1/$name"
	done
	for name in alternatives containers group ld.so.cache nsswitch.conf passwd protocols services; do
		[[ ! -e /etc/$name ]] || cp -a "/etc/$name" "$1/etc/"
	done
	touch "$1"/etc/{hosts,resolv.conf}
	cp "$O/hull-oci" "$1/opt/"
	cat >"$1/etc/containers/containers.conf" <<-END
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		runtime = "hull"
		[engine.runtimes]
		hull = ["/opt/hull-oci"]
	END
	mkdir "$BUNDLE/rootfs/www"
	echo 'from inside' >"$BUNDLE/rootfs/www/page"
	tar -C "$BUNDLE/rootfs" -cf "$1/opt/box.tar" .
}

# What an engine wants of a container that it is to run in, whoever made that. Its processes make room in
# their cgroup first, as one with groups below it cannot have any.
start_machine() {
	[[ -e $O/guest/vmlinux-full ]] || skip 'the full kernel is not built: make guest'
	command -v podman >/dev/null || skip 'podman is needed'
	make_root "$BUNDLE/root"
	plain_network
	config '.annotations = {"org.hull.isolation": "vm", "org.hull.vm.kernel": $kernel, "org.hull.vm.memory-mib": "768"}
		| .root.path = "root" | .process.noNewPrivileges = false
		| .process.capabilities |= map_values($capabilities)
		| .process.env = ["PATH=/usr/sbin:/usr/bin", "HOME=/root", "TEST_ID='"$ID"'"]
		| .mounts |= map(select(.destination != "/sys"))
		| .mounts += [{destination: "/sys", type: "sysfs", source: "sysfs"},
			{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup"},
			{destination: "/usr", type: "bind", source: "/usr", options: ["rbind", "ro"]}]
		| .mounts += ["/run", "/tmp", "/var/lib/containers", "/var/tmp" |
			{destination: ., type: "tmpfs", source: "tmpfs", options: ["mode=1777"]}]
		| del(.linux.resources) | .linux.namespaces += [{type: "cgroup"}]' \
		--arg kernel "$O/guest/vmlinux-full" --argjson capabilities "$CAPABILITIES"
	script 'cd /sys/fs/cgroup && mkdir init && echo 0 >init/cgroup.procs &&
		for c in $(cat cgroup.controllers); do echo +$c >cgroup.subtree_control; done
		echo ready; exec sleep infinity'
	run_detached
	wait_for out_has ready
}

pod() { # COMMAND... inside
	hull exec "$ID" podman "$@" 3>&-
}

serve() { # DIRECTORY: at port 8081 of the host
	start_in_background busybox httpd -f -p 10.9.0.1:8081 -h "$1"
}

fetch() { # HOST:PORT
	busybox wget -q -O "$T/page" "http://$1/page"
}

@test "podman in a virtual machine: its bridge, a published port, a way out, limits, exec" {
	start_machine
	expect 0 pod import /opt/box.tar box
	expect 7 pod run --rm --interactive --network none box sh -c 'cat; exit 7' <<<in
	equal "$output" in

	expect 0 pod run --detach --name web --publish 8080:80 --memory 32m --pids-limit 50 box httpd -f -p 80 -h /www
	wait_for fetch 10.9.0.2:8080
	equal "$(cat "$T/page")" 'from inside'
	expect 0 pod exec web sh -c 'cd /sys/fs/cgroup; cat memory.max pids.max; ip -4 -o addr show eth0; uname -r'
	says $'33554432\n50\n'
	says 10.88.0.
	says -hull
	mkdir "$T/www"
	echo 'from the host' >"$T/www/page"
	serve "$T/www"
	wait_for fetch 10.9.0.1:8081
	expect 0 pod run --rm --runtime runc box wget -q -O - http://10.9.0.1:8081/page
	equal "$output" 'from the host'

	expect 0 pod rm --force --time 0 web
	fails fetch 10.9.0.2:8080
	expect 0 hull exec "$ID" ls /run/hull
	equal "$output" ''
	expect 0 hull delete --force "$ID"
}
