# shellcheck shell=bash disable=SC2016,SC2034 # scripts that the container's shell expands; isolation.bash uses it
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What a bundle says and what its processes must see, whatever the isolation:
# the table of isolation_vm.bats and isolation_files_vm.bats.
#
#	bundle NAME FILTER		one configuration: a jq filter on lib.bash's default one
#	before SCRIPT			run on the host first, in the bundle
#	row NAME SCRIPT [PATTERN]	a look at one thing, by a shell inside
#	after NAME SCRIPT [PATTERN]	a look on the host when it has ended, in the bundle
#
# What a row prints, errors too, and its exit status have to be the same under each isolation, and
# match PATTERN, newlines being spaces.

BUNDLES=() ROWS=()
declare -gA FILTER BEFORE # load is a function

bundle() {
	CURRENT=$1
	BUNDLES+=("$1")
	FILTER[$1]=$2
	BEFORE[$1]=:
}

before() {
	BEFORE[$CURRENT]=$1
}

row() {
	ROWS+=("$CURRENT" inside "$1" "$2" "${3-*}")
}

after() {
	ROWS+=("$CURRENT" outside "$1" "$2" "${3-*}")
}

# --- the process ---

bundle process '.process.args += ["name", "two words", "", "§"]
	| .process.env += ["EMPTY=", "TWICE=1", "TWICE=2", "LINES=a\nb"]
	| .process.cwd = "/made/for/it"
	| .process.user = {"uid": 1000, "gid": 1001, "additionalGids": [5, 70000], "umask": 63}
	| .hostname = "a-name" | .domainname = "example.org"'
row args 'printf "<%s>" "$0" "$@"; echo' '<name><two words><><§>'
row env 'env -u SHLVL | sort' 'EMPTY= HOME=/home LINES=a PATH=/bin PWD=/made/for/it TEST_ID=* TWICE=2 b'
row cwd 'pwd; stat -c "%a %u:%g" .' '/made/for/it 755 0:0'
row 'user and groups' 'id; grep -E "^(Uid|Gid|Groups):" /proc/self/status' 'uid=1000(user) gid=1001 groups=5,70000*'
row umask 'umask; >/tmp/u; mkdir /tmp/d; stat -c %a /tmp/u /tmp/d' '0077 600 700'
row 'no capabilities for another user' 'grep ^Cap /proc/self/status' '*CapPrm: 0000000000000000 *'
row hostname 'hostname; cat /proc/sys/kernel/hostname' 'a-name a-name'
row domainname 'cat /proc/sys/kernel/domainname' example.org
row 'process ids' 'echo $$; grep NSpid /proc/self/status | wc -w; ls -d /proc/[0-9] | head -1' '1 2 /proc/1'
row descriptors 'probe fds | grep -v "^[012] "' ''
row session 'cut -d" " -f5,6,7,8 /proc/1/stat' '1 1 0 -1'
row 'standard input' 'cat; cat' 'one line'
row 'names of users' 'stat -c %U:%G /root /home'

bundle capabilities '.process.capabilities = {"bounding": ["CAP_KILL", "CAP_CHOWN", "CAP_SETUID", "CAP_MKNOD"],
		"permitted": ["CAP_KILL", "CAP_CHOWN"], "effective": ["CAP_KILL"],
		"inheritable": ["CAP_KILL", "CAP_CHOWN"], "ambient": ["CAP_KILL"]}
	| .process.user = {"uid": 1000, "gid": 1000} | .process.noNewPrivileges = false
	| .mounts += [{"destination": "/suid", "source": "host", "type": "bind", "options": ["bind"]}]'
before 'mkdir host; mount -t tmpfs tmpfs host; cp rootfs/bin/probe host; chmod u+s host/probe rootfs/bin/probe'
row 'all five sets' 'grep ^Cap /proc/self/status' \
	'CapInh: 0000000000000021 CapPrm: 0000000000000020 CapEff: 0000000000000020 CapBnd: 00000000080000a1 CapAmb: 0000000000000020'
row noNewPrivs 'grep ^NoNewPrivs: /proc/self/status; /suid/probe ids' 'NoNewPrivs: 0 1000 0'
row 'as the mount of the root has it' 'probe ids' '1000 *'
row 'a capability used' 'chown 5 /tmp 2>&1; kill -0 1 && echo ok' '*ok'
after 'nothing is left' 'umount host'

bundle 'no capabilities' 'del(.process.capabilities)'
row 'all five sets' 'grep ^Cap /proc/self/status' '*CapBnd: 0000000000000000*'
row noNewPrivs 'grep ^NoNewPrivs: /proc/self/status' 'NoNewPrivs: 1'
row 'files of others' 'chmod 777 /etc/shadow; chown 5 /etc/shadow; cat /proc/1/environ | tr "\0" "\n" | grep PATH'

bundle attributes '.process.oomScoreAdj = 321
	| .process.scheduler = {"policy": "SCHED_BATCH", "nice": 5, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}
	| .process.ioPriority = {"class": "IOPRIO_CLASS_BE", "priority": 6}
	| .linux.personality = {"domain": "LINUX32"}
	| .process.rlimits = ([["AS", 8000000000], ["CORE", 1], ["CPU", 3000], ["DATA", 7000000000], ["FSIZE", 5000000], ["LOCKS", 6],
		["MEMLOCK", 70000], ["MSGQUEUE", 80000], ["NICE", 9], ["NOFILE", 100], ["NPROC", 1100], ["RSS", 12000000],
		["RTPRIO", 13], ["RTTIME", 1400000], ["SIGPENDING", 150], ["STACK", 8000000]]
		| map({"type": ("RLIMIT_" + .[0]), "soft": .[1], "hard": (.[1] + 1)}))'
row rlimits 'cat /proc/self/limits' '*Max open files 100 101 files*'
row oomScoreAdj 'cat /proc/self/oom_score_adj' 321
row scheduler 'cut -d" " -f19,41 /proc/1/stat' '5 3'
row ioPriority 'probe attributes | grep ioprio' 'ioprio 2 6'
row personality 'probe attributes | grep personality; uname -m' 'personality 8 i?86'

bundle seccomp '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
	"syscalls": [
		{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28},
		{"names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 10,
		 "args": [{"index": 0, "value": 77, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 4294967296, "op": "SCMP_CMP_GE"}]},
		{"names": ["sched_get_priority_max"], "action": "SCMP_ACT_KILL_PROCESS"},
		{"names": ["sched_get_priority_min"], "action": "SCMP_ACT_TRAP"}]}'
row 'filters in force' 'grep ^Seccomp /proc/self/status' 'Seccomp: 2 Seccomp_filters: 1'
row 'an errno' 'mkdir /x' '*No space left*'
row 'conditions of 64 bits' 'probe syscall 140 77 0; probe syscall 140 77 0x100000001; probe syscall 140 78 0x100000001' 'EINVAL ECHILD EINVAL'
row 'a kill' 'probe syscall 146; echo $?' '*159'
row 'a trap' 'probe syscall 147; echo $?' '*159'

# --- devices, paths, mounts ---

bundle devices '.linux.devices = [{"path": "/dev/mynull", "type": "c", "major": 1, "minor": 3, "fileMode": 416, "uid": 7, "gid": 8},
		{"path": "/dev/sub/zero", "type": "c", "major": 1, "minor": 5, "fileMode": 438},
		{"path": "/dev/pipe", "type": "p", "fileMode": 384, "uid": 1000}]
	| .linux.resources.devices += [{"allow": true, "type": "c", "major": 10, "minor": 229, "access": "r"}]
	| .mounts += [{"destination": "/n", "type": "tmpfs", "source": "tmpfs"}]'
row 'nodes and links' 'for f in $(find /dev ! -name core ! -name mqueue | sort); do stat -c "%n %F %a %t:%T %u:%g %N" $f; done' \
	'*/dev/null character special file 666 1:3 0:0*'
row 'made as told' 'stat -c "%n %a %u:%g" /dev/mynull /dev/sub/zero /dev/pipe'
row 'allowed and forbidden' 'mknod /n/fuse c 10 229; mknod /n/mem c 1 1; head -c 1 /n/mem; (exec 3</n/fuse && echo opened); echo x >/n/fuse' \
	'*/n/mem: Operation not permitted opened *Operation not permitted'
row 'they work' 'head -c 4 /dev/sub/zero | od -An -c; echo x >/dev/mynull; head -c 8 /dev/urandom | wc -c; echo >/dev/full' '*No space left*'
row 'terminals' 'ls -l /dev/ptmx /dev/pts | wc -l; stat -c %a /dev/pts/ptmx' '* 666'

bundle paths '.linux.maskedPaths = ["/secret", "/etc/secret", "/not/there", "/proc/timer_list", "/sys/firmware"]
	| .linux.readonlyPaths = ["/tmp", "/proc/sys", "/not/there/either", "/etc/hosts"]'
before 'mkdir rootfs/secret; echo secret | tee rootfs/secret/file >rootfs/etc/secret'
row 'a masked directory' 'ls -a /secret; touch /secret/x; stat -c %a /secret' '*Read-only file system*'
row 'a masked file' 'cat /etc/secret; stat -c %F /etc/secret' 'character special file'
row 'a masked file of proc' 'cat /proc/timer_list; ls /sys/firmware' ''
row 'a read-only directory' 'touch /tmp/x' '*Read-only file system*'
row 'a read-only file' 'echo >>/etc/hosts' '*Read-only file system*'
row 'a read-only part of proc' 'echo x >/proc/sys/kernel/hostname' '*Read-only file system*'
row 'in the table of mounts' 'cut -d" " -f5,6 /proc/self/mountinfo'
after 'nothing is written' 'cat rootfs/etc/secret rootfs/secret/file; ls rootfs/tmp' 'secret secret'

bundle 'a read-only root' '.root.readonly = true | .mounts += [{"destination": "/new/dir", "type": "tmpfs", "source": "tmpfs"}]'
row 'no writing' 'touch /file; mkdir /dir; rm /bin/ls; ls /bin/ls' '*Read-only file system*/bin/ls'
row 'mounts stay writable' 'echo a >/new/dir/file; echo b >/dev/shm/file; cat /new/dir/file /dev/shm/file' 'a b'
row 'in the table of mounts' 'cut -d" " -f5,6 /proc/self/mountinfo' '/ ro,*'
after 'nothing is written' 'ls rootfs' '*new*'

bundle 'bind mounts' '.mounts += [
	{"destination": "/rw", "source": "host", "type": "bind", "options": ["bind"]},
	{"destination": "/ro", "source": "host", "type": "bind", "options": ["rbind", "ro"]},
	{"destination": "/rro", "source": "host", "type": "bind", "options": ["rbind", "rro"]},
	{"destination": "/flags", "source": "host", "type": "bind", "options": ["bind", "nosuid", "nodev", "noexec", "noatime"]},
	{"destination": "/deep/in/it", "source": "host/below", "type": "bind", "options": ["bind"]},
	{"destination": "/rw/nested", "source": "other", "type": "bind", "options": ["bind"]},
	{"destination": "/file", "source": "host/file", "type": "bind", "options": ["bind"]},
	{"destination": "/etc/hosts", "source": "host/file", "type": "none", "options": ["bind", "ro"]},
	{"destination": "/rec", "source": "host", "type": "bind", "options": ["rbind", "rnosuid", "rnoexec"]},
	{"destination": "/link/in", "source": "other", "type": "bind", "options": ["bind", "nosymfollow"]},
	{"destination": "/copied", "source": "other/link", "type": "bind", "options": ["bind", "copy-symlink"]},
	{"destination": "/mapped", "source": "mapped", "type": "bind", "options": ["rbind", "idmap"],
	 "uidMappings": [{"containerID": 0, "hostID": 0, "size": 1}, {"containerID": 3, "hostID": 5003, "size": 9}],
	 "gidMappings": [{"containerID": 0, "hostID": 0, "size": 1}, {"containerID": 3, "hostID": 6003, "size": 9}]}]
	| .process.capabilities |= with_entries(.value += ["CAP_FOWNER"])'
before 'mkdir -p host/below host/nested other mapped; chown 3:4 mapped; echo content >host/file; echo below >host/below/file; echo other >other/file
	printf "#!/bin/sh\necho runs\n" >host/run; chmod 755 host/run; mount -t tmpfs tmpfs host/below; echo over >host/below/file
	ln -s file other/link; ln -s dir rootfs/link; mkdir rootfs/dir'
row 'written and read back' 'cat /rw/file; echo new >/rw/new; cat /ro/new /flags/new' 'content new new'
row 'ro' 'touch /ro/x; echo x >/ro/file; rm /ro/file' '*Read-only file system*'
row 'ro is not recursive, rro is' 'echo a >/ro/below/a && cat /ro/below/a; touch /rro/below/x' 'a *Read-only file system'
row 'bind without what is mounted below' 'cat /rw/below/file' below
row 'rbind with it' 'cat /ro/below/file /rec/below/file' 'over over'
row 'nosuid, nodev, noexec, noatime' 'grep " /flags " /proc/self/mountinfo | cut -d" " -f5,6; /flags/run; /rw/run' '/flags rw,nosuid,nodev,noexec,noatime *denied runs'
row 'recursive flags' 'grep " /rec" /proc/self/mountinfo | cut -d" " -f5,6; /rec/run' '*/rec/below rw,nosuid,noexec*denied'
row 'nosymfollow' 'cat /link/in/link; cat /dir/in/link; cat /dir/in/file' '*other'
row 'copy-symlink' 'readlink /copied' file
row 'idmap' 'stat -c %u:%g /mapped; cd /mapped; touch root; mkdir five; chown 5005:6005 five; stat -c %u:%g five; touch root' '5003:6004 *5005:6005*'
row 'nested destinations' 'cat /rw/nested/file /deep/in/it/file' 'other over'
row 'single files' 'cat /file /etc/hosts; echo more >>/file; until grep -q more /etc/hosts; do :; done; cat /etc/hosts; echo x >/etc/hosts' 'content content content more *Read-only file system'
row 'a file renamed over' 'echo replaced >/rw/tmp; mv /rw/tmp /rw/moved; cat /ro/moved' replaced
row 'in the table of mounts' 'cut -d" " -f5,6 /proc/self/mountinfo | sed s/,idmapped// | sort'
row 'shared with nobody' 'grep -c shared: /proc/self/mountinfo' 0
after 'what was written' 'umount host/below; cat host/file host/new host/moved; ls other host/below; find rootfs/dir rootfs/deep; stat -c "%n %u:%g" mapped/*' 'content more new replaced* mapped/five 5:5 mapped/root 0:0'

bundle tmpfs '.mounts += [
	{"destination": "/scratch", "type": "tmpfs", "source": "scratch", "options": ["size=1m", "mode=1751", "nodev", "nr_inodes=20"]},
	{"destination": "/over", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]},
	{"destination": "/ro", "type": "tmpfs", "source": "tmpfs", "options": ["ro", "uid=5", "gid=6"]},
	{"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]}]'
before 'mkdir -m 1750 rootfs/over; chown 3:4 rootfs/over; echo copied >rootfs/over/file'
row 'size' 'head -c 2m /dev/zero >/scratch/big; stat -c %s /scratch/big; rm /scratch/big' '*1048576'
row 'number of files' 'for i in $(seq 30); do touch /scratch/$i; done 2>/dev/null; ls /scratch | wc -l' 19
row 'mode' 'stat -c "%a %u:%g" /scratch' '1751 0:0'
row 'mode and owner of what it covers' 'stat -c "%a %u:%g" /over; cat /over/file; echo changed >/over/file' '1750 * copied'
row 'read-only' 'stat -c "%a %u:%g" /ro; touch /ro/x' '* 5:6 *Read-only file system'
row 'mqueue' 'touch /dev/mqueue/q; cat /dev/mqueue/q | cut -d" " -f1' 'QSIZE:0'
row 'in the table of mounts' 'awk '\''{ print $5, $6, $(NF - 2), $(NF - 1) }'\'' /proc/self/mountinfo | sed 1d'
after 'nothing is written' 'cat rootfs/over/file; ls rootfs/scratch' copied

# --- namespaces, groups, sysctl ---

bundle 'a user namespace' '.linux.namespaces += [{"type": "user"}]
	| .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 1000}, {"containerID": 1000, "hostID": 200000, "size": 10}]
	| .linux.gidMappings = [{"containerID": 0, "hostID": 300000, "size": 2000}]
	| .mounts += [{"destination": "/host", "source": "host", "type": "bind", "options": ["bind"]}]
	| .process.capabilities |= with_entries(.value += ["CAP_SYS_ADMIN"])'
before 'mkdir host; chown 200001:300002 host; echo a >host/of-nobody; chown -R 100000:300000 rootfs; open_path "$PWD"'
row 'mappings' 'cat /proc/self/uid_map /proc/self/gid_map | tr -s " "'
row 'setgroups' 'cat /proc/self/setgroups' allow
row 'own and foreign files' 'stat -c %u:%g /bin /host /host/of-nobody /proc/self' '0:0 1001:2 65534:65534 *'
row 'the first process' 'id' 'uid=0(root) gid=0(root)*'
row 'files that it makes' 'echo a >/tmp/a; chown 1003:7 /tmp/a; chown 5000 /tmp/a; stat -c %u:%g /tmp/a' '*1003:7'
row 'devices' 'echo a >/dev/null; mknod /tmp/sda b 8 0; stat -c "%n %u:%g %a" /dev/null /dev/pts /dev/shm' '*not permitted*'
row 'mounting' 'mount -t tmpfs t /tmp && echo mounted; echo 1 >/proc/sys/kernel/panic' 'mounted*denied'
after 'owners on the host' 'stat -c %u:%g rootfs/tmp/a' 200003:300007

bundle 'cgroup namespace and limits' '.linux.namespaces += [{"type": "cgroup"}]
	| .mounts += [{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro", "nosuid", "nodev", "noexec"]}]
	| .linux.resources += {"memory": {"limit": 104857600, "reservation": 52428800, "swap": 209715200},
		"pids": {"limit": 30}, "cpu": {"shares": 2048, "quota": 50000, "period": 20000, "burst": 10000, "cpus": "0", "mems": "0"},
		"unified": {"memory.high": "94371840", "cgroup.max.depth": "3"}}'
row 'its own path' 'cat /proc/self/cgroup' '0::/'
row memory 'cd /sys/fs/cgroup; cat memory.max memory.low memory.high' '104857600 52428800 94371840'
row pids 'cat /sys/fs/cgroup/pids.max; probe fork 60' '30 2?'
row cpu 'cd /sys/fs/cgroup; cat cpu.max cpu.max.burst cpu.weight cpuset.cpus.effective' '50000 20000 10000 * 0'
row unified 'cat /sys/fs/cgroup/cgroup.max.depth' 3
row 'processes' 'wc -l </sys/fs/cgroup/cgroup.procs; head -1 /sys/fs/cgroup/cgroup.procs' '* 1'
row 'read-only' 'mkdir /sys/fs/cgroup/x; echo 5 >/sys/fs/cgroup/pids.max' '*Read-only file system*'
row 'processors' 'nproc; grep Cpus_allowed_list /proc/self/status' '1 Cpus_allowed_list: 0'

bundle 'limits of the host'"'"'s things' '.linux.resources += {"blockIO": {"weight": 20}, "cpu": {"shares": 77, "cpus": "0"},
		"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}], "unified": {"memory.oom.group": "1"}}
	| .linux.namespaces += [{"type": "cgroup"}]
	| .mounts += [{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]}]'
row 'huge pages' 'cat /sys/fs/cgroup/hugetlb.2MB.max' 4194304
row 'cpu.idle is off' 'cat /sys/fs/cgroup/cpu.idle /sys/fs/cgroup/cpu.weight' '0 *'
row unified 'cat /sys/fs/cgroup/memory.oom.group' 1
row 'processors' 'nproc' 1

bundle 'a writable cgroup' '.linux.namespaces += [{"type": "cgroup"}]
	| .mounts += [{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["rw"]}]'
row 'without limits' 'cd /sys/fs/cgroup; cat memory.max pids.max cpu.max' 'max max max 100000'
row 'groups below' 'cd /sys/fs/cgroup; mkdir sub && echo 0 >sub/cgroup.procs; while read -r one; do echo process; done <sub/cgroup.procs; cat /proc/self/cgroup'

bundle 'time, sysctl, network' '.linux.namespaces += [{"type": "time"}]
	| .linux.timeOffsets = {"monotonic": {"secs": 86400, "nanosecs": 5}, "boottime": {"secs": 604800}}
	| .linux.sysctl = {"net.ipv4.ip_forward": "1", "net/ipv4/conf/lo/rp_filter": "2", "kernel.shm_rmid_forced": "1",
		"kernel.msgmax": "4321", "fs.mqueue.msg_max": "17", "kernel.sem": "100 32000 50 128", "kernel.domainname": "of.sysctl"}'
row 'offsets' 'cat /proc/self/timens_offsets | tr -s " "' 'monotonic 86400 5 boottime 604800 0'
row 'the clock' 'probe clocks | while read n s; do echo $n $((s / 86400)); done; echo $(($(cut -d. -f1 /proc/uptime) / 86400))' 'monotonic 1 boottime 7 7'
row 'net.*' 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/lo/rp_filter' '1 2'
row 'kernel.*' 'cd /proc/sys/kernel; cat shm_rmid_forced msgmax sem domainname' '1 4321 100 32000 50 128 of.sysctl'
row 'fs.mqueue.*' 'cat /proc/sys/fs/mqueue/msg_max' 17
row 'devices of the network' 'ls /sys/class/net; ip -o -4 addr show dev lo | tr -s " "' 'lo *127.0.0.1/8*'
row 'time of day' 'date +%Y; cat /proc/sys/kernel/random/uuid | wc -c' '20?? 37'

bundle 'slave propagation' '.linux.rootfsPropagation = "slave"'
row 'root' 'grep " / / " /proc/self/mountinfo | grep -c shared:' 0

# --- files ---

bundle files '.process.capabilities |= with_entries(.value += ["CAP_FOWNER", "CAP_FSETID", "CAP_SYS_ADMIN", "CAP_SETFCAP"])'
row 'symbolic links' 'cd /tmp; ln -s target link; ln -s /etc/passwd abs; readlink link; cat abs | head -1' 'target root:*'
row 'hard links' 'cd /tmp; echo a >one; ln one two; echo b >>two; stat -c %h one; cat one' '2 a b'
row 'a fifo' 'cd /tmp; mkfifo fifo; echo through >fifo & cat /tmp/fifo' through
row 'modes' 'cd /tmp; for m in 0 640 4755 2711 1777 7777; do >m$m; chmod $m m$m; stat -c %a m$m; done' '0 640 4755 2711 1777 7777'
row 'owners' 'cd /tmp; >own; chmod 6755 own; chown 12:34 own; stat -c "%u:%g %a" own; chown -h 5:6 link; stat -c %u:%g link' '12:34 * 5:6'
row 'times' 'cd /tmp; touch -d "2001-02-03 04:05:06" one; stat -c %Y one; cp -p one old; touch -h -d @77 link; stat -c %Y link'
row 'directories' 'cd /tmp; mkdir -p a/b/c; rmdir a; mv a/b b; rmdir a; find b' '*Directory not empty b b/c'
row 'sparse and cut' 'cd /tmp; dd if=/dev/zero of=sparse bs=1 count=1 seek=5000000 2>/dev/null; stat -c %s sparse; truncate -s 3 one; wc -c <one' '5000001 3'
row 'long and odd names' 'cd /tmp; n=$(printf %0255d 7); >$n; ls | grep -c $n; >x$n; >"a
b"; ls a?b | cat -v; >"$(printf "\377")"; ls | grep -c "^.$"'
row 'an open file that is removed' 'cd /tmp; exec 7<>gone; rm gone; echo still >&7; ls gone; stat -L -c %s /proc/self/fd/7' '*No such file* 6'
row 'append and exclusive' 'cd /tmp; echo a >>app; echo b >>app; cat app; set -C; >app' 'a b *File exists'
row 'a program that is run' 'cp /bin/busybox /tmp/echo; /tmp/echo runs; rm /tmp/echo; /tmp/echo' 'runs*not found'
row 'too many links, too deep' 'cd /tmp; ln -s loop loop; cat loop; ls one/x' '*links* Not a directory'
after 'what is there' 'cd rootfs/tmp; find . ! -name "m*" -printf "%P %y %m %U:%G %n %l\n" | sort; stat -c "%n %a" m*' '*link l * target*'
after 'content and times' 'cd rootfs/tmp; cat two app; stat -c %Y old link' 'a * 77'
