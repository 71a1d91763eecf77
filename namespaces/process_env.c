// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the container's own files say about its process: which file args[0] is, and where its user
 * is at home. Both are read inside the new root, if not known before. /etc/passwd is read by hand,
 * because NSS would load the image's libraries into the runtime (CVE-2019-14271), and only ever
 * searched for a number: a uid given as a number is never taken for a name (CVE-2016-3697).
 */
#include "namespaces/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/path.h"

#define PASSWD_MAX (16u << 20) /* bytes of it that are read */

const char *ns_env_get(const char *const *env, const char *name)
{
	const char *found = NULL;
	size_t len = strlen(name);

	for (; env && *env; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			found = *env + len + 1;
	return found;
}

/* 0 when path can be executed by the caller, -EACCES when it is there and cannot, else -errno. */
static int check_executable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EACCES;
	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0)
		return 0;
	/* A filter of older days answers so to faccessat2(2), which it does not know. */
	if (errno == EPERM || errno == ENOSYS)
		return st.st_mode & 0111 ? 0 : -EACCES;
	return -errno;
}

static int find_by_path(const char *name, const char *search, char **ret)
{
	int found = -ENOENT;

	while (search && *name) {
		size_t len = strcspn(search, ":");
		FREE char *path = len ? mem_xprintf("%.*s/%s", (int)len, search, name)
				      : mem_xprintf("./%s", name);
		struct stat st;
		int rc = check_executable(path);

		if (rc == 0) {
			*ret = ptr_take(&path);
			return 0;
		}
		if (rc == -EACCES && stat(path, &st) == 0 && S_ISREG(st.st_mode))
			found = -EACCES;
		search = search[len] ? search + len + 1 : NULL;
	}
	return found;
}

/* The words that podman and docker look for, letter case included, to exit with 126 and 127. */
static int cannot_execute(const char *name, int errnum, struct err *err)
{
	if (errnum == EACCES)
		return err_set(err, errnum, "process.args: executable '%s': permission denied",
			       name);
	if (errnum == ENOENT)
		return err_set(err, errnum,
			       "process.args: executable '%s': no such file or directory", name);
	return err_code(err, errnum, "process.args: executable '%s'", name);
}

int ns_process_find(const struct ns_process *p, char **ret, struct err *err)
{
	const char *name = p->args[0];
	const char *search;
	int rc;

	if (strchr(name, '/')) {
		rc = check_executable(name);
		if (rc < 0)
			return cannot_execute(name, -rc, err);
		*ret = mem_xstrdup(name);
		return 0;
	}
	search = ns_env_get(p->env, "PATH");
	rc = find_by_path(name, search && *search ? search : NULL, ret);
	if (rc == -EACCES)
		return cannot_execute(name, EACCES, err);
	if (rc < 0)
		return err_set(err, -rc, "process.args: '%s': executable file not found in $PATH",
			       name);
	return 0;
}

/* "name:password:uid:gid:gecos:home:shell"; the home of uid, NULL when line is another user's. */
static char *passwd_home(char *line, uint32_t uid)
{
	char *field[6];
	uint32_t number;

	for (size_t i = 0; i < ARRAY_SIZE(field); i++) {
		field[i] = strsep(&line, ":");
		if (!field[i])
			return NULL;
	}
	if (parse_u32(field[2], &number) < 0 || number != uid)
		return NULL;
	return field[5];
}

/* O_NONBLOCK: an image may have put a FIFO there. */
static int read_passwd(struct buf *text)
{
	CLOSE_FD int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CLOSE_FD int fd = -1;
	struct stat st;

	if (root_fd < 0)
		return -errno;
	fd = path_open_in(root_fd, "/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, NULL);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -EINVAL;
	return io_read_all(fd, "/etc/passwd", PASSWD_MAX, text, NULL);
}

char *ns_process_home(const struct ns_process *p)
{
	BUF text = BUF_INIT;
	char *rest = p->passwd, *line, *found = NULL;

	if (ns_env_get(p->env, "HOME"))
		return NULL;
	if (!rest && read_passwd(&text) == 0)
		rest = text.data;
	while (!found && (line = strsep(&rest, "\n")))
		found = passwd_home(line, p->uid);
	return mem_xprintf("HOME=%s", found && *found ? found : "/");
}
