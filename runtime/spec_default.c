/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration that the spec command prints: a shell on a terminal in namespaces of its own,
 * a read-only root, few capabilities, and the paths hidden through which a kernel tells or takes
 * too much. Callers edit it, so its shape is the one that they know from runc.
 */
#include "base/json.h"
#include "base/mem.h"
#include "runtime/spec.h"

struct default_mount {
	const char *destination, *type, *source;
	const char *options[7]; /* NULL behind the last */
};

static const struct default_mount mounts[] = {
	{"/proc", "proc", "proc", {NULL}},
	{"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}},
	{"/dev/pts",
	 "devpts",
	 "devpts",
	 {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
	{"/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
	{"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}},
	{"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}},
	{"/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"}},
};

static const char *const args[] = {"sh"};

static const char *const env[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"TERM=xterm",
};

static const char *const capabilities[] = {
	"CAP_AUDIT_WRITE",
	"CAP_KILL",
	"CAP_NET_BIND_SERVICE",
};

static const char *const namespaces[] = {"pid", "network", "ipc", "uts", "mount", "cgroup"};

static const char *const masked_paths[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/interrupts",
	"/proc/kcore",
	"/proc/keys",
	"/proc/latency_stats",
	"/proc/sched_debug",
	"/proc/scsi",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/sys/devices/virtual/powercap",
	"/sys/firmware",
};

static const char *const readonly_paths[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

static void write_strings(struct json_writer *w, const char *key, const char *const *list, size_t n)
{
	json_w_array(w, key);
	for (size_t i = 0; i < n; i++)
		json_w_string(w, NULL, list[i]);
	json_w_end(w);
}

static void write_process(struct json_writer *w)
{
	json_w_object(w, "process");
	json_w_bool(w, "terminal", true);
	json_w_object(w, "user");
	json_w_u64(w, "uid", 0);
	json_w_u64(w, "gid", 0);
	json_w_end(w);
	write_strings(w, "args", args, ARRAY_SIZE(args));
	write_strings(w, "env", env, ARRAY_SIZE(env));
	json_w_string(w, "cwd", "/");
	json_w_object(w, "capabilities");
	write_strings(w, "bounding", capabilities, ARRAY_SIZE(capabilities));
	write_strings(w, "effective", capabilities, ARRAY_SIZE(capabilities));
	write_strings(w, "permitted", capabilities, ARRAY_SIZE(capabilities));
	json_w_end(w);
	json_w_array(w, "rlimits");
	json_w_object(w, NULL);
	json_w_string(w, "type", "RLIMIT_NOFILE");
	json_w_u64(w, "hard", 1024);
	json_w_u64(w, "soft", 1024);
	json_w_end(w);
	json_w_end(w);
	json_w_bool(w, "noNewPrivileges", true);
	json_w_end(w);
}

static void write_mounts(struct json_writer *w)
{
	json_w_array(w, "mounts");
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		size_t n = 0;

		while (n < ARRAY_SIZE(mounts[i].options) && mounts[i].options[n])
			n++;
		json_w_object(w, NULL);
		json_w_string(w, "destination", mounts[i].destination);
		json_w_string(w, "type", mounts[i].type);
		json_w_string(w, "source", mounts[i].source);
		if (n > 0)
			write_strings(w, "options", mounts[i].options, n);
		json_w_end(w);
	}
	json_w_end(w);
}

static void write_linux(struct json_writer *w)
{
	json_w_object(w, "linux");
	json_w_object(w, "resources");
	json_w_array(w, "devices");
	json_w_object(w, NULL);
	json_w_bool(w, "allow", false);
	json_w_string(w, "access", "rwm");
	json_w_end(w);
	json_w_end(w);
	json_w_end(w);
	json_w_array(w, "namespaces");
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		json_w_object(w, NULL);
		json_w_string(w, "type", namespaces[i]);
		json_w_end(w);
	}
	json_w_end(w);
	write_strings(w, "maskedPaths", masked_paths, ARRAY_SIZE(masked_paths));
	write_strings(w, "readonlyPaths", readonly_paths, ARRAY_SIZE(readonly_paths));
	json_w_end(w);
}

void spec_write_default(struct buf *out)
{
	struct json_writer *w = json_w_new(true);

	json_w_object(w, NULL);
	json_w_string(w, "ociVersion", SPEC_OCI_VERSION);
	write_process(w);
	json_w_object(w, "root");
	json_w_string(w, "path", "rootfs");
	json_w_bool(w, "readonly", true);
	json_w_end(w);
	json_w_string(w, "hostname", "hull");
	write_mounts(w);
	write_linux(w);
	json_w_end(w);
	json_w_finish(w, out);
}
