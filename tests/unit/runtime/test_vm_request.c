/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agent of a virtual machine is told of a container, and of a process that joins it. */
#include "tests/unit/runtime/spec_cases.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/mem.h"
#include "microvm/proto.h"
#include "runtime/vm_config.h"
#include "runtime/vm_request.h"
#include "tests/unit/leaks.h"

/* A configuration with these members of its own and of its process, each with a comma in front. */
static struct spec *with(const char *members, const char *of_process)
{
	FREE char *joined = mem_xprintf("{" ROOT ",'process':{'args':['a'],'cwd':'/'%s}%s,'linux':"
					"{'namespaces':[{'type':'mount'},{'type':'pid'}]}}",
					of_process, members);

	return spec_good(joined);
}

static void fields_of_create(const struct spec *spec, const struct create_options *o,
			     struct buf *ret)
{
	struct err err = ERR_INIT;
	CLOSE_FD int fd = vm_request_create(spec, NULL, o, &err);

	if (fd < 0 || io_read_all(fd, "create", PROTO_BODY_MAX, ret, &err) < 0)
		fail_msg("%s", err.msg);
}

static void check_string(const struct buf *fields, enum proto_field type, const char *wanted)
{
	const struct proto_body body = proto_body_of(fields);
	FREE char *value = NULL;

	assert_int_equal(proto_get_string(&body, type, PROTO_BODY_MAX, &value, NULL), 1);
	assert_string_equal(value, wanted);
}

static bool has(const struct buf *fields, enum proto_field type)
{
	const struct proto_body body = proto_body_of(fields);
	const uint8_t *data;
	size_t len;

	return proto_get_bytes(&body, type, &data, &len, NULL) == 1;
}

static bool is_one(const struct buf *fields, enum proto_field type)
{
	const struct proto_body body = proto_body_of(fields);
	uint32_t value = 0;

	return proto_get_u32(&body, type, &value, NULL) == 1 && value == 1;
}

static void check_strings(const struct buf *fields, enum proto_field type,
			  const char *const *wanted)
{
	const struct proto_body body = proto_body_of(fields);
	FREE char **list = NULL;
	size_t i = 0;

	assert_int_equal(proto_get_strings(&body, type, 10, &list, NULL), 1);
	for (; wanted[i]; i++)
		assert_string_equal(list[i], wanted[i]);
	assert_null(list[i]);
}

static void test_create(void **state)
{
	const struct create_options none = {0}, both = {.no_pivot = true, .no_new_keyring = true};
	SPEC *spec = with("", "");
	BUF config = BUF_INIT, plain = BUF_INIT, chosen = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(vm_config_for_guest(spec, NULL, &config, &err), 0);
	fields_of_create(spec, &none, &plain);
	check_string(&plain, PROTO_F_CONFIG, buf_str(&config));
	assert_false(has(&plain, PROTO_F_NO_PIVOT) || has(&plain, PROTO_F_NO_NEW_KEYRING));
	fields_of_create(spec, &both, &chosen);
	check_string(&chosen, PROTO_F_CONFIG, buf_str(&config));
	assert_true(is_one(&chosen, PROTO_F_NO_PIVOT) && is_one(&chosen, PROTO_F_NO_NEW_KEYRING));
}

/* ---- /etc/passwd ---- */

static void put_passwd(const char *root, const char *line)
{
	FREE char *etc = mem_xprintf("%s/etc", root);
	FREE char *path = mem_xprintf("%s/etc/passwd", root);

	assert_true(mkdir(etc, 0755) == 0 || errno == EEXIST);

	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(line, f) >= 0 && fclose(f) == 0);
}

/* wanted: "" when it is not sent. */
static void check_passwd(const char *root, const char *members, const char *of_process,
			 const char *wanted)
{
	const struct create_options none = {0};
	SPEC *spec = with(members, of_process);
	BUF fields = BUF_INIT;

	spec->rootfs.path = root;
	fields_of_create(spec, &none, &fields);
	if (*wanted)
		check_string(&fields, PROTO_F_PASSWD, wanted);
	else
		assert_false(has(&fields, PROTO_F_PASSWD));
}

#define LINE "root:x:0:0::/their/root:/bin/sh\n"

static void test_passwd(void **state)
{
	char root[] = "/tmp/hull-test-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(root));

	FREE char *etc = mem_xprintf("%s/etc", root);
	FREE char *path = mem_xprintf("%s/etc/passwd", root);
	FREE char *image =
		mem_xprintf(",'annotations':{'" VM_ROOT_IMAGE_ANNOTATION "':'%s'}", root);
	FREE char *long_line = mem_xprintf("root:x:0:0:%65536s:/:/bin/sh\n", "");

	/* the root is not there, for whoever looks */
	check_passwd(root, "", "", "");
	put_passwd(root, LINE);
	check_passwd(root, "", "", LINE);
	check_passwd(root, "", ",'env':['HOMELY=1']", LINE);
	check_passwd(root, "", ",'env':['HOME=/given']", "");
	check_passwd(root, image, "", "");
	check_passwd(root, ",'hooks':{'createRuntime':[{'path':'/x'}]}", "", "");
	check_passwd(root, ",'hooks':{'startContainer':[{'path':'/x'}]}", "", LINE);
	put_passwd(root, long_line);
	check_passwd(root, "", "", "");
	assert_true(unlink(path) == 0 && rmdir(etc) == 0 && rmdir(root) == 0);
}

static void check_not_opened(const char *root, const char *path)
{
	CLOSE_FD int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	char events[512];

	assert_true(watch >= 0 && inotify_add_watch(watch, path, IN_OPEN) >= 0);
	check_passwd(root, "", "", "");
	assert_true(read(watch, events, sizeof(events)) < 0 && errno == EAGAIN);
}

/* What an image may have there: only a file of its own is opened. */
static void test_passwd_of_a_hostile_image(void **state)
{
	char root[] = "/tmp/hull-test-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(root));

	FREE char *etc = mem_xprintf("%s/etc", root);
	FREE char *path = mem_xprintf("%s/etc/passwd", root);
	FREE char *own = mem_xprintf("%s/own", root);

	put_passwd(root, LINE);
	assert_true(rename(path, own) == 0 && symlink("../own", path) == 0);
	check_passwd(root, "", "", "");
	assert_true(unlink(path) == 0 && symlink("/etc/passwd", path) == 0);
	check_passwd(root, "", "", "");
	assert_true(unlink(path) == 0 && mkfifo(path, 0600) == 0);
	check_not_opened(root, path);
	if (geteuid() == 0) {
		assert_true(unlink(path) == 0 && mknod(path, S_IFCHR | 0600, makedev(1, 3)) == 0);
		check_not_opened(root, path);
	}
	assert_true(unlink(path) == 0 && rename(own, path) == 0);
	check_passwd(root, "", "", LINE);
	assert_true(unlink(path) == 0 && rmdir(etc) == 0 && symlink("/etc", etc) == 0);
	check_passwd(root, "", "", "");
	assert_true(unlink(etc) == 0 && rmdir(root) == 0);
}

/* ---- exec ---- */

static void test_options_of_exec(void **state)
{
	static const char *const args[] = {"sh", "-c", "echo $1", "", NULL},
				 *const env[] = {"A=b", "C=", NULL},
				 *const caps[] = {"CAP_KILL", NULL};
	static const uint32_t groups[] = {5, 4294967294};
	const struct container c = {.rootfs = (char *)"/nowhere"};
	const struct exec_options all = {
		.args = args,
		.env = env,
		.caps = caps,
		.cwd = "/tmp",
		.has_user = true,
		.uid = 1,
		.has_gid = true,
		.gid = 2,
		.groups = groups,
		.n_groups = 2,
		.selinux_label = "a:b",
		.apparmor_profile = "p",
		.no_new_privs = true,
	};
	BUF fields = BUF_INIT;
	FREE uint32_t *list = NULL;
	uint32_t uid = 0, gid = 0;
	size_t n = 0;

	(void)state;
	vm_request_exec(&c, &all, NULL, env, &fields);

	const struct proto_body body = proto_body_of(&fields);

	check_strings(&fields, PROTO_F_ARGS, args);
	check_strings(&fields, PROTO_F_ENV, env);
	check_strings(&fields, PROTO_F_CAPABILITIES, caps);
	check_string(&fields, PROTO_F_CWD, "/tmp");
	check_string(&fields, PROTO_F_SELINUX_LABEL, "a:b");
	check_string(&fields, PROTO_F_APPARMOR_PROFILE, "p");
	assert_true(is_one(&fields, PROTO_F_NO_NEW_PRIVS));
	assert_true(proto_get_u32(&body, PROTO_F_UID, &uid, NULL) == 1 && uid == 1);
	assert_true(proto_get_u32(&body, PROTO_F_GID, &gid, NULL) == 1 && gid == 2);
	assert_int_equal(proto_get_u32s(&body, PROTO_F_GROUPS, &list, &n, NULL), 1);
	assert_true(n == 2 && list[0] == 5 && list[1] == 4294967294u);
	assert_false(has(&fields, PROTO_F_PROCESS) || has(&fields, PROTO_F_PASSWD));
}

/* What is not said stays as the container's configuration has it. */
static void test_options_not_given(void **state)
{
	static const enum proto_field others[] = {
		PROTO_F_PROCESS,
		PROTO_F_ENV,
		PROTO_F_CWD,
		PROTO_F_UID,
		PROTO_F_GID,
		PROTO_F_GROUPS,
		PROTO_F_CAPABILITIES,
		PROTO_F_SELINUX_LABEL,
		PROTO_F_APPARMOR_PROFILE,
		PROTO_F_NO_NEW_PRIVS,
	};
	static const char *const args[] = {"true", NULL};
	const struct container c = {.rootfs = (char *)"/nowhere"};
	const struct exec_options o = {.args = args};
	BUF fields = BUF_INIT;

	(void)state;
	vm_request_exec(&c, &o, NULL, NULL, &fields);
	check_strings(&fields, PROTO_F_ARGS, args);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_false(has(&fields, others[i]));
}

static void test_file_of_exec(void **state)
{
	static const char *const with_home[] = {"HOME=/given", NULL};
	struct spec_annotation image = {VM_ROOT_IMAGE_ANNOTATION, "/image"};
	char root[] = "/tmp/hull-test-XXXXXX";
	struct container c = {.rootfs = root};
	const struct exec_options o = {.process_file = "process.json"};
	BUF text = BUF_INIT, fields = BUF_INIT, at_home = BUF_INIT, of_image = BUF_INIT;

	(void)state;
	assert_non_null(mkdtemp(root));

	FREE char *etc = mem_xprintf("%s/etc", root);
	FREE char *path = mem_xprintf("%s/etc/passwd", root);

	put_passwd(root, LINE);
	buf_adds(&text, "{\"args\": [\"x\"]}");
	vm_request_exec(&c, &o, &text, NULL, &fields);
	check_string(&fields, PROTO_F_PROCESS, "{\"args\": [\"x\"]}");
	check_string(&fields, PROTO_F_PASSWD, LINE);
	assert_false(has(&fields, PROTO_F_ARGS));
	vm_request_exec(&c, &o, &text, with_home, &at_home);
	assert_false(has(&at_home, PROTO_F_PASSWD));
	c.annotations = &image;
	c.n_annotations = 1;
	vm_request_exec(&c, &o, &text, NULL, &of_image);
	assert_false(has(&of_image, PROTO_F_PASSWD));
	assert_true(unlink(path) == 0 && rmdir(etc) == 0 && rmdir(root) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_passwd),
		cmocka_unit_test(test_passwd_of_a_hostile_image),
		cmocka_unit_test(test_options_of_exec),
		cmocka_unit_test(test_options_not_given),
		cmocka_unit_test(test_file_of_exec),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
