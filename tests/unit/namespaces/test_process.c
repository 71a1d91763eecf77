// SPDX-License-Identifier: GPL-2.0-or-later
/* Credentials, working directory, the program to execute, the home directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "namespaces/namespaces.h"
#include "tests/unit/leaks.h"
#include "tests/unit/namespaces/child.h"

#define BIT(cap) (UINT64_C(1) << (cap))

static const char *const args[] = {"true", NULL};
static const char *const env[] = {NULL};

static const struct ns_process base = {
	.args = args,
	.env = env,
	.cwd = "/",
	.umask = 022,
};

/* A directory that a test may use as a root; removed with all that is in it. */
static int root_setup(void **state)
{
	static char dir[64];

	if (!test_dir(dir) || chmod(dir, 0755) < 0)
		return -1;
	*state = dir;
	return 0;
}

static int root_teardown(void **state)
{
	CLOSE_FD int tmp = open("/tmp", O_PATH | O_CLOEXEC);
	struct err e = ERR_INIT;

	return path_remove_tree(tmp, strrchr(*state, '/') + 1, &e);
}

/* ---- credentials ---- */

static int ids_and_umask(void *arg)
{
	const gid_t inherited[] = {7, 8}, groups[] = {100, 4294967294u};
	struct ns_process p = base;
	struct err e = ERR_INIT;
	gid_t now[8];

	(void)arg;
	CHECK(setgroups(2, inherited) == 0);
	p.uid = 4294967294u;
	p.gid = 12;
	p.umask = 027;
	p.groups = groups;
	p.n_groups = 2;
	CHECK_RC(ns_process_credentials(&p, NULL, NULL, &e), 0, e);
	CHECK(strcmp(status_field("Uid"), "4294967294\t4294967294\t4294967294\t4294967294") == 0);
	CHECK(strcmp(status_field("Gid"), "12\t12\t12\t12") == 0);
	CHECK(getgroups(8, now) == 2 && now[0] == 100 && now[1] == 4294967294u);
	CHECK(umask(0) == 027);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
	return 0;
}

/* CVE-2014-8989 */
static int inherited_groups_are_dropped(void *arg)
{
	const gid_t inherited[] = {7, 8};
	struct ns_process p = base;
	struct err e = ERR_INIT;

	(void)arg;
	CHECK(setgroups(2, inherited) == 0);
	p.uid = 1000;
	CHECK_RC(ns_process_credentials(&p, NULL, NULL, &e), 0, e);
	CHECK(getgroups(0, NULL) == 0);
	return 0;
}

/* CVE-2016-9962: nobody may look into the process before it executes the container's program. */
static int stays_undumpable(void *arg)
{
	struct ns_process p = base;
	struct err e = ERR_INIT;

	(void)arg;
	p.uid = 1000;
	CHECK(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
	CHECK(prctl(PR_SET_PDEATHSIG, 15, 0, 0, 0) == 0);
	CHECK_RC(ns_process_credentials(&p, NULL, NULL, &e), 0, e);
	CHECK(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	return 0;
}

static int no_new_privs(void *arg)
{
	struct ns_process p = base;
	struct err e = ERR_INIT;

	(void)arg;
	p.uid = 1000;
	p.no_new_privs = true;
	CHECK_RC(ns_process_credentials(&p, NULL, NULL, &e), 0, e);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	return 0;
}

static void test_credentials(void **state)
{
	(void)state;
	need_root();
	child_run(ids_and_umask, NULL);
	child_run(inherited_groups_are_dropped, NULL);
	child_run(stays_undumpable, NULL);
	child_run(no_new_privs, NULL);
}

/* A user namespace with one mapped id, as a rootless engine makes it; setgroups is denied there. */
static int enter_single_id_userns(void)
{
	if (unshare(CLONE_NEWUSER) < 0)
		SKIP_CHILD("user namespaces are not available: %s", strerror(errno));
	write_text("/proc/self/setgroups", "deny");
	write_text("/proc/self/gid_map", "0 0 1");
	write_text("/proc/self/uid_map", "0 0 1");
	return 0;
}

static int denied_setgroups(void *arg)
{
	const gid_t groups[] = {0};
	struct ns_process p = base;
	struct err e = ERR_INIT;
	int rc = enter_single_id_userns();

	(void)arg;
	if (rc)
		return rc;
	p.groups = groups;
	p.n_groups = 1;
	CHECK_RC(ns_process_credentials(&p, NULL, NULL, &e), -EPERM, e);
	CHECK(strstr(e.msg, "process.user.additionalGids: setgroups is denied"));
	p.n_groups = 0;
	CHECK_RC(ns_process_credentials(&p, NULL, NULL, &e), 0, e);
	return 0;
}

static int unmapped_ids(void *arg)
{
	struct ns_process p = base;
	struct err e = ERR_INIT;
	int rc = enter_single_id_userns();

	(void)arg;
	if (rc)
		return rc;
	p.uid = 1000;
	CHECK_RC(ns_process_credentials(&p, NULL, NULL, &e), -EINVAL, e);
	CHECK(strstr(e.msg, "process.user.uid 1000 (not mapped"));
	return 0;
}

/* Without CAP_SETGID a refusal is a refusal: the groups of the caller would stay. */
static int groups_cannot_be_dropped(void *arg)
{
	const gid_t inherited[] = {7};
	struct ns_process p = base;
	struct err e = ERR_INIT;

	(void)arg;
	CHECK(setgroups(1, inherited) == 0);
	CHECK(setresuid(1000, 1000, 1000) == 0);
	p.uid = 1000;
	CHECK_RC(ns_process_credentials(&p, NULL, NULL, &e), -EPERM, e);
	CHECK(strstr(e.msg, "process.user.additionalGids: setgroups: Operation not permitted"));
	return 0;
}

static void test_groups_refused(void **state)
{
	(void)state;
	need_root();
	child_run(denied_setgroups, NULL);
	child_run(unmapped_ids, NULL);
	child_run(groups_cannot_be_dropped, NULL);
}

/* ---- the filter's place ---- */

static int build_filter(const char *syscall, uint32_t action, struct ns_seccomp_filter *f)
{
	const char *const names[] = {syscall, NULL};
	const struct ns_seccomp_rule rule = {.names = names, .action = action};
	const struct ns_seccomp s = {
		.default_action = SCMP_ACT_ALLOW, .rules = &rule, .n_rules = 1};
	struct err e = ERR_INIT;

	CHECK_RC(ns_seccomp_build(&s, -1, f, &e), 0, e);
	return 0;
}

/* Off: the filter goes first, so it sees capset, and CAP_SYS_ADMIN is enough to install it. */
static int filter_first(void *arg)
{
	struct ns_seccomp_filter f = {0};
	struct ns_process p = base;
	struct err e = ERR_INIT;

	(void)arg;
	CHECK(build_filter("capset", SCMP_ACT_ERRNO(EHOSTDOWN), &f) == 0);
	p.uid = 1000;
	CHECK_RC(ns_process_credentials(&p, &f, NULL, &e), -EHOSTDOWN, e);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
	return 0;
}

/* On: the filter goes last and may forbid all that was needed on the way. */
static int filter_last(void *arg)
{
	struct ns_seccomp_filter f = {0};
	struct ns_process p = base;
	struct err e = ERR_INIT;

	(void)arg;
	CHECK(build_filter("capset", SCMP_ACT_KILL_PROCESS, &f) == 0);
	p.uid = 1000;
	p.no_new_privs = true;
	CHECK_RC(ns_process_credentials(&p, &f, NULL, &e), 0, e);
	CHECK(strcmp(status_field("Seccomp"), "2") == 0);
	CHECK(strcmp(status_field("CapEff"), "0000000000000000") == 0);
	return 0;
}

static int filter_without_rights(void *arg)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	struct ns_seccomp_filter f = {0};
	struct ns_process p = base;
	struct err e = ERR_INIT;

	(void)arg;
	CHECK(build_filter("capset", SCMP_ACT_ERRNO(EPERM), &f) == 0);
	CHECK(setgroups(0, NULL) == 0);
	if (unshare(CLONE_NEWUSER) < 0)
		SKIP_CHILD("user namespaces are not available: %s", strerror(errno));
	/* All capabilities in the new namespace; give the one that counts away. */
	CHECK(capget(&header, data) == 0);
	data[0].effective &= ~(1u << CAP_SYS_ADMIN);
	CHECK(capset(&header, data) == 0);
	CHECK_RC(ns_process_credentials(&p, &f, NULL, &e), -EACCES, e);
	CHECK(strstr(e.msg, "linux.seccomp: install the filter"));
	return 0;
}

static void test_filter_position(void **state)
{
	(void)state;
	need_root();
	child_run(filter_first, NULL);
	child_run(filter_last, NULL);
	child_run(filter_without_rights, NULL);
}

/* ---- working directory ---- */

static int missing_cwd(void *arg)
{
	struct ns_process p = base;
	struct err e = ERR_INIT;

	(void)arg;
	p.cwd = "/no/such/directory";
	CHECK_RC(ns_process_credentials(&p, NULL, NULL, &e), -ENOENT, e);
	CHECK(strstr(e.msg, "process.cwd '/no/such/directory': chdir: No such file or directory"));
	p.cwd = "/etc/passwd";
	CHECK_RC(ns_process_credentials(&p, NULL, NULL, &e), -ENOTDIR, e);
	return 0;
}

/* A directory that only the container's user may enter: root without CAP_DAC_… cannot. */
static int cwd_of_the_user(void *arg)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	struct ns_process p = base;
	struct err e = ERR_INIT;
	char path[128], now[128];

	snprintf(path, sizeof(path), "%s/own", (char *)arg);
	CHECK(mkdir(path, 0700) == 0 && chown(path, 1000, 1000) == 0);
	CHECK(capget(&header, data) == 0);
	data[0].effective &= ~(1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH);
	CHECK(capset(&header, data) == 0);
	CHECK(chdir(path) < 0 && errno == EACCES);
	p.uid = p.gid = 1000;
	p.cwd = path;
	CHECK_RC(ns_process_credentials(&p, NULL, NULL, &e), 0, e);
	CHECK(getcwd(now, sizeof(now)) && strcmp(now, path) == 0);
	return 0;
}

/* The other way round: only root may enter; the process stands there all the same. */
static int cwd_of_root(void *arg)
{
	struct ns_process p = base;
	struct err e = ERR_INIT;
	char path[128], now[128];

	snprintf(path, sizeof(path), "%s/roots", (char *)arg);
	CHECK(mkdir(path, 0700) == 0);
	p.uid = p.gid = 1000;
	p.cwd = path;
	CHECK_RC(ns_process_credentials(&p, NULL, NULL, &e), 0, e);
	CHECK(getcwd(now, sizeof(now)) && strcmp(now, path) == 0);
	return 0;
}

static int enter_root(const char *dir)
{
	char proc[128];

	snprintf(proc, sizeof(proc), "%s/proc", dir);
	CHECK(unshare(CLONE_NEWNS) == 0);
	CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	CHECK(mkdir(proc, 0755) == 0 || errno == EEXIST);
	CHECK(mount("proc", proc, "proc", 0, NULL) == 0);
	CHECK(chroot(dir) == 0 && chdir("/") == 0);
	return 0;
}

/* CVE-2024-21626: a descriptor of the host leaked, and the config names it. */
static int cwd_outside(void *arg)
{
	struct ns_process p = base;
	struct err e = ERR_INIT;
	char path[64];
	int host = open("/usr", O_PATH | O_CLOEXEC);

	CHECK(host >= 0);
	CHECK(enter_root(arg) == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", host);
	p.cwd = path;
	CHECK_RC(ns_process_credentials(&p, NULL, NULL, &e), -EPERM, e);
	CHECK(strstr(e.msg, "outside of the container's root"));
	return 0;
}

static int make_cwd(void *arg)
{
	struct ns_process p = base;
	struct err e = ERR_INIT;
	struct stat st;
	char path[64];
	int host = open(arg, O_PATH | O_CLOEXEC);

	CHECK(enter_root(arg) == 0);
	umask(077);
	p.cwd = "/srv/app/data";
	CHECK_RC(ns_process_make_cwd(&p, &e), 0, e);
	CHECK(stat("/srv/app/data", &st) == 0 && (st.st_mode & 07777) == 0755 && st.st_uid == 0);
	CHECK(stat("/srv/app", &st) == 0 && (st.st_mode & 07777) == 0755);
	CHECK_RC(ns_process_make_cwd(&p, &e), 0, e);

	/* Nothing is made through a magic link that leads out of the root. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d/escaped", host);
	p.cwd = path;
	CHECK(ns_process_make_cwd(&p, &e) < 0);
	CHECK(fstatat(host, "escaped", &st, 0) < 0 && errno == ENOENT);

	p.cwd = "/file/dir";
	write_text("/file", "");
	CHECK_RC(ns_process_make_cwd(&p, &e), 0, e); /* left to chdir, which says why */
	CHECK_RC(ns_process_credentials(&p, NULL, NULL, &e), -ENOTDIR, e);
	return 0;
}

static void test_cwd(void **state)
{
	need_root();
	child_run(missing_cwd, NULL);
	child_run(cwd_of_the_user, *state);
	child_run(cwd_of_root, *state);
	child_run(cwd_outside, *state);
	child_run(make_cwd, *state);
}

/* ---- the program ---- */

static int find_in(const char *name, const char *path, char **ret, struct err *e)
{
	const char *const find_args[] = {name, NULL};
	char *var = NULL;
	const char *find_env[] = {"A=b", NULL, NULL};
	struct ns_process p = base;
	int rc;

	if (path && asprintf(&var, "PATH=%s", path) > 0)
		find_env[1] = var;
	p.args = find_args;
	p.env = find_env;
	rc = ns_process_find(&p, ret, e);
	free(var);
	return rc;
}

static int find_program(void *arg)
{
	struct err e = ERR_INIT;
	char *found = NULL;
	char path[256];

	CHECK(chdir(arg) == 0);
	CHECK(mkdir("a", 0755) == 0 && mkdir("b", 0755) == 0 && mkdir("a/dir", 0755) == 0);
	write_text("a/data", "");
	write_text("b/tool", "");
	write_text("here", "");
	CHECK(chmod("b/tool", 0755) == 0 && chmod("here", 0755) == 0);
	snprintf(path, sizeof(path), "/nowhere:%s/a:%s/b", (char *)arg, (char *)arg);

	CHECK_RC(find_in("tool", path, &found, &e), 0, e);
	snprintf(path, sizeof(path), "%s/b/tool", (char *)arg);
	CHECK(strcmp(found, path) == 0);
	CHECK_RC(find_in(path, NULL, &found, &e), 0, e);
	CHECK(strcmp(found, path) == 0);
	CHECK_RC(find_in("./here", "/bin", &found, &e), 0, e);
	CHECK(strcmp(found, "./here") == 0);
	/* An empty part of PATH is the working directory (man 3 execvp). */
	CHECK_RC(find_in("here", "/nowhere:", &found, &e), 0, e);
	CHECK_RC(find_in("here", ":/nowhere", &found, &e), 0, e);
	CHECK_RC(find_in("here", "/nowhere", &found, &e), -ENOENT, e);
	return 0;
}

/* Engines tell 126 from 127 by these words. */
static int find_messages(void *arg)
{
	struct err e = ERR_INIT;
	char *found = NULL;
	char path[256];

	CHECK(chdir(arg) == 0);
	CHECK(mkdir("a", 0755) == 0 && mkdir("a/dir", 0755) == 0);
	write_text("a/data", "");
	snprintf(path, sizeof(path), "%s/a", (char *)arg);

	CHECK_RC(find_in("tool", path, &found, &e), -ENOENT, e);
	CHECK(strstr(e.msg, "'tool': executable file not found in $PATH"));
	CHECK_RC(find_in("tool", NULL, &found, &e), -ENOENT, e);
	CHECK(strstr(e.msg, "executable file not found in $PATH"));
	CHECK_RC(find_in("tool", "", &found, &e), -ENOENT, e);
	CHECK_RC(find_in("", path, &found, &e), -ENOENT, e);
	CHECK(strstr(e.msg, "executable file not found in $PATH"));
	CHECK_RC(find_in("/a/b", NULL, &found, &e), -ENOENT, e);
	CHECK(strstr(e.msg, "'/a/b': no such file or directory"));
	CHECK_RC(find_in("data", path, &found, &e), -EACCES, e);
	CHECK(strstr(e.msg, "permission denied"));
	CHECK_RC(find_in("dir", path, &found, &e), -ENOENT, e);
	CHECK_RC(find_in("/usr", NULL, &found, &e), -EACCES, e);
	CHECK(strstr(e.msg, "'/usr': permission denied"));
	CHECK(!found);
	return 0;
}

/* Root may look everywhere; the one who executes counts, which is the effective user. */
static int find_as_user(void *arg)
{
	struct err e = ERR_INIT;
	char *found = NULL;

	CHECK(chdir(arg) == 0);
	CHECK(mkdir("a", 0755) == 0);
	write_text("a/tool", "");
	CHECK(chmod("a/tool", 0700) == 0);
	CHECK_RC(find_in("a/tool", NULL, &found, &e), 0, e);
	CHECK(setresuid(0, 1000, 0) == 0);
	CHECK_RC(find_in("a/tool", NULL, &found, &e), -EACCES, e);
	return 0;
}

/* A filter that came before, with a profile older than faccessat2(2): the mode bits decide. */
static int find_below_an_old_filter(void *arg)
{
	struct ns_seccomp_filter f = {0};
	struct err e = ERR_INIT;
	char *found = NULL;
	int listener;

	CHECK(chdir(arg) == 0);
	write_text("tool", "");
	write_text("data", "");
	CHECK(chmod("tool", 0755) == 0);
	CHECK(build_filter("faccessat2", SCMP_ACT_ERRNO(EPERM), &f) == 0);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK_RC(ns_seccomp_install(&f, &listener, &e), 0, e);
	CHECK_RC(find_in("./tool", NULL, &found, &e), 0, e);
	CHECK_RC(find_in("./data", NULL, &found, &e), -EACCES, e);
	CHECK(strcmp(found, "./tool") == 0);
	return 0;
}

/* The last of several values counts. */
static int env_get(void *arg)
{
	const char *const vars[] = {"PATH=/a", "PATHS=/b", "PATH", "PATH=/c", "EMPTY=", NULL};

	(void)arg;
	CHECK(strcmp(ns_env_get(vars, "PATH"), "/c") == 0);
	CHECK(strcmp(ns_env_get(vars, "EMPTY"), "") == 0);
	CHECK(!ns_env_get(vars, "PAT"));
	CHECK(!ns_env_get(NULL, "PATH"));
	return 0;
}

static void test_find(void **state)
{
	child_run(env_get, NULL);
	child_run(find_program, *state);
}

static void test_find_messages(void **state)
{
	child_run(find_messages, *state);
}

static void test_find_as_user(void **state)
{
	need_root();
	child_run(find_as_user, *state);
}

static void test_find_below_an_old_filter(void **state)
{
	child_run(find_below_an_old_filter, *state);
}

/* ---- home ---- */

static int home_is(uint32_t uid, const char *const *vars, const char *want)
{
	struct ns_process p = base;
	char *home;

	p.uid = uid;
	p.env = vars ?: env;
	home = ns_process_home(&p);
	if (want ? !home || strcmp(home, want) != 0 : home != NULL) {
		fprintf(stderr, "# uid %u: %s, not %s\n", uid, home ?: "(none)", want ?: "(none)");
		return 1;
	}
	free(home);
	return 0;
}

static int home_from_passwd(void *arg)
{
	const char *const set[] = {"HOME=/given", NULL}, *const empty[] = {"HOME=", NULL};

	CHECK(chdir(arg) == 0 && mkdir("etc", 0755) == 0);
	/* CVE-2016-3697: a user named "1000" who is root is nobody's business but root's. */
	write_text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
				 "1000:x:0:0::/trap:/bin/sh\n"
				 "broken line\n"
				 "+10:x:+10:1::/plus:/bin/sh\n"
				 "hex:x:0x64:1::/hex:/bin/sh\n"
				 "user:x:1000:1000:,,,:/home/user:/bin/sh\n"
				 "twice:x:1000:1000::/second:/bin/sh\n"
				 "empty:x:1001:1001:::/bin/sh\n"
				 "short:x:1002:1002:\n"
				 "last:x:4294967294:1:gecos:/last:/bin/sh");
	CHECK(chroot(".") == 0);
	CHECK(home_is(0, NULL, "HOME=/root") == 0);
	CHECK(home_is(1000, NULL, "HOME=/home/user") == 0);
	CHECK(home_is(10, NULL, "HOME=/") == 0);
	CHECK(home_is(100, NULL, "HOME=/") == 0);
	CHECK(home_is(1001, NULL, "HOME=/") == 0);
	CHECK(home_is(1002, NULL, "HOME=/") == 0);
	CHECK(home_is(5, NULL, "HOME=/") == 0);
	CHECK(home_is(4294967294u, NULL, "HOME=/last") == 0);
	CHECK(home_is(1000, set, NULL) == 0);
	CHECK(home_is(1000, empty, NULL) == 0);
	return 0;
}

/* A text that is there already goes before the file, and is searched the same way. */
static int home_from_text(void *arg)
{
	char text[] = "root:x:0:0::/of/text:/bin/sh\nlast:x:7:7::/last:/bin/sh";
	struct ns_process p = base;
	char *home;

	CHECK(chdir(arg) == 0 && mkdir("etc", 0755) == 0);
	write_text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nother:x:8:8::/other:/bin/sh\n");
	CHECK(chroot(".") == 0);
	p.env = env;
	for (uint32_t uid = 7; uid <= 8; uid++) {
		char copy[sizeof(text)];

		memcpy(copy, text, sizeof(text));
		p.passwd = copy;
		p.uid = uid;
		home = ns_process_home(&p);
		CHECK(strcmp(home, uid == 7 ? "HOME=/last" : "HOME=/") == 0);
		free(home);
	}
	return 0;
}

static int home_without_passwd(void *arg)
{
	CHECK(chdir(arg) == 0 && mkdir("etc", 0755) == 0);
	CHECK(mkdir("outside", 0755) == 0 && mkdir("root", 0755) == 0);
	write_text("outside/passwd", "root:x:0:0:root:/wrong:/bin/sh\n");
	CHECK(chdir("root") == 0 && mkdir("etc", 0755) == 0 && chroot(".") == 0);
	CHECK(home_is(0, NULL, "HOME=/") == 0);
	/* A FIFO would keep the reader waiting for ever. */
	CHECK(mkfifo("etc/passwd", 0644) == 0);
	CHECK(home_is(0, NULL, "HOME=/") == 0);
	CHECK(unlink("etc/passwd") == 0 && symlink("../../outside/passwd", "etc/passwd") == 0);
	CHECK(home_is(0, NULL, "HOME=/") == 0);
	CHECK(unlink("etc/passwd") == 0 && mkdir("etc/passwd", 0755) == 0);
	CHECK(home_is(0, NULL, "HOME=/") == 0);
	return 0;
}

static void test_home(void **state)
{
	need_root();
	child_run(home_from_passwd, *state);
}

static void test_home_from_text(void **state)
{
	need_root();
	child_run(home_from_text, *state);
}

static void test_home_without_passwd(void **state)
{
	need_root();
	child_run(home_without_passwd, *state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_groups_refused),
		cmocka_unit_test(test_filter_position),
		cmocka_unit_test_setup_teardown(test_cwd, root_setup, root_teardown),
		cmocka_unit_test_setup_teardown(test_find, root_setup, root_teardown),
		cmocka_unit_test_setup_teardown(test_find_messages, root_setup, root_teardown),
		cmocka_unit_test_setup_teardown(test_find_as_user, root_setup, root_teardown),
		cmocka_unit_test_setup_teardown(test_find_below_an_old_filter, root_setup,
						root_teardown),
		cmocka_unit_test_setup_teardown(test_home, root_setup, root_teardown),
		cmocka_unit_test_setup_teardown(test_home_from_text, root_setup, root_teardown),
		cmocka_unit_test_setup_teardown(test_home_without_passwd, root_setup,
						root_teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
