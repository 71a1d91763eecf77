/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program's entry point: runs before the C library is set up and, for the commands that enter a
 * container, executes the program again from a read-only clone of its binary (see protect.c, which
 * does the same for every case that this file leaves out).
 *
 * Why so early: what the C library and main do at start is paid for once instead of twice. With
 * glibc that is 0.2 ms or more in a virtual machine, where each of the CPUID instructions by which
 * it asks the processor about its caches is an exit to the hypervisor. Nothing of the C library can
 * be used: no errno, no stack protector, no relocated data.
 */
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)

#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef __clang__
/* A loop that looks like memset or strlen must not become a call of it. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

#define VARIABLE   "HULL_PROGRAM_DIR=" /* companion.c */
#define MAX_ENV    1024
#define PAGE       4096l
#define STACK_USED (6 * PAGE) /* by most commands */
#define GUESSES    8          /* words of exec, options of its own among them, that may be the id */

/* Where ld(1) puts the program's first byte. */
extern const ElfW(Ehdr) __executable_start __attribute__((visibility("hidden")));

void entry_protect(long *stack);

/* The kernel hands over argc, argv and envp on the stack (System V ABI, AMD64 supplement, 3.4.1).
 */
__asm__(".pushsection .text\n"
	".globl hull_entry\n"
	".type hull_entry, @function\n"
	"hull_entry:\n"
	"	endbr64\n"
	"	mov %rsp, %rdi\n"
	"	push %rdx\n"
	"	sub $8, %rsp\n"
	"	call entry_protect\n"
	"	add $8, %rsp\n"
	"	pop %rdx\n"
	"	jmp _start\n"
	".size hull_entry, . - hull_entry\n"
	".popsection\n");

static inline long call(long number, long a, long b, long c, long d, long e)
{
	long ret;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return ret;
}

static bool equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static bool begins(const char *s, const char *with)
{
	while (*with && *s == *with) {
		s++;
		with++;
	}
	return !*with;
}

enum entered { ENTERS_NOTHING, ENTERS_CONTAINER, ENTERS_MACHINE };

/* Appends s and returns where the string ends then; NULL: there is no room. */
static char *append(char *to, const char *end, const char *s)
{
	while (to && *s) {
		if (to == end - 1)
			return NULL;
		*to++ = *s++;
	}
	if (to)
		*to = '\0';
	return to;
}

/* The socket of a virtual machine lies in its container's directory (vm_control.h). */
static bool has_machine(const char *root, const char *id)
{
	char path[1024];
	const char *end = path + sizeof(path);
	char *to = append(path, end, root);

	to = append(to, end, "/");
	to = append(to, end, id);
	to = append(to, end, "/vm.sock");
	return to && call(SYS_access, (long)path, F_OK, 0, 0, 0) == 0;
}

/*
 * Any argument that may be such a command; to be protected without need does no harm. Nor is it missed
 * after a wrong guess at a machine, where nothing is entered: exec asks for it when it knows.
 */
static enum entered looks_like(char *const *argv)
{
	const char *root = "/run/hull";
	unsigned int left = GUESSES;
	bool exec = false;

	for (; *argv; argv++) {
		if (equal(*argv, "create") || equal(*argv, "run") || equal(*argv, "restore"))
			return ENTERS_CONTAINER;
		if (begins(*argv, "--root="))
			root = *argv + sizeof("--root=") - 1;
		else if (equal(*argv, "--root") && argv[1])
			root = *++argv;
		else if (equal(*argv, "exec"))
			exec = true;
		else if (exec && **argv != '-' && left && left-- && has_machine(root, *argv))
			return ENTERS_MACHINE;
	}
	return exec ? ENTERS_CONTAINER : ENTERS_NOTHING;
}

/* Fills env with envp and the directory of the binary. False: too many, or no directory. */
static bool make_env(char *const *envp, char **env, char *variable, size_t size)
{
	size_t n = 0, name = sizeof(VARIABLE) - 1;
	long len;

	for (; envp[n]; n++) {
		if (n == MAX_ENV - 2 || begins(envp[n], VARIABLE) ||
		    begins(envp[n], "HULL_NO_MOUNT_API="))
			return false;
		env[n] = envp[n];
	}
	for (size_t i = 0; i < name; i++)
		variable[i] = VARIABLE[i];
	len = call(SYS_readlink, (long)"/proc/self/exe", (long)(variable + name),
		   (long)(size - name - 1), 0, 0);
	while (len > 0 && variable[name + (size_t)len] != '/')
		len--;
	if (len <= 0)
		return false;
	variable[name + (size_t)len] = '\0';
	env[n++] = variable;
	env[n] = NULL;
	return true;
}

/*
 * What will be written, data and stack, in two calls instead of some twenty page faults (man 2
 * madvise; before Linux 5.14 they fail and the faults come). The program's code is left to faults:
 * each brings sixteen pages, and most of them are never needed.
 */
static void populate(const char *stack)
{
	const uintptr_t start = (uintptr_t)&__executable_start;
	const ElfW(Phdr) *p = (const void *)(start + __executable_start.e_phoff);

	for (size_t i = 0; i < __executable_start.e_phnum; i++) {
		uintptr_t from = start + p[i].p_vaddr, to = from + p[i].p_memsz;

		if (p[i].p_type != PT_LOAD || !(p[i].p_flags & PF_W))
			continue;
		from &= ~(uintptr_t)(PAGE - 1);
		call(SYS_madvise, (long)from, (long)(to - from), MADV_POPULATE_WRITE, 0, 0);
	}
	call(SYS_madvise, ((long)stack & ~(PAGE - 1)) - STACK_USED, STACK_USED,
	     MADV_POPULATE_WRITE, 0, 0);
}

static bool is_protected(long exe)
{
	const long sealed = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	struct statfs fs;
	long seals;

	if (call(SYS_fstatfs, exe, (long)&fs, 0, 0, 0) == 0 && (fs.f_flags & ST_RDONLY))
		return true;
	seals = call(SYS_fcntl, exe, F_GET_SEALS, 0, 0, 0);
	return seals >= 0 && (seals & sealed) == sealed;
}

/* Returns when there is nothing to do or something is in the way; protect_self takes over then. */
__attribute__((used)) void entry_protect(long *stack)
{
	static char *env[MAX_ENV];
	static char variable[sizeof(VARIABLE) + 4096];
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	char *const *argv = (char *const *)(stack + 1);
	char *const *envp = argv + stack[0] + 1;
	const enum entered entered = looks_like(argv);
	long exe, clone;

	if (entered == ENTERS_MACHINE)
		populate((const char *)stack);
	if (entered != ENTERS_CONTAINER)
		return;
	exe = call(SYS_open, (long)"/proc/self/exe", O_RDONLY | O_CLOEXEC, 0, 0, 0);
	if (exe < 0)
		return;
	if (is_protected(exe)) {
		populate((const char *)stack);
		goto out;
	}
	if (!make_env(envp, env, variable, sizeof(variable)))
		goto out;
	clone = call(SYS_open_tree, exe, (long)"",
		     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH, 0, 0);
	if (clone < 0)
		goto out;
	if (call(SYS_mount_setattr, clone, (long)"", AT_EMPTY_PATH, (long)&attr, sizeof(attr)) == 0)
		call(SYS_execveat, clone, (long)"", (long)argv, (long)env, AT_EMPTY_PATH);
	call(SYS_close, clone, 0, 0, 0, 0);
out:
	call(SYS_close, exe, 0, 0, 0, 0);
}

#endif
