/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A container in a virtual machine of its own. On the host it is one process, hull-vmm (with the
 * server of its files beside it), in the container's cgroup and network namespace: its pid is the
 * container's pid, its end the container's end. It takes part in the protocol of sync.h and reads
 * exec.fifo like any container's first process, so create, start, run and their failures are the
 * same for both isolations; pause and resume freeze its cgroup.
 */
#include "runtime/driver_vm.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sock.h"
#include "runtime/console.h"
#include "runtime/setup.h"
#include "runtime/sync.h"
#include "runtime/vm_config.h"
#include "runtime/vm_control.h"
#include "runtime/vm_net.h"
#include "runtime/vm_request.h"
#include "runtime/vm_root_image.h"
#include "runtime/vm_share.h"

#define SHARE_DIR "share" /* in the state directory; where the tree is mounted */

int vm_check_environment(const struct setup *s, struct err *err)
{
	if (s->options->preserve_fds > 0 || getenv("LISTEN_FDS"))
		return err_set(err, ENOTSUP,
			       "--preserve-fds, LISTEN_FDS: a virtual machine cannot be given "
			       "descriptors");
	if (getenv("NOTIFY_SOCKET"))
		return err_set(err, ENOTSUP,
			       "NOTIFY_SOCKET: a container in a virtual machine cannot reach it");
	return 0;
}

static int open_file(const char *what, const char *path, int flags, int *ret, struct err *err)
{
	*ret = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return *ret < 0 ? err_sys(err, "%s '%s' of the virtual machine", what, path) : 0;
}

int vm_setup_load(struct setup *s, struct err *err)
{
	struct vm_setup *vm = mem_xalloc(sizeof(*vm));
	struct vm_machine *m = &vm->machine;
	int rc;

	vm->program_fd = vm->kvm_fd = vm->kernel_fd = vm->initramfs_fd = -1;
	vm->create_fd = vm->control_fd = vm->network_fd = vm->root_image_fd = -1;
	vm->network = (struct ns_taken)NS_TAKEN_INIT;
	vm->image = (struct vm_image)VM_IMAGE_INIT;
	vm->pidns = (struct vm_pidns)VM_PIDNS_INIT;
	vm->from = (struct vm_template)VM_TEMPLATE_INIT;
	s->vm = vm;
	if ((rc = vm_check_environment(s, err)) < 0 ||
	    (rc = vm_config_check(s->spec, false, err)) < 0 ||
	    (rc = vm_machine_choose(s->spec, m, err)) < 0)
		return rc;
	vm->root_flags = vm_share_root_flags(s->spec);
	vm->kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm_fd < 0)
		return err_sys(err, "a virtual machine needs '/dev/kvm'");
	if ((rc = open_file("program", m->program, O_PATH, &vm->program_fd, err)) < 0 ||
	    (m->root_image && (rc = vm_root_image_open(m->root_image, &vm->root_image_fd,
						       &vm->root_image_type, err)) < 0))
		return rc;
	if (s->options->image_path)
		return vm_image_open(s->options->image_path, &vm->image, err);
	if ((rc = open_file("kernel", m->kernel, O_RDONLY, &vm->kernel_fd, err)) < 0)
		return rc;
	return open_file("initramfs", m->initramfs, O_RDONLY, &vm->initramfs_fd, err);
}

/* It can do without, and a machine with an image is like no other's. */
static void open_template(struct setup *s)
{
	struct err e = ERR_INIT;

	if (s->vm->machine.from_template && s->vm->root_image_fd < 0 &&
	    vm_template_open(s->rt, s->vm, &s->vm->from, &e) < 0)
		log_warn("template of the virtual machine: %s; booting it", e.msg);
}

int vm_setup_prepare(struct setup *s, struct err *err)
{
	FREE char *path = mem_xprintf("/proc/self/fd/%d/" VM_CONTROL_SOCKET, s->container->dir_fd);

	if (mkdirat(s->container->dir_fd, SHARE_DIR, 0700) < 0)
		return err_sys(err, "make '%s' in the state directory", SHARE_DIR);
	s->vm->control_fd = sock_bind(path, SOCK_SEQPACKET, err);
	if (s->vm->control_fd < 0)
		return s->vm->control_fd;
	if (listen(s->vm->control_fd, 64) < 0)
		return err_sys(err, "listen on the control socket");
	if (s->options->image_path)
		return 0;
	open_template(s);
	s->vm->create_fd = vm_request_create(s->spec, NULL, s->options, err);
	return s->vm->create_fd < 0 ? s->vm->create_fd : 0;
}

void vm_setup_free(struct vm_setup *vm)
{
	if (!vm)
		return;
	fd_close(vm->program_fd);
	fd_close(vm->kvm_fd);
	fd_close(vm->kernel_fd);
	fd_close(vm->initramfs_fd);
	fd_close(vm->create_fd);
	fd_close(vm->control_fd);
	fd_close(vm->network_fd);
	fd_close(vm->root_image_fd);
	ns_taken_release(&vm->network);
	vm_image_close(&vm->image);
	vm_pidns_release(&vm->pidns);
	vm_template_close(&vm->from);
	vm_machine_release(&vm->machine);
	free(vm);
}

/* ---- the child ---- */

/* Of the namespaces only the network's is the host's; mounts are private for the share's sake. */
static int enter_namespaces(struct setup *s, struct err *err)
{
	struct ns_spaces spaces = {0};
	int rc = sync_expect(s->child.sync[1], SYNC_GO, NULL, err);

	if (rc == 0)
		rc = cgroup_join(s->cgroup, 0, s->born_in_v2, err);
	if (rc < 0)
		return rc;
	spaces.kind[NS_NETWORK] = s->spec->spaces.kind[NS_NETWORK];
	spaces.kind[NS_MOUNT].listed = true;
	return ns_enter(&spaces, s->space_fds, err);
}

int vm_set_terminal(struct setup *s, struct err *err)
{
	CLOSE_FD int master = -1;
	CLOSE_FD int slave = -1;
	int rc = console_open(&s->spec->process, &master, &slave, err);

	if (rc < 0)
		return rc;
	if (s->child.console_fd >= 0)
		rc = console_send(s->child.console_fd, master, err);
	else
		rc = sync_send_fd(s->child.sync[1], SYNC_TTY, master, err);
	if (rc < 0)
		return rc;
	/* On the host the terminal is root's: only hull-vmm has it. */
	const struct ns_process owner = {0};

	return console_attach(&owner, slave, err);
}

struct words {
	char *argv[64 + 2 * NETCONF_LINKS_MAX]; /* as many as become_vmm adds, and a NULL */
	size_t n;
};

static void add_number(struct words *w, const char *option, uint64_t n)
{
	w->argv[w->n++] = (char *)option;
	w->argv[w->n++] = mem_xprintf("%llu", (unsigned long long)n);
}

static int add_fd(struct words *w, const char *option, int fd, struct err *err)
{
	if (fd < 0)
		return 0;
	add_number(w, option, (uint64_t)fd);
	return fd_set_cloexec(fd, 0, err);
}

static void add_word(struct words *w, const char *option, const char *value)
{
	if (!value)
		return;
	w->argv[w->n++] = (char *)option;
	w->argv[w->n++] = (char *)value;
}

static void add_switch(struct words *w, const char *option, bool on)
{
	if (on)
		w->argv[w->n++] = (char *)option;
}

static int add_log(struct words *w, struct err *err)
{
	if (log_fd() < 0)
		return 0;
	add_switch(w, "--log-json", log_file_format() == LOG_FORMAT_JSON);
	add_switch(w, "--log-debug", log_enabled(LOG_LEVEL_DEBUG));
	return add_fd(w, "--log-fd", log_fd(), err);
}

static int add_network(struct words *w, const struct vm_setup *vm, struct err *err)
{
	int rc = add_fd(w, "--network-fd", vm->network_fd, err);

	for (size_t i = 0; i < ARRAY_SIZE(vm->network.taps) && rc == 0; i++)
		rc = add_fd(w, "--tap-fd", vm->network.taps[i], err);
	return rc;
}

static int become_vmm(struct setup *s, int share_fd, struct err *err)
{
	const struct vm_setup *vm = s->vm;
	struct words w = {.argv = {(char *)VM_PROGRAM}, .n = 1};
	char *env[] = {NULL};
	const bool clone = vm->from.dir_fd >= 0;
	const struct vm_image *image = clone ? &vm->from.image : &vm->image;
	int rc = fd_cloexec_from(3, s->rt->proc_fd, err);

	if (rc < 0 || (rc = add_fd(&w, "--kvm-fd", vm->kvm_fd, err)) < 0 ||
	    (rc = add_fd(&w, "--kernel-fd", vm->kernel_fd, err)) < 0 ||
	    (rc = add_fd(&w, "--initramfs-fd", vm->initramfs_fd, err)) < 0 ||
	    (rc = add_fd(&w, "--create-fd", vm->create_fd, err)) < 0 ||
	    (rc = add_fd(&w, "--restore-fd", image->state_fd, err)) < 0 ||
	    (rc = add_fd(&w, "--memory-fd", image->memory_fd, err)) < 0 ||
	    (rc = add_fd(&w, "--working-set-fd", image->working_set_fd, err)) < 0 ||
	    (clone && (rc = add_fd(&w, "--template-fd", vm->from.dir_fd, err)) < 0) ||
	    (rc = add_fd(&w, "--control-fd", vm->control_fd, err)) < 0 ||
	    (rc = add_fd(&w, "--share-fd", share_fd, err)) < 0 ||
	    (rc = add_fd(&w, "--root-image-fd", vm->root_image_fd, err)) < 0 ||
	    (rc = add_fd(&w, "--sync-fd", s->child.sync[1], err)) < 0 ||
	    (rc = add_fd(&w, "--fifo-fd", s->fifo_fd, err)) < 0 ||
	    (rc = add_network(&w, vm, err)) < 0 || (rc = add_log(&w, err)) < 0)
		return rc;
	add_number(&w, "--cpus", vm->machine.cpus);
	add_number(&w, "--memory", vm->machine.memory);
	add_number(&w, "--root-flags", vm->root_flags);
	add_switch(&w, "--hugepages", vm->machine.hugepages);
	add_switch(&w, "--memory-unchanged", image->unchanged);
	add_word(&w, "--kernel-name", vm->machine.kernel);
	add_word(&w, "--cmdline", vm->machine.cmdline);
	add_word(&w, "--root-image-type", vm->root_image_type);
	add_switch(&w, "--terminal", s->spec->has_process && s->spec->process.terminal);
	add_word(&w, "--guest-id", vm->image.guest_id);
	add_word(&w, "--id", s->container->id);
	(void)!execveat(vm->program_fd, "", w.argv, env, AT_EMPTY_PATH);
	return err_sys(err, "execute '%s'", vm->machine.program);
}

static int set_up(struct setup *s, struct err *err)
{
	FREE char *path = mem_xprintf("%s/%s/" SHARE_DIR, s->rt->root, s->container->id);
	CLOSE_FD int share = -1;
	int rc;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_sys(err, "set the parent death signal");
	if (setsid() < 0)
		return err_sys(err, "setsid");
	if ((rc = enter_namespaces(s, err)) < 0)
		return rc;
	share = vm_share_build(s->spec, s->rt->proc_fd, path, s->vm->root_image_fd < 0, err);
	if (share < 0)
		return share;
	/* Hooks may have furnished the network. */
	if ((rc = init_run_hooks(s, err)) < 0 ||
	    (rc = vm_net_take(&s->vm->network, &s->vm->network_fd, err)) < 0)
		return rc;
	if (s->spec->has_process && s->spec->process.terminal && (rc = vm_set_terminal(s, err)) < 0)
		return rc;
	return become_vmm(s, share, err);
}

void vm_init_main(struct setup *s)
{
	struct err e = ERR_INIT;
	sigset_t none;

	fd_replace(&s->child.sync[0], -1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	(void)!set_up(s, &e);
	sync_send_error(s->child.sync[1], &e);
	_exit(1);
}
