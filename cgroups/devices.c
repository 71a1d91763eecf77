// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which devices a group may use. The configuration is a list of rules of which, for each of read,
 * write and mknod, the last that matches decides; nothing is denied that no rule denies. Every
 * container gets a few rules more behind its own: any node may be made, and the harmless character
 * devices may be used. cgroup2 runs the list as a program (devices_bpf.c). The v1 controller keeps
 * a default and exceptions to it, so the list is turned into that form first, which also drops what
 * has no effect: a rule costs a system call there. A list that this form cannot hold is refused.
 *
 * See runtime-spec config-linux.md#allowed-device-list and cgroup-v1/devices.rst.
 */
#include "cgroups/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"

#define RULE(t, maj, min, r, w, m)                                                                 \
	{                                                                                          \
		.allow = true, .type = t, .major = maj, .minor = min, .read = r, .write = w,       \
		.mknod = m                                                                         \
	}

static const struct cgroup_device_rule default_rules[] = {
	RULE('c', -1, -1, false, false, true), /* mknod of anything */
	RULE('b', -1, -1, false, false, true), RULE('c', 1, 3, true, true, true), /* null */
	RULE('c', 1, 5, true, true, true),                                        /* zero */
	RULE('c', 1, 7, true, true, true),                                        /* full */
	RULE('c', 1, 8, true, true, true),                                        /* random */
	RULE('c', 1, 9, true, true, true),                                        /* urandom */
	RULE('c', 5, 0, true, true, true),                                        /* tty */
	RULE('c', 5, 1, true, true, true),                                        /* console */
	RULE('c', 5, 2, true, true, true),                                        /* ptmx */
	RULE('c', 136, -1, true, true, true),                                     /* pts */
};

void cgroup_device_list_add(struct cgroup_device_list *dl, const struct cgroup_device_rule *r)
{
	if (dl->n == dl->cap) {
		dl->cap = dl->cap ? dl->cap * 2 : 32;
		dl->rules = mem_xrealloc(dl->rules, dl->cap, sizeof(*dl->rules));
	}
	dl->rules[dl->n++] = *r;
}

void cgroup_devices_effective(const struct cgroup_limits *l, struct cgroup_device_list *ret)
{
	for (size_t i = 0; i < l->n_devices; i++)
		cgroup_device_list_add(ret, &l->devices[i]);
	for (size_t i = 0; i < ARRAY_SIZE(default_rules); i++)
		cgroup_device_list_add(ret, &default_rules[i]);
}

/* ---- the list as a default and exceptions ---- */

static bool is_everything(const struct cgroup_device_rule *r)
{
	return r->type == 'a' && r->major < 0 && r->minor < 0 && r->read && r->write && r->mknod;
}

/* Whether a's devices, access aside, are all among b's. */
static bool within(const struct cgroup_device_rule *a, const struct cgroup_device_rule *b)
{
	return a->type == b->type && (b->major < 0 || a->major == b->major) &&
	       (b->minor < 0 || a->minor == b->minor);
}

static bool overlap(const struct cgroup_device_rule *a, const struct cgroup_device_rule *b)
{
	return a->type == b->type && (a->major < 0 || b->major < 0 || a->major == b->major) &&
	       (a->minor < 0 || b->minor < 0 || a->minor == b->minor);
}

static bool has_access(const struct cgroup_device_rule *r)
{
	return r->read || r->write || r->mknod;
}

static void add_exception(struct cgroup_device_list *dl, const struct cgroup_device_rule *r)
{
	struct cgroup_device_rule e = *r;

	for (size_t i = 0; i < dl->n; i++) {
		const struct cgroup_device_rule *have = &dl->rules[i];

		if (!within(&e, have))
			continue;
		if (within(have, &e)) {
			dl->rules[i].read |= e.read;
			dl->rules[i].write |= e.write;
			dl->rules[i].mknod |= e.mknod;
			return;
		}
		if (have->read >= e.read && have->write >= e.write && have->mknod >= e.mknod)
			return;
	}
	cgroup_device_list_add(dl, &e);
}

/* Takes r's access away from the exceptions it covers. false: it covers one only in part. */
static bool cut_exceptions(struct cgroup_device_list *dl, const struct cgroup_device_rule *r)
{
	size_t n = 0;

	for (size_t i = 0; i < dl->n; i++) {
		struct cgroup_device_rule e = dl->rules[i];

		if (overlap(&e, r)) {
			bool common = (e.read && r->read) || (e.write && r->write) ||
				      (e.mknod && r->mknod);

			if (common && !within(&e, r))
				return false;
			e.read &= !r->read || !common;
			e.write &= !r->write || !common;
			e.mknod &= !r->mknod || !common;
		}
		if (has_access(&e))
			dl->rules[n++] = e;
	}
	dl->n = n;
	return true;
}

static bool apply_rule(struct cgroup_device_list *dl, bool *allow,
		       const struct cgroup_device_rule *r)
{
	struct cgroup_device_rule one = *r;
	bool ok = true;

	if (is_everything(r)) {
		*allow = r->allow;
		dl->n = 0;
		return true;
	}
	for (const char *type = "bc"; *type; type++) {
		if (r->type != 'a' && r->type != *type)
			continue;
		one.type = *type;
		if (r->allow == *allow)
			ok = ok && cut_exceptions(dl, &one);
		else if (has_access(r))
			add_exception(dl, &one);
	}
	return ok;
}

/* Index of the first rule that does not fit, or -1. */
static ssize_t reduce(const struct cgroup_device_list *rules, bool *allow,
		      struct cgroup_device_list *dl)
{
	for (size_t i = 0; i < rules->n; i++)
		if (!apply_rule(dl, allow, &rules->rules[i]))
			return (ssize_t)i;
	return -1;
}

int cgroup_devices_reduce(const struct cgroup_device_list *rules, bool *ret_allow,
			  struct cgroup_device_list *ret, struct err *err)
{
	static const struct cgroup_device_rule both[] = {
		RULE('b', -1, -1, true, true, true),
		RULE('c', -1, -1, true, true, true),
	};
	ssize_t bad;

	*ret_allow = true;
	ret->n = 0;
	if (reduce(rules, ret_allow, ret) < 0)
		return 0;
	/* The same with "all devices" said as a denial of all and two wide exceptions. */
	*ret_allow = false;
	ret->n = 0;
	for (size_t i = 0; i < ARRAY_SIZE(both); i++)
		cgroup_device_list_add(ret, &both[i]);
	bad = reduce(rules, ret_allow, ret);
	if (bad < 0)
		return 0;
	return cgroup_property_error(
		err, EINVAL, "devices",
		"entry %zd takes a part out of a wider entry before it, which cgroup "
		"v1 cannot express",
		bad);
}

/* ---- writing v1 lists ---- */

static void format_number(char *buf, size_t size, int64_t n)
{
	if (n < 0)
		(void)snprintf(buf, size, "*");
	else
		(void)snprintf(buf, size, "%lld", (long long)n);
}

static int write_rules(int dirfd, const char *file, const struct cgroup_device_list *dl,
		       struct err *err)
{
	CLOSE_FD int fd = openat(dirfd, file, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open '%s'", file);
	for (size_t i = 0; i < dl->n; i++) {
		const struct cgroup_device_rule *e = &dl->rules[i];
		char major[24], minor[24], line[64];
		int len, r;

		format_number(major, sizeof(major), e->major);
		format_number(minor, sizeof(minor), e->minor);
		len = snprintf(line, sizeof(line), "%c %s:%s %s%s%s", e->type, major, minor,
			       e->read ? "r" : "", e->write ? "w" : "", e->mknod ? "m" : "");
		r = io_write(fd, line, (size_t)len);
		if (r < 0)
			return err_code(err, -r, "write '%s' to '%s'", line, file);
	}
	return 0;
}

static int v1_apply(struct cgroup_hier *h, const struct cgroup_device_list *rules, struct err *err)
{
	DEVICE_LIST dl = {0};
	bool allow;
	int r = cgroup_devices_reduce(rules, &allow, &dl, err);

	if (r < 0)
		return r;
	/* A new group has what the group above it has; only one that was there before needs a
	 * reset. */
	if (!allow || h->n_made == 0)
		r = cgroup_write(h, allow ? "devices.allow" : "devices.deny", "a", err);
	if (r == 0 && dl.n > 0) {
		int dirfd = cgroup_hier_fd(h, err);

		r = dirfd < 0 ? dirfd
			      : write_rules(dirfd, allow ? "devices.deny" : "devices.allow", &dl,
					    err);
	}
	return r;
}

/* ---- both ---- */

/* Root of a user namespace other than the first may be refused device rules; it lacks them anyway.
 */
static bool is_real_root(void)
{
	char text[128];
	char *rest = text;
	const char *inside, *outside, *count;

	if (geteuid() != 0)
		return false;
	if (cgroup_read_at(AT_FDCWD, "/proc/self/uid_map", text, sizeof(text), NULL) < 0)
		return true;
	inside = cgroup_word(&rest, " \n");
	outside = cgroup_word(&rest, " \n");
	count = cgroup_word(&rest, " \n");
	return count && strcmp(inside, "0") == 0 && strcmp(outside, "0") == 0 &&
	       strcmp(count, "4294967295") == 0;
}

int cgroup_devices_apply(struct cgroup *cg, const struct cgroup_limits *l, struct err *err)
{
	DEVICE_LIST rules = {0};
	int r;

	if (l->n_devices == 0)
		return 0;
	cgroup_devices_effective(l, &rules);
	if (cg->at[CTRL_DEVICES])
		r = v1_apply(cg->at[CTRL_DEVICES], &rules, err);
	else if (cg->v2)
		r = cgroup_devices_bpf_apply(cg->v2, &rules, err);
	else
		return cgroup_property_error(err, EOPNOTSUPP, "devices",
					     "this host has no device controller");
	if ((r == -EPERM || r == -EACCES) && !is_real_root())
		return 0;
	return r < 0 ? err_wrap(err, r, "device rules of cgroup '%s'", cg->path) : 0;
}
