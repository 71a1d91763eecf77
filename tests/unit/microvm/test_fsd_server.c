/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio-fs device with a real file server behind it, in its own process and cell: requests by
 * the rings, activation and reset, the server's end. The cell itself: test_fsd_cell.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "base/mem.h"
#include "microvm/fsd/control.h"
#include "microvm/fsd/sandbox.h"
#include "microvm/fsd/server.h"
#include "microvm/virtio/fs.h"
#include "tests/unit/base/tmp.h"
#include "tests/unit/microvm/fake.h"

#define REQUEST_AT 0x100000u
#define ANSWER_AT  0x200000u
#define HIPRIO     0
#define REQUESTS   1

static struct fake guest;
static struct fsd_server server = FSD_SERVER_INIT;
static int irq_fd = -1;
static uint64_t unique;
static bool private; /* memory that the server does not have: requests are copied (fs_bounce.c) */
static unsigned int seen; /* interrupts, then */

/* --- set-up --- */

static int shared_dir(void)
{
	int fd = openat(tmp_fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static int setup(void **state)
{
	const struct guest_memory_config config = {.size = FAKE_RAM, .shared = !private};

	if (geteuid() != 0)
		return tmp_setup(state);
	assert_int_equal(tmp_setup(state), 0);
	assert_int_equal(mkdirat(tmp_fd, "root", 0755), 0);
	tmp_write("root/file", "content");
	tmp_write("secret", "secret");
	fake_setup(&guest);
	guest_memory_free(&guest.memory);
	assert_int_equal(guest_memory_new(&config, &guest.memory, NULL), 0);
	irq_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(irq_fd >= 0);
	return 0;
}

static int setup_private(void **state)
{
	private = true;
	return setup(state);
}

static int teardown(void **state)
{
	private = false;
	if (guest.loop) {
		fake_teardown(&guest);
		fsd_server_end(&server);
		fd_close(irq_fd);
		guest = (struct fake){0};
	}
	return tmp_teardown(state);
}

#define server_test(fn)  cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define private_test(fn) cmocka_unit_test_setup_teardown(fn, setup_private, teardown)

static void needs_root(void)
{
	if (geteuid() != 0) {
		print_message("# needs root\n");
		skip();
	}
}

static void spawn(bool readonly)
{
	int dir_fd = shared_dir();
	struct fsd_spawn_config config = {
		.dir_fd = dir_fd, .readonly = readonly, .memory = &guest.memory};
	struct err err = ERR_INIT;

	if (fsd_spawn(&config, &server, &err) || fsd_server_wait(&server, &err))
		fail_msg("%s", err.msg);
	fd_close(dir_fd);
}

static void add_device(void)
{
	struct virtio_fs_options options = {
		.tag = "hull0", .control_fd = server.control_fd, .irq_fd = irq_fd};
	struct err err = ERR_INIT;

	if (virtio_fs_new(&guest.host, &options, &guest.d, &err))
		fail_msg("%s", err.msg);
}

/* --- a driver --- */

static void kick(unsigned int q)
{
	const uint64_t one = 1;

	assert_int_equal(write(guest.d->notify_fds[q], &one, sizeof(one)), sizeof(one));
}

/* Of the server, or of the device, whose loop has to turn for it. */
static bool has_interrupt(int timeout_ms)
{
	struct pollfd p = {irq_fd, POLLIN, 0};
	struct err err = ERR_INIT;
	uint64_t count;

	if (!private)
		return poll(&p, 1, timeout_ms) == 1 && read(irq_fd, &count, sizeof(count)) > 0;
	for (; timeout_ms > 0 && guest.interrupts == seen; timeout_ms -= 10)
		assert_int_equal(loop_turn(guest.loop, 10, &err), 0);
	if (guest.interrupts == seen)
		return false;
	seen = guest.interrupts;
	return true;
}

static void wait_interrupt(void)
{
	assert_true(has_interrupt(60000));
}

/* Asks for the next interrupt, as a driver does that has seen all answers (VIRTIO_F_EVENT_IDX). */
static void expect_interrupt(unsigned int q)
{
	seen = guest.interrupts;
	guest.queues[q].avail->ring[FAKE_SIZE] = guest.queues[q].last_used;
}

/* Sends a request; its answer, header and all, is at ANSWER_AT. Returns the answer's error. */
static int request(uint32_t opcode, uint64_t node, const void *arg, size_t len)
{
	struct fuse_in_header h = {.len = (uint32_t)(sizeof(h) + len),
				   .opcode = opcode,
				   .unique = ++unique,
				   .nodeid = node};
	const struct fake_buf bufs[] = {{REQUEST_AT, sizeof(h), false},
					{REQUEST_AT + sizeof(h), (uint32_t)len, false},
					{ANSWER_AT, sizeof(struct fuse_out_header), true},
					{ANSWER_AT + sizeof(struct fuse_out_header), 65536, true}};
	struct fuse_out_header out;
	uint16_t head;
	uint32_t used;

	memcpy(fake_at(&guest, REQUEST_AT), &h, sizeof(h));
	if (len)
		memcpy(fake_at(&guest, REQUEST_AT + sizeof(h)), arg, len);
	expect_interrupt(REQUESTS);
	fake_add(&guest, REQUESTS, 8, bufs, 4);
	kick(REQUESTS);
	wait_interrupt();
	assert_true(fake_used(&guest, REQUESTS, &head, &used));
	assert_int_equal(head, 8);
	memcpy(&out, fake_at(&guest, ANSWER_AT), sizeof(out));
	assert_int_equal(out.len, used);
	assert_int_equal(out.unique, unique);
	return out.error;
}

static const void *answered(void)
{
	return fake_at(&guest, ANSWER_AT + sizeof(struct fuse_out_header));
}

static int init(void)
{
	struct fuse_init_in in = {.major = 7, .minor = 38, .flags = ~0u};

	return request(FUSE_INIT, 0, &in, sizeof(in));
}

static uint64_t look_up(const char *name)
{
	const struct fuse_entry_out *e = answered();

	assert_int_equal(request(FUSE_LOOKUP, 1, name, strlen(name) + 1), 0);
	return e->nodeid;
}

static void start(bool readonly)
{
	needs_root();
	spawn(readonly);
	add_device();
	fake_start(&guest, 0);
	assert_int_equal(init(), 0);
}

/* --- tests of the device --- */

static void test_registers(void **state)
{
	uint8_t config[40] = {0};

	(void)state;
	needs_root();
	spawn(false);
	add_device();
	assert_int_equal(fake_read(&guest, VIRTIO_MMIO_DEVICE_ID), 26);
	virtio_mmio_read(guest.d, VIRTIO_MMIO_CONFIG, config, sizeof(config));
	assert_memory_equal(config, "hull0\0", 6);
	assert_int_equal(config[36], 1);
	/* The server raises the line, and cannot set this. */
	assert_int_equal(fake_read(&guest, VIRTIO_MMIO_INTERRUPT_STATUS), 1);
	fake_write(&guest, VIRTIO_MMIO_INTERRUPT_ACK, 1);
	assert_int_equal(fake_read(&guest, VIRTIO_MMIO_INTERRUPT_STATUS), 1);
}

static void test_tag(void **state)
{
	struct virtio_fs_options options = {.control_fd = -1, .irq_fd = -1};
	struct virtio_device *d;
	struct err err = ERR_INIT;

	(void)state;
	needs_root();
	options.tag = "";
	assert_int_equal(virtio_fs_new(&guest.host, &options, &d, &err), -EINVAL);
	options.tag = "1234567890123456789012345678901234567";
	assert_int_equal(virtio_fs_new(&guest.host, &options, &d, &err), -EINVAL);
}

static void test_requests(void **state)
{
	struct fuse_getattr_in getattr = {0};
	struct fuse_open_in open_in = {.flags = O_RDWR};
	struct fuse_read_in read_in = {.size = 100};
	const struct fuse_open_out *opened = answered();
	uint64_t node;

	(void)state;
	start(false);
	node = look_up("file");
	assert_int_equal(request(FUSE_OPEN, node, &open_in, sizeof(open_in)), 0);
	read_in.fh = opened->fh;
	assert_int_equal(request(FUSE_READ, node, &read_in, sizeof(read_in)), 0);
	assert_memory_equal(answered(), "content", 7);
	assert_int_equal(request(FUSE_GETATTR, 0x1234, &getattr, sizeof(getattr)), -ESTALE);
}

/* Many at once, and without an answer by the other queue. */
static void test_many(void **state)
{
	struct fuse_in_header h = {.len = sizeof(h) + sizeof(struct fuse_forget_in),
				   .opcode = FUSE_FORGET};
	struct fuse_forget_in forget = {.nlookup = 1};
	struct fuse_getattr_in getattr = {0};
	const struct fake_buf bufs[] = {{REQUEST_AT, h.len, false}};
	uint16_t head;
	uint32_t len;

	(void)state;
	start(false);
	h.nodeid = look_up("file");
	memcpy(fake_at(&guest, REQUEST_AT), &h, sizeof(h));
	memcpy(fake_at(&guest, REQUEST_AT + sizeof(h)), &forget, sizeof(forget));
	for (uint16_t i = 0; i < 200; i++)
		fake_add(&guest, HIPRIO, i, bufs, 1);
	guest.queues[HIPRIO].avail->ring[FAKE_SIZE] = 199; /* after the last one */
	kick(HIPRIO);
	wait_interrupt();
	for (uint16_t i = 0; i < 200; i++) {
		assert_true(fake_used(&guest, HIPRIO, &head, &len));
		assert_int_equal(head, i);
		assert_int_equal(len, 0);
	}
	assert_int_equal(request(FUSE_GETATTR, h.nodeid, &getattr, sizeof(getattr)), -ESTALE);
}

static void test_reset(void **state)
{
	const struct fake_buf bufs[] = {{REQUEST_AT, 64, false}, {ANSWER_AT, 4096, true}};
	struct fuse_getattr_in getattr = {0};
	uint64_t node;

	(void)state;
	start(false);
	node = look_up("file");
	fake_reset(&guest);
	fake_reset(&guest);
	/* A driver that goes on asking is not heard. */
	fake_add(&guest, REQUESTS, 8, bufs, 2);
	guest.queues[REQUESTS].used->idx = 77;
	kick(REQUESTS);
	assert_false(has_interrupt(200));
	assert_int_equal(guest.queues[REQUESTS].used->idx, 77);
	/* The next one begins anew: no files are known any more. */
	fake_start(&guest, 0);
	assert_int_equal(request(FUSE_GETATTR, 1, &getattr, sizeof(getattr)), -EIO);
	assert_int_equal(init(), 0);
	assert_int_equal(request(FUSE_GETATTR, node, &getattr, sizeof(getattr)), -ESTALE);
	assert_true(look_up("file"));
}

static bool needs_reset(void)
{
	for (int i = 0; i < 200; i++) {
		struct err err = ERR_INIT;

		assert_int_equal(loop_turn(guest.loop, 100, &err), 0);
		if (fake_read(&guest, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET)
			return true;
	}
	return false;
}

/* The available index runs ahead of the queue: the server stops, the device asks for a reset. */
static void test_wrong_index(void **state)
{
	(void)state;
	start(false);
	guest.queues[REQUESTS].avail->idx += 1000;
	kick(REQUESTS);
	assert_true(needs_reset());
	for (int i = 0; i < 1000; i++)
		kick(REQUESTS);
	fake_reset(&guest);
	fake_start(&guest, 0);
	assert_int_equal(init(), 0);
	assert_true(look_up("file"));
}

/* Malformed chains come back empty and the others are served. */
static void test_wrong_chains(void **state)
{
	static const struct fake_buf wrong[][2] = {
		{{ANSWER_AT, 64, true}, {REQUEST_AT, 64, false}},
		{{FAKE_RAM - 4, 64, false}, {ANSWER_AT, 64, true}},
		{{REQUEST_AT, 64, false}, {UINT64_MAX - 8, 64, true}},
		{{REQUEST_AT, UINT32_MAX, false}, {ANSWER_AT, UINT32_MAX, true}},
	};
	const struct fake_buf no_room[] = {{REQUEST_AT, 41, false}, {ANSWER_AT, 15, true}};
	const struct fake_buf empty[] = {{REQUEST_AT, 0, false}};
	uint16_t head;
	uint32_t len;

	(void)state;
	start(false);
	for (unsigned int i = 0; i < ARRAY_SIZE(wrong) + 2; i++) {
		expect_interrupt(REQUESTS);
		if (i < ARRAY_SIZE(wrong))
			fake_add(&guest, REQUESTS, 20, wrong[i], 2);
		else
			fake_add(&guest, REQUESTS, 20, i & 1 ? no_room : empty, i & 1 ? 2 : 1);
		kick(REQUESTS);
		wait_interrupt();
		assert_true(fake_used(&guest, REQUESTS, &head, &len));
		assert_int_equal(head, 20);
		assert_int_equal(len, 0);
		assert_true(look_up("file"));
	}
	assert_false(fake_read(&guest, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

static void test_server_dies(void **state)
{
	(void)state;
	start(false);
	assert_int_equal(kill(server.pid, SIGKILL), 0);
	assert_true(needs_reset());
	fake_turns(&guest, 3);
	fake_write(&guest, VIRTIO_MMIO_STATUS, 0);
	assert_int_equal(fake_read(&guest, VIRTIO_MMIO_STATUS), 0);
	/* No driver gets it to work again. */
	fake_write(&guest, VIRTIO_MMIO_STATUS, 1);
	fake_write(&guest, VIRTIO_MMIO_STATUS, 3);
	fake_write(&guest, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	fake_write(&guest, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	fake_write(&guest, VIRTIO_MMIO_STATUS, 11);
	fake_write(&guest, VIRTIO_MMIO_STATUS, 15);
	assert_int_equal(fake_read(&guest, VIRTIO_MMIO_STATUS), 15 | VIRTIO_CONFIG_S_NEEDS_RESET);
}

/* hull-vmm is gone: so is the server, without anybody to end it. */
static void test_vmm_dies(void **state)
{
	int status;

	(void)state;
	needs_root();
	spawn(false);
	fd_close(fd_take(&server.control_fd));
	assert_int_equal(waitpid(server.pid, &status, 0), server.pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	fd_close(server.pid_fd);
	fd_close(server.trees_fd);
	server = (struct fsd_server)FSD_SERVER_INIT;
}

static void test_readonly(void **state)
{
	struct fuse_open_in open_in = {.flags = O_RDWR};
	uint64_t node;

	(void)state;
	start(true);
	node = look_up("file");
	assert_int_equal(request(FUSE_OPEN, node, &open_in, sizeof(open_in)), -EROFS);
	assert_int_equal(request(FUSE_UNLINK, 1, "file", 5), -EROFS);
}

/* Files are made with their owner's ids inside the cell as well, and get file capabilities. */
static void test_owner_in_cell(void **state)
{
	struct {
		struct fuse_in_header h;
		struct fuse_mkdir_in in;
		char name[4];
	} r = {.h = {.len = sizeof(r.h) + sizeof(r.in) + 4,
		     .opcode = FUSE_MKDIR,
		     .nodeid = 1,
		     .uid = 1234,
		     .gid = 4321},
	       .in = {.mode = 0750},
	       .name = "dir"};
	const struct fake_buf bufs[] = {{REQUEST_AT, sizeof(r), false}, {ANSWER_AT, 4096, true}};
	/* cap_net_raw=ep, revision 2 (linux/capability.h, struct vfs_cap_data) */
	static const uint8_t caps[20] = {1, 0, 0, 2, 0, 0x20};
	struct {
		uint32_t size, flags;
		char name[20];
		uint8_t caps[20];
	} x = {.size = sizeof(caps), .name = "security.capability"};
	char path[128], got[32];
	struct stat st;
	uint16_t head;
	uint32_t len;

	(void)state;
	start(false);
	memcpy(fake_at(&guest, REQUEST_AT), &r, sizeof(r));
	expect_interrupt(REQUESTS);
	fake_add(&guest, REQUESTS, 8, bufs, 2);
	kick(REQUESTS);
	wait_interrupt();
	assert_true(fake_used(&guest, REQUESTS, &head, &len));
	assert_int_equal(fstatat(tmp_fd, "root/dir", &st, 0), 0);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, 4321);
	assert_int_equal(st.st_mode, S_IFDIR | 0750);
	memcpy(&x.caps, caps, sizeof(x.caps));
	assert_int_equal(request(FUSE_SETXATTR, look_up("file"), &x, sizeof(x)), 0);
	(void)snprintf(path, sizeof(path), "%s/root/file", tmp_path);
	assert_int_equal(getxattr(path, "security.capability", got, sizeof(got)), sizeof(caps));
}

/* ---- another server goes on ---- */

/* A request that waits while the first is suspended is answered by the second. */
static void test_saved(void **state)
{
	struct fuse_open_in open_in = {.flags = O_RDWR};
	struct fuse_read_in read_in = {.size = 100};
	const struct fuse_open_out *opened = answered();
	struct err err = ERR_INIT;
	BUF saved = BUF_INIT;
	struct state_in in;
	uint64_t node;

	(void)state;
	start(false);
	node = look_up("file");
	assert_int_equal(request(FUSE_OPEN, node, &open_in, sizeof(open_in)), 0);
	read_in.fh = opened->fh;
	assert_int_equal(virtio_suspend(guest.d, &err), 0);
	if (!private) { /* the device is not served meanwhile, and nor is its loop */
		kick(REQUESTS);
		assert_false(has_interrupt(100));
	}
	assert_int_equal(virtio_save(guest.d, &saved, &err), 0);
	/* It goes on as if nothing had been. */
	virtio_resume(guest.d);
	assert_int_equal(request(FUSE_READ, node, &read_in, sizeof(read_in)), 0);
	assert_memory_equal(answered(), "content", 7);

	saved.len = 0;
	assert_int_equal(virtio_suspend(guest.d, &err), 0);
	assert_int_equal(virtio_save(guest.d, &saved, &err), 0);
	virtio_destroy(guest.d);
	fsd_server_end(&server);
	spawn(false);
	add_device();
	in = (struct state_in){(const uint8_t *)saved.data, saved.len, false};
	if (virtio_restore(guest.d, &in, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(request(FUSE_READ, node, &read_in, sizeof(read_in)), 0);
	assert_memory_equal(answered(), "content", 7);
	assert_int_equal(look_up("file"), node);
	/* The driver may begin anew with this one, too. */
	fake_reset(&guest);
	fake_start(&guest, 0);
	assert_int_equal(init(), 0);
	assert_true(look_up("file"));
}

/* ---- further trees ---- */

/* Waits for the server's answer. */
static int tree_code(void)
{
	struct pollfd p = {server.trees_fd, POLLIN, 0};
	int code = -1;

	assert_int_equal(poll(&p, 1, 60000), 1);
	assert_int_equal(fsd_tree_answered(server.trees_fd, &code), 1);
	return code;
}

static int add_tree(const char *name, const char *path)
{
	int dir = openat(tmp_fd, path, O_PATH | O_CLOEXEC);
	struct err err = ERR_INIT;
	int fd = fsd_cell_tree(dir, false, true, &err);

	if (fd < 0 || fsd_tree_ask(server.trees_fd, name, fd, &err) < 0)
		fail_msg("%s", err.msg);
	fd_close(fd);
	fd_close(dir);
	return tree_code();
}

static int remove_tree(const char *name)
{
	assert_int_equal(fsd_tree_ask(server.trees_fd, name, -1, NULL), 0);
	return tree_code();
}

/* In its cell the server has them beside its root, which the host's directory is not in. */
static void test_trees(void **state)
{
	const struct fuse_entry_out *e = answered();
	struct fuse_open_in open_in = {.flags = O_RDWR};
	uint64_t top;

	(void)state;
	assert_int_equal(mkdirat(tmp_fd, "more", 0755), 0);
	tmp_write("more/data", "data");
	start(false);
	assert_int_equal(add_tree("more", "more"), 0);
	assert_int_equal(add_tree("more", "more"), EEXIST);
	assert_int_equal(add_tree("..", "more"), EINVAL);
	top = look_up("more");
	assert_int_equal(request(FUSE_LOOKUP, top, "data", 5), 0);
	assert_int_equal(request(FUSE_OPEN, e->nodeid, &open_in, sizeof(open_in)), 0);
	assert_int_equal(request(FUSE_LOOKUP, top, "..", 3), -EINVAL);
	/* The device is reset, and the tree is still there. */
	fake_reset(&guest);
	fake_start(&guest, 0);
	assert_int_equal(init(), 0);
	assert_int_equal(look_up("more"), top);
	assert_int_equal(remove_tree("more"), 0);
	assert_int_equal(remove_tree("more"), ENOENT);
	assert_int_equal(request(FUSE_LOOKUP, 1, "more", 5), -ENOENT);
	assert_true(look_up("file"));
}

/* In mounts of its own: a file system is shared as a tree, and can be unmounted nevertheless. */
static int share_mount(const char *path)
{
	struct err err = ERR_INIT;
	int dir, fd, code = -1;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("hull", path, "tmpfs", 0, "size=1m") < 0)
		return 1;
	dir = open(path, O_PATH | O_CLOEXEC);
	fd = fsd_cell_tree(dir, false, true, &err);
	if (fd < 0 || fsd_tree_ask(server.trees_fd, "more", fd, &err) < 0)
		return 2;
	fd_close(fd);
	fd_close(dir);
	while (fsd_tree_answered(server.trees_fd, &code) == 0)
		(void)poll(&(struct pollfd){server.trees_fd, POLLIN, 0}, 1, 1000);
	return code ? 3 : umount2(path, 0) < 0 ? 4 : 0;
}

static void test_trees_are_the_servers(void **state)
{
	char path[128];
	int status, none = 0;

	(void)state;
	start(false);
	assert_int_equal(mkdirat(tmp_fd, "more", 0755), 0);
	(void)snprintf(path, sizeof(path), "%s/more", tmp_path);
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(share_mount(path));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		assert_true(look_up("more"));
		assert_int_equal(remove_tree("more"), 0);
	}
	assert_int_equal(kill(server.pid, SIGKILL), 0);
	assert_int_equal(waitpid(server.pid, NULL, 0), server.pid);
	server.pid = -1;
	assert_int_equal(fsd_tree_answered(server.trees_fd, &none), -EPIPE);
	assert_true(fsd_tree_ask(server.trees_fd, "more", -1, NULL) < 0);
	fd_close(server.trees_fd);
	fd_close(server.control_fd);
	fd_close(server.pid_fd);
}

/* What is no request ends that conversation, and not the server. */
static void test_trees_nonsense(void **state)
{
	struct fsd_tree_request bad = {.add = false};
	struct pollfd p = {-1, POLLIN, 0};

	(void)state;
	start(false);
	memset(bad.name, 'a', sizeof(bad.name));
	assert_int_equal(send(server.trees_fd, &bad, sizeof(bad), 0), sizeof(bad));
	assert_int_equal(tree_code(), EINVAL);
	bad = (struct fsd_tree_request){.add = true, .name = "more"};
	assert_int_equal(send(server.trees_fd, &bad, sizeof(bad), 0), sizeof(bad));
	assert_int_equal(tree_code(), EINVAL);
	assert_int_equal(send(server.trees_fd, "x", 1, 0), 1);
	p.fd = server.trees_fd;
	assert_int_equal(poll(&p, 1, 60000), 1);
	assert_true(p.revents & POLLHUP);
	assert_true(look_up("file"));
}

/* No cell, no server. */
static void test_cell_impossible(void **state)
{
	struct fsd_spawn_config config = {.memory = &guest.memory};
	struct fsd_server s;
	struct err err = ERR_INIT;
	int status;
	pid_t pid;

	(void)state;
	needs_root();
	config.dir_fd = shared_dir();
	pid = fork();
	if (pid == 0)
		_exit(setuid(65534) < 0 || fsd_spawn(&config, &s, &err) != -EPERM || !err.msg[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* A file is no directory to share. */
	fd_close(config.dir_fd);
	config.dir_fd = openat(tmp_fd, "secret", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fsd_spawn(&config, &server, &err), 0);
	assert_true(fsd_server_wait(&server, &err) < 0);
	assert_non_null(strstr(err.msg, "file server: "));
	fd_close(config.dir_fd);
}

/* ---- requests that are copied ---- */

/* As much as fits in a request, and the whole of a queue at a time, more than there are slots. */
static void test_large(void **state)
{
	enum { SIZE = 255 * 4096, MANY = 60 };

	struct fuse_open_in open_in = {.flags = O_RDWR};
	struct fuse_read_in read_in = {.size = SIZE};
	const struct fuse_open_out *opened = answered();
	struct fuse_in_header h = {.len = sizeof(h) + sizeof(read_in), .opcode = FUSE_READ};
	struct fake_buf bufs[] = {{REQUEST_AT, h.len, false}, {ANSWER_AT, SIZE + 16, true}};
	FREE uint8_t *content = mem_xalloc(SIZE);
	int fd = openat(tmp_fd, "root/large", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	unsigned int answers = 0;
	uint16_t head;
	uint32_t len;

	(void)state;
	for (size_t i = 0; i < SIZE; i++)
		content[i] = (uint8_t)(i * 7 + i / 4096);
	assert_int_equal(write(fd, content, SIZE), SIZE);
	fd_close(fd);
	start(false);
	h.nodeid = look_up("large");
	assert_int_equal(request(FUSE_OPEN, h.nodeid, &open_in, sizeof(open_in)), 0);
	read_in.fh = opened->fh;
	memcpy(fake_at(&guest, REQUEST_AT), &h, sizeof(h));
	memcpy(fake_at(&guest, REQUEST_AT + sizeof(h)), &read_in, sizeof(read_in));
	expect_interrupt(REQUESTS);
	for (unsigned int i = 0; i < MANY; i++) {
		bufs[1].gpa = ANSWER_AT + i % 10 * (SIZE + 4096ull);
		fake_add(&guest, REQUESTS, (uint16_t)(4 * i), bufs, 2);
	}
	kick(REQUESTS);
	while (answers < MANY) {
		if (!fake_used(&guest, REQUESTS, &head, &len)) {
			expect_interrupt(REQUESTS);
			if (!fake_used(&guest, REQUESTS, &head, &len)) {
				wait_interrupt();
				continue;
			}
		}
		assert_int_equal(head, 4 * answers++);
		assert_int_equal(len, SIZE + 16);
	}
	for (unsigned int i = 0; i < 10; i++)
		assert_memory_equal(fake_at(&guest, ANSWER_AT + i * (SIZE + 4096ull)) + 16, content, SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		server_test(test_registers),     server_test(test_tag),
		server_test(test_requests),      server_test(test_many),
		server_test(test_reset),         server_test(test_wrong_index),
		server_test(test_wrong_chains),  server_test(test_server_dies),
		server_test(test_vmm_dies),      server_test(test_readonly),
		server_test(test_owner_in_cell), server_test(test_cell_impossible),
		server_test(test_saved),         server_test(test_large),
		private_test(test_registers),    private_test(test_requests),
		private_test(test_many),         private_test(test_reset),
		private_test(test_wrong_index),  private_test(test_wrong_chains),
		private_test(test_server_dies),  private_test(test_readonly),
		private_test(test_saved),        private_test(test_large),
		server_test(test_trees),         server_test(test_trees_are_the_servers),
		server_test(test_trees_nonsense),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
