/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The FUSE server with a Linux kernel as its guest: this host's, which mounts it by /dev/fuse in a
 * mount namespace of the test's own and asks what its file system calls need. Each test runs with
 * every way of caching and with few descriptors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#include "base/mem.h"
#include "microvm/fsd/fsd.h"
#include "tests/unit/base/child.h"
#include "tests/unit/base/tmp.h"

#define ROOM ((1u << 20) + 65536)

static int host_fd, guest_fd; /* the directory from below, and as mounted */
static struct fsd_config config;
static int (*scenario)(void);

static int serve_mount(int dev)
{
	static uint8_t request[ROOM], reply[ROOM];
	struct err err = ERR_INIT;
	struct fsd *f;

	config.dir_fd = host_fd;
	config.proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHILD_CHECK(fsd_new(&config, &f, &err) == 0);
	for (;;) {
		ssize_t n = read(dev, request, sizeof(request));
		const struct iovec out = {request, (size_t)n}, in = {reply, sizeof(reply)};
		size_t len;

		if (n < 0 && errno == ENODEV)
			break; /* unmounted */
		if (n < 0)
			continue;
		len = fsd_handle(f, &out, 1, &in, 1);
		CHILD_CHECK(!len || write(dev, reply, len) == (ssize_t)len || errno == ENOENT);
	}
	fsd_free(f);
	return 0;
}

static int run_mounted(void)
{
	char options[128];
	int status, dev, rc;
	pid_t server;

	if (unshare(CLONE_NEWNS) < 0)
		return CHILD_SKIP;
	CHILD_CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (dev < 0)
		return CHILD_SKIP;
	CHILD_CHECK(chdir(tmp_path) == 0);
	(void)snprintf(options, sizeof(options),
		       "fd=%d,rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other",
		       dev);
	CHILD_CHECK(mount("hull", "mnt", "fuse", 0, options) == 0);
	server = fork();
	if (server == 0)
		_exit(serve_mount(dev));
	(void)close(dev);
	guest_fd = open("mnt", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHILD_CHECK(guest_fd >= 0);
	rc = scenario();
	(void)close(guest_fd);
	CHILD_CHECK(umount2("mnt", MNT_DETACH) == 0);
	CHILD_CHECK(waitpid(server, &status, 0) == server && status == 0);
	return rc;
}

static void with_mount(int (*fn)(void))
{
	static const struct fsd_config ways[] = {{.cache = FSD_CACHE_AUTO},
						 {.cache = FSD_CACHE_ALWAYS},
						 {.cache = FSD_CACHE_NEVER},
						 {.cache = FSD_CACHE_AUTO, .max_fds = 8}};

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "root%zu", i);
		assert_int_equal(mkdirat(tmp_fd, name, 0777), 0);
		assert_int_equal(fchmodat(tmp_fd, ".", 0755, 0), 0);
		assert_int_equal(fchmodat(tmp_fd, name, 0777, 0), 0);
		if (i == 0)
			assert_int_equal(mkdirat(tmp_fd, "mnt", 0755), 0);
		host_fd = openat(tmp_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(host_fd >= 0);
		config = ways[i];
		scenario = fn;
		run_in_child(run_mounted);
		(void)close(host_fd);
	}
}

static int create(const char *name, const char *content, mode_t mode)
{
	int fd = openat(guest_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (fd >= 0 && write(fd, content, strlen(content)) != (ssize_t)strlen(content))
		return -1;
	return fd;
}

static int content_is(int dir, const char *name, const char *content)
{
	char got[256] = "";
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, got, sizeof(got) - 1);

	(void)close(fd);
	return n == (ssize_t)strlen(content) && !strcmp(got, content);
}

/* Runs fn as another user, who is in group 4000. */
static int as_user(int (*fn)(void))
{
	const gid_t group = 4000;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (setgroups(1, &group) < 0 || setresgid(1000, 1000, 1000) < 0 ||
		    setresuid(1000, 1000, 1000) < 0)
			_exit(2);
		_exit(fn());
	}
	return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

static int large_file(void)
{
	static char data[3000001], got[3000001];
	int fd = create("large", "", 0600), host;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 31 ^ i >> 11);
	for (size_t at = 0, part = 1; at < sizeof(data); part = part * 3 + 1) {
		size_t len = part < sizeof(data) - at ? part : sizeof(data) - at;
		ssize_t n = write(fd, data + at, len);

		CHILD_CHECK(n > 0);
		at += (size_t)n;
	}
	CHILD_CHECK(fsync(fd) == 0 && close(fd) == 0);
	host = openat(host_fd, "large", O_RDONLY | O_CLOEXEC);
	CHILD_CHECK(read(host, got, sizeof(got)) == (ssize_t)sizeof(got));
	CHILD_CHECK(!memcmp(data, got, sizeof(got)));
	memset(got, 0, sizeof(got));
	fd = openat(guest_fd, "large", O_RDONLY | O_CLOEXEC);
	CHILD_CHECK(read(fd, got, sizeof(got)) == (ssize_t)sizeof(got));
	CHILD_CHECK(!memcmp(data, got, sizeof(got)));
	return close(fd) | close(host);
}

static int mapped_file(void)
{
	int fd = create("mapped", "0123456789", 0600);
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (config.cache == FSD_CACHE_NEVER) {
		CHILD_CHECK(p == MAP_FAILED);
		p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
		CHILD_CHECK(p != MAP_FAILED && !memcmp(p, "0123456789", 10));
		return munmap(p, 4096) | close(fd);
	}
	CHILD_CHECK(p != MAP_FAILED && !memcmp(p, "0123456789", 10));
	memcpy(p + 2, "mapped", 6);
	/* Written by way of an open file that appends: still in its place. */
	CHILD_CHECK(fcntl(fd, F_SETFL, O_APPEND) == 0);
	CHILD_CHECK(msync(p, 4096, MS_SYNC) == 0 && munmap(p, 4096) == 0 && close(fd) == 0);
	CHILD_CHECK(content_is(host_fd, "mapped", "01mapped89"));
	return 0;
}

static int removed_file(void)
{
	char got[8] = "";
	struct stat st;
	int fd = create("gone", "before", 0600);

	CHILD_CHECK(unlinkat(guest_fd, "gone", 0) == 0);
	CHILD_CHECK(pwrite(fd, "after!", 6, 0) == 6 && pread(fd, got, 7, 0) == 6);
	CHILD_CHECK(!strcmp(got, "after!") && ftruncate(fd, 3) == 0);
	CHILD_CHECK(fstat(fd, &st) == 0 && st.st_size == 3 && st.st_nlink == 0);
	CHILD_CHECK(fchmod(fd, 0644) == 0 && close(fd) == 0);
	CHILD_CHECK(faccessat(host_fd, "gone", F_OK, 0) < 0);
	return 0;
}

static int many_entries(void)
{
	char name[32];
	int n = 0, fd;
	struct dirent *e;
	DIR *d;

	CHILD_CHECK(mkdirat(guest_fd, "many", 0755) == 0);
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof(name), "many/an-entry-%d", i);
		CHILD_CHECK((fd = create(name, "", 0600)) >= 0 && close(fd) == 0);
	}
	for (int round = 0; round < 2; round++) {
		d = fdopendir(openat(guest_fd, "many", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
		CHILD_CHECK(d);
		for (n = 0; (e = readdir(d)); n++)
			if (round && e->d_name[0] != '.')
				CHILD_CHECK(unlinkat(dirfd(d), e->d_name, 0) == 0);
		CHILD_CHECK(n == 1002 && closedir(d) == 0);
	}
	return unlinkat(guest_fd, "many", AT_REMOVEDIR);
}

static int appended(void)
{
	int a = create("log", "", 0600);
	int b = openat(guest_fd, "log", O_WRONLY | O_APPEND | O_CLOEXEC);
	int c = openat(guest_fd, "log", O_WRONLY | O_APPEND | O_CLOEXEC);

	CHILD_CHECK(write(b, "one ", 4) == 4 && write(c, "two ", 4) == 4 &&
		    write(b, "three", 5) == 5);
	CHILD_CHECK(content_is(guest_fd, "log", "one two three"));
	CHILD_CHECK(content_is(host_fd, "log", "one two three"));
	CHILD_CHECK(close(openat(guest_fd, "log", O_WRONLY | O_TRUNC | O_CLOEXEC)) == 0);
	CHILD_CHECK(content_is(host_fd, "log", ""));
	return close(a) | close(b) | close(c);
}

static int user_part(void)
{
	struct stat st;
	int fd;

	CHILD_CHECK(openat(guest_fd, "private", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES);
	CHILD_CHECK((fd = create("mine", "x", 0640)) >= 0 && close(fd) == 0);
	CHILD_CHECK(fstatat(guest_fd, "mine", &st, 0) == 0 && st.st_uid == 1000 &&
		    st.st_gid == 1000);
	/* A directory that only a supplementary group may write to. */
	CHILD_CHECK(mkdirat(guest_fd, "group/dir", 0750) == 0);
	CHILD_CHECK((fd = create("group/file", "x", 0640)) >= 0 && close(fd) == 0);
	/* Others' files in a sticky one. */
	CHILD_CHECK(unlinkat(guest_fd, "sticky/root", 0) < 0 && errno == EPERM);
	CHILD_CHECK((fd = create("sticky/mine", "x", 0640)) >= 0 && close(fd) == 0);
	CHILD_CHECK(unlinkat(guest_fd, "sticky/mine", 0) == 0);
	/* A write takes the rights of the program away. */
	CHILD_CHECK(fchmodat(guest_fd, "mine", 04755, 0) == 0);
	CHILD_CHECK((fd = openat(guest_fd, "mine", O_WRONLY | O_CLOEXEC)) >= 0);
	CHILD_CHECK(write(fd, "y", 1) == 1 && close(fd) == 0);
	CHILD_CHECK(fstatat(guest_fd, "mine", &st, 0) == 0 && (st.st_mode & 07777) == 0755);
	return 0;
}

static int other_users(void)
{
	int fd;

	CHILD_CHECK((fd = create("private", "secret", 0600)) >= 0 && close(fd) == 0);
	CHILD_CHECK(mkdirat(guest_fd, "group", 0) == 0 && mkdirat(guest_fd, "sticky", 0) == 0);
	CHILD_CHECK(fchownat(guest_fd, "group", 0, 4000, 0) == 0);
	CHILD_CHECK(fchmodat(guest_fd, "group", 0770, 0) == 0);
	CHILD_CHECK(fchmodat(guest_fd, "sticky", 01777, 0) == 0);
	CHILD_CHECK((fd = create("sticky/root", "x", 0666)) >= 0 && close(fd) == 0);
	return as_user(user_part);
}

static int links_and_renames(void)
{
	struct stat a, b;
	char target[32] = "";
	int fd;

	CHILD_CHECK((fd = create("one", "1", 0600)) >= 0 && close(fd) == 0);
	CHILD_CHECK((fd = create("two", "2", 0600)) >= 0 && close(fd) == 0);
	CHILD_CHECK(linkat(guest_fd, "one", guest_fd, "hard", 0) == 0);
	CHILD_CHECK(fstatat(guest_fd, "hard", &a, 0) == 0 && fstatat(host_fd, "one", &b, 0) == 0);
	CHILD_CHECK(a.st_ino == b.st_ino && a.st_nlink == 2);
	CHILD_CHECK(symlinkat("one", guest_fd, "soft") == 0 && content_is(guest_fd, "soft", "1"));
	CHILD_CHECK(readlinkat(guest_fd, "soft", target, sizeof(target)) == 3);
	CHILD_CHECK(renameat2(guest_fd, "one", guest_fd, "two", RENAME_NOREPLACE) < 0 &&
		    errno == EEXIST);
	CHILD_CHECK(renameat2(guest_fd, "one", guest_fd, "two", RENAME_EXCHANGE) == 0);
	CHILD_CHECK(content_is(guest_fd, "soft", "2") && content_is(host_fd, "two", "1"));
	CHILD_CHECK(mkdirat(guest_fd, "dir", 0755) == 0);
	CHILD_CHECK(renameat(guest_fd, "two", guest_fd, "dir/two") == 0);
	CHILD_CHECK(content_is(host_fd, "dir/two", "1"));
	CHILD_CHECK(mkfifoat(guest_fd, "fifo", 0600) == 0);
	CHILD_CHECK(mknodat(guest_fd, "device", S_IFCHR | 0600, 0x103) < 0 && errno == EPERM);
	return 0;
}

static int space(void)
{
	int fd = create("space", "", 0600), copy = create("copy", "", 0600);
	off64_t from = 0, to = 0;
	struct stat st;

	CHILD_CHECK(fallocate(fd, 0, 0, 65536) == 0 && fstat(fd, &st) == 0);
	CHILD_CHECK(st.st_size == 65536 && ftruncate(fd, 0) == 0);
	CHILD_CHECK(pwrite(fd, "data", 4, 65536) == 4 && fsync(fd) == 0);
	CHILD_CHECK(lseek(fd, 0, SEEK_DATA) == 65536 && lseek(fd, 65536, SEEK_HOLE) == 65540);
	CHILD_CHECK(copy_file_range(fd, &from, copy, &to, 65540, 0) == 65540);
	CHILD_CHECK(pread(copy, &st, 4, 65536) == 4 && !memcmp(&st, "data", 4));
	return close(fd) | close(copy);
}

static int attributes(void)
{
	char value[32] = "";
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct timespec times[2] = {{5, 6}, {7, 8}};
	struct stat st;
	int fd = create("file", "x", 0600), fd2;

	CHILD_CHECK(fsetxattr(fd, "user.name", "value", 5, 0) == 0);
	CHILD_CHECK(fgetxattr(fd, "user.name", value, sizeof(value)) == 5);
	CHILD_CHECK(flistxattr(fd, value, sizeof(value)) >= 10);
	CHILD_CHECK(fremovexattr(fd, "user.name") == 0);
	CHILD_CHECK(fgetxattr(fd, "system.posix_acl_access", value, sizeof(value)) < 0 &&
		    errno == EOPNOTSUPP);
	CHILD_CHECK(fchown(fd, 12, 34) == 0 && fchmod(fd, 0751) == 0 && futimens(fd, times) == 0);
	CHILD_CHECK(fstatat(host_fd, "file", &st, 0) == 0 && st.st_uid == 12 && st.st_gid == 34);
	CHILD_CHECK(st.st_mode == (S_IFREG | 0751) && st.st_mtim.tv_nsec == 8);
	/* Locks are the kernel's own. */
	CHILD_CHECK(flock(fd, LOCK_EX) == 0 && fcntl(fd, F_SETLK, &lock) == 0);
	fd2 = openat(guest_fd, "file", O_RDWR | O_CLOEXEC);
	CHILD_CHECK(flock(fd2, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK);
	return close(fd) | close(fd2);
}

static int program(void)
{
	static char data[1 << 20];
	char *argv[] = {(char *)"true", NULL};
	int from = open("/bin/true", O_RDONLY | O_CLOEXEC), to = create("true", "", 0755), status;
	ssize_t n = read(from, data, sizeof(data));
	pid_t pid;

	CHILD_CHECK(n > 0 && write(to, data, (size_t)n) == n && close(to) == 0);
	for (int i = 0; i < 3; i++) {
		pid = fork();
		if (pid == 0) {
			_exit(fchdir(guest_fd) < 0 || execv("./true", argv) < 0);
		}
		CHILD_CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
	return close(from);
}

#define MOUNT_TEST(name)                                                                           \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		(void)state;                                                                       \
		with_mount(name);                                                                  \
	}

MOUNT_TEST(large_file)
MOUNT_TEST(mapped_file)
MOUNT_TEST(removed_file)
MOUNT_TEST(many_entries)
MOUNT_TEST(appended)
MOUNT_TEST(other_users)
MOUNT_TEST(links_and_renames)
MOUNT_TEST(space)
MOUNT_TEST(attributes)
MOUNT_TEST(program)

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmp_test(test_large_file),        tmp_test(test_mapped_file),
		tmp_test(test_removed_file),      tmp_test(test_many_entries),
		tmp_test(test_appended),          tmp_test(test_other_users),
		tmp_test(test_links_and_renames), tmp_test(test_space),
		tmp_test(test_attributes),        tmp_test(test_program),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
