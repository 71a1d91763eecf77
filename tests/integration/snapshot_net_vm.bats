#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# Templates, checkpoint and restore of containers in virtual machines that have a network.

# shellcheck disable=SC2016 # for jq and shells inside

load lib
load vm
load network

from_a_template() {
	config '.annotations += {"org.hull.vm.template": "true", "org.hull.vm.memory-mib": "80"}'
}

is_clone() {
	grep -q '/[.]templates/.*/memory' "/proc/$(container_pid)/maps"
}

# What the container sees of its network, but for what depends on the time.
looks() {
	script "$LOOK"
	expect 0 run_bundle
}

@test "a copy of a template has the interface as a container in namespaces has it" {
	plain_network
	look_the_same
	as_it_is=$output
	from_a_template
	for _ in 1 2; do
		looks
		equal "$output" "$as_it_is"
	done
	equal "$(find "$STATE/.templates" -mindepth 1 -maxdepth 1 | wc -l)" 1
	# one for both, with a network and without
	args true
	config '.linux.namespaces |= map(if .type == "network" then del(.path) else . end)'
	expect 0 run_bundle
	equal "$(find "$STATE/.templates" -mindepth 1 -maxdepth 1 | wc -l)" 1
}

@test "a copy with a small MTU, echoes both ways" {
	wire eth0 mtu 1280
	"${INSIDE[@]}" ip addr add 10.9.0.2/24 brd + dev eth0
	may_ping
	from_a_template
	script 'echo started; cat /sys/class/net/eth0/mtu; sleep 1000'
	run_detached
	is_clone
	wait_for out_has 1280
	wait_for busybox ping -c 1 -W 1 10.9.0.2
	expect 0 hull exec --cap CAP_NET_RAW "$ID" ping -c 1 -W 10 10.9.0.1
	expect 0 hull delete --force "$ID"
}

@test "more interfaces than a template has: it boots" {
	plain_network
	wire eth1
	"${INSIDE[@]}" ip addr add 10.9.1.2/24 brd + dev eth1
	from_a_template
	script 'ls /sys/class/net; sleep 1000'
	run_detached
	fails is_clone
	wait_for out_has eth1
	expect 0 hull delete --force "$ID"
	# that was not the template's fault
	[[ -e $(echo "$STATE"/.templates/*/hull.json) ]]
}

answers_pings() {
	busybox ping -c 1 -W 1 10.9.0.2
}

checkpoint_and_restore() {
	script 'echo started; sleep 1000'
	run_detached
	wait_for answers_pings
	expect 0 hull checkpoint --image-path "$T/image" "$ID" 3>&-
	hull restore --image-path "$T/image" --bundle "$BUNDLE" --detach "$ID" >"$OUT" 2>&1 </dev/null 3>&- ||
		{ cat "$OUT" && return 1; }
	wait_for answers_pings
	# It is the guest that answers: the host's own stack in the namespace hears nothing.
	fails "${INSIDE[@]}" busybox ping -c 1 -W 1 10.9.0.1
	expect 0 hull exec --cap CAP_NET_RAW "$ID" ping -c 1 -W 10 10.9.0.1
	expect 0 hull exec --cap CAP_NET_RAW "$ID" ping -6 -c 1 -W 10 fd09::1
}

@test "checkpoint and restore: its network goes on" {
	plain_network
	may_ping
	checkpoint_and_restore
	# a copy's
	expect 0 hull delete --force "$ID"
	rm -r "$T/image"
	from_a_template
	checkpoint_and_restore
	# with another address it would be another machine
	expect 0 hull delete --force "$ID"
	was=$("${INSIDE[@]}" cat /sys/class/net/eth0/address)
	"${INSIDE[@]}" ip link set eth0 address 02:00:00:00:00:77
	expect 1 hull restore --image-path "$T/image" --bundle "$BUNDLE" --detach "$ID"
	one_error "device 'net': the snapshot's has the address $was, and not 02:00:00:00:00:77"
	"${INSIDE[@]}" ip link set eth0 address "$was"
}
