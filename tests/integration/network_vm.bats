#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# A container in a virtual machine has the network of its network namespace: everybody is reached by
# it and reaches the container, and what the guest sees is what a container in namespaces sees.

load lib
load vm
load network

@test "echoes, by IPv4 and IPv6" {
	plain_network
	may_ping
	create
	hull start "$ID"
	wait_for busybox ping -c 1 -W 1 10.9.0.2
	busybox ping -6 -c 1 -W 10 fd09::2
	expect 0 hull exec --cap CAP_NET_RAW "$ID" ping -c 1 -W 10 10.9.0.1
	expect 0 hull exec --cap CAP_NET_RAW "$ID" ping -6 -c 1 -W 10 fd09::1
	# The host's own stack in the namespace hears nothing of it.
	fails "${INSIDE[@]}" busybox ping -c 1 -W 1 10.9.0.1
}

# served PORT: somebody listens there, on the host.
served() {
	[[ -n $(ss -Hltn "sport = :$1") ]]
}

@test "TCP both ways: a megabyte comes back byte by byte" {
	plain_network
	head -c 1048576 /dev/urandom >"$T/data"
	cp "$T/data" "$BUNDLE/rootfs/data"
	# In memory: the shared directory is slow when there is little at a time.
	config '.mounts += [{"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}]'
	# All of it before it goes back: who sends does not read meanwhile.
	busybox nc -l -p 7000 -e sh -c "cat >'$T/there'; cat '$T/there'" 3>&- &
	JOBS+=($!)
	wait_for served 7000
	script 'nc 10.9.0.1 7000 </data >/tmp/back; cmp /tmp/back /data && echo same
		nc -l -p 7001 -e sh -c "cat >/tmp/one; cat /tmp/one" & nc -l -p 7002 -e sh -c "cat >/tmp/two; cat /tmp/two" & wait'
	run_detached
	patiently out_has same
	wait_for echoes 10.9.0.2 7001
	wait_for echoes fd09::2 7002
}

# wait_for for a minute: there is a lot to send.
patiently() { # COMMAND...
	local try

	for ((try = 0; try < 6; try++)); do
		wait_for "$@" && return
	done
	return 1
}

echoes() { # ADDRESS PORT
	busybox nc "$1" "$2" <"$T/data" >"$T/back" && cmp "$T/back" "$T/data"
}

@test "addresses, MAC and routes are those of a container in namespaces" {
	wire eth0 mtu 1400
	# Its link-local address stays that of the one before.
	"${INSIDE[@]}" ip link set eth0 address 02:11:22:33:44:55
	"${INSIDE[@]}" ip addr add 10.9.0.2/24 brd + dev eth0
	"${INSIDE[@]}" ip addr add 10.9.0.3/24 dev eth0 label eth0:x
	"${INSIDE[@]}" ip addr add 10.8.0.2 peer 10.8.0.1/32 dev eth0
	"${INSIDE[@]}" ip addr add 10.7.0.2/32 scope link dev eth0 noprefixroute
	"${INSIDE[@]}" ip addr add fd09::2/64 dev eth0 nodad
	"${INSIDE[@]}" ip addr add fd09::3/64 dev eth0
	"${INSIDE[@]}" ip addr add fd08::3/128 dev eth0 noprefixroute
	"${INSIDE[@]}" ip route add default via 10.9.0.1 src 10.9.0.3 mtu 1300 advmss 1200
	"${INSIDE[@]}" ip route add default via 10.9.0.254 metric 100
	"${INSIDE[@]}" ip route add 192.0.2.0/24 via 10.9.0.1 tos 0x10 proto static
	"${INSIDE[@]}" ip route add blackhole 198.51.100.0/24
	"${INSIDE[@]}" ip route add default via fd09::1 metric 512 pref high
	"${INSIDE[@]}" ip route add 2001:db8::/32 via fe80::1 dev eth0
	"${INSIDE[@]}" ip route add unreachable 2001:db8:1::/48
	"${INSIDE[@]}" ip neigh add 10.9.0.7 lladdr 02:00:00:00:00:07 dev eth0
	"${INSIDE[@]}" ip neigh add fd09::7 lladdr 02:00:00:00:00:08 dev eth0
	wait_for settled
	look_the_same
	says 'eth0 1400 02:11:22:33:44:55'
	says 'inet 10.8.0.2 peer 10.8.0.1/32 scope global eth0'
	says 'default via 10.9.0.1 dev eth0  src 10.9.0.3'
	says 'blackhole 198.51.100.0/24'
	says 'default via fd09::1 dev eth0  metric 512'
	says '02:00:00:00:00:07'
}

@test "two interfaces, a name of their own each; a gateway outside the network" {
	wire net1 mtu 9000
	wire eth0
	"${INSIDE[@]}" sysctl -qw net.ipv6.conf.eth0.accept_ra=0 net.ipv6.conf.net1.disable_ipv6=1
	"${INSIDE[@]}" ip addr add 10.9.0.2/32 dev eth0
	"${INSIDE[@]}" ip addr add 10.10.0.2/24 dev net1
	"${INSIDE[@]}" ip route add 169.254.1.1 dev eth0 scope link
	"${INSIDE[@]}" ip route add default via 169.254.1.1 dev eth0
	"${INSIDE[@]}" ip route add 192.0.2.0/24 via 10.9.0.1 dev eth0 onlink
	# As the plugin ptp has it: neighbours only by way of the gateway.
	"${INSIDE[@]}" ip route del 10.10.0.0/24 dev net1
	"${INSIDE[@]}" ip route add 10.10.0.1 dev net1 scope link src 10.10.0.2
	"${INSIDE[@]}" ip route add 10.10.0.0/24 via 10.10.0.1 dev net1
	ip addr add 10.10.0.1/24 dev "$BRIDGE"
	ip addr add 169.254.1.1/32 dev "$BRIDGE"
	ip route add 10.9.0.2 dev "$BRIDGE"
	wait_for settled
	look_the_same
	says 'net1 9000'
	says '10.10.0.0/24 via 10.10.0.1 dev net1'
	may_ping
	script 'ping -c 1 -W 10 10.10.0.1 && ping -c 1 -W 10 -I eth0 169.254.1.1'
	expect 0 run_bundle
}
