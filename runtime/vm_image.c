/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/vm_image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/json.h"
#include "base/mem.h"
#include "runtime/runtime.h"

#define VERSION    1
#define STATE      "state"
#define MEMORY     "memory"
#define SET        "working-set"
#define CONFIG     "config.json"
#define ABOUT      "hull.json"
#define UNFINISHED ".part"
#define ABOUT_MAX  (64u << 10)

/* ---- making one ---- */

static int make_file(int dir_fd, const char *name, int *ret, struct err *err)
{
	/* A checkpoint that was killed may have left one. */
	(void)unlinkat(dir_fd, name, 0);
	*ret = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return *ret < 0 ? err_sys(err, "make '%s'", name) : 0;
}

/* m has its directory. */
static int begin(struct vm_image_maker *m, struct vm_image_maker *ret, struct err *err)
{
	int rc = m->dir_fd < 0 ? err_sys(err, "open") : 0;

	if (rc == 0)
		rc = make_file(m->dir_fd, STATE UNFINISHED, &m->state_fd, err);
	if (rc == 0)
		rc = make_file(m->dir_fd, MEMORY UNFINISHED, &m->memory_fd, err);
	if (rc < 0) {
		vm_image_end(m);
		return err_wrap(err, rc, "checkpoint: directory '%s'", m->path);
	}
	*ret = *m;
	return 0;
}

int vm_image_begin(const char *path, struct vm_image_maker *ret, struct err *err)
{
	struct vm_image_maker m = VM_IMAGE_MAKER_INIT;

	m.path = path;
	m.made_dir = mkdir(path, 0700) == 0;
	if (!m.made_dir && errno != EEXIST)
		return err_sys(err, "checkpoint: make directory '%s'", path);
	m.dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return begin(&m, ret, err);
}

int vm_image_begin_at(int dir_fd, const char *path, struct vm_image_maker *ret, struct err *err)
{
	struct vm_image_maker m = VM_IMAGE_MAKER_INIT;

	m.path = path;
	m.dir_fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return begin(&m, ret, err);
}

/* Any write to the file changes it; so does a copy. A string of digits; caller frees. */
static char *stamp_of(const struct stat *st)
{
	return mem_xprintf("%llu %llu %lld %lld.%09ld %lld.%09ld", (unsigned long long)st->st_dev,
			   (unsigned long long)st->st_ino, (long long)st->st_size,
			   (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
			   (long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
}

static int finish(struct vm_image_maker *m, const char *guest_id, const struct buf *config,
		  struct err *err)
{
	FREE char *stamp = NULL, *about = NULL;
	struct stat st;
	int rc;

	(void)unlinkat(m->dir_fd, ABOUT, 0);
	(void)unlinkat(m->dir_fd, SET, 0);
	if (renameat(m->dir_fd, STATE UNFINISHED, m->dir_fd, STATE) < 0 ||
	    renameat(m->dir_fd, MEMORY UNFINISHED, m->dir_fd, MEMORY) < 0 ||
	    fstat(m->memory_fd, &st) < 0)
		return err_sys(err, "rename its files");
	stamp = stamp_of(&st);
	/* An id needs no escaping (container_check_id). */
	about = mem_xprintf("{\"version\": %d, \"id\": \"%s\", \"memory\": \"%s\"}\n", VERSION,
			    guest_id, stamp);
	rc = io_replace_file(m->dir_fd, CONFIG, 0600, buf_str(config), config->len, err);
	return rc < 0 ? rc : io_replace_file(m->dir_fd, ABOUT, 0600, about, strlen(about), err);
}

int vm_image_finish(struct vm_image_maker *m, const char *guest_id, const struct buf *config,
		    struct err *err)
{
	int rc = finish(m, guest_id, config, err);

	if (rc < 0)
		return err_wrap(err, rc, "checkpoint: directory '%s'", m->path);
	m->made_dir = false;
	return 0;
}

void vm_image_end(struct vm_image_maker *m)
{
	if (m->dir_fd >= 0) {
		(void)unlinkat(m->dir_fd, STATE UNFINISHED, 0);
		(void)unlinkat(m->dir_fd, MEMORY UNFINISHED, 0);
	}
	if (m->made_dir)
		(void)rmdir(m->path);
	fd_replace(&m->state_fd, -1);
	fd_replace(&m->memory_fd, -1);
	fd_replace(&m->dir_fd, -1);
}

/* ---- opening one ---- */

static int open_file(int dir_fd, const char *name, int *ret, struct err *err)
{
	struct stat st;

	/* Without waiting for a writer, should it be a fifo. */
	*ret = openat(dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (*ret < 0 || fstat(*ret, &st) < 0)
		return err_sys(err, "open '%s'", name);
	return S_ISREG(st.st_mode) ? 0 : err_set(err, EINVAL, "'%s' is not a regular file", name);
}

/* What it says of the memory's file is compared with what that is. */
static int read_about(int dir_fd, char **ret, char **ret_stamp, struct err *err)
{
	CLOSE_FD int fd = -1;
	BUF text = BUF_INIT;
	JSON *doc = NULL;
	const char *id = NULL, *stamp = "";
	uint32_t version = 0;
	int rc;

	if ((rc = open_file(dir_fd, ABOUT, &fd, err)) < 0 ||
	    (rc = io_read_all(fd, ABOUT, ABOUT_MAX, &text, err)) < 0 ||
	    (rc = json_parse(ABOUT, buf_str(&text), text.len, &doc, err)) < 0 ||
	    (rc = json_get_u32(json_root(doc), "version", &version, err)) < 0 ||
	    (rc = json_get_string(json_root(doc), "id", &id, err)) < 0 ||
	    (rc = json_get_string(json_root(doc), "memory", &stamp, err)) < 0)
		return rc;
	if (version != VERSION)
		return err_set(err, EINVAL, "'%s' has version %u, this program reads %d", ABOUT,
			       version, VERSION);
	if (!id)
		return err_set(err, EINVAL, "'%s' has no id", ABOUT);
	rc = container_check_id(id, err);
	if (rc == 0) {
		*ret = mem_xstrdup(id);
		*ret_stamp = mem_xstrdup(stamp);
	}
	return rc;
}

/* It is of use and no more: an image that cannot be written to goes without. */
static int open_working_set(int dir_fd)
{
	const int flags = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	CLOSE_FD int fd = openat(dir_fd, SET, O_RDWR | O_CREAT | flags, 0600);
	struct stat st;

	if (fd < 0)
		fd = openat(dir_fd, SET, O_RDONLY | flags);
	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? fd_take(&fd) : -1;
}

int vm_image_open_at(int dir_fd, struct vm_image *ret, struct err *err)
{
	FREE char *stamp = NULL, *found = NULL;
	struct vm_image i = VM_IMAGE_INIT;
	struct stat st;
	int rc;

	if ((rc = read_about(dir_fd, &i.guest_id, &stamp, err)) < 0 ||
	    (rc = open_file(dir_fd, STATE, &i.state_fd, err)) < 0 ||
	    (rc = open_file(dir_fd, MEMORY, &i.memory_fd, err)) < 0) {
		vm_image_close(&i);
		return rc;
	}
	found = fstat(i.memory_fd, &st) == 0 ? stamp_of(&st) : NULL;
	i.unchanged = found && strcmp(found, stamp) == 0;
	i.working_set_fd = open_working_set(dir_fd);
	*ret = i;
	return 0;
}

int vm_image_open(const char *path, struct vm_image *ret, struct err *err)
{
	CLOSE_FD int dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (dir_fd < 0)
		return err_sys(err, "restore: open directory '%s'", path);
	rc = vm_image_open_at(dir_fd, ret, err);
	return rc < 0 ? err_wrap(err, rc, "restore: directory '%s'", path) : 0;
}

void vm_image_close(struct vm_image *i)
{
	free(ptr_take(&i->guest_id));
	fd_replace(&i->state_fd, -1);
	fd_replace(&i->memory_fd, -1);
	fd_replace(&i->working_set_fd, -1);
}
