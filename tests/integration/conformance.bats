#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# docs/conformance.md and docs/security.md name tests that exist, and the first leaves no property out.

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	DOC=docs/conformance.md
}

# exists REFERENCE: "FILE.bats: NAME" or "test_FILE.FUNCTION".
exists() {
	local file=${1%%.*} name

	case $1 in
	*.bats:\ *)
		name=${1#*.bats: }
		grep -qF "@test \"$name" "tests/integration/$file.bats"
		;;
	*)
		grep -qE "^static void (test_)?${1#*.}\(void" tests/unit/*/"$file.c"
		;;
	esac
}

every_test_exists() { # DOCUMENT NUMBER
	local reference missing=0 seen=0

	# shellcheck disable=SC2016 # the backquotes are the document's
	while IFS= read -r reference; do
		seen=$((seen + 1))
		exists "$reference" || {
			echo "no such test: $reference"
			missing=1
		}
	done < <(grep -oE '`([a-z_]+\.bats: [^`]+|test_[a-z_]+\.[a-z_0-9]+)`' "$1" | tr -d '`' | grep -v '\.c$')
	[[ $missing == 0 && $seen -gt $2 ]]
}

@test "conformance.md: every test that it names exists" {
	every_test_exists "$DOC" 150
}

@test "security.md: every test and every fuzzer that it names exists, and every file" {
	local name

	every_test_exists docs/security.md 80
	# shellcheck disable=SC2016 # as above
	while IFS= read -r name; do
		[[ -e tests/fuzz/$name.c ]]
	done < <(grep -oE '`fuzz_[a-z_]+`' docs/security.md | tr -d '`')
	while IFS= read -r name; do
		[[ -e ${name#??../} ]]
	done < <(grep -oE '\]\(\.\./[^)#]+' docs/security.md)
}

@test "conformance.md: every property of config.json.example is listed" {
	local name missing=0 seen=0

	command -v jq >/dev/null || skip 'jq is needed'
	# The members of maps whose keys are the user's own are no properties.
	while IFS= read -r name; do
		seen=$((seen + 1))
		grep -qE "[\`.]$name([\`.]|\$)" "$DOC" || {
			echo "not listed: $name"
			missing=1
		}
	done < <(jq -r 'del(.annotations, .linux.sysctl, .linux._netDevices.eth1.name,
		.linux.resources._unified, .linux.resources._rdma.mlx5_1) | [paths | last | strings
		| sub("^_"; "") | select(IN("comment", "eth1", "mlx5_1") | not)] | unique | .[]' config.json.example)
	[[ $missing == 0 && $seen -gt 120 ]]
}
