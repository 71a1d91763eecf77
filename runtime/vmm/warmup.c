/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine that is to be a template makes a container and deletes it, before it is saved. So its kernel
 * has behind it what the first container of a machine costs: caches that are filled, code that is patched,
 * tables that are made. Its copies begin with a second one. No program runs in it. When it cannot be made
 * the template is only slower; when it cannot be deleted there is none, as each copy would have it.
 *
 * The shared directory is mounted before, an empty one: of a copy it is the container's, as the file
 * server knows no more of it than its root.
 */
#include <string.h>

#include "base/log.h"
#include "runtime/vm_config.h"
#include "runtime/vmm/vmm.h"

#define ID "warm-up"

/* As containers are: in the guest's own root, which has the directories to mount on. */
static const char config[] =
	"{\"ociVersion\":\"1.3.0\",\"process\":{\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"/\"],\"cwd\":\"/\","
	"\"env\":[\"PATH=/bin\"],\"noNewPrivileges\":true,\"capabilities\":{\"bounding\":[\"CAP_KILL\"],"
	"\"effective\":[\"CAP_KILL\"],\"permitted\":[\"CAP_KILL\"]},"
	"\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"hard\":1024,\"soft\":1024}]},"
	"\"root\":{\"path\":\"/\",\"readonly\":true},\"hostname\":\"" ID "\",\"mounts\":["
	"{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
	"{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\",\"mode=755\"]},"
	"{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\","
	"\"options\":[\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\",\"gid=5\"]},"
	"{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\",\"source\":\"shm\",\"options\":[\"mode=1777\"]},"
	"{\"destination\":\"/dev/mqueue\",\"type\":\"mqueue\",\"source\":\"mqueue\"},"
	"{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\",\"options\":[\"ro\"]},"
	"{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\",\"options\":[\"ro\"]}],"
	"\"linux\":{\"resources\":{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}],"
	"\"memory\":{\"limit\":67108864},\"pids\":{\"limit\":64},\"cpu\":{\"shares\":512}},"
	"\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},"
	"{\"type\":\"mount\"},{\"type\":\"cgroup\"}],"
	"\"maskedPaths\":[\"/proc/kcore\",\"/proc/acpi\",\"/sys/firmware\"],"
	"\"readonlyPaths\":[\"/proc/sys\",\"/proc/bus\"]}}";

static void deleted(void *arg, const struct proto_body *body, const struct err *why)
{
	struct vmm *v = arg;

	(void)body;
	if (calls_succeeded(v, why))
		template_save(v);
}

static void created(void *arg, const struct proto_body *body, const struct err *why)
{
	struct vmm *v = arg;
	BUF request = BUF_INIT;

	(void)body;
	if (v->stage == VMM_ENDS)
		return;
	if (why) {
		log_debug("the container before the first: %s", why->msg);
		template_save(v);
		return;
	}
	proto_put_string(&request, PROTO_F_ID, ID);
	proto_put_u32(&request, PROTO_F_FORCE, 1);
	calls_make(v, PROTO_DELETE, &request, CALL_TIMEOUT_MS, deleted, v);
}

static void mounted(void *arg, const struct proto_body *body, const struct err *why)
{
	struct vmm *v = arg;
	BUF request = BUF_INIT;

	(void)body;
	/* Copies rely on it. */
	if (!calls_succeeded(v, why))
		return;
	proto_put_string(&request, PROTO_F_ID, ID);
	proto_put_bytes(&request, PROTO_F_CONFIG, config, strlen(config));
	calls_make(v, PROTO_CREATE, &request, CALL_TIMEOUT_MS, created, v);
}

void warmup_start(struct vmm *v)
{
	BUF request = BUF_INIT;

	box_put_mount(VM_SHARE_PATH, v->o.root_flags, &request);
	calls_make(v, PROTO_MOUNT_FS, &request, CALL_TIMEOUT_MS, mounted, v);
}
