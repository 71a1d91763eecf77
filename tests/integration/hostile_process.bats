#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine
#
# Hostile containers: known attacks on container runtimes through processes,
# descriptors, privileges and sheer size, tried on hull.  Each test also lets
# its attack succeed where it may, so that a failure is the runtime's doing.
# What is left out, and why, stands in hostile.bats.

load lib

setup() {
	begin
	only_hull
	ORIGINAL=$RUNTIME
	R=$BUNDLE/rootfs
	cp "$O/tests/helper/attack" "$R/bin/attack"
}

# What an attack that works would leave on the host goes, too.
teardown() {
	[[ -z ${ID-} ]] || rmdir /sys/fs/cgroup{,/*}/hull-{evil,out}-"$ID" 2>/dev/null || true
	RUNTIME=${ORIGINAL-$RUNTIME}
	end
}

# --- hull's own process in the container ---

@test "CVE-2019-5736: a container cannot overwrite the runtime through /proc/PID/exe" {
	# A copy, lest the attack works: hull finds its companions beside it.
	mkdir "$T/bin"
	cp "${RUNTIME%/*}"/hull-* "$T/bin"
	RUNTIME=$T/bin/hull-oci
	before=$(sha256sum "$RUNTIME")
	printf '#!/proc/self/exe\n' >"$R/bin/door"
	chmod +x "$R/bin/door"
	args attack overwrite-exe PAYLOAD
	for denied in '' HULL_NO_MOUNT_API=1 MISLED=1; do
		# A word of the command that is the id of a container in a virtual machine, which is not entered.
		[[ $denied != MISLED=1 ]] || install -D /dev/null "$STATE/door/vm.sock"
		env ${denied:+"$denied"} "$RUNTIME" --root "$STATE" run --detach --bundle "$BUNDLE" "$ID" >"$OUT" 2>&1 </dev/null 3>&-
		wait_for out_has waiting
		# Until one of them is caught, as an attacker would have it.
		caught() { hull exec "$ID" door >/dev/null 2>&1; env ${denied:+"$denied"} "$RUNTIME" --root "$STATE" exec "$ID" door features >/dev/null 2>&1; out_has 'got the executable'; }
		wait_for caught
		wait_for out_has 'not overwritten: '
		fails grep -x overwritten "$OUT"
		equal "$(sha256sum "$RUNTIME")" "$before"
		hull delete --force "$ID"
	done
	rm -r "$STATE/door"
	# The very attack on a program that is not protected.
	cp "$R/bin/busybox" "$R/tmp/sleep"
	run_detached
	wait_for out_has waiting
	hull exec "$ID" /tmp/sleep 0.2
	wait_for grep -qx overwritten "$OUT"
	equal "$(head -c 7 "$R/tmp/sleep")" PAYLOAD
}

@test "CVE-2019-5736: the runtime as the container's first process is no way to it" {
	printf '#!/proc/self/exe\n' >"$R/bin/door"
	chmod +x "$R/bin/door"
	before=$(sha256sum "$RUNTIME")
	args door features
	run_bundle >/dev/null 2>&1 || true
	args /proc/self/exe features
	expect 0 run_bundle
	says ociVersionMax # hull itself, inside
	equal "$(sha256sum "$RUNTIME")" "$before"
}

pry_at_execs() {
	args attack pry true
	run_detached
	wait_for out_has waiting
	for _ in {1..60}; do
		hull exec "$ID" true
	done
	wait_for out_has 'saw '
	fails grep reached "$OUT"
	# Into a program of the container it does look.
	hull exec "$ID" sleep 0.5
	grep -q 'reached exe of sleep' "$OUT"
	grep -q 'reached mem of sleep' "$OUT"
}

@test "what hull-oci has relocated is read-only, and nothing is writable and executable" {
	args sleep 1000
	"$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" >"$OUT" 2>&1 </dev/null 3>&- &
	oci=$!
	JOBS+=("$oci")
	wait_for has_status running
	read -r start size < <(readelf -lW "$RUNTIME" | awk '$1 == "GNU_RELRO" { print $3, $6 }')
	# The program begins with the first mapping of a file; whole pages are sealed, down from the end.
	base=0x$(awk '$5 != 0 { sub("-.*", ""); print; exit }' "/proc/$oci/maps")
	last=$((base + start + size - 4096))
	perms=$(while read -r range mode _; do
		((last < 0x${range%-*} || last >= 0x${range#*-})) || echo "$mode"
	done <"/proc/$oci/maps")
	equal "$perms" r--p
	equal "$(grep -c ' .wx' "/proc/$oci/maps")" 0
	hull kill "$ID" KILL
	wait "$oci" || true
}

@test "CVE-2016-9962: the container cannot look into an exec that enters it" {
	# No capability may be missing in comparison with the one that enters, or the kernel would refuse for that.
	config '.process.capabilities |= map_values(. + ["CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_SETPCAP"])'
	pry_at_execs
}

@test "CVE-2016-9962: the same in a user namespace, where the container's root has all capabilities" {
	with_user_namespace
	config '.process.capabilities |= map_values(["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER",
		"CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE",
		"CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK",
		"CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE",
		"CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
		"CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
		"CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG",
		"CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF",
		"CAP_CHECKPOINT_RESTORE"])'
	pry_at_execs
}

# --- descriptors of the host ---

@test "CVE-2024-21626: no working directory leads out through /proc/self/fd/N" {
	run_detached
	host=$(stat -c %d:%i /)
	for fd in {3..20}; do
		for cwd in "/proc/self/fd/$fd" "/proc/self/fd/$fd/../../.." "/link$fd"; do
			ln -sfn "/proc/self/fd/$fd" "$R/link$fd"
			expect 1 hull exec --cwd "$cwd" "$ID" stat -c %d:%i .
			says_not "$host"
		done
	done
	hull delete --force "$ID"
	args stat -c %d:%i . /proc/self/cwd/../../../../../..
	for fd in {3..20}; do
		for cwd in "/proc/self/fd/$fd" "/link$fd" "/proc/thread-self/fd/$fd/new"; do
			config '.process.cwd = $c' --arg c "$cwd"
			expect 1 run_bundle
			one_error process.cwd
			says_not "$host"
		done
	done
}

@test "CVE-2024-21626: not even through a directory that the caller passes on" {
	args stat -c %d:%i .
	config '.process.cwd = "/proc/self/fd/3"'
	expect 1 hull run --bundle "$BUNDLE" --preserve-fds 1 "$ID" 3</
	one_error 'outside of the container'
	config '.process.cwd = "/" | .process.args = ["sleep", "1000"]'
	run_detached
	expect 1 hull exec --preserve-fds 1 --cwd /proc/self/fd/3 "$ID" true 3</
	one_error 'outside of the container'
}

@test "CVE-2024-21626: no program of the host is executed through /proc/self/fd/N" {
	printf '#!/bin/sh\necho escaped\n' >"$T/evil"
	chmod +x "$T/evil"
	run_detached
	for fd in {3..20}; do
		for up in '' /.. /../../.. /../../../../../../..; do
			expect 1 hull exec "$ID" "/proc/self/fd/$fd$up$T/evil"
			says_not escaped
		done
	done
	# With a descriptor that is passed on it works, so the paths are right.
	expect 0 hull exec --preserve-fds 1 "$ID" "/proc/self/fd/3$T/evil" 3</
	equal "$output" escaped
	hull delete --force "$ID"
	for fd in {3..20}; do
		args "/proc/self/fd/$fd/../../../../../..$T/evil"
		expect 1 run_bundle
		one_error process.args
	done
}

# --- privileges ---

@test "CVE-2014-8989: the caller's groups do not get in" {
	# A file that everybody may read but the group 4242.
	echo public >"$R/closed"
	chown 0:4242 "$R/closed"
	chmod 604 "$R/closed"
	args sh -c 'id -G; cat /closed'
	config '.process.user = {"uid": 1000, "gid": 1000}'
	in_group() { setpriv --groups 4242,0 "$RUNTIME" --root "$STATE" "$@" 3>&-; }
	expect 1 setpriv --groups 4242 --reuid 1000 --regid 1000 cat "$R/closed"
	expect 0 in_group run --bundle "$BUNDLE" "$ID"
	equal "$output" $'1000\npublic'
	args sleep 1000
	run_detached
	expect 0 in_group exec "$ID" id -G
	equal "$output" 1000
	hull delete --force "$ID"
	with_user_namespace
	args sh -c 'id -G; cat /proc/self/gid_map'
	expect 0 in_group run --bundle "$BUNDLE" "$ID"
	equal "${lines[0]}" 1000
}

@test "CVE-2016-3697: a numeric user is not looked up as a name" {
	printf '1000:x:0:0:root:/root:/bin/sh\n' >"$R/etc/passwd"
	config '.process.user = {"uid": 1000, "gid": 1000}'
	args sh -c 'echo $(id -u):$(id -g) $HOME'
	expect 0 run_bundle
	equal "$output" '1000:1000 /'
	args sleep 1000
	run_detached
	expect 0 hull exec --user 1000 "$ID" sh -c 'echo $(id -u) $HOME'
	equal "$output" '1000 /'
	# The file is read: an entry with that number gives the home.
	printf '0:x:1000:0:user:/somewhere:/bin/sh\n' >"$R/etc/passwd"
	expect 0 hull exec --user 1000 "$ID" sh -c 'echo $(id -u) $HOME'
	equal "$output" '1000 /somewhere'
}

@test "CVE-2026-30892: the user of exec is the one that was asked for" {
	config '.process.user = {"uid": 5, "gid": 6}'
	run_detached
	while read -r user want; do
		expect 0 hull exec --user "$user" "$ID" sh -c 'echo $(id -u):$(id -g)'
		equal "$output" "$want"
	done <<-'END'
		1 1:6
		1:2 1:2
		0:7 0:7
		4294967294 4294967294:6
		10:4294967294 10:4294967294
	END
	for user in 1: :1 '' ' 1' 1,2 0x1 +1 1:-1 4294967295 4294967296 18446744073709551617; do
		expect 2 hull exec --user "$user" "$ID" id
		says_not uid=
	done
}

@test "CVE-2022-27650, CVE-2022-29162, CVE-2025-27612: no capability is inheritable unless the config says so" {
	config '.process.noNewPrivileges = false'
	# A program that turns inheritable capabilities into effective ones (cap_net_raw+ei).
	mkdir "$R/gain"
	cp "$R/bin/busybox" "$R/gain/grep"
	python3 -c 'import os, struct, sys
os.setxattr(sys.argv[1], "security.capability", struct.pack("<IIIII", 0x02000001, 0, 1 << 13, 0, 0))' "$R/gain/grep"
	run_detached
	expect 0 hull exec --cap CAP_NET_RAW "$ID" grep CapInh /proc/self/status
	says 0000000000000000
	for cap in '' CAP_NET_RAW; do
		expect 0 hull exec ${cap:+--cap "$cap"} --user 1000 "$ID" /gain/grep -E 'Cap[IE]' /proc/self/status
		equal "$(tr -d '\t\n' <<<"$output")" 'CapInh:0000000000000000CapEff:0000000000000000'
	done
	hull delete --force "$ID"
	args /gain/grep -E 'Cap[IE]' /proc/self/status
	config '.process.user.uid = 1000 | .process.capabilities |= with_entries(.value += ["CAP_NET_RAW"])'
	expect 0 run_bundle
	equal "$(tr -d '\t\n' <<<"$output")" 'CapInh:0000000000000000CapEff:0000000000000000'
	config '.process.capabilities.inheritable = ["CAP_NET_RAW"]'
	expect 0 run_bundle
	equal "$(tr -d '\t\n' <<<"$output")" 'CapInh:0000000000002000CapEff:0000000000002000'
}

# --- the host's settings ---

@test "CVE-2022-0811: no sysctl of the host by way of an odd key or value" {
	args true
	before=$(sysctl -n kernel.core_pattern kernel.shm_rmid_forced)
	while read -r key; do
		config '.linux.sysctl = {($k): "1"}' --arg k "$key"
		expect 1 run_bundle
		one_error sysctl
	done <<-'END'
		kernel.core_pattern
		kernel/core_pattern
		kernel.shm_rmid_forced+kernel.core_pattern
		kernel.shm_rmid_forced=1+kernel.core_pattern
		net.ipv4.//////kernel.core_pattern
		net/../kernel/core_pattern
		net/ipv4/../../kernel/core_pattern
		net.ipv4/../../kernel/core_pattern
		/kernel/core_pattern
		/proc/sys/kernel/core_pattern
		net/./../kernel/core_pattern
		net
		net.
		kernel.shm_rmid_forced kernel.core_pattern
		fs.mqueue
		vm.swappiness
	END
	for value in '1+kernel.core_pattern=|/evil' $'1\nkernel.core_pattern=|/evil' '1,kernel.core_pattern=x'; do
		config '.linux.sysctl = {"kernel.shm_rmid_forced": $v}' --arg v "$value"
		run_bundle >/dev/null 2>&1 || true
		equal "$(sysctl -n kernel.core_pattern kernel.shm_rmid_forced)" "$before"
	done
	config '.linux.sysctl = {"kernel.shm_rmid_forced": "1"}'
	args cat /proc/sys/kernel/shm_rmid_forced
	expect 0 run_bundle
	equal "$output" 1
	equal "$(sysctl -n kernel.core_pattern kernel.shm_rmid_forced)" "$before"
}

@test "CVE-2022-0492: no release agent, and cgroup v1 is read-only unless asked for" {
	needs_v1
	config '.mounts += [{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid"]}]'
	script 'find /sys/fs/cgroup/ -name release_agent; cd /sys/fs/cgroup/pids || exit 9
		mkdir sub 2>/dev/null && rmdir sub && echo made; (echo 1 >notify_on_release) 2>/dev/null && echo written; true'
	for namespace in '' '{"type": "cgroup"}'; do
		[[ -z $namespace ]] || config ".linux.namespaces += [$namespace]"
		expect 0 run_bundle
		equal "$output" ''
	done
	config '.mounts[-1].options = ["rw"]'
	expect 0 run_bundle
	equal "$output" $'made\nwritten'
}

@test "CVE-2023-25809: the host's cgroups are read-only where the host's sysfs is shown" {
	needs_user_namespaces
	# The container's root is the host's by number, so that no permission of a file stands in the way.
	config '.linux.namespaces |= map(select(.type != "network")) + [{"type": "user"}]
		| .linux.uidMappings = [{"containerID": 0, "hostID": 0, "size": 65536}]
		| .linux.gidMappings = .linux.uidMappings
		| .mounts |= map(if .destination == "/sys" then .options = ["nosuid", "noexec", "nodev"] else . end)'
	open_path "$BUNDLE"
	group=/sys/fs/cgroup/pids
	[[ -d $group ]] || group=/sys/fs/cgroup
	group+=/hull-evil-$ID
	script "ls /sys/fs >/dev/null && mkdir $group"
	expect 1 run_bundle
	[[ ! -e $group ]]
	HULL_NO_MOUNT_API=1 expect 1 run_bundle
	[[ ! -e $group ]]
	# Such a root does have the right to it.
	unshare --user --map-root-user mkdir "$group"
	rmdir "$group"
}

@test "exec --cgroup stays below the container's cgroup" {
	is_v2 && group=/sys/fs/cgroup || group=/sys/fs/cgroup/pids
	mkdir "$group/hull-out-$ID"
	run_detached
	for sub in "../hull-out-$ID" "/../hull-out-$ID" "../../hull-out-$ID" "./../../../../../../hull-out-$ID" ../../x; do
		is_v2 || sub=pids:$sub
		expect 1 hull exec --cgroup "$sub" "$ID" true
		one_error sub-group
	done
	equal "$(cat "$group/hull-out-$ID/cgroup.procs")" ''
	rmdir "$group/hull-out-$ID"
	# Below, it works.
	mkdir "$group$CGROUP/sub"
	is_v2 && sub=sub || sub=pids:/../sub
	expect 0 hull exec --cgroup "$sub" "$ID" cat /proc/self/cgroup
	says "$CGROUP/sub"
}

# --- what is in the image has no say in hull and in hooks ---

@test "CVE-2018-10892: the default configuration masks what tells of or changes the host" {
	(cd "$BUNDLE" && rm config.json && hull spec)
	for path in /proc/acpi /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug /proc/scsi /sys/firmware; do
		jq -e '.linux.maskedPaths | index($p)' --arg p "$path" "$BUNDLE/config.json" >/dev/null
	done
	config '.process.terminal = false | .linux.cgroupsPath = $c | .process.env += ["TEST_ID=" + $i] |
		.process.env[0] = "PATH=/bin"' --arg c "$CGROUP" --arg i "$ID"
	script 'for p in /proc/acpi /proc/kcore /proc/keys /proc/timer_list /proc/interrupts /sys/firmware; do
			[ ! -f $p ] || head -c 1 $p; [ ! -d $p ] || ls $p
		done; (: >>/proc/sys/kernel/core_pattern) 2>&1 || true'
	expect 0 run_bundle
	equal "$(grep -v core_pattern <<<"$output")" ''
	says 'Read-only file system'
	config '.linux.maskedPaths = []'
	expect 0 run_bundle
	fails equal "$(grep -v core_pattern <<<"$output")" '' >/dev/null
}

@test "CVE-2019-14271: nothing of the image is loaded into hull" {
	command -v strace >/dev/null || skip 'strace is needed'
	printf 'passwd: files evil\n' >"$R/etc/nsswitch.conf"
	run_detached
	strace -f -o "$T/trace" -e trace=open,openat,openat2,execve,setns "$RUNTIME" --root "$STATE" exec --user 1000 \
		"$ID" busybox true 3>&-
	# From the entry into the container to the execution of its program.
	child=$(grep setns "$T/trace" | grep -v NEWPID | head -1 | cut -d' ' -f1)
	sed -n "/^$child .*setns/,/^$child .*execve/p" "$T/trace" | grep "^$child " >"$T/inside"
	grep -q '/etc/passwd' "$T/inside" # it does see what is opened
	equal "$(grep -E '\.so|nss|ld\.so|locale|gconv|etc/group' "$T/inside")" ''
}

@test "CVE-2025-23266: the container's environment does not reach hooks" {
	printf '#!/bin/sh\n/usr/bin/env >>%q\n' "$T/environ" >"$T/hook"
	chmod +x "$T/hook"
	config '.process.env += ["LD_PRELOAD=./evil.so", "LD_AUDIT=/evil.so"] |
		.hooks = (["prestart", "createRuntime", "createContainer", "poststart", "poststop"] |
			map({key: ., value: [{path: $h, env: ["OF_HOOK=" + .]}]}) | from_entries)' --arg h "$T/hook"
	script 'echo $LD_PRELOAD'
	LD_BIND_NOW=hulls expect 0 run_bundle
	equal "$output" ./evil.so
	equal "$(grep OF_HOOK "$T/environ" | sort)" "$(printf 'OF_HOOK=%s\n' createContainer createRuntime poststart poststop prestart)"
	equal "$(grep -vE '^(OF_HOOK|PWD|_|SHLVL|OLDPWD)=' "$T/environ")" ''
}

# --- size and time ---

@test "CVE-2021-43784: long lists arrive whole or not at all" {
	with_user_namespace
	# The kernel takes less than a page of text.
	config '.linux.uidMappings = [range(250) | {containerID: (. * 2), hostID: (100000 + . * 2), size: 1}]'
	args sh -c 'wc -l </proc/self/uid_map; tail -1 /proc/self/uid_map'
	expect 0 run_bundle
	equal "$(tr -s ' \n' ' ' <<<"$output")" '250 498 100498 1 '
	for n in 340 20000; do
		config '.linux.uidMappings = [range($n) | {containerID: (. * 2), hostID: (100000 + . * 2), size: 1}]' --argjson n "$n"
		expect 1 run_bundle
		one_error linux.uidMappings
	done
	# Text for the child of more than 64 KiB.
	default_config >"$BUNDLE/config.json"
	config '.linux.namespaces[0].path = "/proc/self/ns/" + ("x" * 70000)'
	expect 1 run_bundle
	default_config >"$BUNDLE/config.json"
	config '.process.env += [range(5000) | "V\(.)=abcdefghijklmnop"]'
	args sh -c 'env | grep -c =abcdefghijklmnop'
	expect 0 run_bundle
	equal "$output" 5000
}

@test "denial of service: deep nesting, many values, many mounts" {
	limited() { timeout 200 "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" 3>&- </dev/null; }
	{ printf '{"x":'; head -c 1000000 /dev/zero | tr '\0' '['; } >"$BUNDLE/config.json"
	expect 1 limited
	one_error config.json nested
	{ printf '{"x":['; yes '0,' | head -2000000 | tr -d '\n'; printf '0]}'; } >"$BUNDLE/config.json"
	expect 1 limited
	one_error config.json
	# A hundred thousand mounts, of which the last is wrong: found before the first is made.
	default_config >"$BUNDLE/config.json"
	config '.mounts += [range(100000) | {destination: "/m/\(.)", type: "tmpfs", source: "tmpfs"}] + [{destination: "/"}]'
	expect 1 limited
	one_error mounts
	[[ ! -e $R/m ]]
	nothing_left
}

@test "denial of service: a hook that never reads what it is told" {
	printf '#!/bin/sh\nexec sleep 1000 <&-\n' >"$T/deaf"
	printf '#!/bin/sh\nexec sleep 1000\n' >"$T/hung"
	chmod +x "$T/deaf" "$T/hung"
	args true
	# More state than a pipe holds.
	config '.annotations = {"big": ("x" * 1000000)}'
	for hook in deaf hung; do
		config '.hooks = {"createRuntime": [{"path": $h, "timeout": 1}]}' --arg h "$T/$hook"
		expect 1 timeout 200 "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" 3>&-
		one_error createRuntime timeout
		wait_for nothing_left
	done
	printf '#!/bin/sh\nexit 0\n' >"$T/deaf"
	config '.hooks = {"createRuntime": [{"path": $h}]}' --arg h "$T/deaf"
	expect 0 run_bundle
}
