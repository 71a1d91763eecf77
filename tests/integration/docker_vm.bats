#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# docker with hull-oci-vm as its default runtime: each container is a virtual machine. Its network is
# made in a network namespace that stands for the host's.

load lib
load vm
load engine_vm
load docker

# shellcheck disable=SC2034 # the library's
TEST_LIMIT=600

setup_file() {
	can_boot || return 0
	make_host_net
	use_vm_runtime "$BATS_FILE_TMPDIR"
	make_docker
}

teardown_file() {
	[[ -n ${D-} ]] || return 0
	remove_docker
	remove_host_net
}

setup() {
	needs_kvm
	dock version >/dev/null 2>&1 || {
		tail -5 "$D/log"
		return 1
	}
	T=$BATS_TEST_TMPDIR
	OUT=$T/out
}

@test "run: output, exit status, standard input; a missing program, one without permission" {
	expect 7 dock_run --rm --interactive box sh -c 'cat; uname -r; exit 7' <<<in
	equal "${lines[0]}" in
	says -hull
	expect 127 dock_run --rm box no-such-program
	says 'executable file not found in $PATH'
	expect 126 dock_run --rm box /etc/passwd
	says 'permission denied'
}

@test "environment, user, directory, host name, limits, volumes, read-only root, tmpfs" {
	mkdir "$T/volume"
	expect 0 dock_run --rm --env A=b --user user --workdir /tmp --hostname box9 --ulimit nofile=100:200 \
		--read-only --tmpfs /scratch:mode=1777 --volume "$T/volume:/volume:ro" box \
		sh -c 'echo $A $(id -u) $PWD $(hostname) $(ulimit -n) $(ulimit -Hn)
			touch /scratch/b && ! touch /c && ! touch /volume/a'
	equal "${lines[0]}" 'b 1000 /tmp box9 100 200'
}

@test "run -it and exec -it have a terminal of the caller's size" {
	have_terminals
}

@test "exec, logs, pause, stats, update, kill, stop, start, rm of one container" {
	dock_run --detach --name box1 --memory 64m --cpus 0.5 --pids-limit 50 box \
		sh -c 'trap "exit 3" TERM; trap "exit 4" USR1; echo up; sleep 1000 & wait'
	wait_for log_has up
	expect 9 dock exec --env A=b --user 1000 box1 sh -c '[ $A$(id -u) = b1000 ] && exit 9'
	expect 126 dock exec box1 no-such-program # docker 20.10 does not tell the two apart
	equal "$(echo in | dock exec --interactive box1 cat)" in
	expect 0 dock exec box1 sh -c 'uname -r; cd /sys/fs/cgroup && cat memory.max cpu.max pids.max'
	says -hull
	says $'67108864\n50000 100000\n50'

	expect 0 dock pause box1
	equal "$(dock_state Status)" paused
	fails dock exec box1 true
	expect 0 dock unpause box1
	expect 0 dock stats --no-stream --format '{{.PIDs}} {{.MemUsage}}' box1
	matches "$output" '[1-9]* *iB / *'
	expect 0 dock update --memory 48m --memory-swap 96m --cpus 0.8 --pids-limit 40 box1
	expect 0 dock exec box1 sh -c 'cd /sys/fs/cgroup && cat memory.max cpu.max pids.max'
	equal "$output" $'50331648\n80000 100000\n40'

	expect 0 dock stop box1
	equal "$(dock_state Status) $(dock_state ExitCode)" 'exited 3'
	expect 0 dock start box1
	again() { [[ $(dock logs box1) == $'up\nup' ]]; }
	wait_for again
	expect 0 dock kill --signal USR1 box1
	expect 0 dock wait box1
	equal "$output" 4
	expect 0 dock rm box1
	equal "$(dock ps --all --quiet)" ''
}

@test "docker's bridge, with a port mapping" {
	echo 'from the machine' >"$T/page"
	dock run --detach --name box1 --publish 8080:80 --volume "$T/page:/www/page:ro" box httpd -f -p 80 -h /www
	page() { in_host busybox wget -q -O - http://10.89.78.1:8080/page >"$OUT" 2>&1; }
	wait_for page
	equal "$(cat "$OUT")" 'from the machine'
	address=$(dock inspect --format '{{.NetworkSettings.IPAddress}}' box1)
	expect 0 dock exec box1 ip -4 -o addr show eth0
	says "$address/24"
	expect 0 dock run --rm box wget -q -O - "http://$address/page"
	equal "$output" 'from the machine'
	expect 0 dock rm --force box1
	fails page
}
