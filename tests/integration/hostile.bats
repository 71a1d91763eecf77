#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine
#
# Hostile images and volumes: known attacks on container runtimes through the
# root file system, tried on hull.  $T/host stands for the host: nothing in it
# may change, and no mount may land in it.  Attacks that aim at processes and
# privileges are in hostile_process.bats.
#
# What these two files leave out, and why:
#	CVE-2024-3154   systemd properties in annotations: there is no systemd driver
#	CVE-2025-24965  .krun_config.json in the rootfs: hull reads and writes no such file
#	CVE-2025-54867, CVE-2025-62161, CVE-2025-62596
#	                the same holes as CVE-2019-19921, CVE-2025-31133, CVE-2025-52881
# Of CVE-2019-16884 and CVE-2025-52881 the label itself needs an LSM; tried here is whether a
# write to procfs can be led elsewhere.

load lib

setup() {
	begin
	only_hull
	HOST=$T/host
	R=$BUNDLE/rootfs
	ATTACK=$O/tests/helper/attack
	mkdir -p "$HOST/dir/pts"
	echo secret >"$HOST/file"
	echo kept >"$HOST/dir/ptmx"
	chmod 600 "$HOST/file"
	BEFORE=$(fingerprint)
	CORE_PATTERN=$(cat /proc/sys/kernel/core_pattern)
}

teardown() {
	end
}

# Everything about the files in $HOST that an attack could change.
fingerprint() {
	find "$HOST" -printf '%P %y %m %U:%G %n %s %C@ %l\n' | sort
	sha256sum "$HOST/file" "$HOST/dir/ptmx"
}

host_unchanged() {
	diff <(echo "$BEFORE") <(fingerprint) &&
		equal "$(cat /proc/sys/kernel/core_pattern)" "$CORE_PATTERN" &&
		equal "$(grep -F "$HOST" /proc/self/mountinfo)" ''
}

# The container is refused, or runs; the host stays as it is either way.
survives() {
	timeout 200 "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" </dev/null >"$OUT" 2>&1 3>&- || true
	host_unchanged
}

refused() { # TEXT...
	expect 1 run_bundle
	one_error "$@"
	host_unchanged
}

without_mount() { # DESTINATION...
	local dest

	for dest; do
		config '.mounts |= map(select(.destination != $d))' --arg d "$dest"
	done
}

add_mount() { # JSON
	config '.mounts += [$m]' --argjson m "$1"
}

# A and B change places until stop_exchange.
start_exchange() { # A B
	"$ATTACK" exchange "$1" "$2" >"$T/exchange" 2>&1 3>&- &
	EXCHANGER=$!
	JOBS+=($!)
	wait_for grep -q exchanging "$T/exchange"
}

stop_exchange() {
	kill "$EXCHANGER"
	wait "$EXCHANGER" || equal $? 143
}

# race COUNT: runs the bundle that often, all output to $OUT, refusals and successes alike.  In turn
# with everything the kernel has and without the newer calls.
race() {
	local i deadline=$((SECONDS + 20))

	: >"$OUT"
	for ((i = 0; i < $1 && (i < 30 || SECONDS < deadline); i++)); do
		case $((i % 3)) in
		0) run_bundle ;;
		1) HULL_NO_OPENAT2=1 run_bundle ;;
		2) HULL_NO_MOUNT_API=1 run_bundle ;;
		esac >>"$OUT" 2>&1 </dev/null || true
	done
}

@test "positive control: the fingerprint sees what attacks do" {
	fails diff <(touch "$HOST/new"; fingerprint) <(echo "$BEFORE") >/dev/null
	rm "$HOST/new"
	BEFORE=$(fingerprint)
	fails diff <(chown 1000 "$HOST/file"; fingerprint) <(echo "$BEFORE") >/dev/null
	chown 0 "$HOST/file"
	BEFORE=$(fingerprint)
	fails diff <(ln -s x "$HOST/dir/fd"; fingerprint) <(echo "$BEFORE") >/dev/null
	# An ordinary mount does lead a container into it.
	BEFORE=$(fingerprint)
	add_mount '{"destination": "/vol", "type": "bind", "source": "'"$HOST"'", "options": ["bind"]}'
	script 'touch /vol/from-inside'
	expect 0 run_bundle
	fails host_unchanged >/dev/null
}

# --- symlinks in place of directories ---

@test "CVE-2019-18837, CVE-2019-19921, CVE-2023-27561: /proc or /sys of the image is a symlink" {
	args true
	for name in proc sys; do
		for target in "$HOST/dir" "../../../../../../../../..$HOST/dir" /etc etc /proc/self/fd/7 dangling; do
			rm -rf "${R:?}/$name"
			ln -s "$target" "$R/$name"
			refused "/$name" 'not an ordinary directory'
			equal "$(readlink "$R/$name")" "$target"
			HULL_NO_OPENAT2=1 HULL_NO_MOUNT_API=1 refused "/$name"
		done
		rm "$R/$name"
		echo file >"$R/$name"
		refused "/$name"
		rm "$R/$name"
		mkdir "$R/$name"
	done
	expect 0 run_bundle
}

@test "CVE-2019-18837: mount targets with symlinks on the way stay inside the root" {
	ln -s "$HOST" "$R/abs"
	ln -s "../../../../../../../..$HOST" "$R/rel"
	ln -s / "$R/top"
	for dest in /abs/new/a /rel/new/b "/top/$HOST/new/c" "/../../..$HOST/new/d"; do
		add_mount '{"destination": "'"$dest"'", "type": "tmpfs", "source": "tmpfs"}'
		add_mount '{"destination": "'"$dest"'.f", "type": "bind", "source": "/etc/passwd", "options": ["bind", "ro"]}'
	done
	args cat /proc/self/mountinfo
	expect 0 run_bundle
	for dest in a b c d; do
		says " $HOST/new/$dest "
		says " $HOST/new/$dest.f "
	done
	host_unchanged
	HULL_NO_OPENAT2=1 HULL_NO_MOUNT_API=1 expect 0 run_bundle
	says " $HOST/new/d "
	host_unchanged
	# In the image instead.
	[[ -d $R$HOST/new/a && -f $R$HOST/new/a.f ]]
}

@test "CVE-2019-16884: nothing is mounted over /proc or into it, by whatever name" {
	mkdir -p "$R/fake/self/attr" "$R/fake/sys"
	ln -s /proc "$R/link"
	ln -s /proc/self/attr "$R/attr"
	ln -s ../../proc/sys "$R/sysctls"
	args true
	while read -r type source dest; do
		default_config >"$BUNDLE/config.json"
		args true
		add_mount "$(printf '{"destination": "%s", "type": "%s", "source": "%s", "options": [%s]}' "$dest" "$type" \
			"$source" "$([[ $type == bind ]] && echo '"bind"')")"
		refused /proc
	done <<-END
		bind $R/fake /proc
		bind $R/fake /./proc/
		bind $R/fake /bin/../proc
		tmpfs tmpfs /proc
		tmpfs tmpfs /proc/self/attr
		bind $R/fake /proc/sys
		bind $R/etc/passwd /proc/self/attr/exec
		tmpfs tmpfs /link
		tmpfs tmpfs /attr
		bind $R/fake /sysctls
		bind $R/fake /link/sys
		bind $R/etc/passwd /link/version
	END
	# The same mount elsewhere is fine.
	default_config >"$BUNDLE/config.json"
	add_mount '{"destination": "/elsewhere", "type": "bind", "source": "'"$R/fake"'", "options": ["bind"]}'
	args ls /elsewhere
	expect 0 run_bundle
	says self
}

# --- /dev ---

@test "CVE-2026-41579, CVE-2026-47766: /dev of the image is a symlink" {
	without_mount /dev /dev/pts /dev/shm
	args true
	expect 0 run_bundle
	for target in "$HOST/dir" "../../../../../../../..$HOST/dir" /etc; do
		rm -rf "${R:?}/dev"
		ln -s "$target" "$R/dev"
		refused /dev 'not an ordinary directory'
		HULL_NO_OPENAT2=1 refused /dev
	done
	equal "$(ls "$R/etc")" "$(ls "$ROOTFS/etc")"
	equal "$(cat "$HOST/dir/ptmx")" kept
}

@test "CVE-2026-41579, CVE-2023-28642: /dev turns into a symlink and back while containers start" {
	without_mount /dev /dev/pts /dev/shm
	args true
	rm -rf "${R:?}/dev"
	mkdir "$R/dev"
	ln -s "$HOST/dir" "$R/dev.link"
	start_exchange "$R/dev" "$R/dev.link"
	race 150
	stop_exchange
	grep -q 'ordinary directory' "$OUT" # the race was on
	host_unchanged
}

@test "CVE-2026-88264: /dev/console of the image is a symlink" {
	without_mount /dev /dev/shm
	config '.process.terminal = true'
	args sh -c 'stat -c %F /dev/console; tty'
	console() { "$PEER" pty 24x80 "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" </dev/null; }
	mkdir -p "$R/dev/pts"
	expect 0 console
	says 'character special file'
	for target in "$HOST/file" "$HOST/created" "../../../../../../..$HOST/created" /etc/passwd /etc/created; do
		rm -f "$R/dev/console"
		ln -s "$target" "$R/dev/console"
		expect 1 console
		says /dev/console
		host_unchanged
		[[ ! -e $R/etc/created ]]
	done
	rm "$R/dev/console"
	mkdir "$R/dev/console"
	expect 1 console
	host_unchanged
}

@test "CVE-2026-88265: standard streams are not reopened through, nor given away at, the image's /dev/null" {
	without_mount /dev /dev/pts /dev/shm
	config '.process.user = {"uid": 1000, "gid": 1000}'
	args true
	mkdir -p "$R/dev"
	ln -s "$HOST/file" "$R/dev/null"
	refused /dev/null
	ln -sfn /etc/shadow "$R/dev/null"
	refused /dev/null
	equal "$(stat -c %u "$R/etc/shadow")" 0
	rm "$R/dev/null"
	echo text >"$R/dev/null"
	survives
	equal "$(stat -c %u "$R/dev/null")" 0
	rm "$R/dev/null"
	# The number alone says nothing: this is a block device.
	mknod "$R/dev/null" b 1 3
	survives
	equal "$(stat -c %u "$R/dev/null")" 0
	rm "$R/dev/null"
	mknod "$R/dev/null" c 1 5
	survives
	equal "$(stat -c %u "$R/dev/null")" 0
	rm "$R/dev/null"
	mknod -m 666 "$R/dev/null" c 1 3
	expect 0 run_bundle
}

# --- masked paths ---

@test "CVE-2025-31133: a mask is the device null, not what the image calls so" {
	without_mount /dev /dev/pts /dev/shm
	config '.linux.maskedPaths = ["/masked", "/proc/version"]'
	echo readable >"$R/masked"
	args stat -c '%n %t:%T' /masked /proc/version
	expect 0 run_bundle
	equal "$output" $'/masked 1:3\n/proc/version 1:3'
	for target in "$HOST/file" /etc/passwd /proc/sys/kernel/core_pattern /proc/self/fd/7; do
		rm -f "$R/dev/null"
		ln -s "$target" "$R/dev/null"
		refused /dev/null
		HULL_NO_MOUNT_API=1 refused /dev/null
	done
}

@test "CVE-2025-31133: /dev/null turns into a symlink and back while containers start" {
	without_mount /dev /dev/pts /dev/shm
	config '.linux.maskedPaths = ["/masked"]'
	echo readable >"$R/masked"
	args sh -c 'echo mask $(stat -c %t:%T /masked) $(cat /masked)'
	mkdir -p "$R/dev"
	mknod -m 666 "$R/dev/null" c 1 3
	ln -s /proc/sys/kernel/core_pattern "$R/dev/null.link"
	start_exchange "$R/dev/null" "$R/dev/null.link"
	race 150
	stop_exchange
	grep -q '^mask' "$OUT"
	equal "$(grep '^mask' "$OUT" | grep -vx 'mask 1:3')" ''
	grep -q /dev/null "$OUT"
	host_unchanged
}

# --- terminals ---

@test "CVE-2025-52565: a terminal comes from a devpts, wherever /dev/pts leads" {
	config '.process.terminal = true'
	without_mount /dev /dev/pts /dev/shm
	args true
	console() { "$PEER" pty 24x80 "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" </dev/null; }
	mkdir -p "$R/dev/pts"
	for target in "$HOST/file" "$HOST/new" /dev/ptmx /proc/self/fd/0; do
		ln -sfn "$target" "$R/dev/pts/ptmx"
		expect 1 console
		host_unchanged
	done
	rm "$R/dev/pts/ptmx"
	mknod "$R/dev/pts/ptmx" c 5 2
	expect 1 console
	rm -r "$R/dev/pts"
	# hull holds the host's procfs and other directories open at that moment.
	for fd in {3..20}; do
		ln -sfn "/proc/self/fd/$fd/$$/root/dev/pts" "$R/dev/pts"
		expect 1 console
		says "open '/dev/pts/ptmx' in the root: "
	done
	host_unchanged
	# In exec the same, by a container that changes its own /dev.
	rm "$R/dev/pts"
	config '.process.terminal = false'
	args sleep 1000
	run_detached
	exec_console() { "$PEER" pty 24x80 "$RUNTIME" --root "$STATE" exec --tty "$ID" tty </dev/null; }
	for fd in {3..20}; do
		ln -sfn "/proc/self/fd/$fd/$$/root/dev/pts" "$R/dev/pts"
		expect 1 exec_console
		says "open '/dev/pts/ptmx' in the root: "
	done
	host_unchanged
}

@test "CVE-2025-52565: the console is the terminal, and masks hold, while /dev/pts is raced" {
	config '.process.terminal = true | .linux.maskedPaths = ["/proc/version"]'
	without_mount /dev /dev/shm
	mkdir -p "$R/dev/pts" "$R/dev/console.d"
	: >"$R/dev/console"
	ln -s /proc/version "$R/dev/console.link"
	# The name may be the symlink again by now, but nothing was mounted where it leads.
	args sh -c 'echo tty $(stat -c %t /dev/console) mask $(stat -c %t:%T /proc/version) \
		$(grep -c " /proc/version " /proc/self/mountinfo)'
	start_exchange "$R/dev/console" "$R/dev/console.link"
	: >"$OUT"
	for _ in {1..40}; do
		"$PEER" pty 24x80 "$RUNTIME" --root "$STATE" run --bundle "$BUNDLE" "$ID" </dev/null >>"$OUT" 2>&1 3>&- || true
	done
	stop_exchange
	grep -q '^tty 88 mask 1:3 1' "$OUT"
	equal "$(tr -d '\r' <"$OUT" | grep '^tty' | grep -vxE 'tty (0|88) mask 1:3 1')" ''
	host_unchanged
}

# --- volumes that somebody else changes ---

@test "CVE-2021-30465, CVE-2024-45310: a volume's directory is exchanged for a symlink during creates" {
	# The second mount's target is in the first, a volume, and is $HOST/dir when it is the symlink's turn.
	mkdir -p "$T/vol/data" "$R$HOST/dir"
	ln -s "$HOST/dir" "$T/vol/data.link"
	add_mount '{"destination": "/vol", "type": "bind", "source": "'"$T/vol"'", "options": ["bind", "rw"]}'
	add_mount '{"destination": "/vol/data", "type": "tmpfs", "source": "found-me"}'
	add_mount '{"destination": "/vol/data/new/dir/file", "type": "bind", "source": "/etc/passwd", "options": ["bind"]}'
	args sh -c 'echo mounts $(grep -c found-me /proc/self/mountinfo) $(grep -o " [^ ]*/new/dir/file" /proc/self/mountinfo) \
		at $(grep found-me /proc/self/mountinfo | cut -d" " -f5)'
	start_exchange "$T/vol/data" "$T/vol/data.link"
	race 300
	stop_exchange
	sort "$OUT" | uniq -c
	# Each container has its mount, at one of the places inside: on the host it would be lost.
	grep -q 'at /vol/data' "$OUT"
	grep -q "at $HOST/dir" "$OUT"
	equal "$(grep '^mounts' "$OUT" | grep -vE "^mounts 1 .* at (/vol/data(.link)?|$HOST/dir)\$")" ''
	host_unchanged
}

@test "CVE-2025-52881: a volume's directory is exchanged for a way into /proc during creates" {
	mkdir -p "$T/vol/data"
	ln -s /proc/sys/net "$T/vol/data.link"
	config '.linux.sysctl = {"net.ipv4.ip_default_ttl": "77"}'
	add_mount '{"destination": "/vol", "type": "bind", "source": "'"$T/vol"'", "options": ["bind", "rw"]}'
	add_mount '{"destination": "/vol/data", "type": "tmpfs", "source": "found-me"}'
	args sh -c 'echo ttl $(cat /proc/sys/net/ipv4/ip_default_ttl) $(grep -c " /proc/" /proc/self/mountinfo)'
	start_exchange "$T/vol/data" "$T/vol/data.link"
	race 200
	stop_exchange
	grep -qx 'ttl 77 0' "$OUT"
	equal "$(grep '^ttl' "$OUT" | grep -vx 'ttl 77 0')" ''
	grep -q 'leads into /proc' "$OUT"
	equal "$(cat /proc/sys/net/ipv4/ip_default_ttl)" 64
	host_unchanged
}
