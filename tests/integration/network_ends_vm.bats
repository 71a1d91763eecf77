#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# Networks of virtual machines that come to an end or do not come to be: what is given back, and what
# is refused by its name.

load lib
load vm
load network

# without MODULE...: the kernel does not get them.
without() {
	local module

	[[ -d /machine ]] || skip 'the emulated host is needed'
	modprobe -r act_mirred cls_matchall cls_u32 sch_ingress
	for module; do
		echo "install $module /bin/false"
	done >/etc/modprobe.d/without.conf
}

@test "a kernel that cannot redirect is an error by what it lacks" {
	plain_network
	without sch_ingress
	expect 1 run_bundle
	one_error "'eth0'" sch_ingress
	without cls_matchall cls_u32
	expect 1 run_bundle
	one_error cls_matchall cls_u32
	without act_mirred
	expect 1 run_bundle
	one_error act_mirred
	equal "$("${INSIDE[@]}" tc qdisc show dev eth0 | grep -c ingress)" 0
	rm /etc/modprobe.d/without.conf
}

@test "the other classifier does" {
	plain_network
	without cls_matchall
	may_ping
	script 'ping -c 1 -W 10 10.9.0.1'
	expect 0 run_bundle
	rm /etc/modprobe.d/without.conf
}

@test "a new network namespace that a hook furnishes; sysctls of its interface; a user namespace" {
	cat >"$T/hook" <<-END
		#!/bin/bash
		pid=\$(jq .pid)
		ip link add h$$-n type veth peer name eth0 netns "\$pid"
		ip link set h$$-n master $BRIDGE up
		nsenter -t "\$pid" -n sh -c 'ip link set lo up; ip link set eth0 up; ip addr add 10.9.0.9/24 dev eth0'
	END
	chmod +x "$T/hook"
	config '.linux.namespaces |= map(del(.path)) | .hooks.createRuntime = [{path: $hook, env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}]
		| .linux.sysctl = {"net.ipv4.conf.eth0.rp_filter": "2"}' --arg hook "$T/hook"
	with_user_namespace
	may_ping
	script 'cat /proc/sys/net/ipv4/conf/eth0/rp_filter; ping -c 1 -W 10 10.9.0.1 >/dev/null && ls /sys/class/net'
	expect 0 run_bundle
	equal "$output" $'2\neth0\nlo'
	# It has gone with its namespace.
	wait_for fails ip link show "h$$-n"
}

@test "a killed machine leaves no tap, delete leaves nothing, and the namespace is as before" {
	plain_network
	before=$("${INSIDE[@]}" ip addr; "${INSIDE[@]}" ip route; "${INSIDE[@]}" ip -6 route)
	run_detached
	matches "$("${INSIDE[@]}" ip -o link show type tun)" '*hull0*'
	kill -KILL "$(container_pid)"
	wait_for has_status stopped
	no_tap
	hull delete "$ID"
	equal "$("${INSIDE[@]}" tc qdisc show | grep -c ingress)" 0
	equal "$("${INSIDE[@]}" ip addr; "${INSIDE[@]}" ip route; "${INSIDE[@]}" ip -6 route)" "$before"
	"${INSIDE[@]}" busybox ping -c 1 -W 10 10.9.0.1
}

@test "a create that fails later gives the interfaces back" {
	plain_network
	args /bin/true
	config '.annotations["org.hull.vm.kernel"] = "/dev/null"'
	expect 1 hull create --bundle "$BUNDLE" "$ID"
	no_tap
	equal "$("${INSIDE[@]}" tc qdisc show | grep -c ingress)" 0
	"${INSIDE[@]}" busybox ping -c 1 -W 10 10.9.0.1
}

@test "a namespace without interfaces, and with one that is down" {
	wire eth0
	"${INSIDE[@]}" ip link set eth0 down
	script 'ls /sys/class/net'
	expect 0 run_bundle
	equal "$output" lo
}

# refused TEXT...: the namespace as it is now.
refused() {
	expect 1 run_bundle
	one_error "$@"
	no_tap
}

@test "what cannot be taken over is an error by its name" {
	args true
	wire eth0
	"${INSIDE[@]}" tc qdisc add dev eth0 ingress
	refused "'eth0'" 'ingress qdisc already'
	"${INSIDE[@]}" tc qdisc del dev eth0 ingress
	"${INSIDE[@]}" ip link add br0 type bridge
	"${INSIDE[@]}" ip link set br0 up
	"${INSIDE[@]}" ip link set eth0 master br0
	refused "'eth0'" bridge
	"${INSIDE[@]}" ip link set eth0 nomaster
	"${INSIDE[@]}" ip link del br0
	"${INSIDE[@]}" ip link add link eth0 name eth0.5 type vlan id 5
	"${INSIDE[@]}" ip link set eth0.5 up
	refused "'eth0.5'" 'lies on another'
	"${INSIDE[@]}" ip link del eth0.5
	"${INSIDE[@]}" ip tuntap add tun0 mode tun
	"${INSIDE[@]}" ip link set tun0 up
	expect 1 run_bundle
	one_error "'tun0'" Ethernet
	"${INSIDE[@]}" ip link del tun0
	"${INSIDE[@]}" ip rule add from 10.9.0.2 lookup 100 priority 77
	refused 'routing rule' 77
	"${INSIDE[@]}" ip rule del priority 77
	join /proc/self/ns/net
	refused 'linux.namespaces' "the host's network namespace"
	join "/run/netns/$NETNS"
	args sleep 1000
	run_detached
	ID=$ID-2
	config '.linux.cgroupsPath += "-2"'
	expect 1 run_bundle
	one_error "'eth0'" 'another virtual machine'
	ID=${ID%-2}
	equal "$("${INSIDE[@]}" tc qdisc show dev eth0 | grep -c ingress)" 1
}
