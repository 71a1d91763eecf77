/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that looks for a user's home asks the host for each step of the way to /etc/passwd, then for
 * the file: half a dozen round trips for each process that is started, which is why the host looks.
 */
#include "runtime/vm_home.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "runtime/vm_config.h"

/* A mount at /, /etc or /etc/passwd, whose content may be the guest's alone; or what is no mount. */
static bool hides_passwd(const struct json_node *mount)
{
	const char *destination = NULL;

	if (json_get_string(mount, "destination", &destination, NULL) <= 0)
		return true;

	/* a relative one counts from / */
	FREE char *absolute = mem_xprintf("/%s", destination);
	FREE char *place = path_clean(absolute);

	return strcmp(place, "/") == 0 || strcmp(place, "/etc") == 0 ||
	       strcmp(place, "/etc/passwd") == 0;
}

/*
 * The guest alone knows where a link leads, and for an image that has a device there it must not be
 * opened: so it is looked at first, without following anything, and opened by its descriptor.
 */
static int read_passwd(const char *root, struct buf *text)
{
	CLOSE_FD int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	CLOSE_FD int etc_fd =
		openat(root_fd, "etc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
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
	return io_read_all(fd, "/etc/passwd", NS_PASSWD_MAX, text, NULL);
}

char *vm_home(const struct spec *spec, const struct ns_process *p)
{
	BUF text = BUF_INIT;

	if (ns_env_get(p->env, "HOME") || spec_annotation(spec, VM_ROOT_IMAGE_ANNOTATION))
		return NULL;
	json_each (mount, json_get(json_root(spec->doc), "mounts")) {
		if (hides_passwd(mount))
			return NULL;
	}
	/* Without the file: the root may not be where it was, for whoever calls exec. */
	if (read_passwd(spec->rootfs.path, &text) < 0)
		return NULL;
	return ns_home_of(text.data, p->uid);
}
