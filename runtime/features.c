/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The features document (runtime-spec features.md, features-linux.md): what hull recognises,
 * whatever the host can do. Only seccomp's supportedFlags ask the kernel, as the specification
 * wants it. Works without privileges.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/sys.h"
#include "namespaces/namespaces.h"
#include "runtime/spec.h"

#define OCI_VERSION_MIN "1.0.0"

static const char *const actions[] = {
	"SCMP_ACT_ALLOW",        "SCMP_ACT_ERRNO",       "SCMP_ACT_KILL",
	"SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG",
	"SCMP_ACT_NOTIFY",       "SCMP_ACT_TRACE",       "SCMP_ACT_TRAP",
};

static const char *const operators[] = {
	"SCMP_CMP_EQ", "SCMP_CMP_GE",        "SCMP_CMP_GT", "SCMP_CMP_LE",
	"SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE",
};

/* Every name of the specification; those that the libseccomp at hand lacks are left out. */
static const char *const archs[] = {
	"SCMP_ARCH_AARCH64",     "SCMP_ARCH_ARM",    "SCMP_ARCH_LOONGARCH64",
	"SCMP_ARCH_M68K",        "SCMP_ARCH_MIPS",   "SCMP_ARCH_MIPS64",
	"SCMP_ARCH_MIPS64N32",   "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64",
	"SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PARISC", "SCMP_ARCH_PARISC64",
	"SCMP_ARCH_PPC",         "SCMP_ARCH_PPC64",  "SCMP_ARCH_PPC64LE",
	"SCMP_ARCH_RISCV64",     "SCMP_ARCH_S390",   "SCMP_ARCH_S390X",
	"SCMP_ARCH_SH",          "SCMP_ARCH_SHEB",   "SCMP_ARCH_X32",
	"SCMP_ARCH_X86",         "SCMP_ARCH_X86_64",
};

static const char *const filter_flags[] = {
	"SECCOMP_FILTER_FLAG_LOG",
	"SECCOMP_FILTER_FLAG_SPEC_ALLOW",
	"SECCOMP_FILTER_FLAG_TSYNC",
	"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
};

static const char *const policy_modes[] = {
	"MPOL_BIND",      "MPOL_DEFAULT",        "MPOL_INTERLEAVE",          "MPOL_LOCAL",
	"MPOL_PREFERRED", "MPOL_PREFERRED_MANY", "MPOL_WEIGHTED_INTERLEAVE",
};

static const char *const policy_flags[] = {
	"MPOL_F_NUMA_BALANCING",
	"MPOL_F_RELATIVE_NODES",
	"MPOL_F_STATIC_NODES",
};

static void write_names(struct json_writer *w, const char *key, const char *const *names, size_t n)
{
	json_w_array(w, key);
	for (size_t i = 0; i < n; i++)
		json_w_string(w, NULL, names[i]);
	json_w_end(w);
}

static void write_switch(struct json_writer *w, const char *key, bool enabled)
{
	json_w_object(w, key);
	json_w_bool(w, "enabled", enabled);
	json_w_end(w);
}

static void write_generic(struct json_writer *w)
{
	const char *const *options = ns_mount_option_names();

	json_w_string(w, "ociVersionMin", OCI_VERSION_MIN);
	json_w_string(w, "ociVersionMax", SPEC_OCI_VERSION);
	json_w_array(w, "hooks");
	for (enum spec_hook_kind kind = HOOK_PRESTART; kind < HOOK_KIND_MAX; kind++)
		json_w_string(w, NULL, spec_hook_kind_name(kind));
	json_w_end(w);
	json_w_array(w, "mountOptions");
	for (; *options; options++)
		json_w_string(w, NULL, *options);
	json_w_end(w);
}

static void write_kernel_names(struct json_writer *w)
{
	const char *name;

	json_w_array(w, "namespaces");
	for (enum ns_kind kind = NS_USER; kind < NS_KIND_MAX; kind++)
		json_w_string(w, NULL, ns_kind_name(kind));
	json_w_end(w);
	json_w_array(w, "capabilities");
	for (int cap = 0; (name = ns_cap_name(cap)); cap++)
		json_w_string(w, NULL, name);
	json_w_end(w);
}

static void write_cgroup(struct json_writer *w)
{
	json_w_object(w, "cgroup");
	json_w_bool(w, "v1", true);
	json_w_bool(w, "v2", true);
	json_w_bool(w, "systemd", false);
	json_w_bool(w, "systemdUser", false);
	json_w_bool(w, "rdma", true);
	json_w_end(w);
}

/*
 * The kernel looks at the flags before the program, so a known one fails on the NULL program
 * (EFAULT) and nothing is ever installed.
 */
static bool kernel_takes(unsigned int flags)
{
	return sys_seccomp(SECCOMP_SET_MODE_FILTER, flags, NULL) < 0 && errno == EFAULT;
}

/* TSYNC is refused beside a listener, WAIT_KILLABLE_RECV without one. */
static bool flag_is_supported(const char *name)
{
	uint32_t flag = 0;

	if (ns_seccomp_flag_parse(name, &flag) < 0)
		return false;
	return kernel_takes(flag) || kernel_takes(flag | SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

static void write_seccomp(struct json_writer *w)
{
	json_w_object(w, "seccomp");
	json_w_bool(w, "enabled", true);
	write_names(w, "actions", actions, ARRAY_SIZE(actions));
	write_names(w, "operators", operators, ARRAY_SIZE(operators));
	json_w_array(w, "archs");
	for (size_t i = 0; i < ARRAY_SIZE(archs); i++) {
		uint32_t arch;

		if (ns_seccomp_arch_parse(archs[i], &arch) == 0)
			json_w_string(w, NULL, archs[i]);
	}
	json_w_end(w);
	write_names(w, "knownFlags", filter_flags, ARRAY_SIZE(filter_flags));
	json_w_array(w, "supportedFlags");
	for (size_t i = 0; i < ARRAY_SIZE(filter_flags); i++)
		if (flag_is_supported(filter_flags[i]))
			json_w_string(w, NULL, filter_flags[i]);
	json_w_end(w);
	json_w_end(w);
}

static void write_linux(struct json_writer *w)
{
	json_w_object(w, "linux");
	write_kernel_names(w);
	write_cgroup(w);
	write_seccomp(w);
	write_switch(w, "apparmor", true);
	write_switch(w, "selinux", true);
	json_w_object(w, "intelRdt");
	json_w_bool(w, "enabled", true);
	json_w_bool(w, "schemata", true);
	json_w_bool(w, "monitoring", true);
	json_w_end(w);
	json_w_object(w, "memoryPolicy");
	write_names(w, "modes", policy_modes, ARRAY_SIZE(policy_modes));
	write_names(w, "flags", policy_flags, ARRAY_SIZE(policy_flags));
	json_w_end(w);
	json_w_object(w, "mountExtensions");
	write_switch(w, "idmap", true);
	json_w_end(w);
	write_switch(w, "netDevices", true);
	json_w_end(w);
}

static void write_annotations(struct json_writer *w)
{
	const struct scmp_version *version = seccomp_version();
	FREE char *text = mem_xprintf("%u.%u.%u", version->major, version->minor, version->micro);

	json_w_object(w, "annotations");
	json_w_string(w, "org.hull.version", HULL_VERSION);
	json_w_string(w, "org.hull.checkpoint.enabled", "vm");
	json_w_string(w, "io.github.seccomp.libseccomp.version", text);
	json_w_end(w);
	json_w_array(w, "potentiallyUnsafeConfigAnnotations");
	json_w_string(w, NULL, "org.hull.");
	json_w_string(w, NULL, "org.systemd.property.");
	json_w_end(w);
}

void features_write(struct buf *out)
{
	struct json_writer *w = json_w_new(true);

	json_w_object(w, NULL);
	write_generic(w);
	write_linux(w);
	write_annotations(w);
	json_w_end(w);
	json_w_finish(w, out);
}
