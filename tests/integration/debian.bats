#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A real Debian as root file system (scripts/debian); tests work on an overlay over it.

load lib
load debian

setup_file() {
	[[ $(id -u) == 0 ]] || return 0
	DEBIAN=$("$TOP/scripts/debian" 2>"$BATS_FILE_TMPDIR/why" 3>&-) || true
	export DEBIAN
}

setup() {
	[[ $(id -u) == 0 ]] || skip 'root is needed'
	[[ -d $DEBIAN ]] || skip "no Debian could be made: $(cat "$BATS_FILE_TMPDIR/why")"
	begin_debian
}

@test "a shell, its children and a pipe" {
	args bash -c 'for i in 1 2 3; do echo $i; done | sort -r | tr "\n" " "; . /etc/os-release; echo $VERSION_CODENAME'
	expect 0 run_bundle
	equal "$output" '3 2 1 bookworm'
}

@test "apt-get works" {
	args apt-get --version
	expect 0 run_bundle
	[[ ${lines[0]} == 'apt '2.* ]]
	args dpkg-query -W -f '${Status}\n' bash
	expect 0 run_bundle
	equal "$output" 'install ok installed'
}

@test "a package is unpacked and installed" {
	make_package
	args sh -c 'apt-get install -y /package.deb >/dev/null 2>&1 || dpkg -i /package.deb; hull-test'
	expect 0 run_bundle
	says 'installed and run'
}

@test "a daemon serves, detached, and is reached by exec" {
	config '.process.args = ["/bin/busybox", "httpd", "-f", "-p", "127.0.0.1:8080", "-h", "/etc"]'
	run_detached
	served() { hull exec "$ID" busybox wget -q -O - http://127.0.0.1:8080/hostname >"$T/page" 2>&1; }
	wait_for served
	equal "$(cat "$T/page")" "$(cat "$DEBIAN/etc/hostname")"
	expect 0 hull exec "$ID" ps -o args= 1
	says 'busybox httpd'
	expect 0 hull kill "$ID" TERM
	hull kill "$ID" KILL || true
	wait_for has_status stopped
}

@test "a daemon that goes into the background is reached after its parent ended" {
	args bash -c '(setsid sleep 1001 &) ; exec sleep 1002'
	run_detached
	two() { [[ $(hull ps --format json "$ID" | jq length) == 2 ]]; }
	wait_for two
	expect 0 hull exec "$ID" pgrep -x sleep
	equal "${#lines[@]}" 2
}

@test "a terminal with job control, line editing and resize" {
	config '.process.terminal = true'
	args bash --norc
	{
		echo 'tty; stty size; bash -c "echo go""ing; exec sleep 1000"'
		echo '!wait going'
		printf '\032\n' # ^Z
		echo '!wait Stopped'
		echo 'kill -KILL %1; wait; echo re""ady'
		echo '!wait ready'
		echo '!size 50x132'
		echo 'until stty size | grep "50 132"; do sleep 0.1; done; exit 3'
	} >"$T/in"
	expect 3 "$PEER" pty 24x80 "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" <"$T/in"
	says '/dev/pts/0'
	says '24 80'
	says 'Stopped'
	says '50 132'
}

@test "users and set-uid programs of the distribution" {
	config '.process.noNewPrivileges = false | .process.capabilities |= with_entries(.value += ["CAP_AUDIT_WRITE"])'
	args su -s /bin/sh -c id nobody
	expect 0 run_bundle
	says 'uid=65534(nobody)'
}

@test "in a user namespace over an id-mapped or shifted root" {
	only_hull
	config '.linux.namespaces += [{"type": "user"}]
		| .linux.uidMappings = [{"containerID": 0, "hostID": 0, "size": 65536}]
		| .linux.gidMappings = .linux.uidMappings'
	args bash -c 'id -u; cat /proc/self/uid_map | tr -s " "'
	expect 0 run_bundle
	equal "$output" $'0\n 0 0 65536'
}
