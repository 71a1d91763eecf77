/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that looks for a user's home asks the host for each step of the way to /etc/passwd, then for
 * the file: half a dozen round trips for each process that is started, which is why it is sent along.
 * Whether a mount hides it the guest knows.
 */
#include "runtime/vm_request.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/json.h"
#include "base/mem.h"
#include "microvm/proto.h"
#include "runtime/spec.h"
#include "runtime/vm_config.h"
#include "runtime/vm_control.h"

#define PASSWD_MAX (64u << 10) /* of a longer one the guest reads what it needs */

/*
 * The guest alone knows where a link leads, and for an image that has a device there it must not be
 * opened: so it is looked at first, without following anything, and opened by its descriptor.
 */
static int read_passwd(const char *root, struct buf *text)
{
	CLOSE_FD int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	CLOSE_FD int etc_fd = openat(root_fd, "etc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	CLOSE_FD int path_fd = openat(etc_fd, "passwd", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	FREE char *path = mem_xprintf("/proc/self/fd/%d", path_fd);
	CLOSE_FD int fd = -1;
	struct stat st;

	if (path_fd < 0 || fstat(path_fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return io_read_all(fd, "/etc/passwd", PASSWD_MAX, text, NULL);
}

/* Without the file: the root may not be where it was, for whoever calls exec. */
static void put_passwd(const char *root, struct buf *ret)
{
	BUF text = BUF_INIT;

	if (read_passwd(root, &text) == 0 && ret->len + text.len < PROTO_BODY_MAX / 2)
		proto_put_string(ret, PROTO_F_PASSWD, buf_str(&text));
}

/* Hooks that run on the host before the guest has the configuration in its hands. */
static bool may_change_root(const struct spec *spec)
{
	const size_t *n = spec->hooks.n;

	return n[HOOK_PRESTART] || n[HOOK_CREATE_RUNTIME] || n[HOOK_CREATE_CONTAINER];
}

int vm_request_create(const struct spec *spec, const struct vm_place *place,
		      const struct create_options *o, struct err *err)
{
	BUF config = BUF_INIT, fields = BUF_INIT;
	int rc = vm_config_for_guest(spec, place, &config, err);

	if (rc < 0)
		return rc;
	proto_put_bytes(&fields, PROTO_F_CONFIG, config.data, config.len);
	if (o->no_pivot)
		proto_put_u32(&fields, PROTO_F_NO_PIVOT, 1);
	if (o->no_new_keyring)
		proto_put_u32(&fields, PROTO_F_NO_NEW_KEYRING, 1);
	if (spec->has_process && !ns_env_get(spec->process.env, "HOME") && !may_change_root(spec) &&
	    !spec_annotation(spec, VM_ROOT_IMAGE_ANNOTATION))
		put_passwd(spec->rootfs.path, &fields);
	return vm_control_file("create", fields.data, fields.len, err);
}

static void put_string(enum proto_field type, const char *value, struct buf *ret)
{
	if (value)
		proto_put_string(ret, type, value);
}

static void put_strings(enum proto_field type, const char *const *list, struct buf *ret)
{
	if (list && list[0])
		proto_put_strings(ret, type, list);
}

static void put_options(const struct exec_options *o, struct buf *ret)
{
	proto_put_strings(ret, PROTO_F_ARGS, o->args);
	put_strings(PROTO_F_ENV, o->env, ret);
	put_string(PROTO_F_CWD, o->cwd, ret);
	if (o->has_user)
		proto_put_u32(ret, PROTO_F_UID, o->uid);
	if (o->has_gid)
		proto_put_u32(ret, PROTO_F_GID, o->gid);
	if (o->n_groups)
		proto_put_u32s(ret, PROTO_F_GROUPS, o->groups, o->n_groups);
	put_strings(PROTO_F_CAPABILITIES, o->caps, ret);
	put_string(PROTO_F_SELINUX_LABEL, o->selinux_label, ret);
	put_string(PROTO_F_APPARMOR_PROFILE, o->apparmor_profile, ret);
	if (o->no_new_privs)
		proto_put_u32(ret, PROTO_F_NO_NEW_PRIVS, 1);
}

static bool has_root_image(const struct container *c)
{
	for (size_t i = 0; i < c->n_annotations; i++) {
		if (strcmp(c->annotations[i].key, VM_ROOT_IMAGE_ANNOTATION) == 0)
			return true;
	}
	return false;
}

void vm_request_exec(const struct container *c, const struct exec_options *o,
		     const struct buf *text, const char *const *env, struct buf *ret)
{
	if (text)
		proto_put_bytes(ret, PROTO_F_PROCESS, text->data, text->len);
	else
		put_options(o, ret);
	if (!ns_env_get(env, "HOME") && !has_root_image(c))
		put_passwd(c->rootfs, ret);
}
