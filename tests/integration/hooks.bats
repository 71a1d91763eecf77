#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine
#
# Hooks: all kinds, their order, place and standard input, and what happens
# when one fails, hangs or does not read.

load lib

# hook KIND SCRIPT: adds a hook that runs the shell script, on the host or, for startContainer, inside.
hook() {
	config '.hooks[$kind] += [{path: "/bin/sh", args: ["sh", "-c", $script], env: ["PATH=/usr/bin:/bin"]}]' \
		--arg kind "$1" --arg script "$2"
}

@test "every kind runs, in order, with the status that belongs to it" {
	only_hull
	for kind in prestart createRuntime createContainer poststart poststop; do
		hook $kind "s=\$(cat); echo $kind 1 \$(expr \"\$s\" : '.*\"status\": *\"\\([a-z]*\\)\"') >>$T/log"
		hook $kind "echo $kind 2 >>$T/log"
	done
	hook startContainer 's=$(cat); echo startContainer 1 $(expr "$s" : '"'"'.*"status": *"\([a-z]*\)"'"'"') >>/log'
	script 'cat /log; echo program; exec sleep 1000'
	create
	equal "$(cut -d' ' -f1,2 "$T/log" | tr '\n' ' ')" \
		'prestart 1 prestart 2 createRuntime 1 createRuntime 2 createContainer 1 createContainer 2 '
	hull start "$ID"
	wait_for out_has program
	out_has 'startContainer 1 created'
	hull delete --force "$ID"
	equal "$(cat "$T/log")" 'prestart 1 creating
prestart 2
createRuntime 1 creating
createRuntime 2
createContainer 1 creating
createContainer 2
poststart 1 running
poststart 2
poststop 1 stopped
poststop 2'
}

@test "a hook reads the container's state on standard input" {
	config '.annotations = {"org.example": "value"}'
	hook createRuntime "cat >$T/state.json"
	create
	equal "$(jq -r '[.id, .bundle, .annotations["org.example"]] | join(" ")' "$T/state.json")" "$ID $BUNDLE value"
	equal "$(jq .pid "$T/state.json")" "$(container_pid)"
	jq -e '.ociVersion | test("^1[.]")' "$T/state.json"
}

@test "createRuntime runs in the host's namespaces, createContainer in the container's" {
	hook createRuntime "readlink /proc/self/ns/mnt /proc/self/ns/uts >$T/runtime"
	hook createContainer "readlink /proc/self/ns/mnt /proc/self/ns/uts >$T/container"
	create
	equal "$(cat "$T/runtime")" "$(readlink /proc/self/ns/mnt /proc/self/ns/uts)"
	equal "$(cat "$T/container")" "$(readlink "/proc/$(container_pid)/ns/"{mnt,uts})"
}

@test "hooks of the host's side start in the bundle, startContainer in the root" {
	hook createRuntime "pwd -P >$T/runtime"
	hook createContainer "pwd -P >$T/container; [ -e rootfs/proc/self ]"
	hook startContainer '[ "$(pwd)" = / ]'
	hook poststop "pwd -P >$T/poststop"
	(cd / && create)
	hull start "$ID"
	(cd / && hull delete --force "$ID")
	equal "$(cat "$T"/{runtime,container,poststop} | uniq)" "$(cd "$BUNDLE" && pwd -P)"
}

@test "startContainer runs inside, with the container's root, before the program" {
	hook startContainer 'echo "hook in $(hostname)" >/from-hook'
	script 'cat /from-hook'
	expect 0 run_bundle
	equal "$output" 'hook in box'
}

@test "the mounts are there for a hook before the root is changed" {
	hook createContainer "grep -c '$BUNDLE/rootfs/proc ' /proc/self/mountinfo >$T/count"
	create
	equal "$(cat "$T/count")" 1
}

@test "a hook has its own environment and not hull's or the container's" {
	only_hull
	config '.process.env += ["LD_PRELOAD=/evil.so"]'
	config '.hooks.createContainer = [{path: "/usr/bin/env", env: ["A=b"]}]
		| .hooks.createRuntime = [{path: "/bin/sh", args: ["sh", "-c", $s]}]' --arg s "/usr/bin/env >$T/env"
	SECRET=1 create
	equal "$(grep -vE '^(PWD|SHLVL|_|OLDPWD)=' "$T/env")" ''
}

@test "args begin with the name, as for execv" {
	config '.hooks.createRuntime = [{path: "/bin/sh", args: ["name", "-c", $s]}]' --arg s "echo \$0 >$T/name"
	create
	equal "$(cat "$T/name")" name
}

@test "a failing hook before the start ends create, and nothing is left" {
	only_hull
	for kind in prestart createRuntime createContainer; do
		hook $kind 'echo its words >&2; exit 3'
		expect 1 hull create --bundle "$BUNDLE" "$ID" 3>&-
		says "$kind"
		nothing_left
		config 'del(.hooks)'
	done
}

@test "the error of a hook names it, its status and what it said" {
	only_hull
	hook createRuntime 'echo its words >&2; exit 3'
	expect 1 hull create --bundle "$BUNDLE" "$ID" 3>&-
	one_error createRuntime /bin/sh 'status 3' 'its words'
}

@test "poststop hooks run when create fails" {
	hook createRuntime 'exit 1'
	hook poststop "echo ran >$T/ran"
	expect 1 hull create --bundle "$BUNDLE" "$ID" 3>&-
	equal "$(cat "$T/ran")" ran
}

@test "a failing startContainer hook fails the start" {
	only_hull
	hook startContainer 'exit 1'
	script 'echo program'
	create
	expect 1 hull start "$ID"
	wait_for has_status stopped
	equal "$(cat "$OUT")" ''
}

@test "a failing poststart hook stops and removes the container" {
	only_hull
	hook poststart 'exit 1'
	create
	expect 1 hull start "$ID"
	says poststart
	nothing_left
}

@test "poststart runs when the program does" {
	only_hull
	hook poststart "readlink /proc/\$(expr \"\$(cat)\" : '.*\"pid\": *\\([0-9]*\\)')/exe >$T/exe"
	create
	hull start "$ID"
	equal "$(cat "$T/exe")" /bin/sleep
}

@test "a failing poststop hook is a warning, the next one runs" {
	only_hull
	hook poststop 'exit 1'
	hook poststop "echo ran >$T/ran"
	create
	expect 0 hull delete --force "$ID"
	equal "$(cat "$T/ran")" ran
	nothing_left
}

@test "a missing hook is one clear error, and nothing is left" {
	config '.hooks.createRuntime = [{path: "/no/such/hook"}]'
	expect 1 hull create --bundle "$BUNDLE" "$ID" 3>&-
	says /no/such/hook
	nothing_left
}

@test "a hook that hangs is killed at its timeout" {
	only_hull
	config '.hooks.createRuntime = [{path: "/bin/sh", args: ["sh", "-c", "sleep 1001 & wait"], timeout: 1}]'
	expect 1 hull create --bundle "$BUNDLE" "$ID" 3>&-
	one_error createRuntime 'timeout'
	nothing_left
}

@test "a timeout that is not positive is refused" {
	only_hull
	for timeout in 0 -1; do
		config '.hooks.createRuntime = [{path: "/bin/true", timeout: $t}]' --argjson t $timeout
		expect 1 hull create --bundle "$BUNDLE" "$ID" 3>&-
		one_error hooks.createRuntime timeout
	done
}

@test "a relative hook path is refused" {
	only_hull
	config '.hooks.poststop = [{path: "bin/true"}]'
	expect 1 hull create --bundle "$BUNDLE" "$ID" 3>&-
	one_error hooks.poststop path
}

@test "a hook that never reads does not hold anything up, however large the state" {
	config '.annotations = {"big": ("x" * 200000)}'
	hook createRuntime 'exit 0'
	hook createRuntime 'sleep 0.2'
	hook poststop 'exit 0'
	create
	expect 0 hull delete --force "$ID"
}

@test "a hook gets a state larger than a pipe whole" {
	config '.annotations = {"big": ("x" * 200000)}'
	hook createRuntime "sleep 0.2; cat >$T/state.json"
	create
	equal "$(jq '.annotations.big | length' "$T/state.json")" 200000
}

@test "hooks inherit no descriptor" {
	only_hull
	hook createRuntime "$HELPER fds >$T/runtime"
	hook createContainer "$HELPER fds >$T/container"
	create 7</etc/passwd
	equal "$(cut -d' ' -f1 "$T/runtime" "$T/container" | tr '\n' ' ')" '0 1 2 0 1 2 '
}
