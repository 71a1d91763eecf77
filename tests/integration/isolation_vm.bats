#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# One bundle, two isolations: what processes see is the same in namespaces and in a virtual machine.
# isolation_cases.bash has what is compared.

load lib
load isolation_cases

setup() {
	grep -qwE 'svm|vmx' /proc/cpuinfo || skip 'a processor with svm or vmx is needed'
	[[ -r /dev/kvm ]] || skip '/dev/kvm is needed'
	needs_v2
	begin
}

# The script that goes through the bundle's rows, each in a shell of its own.
rows_inside() { # BUNDLE
	local i

	for ((i = 0; i < ${#ROWS[@]}; i += 5)); do
		[[ ${ROWS[i]} == "$1" && ${ROWS[i + 1]} == inside ]] || continue
		printf 'echo "=== %s"\n(%s\n) 2>&1\necho "--- $?"\n' "${ROWS[i + 2]}" "${ROWS[i + 3]}"
	done
}

rows_outside() { # BUNDLE
	local i

	for ((i = 0; i < ${#ROWS[@]}; i += 5)); do
		[[ ${ROWS[i]} == "$1" && ${ROWS[i + 1]} == outside ]] || continue
		echo "=== ${ROWS[i + 2]}"
		(eval "${ROWS[i + 3]}") 2>&1 && echo '--- 0' || echo "--- $?"
	done
}

# Runs the bundle under an isolation, and all its rows; the result is a file of that name.
look() { # BUNDLE ISOLATION
	local tree=$T/$2 status=0

	mkdir "$tree"
	cp -a "$ROOTFS" "$tree/rootfs"
	cp "$BUNDLE/config.json" "$tree"
	(
		cd "$tree" || exit
		BUNDLE=$tree
		eval "${BEFORE[$1]}"
		config '.annotations["org.hull.isolation"] = $i' --arg i "$2"
		echo 'one line' | run_bundle >"$T/$2.rows" 2>&1 || status=$?
		printf '=== exit status\n--- %s\n' $status >>"$T/$2.rows"
		rows_outside "$1" >>"$T/$2.rows"
	)
}

# Reads what an isolation's rows said: RESULT[ISOLATION ROW] is output and status, newlines and what
# separates columns being spaces.
read_results() { # ISOLATION
	local line row=none

	while IFS= read -r line; do
		if [[ $line == '=== '* ]]; then
			row=${line#=== }
		else
			line=${line//$'\t'/ }
			while [[ $line == *'  '* ]]; do
				line=${line//  / }
			done
			RESULT[$1 $row]+="$line "
		fi
	done < <(tr '\0' '~' <"$T/$1.rows")
}

compare() { # BUNDLE
	local i name in_namespaces in_vm said bad=0
	local -A RESULT

	config "${FILTER[$1]}"
	config '.process.args = ["sh", "-c", $s] + .process.args[2:]' --arg s "$(rows_inside "$1")"
	look "$1" namespace
	look "$1" vm
	read_results namespace
	read_results vm
	for ((i = 0; i < ${#ROWS[@]}; i += 5)); do
		[[ ${ROWS[i]} == "$1" ]] || continue
		name=${ROWS[i + 2]}
		in_namespaces=${RESULT[namespace $name]-}
		in_vm=${RESULT[vm $name]-}
		said=${in_vm%--- *}
		# shellcheck disable=SC2053 # a pattern
		[[ $in_vm == "$in_namespaces" && ${said% } == ${ROWS[i + 4]} ]] || {
			printf "row '%s' of bundle '%s': %s\n namespace: %s\n vm:        %s\n expected:  %s\n" "$name" "$1" \
				"${ROWS[i + 3]}" "$in_namespaces" "$in_vm" "${ROWS[i + 4]}"
			bad=1
		}
	done
	equal "${RESULT[vm exit status]}" "${RESULT[namespace exit status]}"
	return $bad
}

@test "the process: arguments, environment, user, names, streams" {
	compare process
}

@test "capabilities" {
	compare capabilities
}

@test "no capabilities" {
	compare 'no capabilities'
}

@test "attributes: limits, scheduler, priorities, personality" {
	compare attributes
}

@test "seccomp" {
	compare seccomp
}

@test "devices" {
	compare devices
}

@test "masked and read-only paths" {
	compare paths
}

@test "a read-only root" {
	compare 'a read-only root'
}

@test "bind mounts" {
	compare 'bind mounts'
}

@test "tmpfs and mqueue" {
	compare tmpfs
}

@test "a user namespace" {
	compare 'a user namespace'
}

@test "cgroup namespace and limits" {
	compare 'cgroup namespace and limits'
}

@test "limits of processors, disks, huge pages" {
	compare "limits of the host's things"
}

@test "a writable cgroup" {
	compare 'a writable cgroup'
}

@test "time, sysctl, network" {
	compare 'time, sysctl, network'
}

@test "slave propagation" {
	compare 'slave propagation'
}

@test "files" {
	compare files
}
