#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A hundred containers, eight at a time: created, started, exec'ed into,
# deleted, and nothing is left of them.

load lib

# The whole life of one; a file named after it says that all went well.
live() { # NUMBER
	local id=$ID-$1

	mkdir "$T/b$1"
	jq --arg r "$ROOTFS" --arg c "$CGROUP-$1" '.root = {path: $r, readonly: true} | .linux.cgroupsPath = $c' \
		"$BUNDLE/config.json" >"$T/b$1/config.json"
	hull create --bundle "$T/b$1" --pid-file "$T/b$1/pid" "$id" >"$T/b$1/out" 2>&1 </dev/null &&
		hull start "$id" &&
		[[ $(hull state "$id" | jq -r .status) == running ]] &&
		[[ $(hull exec "$id" sh -c 'echo $(hostname) $$') == box\ [1-9]* ]] &&
		[[ $(readlink "/proc/$(cat "$T/b$1/pid")/exe") == /bin/sleep ]] &&
		hull kill "$id" KILL &&
		{
			until [[ $(hull state "$id" | jq -r .status) == stopped ]]; do sleep 0.02; done
			hull delete "$id"
		} &&
		touch "$T/done-$1"
}

@test "a hundred containers, eight at a time" {
	export -f live hull
	export T ID ROOTFS CGROUP BUNDLE RUNTIME STATE
	args sleep 1000
	seq 100 | xargs -P 8 -I N bash -c 'live N' >"$T/log" 2>&1 3>&- || true
	cat "$T/log"
	equal "$(find "$T" -maxdepth 1 -name 'done-*' | wc -l)" 100
	equal "$(hull list -q)" ''
	nothing_left
}

@test "eight at a time on one id: one wins, the others are refused" {
	only_hull
	create_one() { hull create --bundle "$BUNDLE" "$ID" >"$T/out-$1" 2>&1 </dev/null && touch "$T/won-$1"; }
	export -f create_one hull
	export T ID BUNDLE RUNTIME STATE
	seq 8 | xargs -P 8 -I N bash -c 'create_one N' 3>&- || true
	equal "$(find "$T" -maxdepth 1 -name 'won-*' | wc -l)" 1
	equal "$(container_status)" created
	expect 0 hull delete --force "$ID"
	nothing_left
}

@test "start, kill and delete at once: each does all or nothing" {
	only_hull
	for _ in 1 2 3 4 5; do
		create
		hull start "$ID" >/dev/null 2>&1 3>&- &
		hull kill "$ID" KILL >/dev/null 2>&1 3>&- &
		hull delete --force "$ID" >/dev/null 2>&1 3>&- &
		hull exec "$ID" true >/dev/null 2>&1 3>&- &
		hull state "$ID" >/dev/null 2>&1 3>&- &
		# shellcheck disable=SC2046 # a list; and who lost the race has failed
		wait $(jobs -p | grep -vx "$WATCHDOG") || true
		hull delete --force "$ID"
		nothing_left
	done
}
