#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# Two hundred machines are made, used and deleted, four at a time, and in every tenth round one of
# hull's processes is killed wherever it is: nothing of any is left. A quarter of them each boot or
# begin as copies of a template, with a network or without.

# shellcheck disable=SC2030,SC2031 # each worker has a network namespace of its own

load lib
load vm
load network

# shellcheck disable=SC2034 # the library's
TEST_LIMIT=1100
ROUNDS=50
WORKERS=4

# The container that a worker makes again and again.
furnish() { # WORKER
	mkdir "$T/bundle-$1"
	jq 'del(.linux.cgroupsPath) | .root.path = $root' --arg root "$BUNDLE/rootfs" "$BUNDLE/config.json" \
		>"$T/bundle-$1/config.json"
}

# The same with an interface for the machine, which no other machine has at that time.
furnish_with_network() { # WORKER
	local NETNS=hull-$$-$1
	local INSIDE=(ip netns exec "$NETNS")

	ip netns add "$NETNS"
	"${INSIDE[@]}" ip link set lo up
	wire "net$1"
	"${INSIDE[@]}" ip addr add "10.9.0.1$1/24" dev "net$1"
	join "/run/netns/$NETNS"
	furnish "$1"
}

# ---- a process is killed ----

KINDS=(hull-oci its-child hull-vmm file-server)

processes() { # KIND ID COMMAND'S-PID
	case $1 in
	hull-oci) [[ ! -e /proc/$3 ]] || echo "$3" ;;
	its-child) pgrep -P "$3" ;;
	hull-vmm) pgrep -o -f -- "^hull-vmm .*--id $2\$" ;;
	file-server) pgrep -n -f -- "^hull-vmm .*--id $2\$" ;;
	esac
}

# Lets COMMAND get somewhere, and kills the first process of a kind that there is from then on. The
# shorter the time, the more often: most commands but create are soon through.
kill_one() { # KIND ID COMMAND...
	local kind=$1 id=$2 pid pids ticks=$((RANDOM % (1 << RANDOM % 3)))

	shift 2
	[[ $1 != create ]] || ticks=$((RANDOM % (1 << RANDOM % 6)))
	"$RUNTIME" --root "$STATE" "$@" >/dev/null 2>&1 </dev/null &
	pid=$!
	for ((; ticks > 0; ticks--)); do
		sleep 0.05
	done
	until mapfile -t pids < <(processes "$kind" "$id" "$pid") && [[ ${#pids[@]} != 0 ]]; do
		[[ -e /proc/$pid ]] || break
		sleep 0.02
	done
	if [[ ${#pids[@]} != 0 ]]; then
		kill -KILL "${pids[RANDOM % ${#pids[@]}]}" && echo "$kind: $*" >>"$T/killed"
	fi
	wait "$pid" || true
}

# ---- the rounds ----

# The four steps, one of which, in every tenth round, loses a process. Then nothing is expected but that
# delete removes all there is.
round() { # WORKER NUMBER
	local id=$ID-$2 victim=-1 kill=$(($2 / 10 + (BATS_TEST_NUMBER - 1) * 5)) step said=$T/said-$1
	local -a command steps=("create --bundle $T/bundle-$1 $id" "start $id" "exec $id sh -c" "delete --force $id")

	(($2 % 10)) || victim=$((kill % 4))
	for step in 0 1 2 3; do
		# shellcheck disable=SC2206 # words
		command=(${steps[step]})
		[[ $step != 2 ]] || command+=("cat /sys/class/net/*/address; echo round $2")
		if ((step == victim)); then
			# bash says who was killed
			kill_one "${KINDS[(kill + kill / 4) % 4]}" "$id" "${command[@]}" 2>/dev/null
			hull delete --force "$id" || return
			break
		fi
		# not into a pipe, which the container would keep open
		if ! hull "${command[@]}" >"$said" 2>&1 ||
			[[ $step == 2 && $(<"$said") != "${ADDRESSES[$1]}"$'\n'"round $2" ]]; then
			echo "${command[*]}:"
			cat "$said"
			return 1
		fi
	done
	((victim < 0)) || wait_for is_clean "$1" "$id"
}

# What is there of this container, its worker's network namespace included, which is to be as it was. What
# stays of a round without a kill is found at the end, or in the next one that has to live with it.
left_of() { # WORKER ID
	pgrep -a -f -- "[ /]$2( |\$)"
	[[ ! -e $STATE/$2 ]] || echo "$STATE/$2"
	grep -F "$2/" /proc/self/mountinfo /proc/net/unix
	# those of other workers go while it looks
	find /sys/fs/cgroup -name "*$2" 2>/dev/null
	[[ ! -e /run/netns/hull-$$-$1 ]] || left_in "hull-$$-$1"
}

left_in() { # NETWORK NAMESPACE
	ip -n "$1" -o link show type tun
	tc -n "$1" qdisc show | grep ingress
}

is_clean() { # WORKER ID
	[[ -z $(left_of "$@") ]]
}

worker() { # NUMBER
	local n

	RANDOM=$BATS_TEST_NUMBER$1
	for ((n = $1; n < ROUNDS; n += WORKERS)); do
		round "$1" "$n" || {
			echo "round $n failed; left of it:"
			left_of "$1" "$ID-$n" || true
			return 1
		}
	done
	echo "worker $1 is through"
}

# rounds: of containers like the bundle's, with what furnish_with_network or furnish makes for each worker.
rounds() { # FURNISH
	local i

	for ((i = 0; i < WORKERS; i++)); do
		"$1" "$i"
		ADDRESSES[i]=$([[ $1 == furnish ]] || ip netns exec "hull-$$-$i" cat "/sys/class/net/net$i/address")
		ADDRESSES[i]=00:00:00:00:00:00${ADDRESSES[i]:+$'\n'${ADDRESSES[i]}}
	done
	: >"$T/killed"
	for ((i = 0; i < WORKERS; i++)); do
		worker "$i" >"$T/worker-$i" 2>&1 </dev/null 3>&- &
		JOBS[i]=$!
	done
	for ((i = 0; i < WORKERS; i++)); do
		wait "${JOBS[i]}" || true
	done
	JOBS=()
	equal "$(cat "$T"/worker-*)" "$(printf 'worker %d is through\n' 0 1 2 3)"
	[[ -s $T/killed ]]
	wait_for nothing_left
	equal "$(find "$STATE" -mindepth 1 -maxdepth 1 ! -name '.*')" ''
	fails grep -F "$STATE" /proc/net/unix
	for ((i = 0; i < WORKERS; i++)); do
		[[ $1 != furnish_with_network ]] || {
			equal "$(left_in "hull-$$-$i")" ''
			ip netns del "hull-$$-$i"
		}
	done
}

use_templates() {
	config '.annotations["org.hull.vm.template"] = "true"'
}

@test "fifty boots" {
	config '.annotations["org.hull.vm.memory-mib"] = "64" | .linux.namespaces |= map(del(.path))'
	rounds furnish
}

@test "fifty boots, with a network" {
	config '.annotations["org.hull.vm.memory-mib"] = "64"'
	rounds furnish_with_network
}

@test "fifty copies of a template" {
	config '.annotations["org.hull.vm.memory-mib"] = "64" | .linux.namespaces |= map(del(.path))'
	use_templates
	rounds furnish
}

@test "fifty copies of a template, with a network" {
	config '.annotations["org.hull.vm.memory-mib"] = "64"'
	use_templates
	rounds furnish_with_network
}
