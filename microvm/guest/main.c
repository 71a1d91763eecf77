/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hull-agent: the first process of a microVM's guest. It connects to the host, mounts what every
 * Linux has and does what the host asks for (proto.h), with the very code that sets containers up on
 * a host.
 *
 * It can be tried without a machine, as an ordinary process beside something that plays the host:
 *
 *   hull-agent --test-socket PATH --dir DIR
 *
 * connects to the unix socket PATH_1 in place of the host's port 1, listens at PATH_2 in place of its
 * own port 2, where who connects is bound to a path that ends with "-" and its port, and keeps in DIR
 * what a guest has below /run/hull; clock, entropy and the machine are left alone.
 */
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"
#include "microvm/guest/guest.h"

#define PROGRAM "hull-agent"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

static int open_guest(struct guest *g, struct err *err)
{
	FREE char *agent = mem_xprintf("%s/agent", g->place.dir);
	FREE char *state = mem_xprintf("%s/containers", g->place.dir);
	FREE char *processes = mem_xprintf("%s/processes", g->place.dir);
	int rc;

	if ((rc = path_mkdirs(agent, 0700, err)) < 0 ||
	    (rc = path_mkdirs(processes, 0700, err)) < 0 ||
	    (rc = runtime_open(state, CGROUP_MANAGER_CGROUPFS, true, &g->rt, err)) < 0)
		return rc;
	return loop_new(&g->loop, err);
}

static int run(const struct guest_place *place, uint64_t boot_ns, struct err *err)
{
	struct guest g = {
		.place = *place,
		.rt = {.root_fd = -1, .proc_fd = -1},
		.boot_ns = boot_ns,
		.control_fd = -1,
		.listen_fd = -1,
		.signal_fd = -1,
	};
	int rc = guest_greet(&g, err);

	/* While the host reads it. */
	if (rc == 0 && place->is_machine)
		rc = system_setup(err);
	if (rc == 0)
		rc = open_guest(&g, err);
	if (rc == 0)
		rc = guest_run(&g, err);
	job_free_all(&g);
	process_free_all(&g);
	guest_forget_network(&g);
	if (g.loop)
		loop_free(g.loop);
	proto_reader_release(&g.in);
	proto_writer_release(&g.out);
	fd_close(g.control_fd);
	accept_forget(&g);
	fd_close(g.listen_fd);
	fd_close(g.signal_fd);
	runtime_close(&g.rt);
	return rc;
}

/* Never returns: the machine ends with its first process. */
static void run_machine(uint64_t boot_ns, struct err *err) __attribute__((noreturn));

static void run_machine(uint64_t boot_ns, struct err *err)
{
	const struct guest_place place = {.dir = PROTO_GUEST_DIR, .is_machine = true};

	if (run(&place, boot_ns, err) < 0)
		log_error("%s", err->msg);
	system_reset_machine();
}

int main(int argc, char **argv)
{
	const uint64_t boot_ns = system_boottime_ns();
	struct err err = ERR_INIT;
	struct guest_place place = {0};

	(void)!log_open(PROGRAM, NULL, LOG_FORMAT_TEXT, LOG_LEVEL_WARN, &err);
	if (getpid() == 1)
		run_machine(boot_ns, &err);
	if (argc != 5 || strcmp(argv[1], "--test-socket") != 0 || strcmp(argv[3], "--dir") != 0 ||
	    argv[4][0] != '/') {
		log_error("usage: " PROGRAM
			  " --test-socket PATH --dir DIR, or as a machine's init");
		return EXIT_USAGE;
	}
	place.socket = argv[2];
	place.dir = argv[4];
	if (fd_ensure_stdio(&err) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ||
	    run(&place, boot_ns, &err) < 0) {
		log_error("%s", err.msg);
		return EXIT_FAILED;
	}
	return 0;
}
