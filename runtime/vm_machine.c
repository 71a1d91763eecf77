/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/vm_machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/companion.h"
#include "base/mem.h"
#include "base/parse.h"
#include "runtime/host_config.h"
#include "runtime/pod.h"
#include "runtime/vm_config.h"

#define KERNEL    "vmlinux-fast"
#define INITRAMFS "initramfs"
#define INSTALLED "/usr/lib/hull/"

#define MIB            (1ull << 20)
#define GUEST_OVERHEAD (64 * MIB) /* of kernel, agent and page tables beside the limit */
#define DEFAULT_MEMORY (512 * MIB)
#define VMM_MEMORY     (64 * MIB) /* of hull-vmm and its file server, page cache included */
#define VMM_SHARE      64         /* of the guest's memory: page tables of KVM and of processes */
#define MIN_MEMORY     (48 * MIB)
#define MAX_MEMORY     (1ull << 40)
#define MAX_CPUS       32u
#define HOST_CPUS      8192 /* the largest CONFIG_NR_CPUS */

/* ---- how big ---- */

/* How many CPUs a list names; 0: none, or it is no list. */
static uint64_t count_cpus(const char *list)
{
	uint64_t bits[HOST_CPUS / 64] = {0}, n = 0;

	if (!list || parse_cpu_list(list, bits, HOST_CPUS) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
		n += (uint64_t)__builtin_popcountll(bits[i]);
	return n;
}

/* ceil(quota / period), but no more than the cpuset has; 1 without either. */
unsigned int vm_machine_cpus_of(const struct cgroup_limits *l)
{
	uint64_t period = l->cpu_period.set ? l->cpu_period.value : 100000;
	uint64_t set = count_cpus(l->cpuset_cpus), n = set ? set : 1, quota;

	if (l->cpu_quota.set && l->cpu_quota.value > 0 && period > 0) {
		quota = ((uint64_t)l->cpu_quota.value + period - 1) / period;
		n = set && set < quota ? set : quota;
	}
	return n < 1 ? 1 : n > MAX_CPUS ? MAX_CPUS : (unsigned int)n;
}

uint64_t vm_machine_memory_of(const struct cgroup_limits *l)
{
	int64_t limit = l->memory_limit.set ? l->memory_limit.value : 0;
	uint64_t size = limit > 0 ? (uint64_t)limit + GUEST_OVERHEAD : DEFAULT_MEMORY;

	return size > MAX_MEMORY ? MAX_MEMORY : size;
}

uint64_t vm_machine_host_memory(uint64_t memory)
{
	return memory + VMM_MEMORY + memory / VMM_SHARE;
}

static int read_number(const struct spec *spec, const char *key, uint64_t min, uint64_t max,
		       uint64_t *ret, struct err *err)
{
	const char *text = spec_annotation(spec, key);
	uint64_t n;

	if (!text)
		return 0;
	if (parse_u64(text, &n) < 0 || n < min || n > max)
		return err_set(err, EINVAL,
			       "annotation '%s': '%s' is not a number from %llu to %llu", key, text,
			       (unsigned long long)min, (unsigned long long)max);
	*ret = n;
	return 0;
}

static int check_hardware(const struct spec_vm *vm, struct err *err)
{
	if (vm->vcpus > MAX_CPUS)
		return err_set(err, EINVAL, "vm.hwConfig.vcpus: %u is more than %u", vm->vcpus,
			       MAX_CPUS);
	if (vm->memory && (vm->memory < MIN_MEMORY || vm->memory > MAX_MEMORY))
		return err_set(err, EINVAL,
			       "vm.hwConfig.memory: %llu is not a size from %llu to %llu",
			       (unsigned long long)vm->memory, MIN_MEMORY, MAX_MEMORY);
	return 0;
}

static int choose_size(const struct spec *spec, struct vm_machine *m, struct err *err)
{
	const struct spec_vm *vm = &spec->vm;
	const char *huge = spec_annotation(spec, "org.hull.vm.hugepages");
	struct cgroup_limits limits = spec->limits;
	uint64_t cpus, mib;
	int rc = check_hardware(vm, err);

	if (rc < 0 || (rc = pod_add_limits(spec, &limits, err)) < 0)
		return rc;
	cpus = vm->vcpus ? vm->vcpus : vm_machine_cpus_of(&limits);
	mib = ((vm->memory ? vm->memory : vm_machine_memory_of(&limits)) + MIB - 1) / MIB;
	if ((rc = read_number(spec, "org.hull.vm.cpus", 1, MAX_CPUS, &cpus, err)) < 0 ||
	    (rc = read_number(spec, "org.hull.vm.memory-mib", MIN_MEMORY / MIB, MAX_MEMORY / MIB,
			      &mib, err)) < 0)
		return rc;
	if (huge && parse_bool(huge, &m->hugepages) < 0)
		return err_set(err, EINVAL,
			       "annotation 'org.hull.vm.hugepages': '%s' is not true or false",
			       huge);
	m->cpus = (unsigned int)cpus;
	m->memory = (m->hugepages ? (mib + 1) & ~1ull : mib) * MIB; /* of 2 MiB each */
	return 0;
}

static int choose_template(const struct spec *spec, bool by_default, bool *ret, struct err *err)
{
	const char *text = spec_annotation(spec, "org.hull.vm.template");

	*ret = by_default;
	if (text && parse_bool(text, ret) < 0)
		return err_set(err, EINVAL,
			       "annotation 'org.hull.vm.template': '%s' is not true or false", text);
	return 0;
}

/* ---- which files ---- */

/* Beside this program, where a build puts it, or where it is installed. */
static char *find_file(const char *program, const char *name)
{
	const char *slash = strrchr(program, '/');
	FREE char *beside = mem_xprintf("%.*s/guest/%s", (int)(slash - program), program, name);

	if (access(beside, R_OK) == 0)
		return ptr_take(&beside);
	return mem_xprintf(INSTALLED "%s", name);
}

static char *choose_file(const struct spec *spec, const struct vm_machine *m, const char *key,
			 const char *object, const char *host, const char *name)
{
	const char *annotation = spec_annotation(spec, key);
	const char *path = annotation ? annotation : object ? object : host;

	return path ? mem_xstrdup(path) : find_file(m->program, name);
}

static char *join_words(const char *const *words)
{
	BUF line = BUF_INIT;

	for (size_t i = 0; words && words[i]; i++)
		buf_addf(&line, "%s%s", i ? " " : "", words[i]);
	return line.len ? mem_xstrdup(buf_str(&line)) : NULL;
}

static int choose_root_image(const struct spec *spec, struct vm_machine *m, struct err *err)
{
	const char *path = spec_annotation(spec, VM_ROOT_IMAGE_ANNOTATION);

	if (path && path[0] != '/')
		return err_set(err, EINVAL,
			       "annotation '" VM_ROOT_IMAGE_ANNOTATION
			       "': '%s' is no absolute path",
			       path);
	m->root_image = path ? mem_xstrdup(path) : NULL;
	return 0;
}

/* The hypervisor may be named, but there is only one. */
static int check_program(const struct spec_vm *vm, const char *program, struct err *err)
{
	struct stat theirs, ours;

	if (!vm->hypervisor)
		return 0;
	if (stat(vm->hypervisor, &theirs) < 0)
		return err_sys(err, "vm.hypervisor.path '%s'", vm->hypervisor);
	if (stat(program, &ours) == 0 && ours.st_dev == theirs.st_dev &&
	    ours.st_ino == theirs.st_ino)
		return 0;
	return err_set(err, ENOTSUP,
		       "vm.hypervisor.path: '%s' is not this program's own '" VM_PROGRAM "'",
		       vm->hypervisor);
}

int vm_machine_choose(const struct spec *spec, struct vm_machine *ret, struct err *err)
{
	const struct spec_vm *vm = &spec->vm;
	struct host_config host = HOST_CONFIG_INIT;
	int rc;

	*ret = (struct vm_machine){.program = companion_path(VM_PROGRAM)};
	if (vm->no_use)
		return err_set(err, ENOTSUP, "%s: not supported by hull's virtual machines",
			       vm->no_use);
	if ((rc = check_program(vm, ret->program, err)) < 0 ||
	    (rc = choose_size(spec, ret, err)) < 0 ||
	    (rc = choose_root_image(spec, ret, err)) < 0 ||
	    (rc = host_config_load(&host, err)) < 0)
		return rc;
	rc = choose_template(spec, host.from_template, &ret->from_template, err);
	ret->cmdline = join_words(vm->kernel_parameters);
	ret->kernel = choose_file(spec, ret, "org.hull.vm.kernel", vm->kernel, host.kernel, KERNEL);
	ret->initramfs = choose_file(spec, ret, "org.hull.vm.initramfs", vm->initrd, host.initramfs,
				     INITRAMFS);
	host_config_release(&host);
	return rc;
}

void vm_machine_release(struct vm_machine *m)
{
	free(m->program);
	free(m->kernel);
	free(m->initramfs);
	free(m->cmdline);
	free(m->root_image);
}
