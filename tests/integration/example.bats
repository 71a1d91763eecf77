#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine
#
# config.json.example runs as it stands.

load lib

@test "config.json.example runs as it is" {
	cp "$TOP/config.json.example" "$BUNDLE/config.json"
	config ".linux.cgroupsPath = \"$CGROUP\""
	expect 0 hull run --bundle "$BUNDLE" "$ID" 3>&-
	equal "$output" 'hello from example, nice to meet you'
}

@test "config.json.example: what it asks for is what the program sees" {
	cp "$TOP/config.json.example" "$BUNDLE/config.json"
	config ".linux.cgroupsPath = \"$CGROUP\" | .process.args = [\"sh\", \"-c\",
		\"cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax /proc/self/oom_score_adj;
		umask; ulimit -n; hostname; cut -d' ' -f19 /proc/\$\$/stat; wc -c </bundle.json >/dev/null && test -c /dev/example &&
		test -p /dev/pipe && ! touch /x 2>/dev/null && ! unshare -U true 2>/dev/null && echo all\"]"
	expect 0 hull run --bundle "$BUNDLE" "$ID" 3>&-
	equal "$output" $'1\n65536\n100\n0022\n1024\nexample\n5\nall'
}
