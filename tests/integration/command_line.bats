#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The command line where no container is needed: help and manual page, options
# and what is wrong with them, logs, output.

load lib

setup_file() {
	:
}

setup() {
	T=$BATS_TEST_TMPDIR
	STATE=$T/state
	only_hull
}

teardown() {
	:
}

commands() {
	"$RUNTIME" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'
}

@test "help lists the commands, each command helps itself" {
	equal "$(commands | paste -sd ' ')" \
		'create start run state kill delete exec ps list pause resume update events spec features checkpoint restore'
	expect 0 "$RUNTIME" help
	equal "$output" "$("$RUNTIME" -h)"
	for command in $(commands); do
		expect 0 "$RUNTIME" "$command" --help
		equal "$(cut -d ' ' -f 1-3 <<<"${lines[0]}")" "Usage: hull-oci $command"
		equal "$output" "$("$RUNTIME" help "$command")"
	done
}

@test "the manual page has every command and every option" {
	page=$TOP/docs/man/hull-oci.8.scd
	missing=
	for command in $(commands); do
		sed -n '/^# COMMANDS/,/^# OPTIONS/p' "$page" | grep -q "^\*$command\*" || missing+=" $command"
		for option in $("$RUNTIME" "$command" --help | grep -o '^  .\{4\}--[a-z0-9-]*' | grep -o -e '--.*'); do
			case $command$option in
			*--help | spec--rootless) continue ;;
			esac
			grep -q -e "\*$option\*" "$page" || missing+=" $command:$option"
		done
	done
	for option in $("$RUNTIME" --help | grep -o '^  .\{4\}--[a-z0-9-]*' | grep -o -e '--.*'); do
		sed -n '/^# OPTIONS/,$p' "$page" | grep -q -e "\*$option\*" || missing+=" $option"
	done
	equal "$missing" ''
	# and no command that is not there
	while read -r command; do
		commands | grep -qx "$command"
	done < <(sed -n '/^# COMMANDS/,/^# OPTIONS/s/^\*\([a-z]*\)\*.*/\1/p' "$page")
}

@test "version says who, which commit and which specification" {
	expect 0 "$RUNTIME" --version
	[[ ${lines[0]} =~ ^hull-oci\ version\ [0-9]+\.[0-9]+ ]]
	[[ ${lines[1]} =~ ^commit:\ . ]]
	equal "${lines[2]}" 'spec: 1.3.0'
	[[ ${lines[3]} == *+SECCOMP* && ${lines[3]} == *+CAP* ]]
	equal "$output" "$("$RUNTIME" -v)"
	equal "$output" "$("$RUNTIME" -V)"
	equal "$output" "$("$RUNTIME" --systemd-cgroup --root /nonexistent -version)"
}

@test "a wrong command line is one line and status 2" {
	while read -r message arguments; do
		# shellcheck disable=SC2086
		expect 2 hull $arguments
		one_error "hull-oci: ${message//_/ }"
	done <<-'END'
		no_command_given
		unknown_command_'destroy' destroy x
		unknown_command_'destroy' help destroy
		unknown_option_'--nonsense' --nonsense list
		create:_unknown_option_'--nonsense' create --nonsense x
		create:_unknown_option_'-d' create -d x
		create:_too_few_arguments create
		create:_unexpected_argument_'y' create x y
		create:_option_'--pid-file'_needs_a_value create x --pid-file
		create:_option_'--preserve-fds':_'-1'_is_not_a_number create --preserve-fds -1 x
		run:_option_'--detach':_'maybe'_is_not_true_or_false run --detach=maybe x
		kill:_unknown_signal_'NOPE' kill x NOPE
		kill:_unknown_signal_'0x9' kill x 0x9
		kill:_unknown_signal_'65' kill x 65
		list:_option_'--format':_'xml'_is_not_table_or_json list -f xml
		ps:_option_'--format':_'xml'_is_not_table_or_json ps -f xml x
		events:_option_'--interval':_must_be_more_than_0 events --interval 0s x
		events:_option_'--interval':_'5'_is_not_a_duration events --interval 5 x
		update:_option_'--memory':_'lots'_is_not_a_size update --memory lots x
		exec:_no_command_given exec x
		exec:_both_--process_and_the_command exec -p file x ls
		option_'--log-format':_'xml' --log-format xml list
		option_'--log-level':_'loud' --log-level loud list
		option_'--log':_'syslog:hull'_is_not_supported --log syslog:hull list
		option_'--rootless':_'maybe' --rootless maybe list
		list:_option_'--cgroup-manager':_'none' --cgroup-manager none list
	END
}

@test "exec takes users and groups as whole numbers only" {
	for user in '' root 1: :1 1:2:3 1x 1:2x ' 1' +1 -1 4294967295 1:4294967295 0x1 1.5; do
		expect 2 hull exec -u "$user" x true
		one_error "option '--user': '$user'"
	done
	for group in '' wheel -1 4294967295 1,2; do
		expect 2 hull exec -g "$group" x true
		one_error "option '--additional-gids': '$group'"
	done
	for user in 0 1 1:2 4294967294:4294967294; do
		expect 1 hull exec --user "$user" x true
		one_error "'x' does not exist"
	done
}

@test "exec leaves the command its options" {
	expect 1 hull exec -t -e A=1 x ls --nonsense -t --help
	one_error "'x' does not exist"
}

@test "options of callers are accepted before and after the id" {
	cd "$T"
	echo '{}' >empty.json
	while read -r arguments; do
		# shellcheck disable=SC2086
		expect 1 hull $arguments
		one_error "'x' does not exist"
	done <<-'END'
		--debug --log /dev/null start x
		--systemd-cgroup state x
		--cgroup-manager systemd delete x
		--cgroup-manager=disabled kill x
		--rootless auto kill x 9
		-rootless=false kill --all x KILL
		kill -a x SIGRTMIN+3
		kill x -a
		delete x
		update --resources empty.json x
		update x --memory 10m --memory-swap -1 --pids-limit -1 --kernel-memory 0
		exec -p empty.json x
		exec --process=empty.json --detach --pid-file p --console-socket s x
		exec -dt=false x true
		events --stats x
		events -interval=1m30s x
		ps --format json x
		ps x -ef --nonsense
	END
}

@test "what is not supported yet says so" {
	for command in create run; do
		expect 1 hull --systemd-cgroup "$command" x
		one_error 'systemd cgroup driver is not supported yet'
		expect 1 hull --cgroup-manager systemd "$command" x
		one_error 'systemd cgroup driver is not supported yet'
	done
	expect 1 hull spec --rootless
	one_error 'not supported yet'
	[[ ! -e $STATE && ! -e config.json ]]
}

@test "an error is one JSON object in the log and one line on standard error" {
	expect 1 hull --log "$T/log" --log-format json state x
	one_error "hull-oci: "
	equal "$(wc -l <"$T/log")" 1
	equal "$(jq -r .level "$T/log")" error
	equal "hull-oci: $(jq -r .msg "$T/log")" "$output"
	jq -e '.time | fromdateiso8601 > 1600000000' "$T/log"

	expect 2 hull --log "file:$T/log" --log-format=json create --nonsense x
	equal "$(wc -l <"$T/log")" 2
	equal "hull-oci: $(tail -n 1 "$T/log" | jq -r .msg)" "$output"

	expect 2 hull --log "$T/log" --log-format json --nonsense
	equal "hull-oci: $(tail -n 1 "$T/log" | jq -r .msg)" "$output"
}

@test "a log in text form" {
	expect 1 hull --log "$T/log" state x
	equal "$(wc -l <"$T/log")" 1
	grep -q 'level=error msg=' "$T/log"
}

@test "a log that cannot be written is one error" {
	expect 1 hull --log "$T/no/such/log" list
	one_error "hull-oci: open log file '$T/no/such/log': No such file or directory"
}

@test "a line break in an argument stays within the line" {
	expect 2 hull --log "$T/log" --log-format json $'--non\nsense'
	one_error "hull-oci: unknown option '--non?sense'"
	equal "$(wc -l <"$T/log")" 1
	equal "hull-oci: $(jq -r .msg "$T/log")" "$output"
}

@test "features and version need neither privileges nor a state directory" {
	copy=$T/hull-oci
	cp "$RUNTIME" "$copy"
	chmod -R go+rX "$T" "${BATS_RUN_TMPDIR:?}"
	[[ $(id -u) == 0 ]] && as=(setpriv --reuid 65534 --regid 65534 --clear-groups) || as=()
	expect 0 "${as[@]}" "$copy" --root /nonexistent --systemd-cgroup features
	jq -e '.linux.namespaces | index("user")' <<<"$output"
	expect 0 "${as[@]}" "$copy" --version
	equal "${lines[2]}" "spec: $("$RUNTIME" features | jq -r .ociVersionMax)"
}

@test "a root directory of / is refused" {
	expect 1 "$RUNTIME" --root / list
	one_error "--root must not be '/'"
}

@test "list of nothing" {
	expect 0 hull list -q
	equal "$output" ''
	expect 0 hull list --format json
	equal "$output" '[]'
	expect 0 hull list
	equal "$output" 'ID          PID         STATUS      BUNDLE      CREATED     OWNER'
	[[ ! -e $STATE ]]
}

@test "spec writes a configuration once" {
	mkdir "$T/b"
	expect 0 hull spec --bundle "$T/b"
	jq -e '.process.args == ["sh"] and .root.path == "rootfs"' "$T/b/config.json"
	before=$(sha256sum "$T/b/config.json")
	expect 1 hull spec -b "$T/b"
	one_error "'config.json' exists"
	equal "$(sha256sum "$T/b/config.json")" "$before"
	expect 0 hull spec -b "$T/b" -f other.json
	cmp "$T/b/config.json" "$T/b/other.json"
	ln -s nowhere "$T/b/link.json"
	expect 1 hull spec -b "$T/b" -f link.json
	[[ ! -e $T/b/nowhere ]]
	expect 1 hull spec -b "$T/none"
	one_error "open bundle '$T/none': No such file or directory"
}

@test "a full standard output is an error" {
	[[ -c /dev/full ]] || skip '/dev/full is missing'
	for command in features --version --help 'list -f json' 'create --help'; do
		# shellcheck disable=SC2086
		! "$RUNTIME" --root "$STATE" $command >/dev/full 2>"$T/err"
		equal "$(cat "$T/err")" 'hull-oci: write to standard output: No space left on device'
	done
}

@test "closed standard descriptors are no danger" {
	"$RUNTIME" --root "$STATE" --log "$T/log" --log-format json state x <&- >&- 2>&- && false
	equal "$(wc -l <"$T/log")" 1
	jq -e .msg "$T/log"
}
