# shellcheck shell=bash disable=SC2016,SC2030,SC2031
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs the table of isolation_cases.bash: a bundle under each isolation, the results row by row.

setup() {
	needs_kvm
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
