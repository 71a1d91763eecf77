/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Templates (runtime/vm_template.h) seen from the machine. One whose state is damaged is given up, so
 * that the next hull-oci makes another, and this machine boots; its memory hull-oci has looked at.
 *
 * A template is made before it is known what interfaces its copies will stand for, so its machine has a
 * network device to spare, which a copy has, too, be there a tap for it or not.
 *
 * What a template is saved from ends then and there: nothing goes on with the random numbers, or with
 * anything else, that its copies begin with.
 */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "runtime/sync.h"
#include "runtime/vm_template.h"
#include "runtime/vmm/vmm.h"

/*
 * How many network devices the machine has to have: as many as the saved one, whose state is checked
 * by that, or as a template.
 */
static int count_nets(const struct vmm *v, uint32_t *ret, struct err *err)
{
	const uint32_t others = MACHINE_DEVICES + (v->o.root_image_fd >= 0);
	uint32_t devices = others + (v->o.save.state_fd >= 0 ? TEMPLATE_NETS : 0);
	int rc = v->o.restore.state_fd >= 0 ? snapshot_devices(v->o.restore.state_fd, &devices, err) : 0;

	*ret = devices > others ? devices - others : 0;
	return rc;
}

static void add_spare(struct machine_config *c, struct machine_net nets[static NETCONF_LINKS_MAX],
		      uint32_t n)
{
	while (c->n_nets < n && c->n_nets < NETCONF_LINKS_MAX)
		nets[c->n_nets++] = (struct machine_net){.fd = -1, .mac = NETCONF_SPARE_MAC};
}

int template_start(struct vmm *v, const struct machine_config *config,
		   struct machine_net nets[static NETCONF_LINKS_MAX], struct err *err)
{
	struct machine_config c = *config;
	struct err e = ERR_INIT;
	uint32_t n_nets = 0;
	int rc = count_nets(v, &n_nets, &e);

	add_spare(&c, nets, n_nets);
	if (rc == 0 && (v->o.template_fd < 0 || c.n_nets <= n_nets)) {
		v->is_copy = v->o.template_fd >= 0;
		return machine_start(&c, &v->machine, err);
	}
	if (v->o.template_fd < 0)
		return err_set(err, -rc, "%s", e.msg);
	/* Too few are nobody's fault: the hull-oci that has chosen the template did not know. */
	if (rc == 0) {
		log_debug("the template has %u network devices, which is too few", n_nets);
	} else {
		log_warn("container '%s': template of the virtual machine: %s; booting it", v->o.id,
			 e.msg);
		(void)unlinkat(v->o.template_fd, VM_TEMPLATE_ABOUT, 0);
	}
	c = *config;
	c.restore = NULL;
	return machine_start(&c, &v->machine, err);
}

static void suspended(void *arg, const struct proto_body *body, const struct err *why)
{
	struct vmm *v = arg;
	struct err e = ERR_INIT;

	(void)body;
	if (!calls_succeeded(v, why))
		return;
	vm_pause(v->machine.vm);
	if (vm_save(v->machine.vm, &v->o.save, &e) < 0 ||
	    sync_send(v->o.sync_fd, SYNC_READY, &e) < 0) {
		vmm_fail(v, &e);
		return;
	}
	v->status = 0;
	vmm_stop(v);
}

void template_save(struct vmm *v)
{
	calls_make(v, PROTO_SUSPEND, NULL, CALL_TIMEOUT_MS, suspended, v);
}
