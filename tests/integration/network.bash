# shellcheck shell=bash disable=SC2016 # scripts that the container's shell expands
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A network for tests of virtual machines: a namespace whose interfaces are at a bridge of the host,
# which is 10.9.0.1 and fd09::1 there. A teardown that fails when something of hull's is left in it.

setup() {
	needs_kvm
	needs_v2
	command -v ip >/dev/null || skip 'ip is needed (package iproute2)'
	begin
	NETNS=hull-$$
	BRIDGE=hbr$$
	INSIDE=(ip netns exec "$NETNS")
	ip link add "$BRIDGE" type bridge
	ip addr add 10.9.0.1/24 dev "$BRIDGE"
	ip addr add fd09::1/64 dev "$BRIDGE" nodad
	ip link set "$BRIDGE" up
	ip netns add "$NETNS"
	"${INSIDE[@]}" ip link set lo up
	config '.annotations = {"org.hull.isolation": "vm"}'
	join "/run/netns/$NETNS"
}

teardown() {
	[[ -n ${NETNS-} ]] || return 0
	end || return
	equal "$("${INSIDE[@]}" ip -o link show type tun)" ''
	equal "$("${INSIDE[@]}" tc qdisc show | grep -c ingress)" 0
	ip netns del "$NETNS"
	ip link del "$BRIDGE"
}

# join PATH: the container is to be in that network namespace.
join() {
	config '.linux.namespaces |= map(if .type == "network" then .path = $path else . end)' --arg path "$1"
}

# wire NAME [OPTION]...: an interface of the namespace, whose other end is at the bridge.
wire() {
	local name=$1 end

	end=h$$-$name
	shift
	ip link add "$end" "$@" type veth peer name "$name" netns "$NETNS"
	ip link set "$end" master "$BRIDGE" up
	"${INSIDE[@]}" ip link set "$name" "$@" up
}

# eth0 with addresses, and a way out.
plain_network() {
	wire eth0
	"${INSIDE[@]}" ip addr add 10.9.0.2/24 brd + dev eth0
	"${INSIDE[@]}" ip addr add fd09::2/64 dev eth0 nodad
	"${INSIDE[@]}" ip route add default via 10.9.0.1
	"${INSIDE[@]}" ip route add default via fd09::1
	wait_for settled
}

# No address waits for its search for duplicates any more.
settled() {
	[[ -z $("${INSIDE[@]}" ip -o addr show tentative) ]]
}

may_ping() {
	config '.process.capabilities |= map_values(. + ["CAP_NET_RAW"])'
}

# What is to be the same for a container in namespaces and one in a virtual machine: all but the
# interfaces' numbers, and where a kernel without tables for IPv6 has its multicast.
LOOK='
	for i in /sys/class/net/*; do
		echo "${i##*/} $(cat $i/mtu) $(cat $i/address) $(cat $i/flags)"
		cd /proc/sys/net/ipv6/conf/${i##*/} && cat disable_ipv6 accept_ra autoconf addr_gen_mode
	done
	ip -o addr | sed "s/^[0-9]*: *//; s/@[^ ]*//"
	ip route
	ip -6 route | grep -v "^multicast ff00::/8"
	cat /proc/net/arp
	ip -6 neigh show nud permanent | sed "s/ used [^ ]*//"'

# Both see the same; it is in $output.
look_the_same() {
	local in_namespaces

	script "$LOOK"
	config '.annotations = {"org.hull.isolation": "namespace"}'
	expect 0 run_bundle
	in_namespaces=$output
	config '.annotations = {"org.hull.isolation": "vm"}'
	expect 0 run_bundle
	equal "$output" "$in_namespaces"
}

no_tap() {
	[[ -z $("${INSIDE[@]}" ip -o link show type tun) ]]
}
