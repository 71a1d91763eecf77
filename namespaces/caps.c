// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Capabilities: names, and the sets of the process that is about to be executed (man 7
 * capabilities).
 *
 * The bounding set is read and dropped one prctl a capability up to the first EINVAL, which is the
 * kernel's own way of naming its last one; asking procfs first would cost as much. The other sets
 * are one capset. A capability that the runtime itself does not hold cannot be granted:
 * runtime-spec config.md wants a warning for it, not an error.
 *
 * Only the system calls' prototypes come from libcap; its cap_t objects would allocate in a child
 * between clone and execve.
 */
#include "namespaces/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/proc.h"

/* In the order of linux/capability.h. */
static const char *const cap_names[] = {
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
};

#define CAP_WORD_BITS 32
#define CAP_BITS      64

int ns_cap_parse(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(cap_names); i++)
		if (strcmp(cap_names[i], name) == 0)
			return (int)i;
	return -EINVAL;
}

const char *ns_cap_name(int cap)
{
	return cap >= 0 && (size_t)cap < ARRAY_SIZE(cap_names) ? cap_names[cap] : NULL;
}

int ns_cap_last(int proc_fd)
{
	CLOSE_FD int fd = proc_open(proc_fd, "sys/kernel/cap_last_cap", O_RDONLY, NULL);
	char text[16] = "";
	uint32_t last;
	ssize_t n;

	if (fd < 0)
		return fd;
	n = io_read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return (int)n;
	text[strcspn(text, "\n")] = '\0';
	if (parse_u32(text, &last) < 0 || last >= CAP_BITS)
		return -EPROTO;
	return (int)last;
}

int ns_caps_drop_bounding(uint64_t want, uint64_t *ret_missing, struct err *err)
{
	uint64_t missing = 0;
	int cap;

	for (cap = 0; cap < CAP_BITS; cap++) {
		int held = 1;

		if (want >> cap & 1) {
			held = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
			if (held == 0)
				missing |= UINT64_C(1) << cap;
		} else if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
			/* Without CAP_SETPCAP there may still be nothing to drop. */
			if (errno == EPERM && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 0)
				continue;
			held = -1;
		}
		if (held < 0) {
			if (errno == EINVAL && cap > 0)
				break;
			return err_sys(err, "drop %s from the bounding set",
				       ns_cap_name(cap) ?: "a capability");
		}
	}
	if (cap < CAP_BITS)
		missing |= want & (UINT64_MAX << cap);
	*ret_missing = missing;
	return 0;
}

static uint64_t cap_word(uint32_t low, uint32_t high)
{
	return low | (uint64_t)high << CAP_WORD_BITS;
}

bool ns_caps_effective(int cap)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	return capget(&header, data) == 0 &&
	       cap_word(data[0].effective, data[1].effective) >> cap & 1;
}

static int raise_ambient(uint64_t ambient, struct err *err)
{
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return err_sys(err, "clear the ambient capabilities");
	for (int cap = 0; cap < CAP_BITS && ambient >> cap; cap++) {
		if (!(ambient >> cap & 1))
			continue;
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return err_sys(err, "raise ambient %s", ns_cap_name(cap) ?: "capability");
	}
	return 0;
}

int ns_caps_set(const struct ns_caps *want, uint64_t *missing, struct err *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	uint64_t own_permitted, own_inheritable, permitted, effective, inheritable, ambient;

	if (capget(&header, data) < 0)
		return err_sys(err, "read the capabilities");
	own_permitted = cap_word(data[0].permitted, data[1].permitted);
	own_inheritable = cap_word(data[0].inheritable, data[1].inheritable);

	permitted = want->permitted & own_permitted;
	effective = want->effective & permitted;
	/* The kernel adds to the inheritable set only what the bounding set holds. */
	inheritable = want->inheritable &
		      (own_inheritable | ((own_permitted & want->bounding) & ~*missing));
	ambient = want->ambient & permitted & inheritable;

	for (int i = 0; i < 2; i++) {
		data[i].permitted = (uint32_t)(permitted >> CAP_WORD_BITS * i);
		data[i].effective = (uint32_t)(effective >> CAP_WORD_BITS * i);
		data[i].inheritable = (uint32_t)(inheritable >> CAP_WORD_BITS * i);
	}
	if (capset(&header, data) < 0)
		return err_sys(err, "set the capabilities");
	*missing |= (want->permitted & ~permitted) | (want->effective & ~effective) |
		    (want->inheritable & ~inheritable) | (want->ambient & ~ambient);
	return raise_ambient(ambient, err);
}

void ns_caps_warn_missing(uint64_t missing)
{
	BUF names = BUF_INIT;

	if (!missing)
		return;
	for (int cap = 0; cap < CAP_BITS; cap++)
		if (missing >> cap & 1)
			buf_addf(&names, " %s", ns_cap_name(cap) ?: "?");
	log_warn("process.capabilities that cannot be granted, ignoring:%s", buf_str(&names));
}
