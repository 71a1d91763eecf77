#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# podman with hull-oci-vm as its runtime: each container is a virtual machine, and podman does not
# notice. Its networks are made in a network namespace that stands for the host's.

load lib
load vm
load engine_vm
load podman

# shellcheck disable=SC2034 # the library's
TEST_LIMIT=600

setup_file() {
	make_podman_vm
}

teardown_file() {
	remove_podman_vm
}

# The kernel that the container is under is not the host's.
in_guest() { # CONTAINER
	pod exec "$1" uname -r | grep -q -- -hull
}

UDP_ECHO='
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
s.connect((sys.argv[1], int(sys.argv[2])))
s.send(b"hello")
sys.exit(s.recv(10) != b"hello")'

log_has() { # TEXT
	[[ $(pod logs box1 2>&1) == *"$1"* ]]
}

@test "run: output, exit status, standard input; a missing program, one without permission" {
	expect 7 pod_run --rm --interactive box sh -c 'cat; uname -r; exit 7' <<<in
	equal "${lines[0]}" in
	says -hull
	expect 127 pod_run --rm box no-such-program
	says no-such-program
	expect 126 pod_run --rm box /etc/passwd
	says /etc/passwd
}

@test "environment, user, directory, host name, limits, volumes, read-only root, tmpfs" {
	mkdir "$T/volume"
	expect 0 pod_run --rm --env A=b --user user --workdir /tmp --hostname box9 --ulimit nofile=100:200 \
		--ulimit nproc=4096 --read-only --tmpfs /scratch:mode=1777 --volume "$T/volume:/volume:ro" box \
		sh -c 'echo $A $(id -u):$(id -g) $PWD $(hostname) $(ulimit -n) $(ulimit -Hn)
			touch /scratch/b && ! touch /c && ! touch /volume/a'
	equal "${lines[0]}" 'b 1000:1000 /tmp box9 100 200'
}

@test "run -it has a terminal of the caller's size, and follows it; exec -it too" {
	export -f pod pod_run
	{
		echo 'until stty size | grep "33 99"; do sleep 1; done; tty; echo re""ady'
		echo '!wait ready'
		echo '!size 40x101'
		echo 'until stty size | grep "40 101"; do sleep 1; done; exit 5'
	} >"$T/in"
	expect 5 "$PEER" pty 33x99 bash -c 'pod_run --name box1 -it box sh' <"$T/in"
	says '/dev/pts/0'
	says '33 99'
	says '40 101'
	expect 0 pod start box1
	expect 6 "$PEER" pty 20x70 bash -c 'pod exec -it box1 sh' <<<$'tty; until stty size | grep "20 70"; do sleep 1; done; exit 6'
	says '/dev/pts/1'
	says '20 70'
}

@test "exec, logs, pause, stats, update, stop, start, rm of one container" {
	pod_run --detach --name box1 --memory 64m --cpus 0.5 --pids-limit 50 box \
		sh -c 'trap "exit 3" TERM; echo up; sleep 1000 & wait'
	wait_for log_has up
	in_guest box1
	equal "$(pod_status)" running
	expect 9 pod exec --env A=b --user 1000 box1 sh -c '[ $A$(id -u) = b1000 ] && exit 9'
	expect 127 pod exec box1 no-such-program
	equal "$(echo in | pod exec --interactive box1 cat)" in
	expect 0 pod exec box1 sh -c 'cd /sys/fs/cgroup && cat memory.max cpu.max pids.max'
	equal "$output" $'67108864\n50000 100000\n50'

	expect 0 pod pause box1
	equal "$(pod_status)" paused
	fails pod exec box1 true
	expect 0 pod unpause box1
	expect 0 pod exec box1 true

	expect 0 pod stats --no-stream --format '{{.Name}} {{.PIDs}} {{.MemUsage}}' box1
	matches "$output" 'box1 [1-9]* *B / *B'

	expect 0 pod update --memory 48m --cpus 0.8 box1
	expect 0 pod exec box1 sh -c 'cd /sys/fs/cgroup && cat memory.max cpu.max pids.max'
	equal "$output" $'50331648\n80000 100000\n50'

	expect 0 pod stop box1
	equal "$(pod inspect --format '{{.State.Status}} {{.State.ExitCode}}' box1)" 'exited 3'
	expect 0 pod start box1
	expect 0 pod exec box1 true
	expect 0 pod stop --time 0 box1
	equal "$(pod inspect --format '{{.State.ExitCode}}' box1)" 137
	expect 0 pod rm box1
	equal "$(pod ps --all --quiet)" ''
}

@test "kill sends the signal asked for" {
	pod_run --detach --name box1 box probe signals 2
	wait_for log_has ready
	pod kill --signal USR1 box1
	wait_for log_has USR1
	pod kill --signal HUP box1
	expect 0 pod wait box1
	equal "$output" 0
}

@test "a network of podman's: port mappings, several containers, a way out" {
	echo 'from the machine' >"$T/page"
	pod run --detach --name box1 --network net1 --publish 8080:80 --publish 9090:90/udp --cgroup-parent "$PARENT" \
		--volume "$T/page:/www/page:ro" box sh -c 'probe echo 90 & exec httpd -f -p 80 -h /www'
	in_guest box1
	in_host ip addr add 10.77.0.1/32 dev lo
	page() { in_host busybox wget -q -O - http://10.77.0.1:8080/page >"$OUT" 2>&1; }
	wait_for page
	equal "$(cat "$OUT")" 'from the machine'
	echo_comes_back() { in_host python3 -c "$UDP_ECHO" 10.77.0.1 9090; }
	wait_for echo_comes_back
	address=$(pod inspect --format '{{.NetworkSettings.Networks.net1.IPAddress}}' box1)
	expect 0 pod exec box1 sh -c 'ip -4 -o addr show eth0; ip route'
	says "$address/24"
	says 'default via 10.89.77.1 dev eth0'
	expect 0 pod run --rm --network net1 --cgroup-parent "$PARENT" box \
		sh -c "ping -c 1 10.89.77.1 >/dev/null && wget -q -O - http://$address/page"
	equal "$output" 'from the machine'
	expect 0 pod rm --force --time 0 box1
	fails page
	in_host ip addr del 10.77.0.1/32 dev lo
}

@test "what a virtual machine cannot do is podman's error" {
	fails pod_run --pid host --name box1 box true
	fails pod_run --device /dev/kvm --name box2 box true
	equal "$(pod ps --all --format '{{.Names}} {{.Status}}' | sort)" $'box1 Created\nbox2 Created'
}
