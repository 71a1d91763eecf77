# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the integration tests share: a bundle and a state directory of its own
# for each test, words to drive the runtime with, and a teardown that fails the
# test when anything is left over.
#
#	load lib
#	@test "…" {
#		config '.process.args = ["id"]'
#		expect 0 hull run "$ID"
#		says 'uid=0'
#	}
#
# RUNTIME=/usr/sbin/runc bats FILE tries the tests themselves on another runtime.

TOP=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
O=${O:-$TOP/build}
RUNTIME=${RUNTIME:-$O/hull-oci}
HELPER=$O/tests/helper/init
PEER=$TOP/tests/helper/peer

# --- set-up and teardown ---

setup_file() {
	make_rootfs
}

setup() {
	begin
}

teardown() {
	end
}

# The template that each test copies.
make_rootfs() {
	export ROOTFS=$BATS_FILE_TMPDIR/rootfs
	"$TOP/scripts/rootfs" "$ROOTFS" && cp "$HELPER" "$ROOTFS/bin/probe"
}

# T: the test's own directory, STATE: the runtime's --root, ID: a container name that no other test has.
begin() {
	[[ $EUID == 0 ]] || skip 'root is needed'
	T=$BATS_TEST_TMPDIR
	STATE=$T/state
	BUNDLE=$T/bundle
	OUT=$T/out
	ID=t-$$-x
	CGROUP=/hull-$ID
	JOBS=()
	mkdir "$BUNDLE"
	cp -a "$ROOTFS" "$BUNDLE/rootfs"
	default_config >"$BUNDLE/config.json"
	start_watchdog
}

end() {
	[[ -n ${T-} ]] || return 0
	delete_all
	[[ ${#JOBS[@]} == 0 ]] || kill -KILL "${JOBS[@]}" 2>/dev/null || true
	kill "$WATCHDOG" 2>/dev/null || true
	[[ ! -e $T/late ]] || {
		echo 'timed out'
		wait_for remove_cgroups "$CGROUP"
		return 1
	}
	wait_for nothing_left || {
		echo 'left over:'
		leftovers
		return 1
	}
}

delete_all() {
	local id

	for id in "$STATE"/*/; do
		[[ ! -d $id ]] || hull delete --force "$(basename "$id")" >/dev/null 2>&1 || true
	done
}

# State directories, mounts, cgroups and processes that the test made and nobody removed.
# It runs once a test, on slow machines too, so it starts as few programs as it can.
leftovers() {
	local pid path mounts

	for path in "$STATE"/*/; do
		[[ ! -d $path ]] || echo "state $path"
	done
	mounts=$(</proc/self/mountinfo)
	[[ $mounts != *"$T/"* ]] || grep -F "$T/" /proc/self/mountinfo
	find /sys/fs/cgroup -name "*$ID*" 2>/dev/null || true
	for pid in $(test_processes); do
		[[ ! -r /proc/$pid/stat ]] || echo "process $pid: $(tr '\0' ' ' <"/proc/$pid/cmdline")"
	done 2>/dev/null
}

# By what they were started with: the test's directory, its container's environment or name.
test_processes() {
	local file pid last=

	for file in $(grep -lse "$T/" -e "TEST_ID=$ID" /proc/[0-9]*/{environ,cmdline}); do
		pid=${file#/proc/}
		pid=${pid%/*}
		[[ $pid == "$$" || $pid == "$last" ]] || echo "$pid"
		last=$pid
	done
}

# Ends a test that hangs.  bats' own limit ends its children, but then waits for whoever else has
# their output open: a container.
start_watchdog() {
	(
		trap 'kill $sleep; exit' TERM
		sleep "${TEST_LIMIT:-300}" &
		sleep=$!
		wait $sleep
		touch "$T/late"
		thaw
		# shellcheck disable=SC2046 # a list
		kill -KILL $(test_processes)
	) >/dev/null 2>&1 </dev/null 3>&- &
	WATCHDOG=$!
}

# On cgroup v1 a frozen process does not even die.
thaw() {
	local file

	for file in $(find /sys/fs/cgroup -path "*$ID*/freezer.state"); do
		echo THAWED >"$file"
	done
	for file in $(find /sys/fs/cgroup -path "*$ID*/cgroup.freeze"); do
		echo 0 >"$file"
	done
}

nothing_left() {
	[[ -z $(leftovers) ]]
}

# --- the bundle ---

default_config() {
	cat <<-END
		{
		  "ociVersion": "1.2.0",
		  "process": {
		    "args": ["sleep", "1000"],
		    "cwd": "/",
		    "env": ["PATH=/bin", "TEST_ID=$ID"],
		    "user": {"uid": 0, "gid": 0},
		    "capabilities": {
		      "bounding": ["CAP_KILL", "CAP_CHOWN", "CAP_SETUID", "CAP_SETGID", "CAP_MKNOD", "CAP_DAC_OVERRIDE"],
		      "effective": ["CAP_KILL", "CAP_CHOWN", "CAP_SETUID", "CAP_SETGID", "CAP_MKNOD", "CAP_DAC_OVERRIDE"],
		      "permitted": ["CAP_KILL", "CAP_CHOWN", "CAP_SETUID", "CAP_SETGID", "CAP_MKNOD", "CAP_DAC_OVERRIDE"]
		    },
		    "noNewPrivileges": true
		  },
		  "root": {"path": "rootfs"},
		  "hostname": "box",
		  "mounts": [
		    {"destination": "/proc", "type": "proc", "source": "proc"},
		    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
		     "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
		    {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
		     "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
		    {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
		     "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
		    {"destination": "/sys", "type": "sysfs", "source": "sysfs",
		     "options": ["nosuid", "noexec", "nodev", "ro"]}
		  ],
		  "linux": {
		    "cgroupsPath": "$CGROUP",
		    "namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"},
		                   {"type": "mount"}],
		    "resources": {"devices": [{"allow": false, "access": "rwm"}]}
		  }
		}
	END
}

# config FILTER [jq option]...: changes config.json.
config() {
	local filter=$1

	shift
	jq "$filter" "$BUNDLE/config.json" "$@" >"$BUNDLE/config.new"
	mv "$BUNDLE/config.new" "$BUNDLE/config.json"
}

# words WORD...: a JSON array of them.
words() {
	local word list=

	for word; do
		word=${word//\\/\\\\}
		word=${word//\"/\\\"}
		word=${word//$'\n'/\\n}
		list+=,\"${word//$'\t'/\\t}\"
	done
	echo "[${list#,}]"
}

# args WORD...: what the container runs.
args() {
	config ".process.args = $(words "$@")"
}

# script TEXT: has the container run a shell script.
script() {
	args sh -c "$1"
}

# Maps the container's ids 0..65535 to 100000.. and gives it the root file system.
with_user_namespace() {
	needs_user_namespaces
	config '.linux.namespaces += [{"type": "user"}]
		| .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}]
		| .linux.gidMappings = .linux.uidMappings'
	chown -R 100000:100000 "$BUNDLE/rootfs"
	open_path "$BUNDLE"
}

# Lets everybody walk to a directory of the tests, as the root of a user namespace must.
open_path() { # DIRECTORY
	local dir=$1

	while [[ $dir == "$BATS_RUN_TMPDIR"* ]]; do
		chmod o+x "$dir"
		dir=${dir%/*}
	done
}

# --- the runtime ---

hull() {
	"$RUNTIME" --root "$STATE" "$@"
}

# Runs the bundle in the foreground, as `run hull run` but with standard error apart, in $OUT.err.
start_in_background() { # COMMAND...
	"$@" >"$OUT" 2>&1 </dev/null 3>&- &
	JOBS+=($!)
}

# The output of a container that stays goes to a file: a pipe would be waited for.
create() { # [OPTION]...
	hull create --bundle "$BUNDLE" "$@" "$ID" >"$OUT" 2>&1 </dev/null 3>&- || {
		cat "$OUT"
		return 1
	}
}

run_detached() { # [OPTION]...
	hull run --detach --bundle "$BUNDLE" "$@" "$ID" >"$OUT" 2>&1 </dev/null 3>&- || {
		cat "$OUT"
		return 1
	}
}

# Runs the bundle to its end, standard input and all.
run_bundle() { # [OPTION]...
	hull run --bundle "$BUNDLE" "$@" "$ID" 3>&-
}

field() { # KEY
	hull state "$ID" | jq -r ".$1"
}

container_status() {
	field status 2>/dev/null
}

has_status() { # STATUS
	[[ $(container_status) == "$1" ]]
}

container_pid() {
	field pid
}

# wait_for COMMAND...: until it succeeds, at most a minute: machines are slow, emulated ones above all.
wait_for() {
	local deadline=$((SECONDS + 60))

	until "$@"; do
		((SECONDS < deadline)) || return 1
		sleep 0.05
	done
}

# out_has TEXT: the container has written this by now.
out_has() {
	grep -qF -e "$1" "$OUT"
}

# --- what is expected ---

# expect STATUS COMMAND...: runs it; $output and $lines hold what it printed.
expect() {
	local want=$1 status=0

	shift
	output=$("$@" 2>&1) || status=$?
	lines=()
	[[ -z $output ]] || mapfile -t lines <<<"$output"
	[[ $status == "$want" ]] || {
		printf 'exit status %s instead of %s: %s\n%s\n' "$status" "$want" "$*" "$output"
		return 1
	}
}

# The command fails, whatever its status.
fails() {
	! "$@" || {
		echo "succeeded: $*"
		return 1
	}
}

# The last output contains TEXT.
says() {
	[[ $output == *"$1"* ]] || {
		printf "'%s' is not in:\n%s\n" "$1" "$output"
		return 1
	}
}

# The same for words that callers match in any case.
says_in_any_case() {
	[[ ${output,,} == *"${1,,}"* ]] || says "$1"
}

says_not() {
	[[ $output != *"$1"* ]] || {
		printf "'%s' is in:\n%s\n" "$1" "$output"
		return 1
	}
}

# The last command said one line, as each must that fails, and it contains every TEXT.
one_error() { # TEXT...
	local text

	[[ ${#lines[@]} == 1 ]] || {
		printf 'not one line but %s:\n%s\n' "${#lines[@]}" "$output"
		return 1
	}
	for text; do
		says "$text" || return
	done
}

equal() { # GOT WANTED
	[[ $1 == "$2" ]] || {
		printf "got '%s' instead of '%s'\n" "$1" "$2"
		return 1
	}
}

matches() { # GOT PATTERN
	# shellcheck disable=SC2053 # a pattern
	[[ $1 == $2 ]] || {
		printf "got '%s', which does not match '%s'\n" "$1" "$2"
		return 1
	}
}

# --- what the host can do ---

only_hull() {
	[[ ${RUNTIME##*/} == hull-oci* ]] || skip "${RUNTIME##*/} differs here"
}

# The directory of a cgroup below the hierarchy of CONTROLLER.
cgroup_dir() { # CONTROLLER PATH
	local hierarchies=/sys/fs/cgroup

	if [[ -e $hierarchies/cgroup.controllers ]]; then
		echo "$hierarchies$2"
	else
		echo "$hierarchies/$1$2"
	fi
}

# The empty cgroups at and below PATH go; false while there is one that does not.
remove_cgroups() { # PATH
	local dir

	for dir in /sys/fs/cgroup"$1" /sys/fs/cgroup/*"$1"; do
		[[ ! -d $dir ]] || find "$dir" -depth -type d -exec rmdir {} + 2>/dev/null || return
	done
}

is_v2() {
	[[ -e /sys/fs/cgroup/cgroup.controllers ]]
}

# A chroot is not allowed to make them (man 2 clone).
needs_user_namespaces() {
	unshare --user true 2>/dev/null || skip 'user namespaces are not permitted here'
}

needs_v1() {
	! is_v2 || skip 'cgroup v1 is needed'
}

needs_v2() {
	is_v2 || skip 'a host with cgroup v2 alone is needed'
}
