/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A template that does not fit, is damaged or was tampered with counts as not there and is made again.
 * It is made by a hull-vmm of its own, which is a child of this process and in its cgroup: what the
 * template holds is not the container's memory. There are never more than a few; the one that was not
 * used for the longest time goes first, its files living on in the machines that have them.
 */
#include "runtime/vm_template.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/driver_vm.h"
#include "runtime/sync.h"

#define DIRECTORY     ".templates"
#define KEY           "config.json"
#define SHARE         "share" /* what the machine that is saved has for a shared directory */
#define NAME_LEN      17
#define TEMPLATES_MAX 8
#define TOUCH_AFTER_S 60
#define LAYOUT        1 /* of the machine's devices: another number makes other templates */

/* ---- which ---- */

static uint64_t hash(const struct buf *key)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (size_t i = 0; i < key->len; i++)
		h = (h ^ (uint8_t)key->data[i]) * UINT64_C(0x100000001b3);
	return h;
}

/* Which file it is, and when it was changed: to read it whole would take longer than a start may. */
static int put_file(struct json_writer *w, const char *key, const char *path, int fd, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "%s '%s' of the virtual machine", key, path);
	json_w_object(w, key);
	json_w_string(w, "path", path);
	json_w_u64(w, "device", st.st_dev);
	json_w_u64(w, "inode", st.st_ino);
	json_w_i64(w, "size", st.st_size);
	json_w_i64(w, "mtime", st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec);
	json_w_i64(w, "ctime", st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec);
	json_w_end(w);
	return 0;
}

/*
 * The processor is the host's, and so does not change while it runs; its kernel's build stands for
 * what it offers of it.
 */
static int make_key(const struct vm_setup *vm, struct buf *ret, struct err *err)
{
	struct json_writer *w = json_w_new(true);
	const struct vm_machine *m = &vm->machine;
	struct utsname host = {0};
	int rc;

	(void)uname(&host);
	json_w_object(w, NULL);
	json_w_u64(w, "layout", LAYOUT);
	json_w_string(w, "version", HULL_VERSION);
	json_w_string(w, "release", host.release);
	json_w_string(w, "build", host.version);
	json_w_u64(w, "cpus", m->cpus);
	json_w_u64(w, "memory", m->memory);
	json_w_bool(w, "hugepages", m->hugepages);
	json_w_u64(w, "root-flags", vm->root_flags); /* the share is mounted */
	json_w_string(w, "cmdline", m->cmdline ? m->cmdline : "");
	if ((rc = put_file(w, "program", m->program, vm->program_fd, err)) == 0 &&
	    (rc = put_file(w, "kernel", m->kernel, vm->kernel_fd, err)) == 0)
		rc = put_file(w, "initramfs", m->initramfs, vm->initramfs_fd, err);
	json_w_end(w);
	json_w_finish(w, ret);
	return rc;
}

/* ---- where ---- */

static int open_dir(int at, const char *name, struct err *err)
{
	CLOSE_FD int fd = -1;
	struct stat st;

	if (mkdirat(at, name, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "make directory '%s'", name);
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "open directory '%s'", name);
	if (st.st_uid != geteuid() || st.st_mode & 077)
		return err_set(err, EPERM, "directory '%s' is not closed to others", name);
	return fd_take(&fd);
}

static void remove_dir(int at, const char *name)
{
	static const char *const files[] = {VM_TEMPLATE_ABOUT, KEY, "state", "memory",
					     "working-set"};
	CLOSE_FD int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	for (size_t i = 0; fd >= 0 && i < ARRAY_SIZE(files); i++)
		(void)unlinkat(fd, files[i], 0);
	(void)unlinkat(at, name, AT_REMOVEDIR);
}

static void find_oldest(int at, DIR *d, char ret[static NAME_LEN], size_t *ret_n)
{
	struct timespec oldest = {0};
	struct stat st;

	*ret_n = 0;
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		if (strlen(e->d_name) != NAME_LEN - 1 ||
		    fstatat(at, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if ((*ret_n)++ == 0 || st.st_mtim.tv_sec < oldest.tv_sec ||
		    (st.st_mtim.tv_sec == oldest.tv_sec && st.st_mtim.tv_nsec < oldest.tv_nsec)) {
			oldest = st.st_mtim;
			snprintf(ret, NAME_LEN, "%s", e->d_name);
		}
	}
}

/* Before one more is made. */
static void make_room(int at)
{
	char name[NAME_LEN];
	size_t n = TEMPLATES_MAX + 1;

	while (n > TEMPLATES_MAX) {
		int fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		DIR *d = fd < 0 ? NULL : fdopendir(fd);

		if (!d) {
			fd_close(fd);
			return;
		}
		find_oldest(at, d, name, &n);
		(void)closedir(d);
		if (n > TEMPLATES_MAX)
			remove_dir(at, name);
	}
}

/* Keeps one that is in use from being the oldest. */
static void touch(int dir_fd)
{
	struct stat st;

	if (fstat(dir_fd, &st) == 0 && time(NULL) - st.st_mtime > TOUCH_AFTER_S)
		(void)futimens(dir_fd, NULL);
}

/* ---- one that is there ---- */

static int open_image(int dir_fd, const struct buf *key, struct vm_image *ret, struct err *err)
{
	struct vm_image i = VM_IMAGE_INIT;
	BUF found = BUF_INIT;
	int rc = vm_image_open_at(dir_fd, &i, err);

	if (rc < 0)
		return rc;
	rc = io_read_file(dir_fd, KEY, JSON_MAX_BYTES, &found, err);
	if (rc == 0 && (found.len != key->len || memcmp(found.data, key->data, key->len) != 0))
		rc = err_set(err, EINVAL, "'%s' is that of another machine", KEY);
	if (rc == 0 && !i.unchanged)
		rc = err_set(err, EINVAL, "'memory' has been changed");
	if (rc < 0) {
		vm_image_close(&i);
		return rc;
	}
	touch(dir_fd);
	*ret = i;
	return 0;
}

/* ---- making one ---- */

static char *number(int n)
{
	return mem_xprintf("%d", n);
}

static void __attribute__((noreturn))
run_maker(const struct vm_setup *vm, const struct vm_image_maker *m, int share_fd, int sync_fd)
{
	const struct vm_machine *machine = &vm->machine;
	const int fds[] = {vm->kvm_fd, vm->kernel_fd, vm->initramfs_fd, share_fd,
			   sync_fd,    m->state_fd,   m->memory_fd};
	char *memory = mem_xprintf("%llu", (unsigned long long)machine->memory);
	char *root_flags = mem_xprintf("%u", vm->root_flags);
	char *argv[] = {
		(char *)VM_PROGRAM,	 (char *)"--id",	   (char *)"template",
		(char *)"--kvm-fd",	 number(vm->kvm_fd),	   (char *)"--kernel-fd",
		number(vm->kernel_fd),	 (char *)"--initramfs-fd", number(vm->initramfs_fd),
		(char *)"--share-fd",	 number(share_fd),	   (char *)"--sync-fd",
		number(sync_fd),	 (char *)"--save-fd",	   number(m->state_fd),
		(char *)"--save-memory-fd", number(m->memory_fd),  (char *)"--cpus",
		number((int)machine->cpus), (char *)"--memory",	   memory,
		(char *)"--kernel-name", machine->kernel,	   (char *)"--root-flags",
		root_flags,
		/* last, as they need not be there */
		machine->hugepages ? (char *)"--hugepages" : NULL, NULL, NULL, NULL};
	size_t n = ARRAY_SIZE(argv) - 4 + machine->hugepages;
	char *env[] = {NULL};
	struct err e = ERR_INIT;
	sigset_t none;
	int rc = 0;

	if (machine->cmdline) {
		argv[n++] = (char *)"--cmdline";
		argv[n++] = machine->cmdline;
	}
	argv[n] = NULL;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		rc = err_sys(&e, "set the parent death signal");
	(void)setsid();
	if (rc == 0)
		rc = fd_cloexec_from(3, -1, &e);
	for (size_t i = 0; i < ARRAY_SIZE(fds) && rc == 0; i++)
		rc = fd_set_cloexec(fds[i], 0, &e);
	if (rc == 0) {
		(void)!execveat(vm->program_fd, "", argv, env, AT_EMPTY_PATH);
		(void)!err_sys(&e, "execute '%s'", machine->program);
	}
	sync_send_error(sync_fd, &e);
	_exit(1);
}

static int wait_for_maker(pid_t pid, int sync_fd, struct err *err)
{
	int rc = sync_expect(sync_fd, SYNC_READY, NULL, err);

	/* It has nothing left to do. */
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return rc;
}

static int save_machine(const struct vm_setup *vm, const struct vm_image_maker *m, int share_fd,
			struct err *err)
{
	int sync[2], rc = sync_pair(sync, err);
	pid_t pid;

	if (rc < 0)
		return rc;
	pid = fork();
	if (pid == 0)
		run_maker(vm, m, share_fd, sync[1]);
	fd_close(sync[1]);
	rc = pid < 0 ? err_sys(err, "fork") : wait_for_maker(pid, sync[0], err);
	fd_close(sync[0]);
	return rc;
}

static int make(const struct vm_setup *vm, int dir_fd, const char *path, const struct buf *key,
		struct err *err)
{
	struct vm_image_maker m = VM_IMAGE_MAKER_INIT;
	CLOSE_FD int share = open_dir(dir_fd, SHARE, err);
	int rc = share < 0 ? share : vm_image_begin_at(dir_fd, path, &m, err);

	if (rc == 0)
		rc = save_machine(vm, &m, share, err);
	if (rc == 0)
		rc = vm_image_finish(&m, "template", key, err);
	vm_image_end(&m);
	(void)unlinkat(dir_fd, SHARE, AT_REMOVEDIR);
	return rc;
}

/* One at a time: whoever waited finds what the other has made. */
static int open_or_make(struct runtime *rt, const struct vm_setup *vm, int at, int dir_fd,
			const char *name, const struct buf *key, struct vm_image *ret, struct err *err)
{
	FREE char *path = mem_xprintf("%s/" DIRECTORY "/%s", rt->root, name);
	struct err why = ERR_INIT;
	int rc = open_image(dir_fd, key, ret, &why);

	if (rc == 0)
		return 0;
	while ((rc = flock(dir_fd, LOCK_EX)) < 0 && errno == EINTR)
		;
	if (rc < 0)
		return err_sys(err, "lock '%s'", path);
	rc = open_image(dir_fd, key, ret, &why);
	if (rc == 0)
		return 0;
	if (rc != -ENOENT)
		log_warn("template '%s' of a virtual machine: %s; making it again", path, why.msg);
	make_room(at);
	rc = make(vm, dir_fd, path, key, err);
	return rc < 0 ? rc : open_image(dir_fd, key, ret, err);
}

int vm_template_open(struct runtime *rt, const struct vm_setup *vm, struct vm_template *ret,
		     struct err *err)
{
	struct vm_template t = VM_TEMPLATE_INIT;
	CLOSE_FD int at = open_dir(rt->root_fd, DIRECTORY, err);
	CLOSE_FD int dir_fd = -1;
	char name[NAME_LEN];
	BUF key = BUF_INIT;
	int rc;

	if (at < 0 || (rc = make_key(vm, &key, err)) < 0)
		return at < 0 ? at : rc;
	snprintf(name, sizeof(name), "%016" PRIx64, hash(&key));
	dir_fd = open_dir(at, name, err);
	if (dir_fd < 0)
		return dir_fd;
	rc = open_or_make(rt, vm, at, dir_fd, name, &key, &t.image, err);
	(void)flock(dir_fd, LOCK_UN);
	if (rc < 0)
		return rc;
	t.dir_fd = fd_take(&dir_fd);
	*ret = t;
	return 0;
}

void vm_template_close(struct vm_template *t)
{
	vm_image_close(&t->image);
	fd_replace(&t->dir_fd, -1);
}
