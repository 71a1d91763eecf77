#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# Debian's servers (scripts/debian) in virtual machines, with clients that notice what is lost: nginx
# behind podman's port mapping under load, PostgreSQL that is saved and made again under pgbench.

# shellcheck disable=SC2016 # for jq and shells inside

load lib
load vm
load debian
load engine_vm
load podman

# shellcheck disable=SC2034 # the library's
TEST_LIMIT=900

setup() {
	begin_debian_vm
}

teardown() {
	[[ -n ${T-} ]] || return 0
	delete_all
	[[ -z ${P-} ]] || end_podman
	umount "$BUNDLE/root" "$BUNDLE/layers"
	end
}

# ---- nginx ----

# A host of its own for podman, and another one beside it that is its client's.
begin_podman() {
	make_host_net
	CLIENT=hull-client-$$
	ip netns add "$CLIENT"
	in_host ip link add client type veth peer name eth0 netns "$CLIENT"
	in_host ip addr add 10.77.0.1/24 dev client
	in_host ip link set client up
	ip -n "$CLIENT" addr add 10.77.0.2/24 dev eth0
	ip -n "$CLIENT" link set eth0 up
	use_vm_runtime "$T"
	configure_podman "$T/podman"
	pod network create --disable-dns --subnet 10.89.77.0/24 net1
}

end_podman() {
	remove_podman
	remove_host_net
	ip netns del "$CLIENT"
}

@test "nginx, through podman's port mapping, under load from wrk" {
	local out

	begin_podman
	head -c 20000 /dev/urandom | base64 >"$BUNDLE/root/var/www/html/page"
	pod run --detach --name web --network net1 --publish 8080:80 --cgroup-parent "$PARENT" --memory 96m \
		--rootfs "$BUNDLE/root" nginx -g 'daemon off;'
	pod exec web uname -r | grep -- -hull
	page() { ip netns exec "$CLIENT" busybox wget -q -O "$OUT" http://10.77.0.1:8080/page; }
	wait_for page
	cmp "$OUT" "$BUNDLE/root/var/www/html/page"
	before=$(wc -l <"$BUNDLE/root/var/log/nginx/access.log")
	out=$(ip netns exec "$CLIENT" wrk --threads 1 --connections 8 --duration 10s --timeout 60s http://10.77.0.1:8080/page)
	echo "$out"
	[[ $out != *'Non-2xx'* && $out != *'Socket errors'* ]]
	served=$(sed -n 's/^ *\([0-9]*\) requests in .*/\1/p' <<<"$out")
	((served >= 100))
	# all that the client counted, and what was under way at its end
	logged=$(($(wc -l <"$BUNDLE/root/var/log/nginx/access.log") - before))
	((logged >= served && logged <= served + 8)) || {
		echo "$served requests, $logged served"
		return 1
	}
	wait_for page
	cmp "$OUT" "$BUNDLE/root/var/www/html/page"
	expect 0 pod exec web sh -c 'kill -QUIT 1'
	expect 0 pod wait web
	equal "$output" 0
}

# ---- PostgreSQL ----

# The server, and two clients: pgbench, and one that inserts numbers and notes each whose commit it has
# been told of. In the second life of its data the server is alone.
database() {
	local user

	user=$(awk -F: '$1 == "postgres" { print $3 ":" $4 }' "$DEBIAN/etc/passwd")
	mkdir "$BUNDLE/root/notes"
	chown "$user" "$BUNDLE/root/notes"
	config '.root.path = "root" | .process.user = {uid: $u, gid: $g}
		| .annotations = {"org.hull.isolation": "vm", "org.hull.vm.memory-mib": "160"}
		| .process.env = ["PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin", "PGHOST=/tmp", "LC_ALL=C", "TEST_ID='"$ID"'"]' \
		--argjson u "${user%:*}" --argjson g "${user#*:}"
	script 'cd /notes
		data=/var/lib/postgresql/15/main
		rm -f $data/postmaster.pid
		postgres -D $data -c config_file=/etc/postgresql/15/main/postgresql.conf -c listen_addresses= \
			-c unix_socket_directories=/tmp -c ssl=off -c jit=off -c shared_buffers=16MB -c max_connections=20 &
		until pg_isready -q; do sleep 1; done
		[ ! -e noted ] || { echo again; wait; }
		pgbench -i -q
		psql -qc "create table noted (n int primary key)"
		seq 1000000 | sed "s/.*/insert into noted values (&) returning n;/" | psql -qAt >noted &
		pgbench -n -c 2 -t 150 -l >report 2>&1
		echo $? >status
		wait'
}

notes() { # FILE
	cat "$BUNDLE/root/notes/$1"
}

# noted_beyond NUMBER: the client has been told of more commits than so many.
noted_beyond() {
	[[ -e $BUNDLE/root/notes/noted && $(notes noted | wc -l) -gt $1 ]]
}

ask() { # SQL
	hull exec "$ID" psql -At -c "$1"
}

# Whatever a client was told of is there: a line of pgbench's log is a transaction.
nothing_is_lost() { # NUMBER of commits that were noted
	ask 'select n from noted order by n' >"$T/there"
	notes noted | head -n "$1" | sort >"$T/told"
	equal "$(comm -13 <(sort "$T/there") "$T/told")" ''
	equal "$(ask 'select count(*) from pgbench_history')" "$(cat "$BUNDLE"/root/notes/pgbench_log.* | wc -l)"
	equal "$(ask 'select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history)
		and (select sum(bbalance) from pgbench_branches) = (select sum(tbalance) from pgbench_tellers)
		and (select sum(bbalance) from pgbench_branches) = (select sum(delta) from pgbench_history)')" t
}

@test "PostgreSQL is saved and made again in the middle of pgbench, and killed: no commit is lost" {
	database
	run_detached
	wait_long noted_beyond 20
	for _ in 1 2; do
		[[ ! -e $BUNDLE/root/notes/status ]]
		at=$(notes noted | wc -l)
		expect 0 hull checkpoint --image-path "$T/image" "$ID"
		hull restore --detach --image-path "$T/image" --bundle "$BUNDLE" "$ID" >>"$OUT" 2>&1 </dev/null 3>&-
		wait_long noted_beyond $((at + 10))
	done
	finished() { [[ -e $BUNDLE/root/notes/status ]]; }
	wait_long finished
	cat "$BUNDLE/root/notes/report"
	equal "$(notes status)" 0
	equal "$(cat "$BUNDLE"/root/notes/pgbench_log.* | wc -l)" 300
	nothing_is_lost "$(notes noted | wc -l)"

	at=$(notes noted | wc -l)
	expect 0 hull kill "$ID" KILL
	wait_for has_status stopped
	expect 0 hull delete "$ID"
	run_detached
	wait_long out_has again
	nothing_is_lost "$(notes noted | wc -l)"
	(($(wc -l <"$T/told") >= at))
	expect 0 hull delete --force "$ID"
}

# As wait_for, for what takes a database on an emulated processor its time.
wait_long() {
	local minutes

	for minutes in 1 2 3 4 5; do
		! wait_for "$@" || return 0
		echo "not after $minutes minutes: $*"
	done
	return 1
}
