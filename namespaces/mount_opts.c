/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The option words of a mount: one table of names, searched by halves, that turns each word into
 * MS_ flags, a step of propagation, MOUNT_ATTR_ bits for the whole tree (the r* words) or a switch
 * of hull's own. A word that is not in the table belongs to the file system (runtime-spec
 * config.md, "Linux mount options"; man 8 mount; man 2 mount_setattr).
 *
 * The access time words are one choice out of three, not three bits: the last one wins. A negative
 * one (atime, norelatime, nostrictatime) goes back to the kernel's default, which is relatime, as
 * libmount does.
 */
#include "namespaces/namespaces.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/sys.h"

#define MS_ATIME_CHOICE (MS_NOATIME | MS_RELATIME | MS_STRICTATIME)

enum option_kind {
	OPT_IGNORED,
	OPT_SET,
	OPT_CLEAR,
	OPT_PROPAGATION,
	OPT_REC_SET,
	OPT_REC_CLEAR,
	OPT_REC_ATIME, /* value is the MOUNT_ATTR__ATIME choice */
	OPT_BIND,
	OPT_TMPCOPYUP,
	OPT_COPY_SYMLINK,
	OPT_IDMAP,
	OPT_IDMAP_RECURSIVE,
};

/* Sorted by name (strcmp). */
#define MOUNT_OPTIONS(X)                                                                           \
	X("async", OPT_CLEAR, MS_SYNCHRONOUS)                                                      \
	X("atime", OPT_CLEAR, MS_NOATIME)                                                          \
	X("bind", OPT_BIND, MS_BIND)                                                               \
	X("copy-symlink", OPT_COPY_SYMLINK, 0)                                                     \
	X("defaults", OPT_IGNORED, 0)                                                              \
	X("dev", OPT_CLEAR, MS_NODEV)                                                              \
	X("diratime", OPT_CLEAR, MS_NODIRATIME)                                                    \
	X("dirsync", OPT_SET, MS_DIRSYNC)                                                          \
	X("exec", OPT_CLEAR, MS_NOEXEC)                                                            \
	X("idmap", OPT_IDMAP, 0)                                                                   \
	X("iversion", OPT_SET, MS_I_VERSION)                                                       \
	X("lazytime", OPT_SET, MS_LAZYTIME)                                                        \
	X("loud", OPT_CLEAR, MS_SILENT)                                                            \
	X("mand", OPT_SET, MS_MANDLOCK)                                                            \
	X("noatime", OPT_SET, MS_NOATIME)                                                          \
	X("nodev", OPT_SET, MS_NODEV)                                                              \
	X("nodiratime", OPT_SET, MS_NODIRATIME)                                                    \
	X("noexec", OPT_SET, MS_NOEXEC)                                                            \
	X("noiversion", OPT_CLEAR, MS_I_VERSION)                                                   \
	X("nolazytime", OPT_CLEAR, MS_LAZYTIME)                                                    \
	X("nomand", OPT_CLEAR, MS_MANDLOCK)                                                        \
	X("norelatime", OPT_CLEAR, MS_RELATIME)                                                    \
	X("nostrictatime", OPT_CLEAR, MS_STRICTATIME)                                              \
	X("nosuid", OPT_SET, MS_NOSUID)                                                            \
	X("nosymfollow", OPT_SET, MS_NOSYMFOLLOW)                                                  \
	X("private", OPT_PROPAGATION, MS_PRIVATE)                                                  \
	X("ratime", OPT_REC_ATIME, MOUNT_ATTR_RELATIME)                                            \
	X("rbind", OPT_BIND, MS_BIND | MS_REC)                                                     \
	X("rdev", OPT_REC_CLEAR, MOUNT_ATTR_NODEV)                                                 \
	X("rdiratime", OPT_REC_CLEAR, MOUNT_ATTR_NODIRATIME)                                       \
	X("relatime", OPT_SET, MS_RELATIME)                                                        \
	X("remount", OPT_SET, MS_REMOUNT)                                                          \
	X("rexec", OPT_REC_CLEAR, MOUNT_ATTR_NOEXEC)                                               \
	X("ridmap", OPT_IDMAP_RECURSIVE, 0)                                                        \
	X("rnoatime", OPT_REC_ATIME, MOUNT_ATTR_NOATIME)                                           \
	X("rnodev", OPT_REC_SET, MOUNT_ATTR_NODEV)                                                 \
	X("rnodiratime", OPT_REC_SET, MOUNT_ATTR_NODIRATIME)                                       \
	X("rnoexec", OPT_REC_SET, MOUNT_ATTR_NOEXEC)                                               \
	X("rnorelatime", OPT_REC_ATIME, MOUNT_ATTR_RELATIME)                                       \
	X("rnostrictatime", OPT_REC_ATIME, MOUNT_ATTR_RELATIME)                                    \
	X("rnosuid", OPT_REC_SET, MOUNT_ATTR_NOSUID)                                               \
	X("rnosymfollow", OPT_REC_SET, MOUNT_ATTR_NOSYMFOLLOW)                                     \
	X("ro", OPT_SET, MS_RDONLY)                                                                \
	X("rprivate", OPT_PROPAGATION, MS_PRIVATE | MS_REC)                                        \
	X("rrelatime", OPT_REC_ATIME, MOUNT_ATTR_RELATIME)                                         \
	X("rro", OPT_REC_SET, MOUNT_ATTR_RDONLY)                                                   \
	X("rrw", OPT_REC_CLEAR, MOUNT_ATTR_RDONLY)                                                 \
	X("rshared", OPT_PROPAGATION, MS_SHARED | MS_REC)                                          \
	X("rslave", OPT_PROPAGATION, MS_SLAVE | MS_REC)                                            \
	X("rstrictatime", OPT_REC_ATIME, MOUNT_ATTR_STRICTATIME)                                   \
	X("rsuid", OPT_REC_CLEAR, MOUNT_ATTR_NOSUID)                                               \
	X("rsymfollow", OPT_REC_CLEAR, MOUNT_ATTR_NOSYMFOLLOW)                                     \
	X("runbindable", OPT_PROPAGATION, MS_UNBINDABLE | MS_REC)                                  \
	X("rw", OPT_CLEAR, MS_RDONLY)                                                              \
	X("shared", OPT_PROPAGATION, MS_SHARED)                                                    \
	X("silent", OPT_SET, MS_SILENT)                                                            \
	X("slave", OPT_PROPAGATION, MS_SLAVE)                                                      \
	X("strictatime", OPT_SET, MS_STRICTATIME)                                                  \
	X("suid", OPT_CLEAR, MS_NOSUID)                                                            \
	X("symfollow", OPT_CLEAR, MS_NOSYMFOLLOW)                                                  \
	X("sync", OPT_SET, MS_SYNCHRONOUS)                                                         \
	X("tmpcopyup", OPT_TMPCOPYUP, 0)                                                           \
	X("unbindable", OPT_PROPAGATION, MS_UNBINDABLE)

struct mount_option {
	const char *name;
	enum option_kind kind;
	unsigned long value;
};

#define AS_ENTRY(name, kind, value) {name, kind, value},
static const struct mount_option options_table[] = {MOUNT_OPTIONS(AS_ENTRY)};

#define AS_NAME(name, kind, value) name,
static const char *const option_names[] = {MOUNT_OPTIONS(AS_NAME) NULL};

const char *const *ns_mount_option_names(void)
{
	return option_names;
}

static const struct mount_option *option_find(const char *name)
{
	size_t low = 0, high = ARRAY_SIZE(options_table);

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(name, options_table[mid].name);

		if (order == 0)
			return &options_table[mid];
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

static void flag_set(struct ns_mount *m, unsigned long value)
{
	if (value & MS_ATIME_CHOICE) {
		m->flags &= ~(unsigned long)MS_ATIME_CHOICE;
		m->clear_flags &= ~(unsigned long)MS_ATIME_CHOICE;
	}
	m->flags |= value;
	m->clear_flags &= ~value;
}

static void flag_clear(struct ns_mount *m, unsigned long value)
{
	m->flags &= ~value;
	m->clear_flags |= value;
}

static void rec_atime(struct ns_mount *m, uint64_t choice)
{
	m->rec_clear |= MOUNT_ATTR__ATIME;
	m->rec_set = (m->rec_set & ~(uint64_t)MOUNT_ATTR__ATIME) | choice;
}

/* prop has room for one entry a word. */
static void option_apply(const struct mount_option *o, struct ns_mount *m, unsigned long *prop)
{
	switch (o->kind) {
	case OPT_IGNORED:
		break;
	case OPT_SET:
		flag_set(m, o->value);
		break;
	case OPT_CLEAR:
		flag_clear(m, o->value);
		break;
	case OPT_PROPAGATION:
		prop[m->n_propagation++] = o->value;
		break;
	case OPT_REC_SET:
		m->rec_set |= o->value;
		m->rec_clear &= ~(uint64_t)o->value;
		break;
	case OPT_REC_CLEAR:
		m->rec_set &= ~(uint64_t)o->value;
		m->rec_clear |= o->value;
		break;
	case OPT_REC_ATIME:
		rec_atime(m, o->value);
		break;
	case OPT_BIND:
		m->bind = true;
		m->flags |= o->value;
		break;
	case OPT_TMPCOPYUP:
		m->tmpcopyup = true;
		break;
	case OPT_COPY_SYMLINK:
		m->copy_symlink = true;
		break;
	case OPT_IDMAP:
		m->idmap = true;
		break;
	case OPT_IDMAP_RECURSIVE:
		m->idmap = true;
		m->idmap_recursive = true;
		break;
	}
}

int ns_mount_options(const char *const *options, size_t n, struct ns_mount *m, struct arena *a,
		     struct err *err)
{
	BUF data = BUF_INIT;
	const char *unknown = NULL;
	unsigned long *prop = NULL;

	m->flags = m->clear_flags = 0;
	m->rec_set = m->rec_clear = 0;
	m->propagation = NULL;
	m->n_propagation = 0;
	m->data = NULL;
	m->bind = m->tmpcopyup = m->copy_symlink = m->idmap = m->idmap_recursive = false;
	if (n)
		prop = arena_alloc(a, n, sizeof(*prop));
	m->propagation = prop;
	for (size_t i = 0; i < n; i++) {
		const struct mount_option *o = option_find(options[i]);

		if (o) {
			option_apply(o, m, prop);
			continue;
		}
		if (options[i][0] == '\0')
			continue;
		if (!unknown)
			unknown = options[i];
		if (data.len)
			buf_addc(&data, ',');
		buf_adds(&data, options[i]);
	}
	/* A bind has no file system options: the kernel would drop them without a word. */
	if (m->bind && unknown)
		return err_set(err, EINVAL, "option '%s' is not possible on a bind mount", unknown);
	if (data.len)
		m->data = arena_strdup(a, data.data);
	return 0;
}
